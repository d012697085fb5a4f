// The parts of `unclosed run`, in the order in which they do their work.
#ifndef UNCLOSED_CLI_RUN_RUN_H
#define UNCLOSED_CLI_RUN_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/judging.h"
#include "cli/report_files.h"
#include "cli/table.h"
#include "cli/watch.h"
#include "shared/options.h"
#include "trace/trace_format.h"

struct run {
    // What the user said.
    char **command; // NULL-terminated
    struct judging judging;
    bool no_patch;         // --no-patch
    const char **patch_in; // --patch-in: files
    size_t patch_in_count;
    struct table table;        // the recorder's options, from flags or the environment
    struct report_files files; // --write: what to write the report to besides
    // What follows from it.
    char *library;           // libunclosed.so
    struct patches *patches; // patches.h; NULL: not wanted
    int fallback_folder;     // open, if there is one:
    bool fallback_stays;     // a trace in it could not be brought home
    char *fallback; // folder for traces of processes that may not write to the output's; or NULL
    char *journal;  // path of the run's journal; NULL: there is none
    uint64_t run_id;
    bool traced;        // false: the command is run as it is, nothing can be recorded
    const char *reason; // why nothing may be recorded although traced; or NULL
    // What came of it.
    pid_t pid;
    int status;      // as from waitpid
    uint64_t end_ns; // when that was known, CLOCK_MONOTONIC
};

// pools.c: the text of specs that the values of --pool and UNCLOSED_POOLS stand for, to be
// freed. NULL: one is malformed or cannot be read (a message was printed).
char *run_pools_text(const char *const *values, size_t count);

// check.c: looks at the file that `command` (a name as for execvp) would execute and says what
// keeps a preloaded library out of it. Result: NULL, or the reason in a few words; a message with
// the remedy was printed then. A command that does not exist is reported when it is started.
// *preload: false if the command must not even be asked to preload (it would print an error).
const char *run_check_command(const char *command, bool *preload);

// The same for a program that the command may have executed, printing nothing.
const char *run_check_program(const char *path);

// The file that executing `command` starts in the end: the interpreter if it is a script.
// Result: false if there is none. path: PATH_MAX bytes.
bool run_find_program(const char *command, char *path);

// library.c: `path` of the recorder, or if root runs us and not all users can read it, of a
// copy that they can read. Takes `path` over; the result is to be freed.
char *run_library_for_all(char *path);

// output.c: makes options.output absolute, and makes sure that the traces can be written there.
// Result: false if the value is no good (a message was printed: give up).
// run->traced becomes false if the folder cannot be written to.
bool run_prepare_output(struct run *run);

// output.c: whether messages can be written to the file `path` ("": no file); if not, a message
// was printed.
bool run_check_log(const char *path);

// fallback.c: makes run->fallback, and removes those of tools that were killed, which no process
// uses any more. Not to be interrupted by a signal before run_remove_fallback.
void run_make_fallback(struct run *run);
// Copies the traces of ended processes from there to where the run's traces belong.
void run_bring_home(struct run *run);
// Calls `visit` for each trace of this run that is there.
void run_each_in_fallback(const struct run *run,
                          void (*visit)(void *data, const char *path,
                                        const struct trace_header *header),
                          void *data);
// Removes it with all that is in it, unless a process of the run still writes to a trace there.
// Also done at exit.
void run_remove_fallback(struct run *run);

// start.c: starts the command with the recorder in it, and waits until it has ended. Signals
// sent to this process meanwhile go to the command.
// Result: 0 with run->status, or the exit status if it could not be started (message printed).
int run_command(struct run *run);

// grace.c: for five seconds from now on, signals that would end us are passed over, unless they
// were ignored before.
void run_begin_grace(void);

// Exits with the command's exit status, or dies of its signal without a core dump of its own.
void run_end_alike(int status) __attribute__((noreturn));

// traces.c: opens a file of `folder` (as for openat) if it is a trace of this run: a regular
// file with one name, which a process with the id that its header has may have made from --output,
// that knows the run's id, and belongs to the user that it says or to us. flags: O_RDONLY or
// O_RDWR. Result: a descriptor and *header, or -errno.
int run_trace_open(const struct run *run, int folder, const char *name, int flags,
                   struct trace_header *header);

// traces.c: whether the process that wrote a trace is there, and still the same one.
bool run_trace_is_running(const struct trace_header *header);

// traces.c: watches all traces of this run that there are by now.
void run_traces_watch(const struct run *run, struct watch *watch);

// The paths of all traces of this run, sorted; what the command's own trace does not
// know about its end is filled in, traces are brought home from the fallback folder. To be freed
// with run_traces_free.
char **run_traces_find(struct run *run, size_t *count);
void run_traces_free(char **paths, size_t count);

#endif
