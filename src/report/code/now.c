// Whether a function that acquired is still active: see now.h.
//
// Pure functions of two stacks. From the outermost frame inwards the two have to be the same, call
// by call, down to the caller of the function; and then the function has to come. Addresses tell
// which call it is, so that a later one from the same place looks the same.
#include "report/code/now.h"

#include <string.h>

#include "report/code/frames.h"

// Frames at the outermost end that one unwinder may see and another may not.
enum { LOOSE_END = 2 };

static bool same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

// The part behind the last dot: to Python 3.10 only some names are qualified.
static const char *plain_name(const char *function)
{
    const char *dot = strrchr(function, '.');
    return dot ? dot + 1 : function;
}

static bool same_function(const struct frame *a, const struct frame *b)
{
    if (a->runtime != b->runtime)
        return false;
    if (!a->runtime)
        return same_text(a->module, b->module) &&
               (same_text(a->function, b->function) || (!a->function && !b->function));
    if (!same_text(a->file, b->file) || !a->function || !b->function)
        return false;
    return strcmp(a->function, b->function) == 0 ||
           ((!strchr(a->function, '.') || !strchr(b->function, '.')) &&
            strcmp(plain_name(a->function), plain_name(b->function)) == 0);
}

// Whether two frames are in the same call of something else.
static bool same_call(const struct frame *a, const struct frame *b)
{
    if (a->runtime)
        return same_function(a, b) && a->line == b->line;
    return !b->runtime && same_text(a->module, b->module) && a->offset == b->offset;
}

// The next frame outwards that is a call and of the same kind, runtime or native; inlined functions
// are part of the one that they were inlined into.
static size_t next_call(const struct frames *frames, size_t index)
{
    const bool runtime = frames->frame[index].runtime;
    while (index < frames->count && frames->frame[index].inlined)
        index++;
    do
        index++;
    while (index < frames->count && frames->frame[index].runtime != runtime);
    return index;
}

static size_t calls_left(const struct frames *frames, size_t index)
{
    size_t left = 0;
    for (; index < frames->count; index = next_call(frames, index))
        left++;
    return left;
}

// Whether the callers of frame `i` of one stack and of frame `j` of the other are the same calls.
static bool same_callers(const struct frames *acquire, size_t i, const struct frames *now, size_t j)
{
    const size_t loose = acquire->frame[i].runtime ? 0 : LOOSE_END;
    size_t same = 0;
    i = next_call(acquire, i);
    j = next_call(now, j);
    while (i < acquire->count && j < now->count && same_call(&acquire->frame[i], &now->frame[j])) {
        same++;
        i = next_call(acquire, i);
        j = next_call(now, j);
    }
    const size_t left = calls_left(acquire, i);
    const size_t left_now = calls_left(now, j);
    if (left == 0 && acquire->cut)
        return same > 0;
    return (left == 0 && left_now == 0) ||
           (same > 0 && ((left == 0 && left_now <= loose) || (left_now == 0 && left <= loose)));
}

static const struct frame *outermost(const struct frames *frames, bool runtime)
{
    for (size_t i = frames->count; i-- > 0;)
        if (frames->frame[i].runtime == runtime)
            return &frames->frame[i];
    return NULL;
}

// Whether the thread may have left the stack that it acquired on without returning: then it is on
// one that begins elsewhere.
static bool may_be_other_stack(const struct frames *acquire, const struct frames *now, bool runtime,
                               bool greenlets)
{
    const struct frame *then = outermost(acquire, runtime);
    const struct frame *here = outermost(now, runtime);
    if (acquire->cut || (here && same_function(then, here)))
        return false;
    return runtime ? greenlets : true;
}

// Where in `now` the function of frame `i` of the acquire is still active; now->count: nowhere.
static size_t find_active(const struct frames *acquire, size_t i, const struct frames *now)
{
    for (size_t j = now->count; j-- > 0;)
        if (same_function(&acquire->frame[i], &now->frame[j]) && same_callers(acquire, i, now, j))
            return j;
    return now->count;
}

enum now_place now_compare(const struct frames *acquire, size_t function, const struct frames *now,
                           bool greenlets, size_t *at)
{
    *at = now->count;
    if (function >= acquire->count)
        return NOW_UNKNOWN;
    *at = find_active(acquire, function, now);
    if (*at < now->count)
        return NOW_INSIDE;
    const bool runtime = acquire->frame[function].runtime;
    if (now->cut || may_be_other_stack(acquire, now, runtime, greenlets))
        return NOW_UNKNOWN;
    for (size_t i = function + 1; i < acquire->count && *at == now->count; i++)
        if (acquire->frame[i].runtime == runtime)
            *at = find_active(acquire, i, now);
    return NOW_RETURNED;
}
