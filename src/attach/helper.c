// See helper.h.
#include "attach/helper.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "attach/helper_layout.h"
#include "attach/process.h"

extern const uint8_t attach_blob_begin[], attach_blob_system_call[];

#define MS UINT64_C(1000000)

enum { START_MS = 20000, SYSTEM_CALL_MS = 5000, END_MS = 5000, POLL_NS = 50000 };

static uint64_t page_address(const struct helper *helper)
{
    return helper->start.base + helper->plan.page;
}

static int read_word(const struct helper *helper, size_t offset, uint32_t *value)
{
    return target_read(helper->target, page_address(helper) + offset, value, sizeof *value);
}

static int write_word(const struct helper *helper, size_t offset, uint32_t value)
{
    return target_write(helper->target, page_address(helper) + offset, &value, sizeof value);
}

// Whether the helper is certainly still there. When it has left its memory may belong to the
// program, and must not be written to.
static bool is_alive(const struct helper *helper)
{
    return process_now() - helper->alive_at < INJECTION_PATIENCE_MS * MS / 2;
}

// Waits until the 32-bit word at `offset` has the value, which the helper gives it. Result: 0,
// -ETIMEDOUT, -errno.
static int wait_for_word(struct helper *helper, size_t offset, uint32_t value, uint32_t timeout_ms)
{
    const uint64_t deadline = process_now() + timeout_ms * MS;
    for (;;) {
        uint32_t word = 0;
        const uint64_t before = process_now();
        const int error = read_word(helper, offset, &word);
        if (error != 0)
            return error;
        if (word == value)
            return 0;
        helper->alive_at = before; // the time it waits for us begins after it has changed the word
        if (process_now() >= deadline)
            return -ETIMEDOUT;
        process_sleep(POLL_NS);
    }
}

static int gone(const struct helper *helper, struct failure *failure)
{
    return failure_set(failure, ESRCH, "process %d has ended or executed another program meanwhile",
                       helper->target->pid);
}

int helper_begin(struct helper *helper, const struct target *target, struct failure *failure)
{
    int64_t created = 0;
    *helper = (struct helper){.target = target};
    int error = injection_prepare(target, &helper->plan, failure);
    if (error != 0)
        return error;
    error = injection_start(target, &helper->plan, &helper->start);
    if (error != 0) {
        *failure = helper->start.failure;
        return error;
    }
    helper->alive_at = process_now();
    error = wait_for_word(helper, HELPER_CREATED, 1, START_MS);
    if (error == -ETIMEDOUT)
        return failure_set(failure, ETIMEDOUT,
                           "the helper thread in process %d waits for a lock (malloc's or the "
                           "dynamic linker's) that the program does not release; it ends by itself "
                           "once it gets the lock; try again then",
                           target->pid);
    if (error != 0 || target_read(target, page_address(helper) + HELPER_CREATE_RESULT, &created,
                                  sizeof created) != 0)
        return gone(helper, failure);
    if (created == 0)
        return 0;
    // The raw thread is about to end or has ended; what was mapped for it is ours to remove.
    struct injection_result unmapped;
    wait_for_word(helper, HELPER_FIRST_LIVES, 0, START_MS);
    injection_unmap(target, &helper->plan, helper->start.base, &unmapped);
    return failure_set(failure, (int)created,
                       "process %d cannot create a thread: %s; raise its limits on memory and "
                       "threads (prlimit --as, --nproc)",
                       target->pid, strerror((int)created));
}

int helper_call(struct helper *helper, uint64_t function, const uint64_t arguments[6],
                uint32_t timeout_ms, int64_t *result)
{
    const uint64_t page = page_address(helper);
    const uint64_t before = process_now();
    if (!is_alive(helper))
        return -ESTALE;
    int error =
        target_write(helper->target, page + HELPER_ARGUMENTS, arguments, 6 * sizeof arguments[0]);
    if (error == 0)
        error = target_write(helper->target, page + HELPER_FUNCTION, &function, sizeof function);
    if (error == 0)
        error = write_word(helper, HELPER_ASKED, ++helper->calls);
    helper->alive_at = before;
    if (error == 0)
        error = wait_for_word(helper, HELPER_ANSWERED, helper->calls, timeout_ms);
    if (error == 0)
        error = target_read(helper->target, page + HELPER_RESULT, result, sizeof *result);
    return error;
}

int helper_system_call(struct helper *helper, long number, const uint64_t arguments[5],
                       int64_t *answer)
{
    const uint64_t function =
        helper->start.base + (uint64_t)(attach_blob_system_call - attach_blob_begin);
    uint64_t all[6] = {(uint64_t)number};
    memcpy(all + 1, arguments, 5 * sizeof all[0]);
    return helper_call(helper, function, all, SYSTEM_CALL_MS, answer);
}

uint64_t helper_room(const struct helper *helper)
{
    return helper->start.base + helper->plan.text;
}

int helper_store(struct helper *helper, size_t offset, const void *data, size_t bytes)
{
    if (offset + bytes > INJECTION_TEXT_BYTES)
        return -E2BIG;
    if (!is_alive(helper))
        return -ESTALE;
    return target_write(helper->target, helper_room(helper) + offset, data, bytes);
}

int helper_load(struct helper *helper, size_t offset, void *data, size_t bytes)
{
    return target_read(helper->target, helper_room(helper) + offset, data, bytes);
}

void helper_close_at_end(struct helper *helper, int slot, int number)
{
    const int64_t value = number;
    if (!is_alive(helper))
        return;
    target_write(helper->target, page_address(helper) + HELPER_CLOSE + slot * sizeof value, &value,
                 sizeof value);
}

int helper_end(struct helper *helper)
{
    const uint64_t deadline = process_now() + END_MS * MS;
    if (is_alive(helper) && write_word(helper, HELPER_LEAVE, 1) != 0)
        return 0; // the program is gone, and the helper with it
    while (process_has_thread_named(helper->target->pid, HELPER_THREAD_NAME)) {
        if (process_now() >= deadline)
            return -ETIMEDOUT;
        process_sleep(POLL_NS * 4);
    }
    return 0;
}
