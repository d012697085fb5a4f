// The objects that are watched: see watched.h.
#include "recorder/runtimes/python/watched.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/books/session.h"
#include "recorder/core/intern.h"
#include "recorder/core/recorder.h"

static struct watched *handles, *references;

bool watched_add(PyObject *handle, PyObject *reference, const struct spec *spec)
{
    struct watched *watched = arena_alloc(sizeof *watched);
    if (!watched)
        return false;
    watched->handle = handle;
    watched->reference = reference;
    watched->spec = spec;
    HASH_ADD(by_handle, handles, handle, sizeof handle, watched);
    HASH_ADD(by_reference, references, reference, sizeof reference, watched);
    return true;
}

struct watched *watched_of_handle(PyObject *handle)
{
    struct watched *watched;
    HASH_FIND(by_handle, handles, &handle, sizeof handle, watched);
    return watched;
}

struct watched *watched_of_reference(PyObject *reference)
{
    struct watched *watched;
    HASH_FIND(by_reference, references, &reference, sizeof reference, watched);
    return watched;
}

void watched_remove(struct watched *watched, bool reference)
{
    PyObject *owned = watched->reference;
    HASH_DELETE(by_handle, handles, watched);
    HASH_DELETE(by_reference, references, watched);
    arena_free(watched, sizeof *watched);
    if (reference)
        py.Py_DecRef(owned);
}

void watched_remove_all(bool owned)
{
    struct watched *watched, *next;
    HASH_ITER (by_handle, handles, watched, next)
        watched_remove(watched, owned);
}

static bool thread_runs(uint32_t tid)
{
    return syscall(SYS_tgkill, (long)getpid(), (long)tid, 0L) == 0;
}

void watched_shutdown(void)
{
    struct watched *watched, *next;
    HASH_ITER (by_handle, handles, watched, next) {
        const uint32_t slot = watched->spec->kept
                                  ? session_slot(name_intern(watched->spec->kind),
                                                 (uint64_t)(uintptr_t)watched->handle)
                                  : TRACE_NONE;
        struct trace_session *record = trace_record(&recorder_trace, TRACE_SESSIONS, slot);
        if (record && !thread_runs(record->tid))
            __atomic_and_fetch(&record->flags, ~(uint32_t)TRACE_SESSION_POOLED, __ATOMIC_RELAXED);
    }
}
