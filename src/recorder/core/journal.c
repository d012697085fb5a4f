// See journal.h.
#include "recorder/core/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/core/recorder.h"
#include "shared/line_out.h"

// The line as what a link points to: one of each kind from each process.
static void add_link(enum journal_kind kind, char *line, size_t bytes)
{
    char name[JOURNAL_TEXT_BYTES + 32];
    const size_t length = strlen(recorder_options.journal);
    if (length >= JOURNAL_TEXT_BYTES)
        return;
    memcpy(name, recorder_options.journal, length);
    char *at = name + length;
    *at++ = '.';
    char digits[12];
    size_t count = 0;
    for (unsigned pid = (unsigned)getpid(); pid > 0; pid /= 10)
        digits[count++] = (char)('0' + pid % 10);
    while (count > 0)
        *at++ = digits[--count];
    *at++ = '.';
    *at++ = (char)kind;
    *at = '\0';
    line[bytes - 1] = '\0'; // without the newline
    (void)syscall(SYS_symlinkat, line, AT_FDCWD, name);
}

void journal_add(enum journal_kind kind, uint32_t number, const char *text)
{
    char line[JOURNAL_LINE_BYTES];
    struct stat status;
    if (!recorder_options.journal[0])
        return;
    const long fd = syscall(SYS_openat, AT_FDCWD, recorder_options.journal,
                            O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
    const size_t bytes = journal_line(kind, (uint32_t)getpid(), number, text, line);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE)
            add_link(kind, line, bytes);
        return;
    }
    if (fstat((int)fd, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size < JOURNAL_FILE_BYTES)
        (void)line_out((int)fd, line, bytes);
    (void)syscall(SYS_close, fd);
}

void journal_add_path(enum journal_kind kind, const char *path)
{
    char whole[JOURNAL_TEXT_BYTES];
    const size_t bytes = strlen(path) + 1;
    // The system call's result counts the NUL.
    const long folder = path[0] != '/' && strchr(path, '/') && recorder_options.journal[0]
                            ? syscall(SYS_getcwd, whole, sizeof whole)
                            : 0;
    if (folder > 0 && (size_t)folder + bytes <= sizeof whole) {
        whole[folder - 1] = '/';
        memcpy(whole + folder, path, bytes);
        path = whole;
    }
    journal_add(kind, 0, path);
}
