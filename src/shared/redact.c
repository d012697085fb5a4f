// Taking passwords out of connection strings; see redact.h.
#include "shared/redact.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_word_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_';
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

// If a key that names a password and its `=` begin at `at`: where the value begins; else NULL.
static const char *password_value(const char *at)
{
    static const char keys[][12] = {"password", "passwd", "pass", "pwd", "sslpassword"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t length = strlen(keys[i]);
        if (strncasecmp(at, keys[i], length) != 0)
            continue;
        const char *equals = skip_blanks(at + length);
        if (*equals == '=')
            return skip_blanks(equals + 1);
    }
    return NULL;
}

// Whether what follows a separator is the next key=, or the end.
static bool is_next_key(const char *at)
{
    const char *word = skip_blanks(at);
    for (at = word; is_word_byte(*at); at++)
        continue;
    return *word == '\0' || (at > word && *skip_blanks(at) == '=');
}

// The byte behind a value that begins at `at`. A separator that is part of the password is not
// followed by another key.
static const char *value_end(const char *at)
{
    char quote = *at == '{' ? '}' : *at;
    if (quote == '\'' || quote == '"' || quote == '}') {
        for (at++; *at && *at != quote; at++)
            at += at[0] == '\\' && at[1] != '\0';
        return at + (*at != '\0');
    }
    while (*at && !(strchr(" \t\r\n;,&", *at) && is_next_key(at + 1)))
        at++;
    return at;
}

// If `at` is behind the `//` of a URL with user:password@ in it: the colon, with *end the `@`.
static const char *url_password(const char *at, const char **end)
{
    size_t length = strcspn(at, "/?#");
    *end = memrchr(at, '@', length);
    return *end ? memchr(at, ':', (size_t)(*end - at)) : NULL;
}

struct copy {
    char *to;
    size_t used, bytes;
};

static void append_text(struct copy *copy, const char *text, size_t length)
{
    size_t room = copy->bytes - 1 - copy->used;
    length = length < room ? length : room;
    memcpy(copy->to + copy->used, text, length);
    copy->used += length;
}

size_t redact(const char *text, char *to, size_t bytes)
{
    struct copy copy = {.to = to, .bytes = bytes};
    const char *at = text;
    while (*at && copy.used + 1 < bytes) {
        const char *end = NULL;
        const char *start = NULL;
        if (at == text || !is_word_byte(at[-1])) {
            start = password_value(at);
            end = start ? value_end(start) : NULL;
        }
        if (!start && at >= text + 2 && at[-1] == '/' && at[-2] == '/') {
            start = url_password(at, &end);
            start = start ? start + 1 : NULL;
        }
        if (start) {
            append_text(&copy, at, (size_t)(start - at));
            append_text(&copy, "***", 3);
            at = end;
        } else {
            append_text(&copy, at++, 1);
        }
    }
    to[copy.used] = '\0';
    return copy.used;
}
