// What a page that is passed on leaves out: paths, SQL, source lines, or what a pattern matches.
//
// Works on the finished data of the page, text by text, so that nothing is forgotten. Not
// thread-safe.
#ifndef UNCLOSED_REPORT_RENDER_HTML_REDACT_H
#define UNCLOSED_REPORT_RENDER_HTML_REDACT_H

#include <jansson.h>

#include "report/render/renderer.h"

struct redaction; // opaque

// items: "paths", "sql", "source", "all" (these three), or an extended regular expression between
// slashes, such as "/customer-[0-9]+/". fault: why an item is none, to be freed; NULL.
// Result: NULL with a fault; else to be freed by redaction_free.
struct redaction *redaction_new(const char *const *items, size_t count, char **fault);
void redaction_free(struct redaction *redaction);

// What is left out, in words; patterns are not repeated, for they may name it. A new reference.
json_t *redaction_words(const struct redaction *redaction);

bool redaction_of_source(const struct redaction *redaction); // whether source lines are left out

// Cleans all texts of a document, so that they are safe to show, and redacts them.
void redaction_apply(const struct redaction *redaction, json_t *document);

#endif
