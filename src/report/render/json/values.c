// Pieces of JSON: see values.h.
#include "report/render/json/values.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/clean.h"

// One character of JSON that may not be shown; beyond U+FFFF as a pair of surrogates, see RFC 8259.
static void print_escaped(uint32_t character, FILE *out)
{
    if (character > 0xffff) {
        fprintf(out, "\\u%04" PRIx32, 0xd800 + ((character - 0x10000) >> 10));
        character = 0xdc00 + ((character - 0x10000) & 0x3ff);
    }
    fprintf(out, "\\u%04" PRIx32, character);
}

void json_print(json_t *document, int indent, FILE *out)
{
    char *text = json_dumps(document, JSON_INDENT(indent) | JSON_REAL_PRECISION(12));
    if (!text)
        memory_exhausted();
    json_decref(document);
    size_t bytes = strlen(text);
    for (size_t at = 0; at < bytes;) {
        struct clean_piece piece = clean_next(text + at, bytes - at, CLEAN_LINES);
        size_t taken;
        if (piece.as_it_is)
            fwrite(piece.text, 1, piece.bytes, out);
        else
            print_escaped(clean_character(text + at, bytes - at, &taken), out);
        at += piece.taken;
    }
    fputc('\n', out);
    free(text);
}

void json_set_text(json_t *object, const char *key, const char *text)
{
    if (text && text[0])
        json_object_set_new(object, key, json_text(text));
}

void json_set_number(json_t *object, const char *key, uint64_t number)
{
    // A number that JSON integers cannot hold comes from a damaged trace only.
    json_object_set_new(object, key, json_integer((json_int_t)(number & INT64_MAX)));
}

void json_set_seconds(json_t *object, const char *key, uint64_t ns)
{
    json_object_set_new(object, key, json_real((double)ns / 1e9));
}

void json_set_histogram(json_t *object, const char *key, const uint64_t *counts, int buckets,
                        uint64_t first_ns)
{
    int used = buckets;
    while (used > 0 && counts[used - 1] == 0)
        used--;
    if (used == 0)
        return;
    json_t *below = json_array();
    json_t *count = json_array();
    for (int i = 0; i < used; i++) {
        if (i < buckets - 1)
            json_array_append_new(below, json_real((double)first_ns / 1e9 * (double)(1ULL << i)));
        json_array_append_new(count, json_integer((json_int_t)counts[i]));
    }
    json_t *histogram = json_object();
    json_object_set_new(histogram, "below", below);
    json_object_set_new(histogram, "count", count);
    json_object_set_new(object, key, histogram);
}

void json_set_names(json_t *object, const char *key, const profile_names *names)
{
    json_t *array = json_array();
    for (size_t i = 0; i < names->count; i++)
        json_array_append_new(array, json_text(names->item[i].name));
    json_object_set_new(object, key, array);
}

void json_set_place(json_t *object, const struct frame *frame)
{
    if (!frame)
        return;
    json_set_text(object, "file", frame->file);
    if (frame->line)
        json_set_number(object, "line", frame->line);
    json_set_text(object, "function", frame->signature ? frame->signature : frame->function);
    json_set_text(object, "module", frame->module);
    if (!frame->line && frame->offset)
        json_set_number(object, "offset", frame->offset);
}

json_t *json_frame(const struct frame *frame)
{
    static const char *const owners[] = {
        [FRAME_LIBRARY] = "library", [FRAME_INTERPRETER] = "interpreter", [FRAME_USER] = "user"};
    json_t *object = json_object();
    json_set_place(object, frame);
    if (!frame->runtime)
        json_set_number(object, "offset", frame->offset);
    json_set_text(object, "language", frame->language);
    json_set_text(object, "owner", owners[frame->owner]);
    if (frame->inlined)
        json_object_set_new(object, "inlined", json_true());
    return object;
}

json_t *json_frames(const struct frames *frames)
{
    json_t *array = json_array();
    for (size_t i = 0; frames && i < frames->count; i++)
        json_array_append_new(array, json_frame(&frames->frame[i]));
    return array;
}

const char *json_time_text(struct arena *arena, const struct profile_process *process,
                           uint64_t at_ns)
{
    uint64_t ns = process->header->start_realtime + at_ns;
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm utc;
    char text[32];
    if (!gmtime_r(&seconds, &utc) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        return "";
    return arena_format(arena, "%s.%03uZ", text, (unsigned)(ns / 1000000 % 1000));
}
