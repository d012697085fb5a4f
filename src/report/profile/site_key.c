// Stable keys of sites: see site_key.h.
#include "report/profile/site_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "report/code/equal_lines.h"
#include "report/code/owners.h"
#include "report/code/python_scope.h"

// While the keys are made.
struct keys {
    const struct profile *profile;
    const char *root;
    struct equal_lines *lines;
};

const char *site_key_without_literals(struct arena *arena, const char *code)
{
    static const char left_out[] = "...";
    char *text = arena_take(arena, strlen(code) * 4 + 1);
    char *to = text;
    char quote = 0;
    bool said = false;
    for (const char *at = code; *at; at++) {
        if (quote && *at != quote) {
            if (!said) {
                memcpy(to, left_out, sizeof left_out);
                to += sizeof left_out - 1;
            }
            said = true;
            at += *at == '\\' && at[1];
            continue;
        }
        if (*at == '"' || *at == '\'')
            quote = quote ? 0 : *at;
        said = false;
        *to++ = *at;
    }
    *to = 0;
    return text;
}

void site_key_drop_dots(char *path)
{
    char *to = path;
    const char *at = path;
    while (*at) {
        size_t length = strcspn(at, "/");
        const char *next = at + length + (at[length] == '/');
        char *before = to > path ? to - 1 : to; // at its slash
        while (before > path && before[-1] != '/')
            before--;
        if (length == 2 && memcmp(at, "..", 2) == 0 && to > path && memcmp(before, "../", 3) != 0 &&
            *before != '/') {
            to = before;
        } else if (length != 1 || *at != '.') {
            memmove(to, at, (size_t)(next - at));
            to += next - at;
        }
        at = next;
    }
    *to = 0;
}

static const char *relative_file(const struct keys *keys, const struct profile_site *site)
{
    const char *file = site->name ? site->name->file : NULL;
    if (!file)
        return site->name && site->name->module ? owners_base_name(site->name->module) : "";
    const char *directory = site->process->header->directory;
    struct arena *arena = keys->profile->arena;
    char *path =
        file[0] == '/' ? arena_text(arena, file) : arena_format(arena, "%s/%s", directory, file);
    site_key_drop_dots(path);
    const char *relative = keys->root ? owners_relative_path(path, keys->root) : path;
    if (relative[0] == '/')
        relative = owners_relative_path(path, directory);
    return relative[0] == '/' ? owners_base_name(relative) : relative;
}

// What the compiler appends to copies and parts of a function.
static const char *without_clones(struct arena *arena, const char *function)
{
    static const char *const marks[] = {".constprop.", ".isra.", ".part.", ".cold", ".lto_priv."};
    size_t length = strlen(function);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const char *mark = strstr(function, marks[i]);
        if (mark && (size_t)(mark - function) < length)
            length = (size_t)(mark - function);
    }
    return arena_text_part(arena, function, length);
}

// Names that many programs have say nothing without the program, or the module of a script.
static bool is_common(const char *name)
{
    static const char *const whole[] = {"main", "<module>", "<lambda>", "{main}", NULL};
    static const char *const parts[] = {"<main>", "<top (required)>", NULL}; // also of blocks in it
    for (const char *const *word = whole; *word; word++)
        if (strcmp(name, *word) == 0)
            return true;
    for (const char *const *word = parts; *word; word++)
        if (strstr(name, *word))
            return true;
    return false;
}

static const char *with_program(struct arena *arena, const struct frame *frame, const char *name)
{
    if (!is_common(name))
        return name;
    const char *home = frame->runtime || !frame->module ? frame->file : frame->module;
    const char *base = home ? owners_base_name(home) : "";
    return arena_format(arena, "%.*s.%s", (int)strcspn(base, "."), base, name);
}

// begin: the line where the function begins, if that is known; else 0.
static const char *qualified_name(const struct keys *keys, const struct profile_site *site,
                                  unsigned *begin)
{
    struct arena *arena = keys->profile->arena;
    const struct frame *frame = site->name;
    *begin = 0;
    if (!frame || !frame->function)
        return "";
    if (!frame->runtime)
        return with_program(arena, frame, without_clones(arena, frame->function));
    const char *name = frame->function;
    if (frame->file && frame->line && frame->language && strcmp(frame->language, "python") == 0)
        name = python_scope_name(arena, keys->profile->code, site->process->header->directory,
                                 frame->file, frame->line, name, begin);
    return with_program(arena, frame, name);
}

static void make_hash(struct site_key *key, const struct profile_site *site)
{
    const char *parts[] = {profile_kind_name(site->kind), key->name, key->code};
    uint64_t hash = 0xcbf29ce484222325u; // FNV-1a
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        for (const char *at = parts[i]; *at; at++)
            hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
        hash = (hash ^ '\n') * 0x100000001b3u;
    }
    (void)snprintf(key->hash, sizeof key->hash, "%016" PRIx64, hash);
}

static void make_key(const struct keys *keys, const struct profile_site *site, struct site_key *key)
{
    struct arena *arena = keys->profile->arena;
    const char *directory = site->process->header->directory;
    char text[EQUAL_LINES_BYTES];
    unsigned begin = 0, above = 0, below = 0;
    *key = (struct site_key){.ordinal = 1, .equals = 1, .place = 1, .code = ""};
    key->name = qualified_name(keys, site, &begin);
    key->file = relative_file(keys, site);
    const char *line = profile_code(keys->profile, site->name, directory);
    if (line[0]) {
        const struct frame *frame = site->name;
        equal_lines_normalize(text, sizeof text, line, frame->language);
        key->code = arena_text(arena, text);
        equal_lines_count(keys->lines,
                          &(struct equal_lines_place){directory, frame->file, frame->language,
                                                      frame->line, begin},
                          &above, &below);
        key->ordinal = 1 + above;
        key->equals = 1 + above + below;
    }
    make_hash(key, site);
}

struct numbered {
    struct site_key *key;
    const struct frame *frame;
};

static int compare_numbered(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    int order = strcmp(x->key->hash, y->key->hash);
    if (order == 0)
        order = strcmp(x->key->file, y->key->file);
    if (order != 0 || !x->frame || !y->frame)
        return order;
    if (x->frame->line != y->frame->line)
        return x->frame->line < y->frame->line ? -1 : 1;
    return (x->frame->offset > y->frame->offset) - (x->frame->offset < y->frame->offset);
}

// Lines that cannot be read, and equal ones of functions of one name in one file, are told apart by
// the order of those that the profile has. same: sites of one hash and file, by line.
static void number_alike(struct numbered *same, size_t count)
{
    bool numbered = true; // by the source
    for (size_t i = 0; i < count; i++)
        numbered &= same[i].key->code[0] != 0 &&
                    (i == 0 || same[i].key->ordinal > same[i - 1].key->ordinal);
    for (size_t i = 0; i < count && !numbered; i++) {
        same[i].key->ordinal = (unsigned)i + 1;
        same[i].key->equals = (unsigned)count;
    }
}

// sorted: sites of one hash, by file.
static void number_places(struct numbered *sorted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            sorted[i].key->place += sorted[j].key->ordinal == sorted[i].key->ordinal;
}

static void number_equals(const struct profile *profile, struct site_key *keys)
{
    size_t count = profile->sites.count;
    struct numbered *sorted = arena_take(profile->arena, (count + 1) * sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct numbered){&keys[i], profile->sites.item[i]->name};
    list_sort(sorted, count, sizeof *sorted, compare_numbered);
    for (size_t from = 0, to; from < count; from = to) {
        size_t file = from;
        for (to = from; to < count && strcmp(sorted[to].key->hash, sorted[from].key->hash) == 0;
             to++)
            if (strcmp(sorted[to].key->file, sorted[file].key->file) != 0) {
                number_alike(sorted + file, to - file);
                file = to;
            }
        number_alike(sorted + file, to - file);
        number_places(sorted + from, to - from);
    }
}

const struct site_key *site_keys_make(const struct profile *profile, const char *root)
{
    const struct keys making = {
        .profile = profile,
        .root = root,
        .lines = equal_lines_new(profile->arena, profile->code),
    };
    size_t count = profile->sites.count;
    struct site_key *keys = arena_take(profile->arena, (count + 1) * sizeof *keys);
    for (size_t i = 0; i < count; i++)
        make_key(&making, profile->sites.item[i], &keys[i]);
    equal_lines_free(making.lines);
    number_equals(profile, keys);
    for (size_t i = 0; i < count; i++)
        keys[i].text =
            arena_format(profile->arena, "%s.%u.%u", keys[i].hash, keys[i].ordinal, keys[i].place);
    return keys;
}
