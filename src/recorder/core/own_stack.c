// Stacks of the recorder's own: see own_stack.h. Knows nothing of what is done there.
#include "recorder/core/own_stack.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/core/confined.h"
#include "recorder/core/shield.h"

enum { GUARD_BYTES = 64 << 10 }; // at least a page, whatever its size

// own_stack_*.S: calls work(data) with the stack pointer at `top`, which is aligned to 16.
void own_stack_switch(void (*work)(void *data), void *data, void *top);

atomic_bool own_stack_has_signal_stacks;

static struct slot {
    _Alignas(64) atomic_bool taken; // two processors do not share a line
    char *top;                      // NULL: not made yet; only by who has taken it
} slots[OWN_STACKS];

// The one that this thread had last, if any: it is there if its stack pointer says so.
static __thread struct slot *last __attribute__((tls_model("initial-exec")));

static __attribute__((noinline, cold)) char *make(void)
{
    const size_t bytes = GUARD_BYTES + OWN_STACK_BYTES;
    if (is_confined())
        return NULL;
    char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    if (mprotect(start, GUARD_BYTES, PROT_NONE) != 0) {
        (void)munmap(start, bytes);
        return NULL;
    }
    return start + bytes;
}

static bool try_to_take(struct slot *slot)
{
    return !atomic_load_explicit(&slot->taken, memory_order_relaxed) &&
           !atomic_exchange_explicit(&slot->taken, true, memory_order_acquire);
}

static void give_back(struct slot *slot)
{
    atomic_store_explicit(&slot->taken, false, memory_order_release);
}

static struct slot *take(void)
{
    for (int i = 0; i < OWN_STACKS; i++) {
        struct slot *slot = &slots[i];
        if (!try_to_take(slot))
            continue;
        if (slot->top || (slot->top = make()))
            return slot;
        give_back(slot);
        return NULL;
    }
    return NULL;
}

struct shielded {
    void (*work)(void *data);
    void *data;
    struct slot *slot;
    stack_t signal_stack;
    struct shield shield;
};

// The thread has left its signal stack, and so may say that there is none meanwhile: what the
// processor finds cannot be held back.
static void work_without_signal_stack(void *data)
{
    struct shielded *shielded = data;
    const stack_t none = {.ss_flags = SS_DISABLE};
    (void)syscall(SYS_sigaltstack, &none, NULL);
    shielded->work(shielded->data);
    shielded->signal_stack.ss_flags &= ~SS_ONSTACK;
    (void)syscall(SYS_sigaltstack, &shielded->signal_stack, NULL);
}

// Some handler runs on a signal stack; perhaps the one that this thread is in.
static __attribute__((noinline)) void call_carefully(void (*work)(void *data), void *data,
                                                     struct slot *slot)
{
    // All at the other end of that stack, because there is little room here.
    struct shielded *call = (struct shielded *)(slot->top - OWN_STACK_BYTES);
    *call = (struct shielded){.work = work, .data = data, .slot = slot};
    __asm__ volatile("" : "+r"(call)::"memory"); // also for the compiler
    if (is_confined() || syscall(SYS_sigaltstack, NULL, &call->signal_stack) != 0) {
        call->work(call->data);
    } else if (!(call->signal_stack.ss_flags & SS_ONSTACK)) {
        own_stack_switch(call->work, call->data, call->slot->top);
    } else {
        shield_hold_signals(&call->shield);
        own_stack_switch(work_without_signal_stack, call, call->slot->top);
        shield_down(&call->shield);
    }
    give_back(call->slot);
}

// It has none yet, or a signal handler has interrupted it there.
static __attribute__((noinline)) void call_first(void (*work)(void *data), void *data)
{
    struct slot *slot = take();
    if (!slot) {
        work(data);
        return;
    }
    last = slot;
    call_carefully(work, data, slot);
}

void own_stack_call(void (*work)(void *data), void *data)
{
    struct slot *slot = last;
    const char *now = __builtin_frame_address(0);
    if (__builtin_expect(slot && (size_t)(slot->top - now) < OWN_STACK_BYTES, 0)) {
        work(data);
    } else if (__builtin_expect(!slot || !try_to_take(slot), 0)) {
        call_first(work, data);
    } else if (__builtin_expect(
                   atomic_load_explicit(&own_stack_has_signal_stacks, memory_order_relaxed), 0)) {
        call_carefully(work, data, slot);
    } else {
        own_stack_switch(work, data, slot->top);
        give_back(slot);
    }
}
