// Makes traces for tests of the reader and the report, with the recorder's own writer.
//
// The process it pretends to be is deterministic: pid 4711, 182.3 seconds, frames of a language
// runtime unless a test adds modules. Every function fails the test if it cannot do its part.
#ifndef UNCLOSED_TESTS_TRACE_BUILDER_H
#define UNCLOSED_TESTS_TRACE_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "trace/trace_writer.h"

#define BUILDER_SECOND UINT64_C(1000000000)
#define BUILDER_START (1000 * BUILDER_SECOND) // CLOCK_MONOTONIC at the start

struct trace_builder {
    struct trace_writer writer;
    uint32_t next_handle;
};

// A Python frame of the pretended process.
struct builder_frame {
    const char *file;
    uint32_t line;
    const char *function;
};

// Begins a trace at `path`, which must not exist, of a process that exits with 0.
void builder_begin(struct trace_builder *builder, const char *path);
void builder_end(struct trace_builder *builder);

uint32_t builder_string(struct trace_builder *builder, const char *text); // NULL: TRACE_NONE

// A stack of language frames, innermost first, ended by one with file NULL.
uint32_t builder_stack(struct trace_builder *builder, const struct builder_frame *frames);
// A stack of return addresses.
uint32_t builder_native_stack(struct trace_builder *builder, uint64_t seen_ns,
                              const uint64_t *addresses, uint32_t count);

struct trace_site *builder_site(struct trace_builder *builder, enum trace_kind kind, uint32_t stack,
                                uint32_t *ref);
// A session that is out since `seconds` after the start.
struct trace_session *builder_session(struct trace_builder *builder, uint32_t site, double seconds);
struct trace_pool *builder_pool(struct trace_builder *builder, const char *kind, const char *name,
                                uint32_t size, uint32_t overflow, uint32_t *ref);

#endif
