// Finding the recorder. Knows where the build and the installation put it relative to the CLI.
#include "cli/cli.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libunclosed.so"

// The folder of the running executable; "" if /proc does not tell.
static void executable_folder(char *folder, size_t bytes)
{
    ssize_t length = readlink("/proc/self/exe", folder, bytes - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
}

// CLI_BINDIR and CLI_LIBDIR are relative to the installation's prefix, unless they are absolute.
static char *installed_path(const char *folder)
{
    char *path = NULL;
    size_t bytes = 0;
    FILE *text = open_memstream(&path, &bytes);
    if (!text)
        cli_no_memory();
    if (CLI_LIBDIR[0] != '/') {
        (void)fprintf(text, "%s/..", folder);
        for (const char *at = CLI_BINDIR; (at = strchr(at, '/')); at++)
            (void)fputs("/..", text);
        (void)fputc('/', text);
    }
    (void)fputs(CLI_LIBDIR "/" LIBRARY, text);
    if (fclose(text) != 0)
        cli_no_memory();
    return path;
}

char *cli_library_path(void)
{
    char folder[PATH_MAX];
    char built[PATH_MAX + sizeof "/../recorder/" LIBRARY];
    executable_folder(folder, sizeof folder);
    (void)snprintf(built, sizeof built, "%s/../recorder/" LIBRARY, folder);
    char *installed = installed_path(folder);
    char *path = realpath(built, NULL);
    if (!path)
        path = realpath(installed, NULL);
    if (!path)
        cli_message("cannot find the recorder: neither %s nor %s exists; reinstall unclosed, or "
                    "complete the build",
                    built, installed);
    free(installed);
    return path;
}
