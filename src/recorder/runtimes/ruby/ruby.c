// Ruby: who closes a handle. See ruby.h.
//
// A collection frees objects, and with them handles, while it runs or, where their type does not
// allow that, at the next occasion: then the innermost frame is not a method of the extension that
// closes. The end of the virtual machine frees the rest, below another call of ruby_run_node's than
// the one that runs the script.
#include "recorder/runtimes/ruby/ruby.h"

#include <stdatomic.h>
#include <string.h>

#include "recorder/core/intern.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/native.h"
#include "recorder/runtimes/ruby/vm.h"
#include "recorder/stacks/capture.h"

static atomic_bool found;
static bool closers;

// Functions of Ruby's, by which a stack is read.
enum function {
    RUN,   // runs the script, then ends the virtual machine
    STOP,  // ends the virtual machine, then the process: of a forked block
    CLEAN, // ends the virtual machine, for who embeds it
    COLLECT,
    START,
    CALLS, // from here on: they call a function of an extension for the extension
    FUNCTIONS = CALLS + 7
};
static const char *const names[FUNCTIONS] = {
    [RUN] = "ruby_run_node",
    [STOP] = "ruby_stop",
    [CLEAN] = "ruby_cleanup",
    [COLLECT] = "rb_gc",
    [START] = "rb_gc_start",
    [CALLS] = "rb_ensure",
    [CALLS + 1] = "rb_protect",
    [CALLS + 2] = "rb_rescue2",
    [CALLS + 3] = "rb_vrescue2",
    [CALLS + 4] = "rb_nogvl",
    [CALLS + 5] = "rb_mutex_synchronize",
    [CALLS + 6] = "rb_thread_call_with_gvl",
};
static struct native_function functions[FUNCTIONS];
static struct module libruby;
static _Atomic uint64_t script_returns; // where in RUN the script returns to; 0: not seen yet

// .../vendor_ruby/3.1.0/sqlite3/sqlite3_native.so, .../gems/sqlite3-2.0/lib/..., libruby
static bool is_ruby_module(const struct module *module)
{
    return strstr(module->path, "/ruby/") || strstr(module->path, "/gems/") ||
           strstr(module->path, "/libruby");
}

static struct native_modules modules = {.is_own = is_ruby_module};

static bool is_ruby(uint64_t address)
{
    return address - 1 >= libruby.start && address - 1 < libruby.end;
}

static bool calls_for_others(uint64_t address)
{
    for (int i = CALLS; i < FUNCTIONS; i++)
        if (native_is_in(address, &functions[i]))
            return true;
    return false;
}

// Where the stack returns to in RUN; 0: it does not.
static uint64_t run_return(const struct stack *stack)
{
    for (uint32_t i = stack->count; i-- > 0;)
        if (native_is_in(stack->frames[i], &functions[RUN]))
            return stack->frames[i];
    return 0;
}

// Whether the virtual machine is ending. Learns where the script returns to, if it is what runs.
static bool is_ending(const struct stack *stack, enum ruby_thread thread)
{
    if (native_is_under(stack, &functions[STOP]) || native_is_under(stack, &functions[CLEAN]))
        return true;
    uint64_t returns = run_return(stack);
    uint64_t script = atomic_load(&script_returns);
    if (returns == 0 || returns == script)
        return false;
    if (script == 0 && ruby_vm_is_in_main(thread)) {
        atomic_store(&script_returns, returns);
        return false;
    }
    return script != 0 || thread != RUBY_COLLECTING;
}

// The index of the first frame of Ruby's own that called a function of an extension not for an
// extension: that is a method, or a finalizer. The number of frames: there is none.
static uint32_t called_by(const struct stack *stack)
{
    uint32_t i = 0;
    while (i < stack->count) {
        if (!is_ruby(stack->frames[i])) {
            i++;
            continue;
        }
        if (!calls_for_others(stack->frames[i]))
            break;
        while (i < stack->count && is_ruby(stack->frames[i]))
            i++;
    }
    return i;
}

// Whether a method that C implements is what closes. caller: see called_by.
static bool is_asked(const struct stack *stack, uint32_t caller)
{
    struct module owner;
    uint64_t method = ruby_vm_method();
    if (method == 0 || is_ruby(method + 1) || caller == 0)
        return false;
    if (!module_find(method, &owner)) // FFI makes its methods at run time
        return true;
    // A finalizer may run while a method of the same extension waits, or as it returns. What the
    // compiler has put elsewhere may be a part of the method: then it must not be there as well.
    bool part;
    const uint64_t closing = native_function_of(stack->frames[caller - 1], &owner, &part);
    if (closing != method && !part)
        return false;
    for (uint32_t i = caller; i < stack->count && part; i++)
        if (native_function_of(stack->frames[i], &owner, &(bool){false}) == method)
            return false;
    return closing != 0;
}

static enum runtime_closer closer_by(const struct stack *stack, enum ruby_thread thread)
{
    const uint32_t caller = called_by(stack);
    const bool ending = is_ending(stack, thread);
    if (thread == RUBY_COLLECTING) {
        const bool asked = native_is_under(stack, &functions[COLLECT]) ||
                           native_is_under(stack, &functions[START]);
        return ending && !asked ? RUNTIME_END : RUNTIME_COLLECTOR;
    }
    if (caller == stack->count) // Ruby has not called this
        return RUNTIME_NOT_MINE;
    if (thread == RUBY_UNLOCKED || is_asked(stack, caller)) // collections have the lock
        return ending ? RUNTIME_CODE_AT_EXIT : RUNTIME_CODE;
    return ending ? RUNTIME_END : RUNTIME_COLLECTOR;
}

static enum runtime_closer ruby_closer(const struct runtime_call *call)
{
    struct stack stack;
    enum ruby_thread thread = closers ? ruby_vm_thread() : RUBY_ELSEWHERE;
    if (thread == RUBY_ELSEWHERE)
        return native_is_own(&modules, call->caller) ? RUNTIME_UNKNOWN : RUNTIME_NOT_MINE;
    stack_native_from(call->origin, &stack);
    return closer_by(&stack, thread);
}

// Files of pools: a handle that is opened while one of their functions runs is kept for whoever
// asks next, until the pool closes it or the program ends.
static const char *const pool_files[] = {
    "/active_record/connection_adapters/abstract/connection_pool.rb",
    "/sequel/connection_pool.rb",
    "/connection_pool/timed_stack.rb",
    NULL,
};
static const char *const pool_names[] = {"ActiveRecord connection pool", "Sequel connection pool",
                                         "connection_pool"};

// Also where the first acquires are seen: see is_ending.
static uint32_t ruby_owner(const struct runtime_call *call)
{
    enum ruby_thread thread = ruby_vm_thread();
    if (thread != RUBY_RUNNING && thread != RUBY_UNLOCKED)
        return TRACE_NONE;
    if (closers && atomic_load_explicit(&script_returns, memory_order_relaxed) == 0) {
        struct stack stack;
        stack_native_from(call->origin, &stack);
        (void)is_ending(&stack, thread);
    }
    int pool = ruby_vm_runs(thread, pool_files);
    return pool < 0 ? TRACE_NONE : pool_intern(name_intern(pool_names[pool]), 0, TRACE_NONE);
}

static void ruby_start(void)
{
    if (!ruby_vm_find(&closers))
        return;
    for (int i = 0; i < FUNCTIONS; i++)
        functions[i] = native_function(names[i]);
    closers = closers && functions[RUN].start && module_find(functions[RUN].start, &libruby);
    atomic_store(&found, true);
    runtime_join(&ruby_runtime);
}

static bool ruby_is_found(void)
{
    return atomic_load(&found);
}

static void ruby_leave(void)
{
    runtime_part(&ruby_runtime);
    atomic_store(&found, false);
}

const struct runtime ruby_runtime = {
    .name = "ruby",
    .start = ruby_start,
    .found = ruby_is_found,
    .frames = ruby_vm_frames,
    .closer = ruby_closer,
    .owner = ruby_owner,
    .keeps = true,
    .leave = ruby_leave,
};
