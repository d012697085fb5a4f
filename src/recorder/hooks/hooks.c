// What happens before and after a wrapped call: from registers to sessions.
//
// The heart of the recorder. Knows call specs, the session table and pools; not how the call came
// here (an exported symbol, a rewritten slot, a patched entry), nor what is special to SQLite
// (sqlite.c) or to the dynamic linker (dl_hooks.c).
#include "recorder/hooks/hook.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/books/overdue.h"
#include "recorder/books/sessions.h"
#include "recorder/books/ways.h"
#include "recorder/core/confined.h"
#include "recorder/core/intern.h"
#include "recorder/core/journal.h"
#include "recorder/core/log.h"
#include "recorder/core/own_stack.h"
#include "recorder/core/peek.h"
#include "recorder/core/recorder.h"
#include "recorder/core/redacted.h"
#include "recorder/hooks/connected.h"
#include "recorder/hooks/dl_hooks.h"
#include "recorder/hooks/filter_hooks.h"
#include "recorder/hooks/functions.h"
#include "recorder/hooks/nesting.h"
#include "recorder/hooks/signal_hooks.h"
#include "recorder/hooks/sqlite.h"
#include "recorder/runtimes/runtime.h"
#include "recorder/stacks/capture.h"

// In hook_*.S.
extern const char hook_stubs[], wrapper_returned[];
#ifdef ARCH_PATCHES
extern const char wrapper_patched[], wrapper_patched_returned[];
#else
#define wrapper_patched NULL
#define wrapper_patched_returned wrapper_returned
#endif
#ifdef ARCH_STEP_STUBS
extern const char hook_step_stubs[];
#else
#define hook_step_stubs hook_stubs
#endif

void hooks_begin(void)
{
    hook_code = (struct hook_code){
        .stubs = hook_stubs,
        .step_stubs = hook_step_stubs,
        .returned = wrapper_returned,
        .patched = wrapper_patched,
        .patched_returned = wrapper_patched_returned,
    };
}

size_t hook_readable(uint64_t from)
{
    uint64_t page = getauxval(AT_PAGESZ);
    uint64_t edge = (from + page) & ~(page - 1);
    unsigned char there;
    if (edge - from >= HOOK_STACK_BYTES)
        return HOOK_STACK_BYTES; // the assembly thinks of the smallest pages
    if (is_confined())
        return (size_t)(edge - from) & ~(size_t)7;
    int kept = errno;
    long result = syscall(SYS_mincore, edge, page, &there); // fails on what is not mapped
    errno = kept;
    return result == 0 ? HOOK_STACK_BYTES : (size_t)(edge - from) & ~(size_t)7;
}

// The value of the argument with this role; false: the spec has none.
static bool argument(const struct call *call, enum spec_role role, uint64_t *value)
{
    for (int i = 0; i < call->spec->argument_count; i++) {
        if (call->spec->argument[i].role == role) {
            *value = call->argument[i];
            return true;
        }
    }
    return false;
}

// What an argument of role `out` points to.
static bool pointed_at(const struct call *call, enum spec_role out, uint64_t *value)
{
    uint64_t address;
    if (!argument(call, out, &address) || address == 0)
        return false;
    if (call->spec->asked) // by the user, who may have taken the wrong argument
        return peek_word(address, (uint64_t)(uintptr_t)call->frame, value);
    memcpy(value, (const void *)address, sizeof *value); // NOLINT(performance-no-int-to-ptr)
    return true;
}

static uint64_t handle_before(const struct call *call)
{
    uint64_t handle = 0;
    if (!argument(call, SPEC_HANDLE, &handle))
        (void)pointed_at(call, SPEC_HANDLE_OUT, &handle);
    return handle;
}

static uint64_t handle_after(const struct call *call)
{
    uint64_t handle = 0;
    if (call->spec->result == SPEC_RESULT_HANDLE)
        return call->result[0];
    if (!pointed_at(call, SPEC_HANDLE_OUT, &handle))
        (void)argument(call, SPEC_HANDLE, &handle);
    return handle;
}

static bool succeeded(const struct call *call)
{
    return spec_succeeded(call->spec, call->result[0]);
}

static uint32_t text_argument(const struct call *call, enum spec_role role)
{
    uint64_t address;
    if (!argument(call, role, &address) || address == 0)
        return TRACE_NONE;
    enum { MOST = 1024 };
    if (call->spec->asked && !peek_text(address, MOST))
        return TRACE_NONE;
    return redacted_name((const char *)address); // NOLINT(performance-no-int-to-ptr)
}

// Whether a session can be out that was seen by this process or one that it was forked from; the
// trace is then open.
static bool any_session(void)
{
    return sessions_any() && recorder_open_trace();
}

// The pool of a call; if its spec names none, the one of its kind.
static uint32_t pool_of(const struct call *call)
{
    uint32_t name = text_argument(call, SPEC_POOL_NAME);
    return pool_intern(function_kind(call->spec), call->pool_address, name);
}

static void count_call(const struct call *call)
{
    struct trace_function *record =
        recorder_trace.header ? function_record(call->hook->function) : NULL;
    if (record && record->calls == 0) // what matters is whether there was one
        record->calls = 1;
}

struct misused {
    const struct call *call;
    enum trace_misuse_kind kind;
    uint64_t now;
};

static void misuse_there(void *data)
{
    const struct misused *misused = data;
    const struct call *call = misused->call;
    struct stack stack;
    stack_capture(&stack);
    session_misuse(misused->kind, function_kind(call->spec), call->handle,
                   call->hook->function->ref, &stack, misused->now);
}

static __attribute__((noinline, cold)) void misuse(const struct call *call,
                                                   enum trace_misuse_kind kind, uint64_t now)
{
    struct misused misused = {call, kind, now};
    if (recorder_language_frames) // as in after_acquire_elsewhere
        misuse_there(&misused);
    else
        own_stack_call(misuse_there, &misused);
}

// Whether a call of the same kind encloses this one, an acquire or else a release: what it does is
// counted there.
static bool is_within(const struct call *call, bool acquire)
{
    struct nesting around = nesting_around(call);
    return around.spec && (around.spec->verb == TRACE_ACQUIRE) == acquire &&
           function_kind(around.spec) == function_kind(call->spec);
}

// A handle from before the attach is seen for the first time.
static bool inherit(const struct call *call)
{
    const struct inherited found = {
        .handle = call->handle,
        .kind = function_kind(call->spec),
        .session = (uint8_t)call->spec->session,
        .held_by_caller = true,
        .database = call->hook->sqlite ? sqlite_file(call->hook, call->handle) : TRACE_NONE,
    };
    return session_inherit(&found);
}

// The release of a handle that is not in the table. true: it is now, and has been taken out.
static bool take_unknown(struct call *call)
{
    const uint32_t kind = function_kind(call->spec);
    uint32_t site, database;
    if (nesting_around(call).spec)
        return false; // released by the enclosing call
    const bool twice = session_recently_ended(kind, call->handle, &site, &database);
    if (!recorder_attached) {
        misuse(call, twice ? TRACE_MISUSE_DOUBLE : TRACE_MISUSE_UNKNOWN, recorder_now());
        return false;
    }
    // Acquired before we came. Whether SQLite gives it back now depends on its statements.
    if (!twice && call->hook->sqlite && sqlite_is_open(call->hook, call->handle) && inherit(call)) {
        call->taken = session_take(kind, call->handle, &call->session);
        return call->taken;
    }
    session_inherited_ended(kind, call->spec->session,
                            call->pool_address ? pool_of(call) : TRACE_NONE, TRACE_RELEASED);
    return false;
}

static unsigned before_release(struct call *call)
{
    call->handle = handle_before(call);
    // A misuse is worth a trace, but not in a child, which may discard what it inherited.
    if (call->handle == 0 || (!any_session() && (recorder_is_child() || !recorder_open_trace())))
        return HOOK_TAIL;
    if (call->spec->counted && is_within(call, false))
        return HOOK_TAIL; // its session may still be out
    call->taken = session_take(function_kind(call->spec), call->handle, &call->session);
    if (call->session.still_out) {
        nesting_enter(call);
        return HOOK_THROUGH;
    }
    if (!call->taken && !take_unknown(call))
        return HOOK_TAIL;
    call->inherited = call->session.record->flags & TRACE_SESSION_INHERITED;
    if (call->inherited && !recorder_attached)
        misuse(call, TRACE_MISUSE_CHILD, call->session.taken_ns);
    if (call->hook->sqlite)
        sqlite_before_close(call);
    call->refused = call->spec->session == TRACE_HANDLE && !call->hook->sqlite && call->taken &&
                    !call->inherited && connected_never(call);
    nesting_enter(call);
    return HOOK_THROUGH;
}

static unsigned before_use(struct call *call)
{
    bool inherits = recorder_generation != 1 || recorder_attached;
    if (!inherits && way_fresh.handle == 0)
        return HOOK_TAIL;
    call->handle = handle_before(call);
    if (way_is_fresh(call->handle))
        way_note_use(true, recorder_now_coarse());
    if (!inherits)
        return HOOK_TAIL;
    if (call->handle == 0 || !any_session())
        return HOOK_TAIL;
    uint32_t kind = function_kind(call->spec);
    if (recorder_attached && !session_is_known(kind, call->handle))
        (void)inherit(call);
    if (session_mark_used(kind, call->handle) && !recorder_attached)
        misuse(call, TRACE_MISUSE_CHILD, recorder_now());
    if (call->hook->sqlite && session_is_known(kind, call->handle))
        sqlite_used(call, call->handle);
    return HOOK_TAIL;
}

static unsigned before_traced(struct call *call)
{
    call->spec = function_spec(call->hook->function, call->argument);
    if (!call->spec)
        return HOOK_TAIL;
    if (call->spec->verb != TRACE_ACQUIRE) // that is counted when there is a trace
        count_call(call);
    bool gives_back = call->spec->verb == TRACE_RELEASE || call->spec->verb == TRACE_DISCARD;
    if (recorder_options.threshold_ns > 0 && !gives_back) // which is not out any more in a moment
        overdue_check(recorder_now_coarse());
    if (call->spec->verb == TRACE_USE)
        return before_use(call);
    if (!argument(call, SPEC_POOL, &call->pool_address))
        call->pool_address = 0;
    if (gives_back)
        return before_release(call);
    // The coarse clock will do: a wait that matters takes longer than its tick.
    call->acquires_before = recorder_thread.acquires;
    nesting_enter(call);
    call->started_ns =
        recorder_now_coarse(); // last: the time spent above is ours, not the program's
    return HOOK_THROUGH;
}

static void find_real_there(void *data)
{
    struct call *call = data;
    call->target = dl_hooks_real(call->hook, call->return_address, &call->hook->sqlite);
}

// The real function behind an exported symbol, for this caller.
static bool find_real(struct call *call)
{
    call->target = call->hook->real;
    if (call->target == 0)
        own_stack_call(find_real_there, call);
    return call->target != 0;
}

// A traced function was called that is nowhere but here: ends the process as the loader would have.
static _Noreturn void end_undefined(const char *name)
{
    struct log log;
    log_open(&log);
    log_text(&log, "symbol lookup error: undefined symbol: ");
    log_name(&log, name);
    log_text(&log, "\n");
    log_close(&log);
    _exit(127);
}

// A program that is about to take this process's place, or a child's. Nothing of ours is entered:
// it may be a child that fork or vfork has just made.
static void before_execution(const struct call *call)
{
    const bool spawned = call->hook->function->special == FUNCTION_SPAWN;
    const uint64_t program = call->argument[spawned ? 1 : 0];
    if (atomic_load_explicit(&recorder_active, memory_order_relaxed) &&
        peek_text(program, JOURNAL_TEXT_BYTES))
        journal_add_path(JOURNAL_EXEC, (const char *)program); // NOLINT(performance-no-int-to-ptr)
}

unsigned hook_before(struct call *call)
{
    struct hook *hook = &hooks[call->index];
    if (call->index < HOOK_EXPORTED)
        recorder_start(); // a constructor that ran before ours called it
    call->hook = hook;
    if (!find_real(call))
        end_undefined(hook->function->name);
    if (hook->function->sqlite != SQLITE_NO_CHILD) {
        const unsigned mode = sqlite_before_quick(call);
        if (mode != SQLITE_ENTER)
            return mode;
    }
    enum function_special special = hook->function->special;
    if (special >= FUNCTION_DLOPEN && special <= FUNCTION_CANCEL_TYPE)
        return special <= FUNCTION_DLCLOSE ? dl_hooks_before(call) : signal_hooks_before(call);
    if (special == FUNCTION_EXEC || special == FUNCTION_SPAWN) {
        before_execution(call);
        return HOOK_TAIL;
    }
    if (special >= FUNCTION_PRCTL && special <= FUNCTION_SYSCALL) {
        filter_hooks_before(call);
        return HOOK_TAIL;
    }
    if (!recorder_enter())
        return HOOK_TAIL;
    unsigned mode = HOOK_TAIL;
    call->recording = atomic_load_explicit(&recorder_recording, memory_order_relaxed);
    dl_hooks_catch_up();
    if (hook->function->special == FUNCTION_TRACED)
        mode = before_traced(call);
    else if (hook->function->special == FUNCTION_EXIT)
        recorder_life->exiting((int)call->argument[0]);
    if (hook->function->sqlite != SQLITE_NO_CHILD)
        mode = sqlite_before(call);
    recorder_leave();
    return mode;
}

// Where the stack of a call begins.
static struct stack_origin origin_of(const struct call *call)
{
    return (struct stack_origin){call->frame + CALL_RETURN_SLOT, call->frame};
}

// The pool of a runtime that what was acquired belongs to.
static uint32_t owner_of(const struct call *call)
{
    if (recorder_thread.owner.pool != TRACE_NONE)
        return recorder_thread.owner.pool;
    const struct stack_origin origin = origin_of(call);
    const struct runtime_call made = {(const void *)call->return_address, &origin}; // NOLINT
    return runtimes_owner(&made);
}

static void fill_acquire(const struct call *call, struct acquire *acquire)
{
    *acquire = (struct acquire){
        .handle = handle_after(call),
        .kind = function_kind(call->spec),
        .session = call->spec->session,
        .function = call->hook->function->ref,
        .counted = call->spec->counted,
        .started_ns = call->started_ns,
        // Only if an acquire was recorded within this one can it be the same.
        .since_ns = recorder_thread.acquires != call->acquires_before ? call->started_ns : 0,
    };
    struct nesting around = nesting_around(call);
    bool from_pool = acquire->session != TRACE_HANDLE;
    if (from_pool)
        acquire->pool = pool_of(call);
    else if (around.spec && around.spec->session != TRACE_HANDLE)
        acquire->owner = pool_intern(function_kind(around.spec), around.pool_address, TRACE_NONE);
    else
        acquire->owner = owner_of(call);
    // apr_dbd_open has opened a sqlite3*: both are one connection.
    acquire->wrapper = !from_pool && recorder_thread.acquires != call->acquires_before &&
                       recorder_thread.acquired_kind != acquire->kind;
    // The handle of a language's driver, which is being opened, stands for this one.
    acquire->wrapper |= !from_pool && recorder_thread.owner.inside;
    acquire->database =
        call->hook->sqlite ? sqlite_database(call) : text_argument(call, SPEC_DATABASE);
}

static void after_acquire(struct call *call)
{
    struct stack stack;
    struct acquire acquire;
    uint64_t now = recorder_now(); // first, likewise
    bool success = succeeded(call);
    if (call->pool_address == 0)
        (void)pointed_at(call, SPEC_POOL_OUT, &call->pool_address);
    if (!recorder_open_trace())
        return;
    count_call(call);
    fill_acquire(call, &acquire);
    acquire.stack = &stack;
    const struct stack_origin origin = origin_of(call);
    stack_capture_from(&origin, &stack);
    if (acquire.handle == 0 || (!success && !call->spec->kept_on_failure)) {
        if (is_within(call, true))
            return;
        acquire.wrapper = false; // no nested call counts for it
        session_acquire_failed(&acquire, false, now);
        return;
    }
    (void)session_acquired(&acquire, now);
    if (call->hook->sqlite)
        sqlite_opened(call, acquire.kind, acquire.handle);
}

static void after_acquire_there(void *data)
{
    after_acquire(data);
}

// A stack with room for one that was captured takes more than a traced call may. Not where there is
// a language runtime, which asks where its thread's stack ends (CPython 3.14 ends the process that
// is on another one).
static void after_acquire_elsewhere(struct call *call)
{
    if (recorder_language_frames)
        after_acquire(call);
    else
        own_stack_call(after_acquire_there, call);
}

static enum trace_end end_of(const struct call *call)
{
    if (call->spec->verb == TRACE_DISCARD)
        return TRACE_DISCARDED;
    // A handle whose open had failed is its driver's to close.
    if (call->hook->sqlite && session_word(&call->session) == 0)
        return TRACE_RELEASED;
    bool pooled = call->session.record->flags & TRACE_SESSION_POOLED;
    const struct stack_origin origin = origin_of(call);
    const struct runtime_call released = {(const void *)call->return_address, // NOLINT
                                          &origin};
    return runtimes_end(&released, pooled);
}

static void after_release(struct call *call)
{
    if (!call->taken)
        return;
    bool ended = succeeded(call);
    enum trace_end end = end_of(call);
    // What a collector closes is no zombie: it takes the statements away as well.
    bool by_code = !ended || end == TRACE_RELEASED;
    if (call->hook->sqlite && sqlite_after_close(call, ended, by_code))
        return;
    if (ended && call->refused)
        session_failed(&call->session);
    else if (ended)
        session_end(&call->session, end, call->session.taken_ns);
    else
        session_put_back(&call->session, TRACE_SESSION_REFUSED);
}

static void after_size(struct call *call)
{
    uint64_t size;
    if (call->spec->result == SPEC_RESULT_POOL)
        call->pool_address = call->result[0];
    else if (call->pool_address == 0)
        (void)pointed_at(call, SPEC_POOL_OUT, &call->pool_address);
    if (argument(call, SPEC_SIZE, &size) && succeeded(call) && recorder_open_trace())
        pool_describe(pool_of(call), TRACE_NONE, TRACE_NONE, (uint32_t)size, TRACE_UNKNOWN);
}

static void after_traced(struct call *call)
{
    nesting_leave(call);
    switch (call->spec->verb) {
    case TRACE_ACQUIRE:
        after_acquire_elsewhere(call);
        break;
    case TRACE_RELEASE:
    case TRACE_DISCARD:
        after_release(call);
        break;
    default:
        after_size(call);
        break;
    }
}

void hook_after(struct call *call)
{
    enum function_special special = call->hook->function->special;
    if (special >= FUNCTION_DLOPEN && special <= FUNCTION_CANCEL_TYPE) {
        if (special <= FUNCTION_DLCLOSE)
            dl_hooks_after(call);
        else
            signal_hooks_after(call);
        return;
    }
    const bool child = call->hook->function->sqlite != SQLITE_NO_CHILD;
    if ((child && sqlite_after_quick(call)) || !recorder_enter())
        return;
    if (call->recording != atomic_load_explicit(&recorder_recording, memory_order_relaxed))
        ; // detached and attached again meanwhile
    else if (child)
        sqlite_after(call);
    else
        after_traced(call);
    recorder_leave();
}

void hook_stepped(const struct hook *hook, uint64_t statement)
{
    sqlite_stepped(hook, statement);
}
