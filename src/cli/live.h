// What the subcommands for a live process share.
#ifndef UNCLOSED_CLI_LIVE_H
#define UNCLOSED_CLI_LIVE_H

#include <sys/types.h>

// The process that an argument names. Exits with a message if it is no number of a process.
pid_t live_pid(const char *text);

// A subcommand that asks the recorder in a live process for one thing: parses the command line,
// whose only argument is a PID, asks, and prints what came of it. doc: as in struct argp; say:
// prints the success. Result: the exit status.
struct attach_report;
struct failure;
int live_request(int argc, char **argv, const char *doc,
                 int (*ask)(pid_t pid, struct attach_report *report, struct failure *failure),
                 void (*say)(pid_t pid, const struct attach_report *report));

// Says after a detach how it went, also if functions could not be restored.
void live_say_detached(pid_t pid, const struct attach_report *report);

#endif
