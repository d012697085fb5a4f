// The runtimes that have joined: see runtime.h. Asks them, and keeps what they say of themselves.
// Knows none of them by name.
#include "recorder/runtimes/joined.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "recorder/core/lock_order.h"
#include "recorder/core/log.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/runtime.h"
#include "shared/trace_words.h"

enum { MOST_RUNTIMES = 16 };

struct lock runtimes_lock = LOCK_OF(LOCK_RUNTIMES);
static struct trace_runtime said[TRACE_RUNTIMES]; // guarded by it
// Those that ever joined, only added to, and a bit for each that has not left.
static const struct runtime *ever[MOST_RUNTIMES];
static atomic_uint joined;

static inline const struct runtime *next_joined(unsigned *bits)
{
    if (*bits == 0)
        return NULL;
    unsigned index = (unsigned)__builtin_ctz(*bits);
    *bits &= *bits - 1;
    return ever[index];
}

static void all_frames(struct stack *stack, const struct stack_origin *origin)
{
    unsigned bits = atomic_load_explicit(&joined, memory_order_acquire);
    for (const struct runtime *runtime; (runtime = next_joined(&bits));)
        if (runtime->frames)
            runtime->frames(stack, origin);
}

// 0: there is no room for it.
static unsigned bit_of(const struct runtime *runtime)
{
    lock_take(&runtimes_lock);
    unsigned index = 0;
    while (index < MOST_RUNTIMES && ever[index] && ever[index] != runtime)
        index++;
    if (index < MOST_RUNTIMES)
        ever[index] = runtime;
    lock_give(&runtimes_lock);
    return index < MOST_RUNTIMES ? 1u << index : 0;
}

void runtime_join(const struct runtime *runtime)
{
    atomic_fetch_or(&joined, bit_of(runtime));
    recorder_language_frames = all_frames;
}

void runtime_part(const struct runtime *runtime)
{
    unsigned bit = bit_of(runtime);
    if ((atomic_fetch_and(&joined, ~bit) & ~bit) == 0)
        recorder_language_frames = NULL;
}

void joined_describe(struct trace_header *header)
{
    lock_take(&runtimes_lock);
    memcpy(header->runtimes, said, sizeof said);
    lock_give(&runtimes_lock);
}

static void log_runtime(enum trace_language language, enum trace_runtime_state state,
                        unsigned major, unsigned minor)
{
    struct log log;
    const char *name = trace_words_language(language);
    const char *reason = trace_words_runtime(state);
    if (!log_begin(&log, name ? name : "a language"))
        return;
    log_text(&log, " ");
    log_number(&log, major);
    log_text(&log, ".");
    log_number(&log, minor);
    log_text(&log, " ");
    log_text(&log, reason ? reason : "is recognized");
    log_end(&log);
}

void runtime_say(enum trace_language language, enum trace_runtime_state state, unsigned major,
                 unsigned minor)
{
    lock_take(&runtimes_lock);
    unsigned i = 0;
    while (i < TRACE_RUNTIMES - 1 && said[i].language != 0 && said[i].language != language)
        i++;
    said[i] = (struct trace_runtime){(uint16_t)language, (uint16_t)state, (uint16_t)major,
                                     (uint16_t)minor};
    if (recorder_trace.header && !recorder_is_forked())
        recorder_trace.header->runtimes[i] = said[i];
    lock_give(&runtimes_lock);
    log_runtime(language, state, major, minor);
}

static enum trace_end end_by(enum runtime_closer closer)
{
    switch (closer) {
    case RUNTIME_CODE_AT_EXIT:
        return TRACE_RELEASED_EXIT;
    case RUNTIME_SCOPE:
        return TRACE_RELEASED_SCOPE;
    case RUNTIME_COLLECTOR:
        return TRACE_COLLECTED;
    case RUNTIME_REFERENCE:
        return TRACE_RECLAIMED;
    case RUNTIME_REQUEST:
        return TRACE_REQUEST;
    case RUNTIME_END:
        return TRACE_SHUTDOWN;
    case RUNTIME_UNKNOWN:
        return TRACE_CLOSER_UNKNOWN;
    default:
        return TRACE_RELEASED;
    }
}

static enum trace_end pool_end_by(const struct runtime *runtime, enum runtime_closer closer)
{
    bool end = closer == RUNTIME_END || closer == RUNTIME_REQUEST;
    return end && runtime->keeps ? TRACE_KEPT_BY_POOL : TRACE_RELEASED;
}

enum trace_end runtimes_end(const struct runtime_call *call, bool pooled)
{
    unsigned bits = atomic_load_explicit(&joined, memory_order_acquire);
    for (const struct runtime *runtime; (runtime = next_joined(&bits));) {
        enum runtime_closer closer = runtime->closer ? runtime->closer(call) : RUNTIME_NOT_MINE;
        if (closer != RUNTIME_NOT_MINE)
            return pooled ? pool_end_by(runtime, closer) : end_by(closer);
    }
    return TRACE_RELEASED;
}

uint32_t runtimes_owner(const struct runtime_call *call)
{
    unsigned bits = atomic_load_explicit(&joined, memory_order_acquire);
    uint32_t owner = TRACE_NONE;
    for (const struct runtime *runtime; owner == TRACE_NONE && (runtime = next_joined(&bits));)
        owner = runtime->owner ? runtime->owner(call) : TRACE_NONE;
    return owner;
}
