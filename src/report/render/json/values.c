// Pieces of JSON: see json.h.
#include "report/render/json/values.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

// Bytes of the UTF-8 character at `text`, 0 if there is none.
static size_t character_bytes(const unsigned char *text)
{
    size_t bytes = text[0] < 0x80   ? 1
                   : text[0] < 0xc2 ? 0
                   : text[0] < 0xe0 ? 2
                   : text[0] < 0xf0 ? 3
                   : text[0] < 0xf5 ? 4
                                    : 0;
    for (size_t i = 1; i < bytes; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return bytes;
}

json_t *json_text(const char *text)
{
    json_t *json = json_string(text);
    if (json)
        return json;
    char *copy = strdup(text);
    if (!copy)
        memory_exhausted();
    for (unsigned char *at = (unsigned char *)copy; *at;) {
        size_t bytes = character_bytes(at);
        if (bytes == 0)
            *at = '?';
        at += bytes ? bytes : 1;
    }
    json = json_string(copy);
    // What is still not valid is too long a form or a surrogate.
    for (char *at = copy; !json && *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    if (!json)
        json = json_string(copy);
    free(copy);
    if (!json)
        memory_exhausted();
    return json;
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
