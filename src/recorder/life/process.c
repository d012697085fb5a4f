// The recorder in the life of its process: see process.h. Knows all other parts, but not what a
// session is.
#include "recorder/life/process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/books/misuse.h"
#include "recorder/books/overdue.h"
#include "recorder/books/pools.h"
#include "recorder/books/sessions.h"
#include "recorder/books/sites.h"
#include "recorder/core/arena.h"
#include "recorder/core/intern.h"
#include "recorder/core/log.h"
#include "recorder/core/presence.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/functions.h"
#include "recorder/hooks/got.h"
#include "recorder/hooks/patch.h"
#include "recorder/hooks/sqlite.h"
#include "recorder/life/api.h"
#include "recorder/life/dump.h"
#include "recorder/life/start.h"
#include "recorder/runtimes/runtime.h"
#include "recorder/stacks/capture.h"
#include "recorder/stacks/modules.h"
#include "recorder/stacks/unwind.h"
#include "trace/lock.h"

static bool attached;
static struct trace_writer parent_trace; // of the process we were forked from, read-only
// By prepare_fork; of this thread, because several may be forking.
static __thread bool locked_for_fork;
static bool forked_cleanly; // the tables were locked while the fork happened

bool process_is_attached(void)
{
    return attached;
}

// All locks, in the order in which they may be nested.
static struct lock *const outer_locks[] = {&sqlite_copies_lock, &got_lock, &modules_lock,
                                           &sites_lock};
static struct lock *const inner_locks[] = {&sqlite_backups_lock, &runtimes_lock,       &misuse_lock,
                                           &intern_lock,         &recorder_trace.lock, &arena_lock};
enum {
    OUTER_LOCKS = sizeof outer_locks / sizeof outer_locks[0],
    INNER_LOCKS = sizeof inner_locks / sizeof inner_locks[0],
};

static void prepare_fork(void)
{
    // The lock of the trace is made with the trace.
    // A signal handler that interrupted the recorder on this thread may fork, but must not wait for
    // us.
    locked_for_fork = recorder_trace.header && !recorder_is_forked() && !recorder_thread.inside;
    if (!locked_for_fork)
        return;
    capture_prepare_fork();
    recorder_lock_opening();
    for (int i = 0; i < OUTER_LOCKS; i++)
        lock_take(outer_locks[i]);
    pools_lock_all();
    sessions_lock_all();
    for (int i = 0; i < INNER_LOCKS; i++)
        lock_take(inner_locks[i]);
}

static void unlock_after_fork(void)
{
    for (int i = INNER_LOCKS; i-- > 0;)
        lock_give(inner_locks[i]);
    sessions_unlock_all();
    pools_unlock_all();
    for (int i = OUTER_LOCKS; i-- > 0;)
        lock_give(outer_locks[i]);
    recorder_unlock_opening();
}

static void parent_forked(void)
{
    if (locked_for_fork) {
        unlock_after_fork();
        capture_after_fork();
    }
    locked_for_fork = false;
}

static void child_forked(void)
{
    forked_cleanly = locked_for_fork;
    parent_forked();
    recorder_mark_forked();
}

// The first entry after a fork: what was written down is the parent's.
void process_forked(void)
{
    bool clean = forked_cleanly || !recorder_trace.header;
    forked_cleanly = false;
    if (!clean) { // clone or _Fork: a lock may have been held by a thread that is not here
        capture_forked_unprepared();
        for (int i = 0; i < OUTER_LOCKS; i++)
            lock_init(outer_locks[i]);
        for (int i = 0; i < INNER_LOCKS; i++)
            lock_init(inner_locks[i]);
    }
    sessions_forked(clean);
    recorder_forget_tables(false);
    if (recorder_trace.header) {
        trace_forget(&parent_trace);
        parent_trace = recorder_trace;
        memset(&recorder_trace, 0, sizeof recorder_trace);
    }
    if (recorder_options.follow == OPTIONS_FOLLOW_NONE)
        recorder_set_active(false);
}

enum { STATUS_UNKNOWN = -1 };

static void finish(int status)
{
    struct trace_header *header = recorder_trace.header;
    // A vfork child shares our memory and leaves by _exit: it is not this process that ends.
    if (!header || header->pid != (uint32_t)getpid() || header->ended != TRACE_ENDED_UNKNOWN)
        return;
    sqlite_ask_all();
    overdue_finish();
    header->end_ns = header->last_ns = recorder_now();
    if (status != STATUS_UNKNOWN) {
        header->end_status = status & 0xff;
        header->ended = TRACE_ENDED_EXIT;
    }
    if (recorder_options.run_id == 0) // else `unclosed run` prints the full report
        dump_summary(true);
}

void process_exiting(int status)
{
    finish(status);
}

static void at_exit(int status, void *data)
{
    (void)data;
    if (recorder_is_forked() || !recorder_enter())
        return;
    finish(status);
    recorder_leave();
}

static void at_quick_exit_(void)
{
    at_exit(STATUS_UNKNOWN, NULL);
}

static void on_dump_signal(int number)
{
    (void)number;
    int kept = errno;
    if (!recorder_is_forked() && recorder_trace.header)
        dump_summary(false);
    errno = kept;
}

// Only where the program has left the signal at its default.
static void take_dump_signal(void)
{
    struct sigaction old,
        ours = {.sa_handler = on_dump_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    int number = recorder_options.signal;
    sigemptyset(&ours.sa_mask);
    if (number > 0 && sigaction(number, NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) &&
        old.sa_handler == SIG_DFL)
        (void)sigaction(number, &ours, NULL);
}

static void give_back_dump_signal(void)
{
    struct sigaction old;
    int number = recorder_options.signal;
    if (number > 0 && sigaction(number, NULL, &old) == 0 && old.sa_handler == on_dump_signal)
        (void)signal(number, SIG_DFL);
}

void process_trace_opened(void)
{
    functions_write_all();
    runtimes_describe(recorder_trace.header);
    if (attached)
        recorder_trace.header->flags |= TRACE_FLAG_ATTACHED;
    if (parent_trace.header) {
        sessions_import(&parent_trace);
        trace_forget(&parent_trace);
    }
    overdue_begin();
    take_dump_signal();
}

void process_modules_changed(void)
{
    if (got_any_traced() || api_is_used())
        unwind_prepare();
    runtimes_start();
}

_Noreturn void process_undefined(const char *name)
{
    struct log log;
    log_open(&log);
    log_text(&log, "symbol lookup error: undefined symbol: ");
    log_name(&log, name);
    log_text(&log, "\n");
    log_close(&log);
    _exit(127);
}

static void register_handlers(void)
{
    static bool registered;
    if (registered)
        return;
    registered = true;
    (void)pthread_atfork(prepare_fork, parent_forked, child_forked);
    // Registered before the loader's own handler, and so run after the destructors of all
    // libraries.
    (void)on_exit(at_exit, NULL);
    (void)at_quick_exit(at_quick_exit_);
}

static bool prepare(void)
{
    recorder_start_ns = recorder_now();
    functions_load();
    patches_load();
    got_name_exported();
    if (!recorder_watch_forks())
        return false;
    register_handlers();
    return true;
}

static void begin(void)
{
    recorder_set_active(true);
    got_hook_modules(false);
    api_connect_all(true);
    process_modules_changed();
}

void process_start(void)
{
    static atomic_flag started = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&started))
        return;
    log_remember_standard_error();
    unwind_find_own();
    if (!start_is_asked())
        return;
    start_read_options(NULL);
    bool is_root = recorder_options.root == 0 || recorder_options.root == (uint32_t)getpid();
    if ((recorder_options.follow == OPTIONS_FOLLOW_ALL || is_root) && prepare())
        begin();
}

__attribute__((constructor)) static void constructor(void)
{
    int kept = errno;
    process_start();
    errno = kept;
}

int process_attach(const char *options)
{
    process_start();
    if (atomic_load(&recorder_active))
        return -EALREADY;
    start_read_options(options);
    recorder_forget_trace();
    if (!prepare())
        return -ENOMEM;
    attached = true;
    unwind_prepare();
    int error = recorder_open_trace() ? 0 : recorder_open_error();
    if (error == 0)
        begin();
    else
        attached = false;
    return error;
}

int process_detach(void)
{
    if (!atomic_load(&recorder_active))
        return -EALREADY;
    recorder_set_active(false);
    (void)presence_wait(&recorder_thread); // a thread may be hooking what it has just loaded
    runtimes_leave();
    got_unhook_all();
    api_connect_all(false);
    give_back_dump_signal();
    overdue_finish();
    struct trace_header *header = recorder_trace.header;
    if (header) {
        header->flags |= TRACE_FLAG_DETACHED;
        header->end_ns = header->last_ns = recorder_now();
    }
    attached = false;
    recorder_forget_trace();
    return 0;
}
