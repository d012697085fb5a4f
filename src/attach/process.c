// See process.h. The files are described in proc(5).
#include "attach/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "trace/clock.h"
#include "trace/proc.h"

enum { PATH_BYTES = 64, STATUS_BYTES = 8192, NANOSECONDS = 1000000000 };

// Reads a small file whole. Result: bytes read (the text is then NUL-terminated) or -errno.
static ssize_t read_file(const char *path, char *text, size_t bytes)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    size_t length = 0;
    ssize_t got = 0;
    while (length < bytes - 1 && (got = read(file, text + length, bytes - 1 - length)) > 0)
        length += (size_t)got;
    const int error = got < 0 ? errno : 0;
    close(file);
    text[length] = '\0';
    return error != 0 ? -error : (ssize_t)length;
}

int process_status(pid_t pid, pid_t tid, const char *key, char *value, size_t bytes)
{
    char path[PATH_BYTES];
    char text[STATUS_BYTES];
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", pid, tid);
    const ssize_t length = read_file(path, text, sizeof text);
    if (length < 0)
        return (int)length;
    size_t found_bytes;
    const char *found = proc_status_find(text, key, &found_bytes);
    if (found == NULL)
        return -ENODATA;
    snprintf(value, bytes, "%.*s", (int)found_bytes, found);
    return 0;
}

long process_number(pid_t pid, pid_t tid, const char *key)
{
    char value[256];
    if (process_status(pid, tid, key, value, sizeof value) != 0)
        return -1;
    return strtol(value, NULL, 10);
}

char process_state(pid_t pid, pid_t tid)
{
    char value[64];
    return process_status(pid, tid, "State", value, sizeof value) == 0 ? value[0] : '\0';
}

bool process_waits_in(pid_t pid, pid_t tid, long *number, uint64_t values[8])
{
    char path[PATH_BYTES];
    char text[256];
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", pid, tid);
    if (read_file(path, text, sizeof text) <= 0)
        return false;
    char *at = text;
    *number = strtol(text, &at, 10); // "running", "-1 SP PC" outside of a call, or all of it
    if (at == text || *number < 0)
        return false;
    for (int i = 0; i < 8; i++) {
        char *from = at;
        values[i] = strtoull(from, &at, 16);
        if (at == from)
            return false;
    }
    return true;
}

static uint64_t signal_set(pid_t pid, pid_t tid, const char *key)
{
    char value[64];
    if (process_status(pid, tid, key, value, sizeof value) != 0)
        return 0;
    return strtoull(value, NULL, 16);
}

uint64_t process_pending_signals(pid_t pid, pid_t tid)
{
    return signal_set(pid, tid, "SigPnd") | signal_set(pid, tid, "ShdPnd");
}

uint64_t process_blocked_signals(pid_t pid, pid_t tid)
{
    return signal_set(pid, tid, "SigBlk");
}

int process_threads(pid_t pid, pid_t *tids, int capacity)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return -errno;
    int count = 0;
    const struct dirent *entry = NULL;
    while (count < capacity && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.')
            tids[count++] = (pid_t)strtol(entry->d_name, NULL, 10);
    }
    closedir(folder);
    return count;
}

static bool lives(pid_t pid, pid_t tid)
{
    const char state = process_state(pid, tid);
    return state != '\0' && state != 'Z' && state != 'X';
}

pid_t process_living_thread(pid_t pid)
{
    static __thread pid_t tids[PROCESS_THREADS];
    if (lives(pid, pid))
        return pid;
    const int count = process_threads(pid, tids, PROCESS_THREADS);
    for (int i = 0; i < count; i++) {
        if (lives(pid, tids[i]))
            return tids[i];
    }
    return 0;
}

bool process_has_thread_named(pid_t pid, const char *name)
{
    static __thread pid_t tids[PROCESS_THREADS];
    const int count = process_threads(pid, tids, PROCESS_THREADS);
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES];
        char text[32];
        snprintf(path, sizeof path, "/proc/%d/task/%d/comm", pid, tids[i]);
        const ssize_t length = read_file(path, text, sizeof text);
        if (length > 0 && strcspn(text, "\n") == strlen(name) &&
            strncmp(text, name, strlen(name)) == 0)
            return true;
    }
    return false;
}

static bool same_file(pid_t one, pid_t other, const char *name)
{
    char path[PATH_BYTES];
    struct stat first;
    struct stat second;
    snprintf(path, sizeof path, "/proc/%d/%s", one, name);
    if (stat(path, &first) != 0)
        return false;
    snprintf(path, sizeof path, "/proc/%d/%s", other, name);
    if (stat(path, &second) != 0)
        return false;
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

bool process_same_files(pid_t one, pid_t other)
{
    one = process_living_thread(one);
    other = process_living_thread(other);
    return same_file(one, other, "ns/mnt") && same_file(one, other, "root");
}

uint64_t process_now(void)
{
    return clock_now(CLOCK_MONOTONIC);
}

void process_sleep(uint64_t ns)
{
    const struct timespec time = {(time_t)(ns / NANOSECONDS), (long)(ns % NANOSECONDS)};
    nanosleep(&time, NULL);
}
