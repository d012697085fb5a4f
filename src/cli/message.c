// The messages of all subcommands: see cli.h.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "shared/clean.h"

__attribute__((format(printf, 1, 0))) static void message(const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        return;
    clean_text(text); // paths and arguments are in it
    (void)fprintf(stderr, "unclosed: %s\n", text);
    free(text);
}

void cli_message(const char *format, ...)
{
    int kept = errno;
    va_list arguments;
    va_start(arguments, format);
    message(format, arguments);
    va_end(arguments);
    errno = kept;
}

int cli_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    message(format, arguments);
    va_end(arguments);
    return CLI_FAILURE;
}

const char *cli_shown(const char *name)
{
    char *shown = strdup(name);
    if (!shown)
        cli_no_memory();
    clean_text(shown);
    return shown;
}

void cli_no_memory(void)
{
    exit(cli_fail("out of memory"));
}
