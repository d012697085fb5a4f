// Turns a fuzzer's bytes into a trace file that gets past the first checks.
#ifndef UNCLOSED_TESTS_TRACE_IMAGE_H
#define UNCLOSED_TESTS_TRACE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

// An even first byte: the rest is the file as it is. An odd one: the rest is cut into pieces that
// become the contents of chunks (first byte of a piece: the chunk's type, second: which of its
// header's fields is spoiled, if any), behind a header that is in order.
// skip: a chunk type that is left out; 0: none.
// Result: a descriptor of the file, or -1 if there is not enough to make one of.
int trace_image(const uint8_t *data, size_t size, unsigned skip);

#endif
