// Native code of a runtime: its functions, and whether a call comes from it. Knows no runtime.
#ifndef UNCLOSED_RECORDER_RUNTIMES_NATIVE_H
#define UNCLOSED_RECORDER_RUNTIMES_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/books/session.h"
#include "recorder/stacks/modules.h"

// Where an exported function lies. Without one both are 0: no address is in it.
struct native_function {
    uint64_t start, bytes;
};

// Looks a function up in the program's scope. Takes the loader's lock: no other may be held.
struct native_function native_function(const char *name);

// Whether a return address is in it, and whether any of a stack is.
static inline bool native_is_in(uint64_t address, const struct native_function *function)
{
    return address - 1 - function->start < function->bytes;
}
bool native_is_under(const struct stack *stack, const struct native_function *function);

// Where the function begins that has a return address in `module`, by the module's table for
// unwinding. 0: not known, or the address is not in the module. part: it does not begin as a
// function does, so that the compiler seems to have put a part of one there. The module must be in
// use by a function on this thread's stack.
uint64_t native_function_of(uint64_t address, const struct module *module, bool *part);

// Which modules a runtime calls its own, remembered: see native_is_own.
struct native_modules {
    bool (*is_own)(const struct module *module);
    uint32_t count, epoch;
    struct {
        uint64_t start, end;
        bool own;
    } module[16];
};

// Whether an address is in a module of which is_own says yes. Cheap. Inside recorder_enter.
bool native_is_own(struct native_modules *modules, const void *address);

// Modules were loaded or unloaded: asks again.
void native_modules_changed(void);

#endif
