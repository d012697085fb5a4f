// Reading suppressions, and fitting them to stacks: see suppressions.h.
#include "report/profile/suppressions.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/code/source_root.h"
#include "report/profile/profile.h"

enum { LARGEST_FILE = 1 << 20, MOST = 4096, LONGEST = 1024 };

static const char file_name[] = ".unclosed.supp";

// Each piece between two "*" is looked for behind the one before: the first place is as good as
// any.
bool suppression_fits(const char *pattern, const char *text)
{
    bool fixed = *pattern == '^'; // the next piece has to be where `text` begins
    pattern += fixed;
    for (;;) {
        size_t length = strcspn(pattern, "*");
        const bool last = pattern[length] == 0;
        const bool at_end = last && length > 0 && pattern[length - 1] == '$';
        length -= at_end;
        const size_t left = strlen(text);
        if (length > left)
            return false;
        const char *found = text;
        if (at_end && !fixed)
            found = text + left - length;
        else if (!fixed && length > 0)
            found = memmem(text, left, pattern, length);
        if (!found || memcmp(found, pattern, length) != 0 || (at_end && found[length] != 0))
            return false;
        if (last)
            return true;
        text = found + length;
        pattern += length + 1;
        fixed = false;
    }
}

static bool fits_any_frame(const char *pattern, const struct frames *frames)
{
    for (size_t i = 0; frames && i < frames->count; i++) {
        const struct frame *frame = &frames->frame[i];
        const char *names[] = {frame->function, frame->signature, frame->file, frame->module};
        for (size_t name = 0; name < sizeof names / sizeof *names; name++)
            if (names[name] && suppression_fits(pattern, names[name]))
                return true;
    }
    return false;
}

struct suppression *suppressions_match(const struct suppressions *suppressions,
                                       enum trace_kind kind, const struct frames *stack,
                                       const struct frames *created)
{
    for (size_t i = 0; i < suppressions->list.count; i++) {
        struct suppression *one = &suppressions->list.item[i];
        if (strcmp(one->kind, "leak") != 0 && strcmp(one->kind, profile_kind_name(kind)) != 0)
            continue;
        if (fits_any_frame(one->pattern, stack) || fits_any_frame(one->pattern, created))
            return one;
    }
    return NULL;
}

// The contents of a file, NUL-terminated; NULL: *fault, or *warning if it is not to be used.
static char *read_text(struct arena *arena, const char *path, bool found, const char **fault,
                       const char **warning)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        *fault = arena_format(arena, "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = NULL;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        *fault = arena_format(arena, "%s: is not a regular file", path);
    else if (status.st_size > LARGEST_FILE)
        *fault = arena_format(arena, "%s: is larger than 1 MiB", path);
    else if (found && ((status.st_uid != geteuid() && status.st_uid != 0) || status.st_mode & 02))
        *warning = arena_format(
            arena, "%s is not used, because %s; --suppressions %s uses it", path,
            status.st_mode & 02 ? "anybody may write to it" : "it belongs to another user", path);
    else
        text = arena_take(arena, (size_t)status.st_size + 1);
    for (ssize_t done = 0, got; text && done < status.st_size; done += got)
        if ((got = read(fd, text + done, (size_t)(status.st_size - done))) <= 0)
            break;
    (void)close(fd);
    return text;
}

static bool is_kind(const char *line, size_t length)
{
    if (length == 4 && memcmp(line, "leak", 4) == 0)
        return true;
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++) {
        const char *name = profile_kind_name((enum trace_kind)kind);
        if (strlen(name) == length && memcmp(line, name, length) == 0)
            return true;
    }
    return false;
}

// What is wrong with a line that is no comment, or NULL: then it was added.
static const char *take_line(struct suppressions *suppressions, const char *line,
                             const struct suppression *place)
{
    const size_t kind = strcspn(line, ":");
    const char *pattern = line + kind + 1;
    if (line[kind] == 0 || !is_kind(line, kind))
        return "expected leak:PATTERN, or handle:, checkout:, session: or statement:PATTERN";
    if (pattern[strspn(pattern, "^*$")] == 0)
        return "this pattern fits everything; name a function, a file or a module";
    if (strlen(pattern) > LONGEST)
        return "the pattern is longer than 1,024 bytes";
    for (const char *at = pattern; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return "the pattern has a control character in it";
    if (suppressions->list.count == MOST)
        return "there are more than 4,096 suppressions";
    struct suppression *one = LIST_ADD(suppressions->arena, &suppressions->list);
    *one = *place;
    one->kind = arena_text_part(suppressions->arena, line, kind);
    one->pattern = pattern;
    return NULL;
}

// The line at *next without blanks around it, terminated; NULL: there is none. Moves *next on.
static char *next_line(char **next)
{
    char *line = *next;
    if (!line || *line == 0)
        return NULL;
    char *end = line + strcspn(line, "\n");
    *next = *end ? end + 1 : NULL;
    *end = 0;
    line += strspn(line, " \t");
    for (end = line + strlen(line); end > line && strchr(" \t\r", end[-1]); end--)
        end[-1] = 0;
    return line;
}

const char *suppressions_read(struct suppressions *suppressions, const char *path, bool found,
                              const char **warning)
{
    struct arena *arena = suppressions->arena;
    const char *fault = NULL;
    struct suppression place = {.file = arena_text(arena, path), .reason = ""};
    *warning = NULL;
    char *next = read_text(arena, path, found, &fault, warning);
    for (char *line; !fault && (line = next_line(&next));) {
        place.line++;
        if (*line == 0 || *line == '#') {
            place.reason = *line ? line + 1 + strspn(line + 1, "# \t") : "";
            continue;
        }
        fault = take_line(suppressions, line, &place);
        if (fault)
            return arena_format(arena, "%s:%u: %s", path, place.line, fault);
        place.reason = "";
    }
    return fault;
}

static bool is_there(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

size_t suppressions_find(struct arena *arena, const char *paths[2])
{
    char folder[PATH_MAX];
    const char *root = source_root(arena);
    const struct passwd *user = getenv("HOME") ? NULL : getpwuid(getuid());
    const char *home = user ? user->pw_dir : getenv("HOME");
    size_t count = 0;
    for (char *end = root && getcwd(folder, sizeof folder) ? folder + strlen(folder) : folder;
         end && end > folder && count == 0; end = strrchr(folder, '/')) {
        *end = 0;
        const char *path = arena_format(arena, "%s/%s", folder, file_name);
        if (is_there(path))
            paths[count++] = path;
        if (strcmp(folder, root) == 0)
            break;
    }
    const char *at_home = home && *home ? arena_format(arena, "%s/%s", home, file_name) : NULL;
    if (at_home && is_there(at_home) && (count == 0 || strcmp(paths[0], at_home) != 0))
        paths[count++] = at_home;
    return count;
}
