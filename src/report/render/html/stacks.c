// The stacks of a page: see stacks.h.
#include "report/render/html/stacks.h"

#include <stdlib.h>
#include <string.h>

#include "report/code/map.h"
#include "report/code/owners.h"
#include "report/render/json/values.h"

enum {
    AROUND = 6,              // lines of source shown before and after one that acquires
    MOST_SOURCE = 768 << 10, // bytes of source in a page
    LONGEST_LINE = 400,
};

struct page_stacks {
    const struct profile *profile;
    struct arena *arena;
    struct map texts, frames, nodes, lines; // number + 1
    json_t *text_list, *frame_list, *node_list, *source;
    size_t source_bytes;
    bool with_source;
};

struct page_stacks *page_stacks_new(const struct profile *profile, bool with_source)
{
    struct page_stacks *stacks = calloc(1, sizeof *stacks);
    if (!stacks)
        memory_exhausted();
    stacks->profile = profile;
    stacks->arena = arena_new();
    stacks->with_source = with_source;
    stacks->text_list = json_array();
    stacks->frame_list = json_array();
    stacks->node_list = json_array();
    stacks->source = json_object();
    return stacks;
}

void page_stacks_free(struct page_stacks *stacks)
{
    map_clear(&stacks->texts);
    map_clear(&stacks->frames);
    map_clear(&stacks->nodes);
    map_clear(&stacks->lines);
    json_decref(stacks->text_list);
    json_decref(stacks->frame_list);
    json_decref(stacks->node_list);
    json_decref(stacks->source);
    arena_free(stacks->arena);
    free(stacks);
}

// The number of a key that was added already, or that `list` is going to give it.
static json_int_t number_of(struct page_stacks *stacks, struct map *map, const void *key,
                            size_t bytes, const json_t *list, bool *is_new)
{
    const size_t *known = map_get(map, key, bytes);
    *is_new = !known;
    if (known)
        return (json_int_t)*known;
    size_t *number = arena_take(stacks->arena, sizeof *number);
    *number = json_array_size(list);
    map_add(stacks->arena, map, key, bytes, number);
    return (json_int_t)*number;
}

static json_int_t text_number(struct page_stacks *stacks, const char *text)
{
    bool is_new;
    if (!text || !text[0])
        return -1;
    json_int_t number =
        number_of(stacks, &stacks->texts, text, strlen(text) + 1, stacks->text_list, &is_new);
    if (is_new)
        json_array_append_new(stacks->text_list, json_text(text));
    return number;
}

struct frame_key {
    json_int_t function, file, module, language;
    uint64_t offset;
    uint32_t line;
    uint32_t owner_inlined;
};

static struct frame_key key_of(struct page_stacks *stacks, const struct profile_process *process,
                               const struct frame *frame)
{
    const char *directory = process->header->directory;
    return (struct frame_key){
        .function = text_number(stacks, frame->signature ? frame->signature : frame->function),
        .file =
            text_number(stacks, frame->file ? owners_relative_path(frame->file, directory) : NULL),
        .module = frame->file ? -1 : text_number(stacks, frame->module),
        .language = text_number(stacks, frame->language),
        .offset = frame->line || frame->runtime ? 0 : frame->offset,
        .line = frame->line,
        .owner_inlined = (uint32_t)frame->owner * 2 + frame->inlined,
    };
}

json_int_t page_frame(struct page_stacks *stacks, const struct profile_process *process,
                      const struct frame *frame)
{
    bool is_new;
    if (!frame)
        return -1;
    const struct frame_key key = key_of(stacks, process, frame);
    json_int_t number =
        number_of(stacks, &stacks->frames, &key, sizeof key, stacks->frame_list, &is_new);
    if (is_new)
        json_array_append_new(stacks->frame_list,
                              json_pack("[I,I,I,I,I,I,I,I]", key.function, key.file,
                                        (json_int_t)key.line, key.module, (json_int_t)frame->owner,
                                        key.language, (json_int_t)frame->inlined,
                                        (json_int_t)(key.offset & INT64_MAX)));
    return number;
}

static void add_line(struct page_stacks *stacks, const struct profile_process *process,
                     const struct frame *frame, unsigned line)
{
    const char *directory = process->header->directory;
    const json_int_t file = text_number(stacks, owners_relative_path(frame->file, directory));
    const uint64_t key[2] = {(uint64_t)file, line};
    if (map_get(&stacks->lines, key, sizeof key) || stacks->source_bytes > MOST_SOURCE)
        return;
    map_add(stacks->arena, &stacks->lines, key, sizeof key, stacks);
    const char *text = code_text_line(stacks->profile->code, directory, frame->file, line);
    if (!text)
        return;
    char cut[LONGEST_LINE + 1], name[24];
    size_t used = 0;
    for (; *text && used < LONGEST_LINE - 8; text++) {
        cut[used++] = *text == '\t' ? ' ' : *text;
        for (int i = 0; *text == '\t' && i < 3; i++)
            cut[used++] = ' ';
    }
    cut[used] = 0;
    (void)snprintf(name, sizeof name, "%lld", (long long)file);
    json_t *lines = json_object_get(stacks->source, name);
    if (!lines) {
        lines = json_object();
        json_object_set_new(stacks->source, name, lines);
    }
    (void)snprintf(name, sizeof name, "%u", line);
    json_object_set_new(lines, name, json_text(cut));
    stacks->source_bytes += used;
}

void page_source(struct page_stacks *stacks, const struct profile_process *process,
                 const struct frame *frame)
{
    if (!frame || !frame->file || frame->line == 0 || !stacks->with_source)
        return;
    unsigned first = frame->line > AROUND ? frame->line - AROUND : 1;
    for (unsigned line = first; line <= frame->line + AROUND; line++)
        add_line(stacks, process, frame, line);
}

json_int_t page_stack(struct page_stacks *stacks, const struct profile_process *process,
                      const struct frames *frames)
{
    json_int_t node = -1;
    for (size_t i = frames ? frames->count : 0; i-- > 0;) {
        const struct frame *frame = &frames->frame[i];
        bool is_new;
        const json_int_t key[2] = {page_frame(stacks, process, frame), node};
        node = number_of(stacks, &stacks->nodes, key, sizeof key, stacks->node_list, &is_new);
        if (is_new)
            json_array_append_new(stacks->node_list, json_pack("[I,I]", key[0], key[1]));
        if (frame->file && frame->line && stacks->with_source)
            add_line(stacks, process, frame, frame->line);
    }
    return node;
}

void page_stacks_set(const struct page_stacks *stacks, json_t *root)
{
    json_object_set(root, "texts", stacks->text_list);
    json_object_set(root, "frames", stacks->frame_list);
    json_object_set(root, "nodes", stacks->node_list);
    json_object_set(root, "source", stacks->source);
}
