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

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

// The digits at `text`; NULL: there are none.
static const char *after_digits(const char *text)
{
    const char *at = text;
    while (is_digit(*at))
        at++;
    return at > text ? at : NULL;
}

static bool is_suffix(const char *text)
{
    for (int i = 0; i < 2 && *text == '.'; i++)
        if (!(text = after_digits(text + 1)))
            return false;
    return *text == '\0';
}

// *steps: of comparing that are left; a name with many ways to fit is not worth more.
static bool fits(const char *pattern, const char *pid, const char *name, unsigned *steps)
{
    while (*pattern != '\0') {
        if (*steps == 0)
            return false;
        --*steps;
        char letter = *pattern == '%' ? pattern[1] : '\0';
        size_t digits = strlen(pid);
        if (letter == '\0' || letter == '%') {
            if (*name++ != *pattern)
                return false;
            pattern += letter ? 2 : 1;
        } else if (letter == 'p') {
            if (strncmp(name, pid, digits) != 0)
                return false;
            name += digits;
            pattern += 2;
        } else {
            for (size_t i = 1; name[i - 1] != '\0'; i++) {
                if (letter == 't' && !is_digit(name[i - 1]))
                    break;
                if (fits(pattern + 2, pid, name + i, steps))
                    return true;
            }
            return false;
        }
    }
    return *pattern == '\0' && is_suffix(name);
}

bool output_name_fits(const char *pattern, uint32_t pid, const char *name)
{
    char digits[24];
    struct output output = {digits, sizeof digits, 0};
    unsigned steps = 100000;
    return add_number(&output, pid) && fits(pattern, digits, name, &steps);
}
