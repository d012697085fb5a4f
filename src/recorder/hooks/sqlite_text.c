// See sqlite_text.h. Raw texts stay in the process's own memory, in a table that is as large as it
// is: a text that comes later takes the place of an earlier one, and the number of that one says
// so.
#include "recorder/hooks/sqlite_text.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "recorder/core/hash.h"
#include "recorder/core/intern.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"
#include "shared/redact.h"

enum { TEXTS = 512, SHOWN_BYTES = 200, MOST_BYTES = 3 * (SHOWN_BYTES + 2) };

struct lock sqlite_texts_lock = LOCK_OF(LOCK_SQLITE_TEXTS);

// What is not used costs no memory.
static struct text {
    _Atomic uint64_t hash;
    _Atomic uint32_t number; // index + TEXTS * times that this place was used, never 0
    uint32_t generation;     // of recorder_generation, for which `name` holds
    uint32_t name;           // string reference, if it was asked for
    uint32_t bytes;
    char sql[SQLITE_TEXT_BYTES];
} texts[TEXTS];

static uint32_t add(struct text *text, uint64_t hash, const char *sql, size_t bytes)
{
    // A signal handler may have come while this thread has the lock, and prepare a statement.
    if (!lock_try(&sqlite_texts_lock))
        return 0;
    const int kept = errno;
    const uint32_t before = atomic_load(&text->number);
    uint32_t number = before ? before + TEXTS : (uint32_t)(text - texts) + TEXTS;
    if (number < TEXTS)
        number += TEXTS; // after 4 million of them
    atomic_store(&text->hash, 0);
    text->generation = 0;
    text->bytes = (uint32_t)bytes;
    memcpy(text->sql, sql, bytes);
    atomic_store(&text->number, number);
    atomic_store(&text->hash, hash);
    lock_give_tried(&sqlite_texts_lock);
    errno = kept;
    return number;
}

uint32_t sqlite_text_note(const char *sql, int64_t bytes)
{
    const size_t most = bytes >= 0 && bytes < SQLITE_TEXT_BYTES ? (size_t)bytes : SQLITE_TEXT_BYTES;
    if (!sql)
        return 0;
    const size_t length = strnlen(sql, most);
    const uint64_t hash = hash_bytes(sql, length) | 1;
    struct text *text = &texts[(hash >> 8) % TEXTS];
    const uint32_t number = atomic_load_explicit(&text->number, memory_order_acquire);
    if (atomic_load_explicit(&text->hash, memory_order_acquire) == hash &&
        atomic_load_explicit(&text->number, memory_order_relaxed) == number)
        return number;
    return add(text, hash, sql, length);
}

uint32_t sqlite_text_name(uint32_t number)
{
    struct text *text = &texts[number % TEXTS];
    char raw[SQLITE_TEXT_BYTES], clean[SHOWN_BYTES + 1];
    lock_take(&sqlite_texts_lock);
    const bool same = number != 0 && atomic_load(&text->number) == number;
    const uint32_t name = same && text->generation == recorder_generation ? text->name : TRACE_NONE;
    const size_t bytes = same ? text->bytes : 0;
    memcpy(raw, text->sql, bytes);
    lock_give(&sqlite_texts_lock);
    if (name != TRACE_NONE || bytes == 0)
        return name;
    const bool full = recorder_options.sql == OPTIONS_SQL_FULL;
    const uint32_t fresh =
        name_intern_bytes(clean, redact_sql(raw, bytes, full, clean, sizeof clean));
    lock_take(&sqlite_texts_lock);
    if (atomic_load(&text->number) == number) {
        text->name = fresh;
        text->generation = recorder_generation;
    }
    lock_give(&sqlite_texts_lock);
    return fresh;
}

uint32_t sqlite_texts_name(const uint32_t *numbers, int count)
{
    char all[MOST_BYTES];
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        const uint32_t name = sqlite_text_name(numbers[i]);
        const char *text = name != TRACE_NONE ? trace_string(&recorder_trace, name) : NULL;
        const size_t bytes = text ? strnlen(text, SHOWN_BYTES) : 0;
        if (bytes == 0 || used + bytes + 2 > sizeof all)
            continue;
        if (used > 0) {
            memcpy(all + used, "; ", 2);
            used += 2;
        }
        memcpy(all + used, text, bytes);
        used += bytes;
    }
    return used > 0 ? name_intern_bytes(all, used) : TRACE_NONE;
}
