// See journal.h. Not thread-safe.
#include "cli/run/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

char *journal_make(void)
{
    char folder[] = "/tmp/unclosed-journal-XXXXXX";
    char *path = NULL;
    const bool for_all = geteuid() == 0;
    if (!mkdtemp(folder))
        return NULL;
    if (asprintf(&path, "%s/journal", folder) < 0)
        cli_no_memory();
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    // Others may add to it and make links beside it, and neither read it nor list the folder.
    if (fd >= 0 && (!for_all || (fchmod(fd, 0622) == 0 && chmod(folder, 01733) == 0))) {
        (void)close(fd);
        return path;
    }
    if (fd >= 0)
        (void)close(fd);
    journal_remove(path);
    return NULL;
}

static size_t read_lines(const char *path,
                         void (*visit)(const struct journal_entry *entry, void *data), void *data)
{
    struct journal_entry entry;
    char line[JOURNAL_LINE_BYTES + 1];
    off_t done = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status = {0};
    FILE *file =
        fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? fdopen(fd, "r") : NULL;
    if (!file) {
        if (fd >= 0)
            (void)close(fd);
        return 0;
    }
    // A last write may have gone beyond the limit, and so may somebody who knows none. What is
    // longer than a line comes in pieces that are none.
    while (done < JOURNAL_FILE_BYTES + JOURNAL_LINE_BYTES && fgets(line, sizeof line, file)) {
        const size_t bytes = strlen(line); // with NUL bytes in it, it is none either
        done = ftello(file);
        if (bytes > 0 && line[bytes - 1] == '\n' && journal_parse(line, bytes - 1, &entry) == 0)
            visit(&entry, data);
    }
    (void)fclose(file);
    return status.st_size > done ? (size_t)(status.st_size - done) : 0;
}

// Calls `visit` for the name of each other file in the journal's folder.
static void each_beside(const char *path, void (*visit)(int folder, const char *name, void *data),
                        void *data)
{
    char *parent = strdup(path);
    if (!parent)
        cli_no_memory();
    *strrchr(parent, '/') = '\0';
    DIR *folder = opendir(parent);
    const struct dirent *entry = NULL;
    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            visit(dirfd(folder), entry->d_name, data);
    if (folder)
        (void)closedir(folder);
    free(parent);
}

struct links {
    void (*visit)(const struct journal_entry *entry, void *data);
    void *data;
    unsigned left; // how many more are read
};

static void read_link(int folder, const char *name, void *data)
{
    struct links *links = data;
    struct journal_entry entry;
    char line[JOURNAL_LINE_BYTES];
    const ssize_t bytes = readlinkat(folder, name, line, sizeof line);
    if (bytes <= 0 || links->left == 0)
        return;
    links->left--;
    if (journal_parse(line, (size_t)bytes, &entry) == 0)
        links->visit(&entry, links->data);
}

size_t journal_read(const char *path, void (*visit)(const struct journal_entry *entry, void *data),
                    void *data)
{
    enum { LINKS_MOST = 10000 };
    struct links links = {visit, data, LINKS_MOST};
    if (!path)
        return 0;
    const size_t unread = read_lines(path, visit, data);
    each_beside(path, read_link, &links);
    return unread;
}

void journal_read_new(const char *path, off_t *offset,
                      void (*visit)(const struct journal_entry *entry, void *data), void *data)
{
    struct journal_entry entry;
    char text[64 << 10];
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    ssize_t got = 0;
    while (*offset < JOURNAL_FILE_BYTES && (got = pread(fd, text, sizeof text, *offset)) > 0) {
        ssize_t done = 0;
        const char *end = NULL;
        while ((end = memchr(text + done, '\n', (size_t)(got - done)))) {
            if (journal_parse(text + done, (size_t)(end - text - done), &entry) == 0)
                visit(&entry, data);
            done = end + 1 - text;
        }
        if (done == 0 && got < (ssize_t)sizeof text)
            break; // a line that is not complete yet
        *offset += done > 0 ? done : got;
    }
    (void)close(fd);
}

static void remove_one(int folder, const char *name, void *data)
{
    (void)data;
    (void)unlinkat(folder, name, 0);
}

void journal_remove(char *path)
{
    if (!path)
        return;
    each_beside(path, remove_one, NULL);
    *strrchr(path, '/') = '\0';
    (void)rmdir(path);
    free(path);
}
