// Makes traces for tests: see trace_builder.h.
#include "trace_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void builder_begin(struct trace_builder *builder, const char *path)
{
    memset(builder, 0, sizeof *builder);
    assert_int_equal(trace_create(&builder->writer, path), 0);
    struct trace_header *header = builder->writer.header;
    header->pid = 4711;
    header->parent_pid = 1;
    header->start_ns = BUILDER_START;
    header->start_realtime = 1700000000 * BUILDER_SECOND;
    header->last_ns = BUILDER_START + 182 * BUILDER_SECOND;
    header->end_ns = BUILDER_START + 1823 * BUILDER_SECOND / 10;
    header->ended = TRACE_ENDED_EXIT;
    strcpy(header->exe, "/usr/bin/python3.11");
    strcpy(header->command, "python3 trader.py");
    strcpy(header->directory, "/srv/trader");
}

void builder_end(struct trace_builder *builder)
{
    trace_forget(&builder->writer);
}

uint32_t builder_string(struct trace_builder *builder, const char *text)
{
    if (!text)
        return TRACE_NONE;
    uint32_t ref = trace_append_string(&builder->writer, text, strlen(text));
    assert_int_not_equal(ref, TRACE_NONE);
    return ref;
}

static uint64_t location(struct trace_builder *builder, const struct builder_frame *frame)
{
    struct trace_location *record;
    uint32_t ref = trace_new_record(&builder->writer, TRACE_LOCATIONS, &record);
    assert_non_null(record);
    record->file = builder_string(builder, frame->file);
    record->function = builder_string(builder, frame->function);
    record->line = frame->line;
    record->language = TRACE_PYTHON;
    return TRACE_FRAME_LOCATION | ref;
}

enum { MOST_FRAMES = 200, HEAD_WORDS = sizeof(struct trace_stack) / sizeof(uint64_t) };

uint32_t builder_native_stack(struct trace_builder *builder, uint64_t seen_ns,
                              const uint64_t *addresses, uint32_t count)
{
    uint64_t words[HEAD_WORDS + MOST_FRAMES];
    assert_true(count <= MOST_FRAMES);
    struct trace_stack head = {.seen_ns = seen_ns, .frame_count = count};
    memcpy(words, &head, sizeof head);
    memcpy(words + HEAD_WORDS, addresses, count * sizeof *addresses);
    uint32_t ref = trace_append_words(&builder->writer, TRACE_STACKS, words, HEAD_WORDS + count);
    assert_int_not_equal(ref, TRACE_NONE);
    return ref;
}

uint32_t builder_stack(struct trace_builder *builder, const struct builder_frame *frames)
{
    uint64_t words[MOST_FRAMES];
    uint32_t count = 0;
    for (; frames[count].file; count++)
        words[count] = location(builder, &frames[count]);
    return builder_native_stack(builder, BUILDER_START, words, count);
}

struct trace_site *builder_site(struct trace_builder *builder, enum trace_kind kind, uint32_t stack,
                                uint32_t *ref)
{
    struct trace_site *site;
    uint32_t made = trace_new_record(&builder->writer, TRACE_SITES, &site);
    assert_non_null(site);
    site->kind = kind;
    site->stack = stack;
    site->first_ns = BUILDER_START + BUILDER_SECOND;
    site->last_ns = BUILDER_START + 100 * BUILDER_SECOND;
    if (ref)
        *ref = made;
    return site;
}

struct trace_session *builder_session(struct trace_builder *builder, uint32_t site, double seconds)
{
    struct trace_session *session;
    (void)trace_new_record(&builder->writer, TRACE_SESSIONS, &session);
    assert_non_null(session);
    session->handle = 0x1000 + 0x10 * ++builder->next_handle;
    session->acquired_ns = BUILDER_START + (uint64_t)(seconds * 1e9);
    session->site = site;
    session->tid = 4712;
    session->state = TRACE_SLOT_LIVE;
    return session;
}

struct trace_pool *builder_pool(struct trace_builder *builder, const char *kind, const char *name,
                                uint32_t size, uint32_t overflow, uint32_t *ref)
{
    struct trace_pool *pool;
    *ref = trace_new_record(&builder->writer, TRACE_POOLS, &pool);
    assert_non_null(pool);
    pool->kind = builder_string(builder, kind);
    pool->name = builder_string(builder, name);
    pool->size = size;
    pool->overflow = overflow;
    pool->timeout_ms = TRACE_UNKNOWN;
    pool->wait_threshold_ns = BUILDER_SECOND / 10;
    return pool;
}
