// Checking references once, on opening, and finding records by them afterwards.
//
// A reference that leads nowhere becomes TRACE_NONE in the reader's copy, so that nobody after this
// file has to check one.
#include <stdlib.h>
#include <string.h>

#include "trace/trace_reader_private.h"

// A field of a record type that is a reference.
static const struct reference {
    uint8_t type;   // of the record it is in
    uint8_t target; // what it refers to
    uint16_t offset;
    const char *name;
} references[] = {
#define FIELD(type, record, field, target)                                                         \
    {                                                                                              \
        type, target, offsetof(struct record, field), #record "." #field                           \
    }
    FIELD(TRACE_MODULES, trace_module, path, TRACE_STRINGS),
    FIELD(TRACE_LOCATIONS, trace_location, file, TRACE_STRINGS),
    FIELD(TRACE_LOCATIONS, trace_location, function, TRACE_STRINGS),
    FIELD(TRACE_FUNCTIONS, trace_function, name, TRACE_STRINGS),
    FIELD(TRACE_FUNCTIONS, trace_function, kind, TRACE_STRINGS),
    FIELD(TRACE_POOLS, trace_pool, kind, TRACE_STRINGS),
    FIELD(TRACE_POOLS, trace_pool, name, TRACE_STRINGS),
    FIELD(TRACE_POOLS, trace_pool, detail, TRACE_STRINGS),
    FIELD(TRACE_SITES, trace_site, stack, TRACE_STACKS),
    FIELD(TRACE_SITES, trace_site, created, TRACE_STACKS),
    FIELD(TRACE_SITES, trace_site, pool, TRACE_POOLS),
    FIELD(TRACE_SITES, trace_site, function, TRACE_FUNCTIONS),
    FIELD(TRACE_SITES, trace_site, longest_thread, TRACE_STRINGS),
    FIELD(TRACE_SITES, trace_site, database, TRACE_STRINGS),
    FIELD(TRACE_SITES, trace_site, used, TRACE_STACKS),
    FIELD(TRACE_SITES, trace_site, ways[0].stack, TRACE_STACKS),
    FIELD(TRACE_SITES, trace_site, ways[1].stack, TRACE_STACKS),
    FIELD(TRACE_SITES, trace_site, ways[2].stack, TRACE_STACKS),
    FIELD(TRACE_SITES, trace_site, ways[3].stack, TRACE_STACKS),
    FIELD(TRACE_SITES, trace_site, ways[4].stack, TRACE_STACKS),
    FIELD(TRACE_SITES, trace_site, ways[5].stack, TRACE_STACKS),
    FIELD(TRACE_SESSIONS, trace_session, site, TRACE_SITES),
    FIELD(TRACE_SESSIONS, trace_session, owner, TRACE_POOLS),
    FIELD(TRACE_SESSIONS, trace_session, thread, TRACE_STRINGS),
    FIELD(TRACE_SESSIONS, trace_session, database, TRACE_STRINGS),
    FIELD(TRACE_SESSIONS, trace_session, detail, TRACE_STRINGS),
    FIELD(TRACE_SESSIONS, trace_session, test, TRACE_STRINGS),
    FIELD(TRACE_SESSIONS, trace_session, task, TRACE_STRINGS),
    FIELD(TRACE_MISUSES, trace_misuse, stack, TRACE_STACKS),
    FIELD(TRACE_MISUSES, trace_misuse, function, TRACE_FUNCTIONS),
    FIELD(TRACE_MISUSES, trace_misuse, site, TRACE_SITES),
    FIELD(TRACE_MISUSES, trace_misuse, database, TRACE_STRINGS),
    FIELD(TRACE_MISUSES, trace_misuse, thread, TRACE_STRINGS),
    FIELD(TRACE_HISTORIES, trace_history, pool, TRACE_POOLS),
#undef FIELD
};

// The first chunk that begins behind `ref`.
static size_t chunk_behind(const struct reader_space *space, uint32_t ref)
{
    size_t low = 0;
    size_t high = space->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (space->chunks[middle].first <= ref)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// The chunk that holds `ref` and, in *units, how many units lie from it to the end of what is used.
static char *find_unit(const struct trace_reader *reader, enum trace_chunk_type type, uint32_t ref,
                       uint32_t *units)
{
    const struct reader_space *space = &reader->space[type];
    size_t low = chunk_behind(space, ref);
    if (low == 0)
        return NULL;
    const struct reader_chunk *chunk = &space->chunks[low - 1];
    uint32_t index = ref - chunk->first;
    if (index >= chunk->count)
        return NULL;
    *units = chunk->count - index;
    return chunk->data + (size_t)index * chunk->record_bytes;
}

const void *reader_record(const struct trace_reader *reader, enum trace_chunk_type type,
                          uint32_t ref)
{
    uint32_t units;
    return find_unit(reader, type, ref, &units);
}

static const char *string_at(const struct trace_reader *reader, uint32_t ref)
{
    uint32_t units;
    const char *unit = find_unit(reader, TRACE_STRINGS, ref, &units);
    struct trace_string head;
    if (!unit || ref % sizeof head != 0 || units < sizeof head + 1)
        return NULL;
    memcpy(&head, unit, sizeof head);
    if (head.bytes > units - sizeof head - 1 || unit[sizeof head + head.bytes] != 0)
        return NULL;
    return unit + sizeof head;
}

const char *reader_string(const struct trace_reader *reader, uint32_t ref)
{
    const char *text = ref == TRACE_NONE ? "" : string_at(reader, ref);
    return text ? text : "";
}

enum { STACK_WORDS = sizeof(struct trace_stack) / 8, EXHAUSTION_WORDS = 5, HOLDER_WORDS = 2 };
_Static_assert(sizeof(struct trace_exhaustion) / 8 == EXHAUSTION_WORDS, "as many words as it has");
_Static_assert(sizeof(struct trace_holder) / 8 == HOLDER_WORDS, "as many words as it has");

const struct trace_stack *reader_stack(const struct trace_reader *reader, uint32_t ref)
{
    uint32_t words;
    const void *unit = find_unit(reader, TRACE_STACKS, ref, &words);
    const struct trace_stack *stack = unit;
    if (!stack || words < STACK_WORDS || stack->frame_count > words - STACK_WORDS)
        return NULL;
    return stack;
}

const struct trace_exhaustion *reader_exhaustion(const struct trace_reader *reader, uint32_t ref)
{
    uint32_t words;
    const void *unit = find_unit(reader, TRACE_EXHAUSTIONS, ref, &words);
    const struct trace_exhaustion *exhaustion = unit;
    if (!exhaustion || words < EXHAUSTION_WORDS ||
        exhaustion->holder_count > (words - EXHAUSTION_WORDS) / HOLDER_WORDS)
        return NULL;
    return exhaustion;
}

// The units that the record at `ref` takes up; 0 if it is not complete.
static uint32_t record_units(const struct trace_reader *reader, enum trace_chunk_type type,
                             uint32_t ref)
{
    if (type != TRACE_EXHAUSTIONS)
        return 1;
    const struct trace_exhaustion *exhaustion = reader_exhaustion(reader, ref);
    return exhaustion ? EXHAUSTION_WORDS + HOLDER_WORDS * exhaustion->holder_count : 0;
}

uint32_t reader_next(const struct trace_reader *reader, enum trace_chunk_type type, uint32_t ref)
{
    const struct reader_space *space = &reader->space[type];
    size_t behind = ref == TRACE_NONE ? 0 : chunk_behind(space, ref);
    for (size_t i = behind > 0 ? behind - 1 : 0; i < space->count; i++) {
        const struct reader_chunk *chunk = &space->chunks[i];
        uint32_t next = chunk->first;
        if (ref != TRACE_NONE && ref >= chunk->first) {
            if (ref - chunk->first >= chunk->count)
                continue;
            uint32_t units = record_units(reader, type, ref);
            if (units == 0 || units >= chunk->count - (ref - chunk->first))
                continue; // that was the last one here
            next = ref + units;
        }
        if (chunk->count > 0 && record_units(reader, type, next) > 0)
            return next;
    }
    return TRACE_NONE;
}

const struct trace_module *reader_module_at(const struct trace_reader *reader, uint64_t address,
                                            uint64_t seen_ns)
{
    const struct trace_module *best = NULL;
    uint64_t best_distance = UINT64_MAX;
    for (uint32_t ref = 0; (ref = reader_next(reader, TRACE_MODULES, ref)) != TRACE_NONE;) {
        const struct trace_module *module = reader_module(reader, ref);
        if (address < module->start || address >= module->end)
            continue;
        // A module is noticed some time after it was mapped and found unmapped some time after
        // that; the one nearest in time is meant.
        uint64_t distance = 0;
        if (seen_ns < module->mapped_ns)
            distance = module->mapped_ns - seen_ns;
        else if (module->unmapped_ns != 0 && seen_ns > module->unmapped_ns)
            distance = seen_ns - module->unmapped_ns;
        if (distance < best_distance || !best) {
            best = module;
            best_distance = distance;
        }
    }
    return best;
}

static bool leads_somewhere(const struct trace_reader *reader, enum trace_chunk_type target,
                            uint32_t ref)
{
    switch (target) {
    case TRACE_STRINGS:
        return string_at(reader, ref) != NULL;
    case TRACE_STACKS:
        return reader_stack(reader, ref) != NULL;
    default:
        return reader_record(reader, target, ref) != NULL;
    }
}

// Clears *ref if it leads nowhere; whether it had to.
static bool clear_dangling(const struct trace_reader *reader, enum trace_chunk_type target,
                           uint32_t *ref)
{
    if (*ref == TRACE_NONE || leads_somewhere(reader, target, *ref))
        return false;
    *ref = TRACE_NONE;
    return true;
}

static void complain_dangling(struct trace_reader *reader, const char *what, size_t count)
{
    if (count > 0)
        reader_complain(reader,
                        "%s: %zu references in %s are invalid and are left out of the report (the "
                        "file is damaged: trace the program again)",
                        reader->path, count, what);
}

static void check_field(struct trace_reader *reader, const struct reference *field)
{
    size_t dangling = 0;
    struct reader_space *space = &reader->space[field->type];
    for (size_t c = 0; c < space->count; c++) {
        struct reader_chunk *chunk = &space->chunks[c];
        for (uint32_t i = 0; i < chunk->count; i++) {
            char *record = chunk->data + (size_t)i * chunk->record_bytes;
            uint32_t *ref = (uint32_t *)(void *)(record + field->offset);
            dangling += clear_dangling(reader, field->target, ref);
        }
    }
    complain_dangling(reader, field->name, dangling);
}

static void check_exhaustions(struct trace_reader *reader)
{
    size_t dangling = 0;
    size_t complete = 0;
    for (uint32_t ref = 0; (ref = reader_next(reader, TRACE_EXHAUSTIONS, ref)) != TRACE_NONE;) {
        // The reader's own copy may be mended.
        struct trace_exhaustion *exhaustion =
            (struct trace_exhaustion *)reader_exhaustion(reader, ref);
        dangling += clear_dangling(reader, TRACE_POOLS, &exhaustion->pool);
        dangling += clear_dangling(reader, TRACE_STACKS, &exhaustion->stack);
        dangling += clear_dangling(reader, TRACE_STRINGS, &exhaustion->thread);
        for (uint32_t i = 0; i < exhaustion->holder_count; i++) {
            dangling += clear_dangling(reader, TRACE_SITES, &exhaustion->holders[i].site);
            dangling += clear_dangling(reader, TRACE_STRINGS, &exhaustion->holders[i].thread);
        }
        complete += EXHAUSTION_WORDS + (size_t)HOLDER_WORDS * exhaustion->holder_count;
    }
    complain_dangling(reader, "trace_exhaustion", dangling);
    size_t words = 0;
    for (size_t c = 0; c < reader->space[TRACE_EXHAUSTIONS].count; c++)
        words += reader->space[TRACE_EXHAUSTIONS].chunks[c].count;
    if (complete < words)
        reader_complain(
            reader,
            "%s: %zu bytes of the record of pool exhaustion are invalid and are left out "
            "of the report (the file is damaged: trace the program again)",
            reader->path, (words - complete) * 8);
}

static void check_histories(struct trace_reader *reader)
{
    size_t dangling = 0;
    for (uint32_t ref = 0; (ref = reader_next(reader, TRACE_HISTORIES, ref)) != TRACE_NONE;) {
        struct trace_history *history = (struct trace_history *)reader_history(reader, ref);
        for (int i = 0; i < TRACE_TIMELINE_BUCKETS; i++)
            for (int k = 0; k < TRACE_MOMENT_HOLDERS; k++)
                dangling +=
                    clear_dangling(reader, TRACE_SITES, &history->moments[i].holders[k].site);
    }
    complain_dangling(reader, "trace_history", dangling);
}

static bool is_growth(const struct trace_growth *growth)
{
    return growth->reached < TRACE_GROWTH_BUCKETS && (growth->width & (growth->width - 1)) == 0;
}

// Kinds, states and buckets are used as indexes later.
static void check_values(struct trace_reader *reader)
{
    size_t wrong = 0;
    for (uint32_t ref = 0; (ref = reader_next(reader, TRACE_SITES, ref)) != TRACE_NONE;) {
        struct trace_site *site = (struct trace_site *)reader_site(reader, ref);
        if (site->kind >= TRACE_KINDS) {
            site->kind = 0; // as if it was not complete
            wrong++;
        }
        if (!is_growth(&site->growth)) {
            site->growth = (struct trace_growth){0};
            wrong++;
        }
    }
    for (uint32_t ref = 0; (ref = reader_next(reader, TRACE_SESSIONS, ref)) != TRACE_NONE;) {
        struct trace_session *session = (struct trace_session *)reader_session(reader, ref);
        if (session->state > TRACE_SLOT_ENDED) {
            session->state = TRACE_SLOT_FREE;
            wrong++;
        }
    }
    for (uint32_t ref = 0; (ref = reader_next(reader, TRACE_MODULES, ref)) != TRACE_NONE;) {
        struct trace_module *module = (struct trace_module *)reader_module(reader, ref);
        if (module->build_id_bytes > TRACE_BUILD_ID_BYTES) {
            module->build_id_bytes = 0;
            wrong++;
        }
    }
    if (wrong > 0)
        reader_complain(reader,
                        "%s: %zu records hold impossible values and are left out of the report "
                        "(the file is damaged: trace the program again)",
                        reader->path, wrong);
}

void reader_check(struct trace_reader *reader)
{
    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++)
        check_field(reader, &references[i]);
    check_exhaustions(reader);
    check_histories(reader);
    check_values(reader);
}
