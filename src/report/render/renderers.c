// The table of renderers: see renderer.h.
#include "report/render/renderer.h"

#include <string.h>

const struct renderer renderers[] = {
    {"text", "for people", RENDERER_PEOPLE, text_report, text_held, NULL},
    {"json", "for programs, schema 1", RENDERER_UTF8, json_report, json_held, NULL},
    {"csv", "a row a site", RENDERER_UTF8, csv_report, csv_held, NULL},
    {"folded", "stacks for flame graphs", RENDERER_UTF8, folded_report, NULL, NULL},
    {"markdown", "a summary for a pull request", RENDERER_UTF8, markdown_report, NULL, NULL},
    {"html", "a page to read and to pass on", RENDERER_UTF8, html_report, NULL, NULL},
    {"openmetrics", "for Prometheus", RENDERER_UTF8, openmetrics_report, NULL, NULL},
    {"junit", "tests that leak fail", RENDERER_UTF8, junit_report, NULL, NULL},
    {"junit-merge", "adds them to the runner's file", RENDERER_UTF8, NULL, NULL, junit_merge},
    {"pprof", "a profile for pprof", RENDERER_BINARY, pprof_report, NULL, NULL},
    {"speedscope", "profiles for speedscope.app", RENDERER_UTF8, speedscope_report, NULL, NULL},
    {"sqlite", "a database that runs are added to", RENDERER_UTF8, NULL, NULL, sqlite_file},
    {"sarif", "for code hosts and editors", RENDERER_UTF8, sarif_report, NULL, NULL},
    {"supp", "suppressions for all of it", RENDERER_UTF8, supp_report, NULL, NULL},
};
const size_t renderer_count = sizeof renderers / sizeof renderers[0];

const char *renderer_missing(const struct renderer *renderer)
{
    return renderer->report == html_report ? html_missing() : NULL;
}

const struct renderer *renderer_find(const char *name)
{
    for (size_t i = 0; name && i < renderer_count; i++)
        if (strcmp(renderers[i].name, name) == 0)
            return &renderers[i];
    return name ? NULL : &renderers[0];
}
