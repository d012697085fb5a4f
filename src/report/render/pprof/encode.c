// Samples and what they refer to, each once: strings, functions, locations, mappings. See pprof.h.
#include "report/render/pprof/pprof.h"

#include <string.h>

#include "report/render/plain.h"

static void *as_value(uint64_t number)
{
    return (void *)(uintptr_t)number; // NOLINT(performance-no-int-to-ptr): what a map keeps
}

uint64_t pprof_string(struct pprof *pprof, const char *text)
{
    struct arena *arena = pprof->profile->arena;
    uint64_t number = (uintptr_t)map_get_text(&pprof->strings, text);
    if (number > 0)
        return number;
    const char *clean = plain_text(arena, text, 0);
    if (!*clean)
        return 0; // the first string is empty
    number = ++pprof->string_count;
    map_add_text(arena, &pprof->strings, text, as_value(number));
    wire_bytes(&pprof->out, PROFILE_STRING, clean, strlen(clean));
    return number;
}

static uint64_t function_of(struct pprof *pprof, const struct frame *frame)
{
    const char *name = plain_function(frame);
    if (!*name)
        name = plain_frame(pprof->profile->arena, frame);
    const uint64_t key[2] = {pprof_string(pprof, name),
                             pprof_string(pprof, frame->file ? frame->file : "")};
    uint64_t number = (uintptr_t)map_get(&pprof->functions, key, sizeof key);
    if (number > 0)
        return number;
    number = ++pprof->function_count;
    map_add(pprof->profile->arena, &pprof->functions, key, sizeof key, as_value(number));
    wire_number(&pprof->inner, 1, number);
    wire_number(&pprof->inner, 2, key[0]);
    // Without a system name (field 3): pprof would take the name for one, and "<module>" for a
    // template's arguments.
    wire_number(&pprof->inner, 4, key[1]);
    wire_message(&pprof->out, PROFILE_FUNCTION, &pprof->inner);
    return number;
}

// Says that its functions, files, lines and inlined frames are known: nobody has to look for them.
static uint64_t mapping_of(struct pprof *pprof, const struct frame *frame)
{
    const uint64_t name = frame->module ? pprof_string(pprof, frame->module) : 0;
    if (name == 0)
        return 0;
    uint64_t number = (uintptr_t)map_get(&pprof->mappings, &name, sizeof name);
    if (number > 0)
        return number;
    number = ++pprof->mapping_count;
    map_add(pprof->profile->arena, &pprof->mappings, &name, sizeof name, as_value(number));
    wire_number(&pprof->inner, 1, number);
    wire_number(&pprof->inner, 3, INT64_MAX); // addresses are the module's own
    wire_number(&pprof->inner, 5, name);
    for (unsigned field = 7; field <= 10; field++)
        wire_number(&pprof->inner, field, 1);
    wire_message(&pprof->out, PROFILE_MAPPING, &pprof->inner);
    return number;
}

static uint64_t location_of(struct pprof *pprof, const struct frame *frame)
{
    const uint64_t key[4] = {function_of(pprof, frame), frame->line, mapping_of(pprof, frame),
                             frame->runtime ? 0 : frame->offset & INT64_MAX};
    uint64_t number = (uintptr_t)map_get(&pprof->locations, key, sizeof key);
    if (number > 0)
        return number;
    number = ++pprof->location_count;
    map_add(pprof->profile->arena, &pprof->locations, key, sizeof key, as_value(number));
    wire_number(&pprof->innermost, 1, key[0]);
    wire_number(&pprof->innermost, 2, key[1]);
    wire_number(&pprof->inner, 1, number);
    wire_number(&pprof->inner, 2, key[2]);
    wire_number(&pprof->inner, 3, key[3]);
    wire_message(&pprof->inner, 4, &pprof->innermost);
    wire_message(&pprof->out, PROFILE_LOCATION, &pprof->inner);
    return number;
}

static void add_label(struct pprof *pprof, struct wire *sample, const char *key, const char *value)
{
    const uint64_t number = value ? pprof_string(pprof, value) : 0;
    if (number == 0)
        return;
    wire_number(&pprof->inner, 1, pprof_string(pprof, key));
    wire_number(&pprof->inner, 2, number);
    wire_message(sample, 3, &pprof->inner);
}

void pprof_sample(struct pprof *pprof, const struct frames *stack,
                  const uint64_t values[PPROF_VALUES], const struct pprof_labels *labels)
{
    static const struct frame unknown = {.function = "(no backtrace)"};
    struct wire sample = {0}, list = {0};
    for (size_t i = 0; stack && i < stack->count; i++)
        wire_packed(&list, location_of(pprof, &stack->frame[i]));
    if (list.count == 0)
        wire_packed(&list, location_of(pprof, &unknown));
    wire_message(&sample, 1, &list);
    for (int i = 0; i < PPROF_VALUES; i++)
        wire_packed(&list, values[i] & INT64_MAX);
    wire_message(&sample, 2, &list);
    add_label(pprof, &sample, "kind", labels->kind);
    add_label(pprof, &sample, "pool", labels->pool);
    add_label(pprof, &sample, "thread", labels->thread);
    add_label(pprof, &sample, "test", labels->test);
    wire_message(&pprof->out, PROFILE_SAMPLE, &sample);
    wire_free(&sample);
    wire_free(&list);
}
