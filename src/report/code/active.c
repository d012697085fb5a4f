// Comparing two stacks from their outer ends: see active.h.
#include "report/code/active.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

bool active_same_function(const struct frame *a, const struct frame *b)
{
    return a->function && b->function && strcmp(a->function, b->function) == 0 &&
           same_text(a->file, b->file) && same_text(a->module, b->module);
}

// Whether both are the same call. The place of an inlined function is known by its line only.
static bool same_call(const struct frame *a, const struct frame *b)
{
    if (a->line > 0 || b->line > 0)
        return active_same_function(a, b) && a->line == b->line;
    return a->offset == b->offset && same_text(a->module, b->module) &&
           same_text(a->function, b->function);
}

// The next frame that counts before `from`, or frames->count.
static size_t further_in(const struct frames *frames, size_t from, bool runtime)
{
    while (from-- > 0)
        if (frames->frame[from].runtime == runtime)
            return from;
    return frames->count;
}

// Whether the release was called from the very instruction that called what acquired: a compiler
// has made the last call of that function a jump, so that the function is not on the stack any
// more.
static bool was_jumped_to(const struct frame *mine, const struct frame *other)
{
    return !mine->runtime && mine->offset == other->offset &&
           same_text(mine->module, other->module);
}

size_t active_in(const struct frames *stack, const struct frames *later)
{
    size_t active = stack->count;
    bool runtime = stack->has_locations;
    if (stack->cut || later->cut || later->has_locations != runtime)
        return active;
    size_t i = further_in(stack, stack->count, runtime);
    size_t j = further_in(later, later->count, runtime);
    while (i < stack->count && j < later->count) {
        const struct frame *mine = &stack->frame[i], *other = &later->frame[j];
        if (same_call(mine, other)) {
            active = i;
        } else {
            // Not the same call: still the same function, if that is known.
            return active_same_function(mine, other) ? i : active;
        }
        const size_t next = further_in(stack, i, runtime);
        j = further_in(later, j, runtime);
        if (j == later->count && next < stack->count && was_jumped_to(mine, other))
            return next;
        i = next;
    }
    return active;
}
