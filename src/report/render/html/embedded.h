// The page, as the build has put it together: see embed.py.
#ifndef UNCLOSED_REPORT_RENDER_HTML_EMBEDDED_H
#define UNCLOSED_REPORT_RENDER_HTML_EMBEDDED_H

#include <stddef.h>

extern const unsigned char html_page[];
extern const size_t html_page_bytes; // 0: unclosed was built without it

#endif
