// The traced functions of this process: see functions.h. Knows specs and the trace, not hooks.
#include "recorder/hooks/functions.h"

#include <string.h>

#include "recorder/core/call_specs.h"
#include "recorder/core/intern.h"
#include "recorder/core/recorder.h"
#include "recorder/core/table.h"
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
    {"execve", FUNCTION_EXEC},
    {"execv", FUNCTION_EXEC},
    {"execvp", FUNCTION_EXEC},
    {"execvpe", FUNCTION_EXEC},
    {"posix_spawn", FUNCTION_SPAWN},
    {"posix_spawnp", FUNCTION_SPAWN},
    {"sqlite3_step", FUNCTION_CHILD},
    {"sqlite3_finalize", FUNCTION_CHILD},
    {"sqlite3_blob_close", FUNCTION_CHILD},
    {"sqlite3_backup_init", FUNCTION_CHILD},
    {"sqlite3_backup_finish", FUNCTION_CHILD},
    {"sigaction", FUNCTION_SIGACTION},
    {"__sigaction", FUNCTION_SIGACTION},
    {"signal", FUNCTION_SIGNAL},
    {"bsd_signal", FUNCTION_SIGNAL},
    {"ssignal", FUNCTION_SIGNAL},
    {"sysv_signal", FUNCTION_SIGNAL},
    {"__sysv_signal", FUNCTION_SIGNAL},
    {"sigset", FUNCTION_SIGNAL},
    {"pthread_setcanceltype", FUNCTION_CANCEL_TYPE},
    {"prctl", FUNCTION_PRCTL},
    {"seccomp", FUNCTION_SECCOMP},
    {"syscall", FUNCTION_SYSCALL},
    // Not _longjmp, for that is not what leaves a handler: libcrypto has it, and many load that.
    {"siglongjmp", FUNCTION_JUMP},
    {"longjmp", FUNCTION_JUMP},
    {"__longjmp_chk", FUNCTION_JUMP},
    {"setcontext", FUNCTION_JUMP},
    {"swapcontext", FUNCTION_JUMP},
};

// Some of them have specs, too.
static const struct {
    const char *name;
    enum function_sqlite sqlite;
} of_sqlite[] = {
    {"sqlite3_prepare", SQLITE_PREPARE},
    {"sqlite3_prepare_v2", SQLITE_PREPARE},
    {"sqlite3_prepare_v3", SQLITE_PREPARE_FLAGS},
    {"sqlite3_prepare16", SQLITE_PREPARE16},
    {"sqlite3_prepare16_v2", SQLITE_PREPARE16},
    {"sqlite3_prepare16_v3", SQLITE_PREPARE16_FLAGS},
    {"sqlite3_step", SQLITE_STEP},
    {"sqlite3_finalize", SQLITE_FINALIZE},
    {"sqlite3_blob_open", SQLITE_BLOB_OPEN},
    {"sqlite3_blob_close", SQLITE_BLOB_CLOSE},
    {"sqlite3_backup_init", SQLITE_BACKUP_INIT},
    {"sqlite3_backup_finish", SQLITE_BACKUP_FINISH},
    {"sqlite3_exec", SQLITE_EXEC},
};

static const struct spec *specs; // those of call_specs.h
static int spec_count;
static uint32_t spec_kinds[SPECS_CAPACITY]; // string references in this process's trace

enum { FUNCTIONS = SPECS_CAPACITY + sizeof specials / sizeof specials[0] };
static struct function *functions[FUNCTIONS]; // those of the present specs
static int function_count;
static struct function *known;         // all there ever were
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
    function->sqlite = SQLITE_NO_CHILD;
    for (size_t i = 0; i < sizeof of_sqlite / sizeof of_sqlite[0]; i++)
        if (strcmp(of_sqlite[i].name, name) == 0)
            function->sqlite = of_sqlite[i].sqlite;
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

void functions_load(void)
{
    if (!call_specs_load())
        return;
    specs = recorder_specs(&spec_count);
    function_count = 0;
    memset(slots, 0, sizeof slots);
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
    return spec_kinds[spec - specs];
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
    }
}
