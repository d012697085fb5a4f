// The files that reports are written to: see report_files.h.
#include "cli/report_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { KEY_WRITE = 0x4000, KEY_SOURCE_ROOT, KEY_REDACT, KEY_FORMATS, FORMATS_MOST = 32 };
enum { OWN_FLAGS = 3 };

// --write, and a flag for each renderer.
static struct argp_option flags[OWN_FLAGS + FORMATS_MOST + 1] = {
    {"write", KEY_WRITE, "FORMAT=FILE", 0,
     "Also write the report to FILE in FORMAT; may be repeated. --FORMAT FILE is short for it. "
     "FORMAT is one of: ",
     0},
    {"source-root", KEY_SOURCE_ROOT, "FOLDER", 0,
     "Name source files from FOLDER, in formats that need it (sarif); default: the folder of the "
     "git repository",
     0},
    {"redact", KEY_REDACT, "WHAT", 0,
     "Leave out of a page (html): paths, sql, source, all, or what /REGEX/ matches; may be "
     "repeated",
     0},
};

void report_files_init(struct report_files *files)
{
    *files = (struct report_files){0};
    for (size_t i = 0; i < renderer_count && i < FORMATS_MOST; i++)
        flags[OWN_FLAGS + i] = (struct argp_option){.name = renderers[i].name,
                                                    .key = KEY_FORMATS + (int)i,
                                                    .arg = "FILE",
                                                    .doc = renderers[i].help, // completion shows it
                                                    .flags = OPTION_HIDDEN};
}

void report_files_add(struct report_files *files, const char *option, const char *format,
                      const char *path)
{
    const char *fault = report_file_fault(path);
    if (fault)
        exit(cli_fail("%s: cannot write to '%s': %s; name another file", option, path, fault));
    const char *missing = report_format_missing(format);
    if (missing)
        exit(cli_fail("%s: %s", option, missing));
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->item[i].path, path) == 0)
            exit(cli_fail("%s: two reports cannot be written to '%s'; name another file", option,
                          path));
    files->item = reallocarray(files->item, files->count + 1, sizeof *files->item);
    if (!files->item)
        cli_no_memory();
    files->item[files->count++] = (struct report_file){format, path};
}

static void take_write(struct report_files *files, char *value)
{
    char *equals = strchr(value, '=');
    if (!equals)
        exit(cli_fail("--write '%s': expected FORMAT=FILE, such as json=report.json", value));
    *equals = '\0';
    if (!report_has_format(value))
        exit(cli_fail("--write %s=%s: unknown format; known: %s", value, equals + 1,
                      report_formats(false)));
    report_files_add(files, "--write", value, equals + 1);
}

// It need not be here: traces may be of another machine.
static void take_source_root(struct report_files *files, const char *value)
{
    free(files->source_root);
    files->source_root = realpath(value, NULL);
    if (!files->source_root && value[0] != '/')
        exit(cli_fail("--source-root '%s': %s; name another folder", value, strerror(errno)));
    if (!files->source_root)
        files->source_root = strdup(value);
    if (!files->source_root)
        cli_no_memory();
    for (size_t length = strlen(files->source_root);
         length > 1 && files->source_root[length - 1] == '/'; length--)
        files->source_root[length - 1] = '\0';
}

void report_files_ask(const struct report_files *files, struct report_request *request)
{
    request->files = files->item;
    request->file_count = files->count;
    request->render.root = files->source_root;
    request->render.redact = files->redact;
    request->render.redact_count = files->redact_count;
}

static void take_redact(struct report_files *files, const char *value)
{
    const char *fault = report_redact_fault(value);
    if (fault)
        exit(cli_fail("--redact=%s", fault));
    files->redact = reallocarray(files->redact, files->redact_count + 1, sizeof *files->redact);
    if (!files->redact)
        cli_no_memory();
    files->redact[files->redact_count++] = value;
}

void report_files_check_redact(const struct report_files *files, const char *format)
{
    bool page = format && strcmp(format, "html") == 0;
    for (size_t i = 0; i < files->count; i++)
        page = page || strcmp(files->item[i].format, "html") == 0;
    if (files->redact_count > 0 && !page)
        exit(cli_fail("--redact: only a page (--html FILE, --format=html) leaves something out"));
}

static error_t parse_file_option(int key, char *value, struct argp_state *state)
{
    struct report_files *files = state->input;
    if (key == KEY_WRITE) {
        take_write(files, value);
        return 0;
    }
    if (key == KEY_SOURCE_ROOT) {
        take_source_root(files, value);
        return 0;
    }
    if (key == KEY_REDACT) {
        take_redact(files, value);
        return 0;
    }
    const size_t format = (size_t)key - KEY_FORMATS;
    if (key < KEY_FORMATS || format >= renderer_count)
        return ARGP_ERR_UNKNOWN;
    char option[32];
    (void)snprintf(option, sizeof option, "--%s", renderers[format].name);
    report_files_add(files, option, renderers[format].name, value);
    return 0;
}

// argp frees what this makes.
static char *complete_help(int key, const char *text, void *input)
{
    char *made = NULL;
    (void)input;
    if (key != KEY_WRITE)
        return (char *)text;
    if (asprintf(&made, "%s%s", text, report_formats(false)) < 0)
        cli_no_memory();
    return made;
}

const struct argp report_files_argp = {
    .options = flags, .parser = parse_file_option, .help_filter = complete_help};

void report_files_free(struct report_files *files)
{
    free(files->item);
    free(files->source_root);
    free(files->redact);
    *files = (struct report_files){0};
}
