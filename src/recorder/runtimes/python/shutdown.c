// Noticing that the interpreter shuts down: see shutdown.h. Knows sessions that are out.
#include "recorder/runtimes/python/shutdown.h"

#include <stdatomic.h>

#include "recorder/books/session.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/api.h"
#include "recorder/runtimes/python/watched.h"

static bool shutdown; // guarded by the GIL
static atomic_bool keeps_nothing;

static void mark_shutdown(struct trace_session *record, uint32_t slot, void *data)
{
    (void)slot;
    (void)data;
    __atomic_or_fetch(&record->flags, TRACE_SESSION_SHUTDOWN, __ATOMIC_RELAXED);
}

bool python_is_shutdown(void)
{
    if (shutdown || !python_finalizing())
        return shutdown;
    shutdown = true;
    if (recorder_enter()) {
        if (recorder_trace.header) {
            recorder_trace.header->shutdown_ns = recorder_now();
            session_each(mark_shutdown, NULL);
            watched_shutdown();
        }
        recorder_leave();
    }
    return true;
}

bool python_keeps_nothing(void)
{
    return atomic_load_explicit(&keeps_nothing, memory_order_relaxed);
}

void python_keep_nothing(void)
{
    atomic_store(&keeps_nothing, true);
}

void python_shutdown_forget(void)
{
    atomic_store(&keeps_nothing, false);
    shutdown = false;
}
