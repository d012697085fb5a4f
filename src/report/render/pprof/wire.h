// The wire format of protocol buffers, as far as a profile needs it.
//
// Source: protobuf.dev, "Encoding". Knows no profile. Not thread-safe.
#ifndef UNCLOSED_REPORT_RENDER_PPROF_WIRE_H
#define UNCLOSED_REPORT_RENDER_PPROF_WIRE_H

#include <stddef.h>
#include <stdint.h>

// A message that is being made, or a packed list. {0} is an empty one.
struct wire {
    unsigned char *bytes;
    size_t count, room;
};

void wire_number(struct wire *wire, unsigned field, uint64_t number); // 0 is left out
void wire_bytes(struct wire *wire, unsigned field, const void *bytes, size_t count);
// A message or packed list inside; left is empty afterwards, its memory stays.
void wire_message(struct wire *wire, unsigned field, struct wire *inner);
// A number of a packed list.
void wire_packed(struct wire *wire, uint64_t number);
void wire_free(struct wire *wire);

#endif
