// Definitions around a line of Python: see python_scope.h.
//
// Not a parser: a definition holds what is indented more, up to the next line that is not.
#include "report/code/python_scope.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { LINES_BACK = 20000 };

struct definition {
    const char *name; // not terminated
    size_t length;
    bool is_class;
};

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static const char *after_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(text, word, length) != 0 || (text[length] != ' ' && text[length] != '\t'))
        return NULL;
    return text + length + strspn(text + length, " \t");
}

// Whether a line without its indentation begins a definition.
static bool begins_definition(const char *text, struct definition *definition)
{
    const char *async = after_word(text, "async");
    const char *name = after_word(async ? async : text, "def");
    definition->is_class = false;
    if (!name && (name = after_word(text, "class")))
        definition->is_class = true;
    if (!name)
        return false;
    definition->name = name;
    definition->length = 0;
    while (is_name(name[definition->length]))
        definition->length++;
    return definition->length > 0;
}

static bool is_called(const struct definition *definition, const char *function)
{
    return strlen(function) == definition->length &&
           memcmp(definition->name, function, definition->length) == 0;
}

// "Store" and "save" make "Store.save"; what is inside of a function is among its locals.
static const char *join(struct arena *arena, const struct definition *outer, const char *inner)
{
    return arena_format(arena, "%.*s%s%s", (int)outer->length, outer->name,
                        outer->is_class ? "." : ".<locals>.", inner);
}

const char *python_scope_name(struct arena *arena, struct code_text *code, const char *directory,
                              const char *file, unsigned line, const char *function,
                              unsigned *begin)
{
    const char *text = code_text_line(code, directory, file, line);
    const char *dot = strrchr(function, '.');
    const char *own = dot ? dot + 1 : function;
    const char *name = NULL; // so far, from the inside
    size_t inside = text ? strspn(text, " \t") : 0;
    *begin = 0;
    for (unsigned at = line; text && at > 0 && line - at < LINES_BACK && (inside > 0 || at == line);
         at--) {
        struct definition definition;
        text = code_text_line(code, directory, file, at);
        size_t indent = text ? strspn(text, " \t") : 0;
        const char *word = text ? text + indent : "";
        if (*word == 0 || *word == '#')
            continue;
        // A definition of one line holds itself; one that only begins here holds what follows.
        bool here =
            at == line && begins_definition(word, &definition) && is_called(&definition, own);
        if (!here && (at == line || indent >= inside))
            continue;
        inside = indent;
        if (!here && !begins_definition(word, &definition))
            continue;
        if (*begin == 0)
            *begin = at;
        if (name)
            name = join(arena, &definition, name);
        else if (is_called(&definition, own))
            name = own;
        else if (own[0] == '<' && strcmp(own, "<module>") != 0)
            name = join(arena, &definition, own);
        else
            break;
    }
    if (!name)
        *begin = 0; // not what the source says now
    return name && !dot ? name : function;
}
