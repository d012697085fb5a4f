// What a page shows, as one JSON document.
#ifndef UNCLOSED_REPORT_RENDER_HTML_DATA_H
#define UNCLOSED_REPORT_RENDER_HTML_DATA_H

#include <jansson.h>

#include "report/render/renderer.h"

// A new reference.
json_t *page_data(const struct profile *profile, const struct render_options *options);

#endif
