// Interned strings, stacks and code locations: each is in the trace once, and equal ones have equal
// references. Knows the trace writer and nothing of sessions.
//
// The tables are indices into the trace, whose records never move. They are dropped when another
// trace begins: in a forked child, and after a detach.
#include "recorder/core/intern.h"

#include <string.h>

#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"
#include "recorder/core/table.h"

enum {
    MOST_NAMES = 1 << 16,       // database names are the program's: their number must be bounded,
    MOST_NAME_BYTES = 16 << 20, // and what they take together
    MOST_STACKS = 1 << 17,
    MOST_LOCATIONS = 1 << 17,
};

struct lock intern_lock = LOCK_OF(LOCK_INTERN);
atomic_uint intern_epoch = 1;

struct name {
    uint32_t ref;
    UT_hash_handle hh; // key: the text in the trace
};
static struct name *names;
static size_t name_bytes; // of all of them

struct interned_stack {
    uint32_t ref;
    UT_hash_handle hh; // key: the frames in the trace
};
static struct interned_stack *stacks;

struct location_key {
    uint32_t file, function, line, language;
};
struct interned_location {
    struct location_key key;
    uint32_t ref;
    UT_hash_handle hh;
};
static struct interned_location *locations;

void intern_reset(bool give_back)
{
    TABLE_RESET(struct name, names, give_back);
    name_bytes = 0;
    TABLE_RESET(struct interned_stack, stacks, give_back);
    TABLE_RESET(struct interned_location, locations, give_back);
    atomic_fetch_add(&intern_epoch, 1);
}

static uint32_t name_add(const char *text, size_t bytes)
{
    if (HASH_COUNT(names) >= MOST_NAMES || name_bytes + bytes > MOST_NAME_BYTES) {
        recorder_lost(TRACE_LOST_NAMES);
        return TRACE_NONE;
    }
    uint32_t ref = trace_append_string(&recorder_trace, text, bytes);
    if (ref == TRACE_NONE)
        return ref;
    name_bytes += bytes; // also of one that will not be found again
    struct name *name = arena_alloc(sizeof *name);
    if (!name)
        return ref;
    name->ref = ref;
    HASH_ADD_KEYPTR(hh, names, trace_string(&recorder_trace, ref), bytes, name);
    return ref;
}

uint32_t name_intern_bytes(const char *text, size_t bytes)
{
    if (!text || !recorder_trace.header)
        return TRACE_NONE;
    struct name *name;
    bytes = trace_string_kept(text, bytes);
    lock_take(&intern_lock);
    HASH_FIND(hh, names, text, bytes, name);
    uint32_t ref = name ? name->ref : name_add(text, bytes);
    lock_give(&intern_lock);
    return ref;
}

uint32_t name_intern(const char *text)
{
    return text ? name_intern_bytes(text, strlen(text)) : TRACE_NONE;
}

static uint32_t stack_add(const struct stack *stack, uint64_t now_ns)
{
    uint64_t words[2 + STACK_FRAMES];
    struct trace_stack head = {
        .seen_ns = now_ns,
        .frame_count = stack->count,
        .flags = stack->cut ? TRACE_STACK_CUT : 0,
    };
    _Static_assert(sizeof head == 2 * sizeof words[0], "a stack begins with two words");
    memcpy(words, &head, sizeof head);
    memcpy(words + 2, stack->frames, stack->count * sizeof words[0]);
    uint32_t ref = trace_append_words(&recorder_trace, TRACE_STACKS, words, 2 + stack->count);
    struct interned_stack *entry = ref == TRACE_NONE ? NULL : arena_alloc(sizeof *entry);
    if (!entry)
        return ref;
    entry->ref = ref;
    const uint64_t *kept = trace_words(&recorder_trace, TRACE_STACKS, ref) + 2;
    HASH_ADD_KEYPTR(hh, stacks, kept, stack->count * sizeof *kept, entry);
    return ref;
}

uint32_t stack_intern(const struct stack *stack, uint64_t now_ns)
{
    if (!recorder_trace.header)
        return TRACE_NONE;
    struct interned_stack *entry;
    uint32_t ref = TRACE_NONE;
    lock_take(&intern_lock);
    HASH_FIND(hh, stacks, stack->frames, stack->count * sizeof stack->frames[0], entry);
    if (entry)
        ref = entry->ref;
    else if (HASH_COUNT(stacks) < MOST_STACKS)
        ref = stack_add(stack, now_ns);
    else
        recorder_lost(TRACE_LOST_SITES);
    lock_give(&intern_lock);
    return ref;
}

static bool stack_touches(uint32_t ref, uint64_t start, uint64_t end)
{
    const uint64_t *frames;
    uint32_t count = trace_stack_frames(&recorder_trace, ref, &frames, NULL);
    for (uint32_t i = 0; i < count; i++)
        if (frames[i] >= start && frames[i] < end)
            return true;
    return false;
}

bool intern_forget_range(uint64_t start, uint64_t end)
{
    bool any = false;
    struct interned_stack *entry, *next;
    lock_take(&intern_lock);
    HASH_ITER (hh, stacks, entry, next) {
        if (!stack_touches(entry->ref, start, end))
            continue;
        any = true;
        HASH_DEL(stacks, entry);
        arena_free(entry, sizeof *entry);
    }
    if (any)
        atomic_fetch_add(&intern_epoch, 1);
    lock_give(&intern_lock);
    return any;
}

static uint32_t location_add(const struct location_key *key)
{
    struct trace_location *record;
    uint32_t ref = trace_new_record(&recorder_trace, TRACE_LOCATIONS, &record);
    struct interned_location *entry = record ? arena_alloc(sizeof *entry) : NULL;
    if (!entry)
        return ref;
    record->file = key->file;
    record->function = key->function;
    record->line = key->line;
    record->language = (uint16_t)key->language;
    entry->key = *key;
    entry->ref = ref;
    HASH_ADD(hh, locations, key, sizeof entry->key, entry);
    return ref;
}

uint32_t location_intern(uint32_t file, uint32_t function, uint32_t line,
                         enum trace_language language)
{
    if (!recorder_trace.header)
        return TRACE_NONE;
    struct location_key key = {file, function, line, language};
    struct interned_location *entry;
    uint32_t ref = TRACE_NONE;
    lock_take(&intern_lock);
    HASH_FIND(hh, locations, &key, sizeof key, entry);
    if (entry)
        ref = entry->ref;
    else if (HASH_COUNT(locations) < MOST_LOCATIONS)
        ref = location_add(&key);
    else
        recorder_lost(TRACE_LOST_SITES);
    lock_give(&intern_lock);
    return ref;
}
