// Stands in for the recorder's life cycle: see recorder_stand_in.h.
#include "recorder_stand_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "recorder/books/misuse.h"
#include "recorder/books/pools.h"
#include "recorder/books/sessions.h"
#include "recorder/books/sites.h"
#include "recorder/core/confined.h"
#include "recorder/core/intern.h"
#include "recorder/core/labels.h"
#include "recorder/core/recorder.h"
#include "recorder/core/table.h"
#include "recorder/stacks/capture.h"
#include "recorder/stacks/modules.h"

struct trace_writer recorder_trace;
struct options recorder_options = {.depth = 64, .wait_threshold_ns = 10000000};
void (*recorder_language_frames)(struct stack *stack, const struct stack_origin *origin);
atomic_bool confined_flag;
atomic_uint recorder_generation = 1;
__thread struct recorder_thread recorder_thread;

static char path[64];

void stand_in_begin(void)
{
    snprintf(path, sizeof path, "/tmp/unclosed-test-%d.trace", (int)getpid());
    unlink(path);
    atomic_fetch_add(&recorder_generation, 1);
    sessions_clear();
    intern_reset(true);
    sites_reset(true);
    pools_reset(true);
    misuse_reset(true);
    trace_forget(&recorder_trace);
    if (trace_create(&recorder_trace, path) != 0)
        abort();
}

void stand_in_end(void)
{
    unlink(path);
}

const char *stand_in_path(void)
{
    return path;
}

bool recorder_open_trace(void)
{
    return recorder_trace.header != NULL;
}

void recorder_lost(enum trace_lost reason)
{
    __atomic_add_fetch(&recorder_trace.header->lost[reason], 1, __ATOMIC_RELAXED);
}

void recorder_damage(void)
{
}

uint64_t recorder_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint32_t recorder_tid(void)
{
    return 1;
}

uint32_t recorder_thread_name(void)
{
    return TRACE_NONE;
}

uint32_t recorder_test(void)
{
    return TRACE_NONE;
}

void stack_capture(struct stack *stack)
{
    *stack = (struct stack){.count = 1, .frames = {0x4242}};
}

bool modules_refresh(void)
{
    return false;
}
