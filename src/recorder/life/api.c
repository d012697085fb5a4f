// The public API's side in the recorder: see api.h and include/unclosed.h.
#include "recorder/life/api.h"

#include <string.h>

#include "recorder/books/sessions.h"
#include "recorder/core/intern.h"
#include "recorder/core/labels.h"
#include "recorder/core/recorder.h"
#include "recorder/stacks/capture.h"

static const char api_kind[] = "unclosed.h";

static uint64_t number(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static uint32_t api_pool(const void *pool)
{
    return pool ? pool_intern(name_intern(api_kind), number(pool), TRACE_NONE) : TRACE_NONE;
}

static void note_acquire(const void *pool, const void *handle, bool failed, bool timed_out)
{
    struct stack stack;
    if (!recorder_enter_trace())
        return;
    stack_capture(&stack);
    const struct acquire acquire = {
        .handle = number(handle),
        .kind = name_intern(api_kind),
        .session = TRACE_CHECKOUT,
        .pool = api_pool(pool),
        .stack = &stack,
    };
    if (failed)
        session_acquire_failed(&acquire, timed_out, recorder_now());
    else if (handle)
        (void)session_acquired(&acquire, recorder_now());
    recorder_leave();
}

static void api_acquire(const void *pool, const void *handle)
{
    note_acquire(pool, handle, false, false);
}

static void api_acquire_failed(const void *pool, int timed_out)
{
    note_acquire(pool, NULL, true, timed_out != 0);
}

static void note_release(const void *handle, enum trace_end end)
{
    struct session session;
    struct stack stack;
    if (!recorder_enter())
        return;
    if (handle && sessions_any() && recorder_open_trace()) {
        uint32_t kind = name_intern(api_kind), site, database;
        uint64_t now = recorder_now();
        if (session_take(kind, number(handle), &session)) {
            session_end(&session, end, session.taken_ns);
        } else if (!recorder_attached) {
            bool twice = session_recently_ended(kind, number(handle), &site, &database);
            stack_capture(&stack);
            session_misuse(twice ? TRACE_MISUSE_DOUBLE : TRACE_MISUSE_UNKNOWN, kind, number(handle),
                           TRACE_NONE, &stack, now);
        }
    }
    recorder_leave();
}

static void api_release(const void *pool, const void *handle)
{
    (void)pool;
    note_release(handle, TRACE_RELEASED);
}

static void api_discard(const void *pool, const void *handle)
{
    (void)pool;
    note_release(handle, TRACE_DISCARDED);
}

static void api_describe(const void *pool, const char *name, long size, long overflow)
{
    if (!pool || !recorder_enter_trace())
        return;
    pool_describe(api_pool(pool), name_intern(name), TRACE_NONE,
                  size >= 0 ? (uint32_t)size : TRACE_UNKNOWN,
                  overflow >= 0 ? (uint32_t)overflow : TRACE_UNKNOWN);
    recorder_leave();
}

static void api_test(const char *name)
{
    if (!recorder_enter())
        return;
    recorder_set_test(name);
    recorder_leave();
}

const struct unclosed_functions api_functions = {
    .size = sizeof api_functions,
    .acquire = api_acquire,
    .acquire_failed = api_acquire_failed,
    .release = api_release,
    .discard = api_discard,
    .pool = api_describe,
    .test = api_test,
};
