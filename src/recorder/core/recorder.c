// The recorder's life: see recorder.h. Entering and leaving, the trace file, what was lost.
//
// Knows nothing of hooks. A fork is noticed by a page that the kernel clears in the child
// (MADV_WIPEONFORK): this also holds for clone() and _Fork(), which run no handlers.
#include "recorder/core/recorder.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/books/misuse.h"
#include "recorder/books/pools.h"
#include "recorder/books/sessions.h"
#include "recorder/books/sites.h"
#include "recorder/core/intern.h"
#include "recorder/core/presence.h"
#include "recorder/life/process.h"
#include "recorder/life/trace_file.h"
#include "recorder/stacks/modules.h"
#include "trace/clock.h"
#include "trace/lock.h"

struct trace_writer recorder_trace;
atomic_bool recorder_active;
struct options recorder_options;
atomic_uint recorder_generation = 1;
atomic_uint recorder_recording;
void (*recorder_language_frames)(struct stack *stack);

static struct lock open_lock = LOCK_INITIALIZER;
static atomic_bool opened; // the trace is complete enough for everybody to use
static int open_error;     // not tried again: the reason will not go away by asking

__thread struct recorder_thread recorder_thread __attribute__((tls_model("initial-exec")));

// The kernel clears this word in a forked child. ALIVE: this process has noticed its own birth.
enum { BORN = 0, ALIVE = 1, NOTICING = 2 };
static atomic_uint *life;

// 0 inert, 1 recording: read from outside the process, by name.
__attribute__((visibility("default"))) extern atomic_int unclosed_state;
atomic_int unclosed_state;

uint64_t recorder_start_ns;

void recorder_set_active(bool active)
{
    atomic_store(&recorder_active, active);
    atomic_store(&unclosed_state, active);
}

bool recorder_watch_forks(void)
{
    if (life)
        return true;
    long page = sysconf(_SC_PAGESIZE);
    void *word =
        mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (word == MAP_FAILED)
        return false;
    // Without MADV_WIPEONFORK (Linux before 4.14) the handler of pthread_atfork clears the word.
    (void)madvise(word, (size_t)page, MADV_WIPEONFORK);
    life = word;
    atomic_store(life, ALIVE);
    return true;
}

void recorder_mark_forked(void)
{
    if (life)
        atomic_store(life, BORN);
}

bool recorder_is_forked(void)
{
    return life && atomic_load_explicit(life, memory_order_relaxed) != ALIVE;
}

static bool is_child;

bool recorder_is_child(void)
{
    return is_child;
}

static void notice_fork(void)
{
    unsigned born = BORN;
    if (atomic_compare_exchange_strong(life, &born, NOTICING)) {
        lock_init(&open_lock);
        presence_forked();
        open_error = 0;
        atomic_store(&opened, false);
        atomic_fetch_add(&recorder_generation, 1);
        is_child = true;
        recorder_start_ns = recorder_now();
        process_forked();
        atomic_store(life, ALIVE);
    }
    while (atomic_load(life) != ALIVE)
        (void)syscall(SYS_sched_yield);
}

static void thread_begin(struct recorder_thread *thread)
{
    thread->generation = recorder_generation;
    thread->tid = (uint32_t)syscall(SYS_gettid);
    thread->name = TRACE_NONE;
    thread->name_uses = 0;
    thread->owner = TRACE_NONE;
    thread->opening = false;
    if (!thread->presence)
        thread->presence = presence_of(thread);
    sites_forget_cache();
}

bool recorder_enter(void)
{
    if (!atomic_load_explicit(&recorder_active, memory_order_relaxed))
        return false;
    struct recorder_thread *thread = &recorder_thread;
    if (thread->inside) {
        recorder_lost(TRACE_LOST_REENTRY);
        return false;
    }
    thread->inside = true;
    thread->saved_errno = errno;
    if (atomic_load_explicit(life, memory_order_relaxed) != ALIVE) {
        notice_fork();
        if (!atomic_load_explicit(&recorder_active, memory_order_relaxed)) { // not to be followed
            recorder_leave();
            return false;
        }
    }
    if (thread->generation != recorder_generation)
        thread_begin(thread);
    if (!thread->presence) {
        recorder_leave();
        return false;
    }
    atomic_store_explicit(&thread->presence->inside, true, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&recorder_active, memory_order_relaxed)) { // a detach waits already
        recorder_leave();
        return false;
    }
    return true;
}

void recorder_leave(void)
{
    if (recorder_thread.presence)
        atomic_store_explicit(&recorder_thread.presence->inside, false, memory_order_release);
    errno = recorder_thread.saved_errno;
    recorder_thread.inside = false;
}

uint64_t recorder_now(void)
{
    return clock_now(CLOCK_MONOTONIC);
}

uint64_t recorder_now_coarse(void)
{
    return clock_now(CLOCK_MONOTONIC_COARSE);
}

void recorder_lost(enum trace_lost reason)
{
    struct trace_header *header = recorder_trace.header;
    if (header && !recorder_is_forked())
        __atomic_add_fetch(&header->lost[reason], 1, __ATOMIC_RELAXED);
}

uint32_t recorder_tid(void)
{
    return recorder_thread.tid;
}

// A thread may be named after its first session: the name is read again at its 1st, 2nd, 4th, ...
// use.
uint32_t recorder_thread_name(void)
{
    struct recorder_thread *thread = &recorder_thread;
    uint32_t uses = thread->name_uses++;
    if ((uses & (uses - 1)) == 0) {
        char name[17] = "";
        if (prctl(PR_GET_NAME, name) == 0)
            thread->name = name_intern(name);
    }
    return thread->name;
}

bool recorder_open_trace(void)
{
    // What is done to open it may itself ask for it.
    if (atomic_load_explicit(&opened, memory_order_acquire) || recorder_thread.opening)
        return true;
    lock_take(&open_lock);
    recorder_thread.opening = true;
    if (!atomic_load(&opened) && open_error == 0) {
        open_error = trace_file_create(&recorder_trace);
        if (open_error == 0) {
            modules_write_all();
            process_trace_opened();
            atomic_store_explicit(&opened, true, memory_order_release);
        }
    }
    recorder_thread.opening = false;
    lock_give(&open_lock);
    return atomic_load(&opened);
}

int recorder_open_error(void)
{
    return open_error;
}

void recorder_lock_opening(void)
{
    lock_take(&open_lock);
}

void recorder_unlock_opening(void)
{
    lock_give(&open_lock);
}

void recorder_forget_tables(bool give_back)
{
    intern_reset(give_back);
    sites_reset(give_back);
    pools_reset(give_back);
    modules_reset();
    misuse_reset(give_back);
}

void recorder_forget_trace(void)
{
    const bool alone = presence_wait(&recorder_thread);
    lock_take(&open_lock);
    atomic_fetch_add(&recorder_recording, 1);
    atomic_store(&opened, false);
    open_error = 0;
    atomic_fetch_add(&recorder_generation, 1);
    recorder_forget_tables(alone);
    sessions_clear();
    trace_retire(&recorder_trace, alone);
    lock_give(&open_lock);
}

static struct {
    char name[512];
    uint32_t ref, generation;
} test;

void recorder_set_test(const char *name)
{
    size_t bytes = name ? strnlen(name, sizeof test.name - 1) : 0;
    memcpy(test.name, name ? name : "", bytes);
    test.name[bytes] = 0;
    test.generation = 0; // interned at the next acquire
}

uint32_t recorder_test(void)
{
    if (test.name[0] == 0)
        return TRACE_NONE;
    uint32_t generation = atomic_load_explicit(&recorder_generation, memory_order_relaxed);
    if (test.generation != generation) {
        test.ref = name_intern(test.name);
        test.generation = generation;
    }
    return test.ref;
}

uint32_t session_thread_owner(uint32_t pool)
{
    uint32_t before = recorder_thread.owner;
    recorder_thread.owner = pool;
    return before;
}
