// Equal lines of functions: see equal_lines.h.
#include "report/code/equal_lines.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "report/code/map.h"

enum { LINES_BOTH_WAYS = 20000 };

// What there is to know of a line; of many lines it has to be quick.
struct line {
    uint64_t hash; // of the normalized text
    uint16_t indent;
    bool blank;  // nothing, or only a comment
    bool ends;   // a brace in the first column
    bool closes; // it begins with a closing bracket: what is in front of it goes on
};

struct file {
    LIST(struct line) lines;
};

struct equal_lines {
    struct arena *arena;
    struct code_text *code;
    struct map files; // by language, directory and file
};

struct equal_lines *equal_lines_new(struct arena *arena, struct code_text *code)
{
    struct equal_lines *lines = arena_take(arena, sizeof *lines);
    lines->arena = arena;
    lines->code = code;
    return lines;
}

void equal_lines_free(struct equal_lines *lines)
{
    map_clear(&lines->files);
}

static bool begins_comment(const char *at, const char *language)
{
    static const char *const hash[] = {"python", "ruby", "perl", "php", NULL};
    for (const char *const *name = hash; *name; name++)
        if (language && strcmp(language, *name) == 0 && *at == '#')
            return true;
    return at[0] == '/' && at[1] == '/' && !(language && strcmp(language, "python") == 0);
}

void equal_lines_normalize(char *to, size_t bytes, const char *line, const char *language)
{
    size_t length = 0;
    char quote = 0;
    line += strspn(line, " \t\r\v\f");
    for (const char *at = line; *at && length + 2 < bytes; at++) {
        if (quote && *at == '\\' && at[1]) {
            to[length++] = *at++;
        } else if (quote) {
            quote = *at == quote ? 0 : quote;
        } else if (*at == '"' || *at == '\'') {
            quote = *at;
        } else if (begins_comment(at, language)) {
            break;
        } else if (isspace((unsigned char)*at)) {
            if (length > 0 && to[length - 1] != ' ')
                to[length++] = ' ';
            continue;
        }
        to[length++] = *at;
    }
    while (length > 0 && to[length - 1] == ' ')
        length--;
    to[length] = 0;
}

static struct line look_at(const char *text, const char *language)
{
    char normal[EQUAL_LINES_BYTES];
    const size_t indent = strspn(text, " \t");
    equal_lines_normalize(normal, sizeof normal, text, language);
    struct line line = {
        .hash = 0xcbf29ce484222325u, // FNV-1a
        .indent = indent < UINT16_MAX ? (uint16_t)indent : UINT16_MAX,
        .blank = normal[0] == 0,
        .ends = text[0] == '}',
        .closes = normal[0] != 0 && strchr(")]}", normal[0]),
    };
    for (const char *at = normal; *at; at++)
        line.hash = (line.hash ^ (unsigned char)*at) * 0x100000001b3u;
    return line;
}

static const struct file *find_file(struct equal_lines *lines,
                                    const struct equal_lines_place *place)
{
    const char *language = place->language ? place->language : "";
    const char *key =
        arena_format(lines->arena, "%s\n%s\n%s", language, place->directory, place->file);
    struct file *file = map_get_text(&lines->files, key);
    if (file)
        return file;
    file = arena_take(lines->arena, sizeof *file);
    map_add_text(lines->arena, &lines->files, key, file);
    const char *text;
    for (unsigned line = 1;
         (text = code_text_line(lines->code, place->directory, place->file, line)); line++)
        *LIST_ADD(lines->arena, &file->lines) = look_at(text, place->language);
    return file;
}

void equal_lines_count(struct equal_lines *lines, const struct equal_lines_place *place,
                       unsigned *above, unsigned *below)
{
    const struct file *file = find_file(lines, place);
    const size_t count = file->lines.count;
    const struct line *line = file->lines.item;
    *above = *below = 0;
    if (place->line == 0 || place->line > count || place->begin > place->line)
        return;
    const size_t here = place->line - 1;
    const size_t first = place->begin ? place->begin - 1 : 0;
    for (size_t i = here; i > first && here - i < LINES_BOTH_WAYS && !line[i - 1].ends; i--)
        *above += line[i - 1].hash == line[here].hash;
    for (size_t i = here + 1; i < count && i - here < LINES_BOTH_WAYS && !line[i].ends; i++) {
        if (place->begin && !line[i].blank && !line[i].closes &&
            line[i].indent <= line[first].indent)
            break;
        *below += line[i].hash == line[here].hash;
    }
}
