// The table of renderers: see renderer.h.
#include "report/render/renderer.h"

#include <string.h>

const struct renderer renderers[] = {
    {"text", "for people", RENDERER_PEOPLE, text_report, text_held, NULL},
    {"json", "for programs, schema 1", RENDERER_UTF8, json_report, json_held, NULL},
};
const size_t renderer_count = sizeof renderers / sizeof renderers[0];

const struct renderer *renderer_find(const char *name)
{
    for (size_t i = 0; name && i < renderer_count; i++)
        if (strcmp(renderers[i].name, name) == 0)
            return &renderers[i];
    return name ? NULL : &renderers[0];
}
