// Fuzzes the whole report: whatever a trace says, every renderer prints it.
//
// Without modules: they hold paths of files that would then be opened.
#include <stdint.h>
#include <stdio.h>

#include "report/render/renderer.h"
#include "report/report.h"
#include "trace_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Reading and judging are most of the work, and the same for all renderers.
static void print_all(const struct profile *profile, const struct report_request *request)
{
    static FILE *nowhere;
    if (!nowhere)
        nowhere = fopen("/dev/null", "we");
    for (size_t i = 0; nowhere && i < renderer_count; i++) {
        if (renderer_missing(&renderers[i]))
            continue;
        if (renderers[i].report)
            renderers[i].report(profile, &request->render, nowhere);
        if (renderers[i].held)
            renderers[i].held(profile, &request->render, nowhere);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct report_request request = {.render.limit = 10};
    struct trace_reader *reader = NULL;
    if (size > 1) {
        request.render.group_by = data[1] % (GROUP_BY_TEST + 1);
        request.render.all_frames = data[1] & 0x40;
        request.threshold_ns = data[1] & 0x80 ? 500 : 0;
    }
    int fd = trace_image(data, size, TRACE_MODULES);
    if (fd >= 0)
        (void)reader_open_fd(fd, "image", 0, &reader);
    if (!reader)
        return 0;
    struct profile_builder *builder = profile_begin(request.threshold_ns, NULL);
    profile_add(builder, reader);
    struct profile *profile = profile_finish(builder);
    print_all(profile, &request);
    profile_free(profile);
    return 0;
}
