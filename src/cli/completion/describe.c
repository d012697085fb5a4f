// From argp's tables to what shells complete: see completion.h.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/completion/completion.h"
#include "report/report.h"

enum { OPTIONS_MOST = 128 };

struct description {
    struct completion_option option[OPTIONS_MOST];
    size_t count;
};

// "a|b" as "a b"; a format is one of those that there are. Lives to the end of the process.
static const char *words_of(const char *label)
{
    const bool format = label && strcmp(label, "FORMAT") == 0;
    char *words = strdup(format ? report_formats(false) : label ? label : "");
    if (!words)
        cli_no_memory();
    for (char *at = words; *at; at++)
        if (*at == '|' || *at == ',')
            *at = ' ';
    return words;
}

static enum completion_value value_of(const char *label)
{
    if (!label)
        return COMPLETION_NONE;
    if (strcmp(label, "FORMAT") == 0 || (strchr(label, '|') && islower((unsigned char)label[0])))
        return COMPLETION_WORDS;
    const bool file = strstr(label, "FILE") || strstr(label, "SPEC") || strstr(label, "TRACE") ||
                      strstr(label, "OLD");
    if (strstr(label, "COMMAND"))
        return COMPLETION_COMMAND;
    if (strstr(label, "PID"))
        return file ? COMPLETION_FILE_OR_PID : COMPLETION_PID;
    return file ? COMPLETION_FILE : COMPLETION_ANY;
}

static void take_value(struct completion_option *option, const char *label)
{
    option->value = value_of(label);
    option->label = label ? label : "";
    option->words = option->value == COMPLETION_WORDS ? words_of(label) : "";
}

// What --help says of an option, up to where the list of all formats begins.
static const char *help_of(const char *doc)
{
    char *help = strdup(doc ? doc : "");
    if (!help)
        cli_no_memory();
    size_t length = strlen(help);
    while (length > 0 && strchr(": ", help[length - 1]))
        help[--length] = 0;
    for (char *at = help; *at; at++)
        if (iscntrl((unsigned char)*at))
            *at = ' ';
    return help;
}

static void take_options(struct description *description, const struct argp *argp)
{
    const struct argp_option *original = argp->options; // of an alias
    for (const struct argp_option *at = argp->options;
         at && (at->name || at->key || at->doc || at->group); at++) {
        if (!(at->flags & OPTION_ALIAS))
            original = at;
        const bool letter = at->key > ' ' && at->key < 0x7f && isalnum(at->key);
        if ((!at->name && !letter) || at->flags & OPTION_DOC ||
            description->count == OPTIONS_MOST - 1)
            continue;
        struct completion_option *option = &description->option[description->count++];
        *option =
            (struct completion_option){.flag = at->name, .letter = letter ? (char)at->key : 0};
        option->help = help_of(original->doc);
        take_value(option, original->arg);
    }
    for (const struct argp_child *child = argp->children; child && child->argp; child++)
        take_options(description, child->argp);
}

void completion_describe(const struct completion_shell *shell, const char *name,
                         const char *summary, const struct argp *argp, FILE *out)
{
    static struct description description;
    description.count = 0;
    take_options(&description, argp);
    description.option[description.count++] = (struct completion_option){
        .flag = "help", .label = "", .words = "", .help = "List the options"};
    struct completion_command command = {.name = name,
                                         .summary = summary,
                                         .options = description.option,
                                         .count = description.count};
    take_value(&command.argument, argp->args_doc);
    shell->command(out, &command);
}

void completion_escape(FILE *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (strchr(special, *text))
            fputc('\\', out);
        fputc(*text, out);
    }
}
