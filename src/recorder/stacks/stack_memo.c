// Stacks seen before: see stack_memo.h. Knows what a stack looks like in memory, not how to unwind.
//
// A stack is the same as before if every return address on it is the same and lies at the same
// place. Where the next one lies follows from the one before, by the unwind information of its
// code: at a fixed distance, or at a fixed distance from a frame pointer, which an inner function
// has saved. So, if all return addresses and all saved frame pointers are where they were and what
// they were, from the innermost on, the unwinder would walk the same way again. Reading them is
// several times faster than unwinding.
//
// Most code uses the frame pointer as a register like any other. What was saved then is anything,
// and often another thing each time. Whether a function's frame is found by the frame pointer is
// said by its unwind information, so it is so always or never; and if it is, the frame pointer is
// an address on the stack. A saved value that was none does not matter, then and ever.
#include "recorder/stacks/stack_memo.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "recorder/core/arch.h"
#include "recorder/core/table.h"
#include "recorder/stacks/own_code.h"
#include "recorder/stacks/unwind.h"

enum {
    MEMOS = 4,    // a thread acquires in few places at a time
    CHECKS = 128, // words of a stack that are compared
    PATIENCE = 8, // times a stack must be met before it is worth remembering
    IMPATIENT = 1 << 16,
};

struct memo {
    const uint64_t *return_slot; // the key; NULL: free
    uint64_t return_address;
    uint32_t checks; // 0: a candidate
    uint32_t frames;
    uint32_t misses; // times it was met since it was chosen or last recalled
    uint32_t others; // met at its place since it was last met itself
    uint32_t patience;
    bool cut;
    uint64_t hash;                // of the frames
    uint64_t frame[STACK_FRAMES]; // the return addresses that are the program's
    struct check {                // return addresses and saved frame pointers
        const uint64_t *word;
        uint64_t value;
    } check[CHECKS];
};
struct memory {
    unsigned epoch;
    struct memo memo[MEMOS];
};

static atomic_uint epoch = 1;
static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static bool has_key;
static __thread struct memory *memory __attribute__((tls_model("initial-exec")));

static void give_back(void *block)
{
    memory = NULL;
    arena_free(block, sizeof(struct memory));
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, give_back) == 0;
}

// This thread's memory, made at the first use and given back when the thread ends.
static struct memory *get_memory(void)
{
    unsigned now = atomic_load_explicit(&epoch, memory_order_relaxed);
    if (!memory) {
        (void)pthread_once(&key_once, make_key);
        struct memory *fresh = has_key ? arena_alloc(sizeof *fresh) : NULL;
        if (!fresh)
            return NULL;
        if (pthread_setspecific(key, fresh) != 0) {
            arena_free(fresh, sizeof *fresh);
            return NULL;
        }
        memory = fresh;
    }
    if (memory->epoch != now) {
        memset(memory, 0, sizeof *memory);
        memory->epoch = now;
    }
    return memory;
}

void stack_memo_forget(void)
{
    atomic_fetch_add(&epoch, 1);
}

static struct memo *memo_of(struct memory *all, const struct stack_origin *origin)
{
    uint64_t hash = (uint64_t)(uintptr_t)origin->return_slot ^ *origin->return_slot;
    return &all->memo[(hash ^ hash >> 4 ^ hash >> 8) % MEMOS];
}

static bool is_key(const struct memo *memo, const struct stack_origin *origin)
{
    return memo->return_slot == origin->return_slot && memo->return_address == *origin->return_slot;
}

static bool is_unchanged(const struct memo *memo)
{
    const struct check *check = memo->check, *end = check + memo->checks;
    while (check < end && *check->word == check->value)
        check++;
    return check == end;
}

bool stack_memo_recall(const struct stack_origin *origin, struct stack *stack)
{
    struct memory *all = memory;
    if (!all || all->epoch != atomic_load_explicit(&epoch, memory_order_relaxed))
        return false;
    struct memo *memo = memo_of(all, origin);
    if (memo->checks == 0 || !is_key(memo, origin) || !is_unchanged(memo) ||
        stack->count + memo->frames > STACK_FRAMES)
        return false;
    memcpy(stack->frames + stack->count, memo->frame, memo->frames * sizeof memo->frame[0]);
    stack->hash = stack->count == 0 ? memo->hash : 0;
    stack->count += memo->frames;
    stack->cut = memo->cut;
    memo->misses = memo->others = 0;
    return true;
}

bool stack_memo_wants(const struct stack_origin *origin)
{
    struct memory *all = get_memory();
    if (!all)
        return false;
    struct memo *memo = memo_of(all, origin);
    if (!is_key(memo, origin)) {
        // A memo stays while it is hit; another one replaces it after PATIENCE others in a row.
        if (memo->return_slot && ++memo->others < PATIENCE)
            return false;
        memo->checks = memo->misses = memo->others = 0;
        memo->return_slot = origin->return_slot;
        memo->return_address = *origin->return_slot;
        memo->patience = PATIENCE;
        return false;
    }
    memo->others = 0;
    if (++memo->misses < memo->patience)
        return false;
    // A stack that begins alike and goes on differently each time is not worth the effort.
    memo->misses = 0;
    memo->patience = memo->patience < IMPATIENT ? memo->patience * 4 : IMPATIENT;
    return true;
}

// What is compared of a stack, while it is walked.
struct walked {
    struct memo *memo;
    bool is_frame[CHECKS];     // whether that check is a saved frame pointer
    const uint64_t *last_slot; // of the outermost return address so far
};

static bool add_word(struct walked *walked, const uint64_t *word, bool is_frame)
{
    struct memo *memo = walked->memo;
    if (memo->checks == CHECKS)
        return false;
    walked->is_frame[memo->checks] = is_frame;
    memo->check[memo->checks++] = (struct check){word, *word};
    return true;
}

static bool walk(struct walked *walked, void *const *frames, uint32_t count,
                 bool (*next)(void *data, struct stack_step *step), void *data)
{
    const uint64_t *last_frame_slot = NULL;
    struct memo *memo = walked->memo;
    struct stack_step step;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t address = (uint64_t)(uintptr_t)frames[i];
        if (!next(data, &step) || step.address != address ||
            ARCH_SAVED_ADDRESS(*step.slot) != address || step.slot <= walked->last_slot)
            return false;
        walked->last_slot = step.slot;
        if (!add_word(walked, step.slot, false))
            return false;
        if (!own_code_has(address))
            memo->frame[memo->frames++] = address;
        if (step.frame_slot && step.frame_slot != last_frame_slot &&
            !add_word(walked, step.frame_slot, true))
            return false;
        last_frame_slot = step.frame_slot;
    }
    return true;
}

// Drops the saved frame pointers by which no frame was found: those that are no addresses on the
// stack from `first` to the outermost return address.
static void drop_plain_registers(struct walked *walked, const uint64_t *first)
{
    struct memo *memo = walked->memo;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < memo->checks; i++) {
        uint64_t value = memo->check[i].value;
        bool on_stack =
            value >= (uint64_t)(uintptr_t)first && value <= (uint64_t)(uintptr_t)walked->last_slot;
        if (!walked->is_frame[i] || on_stack)
            memo->check[kept++] = memo->check[i];
    }
    memo->checks = kept;
}

void stack_memo_keep(const struct stack_origin *origin, void *const *frames, uint32_t count,
                     bool cut, bool (*next)(void *data, struct stack_step *step), void *data)
{
    struct memory *all = get_memory();
    struct memo *memo = all ? memo_of(all, origin) : NULL;
    if (!memo || !is_key(memo, origin))
        return;
    memo->checks = memo->frames = 0;
    memo->cut = cut;
    struct walked walked = {.memo = memo};
    // The caller's frame pointer, which the wrapper has saved, is the first thing to compare.
    if (add_word(&walked, origin->frame_slot, true) && walk(&walked, frames, count, next, data))
        drop_plain_registers(&walked, origin->frame_slot);
    else
        memo->checks = 0;
    memo->hash = stack_hash(memo->frame, memo->frames);
}
