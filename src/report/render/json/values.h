// Pieces of JSON that several renderers need: texts that are always valid UTF-8, frames, moments.
//
// Adding a text that is empty or NULL, like any value not known, adds nothing. Not thread-safe.
#ifndef UNCLOSED_REPORT_RENDER_JSON_VALUES_H
#define UNCLOSED_REPORT_RENDER_JSON_VALUES_H

#include <jansson.h>

#include "report/compare/json_text.h"
#include "report/profile/profile.h"

// Prints a document and gives it up. What may not be shown (see shared/clean.h) is escaped: a
// terminal may be reading.
void json_print(json_t *document, int indent, FILE *out);

void json_set_text(json_t *object, const char *key, const char *text);
void json_set_number(json_t *object, const char *key, uint64_t number);
void json_set_seconds(json_t *object, const char *key, uint64_t ns);
// Numbers by a size that doubles: "below" (seconds; the last number has none), "count". first_ns:
// the end of the first. Without any number nothing is added.
void json_set_histogram(json_t *object, const char *key, const uint64_t *counts, int buckets,
                        uint64_t first_ns);
void json_set_names(json_t *object, const char *key, const profile_names *names);

// "file", "line", "function", "module" (and "offset" without a line) of a frame.
void json_set_place(json_t *object, const struct frame *frame);
json_t *json_frame(const struct frame *frame);
json_t *json_frames(const struct frames *frames); // NULL: an empty list

// A moment of a process as "2024-05-01T14:03:22.123Z".
const char *json_time_text(struct arena *arena, const struct profile_process *process,
                           uint64_t at_ns);

#endif
