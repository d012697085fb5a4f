// Lines of source files: see code_text.h.
#include "report/code/code_text.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/code/map.h"
#include "report/code/rights.h"

enum { LARGEST_FILE = 8 << 20 }; // what people write by hand is smaller

struct text_file {
    LIST(const char *) lines;
};

struct code_text {
    struct arena *arena;
    struct map files; // by path
    struct rights rights;
};

struct code_text *code_text_new(struct arena *arena)
{
    struct code_text *code = arena_take(arena, sizeof *code);
    code->arena = arena;
    return code;
}

void code_text_free(struct code_text *code)
{
    if (code)
        map_clear(&code->files);
}

void code_text_restrict(struct code_text *code, uid_t uid)
{
    if (rights_add(&code->rights, uid))
        map_clear(&code->files);
}

// The contents, NUL-terminated, or NULL.
static char *read_file(struct code_text *code, const char *path)
{
    int fd = rights_open(&code->rights, path);
    struct stat status;
    char *text = NULL;
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size <= LARGEST_FILE) {
        size_t size = (size_t)status.st_size;
        text = arena_take(code->arena, size + 1);
        size_t done = 0;
        ssize_t got;
        while (done < size && (got = read(fd, text + done, size - done)) > 0)
            done += (size_t)got;
        text[done] = 0;
    }
    if (fd >= 0)
        close(fd);
    return text;
}

static struct text_file *find_file(struct code_text *code, const char *path)
{
    struct text_file *file = map_get_text(&code->files, path);
    if (file)
        return file;
    file = arena_take(code->arena, sizeof *file);
    map_add_text(code->arena, &code->files, path, file);
    char *at = read_file(code, path);
    while (at && *at) {
        *LIST_ADD(code->arena, &file->lines) = at;
        size_t length = strcspn(at, "\n");
        bool last = at[length] == 0;
        at[length] = 0;
        if (length > 0 && at[length - 1] == '\r')
            at[length - 1] = 0;
        at = last ? NULL : at + length + 1;
    }
    return file;
}

const char *code_text_line(struct code_text *code, const char *directory, const char *file,
                           unsigned line)
{
    if (!file || file[0] == 0 || file[0] == '<' || line == 0)
        return NULL;
    char path[PATH_MAX];
    if (file[0] != '/') {
        if (snprintf(path, sizeof path, "%s/%s", directory, file) >= (int)sizeof path)
            return NULL;
        file = path;
    }
    const struct text_file *found = find_file(code, file);
    return line <= found->lines.count ? found->lines.item[line - 1] : NULL;
}
