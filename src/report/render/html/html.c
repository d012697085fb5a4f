// The report as one HTML file that needs nothing else: no network, no other file.
//
// The page itself (page/, put together when unclosed is built) is embedded; what is written into it
// here is the data, and nothing of the data can end the element that it is in: there is no "<" in
// it. What the page shows of it is text, never HTML.
#include <stdlib.h>
#include <string.h>

#include "report/render/html/data.h"
#include "report/render/html/embedded.h"
#include "report/render/renderer.h"

// Where the data goes.
static const char marker[] = "@UNCLOSED_DATA@";

// Only ASCII comes here, and these characters occur in texts only.
static int put_json(const char *text, size_t bytes, void *data)
{
    FILE *out = data;
    size_t begin = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] != '<' && text[i] != '>' && text[i] != '&')
            continue;
        fwrite(text + begin, 1, i - begin, out);
        fprintf(out, "\\u%04x", text[i]);
        begin = i + 1;
    }
    fwrite(text + begin, 1, bytes - begin, out);
    return 0;
}

void html_report(const struct profile *profile, const struct render_options *options, FILE *out)
{
    const char *page = (const char *)html_page;
    const char *place = memmem(page, html_page_bytes, marker, sizeof marker - 1);
    if (!place) // report_print has asked html_missing before
        abort();
    json_t *data = page_data(profile, options);
    fwrite(page, 1, (size_t)(place - page), out);
    if (json_dump_callback(data, put_json, out,
                           JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9)) != 0)
        memory_exhausted();
    place += sizeof marker - 1;
    fwrite(place, 1, html_page_bytes - (size_t)(place - page), out);
    json_decref(data);
}

const char *html_missing(void)
{
    return html_page_bytes > 0 ? NULL
                               : "unclosed was built without this format, because npm or its "
                                 "packages were not there: run scripts/setup, then 'ninja -C "
                                 "build' with network access; all other formats work";
}
