// Taking secrets out of connection strings and command lines: see redact.h.
//
// A value is kept if its key is one of a list, a text as a whole if it is a name or a path.
// Whatever else there is goes.
#include "shared/redact.h"

#include <string.h>
#include <strings.h>

#include "shared/clean.h"

struct copy {
    char *to;
    size_t used, room; // bytes; room without the NUL
};

static void add(struct copy *copy, const char *text, size_t length)
{
    size_t room = copy->room - copy->used;
    size_t part = length <= room ? length : clean_fitting(text, room);
    memcpy(copy->to + copy->used, text, part);
    copy->used += part;
}

static void add_mark(struct copy *copy)
{
    if (copy->used < 3 || memcmp(copy->to + copy->used - 3, "***", 3) != 0)
        add(copy, "***", 3);
}

// Part of a text: from `at` to `end`.
struct part {
    const char *at, *end;
};

static size_t part_bytes(struct part part)
{
    return (size_t)(part.end - part.at);
}

static const char *find(struct part part, char byte)
{
    return memchr(part.at, byte, part_bytes(part));
}

static const char *find_last(struct part part, char byte)
{
    return memrchr(part.at, byte, part_bytes(part));
}

static bool is_word_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_';
}

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool is_separator(char byte)
{
    return is_blank(byte) || byte == ';' || byte == ',' || byte == '&';
}

static bool is_one_of(struct part word, const char *const *list)
{
    for (; *list; list++)
        if (strlen(*list) == part_bytes(word) && strncasecmp(word.at, *list, part_bytes(word)) == 0)
            return true;
    return false;
}

// Keys of libpq, ODBC, MySQL, SQLite's URIs and SQLAlchemy's URLs whose values are no secrets.
static bool is_harmless_key(struct part key)
{
    static const char *const keys[] = {"host",
                                       "hostaddr",
                                       "hostname",
                                       "server",
                                       "servername",
                                       "port",
                                       "address",
                                       "addr",
                                       "data source",
                                       "dbname",
                                       "db",
                                       "database",
                                       "initial catalog",
                                       "catalog",
                                       "schema",
                                       "user",
                                       "username",
                                       "uid",
                                       "user id",
                                       "login",
                                       "driver",
                                       "dsn",
                                       "application_name",
                                       "app",
                                       "fallback_application_name",
                                       "sslmode",
                                       "connect_timeout",
                                       "timeout",
                                       "charset",
                                       "encoding",
                                       "client_encoding",
                                       "target_session_attrs",
                                       "mode",
                                       "cache",
                                       "vfs",
                                       "immutable",
                                       "nolock",
                                       "psow",
                                       "modeof",
                                       "protocol",
                                       "unix_socket",
                                       NULL};
    return is_one_of(key, keys);
}

static bool sounds_secret(struct part word)
{
    static const char *const pieces[] = {"pass", "pwd",  "secret", "token",  "key",
                                         "cred", "auth", "priv",   "cookie", "bearer"};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        size_t length = strlen(pieces[i]);
        for (const char *at = word.at; at + length <= word.end; at++)
            if (strncasecmp(at, pieces[i], length) == 0)
                return true;
    }
    return false;
}

// The key that begins at `at` and has its `=`; *value: behind that. Empty: there is none.
static struct part key_at(const char *at, const char *end, const char **value)
{
    struct part key = {at, at};
    while (key.end < end && (is_word_byte(*key.end) || strchr("-.%", *key.end) || *key.end == ' '))
        key.end++;
    const char *equals = key.end;
    while (equals < end && is_blank(*equals))
        equals++;
    while (key.end > key.at && key.end[-1] == ' ')
        key.end--;
    if (equals >= end || *equals != '=')
        return (struct part){at, at};
    // "x user =": the last word that is a key by itself.
    for (const char *space = find(key, ' '); space && !is_harmless_key(key); space = find(key, ' '))
        key.at = space + 1;
    for (*value = equals + 1; *value < end && is_blank(**value); ++*value)
        continue;
    return key;
}

// The byte behind a quoted value; NULL: it does not end as it should.
static const char *quoted_end(const char *at, const char *end)
{
    char quote = *at == '{' ? '}' : *at;
    for (at++; at < end; at++) {
        const bool escaped = *at == '\\' && quote == '\'';
        const bool doubled = *at == quote && at + 1 < end && at[1] == quote;
        if ((escaped && at + 1 < end) || doubled)
            at++;
        else if (*at == quote)
            return at + 1 == end || is_separator(at[1]) ? at + 1 : NULL;
    }
    return NULL;
}

static bool begins_quoted(const char *at, const char *end)
{
    return at < end && (*at == '\'' || *at == '"' || *at == '{');
}

// The byte behind a value that is a secret: up to a separator that a key follows of which it is
// known that it is one. What looks like another key may be part of the secret.
static const char *secret_end(const char *at, const char *end)
{
    const char *value;
    if (begins_quoted(at, end)) {
        at = quoted_end(at, end);
        if (!at)
            return end;
    }
    for (; at < end; at++) {
        const char *word = at + 1;
        if (!is_separator(*at))
            continue;
        while (word < end && is_separator(*word))
            word++;
        struct part key = key_at(word, end, &value);
        if (key.at == word && part_bytes(key) > 0 && is_harmless_key(key))
            return at;
    }
    return end;
}

static const char *value_end(const char *at, const char *end)
{
    if (begins_quoted(at, end)) {
        const char *quoted = quoted_end(at, end);
        return quoted ? quoted : end;
    }
    while (at < end && !is_separator(*at))
        at++;
    return at;
}

// key=value key=value: values of harmless keys stay, as long as all of it is of this form.
static void add_list(struct copy *copy, struct part list)
{
    const char *at = list.at;
    while (at < list.end) {
        const char *value = NULL;
        const char *before = at;
        while (at < list.end && is_separator(*at))
            at++;
        add(copy, before, (size_t)(at - before));
        if (at == list.end)
            return;
        struct part key = key_at(at, list.end, &value);
        if (part_bytes(key) == 0 || key.at != at) {
            add_mark(copy);
            return;
        }
        add(copy, at, (size_t)(value - at));
        bool harmless = is_harmless_key(key);
        const char *end = harmless ? value_end(value, list.end) : secret_end(value, list.end);
        struct part kept = {value, end};
        // host=u:secret@h, dbname=postgres://u:secret@h and the like
        harmless = harmless && !find(kept, '@') && !find(kept, '=') && !find(kept, '?') &&
                   !(begins_quoted(value, list.end) && !quoted_end(value, list.end));
        if (harmless)
            add(copy, value, part_bytes(kept));
        else
            add_mark(copy);
        at = end;
    }
}

// What follows a ? of a URL.
static void add_query(struct copy *copy, struct part query)
{
    while (query.at < query.end) {
        struct part one = {query.at, query.end};
        const char *next = find(query, '&');
        one.end = next ? next : query.end;
        const char *equals = find(one, '=');
        struct part key = {one.at, equals ? equals : one.end};
        add(copy, one.at, equals ? (size_t)(equals + 1 - one.at) : 0);
        if (equals && is_harmless_key(key) && !find(one, '@') && !find(one, ':') &&
            !find(one, ';') && !find(one, '#') && !find((struct part){equals + 1, one.end}, '='))
            add(copy, equals + 1, (size_t)(one.end - equals - 1));
        else
            add_mark(copy);
        query.at = one.end;
        if (next) {
            add(copy, "&", 1);
            query.at = next + 1;
        }
    }
}

// A path or a name up to what may be parameters.
static void add_path(struct copy *copy, struct part path)
{
    const char *end = path.at;
    while (end < path.end && *end != '?' && *end != ';' && *end != '#' && *end != '=')
        end++;
    add(copy, path.at, (size_t)(end - path.at));
    if (end < path.end && *end == '?') {
        add(copy, "?", 1);
        add_query(copy, (struct part){end + 1, path.end});
    } else if (end < path.end) {
        add(copy, end, 1);
        add_mark(copy);
    }
}

// user:password@host/path?key=value, behind the slashes.
static void add_authority(struct copy *copy, struct part rest)
{
    // Whatever a password may hold (/, ?, #, @, blanks): it ends before the last @.
    const char *at_sign = *rest.at == '/' ? NULL : find_last(rest, '@');
    struct part user = {rest.at, at_sign};
    const char *colon = at_sign ? find(user, ':') : NULL;
    if (at_sign) {
        while (user.at < user.end && (is_word_byte(*user.at) || strchr("-.%", *user.at)))
            user.at++;
        bool is_name = user.at == (colon ? colon : at_sign);
        add(copy, rest.at, is_name ? (size_t)(user.at - rest.at) : 0);
        if (colon && is_name)
            add(copy, ":", 1);
        if (colon || !is_name)
            add_mark(copy);
        add(copy, "@", 1);
        rest.at = at_sign + 1;
    }
    add_path(copy, rest);
}

// Where the authority of a URL begins; NULL: it is none.
static const char *authority_of(struct part text)
{
    const char *at = text.at;
    while (at < text.end && (is_word_byte(*at) || strchr("+.-:", *at)))
        at++;
    if (at + 2 > text.end || at[0] != '/' || at[1] != '/' || (at > text.at && at[-1] != ':'))
        return NULL;
    return at + 2;
}

static bool begins_with(struct part text, const char *start)
{
    size_t length = strlen(start);
    return part_bytes(text) >= length && strncasecmp(text.at, start, length) == 0;
}

static void add_text(struct copy *copy, struct part text)
{
    const char *authority = authority_of(text);
    const char *at_sign = find_last(text, '@');
    const char *value = NULL;
    const char *key_start = text.at;
    while (key_start < text.end && is_separator(*key_start))
        key_start++;
    struct part key = key_at(key_start, text.end, &value);
    if (begins_with(text, "file:") || *text.at == '/' || begins_with(text, "./") ||
        begins_with(text, "../")) {
        if (authority && *text.at == '/' && at_sign) {
            add(copy, "//", 2); // no path: a URL without its scheme
            add_authority(copy, (struct part){authority, text.end});
        } else {
            add_path(copy, text);
        }
    } else if (authority) {
        add(copy, text.at, (size_t)(authority - text.at));
        if (authority < text.end)
            add_authority(copy, (struct part){authority, text.end});
    } else if (part_bytes(key) > 0) {
        add_list(copy, text);
    } else if (at_sign && (find((struct part){text.at, at_sign}, ':') ||
                           find((struct part){text.at, at_sign}, '/'))) {
        // user:password@host, user/password@host
        const char *end = text.at;
        while (*end != ':' && *end != '/')
            end++;
        add(copy, text.at, (size_t)(end + 1 - text.at));
        add_mark(copy);
        add(copy, "@", 1);
        add_path(copy, (struct part){at_sign + 1, text.end});
    } else {
        const char *colon = find(text, ':');
        struct part word = {text.at, colon ? colon : text.at};
        bool secret = sounds_secret(word);
        add_path(copy, (struct part){text.at, secret ? colon + 1 : text.end});
        if (secret)
            add_mark(copy);
    }
}

size_t redact(const char *text, char *to, size_t bytes)
{
    struct copy copy = {.to = to, .room = bytes - 1};
    struct part whole = {text, text + strlen(text)};
    if (part_bytes(whole) > 0)
        add_text(&copy, whole);
    to[copy.used] = '\0';
    return copy.used;
}

// --name=value
static void add_option(struct copy *copy, struct part argument, const char *equals)
{
    struct part name = {argument.at, equals};
    struct part value = {equals + 1, argument.end};
    add(copy, name.at, part_bytes(name) + 1);
    if (sounds_secret(name) || find(value, '=') || find(value, ' '))
        add_mark(copy);
    else if (part_bytes(value) > 0)
        add_text(copy, value);
}

static bool is_script(struct part argument)
{
    bool is_path = *argument.at == '/' || begins_with(argument, "./");
    for (const char *at = argument.at; at < argument.end; at++)
        if (is_blank(*at) ? !is_path : strchr("'\"(){}<>`$;|", *at) != NULL)
            return true;
    return false;
}

// before: the argument in front.
static void add_argument(struct copy *copy, struct part program, struct part before,
                         struct part argument)
{
    const char *equals = find(argument, '=');
    bool after_option = part_bytes(before) > 0 && *before.at == '-' && !find(before, '=');
    bool names_user = begins_with(before, "-u") || begins_with(before, "--user");
    bool mysql = begins_with(program, "mysql") || begins_with(program, "mariadb");
    const char *colon = find(argument, ':');
    if (part_bytes(argument) == 0)
        return;
    // NOLINTNEXTLINE(bugprone-branch-clone): the order decides
    if (after_option && *argument.at != '-' && sounds_secret(before)) {
        add_mark(copy);
    } else if (after_option && names_user && colon) {
        add(copy, argument.at, (size_t)(colon + 1 - argument.at));
        add_mark(copy);
    } else if (mysql && begins_with(argument, "-p") && part_bytes(argument) > 2) {
        add(copy, "-p***", 5);
    } else if (*argument.at == '-' && equals) {
        add_option(copy, argument, equals);
    } else if (is_script(argument)) {
        add_mark(copy);
    } else if (equals) { // an assignment, a list
        add(copy, argument.at, (size_t)(equals + 1 - argument.at));
        add_mark(copy);
    } else {
        add_text(copy, argument);
    }
}

// A program may have put its whole command line, or other things, into its name.
static void add_program(struct copy *copy, struct part name)
{
    const char *blank = name.at;
    while (blank < name.end && !is_blank(*blank))
        blank++;
    struct part first = {name.at, blank};
    if (part_bytes(first) > 0)
        add_text(copy, first);
    if (blank < name.end) {
        add(copy, " ", 1);
        add_mark(copy);
    }
}

size_t redact_command(const char *arguments, size_t arguments_bytes, char *to, size_t bytes)
{
    struct copy copy = {.to = to, .room = bytes - 1};
    struct part before = {arguments, arguments};
    struct part program = before;
    const char *end = arguments + arguments_bytes;
    for (const char *at = arguments; at < end;) {
        const char *stop = memchr(at, '\0', (size_t)(end - at));
        struct part argument = {at, stop ? stop : end};
        if (at > arguments && !stop)
            break; // cut: what it says is not known
        if (at > arguments)
            add(&copy, " ", 1);
        if (at == arguments) {
            const char *slash = find_last(argument, '/');
            program = (struct part){slash ? slash + 1 : at, argument.end};
            add_program(&copy, argument);
        } else {
            add_argument(&copy, program, before, argument);
        }
        before = argument;
        at = argument.end + 1;
    }
    to[copy.used] = '\0';
    return copy.used;
}
