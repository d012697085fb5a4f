// Reading a runtime's memory: through the kernel until it has proved to be laid out as expected,
// then directly. Knows no runtime.
#ifndef UNCLOSED_RECORDER_RUNTIMES_READER_H
#define UNCLOSED_RECORDER_RUNTIMES_READER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "recorder/core/peek.h"
#include "recorder/runtimes/locations.h"

enum { READER_TRIALS = 16, READER_MOST_TEXT = 4096 };

struct reader {
    atomic_uint walks; // that made sense
    atomic_bool refused;
};

static inline bool reader_is_trusted(struct reader *reader)
{
    return atomic_load_explicit(&reader->walks, memory_order_relaxed) >= READER_TRIALS;
}

// A walk made sense, or did not: then nothing is read any more.
static inline void reader_judge(struct reader *reader, bool sense)
{
    if (!sense)
        atomic_store(&reader->refused, true);
    else if (!reader_is_trusted(reader))
        atomic_fetch_add(&reader->walks, 1);
}

// The word at an address that the runtime keeps. false: it cannot be one.
static inline bool reader_word(struct reader *reader, uint64_t address, uint64_t *value)
{
    if (address < 4096 || address % sizeof *value != 0)
        return false;
    if (!reader_is_trusted(reader))
        return peek_word(address, UINT64_MAX, value);
    memcpy(value, (const void *)address, sizeof *value); // NOLINT(performance-no-int-to-ptr)
    return true;
}

// A text that ends with a NUL. false: it cannot be one.
static inline bool reader_text(struct reader *reader, uint64_t address, struct runtime_text *text)
{
    if (address < 4096 || (!reader_is_trusted(reader) && !peek_text(address, READER_MOST_TEXT)))
        return false;
    text->text = (const char *)address; // NOLINT(performance-no-int-to-ptr)
    text->bytes = strnlen(text->text, READER_MOST_TEXT);
    return text->bytes < READER_MOST_TEXT;
}

#endif
