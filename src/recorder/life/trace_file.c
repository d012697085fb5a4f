// Where this process's trace goes, and what its header says. Knows nothing of sessions.
#include "recorder/life/trace_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "recorder/core/journal.h"
#include "recorder/core/log.h"
#include "recorder/core/recorder.h"
#include "shared/output_name.h"
#include "shared/redact.h"
#include "trace/clock.h"
#include "trace/proc.h"
#include "trace/trace_replace.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#endif

static uint64_t start_ticks(void)
{
    struct proc_stat stat;
    return proc_stat_read("/proc/self/stat", &stat) ? stat.start_ticks : 0;
}

static void fill_header(struct trace_header *header)
{
    uint64_t realtime = clock_now(CLOCK_REALTIME);
    header->machine = MACHINE;
    header->pid = (uint32_t)getpid();
    header->parent_pid = (uint32_t)getppid();
    header->uid = (uint32_t)geteuid();
    header->run_id = recorder_options.run_id;
    header->threshold_ns = recorder_options.threshold_ns;
    header->start_ns = recorder_start_ns;
    header->last_ns = recorder_now();
    header->start_realtime = realtime - (header->last_ns - header->start_ns);
    header->process_start_ticks = start_ticks();
    header->flags |= recorder_is_child() ? TRACE_FLAG_FORKED : 0;
    ssize_t got = readlink("/proc/self/exe", header->exe, sizeof header->exe - 1);
    header->exe[got > 0 ? got : 0] = 0;
    static char arguments[sizeof header->command]; // the caller has a lock
    size_t length = proc_read("/proc/self/cmdline", arguments, sizeof arguments - 1);
    (void)redact_command(arguments, length, header->command, sizeof header->command);
    memset(arguments, 0, sizeof arguments);
    if (!getcwd(header->directory, sizeof header->directory))
        header->directory[0] = 0;
}

static bool append_number(char *path, size_t bytes, unsigned number)
{
    char digits[12];
    size_t count = 0, length = strlen(path);
    for (; number > 0; number /= 10)
        digits[count++] = (char)('0' + number % 10);
    if (length + 1 + count + 1 > bytes)
        return false;
    path[length++] = '.';
    while (count > 0)
        path[length++] = digits[--count];
    path[length] = 0;
    return true;
}

static int create_from(struct trace_writer *writer, const char *pattern,
                       const struct output_names *names, bool force)
{
    enum { TRIES = 1000 };
    static char
        path[TRACE_PATH_BYTES]; // not on the stack, which may be small; the caller has a lock
    for (unsigned try = 1; try < TRIES; try++) {
        int error = output_name(pattern, names, try > 1, path, sizeof path);
        if (error == 0 && try > 2 && !append_number(path, sizeof path, try - 1))
            error = -ENAMETOOLONG;
        if (error < 0)
            return error;
        if (try == 1 && force)
            (void)trace_remove_old(path, (uint32_t)getpid(), recorder_options.run_id);
        error = trace_create(writer, path);
        if (error == 0)
            journal_add(JOURNAL_TRACE, 0, path);
        if (error != -EEXIST)
            return error;
    }
    return -EEXIST;
}

static int create_in_fallback(struct trace_writer *writer, const struct output_names *names)
{
    static char pattern[2 * OPTIONS_PATH_BYTES];
    const char *base = strrchr(recorder_options.output, '/');
    base = base ? base + 1 : recorder_options.output;
    size_t folder = strlen(recorder_options.fallback);
    memcpy(pattern, recorder_options.fallback, folder);
    pattern[folder] = '/';
    memcpy(pattern + folder + 1, base, strlen(base) + 1);
    return create_from(writer, pattern, names, false);
}

// The file that unclosed attach has opened for this process, and for no forked child of it.
static int create_given(struct trace_writer *writer)
{
    int fd = (int)recorder_options.trace_fd;
    recorder_options.trace_fd = 0;
    int error = trace_create_open(writer, fd, recorder_options.trace_name);
    if (error == 0)
        fill_header(writer->header);
    return error;
}

// Names the file that could not be made, not the pattern that it comes from.
static void say_no_trace(const struct output_names *names, int error)
{
    static char path[2 * OPTIONS_PATH_BYTES]; // there is one caller at a time
    bool known = output_name(recorder_options.output, names, false, path, sizeof path) == 0;
    log_no_trace(known ? path : recorder_options.output, error);
}

int trace_file_create(struct trace_writer *writer)
{
    if (recorder_options.trace_fd != 0)
        return create_given(writer);
    char exe[512];
    struct utsname host;
    ssize_t got = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[got > 0 ? got : 0] = 0;
    const char *base = strrchr(exe, '/');
    struct output_names names = {
        .pid = (uint32_t)getpid(),
        .executable = base ? base + 1 : exe,
        .seconds = (uint64_t)time(NULL),
        .host = uname(&host) == 0 ? host.nodename : "unknown",
    };
    int error = create_from(writer, recorder_options.output, &names, recorder_options.force);
    if (error < 0 && recorder_options.fallback[0])
        error = create_in_fallback(writer, &names);
    if (error < 0 && recorder_attached && !recorder_is_child())
        return error; // said by unclosed attach, which is waiting
    if (error < 0) {
        say_no_trace(&names, -error);
        journal_add(JOURNAL_NO_TRACE, (uint32_t)-error, "");
        error = trace_create(writer, NULL);
    }
    if (error == 0)
        fill_header(writer->header);
    return error;
}
