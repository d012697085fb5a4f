// Fuzzes the whole report: whatever a trace says, every renderer prints it.
//
// Without modules: they hold paths of files that would then be opened.
#include <stdint.h>
#include <stdio.h>

#include "report/render/renderer.h"
#include "report/report.h"
#include "trace_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(int fd, const struct report_request *request, render *function)
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
    function(profile, &request->render, nowhere);
    profile_free(profile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct report_request request = {.render.limit = 10};
    if (size > 1) {
        request.render.group_by = data[1] % (GROUP_BY_TEST + 1);
        request.render.all_frames = data[1] & 0x40;
        request.threshold_ns = data[1] & 0x80 ? 500 : 0;
    }
    for (size_t i = 0; i < 2 * renderer_count; i++) {
        const struct renderer *renderer = &renderers[i / 2];
        render *function = i % 2 ? renderer->held : renderer->report;
        int fd = function ? trace_image(data, size, TRACE_MODULES) : -1;
        if (fd >= 0)
            print(fd, &request, function);
    }
    return 0;
}
