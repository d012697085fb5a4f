// What the tests of reports share: a folder for made-up traces, and what is printed about them.
//
// Whatever goes wrong fails the test. Knows of the report only what report/report.h says.
#ifndef UNCLOSED_TESTS_REPORT_FIXTURE_H
#define UNCLOSED_TESTS_REPORT_FIXTURE_H

#include <stdio.h>

#include <jansson.h>

#include "report/report.h"
#include "trace_builder.h"

struct fixture {
    char folder[64];
    char path[96], other[96], code[96];
};

// For cmocka: a new folder before each test, `*state` is then a struct fixture; gone after it.
int set_up(void **state);
int tear_down(void **state);

void write_text(const char *path, const char *text);

// What is printed for a request, to be freed.
char *printed(const struct report_request *request, struct report_outcome *outcome,
              int (*print)(const struct report_request *, FILE *, struct report_outcome *));
// The text report of one trace, to be freed.
char *text_of_file(const char *path);
json_t *json_of(const struct report_request *request, struct report_outcome *outcome);
json_t *json_of_file(const char *path);

// The integer `key`, which must be there; the text `key`, or "".
json_int_t number(const json_t *object, const char *key);
const char *text_of(const json_t *object, const char *key);
// The site at file:line, which must be there once.
const json_t *site_at(const json_t *root, const char *file, json_int_t line);

// A site in user code below a library frame; released and reclaimed of its sessions have ended.
// frames: ended by one with file NULL. Result: its reference.
uint32_t add_site(struct trace_builder *builder, const struct builder_frame *frames,
                  uint64_t released, uint64_t reclaimed);
// That library frame.
extern const struct builder_frame library_frame;

#endif
