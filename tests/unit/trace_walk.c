// Touches everything in a trace: see trace_walk.h.
#include "trace_walk.h"

#include <stdlib.h>
#include <string.h>

static uint64_t sum; // so that nothing is optimized away

static void touch(const void *data, size_t bytes)
{
    const unsigned char *at = data;
    for (size_t i = 0; data && i < bytes; i++)
        sum += at[i];
}

static void touch_string(const struct trace_reader *reader, uint32_t ref)
{
    const char *text = reader_string(reader, ref);
    touch(text, strlen(text));
}

static void touch_stack(const struct trace_reader *reader, uint32_t ref)
{
    const struct trace_stack *stack = reader_stack(reader, ref);
    if (!stack)
        return;
    for (uint32_t i = 0; i < stack->frame_count; i++) {
        if (stack->frames[i] & TRACE_FRAME_LOCATION)
            touch(reader_location(reader, (uint32_t)stack->frames[i]),
                  sizeof(struct trace_location));
        else if (i == 0)
            touch(reader_module_at(reader, stack->frames[i], stack->seen_ns),
                  sizeof(struct trace_module));
    }
}

// A reference in a checked record leads somewhere or is TRACE_NONE.
static void must(bool holds)
{
    if (!holds)
        abort();
}

static void walk_sites(const struct trace_reader *reader)
{
    for (uint32_t ref = 0; (ref = reader_next(reader, TRACE_SITES, ref)) != TRACE_NONE;) {
        const struct trace_site *site = reader_site(reader, ref);
        touch(site, sizeof *site);
        must(site->kind < TRACE_KINDS);
        must(site->growth.reached < TRACE_GROWTH_BUCKETS);
        must(site->growth.width == 0 || __builtin_popcount(site->growth.width) == 1);
        must(site->stack == TRACE_NONE || reader_stack(reader, site->stack));
        must(site->pool == TRACE_NONE || reader_pool(reader, site->pool));
        touch_stack(reader, site->stack);
        touch_stack(reader, site->created);
        touch_string(reader, site->database);
    }
}

static void walk_sessions(const struct trace_reader *reader)
{
    for (uint32_t ref = 0; (ref = reader_next(reader, TRACE_SESSIONS, ref)) != TRACE_NONE;) {
        const struct trace_session *session = reader_session(reader, ref);
        touch(session, sizeof *session);
        must(session->site == TRACE_NONE || reader_site(reader, session->site));
        touch_string(reader, session->thread);
        touch_string(reader, session->detail);
    }
}

static void walk_exhaustions(const struct trace_reader *reader)
{
    for (uint32_t ref = 0; (ref = reader_next(reader, TRACE_EXHAUSTIONS, ref)) != TRACE_NONE;) {
        const struct trace_exhaustion *exhaustion = reader_exhaustion(reader, ref);
        must(exhaustion != NULL);
        touch_stack(reader, exhaustion->stack);
        for (uint32_t i = 0; i < exhaustion->holder_count; i++) {
            const struct trace_holder *holder = &exhaustion->holders[i];
            must(holder->site == TRACE_NONE || reader_site(reader, holder->site));
            touch_string(reader, holder->thread);
        }
    }
}

void walk_trace(const struct trace_reader *reader)
{
    walk_sites(reader);
    walk_sessions(reader);
    walk_exhaustions(reader);
    static const uint8_t plain[] = {TRACE_MODULES, TRACE_LOCATIONS, TRACE_FUNCTIONS, TRACE_POOLS,
                                    TRACE_MISUSES};
    for (size_t i = 0; i < sizeof plain; i++)
        for (uint32_t ref = 0; (ref = reader_next(reader, plain[i], ref)) != TRACE_NONE;)
            touch(reader_record(reader, plain[i], ref), 16);
    for (size_t i = 0; i < reader->problem_count; i++)
        touch(reader->problems[i], strlen(reader->problems[i]));
}
