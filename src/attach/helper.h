// The helper thread in the target, and calling functions on it.
//
// It is a thread like any other of the program, made by its own pthread_create: it may take locks,
// wait, use TLS. It ends when helper_end is called, or by itself when nobody has asked it for some
// seconds, and leaves no memory behind.
#ifndef UNCLOSED_ATTACH_HELPER_H
#define UNCLOSED_ATTACH_HELPER_H

#include <stddef.h>
#include <stdint.h>

#include "attach/failure.h"
#include "attach/injection.h"
#include "attach/target.h"

struct helper {
    const struct target *target;
    struct injection_plan plan;
    struct injection_result start; // how the helper was started
    uint32_t calls;
    uint64_t
        alive_at; // process_now of a moment at which the helper was certainly waiting or working
};

#define HELPER_THREAD_NAME "unclosed-helper"

// Starts the helper. Result: 0, or -errno with *failure filled in and the target as before.
int helper_begin(struct helper *helper, const struct target *target, struct failure *failure);

// Calls `function` in the target with at most six arguments, waits at most `timeout_ms`.
// Result: 0 with *result set; -ETIMEDOUT: it has not returned yet, no other call can be made;
// -ESTALE: this process was kept from asking for so long that the helper may have left; -errno.
int helper_call(struct helper *helper, uint64_t function, const uint64_t arguments[6],
                uint32_t timeout_ms, int64_t *result);

// Makes a system call in the target, with at most five arguments. Result: 0 with *answer, which is
// negative for an error number; or -errno.
int helper_system_call(struct helper *helper, long number, const uint64_t arguments[5],
                       int64_t *answer);

// The room for arguments in the target's memory, INJECTION_TEXT_BYTES long: its address, and
// storing something at an offset from it. Result of helper_store: 0 or -errno.
uint64_t helper_room(const struct helper *helper);
int helper_store(struct helper *helper, size_t offset, const void *data, size_t bytes);
int helper_load(struct helper *helper, size_t offset, void *data, size_t bytes);

// Has the helper close descriptor `number` of the target when it ends, whatever happens until then.
// slot: 0 or 1; number -1: none.
void helper_close_at_end(struct helper *helper, int slot, int number);

// Has the helper end and waits until it is gone. Result: 0, or -ETIMEDOUT if it is still in a call.
int helper_end(struct helper *helper);

#endif
