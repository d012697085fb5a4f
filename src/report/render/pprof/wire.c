// The wire format of protocol buffers: see wire.h.
#include "report/render/pprof/wire.h"

#include <stdlib.h>
#include <string.h>

#include "report/code/memory.h"

enum { VARINT = 0, LENGTH = 2, VARINT_BYTES = 10 };

static void reserve(struct wire *wire, size_t more)
{
    if (wire->count + more <= wire->room)
        return;
    wire->room = (wire->count + more) * 2;
    wire->bytes = realloc(wire->bytes, wire->room);
    if (!wire->bytes)
        memory_exhausted();
}

void wire_packed(struct wire *wire, uint64_t number)
{
    reserve(wire, VARINT_BYTES);
    for (; number >= 0x80; number >>= 7)
        wire->bytes[wire->count++] = (unsigned char)(number | 0x80);
    wire->bytes[wire->count++] = (unsigned char)number;
}

void wire_number(struct wire *wire, unsigned field, uint64_t number)
{
    if (number == 0)
        return;
    wire_packed(wire, field << 3 | VARINT);
    wire_packed(wire, number);
}

void wire_bytes(struct wire *wire, unsigned field, const void *bytes, size_t count)
{
    wire_packed(wire, field << 3 | LENGTH);
    wire_packed(wire, count);
    reserve(wire, count);
    if (count > 0)
        memcpy(wire->bytes + wire->count, bytes, count);
    wire->count += count;
}

void wire_message(struct wire *wire, unsigned field, struct wire *inner)
{
    wire_bytes(wire, field, inner->bytes, inner->count);
    inner->count = 0;
}

void wire_free(struct wire *wire)
{
    free(wire->bytes);
    *wire = (struct wire){0};
}
