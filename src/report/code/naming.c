// Which frame names a site: see naming.h.
#include "report/code/naming.h"

#include <string.h>

#include "report/code/active.h"
#include "report/code/map.h"

enum {
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
    enum naming_evidence evidence; // of the source text
    bool suspends;                 // a generator or coroutine: what is active may be another call
    uint64_t never_closed;
    uint64_t within, after; // sessions seen later while it was active, after it had returned
};

// The user's frame that called the one at `index`, or frames->count; recursion is passed over.
static size_t caller_of(const struct frames *frames, size_t index)
{
    size_t between = 0;
    for (size_t i = index + 1; i < frames->count && between <= FRAMES_BETWEEN; i++) {
        const struct frame *frame = &frames->frame[i];
        if (frame->runtime != frames->frame[index].runtime ||
            active_same_function(frame, &frames->frame[index]))
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

static const char *function_key(struct arena *arena, const struct naming *stack,
                                const struct frame *frame)
{
    return arena_format(arena, "%u|%s|%s", stack->kind,
                        frame->file     ? frame->file
                        : frame->module ? frame->module
                                        : "",
                        frame->function);
}

// What the source says, once for each function.
static void note_text(struct function *function, struct code_text *code, const struct naming *stack)
{
    const struct frame *frame = named(stack);
    // A session that a constructor keeps in its object belongs to the code that made the object.
    size_t length = strlen(frame->function);
    bool constructor = length > 8 && strcmp(frame->function + length - 8, "__init__") == 0;
    if (!frame->runtime || constructor || function->evidence != NAMING_UNKNOWN)
        return;
    function->evidence =
        naming_python_evidence(code, stack->directory, frame->file, frame->line, frame->function);
    function->suspends = naming_python_suspends(code, stack->directory, frame->file, frame->line);
}

// What was seen at run time: where the sessions were later, and whether the function had returned.
static void note_ways(struct function *function, const struct naming *stack, size_t caller)
{
    for (size_t i = 0; i < stack->way_count; i++) {
        const struct naming_way *way = &stack->ways[i];
        if (way->active <= stack->index)
            function->within += way->release ? way->count : 0;
        else if (way->active < stack->frames->count && caller < stack->frames->count)
            function->after += way->count;
    }
}

static struct function *find_function(struct map *functions, struct arena *arena,
                                      struct code_text *code, const struct naming *stack)
{
    const struct frame *frame = named(stack);
    const char *key = function_key(arena, stack, frame);
    struct function *function = map_get_text(functions, key);
    if (!function) {
        function = arena_take(arena, sizeof *function);
        map_add_text(arena, functions, key, function);
    }
    note_text(function, code, stack);
    return function;
}

static const char *line_key(struct arena *arena, const struct frame *frame)
{
    return arena_format(arena, "%s|%s|%u|%llx", frame->file ? frame->file : "",
                        frame->function ? frame->function : "", frame->line,
                        frame->line ? 0 : (unsigned long long)frame->offset);
}

// The line that a stack has come to, for sessions of its kind.
static const char *place_key(struct arena *arena, const struct naming *stack)
{
    return arena_format(arena, "%u|%s", stack->kind,
                        line_key(arena, &stack->frames->frame[stack->index]));
}

static void note_caller(struct function *function, struct arena *arena, const struct naming *stack,
                        const struct frame *frame)
{
    const char *key = line_key(arena, frame);
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

enum verdict { KEPT, HANDED_ON, HANDED_ON_WEAKLY };

// Where nothing else tells, the fate of the sessions does: if all of one caller's are never closed
// and all of another's are, closing is evidently left to the caller.
static bool is_left_to_callers(const struct function *function)
{
    struct behaviour behaviour = {0};
    map_each(&function->callers, note_behaviour, &behaviour);
    return behaviour.one_closes && behaviour.one_leaks;
}

// What a function does with its sessions. Weakly: they outlived it; whether its caller is who has
// to close them, or somebody else finds them where it has put them, is not known.
static enum verdict verdict_of(const struct function *function)
{
    // What was left open by a generator that closes, if it gets that far, it has to answer for;
    // unless one caller lets it and another does not.
    const bool yielded = function->evidence == NAMING_YIELDED &&
                         (function->never_closed == 0 || is_left_to_callers(function));
    const enum verdict text = yielded || function->evidence == NAMING_HANDED_ON ? HANDED_ON : KEPT;
    if (function->suspends && function->evidence != NAMING_UNKNOWN)
        return text;
    if (function->after > 0 && function->after >= function->within)
        return text == HANDED_ON ? HANDED_ON : HANDED_ON_WEAKLY;
    if (function->within > 0 || function->evidence == NAMING_KEPT)
        return KEPT;
    return text == HANDED_ON || is_left_to_callers(function) ? HANDED_ON : KEPT;
}

static void clear_callers(void *value, void *data)
{
    struct function *function = value;
    (void)data;
    map_clear(&function->callers);
}

static void gather_functions(struct map *functions, struct arena *arena, struct code_text *code,
                             struct naming *stacks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!named(&stacks[i]))
            continue;
        size_t caller = caller_of(stacks[i].frames, stacks[i].index);
        struct function *function = find_function(functions, arena, code, &stacks[i]);
        note_ways(function, &stacks[i], caller);
        function->never_closed += stacks[i].never_closed;
        if (caller < stacks[i].frames->count)
            note_caller(function, arena, &stacks[i], &stacks[i].frames->frame[caller]);
    }
}

// Passes over one layer of factories. Whether there were any.
static bool pass_over(struct arena *arena, struct code_text *code, struct naming *stacks,
                      size_t count)
{
    struct map functions = {0};
    bool any = false;
    gather_functions(&functions, arena, code, stacks, count);
    for (size_t i = 0; i < count; i++) {
        struct naming *stack = &stacks[i];
        if (!named(stack))
            continue;
        size_t caller = caller_of(stack->frames, stack->index);
        enum verdict verdict = verdict_of(find_function(&functions, arena, code, stack));
        if (caller == stack->frames->count || verdict == KEPT)
            continue;
        stack->step[stack->steps].from = stack->index;
        stack->step[stack->steps++].weak = verdict == HANDED_ON_WEAKLY;
        stack->index = caller;
        any = true;
    }
    map_each(&functions, clear_callers, NULL);
    map_clear(&functions);
    return any;
}

// What was passed over weakly on the way to one line.
struct passed {
    const char *first; // a line, or a function
    bool several;
};

static void note_passed(struct map *map, struct arena *arena, const char *key, const char *other)
{
    struct passed *passed = map_get_text(map, key);
    if (!passed) {
        passed = arena_take(arena, sizeof *passed);
        passed->first = other;
        map_add_text(arena, map, key, passed);
    }
    passed->several |= strcmp(passed->first, other) != 0;
}

static bool has_several(const struct map *map, const char *key)
{
    const struct passed *passed = map_get_text(map, key);
    return passed && passed->several;
}

// The function that the last step has passed over, if weakly; else NULL.
static const struct frame *last_weak(const struct naming *stack)
{
    return stack->steps > 0 && stack->step[stack->steps - 1].weak
               ? &stack->frames->frame[stack->step[stack->steps - 1].from]
               : NULL;
}

// To pass over a function weakly is worth it only if that tells its callers apart; and not if one
// line calls several of them, which is a loop that dispatches to handlers: then the handler is the
// place, wherever it keeps its session until another one closes it. Whether anything was taken
// back.
static bool take_back_weak(struct arena *arena, struct naming *stacks, size_t count)
{
    struct map lines = {0}, functions = {0};
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        const struct frame *passed = last_weak(&stacks[i]);
        if (!passed)
            continue;
        const char *line = place_key(arena, &stacks[i]);
        const char *function = function_key(arena, &stacks[i], passed);
        note_passed(&functions, arena, function, line);
        note_passed(&lines, arena, line, function);
    }
    for (size_t i = 0; i < count; i++) {
        const struct frame *passed = last_weak(&stacks[i]);
        if (!passed || (has_several(&functions, function_key(arena, &stacks[i], passed)) &&
                        !has_several(&lines, place_key(arena, &stacks[i]))))
            continue;
        stacks[i].index = stacks[i].step[--stacks[i].steps].from;
        any = true;
    }
    map_clear(&lines);
    map_clear(&functions);
    return any;
}

static void begin(struct naming *stack)
{
    stack->index = frames_user(stack->frames, 0);
    stack->steps = 0;
    for (size_t i = 0; i < stack->way_count; i++)
        stack->ways[i].active = active_in(stack->frames, stack->ways[i].frames);
}

static void end(struct naming *stack)
{
    stack->via = stack->steps > 0 ? stack->step[stack->steps - 1].from : stack->frames->count;
    stack->caller = named(stack) ? caller_of(stack->frames, stack->index) : stack->frames->count;
}

void naming_resolve(struct arena *arena, struct code_text *code, struct naming *stacks,
                    size_t count)
{
    for (size_t i = 0; i < count; i++)
        begin(&stacks[i]);
    for (int round = 0; round < NAMING_ROUNDS; round++)
        if (!pass_over(arena, code, stacks, count))
            break;
    for (int round = 0; round < NAMING_ROUNDS; round++)
        if (!take_back_weak(arena, stacks, count))
            break;
    for (size_t i = 0; i < count; i++)
        end(&stacks[i]);
}
