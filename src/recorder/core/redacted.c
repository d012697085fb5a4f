// See redacted.h. What a thread named last is kept as it was given, in memory of the program only.
#include "recorder/core/redacted.h"

#include <string.h>

#include "recorder/core/intern.h"
#include "recorder/core/recorder.h"
#include "shared/redact.h"

enum { KEPT_BYTES = 80 }; // longer names are rare, and redacted each time

static __thread struct {
    char text[KEPT_BYTES];
    uint32_t name;
    uint32_t generation; // recorder_generation, which is never 0
} last __attribute__((tls_model("initial-exec")));

uint32_t redacted_name(const char *text)
{
    char clean[1024];
    if (last.generation == recorder_generation && strncmp(last.text, text, KEPT_BYTES) == 0)
        return last.name;
    const uint32_t name = name_intern_bytes(clean, redact(text, clean, sizeof clean));
    const size_t bytes = strnlen(text, KEPT_BYTES);
    if (bytes == KEPT_BYTES || name == TRACE_NONE)
        return name;
    last.generation = 0;
    memcpy(last.text, text, bytes + 1);
    last.name = name;
    last.generation = recorder_generation;
    return name;
}
