// The user's call specs: from the values of --pool to one text, checked before anything starts.
#include "cli/cli.h"
#include "cli/run/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/specs.h"

// "apr_dbd, apr_reslist, ...": the names in the shipped text, to be freed.
static char *shipped_names(void)
{
    char *names = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&names, &bytes);
    if (!out)
        cli_no_memory();
    for (const char *at = spec_shipped; (at = strstr(at, "#: ")); at += 3)
        (void)fprintf(out, "%s%.*s", at == spec_shipped ? "" : ", ", (int)strcspn(at + 3, "\n"),
                      at + 3);
    if (fclose(out) != 0)
        cli_no_memory();
    return names;
}

static void say_unreadable(const char *value, const struct specs_error *error)
{
    if (error->error != ENOENT || strchr(value, '/')) {
        cli_message("cannot read the call specs in %s: %s", error->source,
                    error->error == EFBIG    ? "too large"
                    : error->error == EINVAL ? "not a text file"
                                             : strerror(error->error));
        return;
    }
    char *names = shipped_names();
    cli_message("unknown call spec '%s'; give one of %s, a path such as ./my.spec, or the text "
                "itself, such as 'acquire get(pool) -> handle; release put(pool, handle)'",
                value, names);
    free(names);
}

// Names the place and shows it: the line, and a caret below the column.
static void say_malformed(const char *source, const char *text, const struct spec_error *error)
{
    for (int line = 1; line < error->line; line++)
        text += strcspn(text, "\n") + 1;
    int length = (int)strcspn(text, "\n");
    cli_message("%s:%d:%d: %s", source, error->line, error->column, error->message);
    (void)fprintf(stderr, "    %.*s\n    ", length, text);
    for (int i = 0; i + 1 < error->column; i++)
        (void)fputc(text[i] == '\t' ? '\t' : ' ', stderr);
    (void)fputs("^\n", stderr);
}

// Appends the text that `value` stands for, if it is well-formed.
static bool append_value(FILE *out, const char *value, char *text, size_t bytes)
{
    struct specs_error error;
    struct spec_error malformed;
    if (specs_resolve(value, text, bytes, &error) < 0) {
        say_unreadable(value, &error);
        return false;
    }
    if (spec_parse(text, NULL, NULL, 0, &malformed) < 0) {
        say_malformed(strcmp(text, value) == 0 ? "--pool" : error.source, text, &malformed);
        return false;
    }
    // A kind line holds until the end of its own text only.
    return fprintf(out, "kind pool\n%s\n", text) > 0;
}

// Like append_value for a value of UNCLOSED_POOLS, which may be a list of names and paths.
static bool append_list(FILE *out, const char *value, char *text, size_t bytes)
{
    if (specs_is_text(value))
        return append_value(out, value, text, bytes);
    char *list = strdup(value);
    if (!list)
        cli_no_memory();
    bool good = true;
    char *rest = list;
    for (char *item = strsep(&rest, ","); good && item; item = strsep(&rest, ","))
        good = *item == '\0' || append_value(out, item, text, bytes);
    free(list);
    return good;
}

char *run_pools_text(const char *const *values, size_t count)
{
    char *joined = NULL;
    size_t joined_bytes = 0;
    FILE *out = open_memstream(&joined, &joined_bytes);
    char *text = malloc(SPECS_TEXT_BYTES);
    if (!out || !text)
        cli_no_memory();
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = append_list(out, values[i], text, SPECS_TEXT_BYTES);
    free(text);
    if (fclose(out) != 0)
        cli_no_memory();
    if (good)
        return joined;
    free(joined);
    return NULL;
}
