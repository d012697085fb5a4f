// Where spec texts come from; see specs.h.
//
// Runs inside the constructor of the traced process: raw system calls, the caller's buffer, no
// malloc.
#include "shared/specs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MARK "#: " // begins the line before the text of a shipped spec file

static void source_set(struct specs_error *error, const char *source, size_t bytes)
{
    size_t room = sizeof error->source - 1;
    bytes = bytes < room ? bytes : room;
    memcpy(error->source, source, bytes);
    error->source[bytes] = '\0';
}

bool specs_is_text(const char *value)
{
    return strpbrk(value, "(\n") || (strpbrk(value, " \t;#") && !strchr(value, '/'));
}

static bool is_path(const char *value)
{
    size_t bytes = strlen(value);
    return strchr(value, '/') || (bytes > 5 && strcmp(value + bytes - 5, ".spec") == 0);
}

// The shipped text of `name`, without its mark; NULL if there is none.
static const char *find_shipped(const char *name, size_t *bytes)
{
    const char *at = spec_shipped;
    while ((at = strstr(at, MARK))) {
        at += sizeof MARK - 1;
        size_t length = strcspn(at, "\n");
        if (length == strlen(name) && memcmp(at, name, length) == 0) {
            const char *end = strstr(at, MARK);
            *bytes = end ? (size_t)(end - at) : strlen(at);
            *bytes -= length;
            return at + length;
        }
    }
    return NULL;
}

// Result: number of bytes, or -errno; -EFBIG if the file does not fit.
static ssize_t read_file(const char *path, char *text, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    size_t used = 0;
    ssize_t got = 0;
    while (used < bytes && (got = read(fd, text + used, bytes - used)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        used += (size_t)got;
    }
    int error = got < 0 ? errno : 0;
    (void)close(fd);
    if (error)
        return -error;
    if (used == bytes)
        return -EFBIG;
    text[used] = '\0';
    return memchr(text, '\0', used) ? -EINVAL : (ssize_t)used;
}

// "guess:MODULE": the spec of pools of that module, by what their methods are called.
static int guess(const char *module, char *text, size_t bytes, struct specs_error *error)
{
    int length = snprintf(text, bytes,
                          "kind %s+guessed\n"
                          "acquire python:%s:" SPEC_GUESS "(self=pool) -> handle\n"
                          "release python:%s:" SPEC_GUESS "(self=pool, conn=handle)\n",
                          module, module, module);
    if (length < 0 || (size_t)length >= bytes) {
        error->error = EFBIG;
        return -1;
    }
    return length;
}

static int resolve(const char *value, char *text, size_t bytes, struct specs_error *error)
{
    static const char prefix[] = "guess:";
    size_t length = strlen(value);
    if (strncmp(value, prefix, sizeof prefix - 1) == 0) {
        source_set(error, value, length);
        return guess(value + sizeof prefix - 1, text, bytes, error);
    }
    const char *from = value;
    source_set(error, value, length);
    if (!specs_is_text(value)) {
        from = find_shipped(value, &length);
        if (!from && is_path(value)) {
            ssize_t got = read_file(value, text, bytes);
            error->error = got < 0 ? (int)-got : 0;
            return got < 0 ? -1 : (int)got;
        }
        if (!from) {
            error->error = ENOENT;
            return -1;
        }
    }
    if (length >= bytes) {
        error->error = EFBIG;
        return -1;
    }
    memcpy(text, from, length);
    text[length] = '\0';
    return (int)length;
}

int specs_resolve(const char *value, char *text, size_t bytes, struct specs_error *error)
{
    int kept = errno;
    memset(error, 0, sizeof *error);
    int length = resolve(value, text, bytes, error);
    errno = kept;
    return length;
}

struct list { // what specs_load fills in
    struct spec *specs;
    int count, capacity;
};

// Parses `text` to the end of the list; false with *error filled in.
static bool append(struct list *list, const char *text, bool asked, struct specs_error *error)
{
    int room = list->capacity - list->count;
    int more = spec_parse(text, NULL, list->specs + list->count, room, &error->spec);
    if (more < 0)
        return false;
    if (more > room) {
        error->error = E2BIG;
        return false;
    }
    for (int i = 0; i < more; i++)
        list->specs[list->count + i].asked = asked;
    list->count += more;
    return true;
}

// Appends what each of the names and paths in `value`, separated by commas, stands for.
static bool append_list(struct list *list, const char *value, char *text, size_t bytes,
                        struct specs_error *error)
{
    char item[SPECS_SOURCE_BYTES];
    while (*value) {
        size_t length = strcspn(value, ",");
        source_set(error, value, length);
        if (length >= sizeof item) {
            error->error = ENAMETOOLONG;
            return false;
        }
        memcpy(item, value, length);
        item[length] = '\0';
        value += length + (value[length] == ',');
        if (length > 0 &&
            (resolve(item, text, bytes, error) < 0 || !append(list, text, true, error)))
            return false;
    }
    return true;
}

static bool is_described(const struct spec *shipped, const struct spec *asked, int count)
{
    for (int i = 0; i < count; i++) {
        if (asked[i].python == shipped->python && strcmp(asked[i].function, shipped->function) == 0)
            return true;
    }
    return false;
}

// Takes out those of the first `shipped` specs whose function a later one describes too.
static void prefer_asked(struct list *list, int shipped)
{
    int kept = 0;
    for (int i = 0; i < list->count; i++) {
        const struct spec *spec = &list->specs[i];
        if (i < shipped && is_described(spec, list->specs + shipped, list->count - shipped))
            continue;
        if (kept != i)
            list->specs[kept] = *spec;
        kept++;
    }
    list->count = kept;
}

int specs_load(const char *pools, struct spec *specs, int capacity, char *text, size_t bytes,
               struct specs_error *error)
{
    int kept_errno = errno;
    struct list list = {.specs = specs, .capacity = capacity};
    memset(error, 0, sizeof *error);
    (void)append(&list, spec_shipped, false, error); // cannot fail: a unit test parses it
    int shipped = list.count;
    if (pools && *pools) {
        bool good = false;
        if (specs_is_text(pools)) {
            source_set(error, pools, strlen(pools));
            good = append(&list, pools, true, error);
        } else {
            good = append_list(&list, pools, text, bytes, error);
        }
        if (good) {
            prefer_asked(&list, shipped);
            error->source[0] = '\0';
        } else {
            list.count = shipped;
        }
    }
    errno = kept_errno;
    return list.count;
}
