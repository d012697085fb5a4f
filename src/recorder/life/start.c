// What the recorder is asked to do in this process: see start.h. Knows options, nothing of tracing.
#include "recorder/life/start.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/core/log.h"
#include "recorder/core/recorder.h"

// The value of a variable in a list "NAME=value\0...\0\0".
static const char *look_up(void *data, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = data; *at; at += strlen(at) + 1)
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return at + length + 1;
    return NULL;
}

static const char *look_up_environment(void *data, const char *name)
{
    (void)data;
    return getenv(name); // NOLINT(concurrency-mt-unsafe): before the program runs
}

static void complain(void *data, const struct option_entry *entry, const char *value,
                     const char *expected)
{
    struct log log;
    (void)data;
    log_open(&log);
    log_text(&log, "unclosed: ");
    log_text(&log, entry->variable);
    log_text(&log, "=");
    log_name(&log, value);
    log_text(&log, " is not used: expected ");
    log_text(&log, expected);
    log_text(&log, "\n");
    log_close(&log);
}

// The program may change its folder before its first session.
static void make_absolute(char *path)
{
    char whole[2 * OPTIONS_PATH_BYTES];
    if (path[0] == 0 || path[0] == '/' || !getcwd(whole, OPTIONS_PATH_BYTES))
        return;
    size_t length = strlen(whole);
    if (length + 1 + strlen(path) >= OPTIONS_PATH_BYTES)
        return;
    whole[length] = '/';
    strcpy(whole + length + 1, path);
    strcpy(path, whole);
}

bool start_is_asked(void)
{
    const char *preload = getenv("LD_PRELOAD"); // NOLINT(concurrency-mt-unsafe)
    return preload && strstr(preload, "libunclosed");
}

void start_read_options(const char *list)
{
    if (list)
        options_read(&recorder_options, look_up, complain, (void *)(uintptr_t)list);
    else
        options_read(&recorder_options, look_up_environment, complain, NULL);
    make_absolute(recorder_options.output);
    make_absolute(recorder_options.log);
}
