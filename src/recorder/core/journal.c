// See journal.h.
#include "recorder/core/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/core/confined.h"
#include "recorder/core/recorder.h"
#include "shared/line_out.h"

// The first of the lines as what a link points to: one of each kind from each process.
static void add_link(char *lines, size_t bytes)
{
    char name[JOURNAL_LINK_BYTES];
    lines[strcspn(lines, "\n")] = '\0';
    if (bytes > 0 && journal_link(recorder_options.journal, (enum journal_kind)lines[0],
                                  (uint32_t)getpid(), name))
        (void)syscall(SYS_symlinkat, lines, AT_FDCWD, name);
}

// Appends whole lines, with a NUL behind them.
static void append(char *lines, size_t bytes)
{
    struct stat status;
    if (is_confined())
        return;
    const long fd = syscall(SYS_openat, AT_FDCWD, recorder_options.journal,
                            O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE)
            add_link(lines, bytes);
        return;
    }
    if (fstat((int)fd, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size < JOURNAL_FILE_BYTES)
        (void)line_out((int)fd, lines, bytes);
    (void)syscall(SYS_close, fd);
}

void journal_add(enum journal_kind kind, uint32_t number, const char *text)
{
    char line[JOURNAL_LINE_BYTES + 1];
    if (!recorder_options.journal[0])
        return;
    const size_t bytes = journal_line(kind, (uint32_t)getpid(), number, text, line);
    line[bytes] = '\0';
    append(line, bytes);
}

void journal_collect(struct journal_lines *lines, enum journal_kind kind, const char *text)
{
    if (!recorder_options.journal[0])
        return;
    if (sizeof lines->text - lines->used <= JOURNAL_LINE_BYTES)
        journal_write(lines);
    lines->used += journal_line(kind, (uint32_t)getpid(), 0, text, lines->text + lines->used);
}

void journal_write(struct journal_lines *lines)
{
    if (lines->used == 0)
        return;
    lines->text[lines->used] = '\0';
    append(lines->text, lines->used);
    lines->used = 0;
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
