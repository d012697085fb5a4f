// See patch.h.
//
// Memory near a module is looked for below it: above the executable is where its heap grows.
#include "recorder/hooks/patch.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/core/arena.h"
#include "recorder/core/call_specs.h"
#include "recorder/core/journal.h"
#include "recorder/core/log.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/functions.h"
#include "recorder/hooks/hook.h"
#include "recorder/hooks/patch_code.h"
#include "recorder/hooks/sqlite_api.h"
#include "recorder/hooks/stubs.h"
#include "shared/patch_plan.h"
#include "shared/patch_table.h"
#include "shared/trace_words.h"

enum {
    MOST = PATCH_TABLE_RECORDS,
    NEAR_BYTES = MOST * PATCH_CODE_BYTES, // for one module, at most
    STEP = 1 << 16,                       // between places that are tried
    TRIES = 1 << 13,                      // 512 MB: displacements of 32 bits reach 2 GB
    LOWEST = 1 << 16,                     // the kernel maps nothing below (vm.mmap_min_addr)
    TEXT_PROTECTION = PROT_READ | PROT_EXEC,
};

// Read by the command line, by name.
__attribute__((visibility("default"))) extern struct patch_table unclosed_patches;
struct patch_table unclosed_patches = {.version = PATCH_TABLE_VERSION};

static const char *plan; // a copy: the program may write over its environment

// What became of the functions that the plan names; some may be in several modules.
static struct outcome {
    const char *name;
    enum trace_patch outcome;
} outcomes[MOST];
static int outcome_count;
static const char *record_names[MOST]; // of the table's records

// One module's patches under way.
struct work {
    const struct module *module;
    struct sqlite_symbol symbols[SQLITE_SYMBOLS];
    int symbol_count;
    uint8_t *near, *next; // memory near it
    struct {
        struct patch_record *record;
        const struct function *function;
    } prepared[MOST];
    int prepared_count;
};

void patches_load(void)
{
    const char *text = recorder_options.patches;
    plan = NULL;
    outcome_count = 0;
    for (uint32_t i = 0; i < unclosed_patches.count; i++)
        if (unclosed_patches.records[i].state == PATCH_PREPARED)
            unclosed_patches.records[i].state = PATCH_KNOWN;
    if (!text || !*text)
        return;
    size_t bytes = strlen(text) + 1;
    char *copy = arena_alloc(bytes);
    if (copy)
        plan = memcpy(copy, text, bytes);
}

static bool was_worse(enum trace_patch one, enum trace_patch other)
{
    bool one_good = one <= TRACE_PATCH_DONE, other_good = other <= TRACE_PATCH_DONE;
    return one_good == other_good ? one > other : !one_good;
}

// What became of the function of this name.
static enum trace_patch outcome_of(const char *name)
{
    enum trace_patch found = TRACE_PATCH_NONE;
    lock_take(&hooks_lock);
    for (int i = 0; i < outcome_count; i++)
        if (strcmp(outcomes[i].name, name) == 0)
            found = outcomes[i].outcome;
    lock_give(&hooks_lock);
    return found;
}

static void write_outcome(const struct function *function)
{
    struct trace_function *record =
        function->special == FUNCTION_TRACED ? function_record(function) : NULL;
    if (record)
        record->patch = (uint8_t)outcome_of(function->name);
}

// In which module something went wrong does not matter: some calls may not be seen.
static void say_outcome(const char *name, enum trace_patch outcome)
{
    struct log log;
    const char *reason = trace_words_patch(outcome);
    if (!log_begin(&log, reason ? "not all calls seen: " : "patched: "))
        return;
    log_name(&log, name);
    log_text(&log, reason ? ": " : "");
    log_text(&log, reason ? reason : "");
    log_end(&log);
}

static void note_outcome(const char *name, enum trace_patch outcome)
{
    const struct function *function = function_find(name);
    if (!function)
        return;
    say_outcome(name, outcome);
    lock_take(&hooks_lock);
    int i = 0;
    while (i < outcome_count && strcmp(outcomes[i].name, name) != 0)
        i++;
    if (i < MOST) {
        if (i == outcome_count)
            outcomes[outcome_count++] = (struct outcome){function->name, outcome};
        else if (was_worse(outcome, outcomes[i].outcome))
            outcomes[i].outcome = outcome;
    }
    lock_give(&hooks_lock);
    if (function->special == FUNCTION_TRACED && outcome > TRACE_PATCH_DONE &&
        outcome != TRACE_PATCH_BUSY)
        journal_add(JOURNAL_UNPATCHED, outcome, name);
    if (recorder_trace.header && !recorder_is_forked())
        write_outcome(function);
}

void patches_write_all(void)
{
    int count;
    const struct spec *specs = recorder_specs(&count);
    for (int i = 0; i < count; i++) { // several may be of one name
        struct trace_function *record =
            trace_record(&recorder_trace, TRACE_FUNCTIONS, (uint32_t)i + 1);
        if (record)
            record->patch = (uint8_t)outcome_of(specs[i].function);
    }
}

static int hex(char byte)
{
    return byte >= '0' && byte <= '9' ? byte - '0' : byte - 'a' + 10;
}

static bool is_build(const char *id, const struct module *module)
{
    for (int i = 0; i < module->build_id_bytes; i++, id += 2)
        if ((hex(id[0]) << 4 | hex(id[1])) != module->build_id[i])
            return false;
    return *id == '\n' && module->build_id_bytes > 0;
}

// t<size>.<checksum>: without a build-id the text itself is looked at.
static bool is_text(const char *id, const struct module *module)
{
    uint64_t size = 0, sum = 0;
    for (; *id != '.' && *id != '\n'; id++)
        size = size << 4 | (uint64_t)hex(*id);
    for (id += *id == '.'; *id != '\n'; id++)
        sum = sum << 4 | (uint64_t)hex(*id);
    return module->build_id_bytes == 0 && size == module->text_end - module->text_start &&
           patch_plan_checksum((const void *)module->text_start, size) == sum; // NOLINT
}

static bool is_module(const char *id, const struct module *module)
{
    if (strspn(id + 1, "0123456789abcdef.") != strcspn(id + 1, "\n"))
        return false;
    return id[0] == 'b' ? is_build(id + 1, module) : id[0] == 't' && is_text(id + 1, module);
}

static uint8_t *map_at(uint64_t address)
{
    void *wanted = (void *)address; // NOLINT(performance-no-int-to-ptr)
    long got = syscall(SYS_mmap, wanted, (size_t)NEAR_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0L);
    if (got == -1)
        return NULL;
    if ((uint64_t)got == address)
        return (uint8_t *)got;             // NOLINT(performance-no-int-to-ptr)
    (void)munmap((void *)got, NEAR_BYTES); // a kernel before 4.17 takes it for a hint; NOLINT
    return NULL;
}

static uint8_t *map_near(const struct module *module)
{
    uint64_t below = module->start & ~(uint64_t)(STEP - 1);
    uint64_t above = (module->end + STEP - 1) & ~(uint64_t)(STEP - 1);
    uint8_t *found = NULL;
    for (int i = 0; i < TRIES && !found && below >= LOWEST + STEP; i++) {
        below -= STEP;
        found = map_at(below);
    }
    for (int i = 0; i < TRIES && !found && module->name[0]; i++, above += STEP)
        found = map_at(above);
    return found;
}

static struct patch_record *find_record(uint64_t address)
{
    struct patch_table *table = &unclosed_patches;
    for (uint32_t i = 0; i < table->count; i++)
        if (table->records[i].state != PATCH_UNUSED && table->records[i].address == address)
            return &table->records[i];
    return NULL;
}

static struct patch_record *new_record(const char *name)
{
    struct patch_table *table = &unclosed_patches;
    struct patch_record *record = NULL;
    uint32_t i = 0;
    lock_take(&hooks_lock);
    while (i < table->count && table->records[i].state != PATCH_UNUSED)
        i++;
    if (i < MOST) {
        record = &table->records[i];
        record->state = PATCH_KNOWN;
        record_names[i] = name;
        if (i == table->count)
            table->count++;
    }
    lock_give(&hooks_lock);
    return record;
}

// Whether all of the function is in memory as it is in the file. A patch of ours is taken for what
// was there before.
static bool is_as_planned(const struct work *work, const struct patch_step *step,
                          const struct patch_record *known)
{
    const struct module *module = work->module;
    uint64_t start = module->bias + step->function;
    if (module->text_flags != (PF_R | PF_X) || start < module->text_start ||
        start + step->size > module->text_end)
        return false;
    const uint8_t *text = (const uint8_t *)start; // NOLINT(performance-no-int-to-ptr)
    if (!known || known->state != PATCH_WRITTEN)
        return patch_plan_checksum(text, step->size) == step->checksum;
    return memcmp(text + step->skipped, known->jump, sizeof known->jump) == 0;
}

// Fills in a new record. Result: NONE, or why it cannot be done.
static enum trace_patch fill_record(struct work *work, const struct patch_step *step,
                                    struct hook *hook, struct patch_record *record)
{
    uint64_t address = work->module->bias + step->function + step->skipped;
    if (!work->near)
        work->near = work->next = map_near(work->module);
    if (!work->near)
        return TRACE_PATCH_MEMORY;
    if (!patch_code_write(work->next, step, work->module->bias, (uint32_t)(hook - hooks)) ||
        !patch_code_jump(address, work->next, record->jump))
        return TRACE_PATCH_MEMORY;
    record->address = address;
    record->target_slot = (uint64_t)(uintptr_t)&hook->real;
    record->plain = work->module->bias + step->function;
    record->moved = (uint64_t)(uintptr_t)work->next + PATCH_CODE_MOVED;
    record->displaced = step->displaced;
    memcpy(record->bytes, (const void *)address, step->displaced); // NOLINT
    work->next += PATCH_CODE_BYTES;
    return TRACE_PATCH_NONE;
}

static enum trace_patch prepare(struct work *work, const struct patch_step *step)
{
    const struct function *function = function_find(step->name);
    uint64_t start = work->module->bias + step->function;
    struct patch_record *record = find_record(start + step->skipped);
    if (!function)
        return TRACE_PATCH_NONE;
    if (!is_as_planned(work, step, record))
        return TRACE_PATCH_CHANGED;
    const struct sqlite_api *sqlite =
        sqlite_api_inside(function, work->module, work->symbols, work->symbol_count);
    struct hook *hook = stub_of_entry(function, start, sqlite);
    if (!hook || work->prepared_count == MOST)
        return TRACE_PATCH_FULL;
    if (!record || record->target_slot != (uint64_t)(uintptr_t)&hook->real) {
        if (record) // another one's: its hook was given away
            return TRACE_PATCH_FULL;
        record = new_record(function->name);
        enum trace_patch problem =
            record ? fill_record(work, step, hook, record) : TRACE_PATCH_FULL;
        if (problem != TRACE_PATCH_NONE) {
            if (record)
                record->state = PATCH_UNUSED;
            return problem;
        }
    }
    if (record->state != PATCH_WRITTEN)
        record->state = PATCH_PREPARED;
    record->good = (uint8_t)step->outcome;
    work->prepared[work->prepared_count].record = record;
    work->prepared[work->prepared_count++].function = function;
    return TRACE_PATCH_NONE;
}

static bool is_single_threaded(void)
{
    struct stat status;
    return stat("/proc/self/task", &status) == 0 && status.st_nlink == 3; // 2 and one per thread
}

// No other thread runs: nothing can be in these bytes.
static bool write_jump(struct patch_record *record)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    void *start = (void *)(record->address & ~(page - 1)); // NOLINT(performance-no-int-to-ptr)
    // All at once or not at all: where adding execution is forbidden, so is this.
    if (mprotect(start, page, TEXT_PROTECTION | PROT_WRITE) != 0)
        return false;
    __atomic_store_n((uint64_t *)record->target_slot, record->moved, __ATOMIC_RELEASE); // NOLINT
    memcpy((void *)record->address, record->jump, sizeof record->jump);                 // NOLINT
    record->state = PATCH_WRITTEN;
    (void)mprotect(start, page, TEXT_PROTECTION);
    return true;
}

static void write_all(struct work *work)
{
    bool alone = is_single_threaded();
    // Code that has not been run before, and will not be written to again.
    bool sealed = !work->near || mprotect(work->near, NEAR_BYTES, TEXT_PROTECTION) == 0;
    for (int i = 0; i < work->prepared_count; i++) {
        struct patch_record *record = work->prepared[i].record;
        enum trace_patch outcome = (enum trace_patch)record->good;
        if (!sealed) {
            outcome = TRACE_PATCH_MEMORY;
            record->state = PATCH_UNUSED;
        } else if (record->state == PATCH_WRITTEN) {
            ;
        } else if (recorder_attached) {
            outcome = TRACE_PATCH_BUSY; // until patches_written
        } else if (!alone) {
            outcome = TRACE_PATCH_THREADS;
        } else if (!write_jump(record)) {
            outcome = TRACE_PATCH_MEMORY;
        }
        note_outcome(work->prepared[i].function->name, outcome);
    }
    if (!sealed || work->prepared_count == 0) {
        if (work->near)
            (void)munmap(work->near, NEAR_BYTES);
    }
}

static void take_step(struct work *work, const struct patch_step *step)
{
    if (step->is_symbol) {
        if (work->symbol_count < SQLITE_SYMBOLS) {
            struct sqlite_symbol *symbol = &work->symbols[work->symbol_count++];
            memcpy(symbol->name, step->name,
                   strnlen(step->name, sizeof symbol->name - 1)); // cut off: then it matches none
            symbol->address = work->module->bias + step->function;
        }
        return;
    }
    enum trace_patch outcome = step->outcome;
    if (step->bytes > 0)
        outcome = patch_code_prepare() ? prepare(work, step) : TRACE_PATCH_PROCESSOR;
    if (outcome != TRACE_PATCH_NONE)
        note_outcome(step->name, outcome);
}

void patches_module(const struct module *module)
{
    const char *text = plan, *id;
    while (text && (id = patch_plan_module(&text))) {
        if (!is_module(id, module))
            continue;
        struct work *work = arena_alloc(sizeof *work);
        if (!work)
            return;
        struct patch_step *step = arena_alloc(sizeof *step);
        work->module = module;
        while (step && patch_plan_step(&text, step))
            take_step(work, step);
        write_all(work);
        arena_free(step, sizeof *step);
        arena_free(work, sizeof *work);
        return;
    }
}

void patches_drop_unmapped(void)
{
    struct patch_table *table = &unclosed_patches;
    struct module module;
    for (uint32_t i = 0; i < table->count; i++) {
        struct patch_record *record = &table->records[i];
        if (record->state != PATCH_UNUSED &&
            !(module_find(record->address, &module) && module.hooked))
            record->state = PATCH_UNUSED;
    }
}

void patches_written(void)
{
    for (uint32_t i = 0; i < unclosed_patches.count; i++) {
        const struct patch_record *record = &unclosed_patches.records[i];
        if (record->state == PATCH_UNUSED)
            continue;
        lock_take(&hooks_lock);
        for (int j = 0; j < outcome_count; j++)
            if (strcmp(outcomes[j].name, record_names[i]) == 0 &&
                outcomes[j].outcome == TRACE_PATCH_BUSY && record->state == PATCH_WRITTEN)
                outcomes[j].outcome = (enum trace_patch)record->good;
        lock_give(&hooks_lock);
        note_outcome(record_names[i], TRACE_PATCH_NONE); // writes down what it is now
    }
}
