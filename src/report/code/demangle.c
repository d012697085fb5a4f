// Readable names for C++ (and legacy Rust) symbols: see symbols_demangle in symbols.h.
#include <stdlib.h>
#include <string.h>

#include "report/code/symbols.h"

// From libstdc++, declared in <cxxabi.h> for C++ only (Itanium C++ ABI, 3.4 "Demangler API").
extern char *__cxa_demangle(const char *name, char *buffer, size_t *length, int *status);

// The index behind the "(...)" or "<...>" that ends before `end`, going backwards: the index of its
// opening bracket. "->" and "operator>" are not brackets here because the caller never starts on
// them.
static size_t opening_bracket(const char *text, size_t end, char open, char close)
{
    int depth = 0;
    for (size_t i = end; i-- > 0;) {
        if (text[i] == close)
            depth++;
        else if (text[i] == open && --depth == 0)
            return i;
    }
    return end;
}

// The length of `text` without " const", "[clone .x]", "[abi:x]" and the like behind its
// parameters.
static size_t without_suffix(const char *text)
{
    size_t length = strlen(text);
    const char *last = strrchr(text, ')');
    if (!last)
        return length;
    for (const char *at = last + 1; *at; at++)
        if (*at == ':' || *at == '<') // the parenthesis was part of a name, "(anonymous)::f"
            return length;
    return (size_t)(last + 1 - text);
}

// Where the name begins, behind the return type that functions made from a template show: after the
// last space outside brackets.
static size_t name_start(const char *text, size_t end)
{
    const char *operator= strstr(text, "operator");
    size_t limit = operator&&(size_t)(operator- text) < end ? (size_t)(operator- text) : end;
    size_t start = 0;
    int depth = 0;
    for (size_t i = 0; i < limit; i++) {
        if (text[i] == '<' || text[i] == '(' || text[i] == '[' || text[i] == '{')
            depth++;
        else if (text[i] == '>' || text[i] == ')' || text[i] == ']' || text[i] == '}')
            depth--;
        else if (text[i] == ' ' && depth == 0)
            start = i + 1;
    }
    return start;
}

const char *symbols_demangle(struct arena *arena, const char *name, const char **signature)
{
    if (signature)
        *signature = NULL;
    if (strncmp(name, "_Z", 2) != 0)
        return arena_text(arena, name);
    int status = 0;
    char *full = __cxa_demangle(name, NULL, NULL, &status);
    if (!full)
        return arena_text(arena, name);
    size_t end = without_suffix(full);
    if (end > 0 && full[end - 1] == ')')
        end = opening_bracket(full, end, '(', ')');
    size_t start = name_start(full, end);
    const char *result = arena_text_part(arena, full + start, end - start);
    if (signature)
        *signature = arena_text(arena, full + start);
    free(full);
    return result;
}
