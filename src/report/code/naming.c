// Which frame names a site: see naming.h.
#include "report/code/naming.h"

#include <string.h>

#include "report/code/map.h"

enum {
    ROUNDS = 4, // factories that call factories
    // Library frames that may lie between a factory and its caller: contextlib, a decorator. A web
    // framework that calls the factory by itself lies more of them above the user's main().
    FRAMES_BETWEEN = 4,
};

// What one caller of a function did with the sessions that it got from it.
struct caller {
    uint64_t opened, never_closed;
};

struct function {
    struct map callers;
    enum naming_evidence evidence;
};

static bool same_function(const struct frame *a, const struct frame *b)
{
    return a->function && b->function && strcmp(a->function, b->function) == 0 &&
           strcmp(a->file ? a->file : "", b->file ? b->file : "") == 0;
}

// The user's frame that called the one at `index`, or frames->count; recursion is passed over.
static size_t caller_of(const struct frames *frames, size_t index)
{
    size_t between = 0;
    for (size_t i = index + 1; i < frames->count && between <= FRAMES_BETWEEN; i++) {
        const struct frame *frame = &frames->frame[i];
        if (frame->runtime != frames->frame[index].runtime ||
            same_function(frame, &frames->frame[index]))
            continue;
        if (frame->owner == FRAME_USER)
            return i;
        between++;
    }
    return frames->count;
}

static const struct frame *named(const struct naming *stack)
{
    if (stack->index >= stack->frames->count)
        return NULL;
    const struct frame *frame = &stack->frames->frame[stack->index];
    return frame->owner == FRAME_USER && frame->function ? frame : NULL;
}

static const char *function_key(struct arena *arena, const struct frame *frame)
{
    return arena_format(arena, "%s|%s",
                        frame->file     ? frame->file
                        : frame->module ? frame->module
                                        : "",
                        frame->function);
}

static struct function *find_function(struct map *functions, struct arena *arena,
                                      struct code_text *code, const struct naming *stack)
{
    const struct frame *frame = named(stack);
    const char *key = function_key(arena, frame);
    struct function *function = map_get_text(functions, key);
    if (!function) {
        function = arena_take(arena, sizeof *function);
        map_add_text(arena, functions, key, function);
    }
    // A session that a constructor keeps in its object is the business of whoever made the object.
    size_t length = strlen(frame->function);
    bool constructor = length > 8 && strcmp(frame->function + length - 8, "__init__") == 0;
    if (frame->runtime && !constructor && function->evidence == NAMING_UNKNOWN)
        function->evidence =
            naming_python_evidence(code, stack->directory, frame->file, frame->line);
    return function;
}

static void note_caller(struct function *function, struct arena *arena, const struct naming *stack,
                        const struct frame *frame)
{
    const char *key = arena_format(arena, "%s|%s|%u|%llx", frame->file ? frame->file : "",
                                   frame->function ? frame->function : "", frame->line,
                                   frame->line ? 0 : (unsigned long long)frame->offset);
    struct caller *caller = map_get_text(&function->callers, key);
    if (!caller) {
        caller = arena_take(arena, sizeof *caller);
        map_add_text(arena, &function->callers, key, caller);
    }
    caller->opened += stack->opened;
    caller->never_closed += stack->never_closed;
}

struct behaviour {
    bool one_closes, one_leaks;
};

static void note_behaviour(void *value, void *data)
{
    const struct caller *caller = value;
    struct behaviour *behaviour = data;
    behaviour->one_closes |= caller->opened > 0 && caller->never_closed == 0;
    behaviour->one_leaks |= caller->opened > 0 && caller->never_closed == caller->opened;
}

// Where the source does not tell, the fate of the sessions does: if all of one caller's are never
// closed and all of another's are, closing is evidently left to the caller.
static bool is_factory(const struct function *function)
{
    if (function->evidence != NAMING_UNKNOWN)
        return function->evidence == NAMING_HANDED_ON;
    struct behaviour behaviour = {0};
    map_each(&function->callers, note_behaviour, &behaviour);
    return behaviour.one_closes && behaviour.one_leaks;
}

static void clear_callers(void *value, void *data)
{
    struct function *function = value;
    (void)data;
    map_clear(&function->callers);
}

// Passes over one layer of factories. Whether there were any.
static bool pass_over(struct arena *arena, struct code_text *code, struct naming *stacks,
                      size_t count)
{
    struct map functions = {0};
    for (size_t i = 0; i < count; i++) {
        if (!named(&stacks[i]))
            continue;
        size_t caller = caller_of(stacks[i].frames, stacks[i].index);
        struct function *function = find_function(&functions, arena, code, &stacks[i]);
        if (caller < stacks[i].frames->count)
            note_caller(function, arena, &stacks[i], &stacks[i].frames->frame[caller]);
    }
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (!named(&stacks[i]))
            continue;
        size_t caller = caller_of(stacks[i].frames, stacks[i].index);
        if (caller == stacks[i].frames->count ||
            !is_factory(find_function(&functions, arena, code, &stacks[i])))
            continue;
        stacks[i].via = stacks[i].index;
        stacks[i].index = caller;
        any = true;
    }
    map_each(&functions, clear_callers, NULL);
    map_clear(&functions);
    return any;
}

void naming_resolve(struct arena *arena, struct code_text *code, struct naming *stacks,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        stacks[i].index = frames_user(stacks[i].frames, 0);
        stacks[i].via = stacks[i].frames->count;
    }
    for (int round = 0; round < ROUNDS; round++)
        if (!pass_over(arena, code, stacks, count))
            break;
}
