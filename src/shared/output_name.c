// From the pattern of a trace's path to the path; see output_name.h.
#include "shared/output_name.h"

#include <errno.h>
#include <string.h>

struct output {
    char *path;
    size_t bytes, used;
};

static bool append_text(struct output *output, const char *text, size_t bytes)
{
    if (bytes >= output->bytes - output->used)
        return false;
    memcpy(output->path + output->used, text, bytes);
    output->used += bytes;
    output->path[output->used] = '\0';
    return true;
}

static bool add_number(struct output *output, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return append_text(output, digits + at, sizeof digits - at);
}

// What the letter behind a % stands for. Result as that of output_name.
static int add_letter(struct output *output, char letter, const struct output_names *names)
{
    const char *base = strrchr(names->executable, '/');
    bool fits = false;
    base = base ? base + 1 : names->executable;
    switch (letter) {
    case 'p':
        fits = add_number(output, names->pid);
        break;
    case 'e':
        fits = append_text(output, base, strlen(base));
        break;
    case 't':
        fits = add_number(output, names->seconds);
        break;
    case 'h':
        fits = append_text(output, names->host, strcspn(names->host, "/"));
        break;
    case '%':
        fits = append_text(output, "%", 1);
        break;
    default:
        return -EINVAL;
    }
    return fits ? 0 : -ENAMETOOLONG;
}

int output_name(const char *pattern, const struct output_names *names, bool distinct, char *path,
                size_t bytes)
{
    struct output output = {path, bytes, 0};
    path[0] = '\0';
    for (const char *at = pattern; *at;) {
        size_t plain = strcspn(at, "%");
        if (!append_text(&output, at, plain))
            return -ENAMETOOLONG;
        at += plain;
        if (*at == '\0')
            break;
        int error = add_letter(&output, at[1], names);
        if (error)
            return error;
        if (at[1] == 'p')
            distinct = false;
        at += 2;
    }
    if (distinct && (!append_text(&output, ".", 1) || !add_number(&output, names->pid)))
        return -ENAMETOOLONG;
    return 0;
}
