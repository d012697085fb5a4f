// Perl: who closes a handle. See perl.h.
//
// The native stack tells. A method that Perl code calls is called by the loop that runs Perl code;
// DESTROY is called by whatever frees the object. What frees it is Perl code, the end of the
// program, or global destruction.
#include "recorder/runtimes/perl/perl.h"

#include <stdatomic.h>
#include <string.h>

#include "recorder/core/intern.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/native.h"
#include "recorder/runtimes/perl/frames.h"
#include "recorder/stacks/capture.h"

static atomic_bool found;
static bool closers;

// Functions of Perl's, by which a stack is read.
enum function {
    LOOP,       // runs Perl code
    DEBUG_LOOP, // the same under the debugger
    CALL,       // calls Perl code or a method from C
    FREE,       // frees an object, which calls DESTROY
    CLEAR,      // likewise
    LIST,       // runs BEGIN and END blocks
    DESTRUCT,   // the end of the interpreter: END blocks, then global destruction
    LEAVE,      // the end of the program: what file scopes have goes
    FAIL,       // likewise, by an exception that nobody caught
    FUNCTIONS
};
static const char *const names[FUNCTIONS] = {
    [LOOP] = "Perl_runops_standard", [DEBUG_LOOP] = "Perl_runops_debug",
    [CALL] = "Perl_call_sv",         [FREE] = "Perl_sv_free2",
    [CLEAR] = "Perl_sv_clear",       [LIST] = "Perl_call_list",
    [DESTRUCT] = "perl_destruct",    [LEAVE] = "Perl_my_exit",
    [FAIL] = "Perl_my_failure_exit",
};
static struct native_function functions[FUNCTIONS];

// perl itself, libperl.so.5.36, .../perl5/5.36/auto/DBD/SQLite/SQLite.so
static bool is_perl_module(const struct module *module)
{
    return strstr(module->path, "/perl") || strstr(module->path, "/libperl") ||
           (functions[LOOP].start >= module->start && functions[LOOP].start < module->end);
}

static struct native_modules modules = {.is_own = is_perl_module};

// Whether the loop is nearer than a call from C or an object that is being freed.
static bool is_asked(const struct stack *stack)
{
    for (uint32_t i = 0; i < stack->count; i++) {
        if (native_is_in(stack->frames[i], &functions[LOOP]) ||
            native_is_in(stack->frames[i], &functions[DEBUG_LOOP]))
            return true;
        if (native_is_in(stack->frames[i], &functions[CALL]) ||
            native_is_in(stack->frames[i], &functions[FREE]) ||
            native_is_in(stack->frames[i], &functions[CLEAR]))
            return false;
    }
    return false;
}

static bool under(const struct stack *stack, enum function function)
{
    return native_is_under(stack, &functions[function]);
}

static enum runtime_closer perl_closer(const struct runtime_call *call)
{
    struct stack stack;
    if (!native_is_own(&modules, call->caller))
        return RUNTIME_NOT_MINE;
    if (!closers || !functions[LOOP].start || !functions[CALL].start || !functions[DESTRUCT].start)
        return RUNTIME_UNKNOWN;
    stack_native_from(call->origin, &stack);
    if (is_asked(&stack))
        return under(&stack, DESTRUCT) ? RUNTIME_CODE_AT_EXIT : RUNTIME_CODE;
    if (under(&stack, LEAVE) || under(&stack, FAIL))
        return RUNTIME_END;
    if (under(&stack, DESTRUCT))
        return under(&stack, LIST) ? RUNTIME_CODE_AT_EXIT : RUNTIME_END;
    return under(&stack, LOOP) || under(&stack, DEBUG_LOOP) ? RUNTIME_SCOPE : RUNTIME_UNKNOWN;
}

static uint32_t perl_owner(const struct runtime_call *call)
{
    if (!native_is_own(&modules, call->caller) || !perl_frames_runs("connect_cached"))
        return TRACE_NONE;
    return pool_intern(name_intern("DBI connect_cached"), 0, TRACE_NONE);
}

static void perl_start(void)
{
    if (!perl_frames_find(&closers))
        return;
    for (int i = 0; i < FUNCTIONS; i++)
        functions[i] = native_function(names[i]);
    atomic_store(&found, true);
    runtime_join(&perl_runtime);
}

static bool perl_is_found(void)
{
    return atomic_load(&found);
}

static void perl_leave(void)
{
    runtime_part(&perl_runtime);
    atomic_store(&found, false);
}

const struct runtime perl_runtime = {
    .name = "perl",
    .start = perl_start,
    .found = perl_is_found,
    .frames = perl_frames_append,
    .closer = perl_closer,
    .owner = perl_owner,
    .keeps = true,
    .leave = perl_leave,
};
