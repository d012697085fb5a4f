// The recorder's state: see recorder.h. Entering and leaving, what was lost.
//
// Knows nothing of hooks, sessions or the trace file. A fork is noticed by a page that the kernel
// clears in the child (MADV_WIPEONFORK): this also holds for clone() and _Fork(), which run no
// handlers.
#include "recorder/core/recorder.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/core/confined.h"
#include "recorder/core/own_stack.h"
#include "recorder/core/presence.h"
#include "trace/clock.h"

struct trace_writer recorder_trace;
atomic_bool recorder_active;
struct options recorder_options;
atomic_uint recorder_generation = 1;
atomic_uint recorder_recording;
void (*recorder_language_frames)(struct stack *stack, const struct stack_origin *origin);
bool recorder_attached;
bool recorder_renewed;

static atomic_bool opened; // the trace is complete enough for everybody to use
static atomic_uint damage; // enum damage
enum damage { WHOLE = 0, DAMAGED, BEING_RENEWED };
static atomic_uint missed;

__thread struct recorder_thread recorder_thread __attribute__((tls_model("initial-exec")));

// The kernel clears this word in a forked child. ALIVE: this process has already noticed that it is
// a fork.
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

static void forked_there(void *unused)
{
    (void)unused;
    recorder_life->forked();
}

static void notice_fork(void)
{
    unsigned born = BORN;
    if (atomic_compare_exchange_strong(life, &born, NOTICING)) {
        presence_forked();
        atomic_store(&opened, false);
        atomic_fetch_add(&recorder_generation, 1);
        is_child = true;
        recorder_start_ns = recorder_now();
        own_stack_call(forked_there, NULL);
        atomic_store(life, ALIVE);
    }
    while (atomic_load(life) != ALIVE)
        (void)syscall(SYS_sched_yield);
}

static void thread_begin(struct recorder_thread *thread)
{
    thread->generation = recorder_generation;
    thread->tid = is_confined() ? 0 : (uint32_t)syscall(SYS_gettid);
    thread->name = TRACE_NONE;
    thread->name_uses = 0;
    thread->owner = (struct thread_owner){TRACE_NONE, false};
    if (!thread->presence)
        thread->presence = presence_of(thread);
}

void recorder_damage(void)
{
    // Threads that are still inside may find out later.
    static atomic_uint known;
    unsigned generation = atomic_load(&recorder_generation);
    if (atomic_exchange(&known, generation) == generation)
        return;
    recorder_set_active(false);
    atomic_store(&damage, DAMAGED);
}

bool recorder_is_damaged(void)
{
    return atomic_load(&damage) == DAMAGED;
}

bool recorder_take_damage(void)
{
    unsigned found = DAMAGED;
    return atomic_compare_exchange_strong(&damage, &found, BEING_RENEWED);
}

void recorder_renewal_over(bool active)
{
    unsigned found = BEING_RENEWED; // else the new one is damaged already
    if (atomic_compare_exchange_strong(&damage, &found, WHOLE))
        recorder_set_active(active);
}

uint64_t recorder_missed(void)
{
    return atomic_exchange(&missed, 0);
}

// Inert, or the trace is damaged and nobody has begun another one yet.
static __attribute__((noinline, cold)) bool try_renewal(void)
{
    unsigned found = atomic_load_explicit(&damage, memory_order_relaxed);
    if (found == WHOLE || recorder_is_forked()) // then it is the parent's
        return false;
    if (found == DAMAGED && !recorder_thread.inside)
        recorder_life->renew();
    if (atomic_load(&recorder_active))
        return true;
    atomic_fetch_add(&missed, 1);
    return false;
}

bool recorder_enter(void)
{
    if (!atomic_load_explicit(&recorder_active, memory_order_relaxed) && !try_renewal())
        return false;
    struct recorder_thread *thread = &recorder_thread;
    if (thread->inside) {
        recorder_lost(TRACE_LOST_REENTRY);
        return false;
    }
    shield_up(&thread->shield);
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
    shield_down(&recorder_thread.shield);
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
    if (is_confined() && (reason == TRACE_LOST_MEMORY || reason == TRACE_LOST_SPACE))
        reason = TRACE_LOST_FILTER; // there is more, but it cannot be asked for
    if (header && !recorder_is_forked())
        __atomic_add_fetch(&header->lost[reason], 1, __ATOMIC_RELAXED);
}

uint32_t recorder_tid(void)
{
    return recorder_thread.tid;
}

void recorder_start(void)
{
    static atomic_bool started;
    if (!atomic_load_explicit(&started, memory_order_relaxed) && !atomic_exchange(&started, true))
        recorder_life->start();
}

static void open_there(void *data)
{
    bool *is_open = data;
    *is_open = recorder_life->open();
}

static __attribute__((noinline, cold)) bool open_now(void)
{
    bool is_open = false;
    own_stack_call(open_there, &is_open); // paths take room
    return is_open;
}

bool recorder_open_trace(void)
{
    return __builtin_expect(atomic_load_explicit(&opened, memory_order_acquire), 1) || open_now();
}

bool recorder_enter_trace(void)
{
    if (!recorder_enter())
        return false;
    if (recorder_open_trace())
        return true;
    recorder_leave();
    return false;
}

void recorder_set_opened(bool now)
{
    atomic_store_explicit(&opened, now, memory_order_release);
}

bool recorder_is_opened(void)
{
    return atomic_load(&opened);
}

struct thread_owner session_thread_owner(struct thread_owner now)
{
    struct thread_owner before = recorder_thread.owner;
    recorder_thread.owner = now;
    return before;
}
