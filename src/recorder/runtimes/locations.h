// Frames of a language as locations of the trace: what all runtimes but CPython need to name a
// frame. Knows no runtime.
#ifndef UNCLOSED_RECORDER_RUNTIMES_LOCATIONS_H
#define UNCLOSED_RECORDER_RUNTIMES_LOCATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "trace/trace_format.h"

// A text of the runtime's, which need not end with a NUL. NULL: there is none.
struct runtime_text {
    const char *text;
    size_t bytes;
};

struct runtime_place {
    const void *code; // whatever the runtime has one of for each function; never followed
    uint32_t line;    // from 1; 0: not known
    enum trace_language language;
    struct runtime_text file;
    struct runtime_text scope;    // class, package; put in front of `function`
    struct runtime_text function; // NULL: `otherwise`
    const char *separator;        // between the two
    const char *otherwise;        // what code outside of functions is called
    uint64_t stamp;               // of all texts; 0: none
};

// Known texts, told by a number: whoever can make one of what the runtime keeps of the texts (their
// hashes, not their addresses alone: these are used again) need not have them compared.
static inline uint64_t runtime_stamp(uint64_t stamp, uint64_t word)
{
    return (stamp ^ word) * UINT64_C(0x9e3779b97f4a7c15) + (stamp >> 29);
}

// The location that runtime_location gave for the same code, line and stamp; TRACE_NONE: not known.
uint32_t runtime_location_known(const void *code, uint32_t line, uint64_t stamp);

// The location of a frame: a TRACE_LOCATIONS reference; TRACE_NONE: lost. A place seen before costs
// comparing its texts. Inside recorder_enter, with a trace open. Thread-safe.
uint32_t runtime_location(const struct runtime_place *place);

#endif
