// /proc/PID/stat and status: see proc.h.
#include "trace/proc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STATE_FIELD = 3, START_FIELD = 22, STAT_BYTES = 1024 };

size_t proc_read(const char *path, void *to, size_t bytes)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path,
                      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return 0;
    long got = syscall(SYS_read, fd, to, bytes);
    (void)syscall(SYS_close, fd);
    return got > 0 ? (size_t)got : 0;
}

bool proc_has_ended(const struct proc_stat *stat)
{
    return stat->state == 'Z' || stat->state == 'X';
}

// The name in field 2 may hold blanks and parentheses: fields are counted from the last ")".
bool proc_stat_parse(const char *text, struct proc_stat *stat)
{
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ' || at[2] == '\0')
        return false;
    stat->state = at[2];
    for (int field = STATE_FIELD - 1; field < START_FIELD && at; field++)
        at = strchr(at + 1, ' ');
    if (!at || at[1] < '0' || at[1] > '9')
        return false;
    stat->start_ticks = 0;
    for (at++; *at >= '0' && *at <= '9'; at++)
        stat->start_ticks = stat->start_ticks * 10 + (uint64_t)(*at - '0');
    return true;
}

bool proc_stat_read(const char *path, struct proc_stat *stat)
{
    char text[STAT_BYTES];
    text[proc_read(path, text, sizeof text - 1)] = '\0';
    return proc_stat_parse(text, stat);
}

const char *proc_status_find(const char *text, const char *key, size_t *bytes)
{
    const size_t length = strlen(key);
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        if (strncmp(line, key, length) != 0 || line[length] != ':')
            continue;
        const char *value = line + length + 1;
        value += strspn(value, " \t");
        *bytes = strcspn(value, "\n");
        return value;
    }
    return NULL;
}
