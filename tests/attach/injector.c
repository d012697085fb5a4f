// Command line of the tests: drives src/attach with any library and prints what happened.
//
//   injector attach PID LIBRARY PATTERN [OPTION...] | detach PID | dump PID
//   injector loop PID LIBRARY FOLDER COUNT     attach and detach COUNT times
//
// Exit status 0, or 1 with the failure on standard error.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/attach.h"

static void print_report(const char *what, const struct attach_report *report)
{
    printf("%s: trace %s%s%s, pause %.3f ms, whole %.3f ms\n", what, report->trace,
           report->passed ? " (passed)" : "", report->reused ? " (reused)" : "",
           (double)report->pause_ns / 1e6, (double)report->whole_ns / 1e6);
}

static int fail(const struct failure *failure)
{
    fprintf(stderr, "injector: %s\n", failure->text);
    return 1;
}

static int start(pid_t pid, char **argv, struct attach_report *report, struct failure *failure)
{
    static char options[4096];
    size_t bytes = 0;
    for (char **option = argv + 2; *option != NULL; option++) {
        memcpy(options + bytes, *option, strlen(*option) + 1);
        bytes += strlen(*option) + 1;
    }
    const struct attach_request request = {.library = argv[0],
                                           .options = options,
                                           .options_bytes = bytes + 1,
                                           .pattern = argv[1],
                                           .trace = argv[1]};
    options[bytes] = '\0';
    return attach_start(pid, &request, report, failure);
}

// Result: exit status. Prints how many times it went well, and the pauses.
static int loop(pid_t pid, char *library, const char *folder, int count)
{
    struct attach_report report;
    struct failure failure;
    double sum = 0;
    double most = 0;
    int done = 0;
    for (; done < count; done++) {
        char pattern[4096];
        snprintf(pattern, sizeof pattern, "%s/loop.%d.%d", folder, pid, done);
        char *arguments[] = {library, pattern, NULL};
        if (start(pid, arguments, &report, &failure) != 0)
            break;
        const double pause = (double)report.pause_ns / 1e6;
        sum += pause;
        most = pause > most ? pause : most;
        usleep((useconds_t)(rand() % 3000));
        if (attach_stop(pid, &report, &failure) != 0)
            break;
        unlink(pattern);
    }
    printf("%d loops, pause average %.3f ms, most %.3f ms\n", done, done > 0 ? sum / done : 0,
           most);
    return done == count ? 0 : fail(&failure);
}

int main(int argc, char **argv)
{
    struct attach_report report;
    struct failure failure = {0};
    if (argc < 3)
        return 2;
    const pid_t pid = (pid_t)strtol(argv[2], NULL, 10);
    int error = 2;
    if (strcmp(argv[1], "loop") == 0 && argc == 6)
        return loop(pid, argv[3], argv[4], (int)strtol(argv[5], NULL, 10));
    if (strcmp(argv[1], "attach") == 0 && argc >= 5)
        error = start(pid, argv + 3, &report, &failure);
    else if (strcmp(argv[1], "detach") == 0)
        error = attach_stop(pid, &report, &failure);
    else if (strcmp(argv[1], "dump") == 0)
        error = attach_dump(pid, &report, &failure);
    if (error != 0)
        return fail(&failure);
    print_report(argv[1], &report);
    return 0;
}
