// Tests that have no name in the trace: those of Python's unittest, which the stack tells, and
// those that are a process of their own.
#include <string.h>

#include "report/code/owners.h"
#include "report/profile/build.h"

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), part = strlen(end);
    return length >= part && strcmp(text + length - part, end) == 0;
}

// Whether unittest calls a part of a test here: setUp, the test, tearDown (from 3.8 on).
static bool calls_test(const struct frame *frame)
{
    return frame->runtime && frame->file && frame->function &&
           ends_with(frame->file, "/unittest/case.py") &&
           (strstr(frame->function, "_callTestMethod") || strstr(frame->function, "_callSetUp") ||
            strstr(frame->function, "_callTearDown"));
}

const char *profile_unittest_of(struct arena *arena, const struct frames *stack)
{
    for (size_t i = 1; stack && i < stack->count; i++) {
        const struct frame *test = &stack->frame[i - 1];
        if (!calls_test(&stack->frame[i]) || !test->file || !test->function)
            continue;
        const char *module = owners_base_name(test->file);
        return arena_format(arena, "%.*s.%s", (int)strcspn(module, "."), module, test->function);
    }
    return "";
}

const char *profile_process_as_test(struct arena *arena, const struct profile_process *process)
{
    const char *command = process->header->command;
    size_t program = strcspn(command, " ");
    const char *name = owners_base_name(arena_format(arena, "%.*s", (int)program, command));
    return arena_format(arena, "%s%s", name, command + program);
}
