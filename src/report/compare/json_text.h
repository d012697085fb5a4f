// Texts for JSON, which must be UTF-8: names of functions and files are whatever a program made
// them.
#ifndef UNCLOSED_REPORT_COMPARE_JSON_TEXT_H
#define UNCLOSED_REPORT_COMPARE_JSON_TEXT_H

#include <jansson.h>

// A text; bytes that are not UTF-8 become "?". Never NULL.
json_t *json_text(const char *text);

#endif
