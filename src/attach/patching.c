// See patching.h.
#include "attach/patching.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#include "attach/arch.h"
#include "attach/child.h"
#include "attach/freeze.h"
#include "attach/process.h"
#include "shared/patch_table.h"

#define MS UINT64_C(1000000)

enum {
    ATTEMPTS = 20,
    BETWEEN_MS = 3,     // attempts
    STOP_MS = 1000,     // for all threads to stop
    STACK_WORDS = 4096, // of each thread, in which a signal frame is looked for
};

struct work {
    const struct target *target;
    uint64_t table; // its address
    bool restore;   // or write
    struct patch_table copy;
    struct patching_result *result;
};

static uint64_t record_address(const struct work *work, uint32_t index)
{
    return work->table + offsetof(struct patch_table, records) +
           index * sizeof(struct patch_record);
}

static bool read_table(struct work *work)
{
    struct patch_table *copy = &work->copy;
    return target_read(work->target, work->table, copy, sizeof *copy) == 0 &&
           copy->version == PATCH_TABLE_VERSION && copy->count <= PATCH_TABLE_RECORDS;
}

static int set_state(const struct work *work, uint32_t index, enum patch_state state)
{
    const uint8_t byte = (uint8_t)state;
    return target_write(work->target,
                        record_address(work, index) + offsetof(struct patch_record, state), &byte,
                        sizeof byte);
}

// Whether the bytes at the record's address are these.
static bool has_bytes(const struct work *work, const struct patch_record *record,
                      const uint8_t *bytes, size_t count)
{
    uint8_t found[PATCH_BYTES];
    return count <= sizeof found && target_read(work->target, record->address, found, count) == 0 &&
           memcmp(found, bytes, count) == 0;
}

static bool read_thread(pid_t tid, uint64_t *counter, uint64_t *stack)
{
    struct arch_registers registers;
    if (arch_read_registers(tid, &registers) != 0)
        return false;
    *counter = arch_program_counter(&registers);
    *stack = arch_stack_pointer(&registers);
    return true;
}

// Marks the records inside of whose bytes `address` is.
static void mark_busy(const struct patch_table *table, uint64_t address, bool *busy)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct patch_record *record = &table->records[i];
        if (address > record->address && address < record->address + record->displaced)
            busy[i] = true;
    }
}

// No call is among the bytes, so that an address inside of them on a stack was put there by a
// signal, or is garbage.
static void look_at_thread(const struct work *work, pid_t tid, uint64_t low, uint64_t high,
                           bool *busy)
{
    static uint64_t words[STACK_WORDS];
    const uint64_t page = 4096;
    uint64_t counter = 0;
    uint64_t stack = 0;
    if (!read_thread(tid, &counter, &stack)) {
        memset(busy, true, PATCH_TABLE_RECORDS);
        return;
    }
    mark_busy(&work->copy, counter, busy);
    stack &= ~UINT64_C(7);
    size_t count = 0;
    if (target_read(work->target, stack, words, sizeof words) == 0)
        count = STACK_WORDS;
    while (count < STACK_WORDS) { // it ends before: page by page
        const uint64_t at = stack + count * sizeof *words;
        size_t bytes = page - at % page;
        if (bytes > (STACK_WORDS - count) * sizeof *words)
            bytes = (STACK_WORDS - count) * sizeof *words;
        if (target_read(work->target, at, words + count, bytes) != 0)
            break;
        count += bytes / sizeof *words;
    }
    for (size_t i = 0; i < count; i++)
        if (words[i] > low && words[i] < high)
            mark_busy(&work->copy, words[i], busy);
}

static void find_busy(const struct work *work, const struct freeze *freeze, bool *busy)
{
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;
    memset(busy, false, PATCH_TABLE_RECORDS);
    for (uint32_t i = 0; i < work->copy.count; i++) {
        const struct patch_record *record = &work->copy.records[i];
        if (record->state != PATCH_PREPARED)
            continue;
        low = record->address < low ? record->address : low;
        high =
            record->address + record->displaced > high ? record->address + record->displaced : high;
    }
    for (size_t i = 0; i < freeze->count; i++)
        look_at_thread(work, freeze->threads[i]->tid, low, high, busy);
}

// Calls that come by another way go on to the moved instructions first; then the entry leads here.
static bool write_one(const struct work *work, uint32_t index)
{
    const struct patch_record *record = &work->copy.records[index];
    if (!has_bytes(work, record, record->bytes, record->displaced) ||
        target_write(work->target, record->target_slot, &record->moved, sizeof record->moved) != 0)
        return false;
    if (set_state(work, index, PATCH_WRITTEN) == 0 &&
        target_write(work->target, record->address, record->jump, sizeof record->jump) == 0)
        return true;
    (void)set_state(work, index, PATCH_PREPARED);
    return false;
}

static bool restore_one(const struct work *work, uint32_t index)
{
    const struct patch_record *record = &work->copy.records[index];
    const bool ours = has_bytes(work, record, record->jump, sizeof record->jump);
    if (!ours && !has_bytes(work, record, record->bytes, record->displaced))
        return false;
    if (ours && target_write(work->target, record->address, record->bytes, PATCH_JUMP_BYTES) != 0)
        return false;
    (void)target_write(work->target, record->target_slot, &record->plain, sizeof record->plain);
    (void)set_state(work, index, PATCH_KNOWN);
    return true;
}

// With all threads stopped. Result: how many could not be done.
static uint32_t write_frozen(struct work *work, const struct freeze *freeze)
{
    bool busy[PATCH_TABLE_RECORDS];
    uint32_t left = 0;
    find_busy(work, freeze, busy);
    for (uint32_t i = 0; i < work->copy.count; i++) {
        if (work->copy.records[i].state != PATCH_PREPARED)
            continue;
        if (!busy[i] && write_one(work, i))
            work->result->written++;
        else
            left++;
    }
    return left;
}

static uint32_t restore_frozen(struct work *work, const struct freeze *freeze)
{
    uint32_t left = 0;
    (void)freeze; // a jump is one instruction: nobody can be in its middle
    for (uint32_t i = 0; i < work->copy.count; i++) {
        if (work->copy.records[i].state != PATCH_WRITTEN)
            continue;
        if (restore_one(work, i))
            work->result->restored++;
        else
            left++;
    }
    return left;
}

static bool has_state(const struct patch_table *table, enum patch_state state)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (table->records[i].state == state)
            return true;
    return false;
}

static void work_in_attempts(void *data)
{
    struct work *work = data;
    struct patching_result *result = work->result;
    int error = 0;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct freeze freeze;
        if (!read_table(work)) {
            error = -ESRCH;
            break;
        }
        if (!has_state(&work->copy, work->restore ? PATCH_WRITTEN : PATCH_PREPARED))
            break;
        error = freeze_begin(&freeze, work->target, process_now() + STOP_MS * MS);
        if (error == 0) {
            result->left =
                work->restore ? restore_frozen(work, &freeze) : write_frozen(work, &freeze);
            const uint64_t pause = freeze_end(&freeze);
            result->pause_ns = pause > result->pause_ns ? pause : result->pause_ns;
            if (result->left == 0)
                break;
        } else if (error != -ETIMEDOUT) {
            break;
        }
        process_sleep(BETWEEN_MS * MS);
    }
    if (error != 0)
        failure_set(&result->failure, -error,
                    error == -ETIMEDOUT
                        ? "the threads of process %d cannot all be stopped at once; try again"
                        : "the functions of process %d cannot be patched: %s",
                    work->target->pid, strerror(-error));
}

static int run_in_child(const struct target *target, uint64_t table, bool restore,
                        struct patching_result *result)
{
    static struct work work; // large
    const struct child_work child = {.run = work_in_attempts,
                                     .data = &work,
                                     .result = result,
                                     .result_bytes = sizeof *result,
                                     .purpose = "patch functions"};
    struct failure failure;
    *result = (struct patching_result){0};
    work = (struct work){.target = target, .table = table, .restore = restore, .result = result};
    if (child_run(&child, target->pid, &failure) != 0)
        *result = (struct patching_result){.failure = failure};
    return -result->failure.error;
}

int patching_write(const struct target *target, uint64_t table, struct patching_result *result)
{
    return run_in_child(target, table, false, result);
}

int patching_restore(const struct target *target, uint64_t table, struct patching_result *result)
{
    return run_in_child(target, table, true, result);
}
