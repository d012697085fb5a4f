// Texts for JSON: see json_text.h.
#include "report/compare/json_text.h"

#include <stdlib.h>
#include <string.h>

#include "report/code/memory.h"
#include "shared/clean.h"

json_t *json_text(const char *text)
{
    json_t *json = json_string(text);
    if (json)
        return json;
    char *copy = strdup(text);
    if (!copy)
        memory_exhausted();
    size_t taken;
    for (char *at = copy; *at; at += taken)
        if (clean_character(at, strlen(at), &taken) == 0xfffd && taken == 1)
            *at = '?';
    json = json_string(copy);
    free(copy);
    if (!json)
        memory_exhausted();
    return json;
}
