// Fuzzes the whole report: whatever a trace says, text and JSON can be printed.
//
// Without modules: they hold paths of files that would then be opened.
#include <stdint.h>
#include <stdio.h>

#include "report/profile/profile.h"
#include "report/render/render.h"
#include "trace_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(int fd, const struct report_request *request,
                  void (*renderer)(const struct profile *profile,
                                   const struct report_request *request, FILE *out))
{
    static FILE *nowhere;
    struct trace_reader *reader = NULL;
    if (!nowhere)
        nowhere = fopen("/dev/null", "we");
    (void)reader_open_fd(fd, "image", 0, &reader);
    if (!reader)
        return;
    struct profile_builder *builder = profile_begin(request->threshold_ns, NULL);
    profile_add(builder, reader);
    struct profile *profile = profile_finish(builder);
    renderer(profile, request, nowhere);
    profile_free(profile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct report_request request = {.limit = 10};
    if (size > 1) {
        request.group_by = data[1] % (REPORT_BY_TEST + 1);
        request.all_frames = data[1] & 0x40;
        request.threshold_ns = data[1] & 0x80 ? 500 : 0;
    }
    static void (*const renderers[])(const struct profile *, const struct report_request *,
                                     FILE *) = {render_text, render_json, render_held_text,
                                                render_held_json};
    for (size_t i = 0; i < sizeof renderers / sizeof renderers[0]; i++) {
        int fd = trace_image(data, size, TRACE_MODULES);
        if (fd < 0)
            return 0;
        print(fd, &request, renderers[i]);
    }
    return 0;
}
