// Stacks of a trace as people read them: functions, lines, and whose code each frame is.
//
// Knows traces and symbols; not what a site or a report is. Not thread-safe.
#ifndef UNCLOSED_REPORT_CODE_FRAMES_H
#define UNCLOSED_REPORT_CODE_FRAMES_H

#include <stdbool.h>

#include "report/code/memory.h"
#include "report/code/now.h"
#include "report/code/symbols.h"
#include "trace/trace_reader.h"

// Whose code a frame is. The order is from the least to the most telling.
enum frame_owner {
    FRAME_LIBRARY = 0, // of the system, the traced library, a pool, an installed package
    FRAME_INTERPRETER, // native code of a language runtime
    FRAME_USER,
};

struct frame {
    const char *function;  // NULL: not known
    const char *signature; // the function with its parameters, where these are known; else NULL
    const char *file;      // NULL: not known
    const char *module;    // path; NULL: a language runtime's frame, or no module known there
    uint64_t offset;       // ELF virtual address in the module
    unsigned line;         // 0: not known
    enum frame_owner owner;
    const char *language; // "python", "c", "c++", "native", ...
    bool inlined;
    bool runtime; // a language runtime's frame, not a native one
};

struct frames {
    size_t count;
    struct frame *frame; // innermost first; the recorder's own are left out
    bool cut;            // there were more than the recorder keeps
    bool has_locations;  // some are of a language runtime
};

struct frames_reader; // opaque: resolves the stacks of one trace

// Both have to outlive the result. stand_in_root: where the files of that process may be found
// besides their own path ("/proc/PID/root"), or NULL.
struct frames_reader *frames_reader_new(struct arena *arena, struct symbols *symbols,
                                        const struct trace_reader *trace,
                                        const char *stand_in_root);
void frames_reader_free(struct frames_reader *reader);
// Goes on with the next reading of the same trace, which need not outlive what is resolved already.
void frames_reader_follow(struct frames_reader *reader, const struct trace_reader *trace);

// The frames of a stack; for TRACE_NONE there are none. Resolved once, lives as long as the arena.
// (Again after frames_reader_follow, if a module was missing: the frames of before stay as they
// were, the struct takes the new ones.)
const struct frames *frames_resolve(struct frames_reader *reader, uint32_t stack);

// The frames of a thread of the same process now. Lives as long as the arena.
const struct frames *frames_now(struct frames_reader *reader, const struct now_process *process,
                                const struct now_thread *thread);

// The frame that stands for the stack: the first of the user's own code at or after index `from`.
// Frames of a language runtime are looked at before native ones. If nothing is the user's, the
// direct caller of the traced function: the first frame outside the traced library (`from` 0 only).
// Result: an index, or frames->count if there is none.
size_t frames_user(const struct frames *frames, size_t from);

#endif
