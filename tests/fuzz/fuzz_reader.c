// Fuzzes the trace reader: whatever the file, reading ends and touches nothing outside.
#include <stdint.h>

#include "../unit/trace_walk.h"
#include "trace_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = trace_image(data, size, 0);
    struct trace_reader *reader = NULL;
    if (fd < 0)
        return 0;
    (void)reader_open_fd(fd, "image", 0, &reader);
    if (reader)
        walk_trace(reader);
    reader_close(reader);
    return 0;
}
