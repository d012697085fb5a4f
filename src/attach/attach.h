// Attaching the recorder to a live process, detaching it, asking it for its summary.
//
// What the commands are made of. Knows how a recorder is called (recorder/attach contract in
// docs/attach.md), not what it does. Not thread-safe.
#ifndef UNCLOSED_ATTACH_ATTACH_H
#define UNCLOSED_ATTACH_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/failure.h"
#include "attach/patching.h"

struct attach_request {
    const char *library;  // file of the recorder's library
    const char *options;  // NAME=value texts, each with its NUL, one more NUL at the end; without
                          // UNCLOSED_OUTPUT
    size_t options_bytes; // all of it
    const char *pattern;  // absolute pattern for traces (recorder/output_name.h): the process's own
                          // and its children's
    bool force;           // overwrite a trace that exists
    bool patch;           // the options have a plan for patching functions: carry it out
    const char *trace;    // what the pattern stands for: the file for this process's trace
};

struct attach_report {
    char trace[4096];                // path of the trace
    bool passed;                     // the trace was created here and handed over as a descriptor
    bool reused;                     // the library was there already
    uint64_t pause_ns;               // how long one of its threads was paused
    struct patching_result patching; // what came of patching, or of restoring
    uint64_t whole_ns;               // from the call to the end
};

// Loads the recorder into process `pid` and has it record. Result: 0, or -errno with *failure
// filled in and the program as before.
int attach_start(pid_t pid, const struct attach_request *request, struct attach_report *report,
                 struct failure *failure);

// Has the recorder of process `pid` put everything back and complete its trace. Result as above.
int attach_stop(pid_t pid, struct attach_report *report, struct failure *failure);

// Has the recorder of process `pid` write its summary to its log. Result as above.
int attach_dump(pid_t pid, struct attach_report *report, struct failure *failure);

#endif
