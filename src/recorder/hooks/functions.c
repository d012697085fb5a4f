// The traced functions of this process: see functions.h. Knows specs and the trace, not hooks.
#include "recorder/hooks/functions.h"

#include <errno.h>
#include <string.h>

#include "recorder/core/log.h"
#include "recorder/core/recorder.h"
#include "recorder/core/table.h"
#include "recorder/hooks/patch.h"
#include "shared/specs.h"

enum { SLOTS = 2048, PREFIXES = 1 << 16 }; // SLOTS: at least twice the names, a power of two

static const struct {
    const char *name;
    enum function_special special;
} specials[] = {
    {"dlopen", FUNCTION_DLOPEN},
    {"dlmopen", FUNCTION_DLMOPEN},
    {"dlsym", FUNCTION_DLSYM},
    {"dlvsym", FUNCTION_DLVSYM},
    {"dlclose", FUNCTION_DLCLOSE},
    {"_exit", FUNCTION_EXIT},
    {"_Exit", FUNCTION_EXIT},
    {"sqlite3_finalize", FUNCTION_FINALIZE},
    {"sqlite3_backup_init", FUNCTION_BACKUP_INIT},
    {"sqlite3_backup_finish", FUNCTION_BACKUP_FINISH},
};

// A new attach may bring other specs, while wrapped calls that began before still have the old
// ones.
static struct spec first_specs[SPECS_CAPACITY], *specs = first_specs;
static int spec_count;
static uint32_t spec_kinds[SPECS_CAPACITY]; // string references in this process's trace

enum { FUNCTIONS = SPECS_CAPACITY + sizeof specials / sizeof specials[0] };
static struct function *functions[FUNCTIONS]; // those of the present specs
static int function_count;
static struct function *known;         // all there ever were
static char *loaded_pools;             // what the specs were loaded for
static uint16_t slots[SLOTS];          // 1 + index into functions
static uint8_t prefixes[PREFIXES / 8]; // first two letters of all names: most symbols end here

static unsigned prefix_of(const char *name)
{
    unsigned char first = (unsigned char)name[0];
    return first | (first ? (unsigned)(unsigned char)name[1] << 8 : 0);
}

const struct function *function_find(const char *name)
{
    unsigned prefix = prefix_of(name);
    if (!(prefixes[prefix / 8] & 1 << prefix % 8))
        return NULL;
    for (uint64_t at = hash_bytes(name, strlen(name));; at++) {
        uint16_t slot = slots[at % SLOTS];
        if (slot == 0)
            return NULL;
        if (strcmp(functions[slot - 1]->name, name) == 0)
            return functions[slot - 1];
    }
}

static struct function *of_name(const char *name)
{
    for (struct function *function = known; function; function = function->next)
        if (strcmp(function->name, name) == 0)
            return function;
    struct function *fresh = arena_alloc(sizeof *fresh);
    if (!fresh)
        return NULL;
    fresh->name = name;
    fresh->next = known;
    return known = fresh;
}

static void add_function(const char *name, enum function_special special, const struct spec *spec)
{
    struct function *function;
    if (function_find(name)) // several specs of one name: function_spec chooses
        return;
    function = of_name(name);
    if (!function)
        return;
    function->special = special;
    function->spec = spec;
    function->ref = spec ? (uint32_t)(spec - specs) + 1 : TRACE_NONE;
    functions[function_count++] = function;
    unsigned prefix = prefix_of(name);
    prefixes[prefix / 8] |= (uint8_t)(1 << prefix % 8);
    uint64_t at = hash_bytes(name, strlen(name));
    while (slots[at % SLOTS] != 0)
        at++;
    slots[at % SLOTS] = (uint16_t)function_count;
}

static void complain(const struct specs_error *error)
{
    struct log log;
    log_open(&log);
    log_text(&log, "unclosed: pool specs not used: ");
    log_name(&log, error->source);
    if (error->error == 0) {
        log_text(&log, " line ");
        log_number(&log, (uint64_t)error->spec.line);
        log_text(&log, " column ");
        log_number(&log, (uint64_t)error->spec.column);
        log_text(&log, ": ");
        log_name(&log, error->spec.message);
    } else {
        const char *reason = strerrordesc_np(error->error);
        log_text(&log, ": ");
        log_text(&log, error->error == ENOENT ? "no such file or shipped spec"
                       : reason               ? reason
                                              : "unreadable");
    }
    log_text(&log, "; correct --pool or UNCLOSED_POOLS\n");
    log_close(&log);
}

// Whether a spec has conditions, or another one of the same name follows.
static bool is_plain(const struct spec *spec)
{
    for (int i = 0; i < spec->argument_count; i++)
        if (spec->argument[i].role == SPEC_EQUALS)
            return false;
    for (const struct spec *other = spec + 1; other < specs + spec_count; other++)
        if (!other->python && strcmp(other->function, spec->function) == 0)
            return false;
    return true;
}

static bool is_loaded(void)
{
    const char *pools = recorder_options.pools ? recorder_options.pools : "";
    return loaded_pools && strcmp(pools, loaded_pools) == 0;
}

// false: out of memory; the specs stay as they are.
static bool begin_again(void)
{
    const char *pools = recorder_options.pools ? recorder_options.pools : "";
    char *copy = arena_alloc(strlen(pools) + 1);
    struct spec *fresh =
        function_count > 0 ? arena_alloc(SPECS_CAPACITY * sizeof *fresh) : first_specs;
    if (!copy || !fresh)
        return false;
    strcpy(copy, pools);
    if (loaded_pools)
        arena_free(loaded_pools, strlen(loaded_pools) + 1);
    loaded_pools = copy;
    specs = fresh;
    function_count = 0;
    memset(slots, 0, sizeof slots);
    return true;
}

void functions_load(void)
{
    struct specs_error error = {.source = ""};
    char *text = is_loaded() ? NULL : arena_alloc(SPECS_TEXT_BYTES);
    if (!text || !begin_again()) {
        arena_free(text, SPECS_TEXT_BYTES);
        return;
    }
    spec_count =
        specs_load(recorder_options.pools, specs, SPECS_CAPACITY, text, SPECS_TEXT_BYTES, &error);
    arena_free(text, SPECS_TEXT_BYTES);
    if (error.source[0])
        complain(&error);
    for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++)
        add_function(specials[i].name, specials[i].special, NULL);
    for (int i = 0; i < spec_count; i++)
        if (!specs[i].python)
            add_function(specs[i].function, FUNCTION_TRACED, &specs[i]);
    for (int i = 0; i < function_count; i++)
        functions[i]->plain = functions[i]->spec && is_plain(functions[i]->spec);
}

const struct spec *function_spec(const struct function *function, const uint64_t argument[6])
{
    if (function->plain)
        return function->spec;
    for (const struct spec *spec = function->spec; spec < specs + spec_count; spec++) {
        if (spec != function->spec && strcmp(spec->function, function->name) != 0)
            continue;
        bool holds = !spec->python;
        for (int i = 0; i < spec->argument_count; i++)
            if (spec->argument[i].role == SPEC_EQUALS &&
                (int32_t)argument[i] != (int32_t)spec->argument[i].equals)
                holds = false;
        if (holds)
            return spec;
    }
    return NULL;
}

struct trace_function *function_record(const struct function *function)
{
    return trace_record(&recorder_trace, TRACE_FUNCTIONS, function->ref);
}

uint32_t function_kind(const struct spec *spec)
{
    return recorder_open_trace() ? spec_kinds[spec - specs] : TRACE_NONE;
}

void functions_write_all(void)
{
    for (int i = 0; i < spec_count; i++) {
        struct trace_function *record;
        spec_kinds[i] = name_intern(specs[i].kind);
        (void)trace_new_record(&recorder_trace, TRACE_FUNCTIONS, &record);
        if (!record)
            return;
        record->name = name_intern(specs[i].function);
        record->kind = spec_kinds[i];
        record->verb = specs[i].verb;
        record->asked = specs[i].asked;
        record->patch = (uint8_t)patches_outcome(specs[i].function);
    }
}

const struct spec *recorder_specs(int *count)
{
    *count = spec_count;
    return specs;
}
