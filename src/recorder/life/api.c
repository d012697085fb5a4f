// The public API's side in the recorder: see api.h and include/unclosed.h.
#include "recorder/life/api.h"

#include <errno.h>
#include <string.h>

#include "recorder/books/sessions.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/patch.h"
#include "recorder/hooks/sqlite.h"
#include "recorder/life/dump.h"
#include "recorder/life/process.h"
#include "unclosed.h"

#define EXPORTED __attribute__((visibility("default")))

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
    if (!recorder_enter())
        return;
    if (recorder_open_trace()) {
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
    }
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
    if (handle && sessions_any()) {
        uint32_t kind = name_intern(api_kind), site, database;
        uint64_t now = recorder_now();
        if (session_take(kind, number(handle), &session)) {
            session_end(&session, end, session.taken_ns);
        } else if (!process_is_attached()) {
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
    if (!recorder_enter())
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

static const struct unclosed_functions functions = {
    .size = sizeof functions,
    .acquire = api_acquire,
    .acquire_failed = api_acquire_failed,
    .release = api_release,
    .discard = api_discard,
    .pool = api_describe,
    .test = api_test,
};

// The pointer that a note of unclosed.h tells of, or NULL.
static const struct unclosed_functions **find_pointer(const char *note, size_t bytes)
{
    const ElfW(Nhdr) *head = (const ElfW(Nhdr) *)note;
    while (bytes >= sizeof *head) {
        const char *name = (const char *)(head + 1);
        size_t name_bytes = (head->n_namesz + 3U) / 4 * 4,
               text_bytes = (head->n_descsz + 3U) / 4 * 4;
        size_t whole = sizeof *head + name_bytes + text_bytes;
        if (whole > bytes)
            return NULL;
        if (head->n_namesz == sizeof "unclosed" && head->n_descsz == sizeof(int64_t) &&
            memcmp(name, "unclosed", sizeof "unclosed") == 0) {
            int64_t distance;
            memcpy(&distance, name + name_bytes, sizeof distance);
            return (const struct unclosed_functions **)(uintptr_t)(name + name_bytes + distance);
        }
        head = (const ElfW(Nhdr) *)((const char *)head + whole);
        bytes -= whole;
    }
    return NULL;
}

static bool is_used;

bool api_is_used(void)
{
    return is_used;
}

void api_connect(const struct dl_phdr_info *info, bool connect)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_NOTE)
            continue;
        uint64_t address = info->dlpi_addr + segment->p_vaddr;
        const struct unclosed_functions **pointer =
            find_pointer((const char *)address, segment->p_memsz); // NOLINT
        if (!pointer || pointer == &unclosed_functions_here)       // that is this file's own
            continue;
        is_used = true;
        __atomic_store_n(pointer, connect ? &functions : NULL, __ATOMIC_RELEASE);
    }
}

static int connect_one(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    api_connect(info, *(const bool *)data);
    return 0;
}

void api_connect_all(bool connect)
{
    (void)dl_iterate_phdr(connect_one, &connect);
}

// What `unclosed attach`, `detach` and `dump` call on a thread of their own in the process. 0 or
// -errno. options: "UNCLOSED_OUTPUT=...\0...\0\0", read during the call only.
EXPORTED int unclosed_attach(const char *options);
EXPORTED int unclosed_detach(void);
EXPORTED int unclosed_dump(void);

// The prepared patches (patch_table.h) are written, as far as that was possible.
EXPORTED int unclosed_patched(void);

// The path of the trace, "" if there is none; of the last one after a detach.
EXPORTED const char *unclosed_trace_path(void);

int unclosed_attach(const char *options)
{
    return process_attach(options);
}

int unclosed_detach(void)
{
    return process_detach();
}

int unclosed_dump(void)
{
    int error = -ENOENT;
    if (!recorder_enter())
        return -EAGAIN;
    if (recorder_trace.header) {
        sqlite_ask_all();
        dump_summary(true);
        error = 0;
    }
    recorder_leave();
    return error;
}

int unclosed_patched(void)
{
    if (!recorder_enter())
        return -EAGAIN;
    patches_written();
    recorder_leave();
    return 0;
}

const char *unclosed_trace_path(void)
{
    return recorder_trace.path;
}
