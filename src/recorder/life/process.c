// The recorder in the life of its process: see process.h. Knows all other parts, but not what a
// session is.
#include "recorder/life/process.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "recorder/books/misuse.h"
#include "recorder/books/overdue.h"
#include "recorder/books/pools.h"
#include "recorder/books/sessions.h"
#include "recorder/books/sites.h"
#include "recorder/core/arena.h"
#include "recorder/core/confined.h"
#include "recorder/core/fault.h"
#include "recorder/core/intern.h"
#include "recorder/core/journal.h"
#include "recorder/core/loader.h"
#include "recorder/core/log.h"
#include "recorder/core/presence.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/dl_hooks.h"
#include "recorder/hooks/functions.h"
#include "recorder/hooks/got.h"
#include "recorder/hooks/hook.h"
#include "recorder/hooks/patch.h"
#include "recorder/hooks/signal_hooks.h"
#include "recorder/hooks/sqlite.h"
#include "recorder/hooks/sqlite_api.h"
#include "recorder/hooks/sqlite_handle.h"
#include "recorder/hooks/sqlite_text.h"
#include "recorder/hooks/stubs.h"
#include "recorder/life/api.h"
#include "recorder/life/dump.h"
#include "recorder/life/dump_signal.h"
#include "recorder/life/opening.h"
#include "recorder/life/renewal.h"
#include "recorder/life/start.h"
#include "recorder/runtimes/runtime.h"
#include "recorder/stacks/api_note.h"
#include "recorder/stacks/capture.h"
#include "recorder/stacks/modules.h"
#include "recorder/stacks/own_code.h"
#include "recorder/stacks/unwind.h"
#include "shared/trace_words.h"
#include "trace/lock.h"

// By prepare_fork; of this thread, because several may be forking.
static __thread bool loader_prepared, locked_for_fork;
static bool forked_prepared, forked_cleanly; // the tables were locked while the fork happened

// All locks, in the order of core/lock_order.h, but for those that a child makes anew.
static struct lock *const outer_locks[] = {&opening_lock, &sqlite_copies_lock, &hooks_lock,
                                           &modules_lock, &sites_lock};
static struct lock *const inner_locks[] = {&sqlite_handles_lock,
                                           &sqlite_handles.growth,
                                           &sqlite_children.growth,
                                           &sqlite_texts_lock,
                                           &runtimes_lock,
                                           &misuse_lock,
                                           &intern_lock,
                                           &arena_lock,
                                           &recorder_trace.lock};
enum {
    OUTER_LOCKS = sizeof outer_locks / sizeof outer_locks[0],
    INNER_LOCKS = sizeof inner_locks / sizeof inner_locks[0],
};

static void prepare_fork(void)
{
    // A signal handler that interrupted the recorder on this thread may fork, but must not wait for
    // us.
    loader_prepared = !recorder_is_forked() && !recorder_thread.inside;
    // The lock of the trace is made with the trace.
    locked_for_fork = loader_prepared && recorder_trace.header;
    if (!loader_prepared)
        return;
    lock_order_all(true);
    capture_prepare_fork();
    loader_prepare_fork();
    if (!locked_for_fork)
        return;
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
}

static void after_fork(bool in_child)
{
    if (locked_for_fork)
        unlock_after_fork();
    if (loader_prepared) {
        loader_after_fork(in_child);
        capture_after_fork(in_child);
        lock_order_all(false);
    }
    loader_prepared = locked_for_fork = false;
}

static void parent_forked(void)
{
    after_fork(false);
}

static void child_forked(void)
{
    forked_prepared = loader_prepared;
    forked_cleanly = locked_for_fork;
    after_fork(true);
    recorder_mark_forked();
}

static void say(const char *what, const char *more)
{
    struct log log;
    if (!log_begin(&log, what))
        return;
    log_name(&log, more);
    log_end(&log);
}

// The first entry after a fork: what was written down is the parent's.
static void forked(void)
{
    bool clean = forked_cleanly || !recorder_trace.header;
    if (!forked_prepared) {
        loader_forked_unprepared();
        capture_forked_unprepared();
    }
    forked_prepared = forked_cleanly = false;
    if (!clean) { // clone or _Fork: a lock may have been held by a thread that is not here
        for (int i = 0; i < OUTER_LOCKS; i++)
            lock_init(outer_locks[i]);
        for (int i = 0; i < INNER_LOCKS; i++)
            lock_init(inner_locks[i]);
    }
    opening_forked(clean);
    if (recorder_options.follow == OPTIONS_FOLLOW_NONE)
        recorder_set_active(false);
    say("a fork of a traced process, ",
        atomic_load(&recorder_active) ? "traced as well" : "not traced (follow=none)");
}

static void say_lost(void)
{
    struct log log;
    const struct trace_header *header = recorder_trace.header;
    for (int i = 0; header && i < TRACE_LOST_REASONS; i++) {
        if (header->lost[i] == 0 || !log_begin(&log, "lost "))
            continue;
        log_number(&log, header->lost[i]);
        log_text(&log, header->lost[i] == 1 ? " record: " : " records: ");
        log_text(&log, trace_words_lost((enum trace_lost)i));
        log_end(&log);
    }
}

enum { STATUS_UNKNOWN = -1 };

struct thread_look {
    uint32_t tid; // of the thread that was looked at last; 0: none
    bool ended;
};

// A thread that has ended will not come back to what it holds. Many sessions are of one thread.
static void mark_thread_ended(struct trace_session *record, uint32_t slot, void *data)
{
    struct thread_look *last = data;
    (void)slot;
    if (record->tid == 0)
        return;
    if (record->tid != last->tid) {
        last->tid = record->tid;
        last->ended = syscall(SYS_tgkill, getpid(), record->tid, 0) != 0 && errno == ESRCH;
    }
    if (last->ended)
        __atomic_or_fetch(&record->flags, TRACE_SESSION_THREAD_ENDED, __ATOMIC_RELAXED);
}

static void finish(int status)
{
    // A vfork child shares our memory and leaves by _exit: it is not this process that ends.
    if (!recorder_trace.header || (!is_confined() && opening_pid() != (uint32_t)getpid()))
        return;
    renewal_check();
    struct trace_header *header = recorder_trace.header;
    if (!header || header->ended != TRACE_ENDED_UNKNOWN)
        return;
    sqlite_tell_all();
    overdue_finish();
    if (!is_confined())
        session_each(mark_thread_ended, &(struct thread_look){0});
    header->end_ns = recorder_now();
    if (status != STATUS_UNKNOWN) {
        header->end_status = status & 0xff;
        header->ended = TRACE_ENDED_EXIT;
    }
    say_lost();
    if (recorder_options.run_id == 0) // else `unclosed run` prints the full report
        dump_summary(true);
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
    hooks_begin();
    functions_load();
    patches_load();
    stubs_name_exported();
    loader_begin();
    if (!recorder_watch_forks())
        return false;
    register_handlers();
    return true;
}

static void tell_run(void)
{
    char exe[JOURNAL_TEXT_BYTES];
    if (!recorder_options.journal[0])
        return;
    const ssize_t got = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[got > 0 ? got : 0] = 0;
    journal_add(JOURNAL_PROCESS, (uint32_t)getppid(), exe);
}

static void begin(void)
{
    say("traced from now on", "");
    recorder_set_active(true);
    tell_run();
    got_hook_modules(false);
    signal_hooks_look_at_all();
    api_note_connect_all(true);
    dl_hooks_modules_changed();
}

static void start(void)
{
    api_note_offer(&api_functions);
    log_remember_surroundings();
    own_code_find();
    if (!start_is_asked())
        return;
    start_read_options(NULL);
    bool is_root = recorder_options.root == 0 || recorder_options.root == (uint32_t)getpid();
    if (recorder_options.follow != OPTIONS_FOLLOW_ALL && !is_root)
        say("not traced: another program than the command's, and follow is not all", "");
    else if (prepare())
        begin();
}

__attribute__((constructor)) static void constructor(void)
{
    int kept = errno;
    recorder_start();
    errno = kept;
}

RECORDER_LIFE static const struct recorder_life ours = {
    .start = start,
    .open = opening_open,
    .forked = forked,
    .exiting = finish,
    .renew = renewal_begin,
};

int process_attach(const char *options)
{
    recorder_start();
    if (atomic_load(&recorder_active))
        return -EALREADY;
    start_read_options(options);
    opening_forget();
    if (!prepare())
        return -ENOMEM;
    recorder_attached = true;
    unwind_prepare();
    int error = recorder_open_trace() ? 0 : opening_error();
    if (error == 0)
        begin();
    else
        recorder_attached = false;
    return error;
}

int process_detach(void)
{
    if (recorder_is_damaged())
        renewal_begin();
    if (!atomic_load(&recorder_active))
        return -EALREADY;
    recorder_set_active(false);
    const uint64_t end_ns = recorder_now(); // from here on nothing is recorded
    (void)presence_wait(&recorder_thread);  // a thread may be hooking what it has just loaded
    runtimes_leave();
    got_unhook_all();
    api_note_connect_all(false);
    dump_signal_give_back();
    fault_give_back();
    overdue_finish();
    struct trace_header *header = recorder_trace.header;
    if (header) {
        header->flags |= TRACE_FLAG_DETACHED;
        header->end_ns = end_ns;
    }
    say_lost();
    say("no longer traced", "");
    recorder_attached = false;
    opening_forget();
    sqlite_forget();
    return 0;
}
