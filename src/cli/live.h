// What the subcommands for a live process share.
#ifndef UNCLOSED_CLI_LIVE_H
#define UNCLOSED_CLI_LIVE_H

#include <sys/types.h>

// The process that an argument names. Exits with a message if it is no number of a process.
pid_t live_pid(const char *text);

// Parses the command line of a subcommand whose only argument is a PID. doc: as in struct argp.
pid_t live_parse_pid(int argc, char **argv, const char *doc);

// Says after a detach how it went, also if functions could not be restored.
struct attach_report;
void live_say_detached(pid_t pid, const struct attach_report *report);

#endif
