// What the command line calls in a traced process: the exported unclosed_* functions.
#include <errno.h>

#include "recorder/core/recorder.h"
#include "recorder/hooks/patch.h"
#include "recorder/hooks/sqlite.h"
#include "recorder/life/dump.h"
#include "recorder/life/process.h"

#define EXPORTED __attribute__((visibility("default")))

// What `unclosed attach`, `detach` and `dump` call on a thread of their own in the process. 0 or
// -errno. options: "UNCLOSED_OUTPUT=...\0...\0\0", read during the call only.
EXPORTED int unclosed_attach(const char *options);
EXPORTED int unclosed_detach(void);
EXPORTED int unclosed_dump(void);

// The prepared patches (patch_table.h) are written, as far as that was possible.
EXPORTED int unclosed_patched(void);

// The path of the trace, "" if there is none; of the last one after a detach.
EXPORTED const char *unclosed_trace_path(void);

int unclosed_attach(const char *options)
{
    return process_attach(options);
}

int unclosed_detach(void)
{
    return process_detach();
}

int unclosed_dump(void)
{
    int error = -ENOENT;
    if (!recorder_enter())
        return -EAGAIN;
    if (recorder_trace.header) {
        sqlite_tell_all();
        dump_summary(true);
        error = 0;
    }
    recorder_leave();
    return error;
}

int unclosed_patched(void)
{
    if (!recorder_enter())
        return -EAGAIN;
    patches_written();
    recorder_leave();
    return 0;
}

const char *unclosed_trace_path(void)
{
    return recorder_trace.path;
}
