// Opening the trace: see opening.h. Knows what goes into every trace, and whose tables point into
// it.
#include "recorder/life/opening.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "recorder/books/misuse.h"
#include "recorder/books/overdue.h"
#include "recorder/books/pools.h"
#include "recorder/books/sessions.h"
#include "recorder/books/sites.h"
#include "recorder/core/confined.h"
#include "recorder/core/fault.h"
#include "recorder/core/intern.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/log.h"
#include "recorder/core/presence.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/functions.h"
#include "recorder/hooks/patch.h"
#include "recorder/life/dump_signal.h"
#include "recorder/life/trace_file.h"
#include "recorder/runtimes/runtime.h"
#include "recorder/stacks/modules.h"

struct lock opening_lock = LOCK_OF(LOCK_OPENING);
static uint32_t pid;                     // of the process that has opened it
static int error;                        // not tried again: the reason will not go away by asking
static struct trace_writer parent_trace; // of the process we were forked from, read-only

static void write_beginning(void)
{
    modules_write_all();
    functions_write_all();
    patches_write_all();
    runtimes_describe(recorder_trace.header);
    if (recorder_renewed)
        recorder_trace.header->flags |= TRACE_FLAG_RENEWED;
    else if (recorder_attached)
        recorder_trace.header->flags |= TRACE_FLAG_ATTACHED;
    if (parent_trace.header) {
        sessions_import(&parent_trace);
        trace_forget(&parent_trace);
    }
    overdue_begin();
    dump_signal_take();
}

static void say_opened(void)
{
    struct log log;
    if (error < 0 || !log_begin(&log, "trace "))
        return;
    log_name(&log,
             recorder_trace.path[0] ? recorder_trace.path : "in memory only: there is no file");
    log_end(&log);
}

// Somebody may shorten the file from its first moment on.
static void create(void)
{
    fault_watch(&parent_trace);
    fault_watch(&recorder_trace);
    fault_take();
    error = trace_file_create(&recorder_trace);
    say_opened();
    recorder_trace.on_damage = recorder_damage;
    if (error < 0 || recorder_trace.path[0] == 0)
        fault_give_back();
}

bool opening_open(void)
{
    (void)modules_refresh(); // asks the loader, whose lock comes before ours
    lock_take(&opening_lock);
    if (is_confined() && error == 0)
        error = -EPERM;
    if (!recorder_is_opened() && error == 0) {
        create();
        if (error == 0) {
            pid = (uint32_t)getpid();
            write_beginning();
            recorder_set_opened(true);
        }
    }
    lock_give(&opening_lock);
    return recorder_is_opened();
}

uint32_t opening_pid(void)
{
    return pid;
}

int opening_error(void)
{
    return error;
}

// Nothing of this process is in the trace that is written next: drops what points into the last
// one, but for sessions. give_back: as in intern_reset.
static void forget_tables(bool give_back)
{
    intern_reset(give_back);
    sites_reset(give_back);
    pools_reset(give_back);
    modules_reset();
    misuse_reset(give_back);
}

void opening_forget(void)
{
    const bool alone = presence_wait(&recorder_thread);
    lock_take(&opening_lock);
    atomic_fetch_add(&recorder_recording, 1);
    recorder_set_opened(false);
    error = 0;
    atomic_fetch_add(&recorder_generation, 1);
    forget_tables(alone);
    sessions_clear();
    trace_retire(&recorder_trace, alone);
    lock_give(&opening_lock);
}

void opening_forked(bool clean)
{
    lock_init(&opening_lock);
    error = 0;
    sessions_forked(clean);
    forget_tables(false);
    if (recorder_trace.header) {
        trace_forget(&parent_trace);
        parent_trace = recorder_trace;
        memset(&recorder_trace, 0, sizeof recorder_trace);
    }
}
