// The parser of call specs; see spec.h for the language.
//
// Runs inside the constructor of the traced process: no malloc, no stdio, no locale, no recursion,
// nothing kept between calls. Knows only the language, not what is done with a spec.
#include "shared/spec.h"

#include <string.h>

enum { SPEC_FOUND_BYTES = 24 }; // how much of an unexpected word a message repeats

struct parser {
    const char *at;         // next byte
    const char *line_start; // of the line `at` is in
    int line;
    char kind[SPEC_KIND_BYTES];
    uint8_t session; // enum trace_kind
    bool counted, kept, bound, lost;
    char size[SPEC_SIZE_BYTES];
    struct spec_error *error;
};

struct token { // a piece of the text, not NUL-terminated
    const char *text;
    size_t bytes;
};

static const struct verb {
    const char *word;
    uint8_t verb;
} verbs[] = {
    {"acquire", TRACE_ACQUIRE}, {"release", TRACE_RELEASE}, {"discard", TRACE_DISCARD},
    {"fill", TRACE_FILL},       {"use", TRACE_USE},         {"size", TRACE_SIZE},
};

static const struct role {
    const char *word;
    uint8_t role;
} roles[] = {
    {"_", SPEC_IGNORED}, {"handle", SPEC_HANDLE},     {"*handle", SPEC_HANDLE_OUT},
    {"pool", SPEC_POOL}, {"*pool", SPEC_POOL_OUT},    {"name", SPEC_POOL_NAME},
    {"size", SPEC_SIZE}, {"database", SPEC_DATABASE},
};

static const char expected_argument[] =
    "expected an argument: _, handle, *handle, pool, *pool, name, database, size, an integer or "
    "... as the last";
static const char expected_result[] =
    "expected a result after ->: handle, pool, !0, or integers such as 0 or int16 0|1";

// Letters of identifiers, without the locale's opinion.
static bool is_word_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_';
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static bool is_line_end(char byte)
{
    return byte == '\0' || byte == '\n' || byte == ';' || byte == '#';
}

static void message_append(char *message, size_t room, const char *text, size_t bytes)
{
    size_t used = strlen(message);
    for (size_t i = 0; i < bytes && used + 1 < room; i++)
        message[used++] = (text[i] >= ' ' && text[i] <= '~') ? text[i] : '?';
    message[used] = '\0';
}

// Fills in the error for the place `where` of the current line; returns false for the caller to
// return. found: also say what stands there.
static bool fail(struct parser *parser, const char *where, const char *message, bool found)
{
    struct spec_error *error = parser->error;
    error->line = parser->line;
    error->column = (int)(where - parser->line_start) + 1;
    error->message[0] = '\0';
    message_append(error->message, sizeof error->message, message, strlen(message));
    if (!found)
        return false;
    size_t bytes = 0;
    while (bytes < SPEC_FOUND_BYTES && !is_line_end(where[bytes]) && !is_blank(where[bytes]) &&
           (bytes == 0 || (where[bytes] != '(' && where[bytes] != ',' && where[bytes] != ')')))
        bytes++;
    // The found word must not be what is cut off: make room for it.
    size_t room = sizeof error->message - bytes - sizeof ", found ''";
    if (strlen(error->message) > room)
        error->message[room] = '\0';
    if (bytes == 0) {
        message_append(error->message, sizeof error->message, ", found the end of the line", 27);
        return false;
    }
    message_append(error->message, sizeof error->message, ", found '", 9);
    message_append(error->message, sizeof error->message, where, bytes);
    message_append(error->message, sizeof error->message, "'", 1);
    return false;
}

static void skip_blanks(struct parser *parser)
{
    while (is_blank(*parser->at))
        parser->at++;
}

// Skips to the first byte of the next statement; false at the end of the text.
static bool next_statement(struct parser *parser)
{
    for (;; parser->at++) {
        if (*parser->at == '#')
            parser->at += strcspn(parser->at, "\n");
        if (*parser->at == '\0')
            return false;
        if (*parser->at == '\n') {
            parser->line++;
            parser->line_start = parser->at + 1;
        } else if (!is_blank(*parser->at) && *parser->at != ';') {
            return true;
        }
    }
}

static bool take_byte(struct parser *parser, char byte)
{
    skip_blanks(parser);
    if (*parser->at != byte)
        return false;
    parser->at++;
    return true;
}

// The identifier at the cursor, which may contain bytes of `more` too; 0 bytes long if none.
static struct token take_word(struct parser *parser, const char *more)
{
    skip_blanks(parser);
    struct token token = {parser->at, 0};
    while (is_word_byte(*parser->at) || (*parser->at != '\0' && strchr(more, *parser->at)))
        parser->at++;
    token.bytes = (size_t)(parser->at - token.text);
    return token;
}

static bool token_is(struct token token, const char *word)
{
    return strlen(word) == token.bytes && memcmp(word, token.text, token.bytes) == 0;
}

static bool token_copy(struct parser *parser, struct token token, char *to, size_t room)
{
    if (token.bytes >= room)
        return fail(parser, token.text, "this name is too long", false);
    memcpy(to, token.text, token.bytes);
    to[token.bytes] = '\0';
    return true;
}

// An integer, decimal or hexadecimal, of magnitude below 2^62; false if there is none.
static bool take_integer(struct parser *parser, int64_t *value)
{
    skip_blanks(parser);
    const char *at = parser->at;
    bool negative = *at == '-';
    at += negative;
    int base = at[0] == '0' && (at[1] == 'x' || at[1] == 'X') ? 16 : 10;
    at += base == 16 ? 2 : 0;
    const char *digits = at;
    int64_t sum = 0;
    for (;; at++) {
        int digit = 0;
        if (is_digit(*at))
            digit = *at - '0';
        else if (base == 16 && *at >= 'a' && *at <= 'f')
            digit = *at - 'a' + 10;
        else if (base == 16 && *at >= 'A' && *at <= 'F')
            digit = *at - 'A' + 10;
        else
            break;
        if (sum >= INT64_MAX / 32)
            return false;
        sum = sum * base + digit;
    }
    if (at == digits || is_word_byte(*at))
        return false;
    *value = negative ? -sum : sum;
    parser->at = at;
    return true;
}

static bool is_one_of_pool(uint8_t role)
{
    return role == SPEC_POOL || role == SPEC_POOL_OUT;
}

static bool is_one_of_handle(uint8_t role)
{
    return role == SPEC_HANDLE || role == SPEC_HANDLE_OUT;
}

// Whether `spec` has an argument already that excludes another one of this role.
static bool has_argument_like(const struct spec *spec, uint8_t role)
{
    if (role == SPEC_IGNORED || role == SPEC_EQUALS)
        return false;
    for (int i = 0; i < spec->argument_count; i++) {
        uint8_t other = spec->argument[i].role;
        if (other == role || (is_one_of_pool(other) && is_one_of_pool(role)) ||
            (is_one_of_handle(other) && is_one_of_handle(role)))
            return true;
    }
    return false;
}

// The role of an argument, after `name=` if there is one.
static bool parse_role(struct parser *parser, struct spec *spec, struct spec_argument *argument)
{
    skip_blanks(parser);
    const char *start = parser->at;
    if (*start == '-' || is_digit(*start)) {
        argument->role = SPEC_EQUALS;
        return take_integer(parser, &argument->equals) ||
               fail(parser, start, "expected an integer, decimal or 0x...", true);
    }
    struct token word = take_word(parser, "*");
    const struct role *role = NULL;
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (token_is(word, roles[i].word))
            role = &roles[i];
    }
    if (!role)
        return fail(parser, start, expected_argument, true);
    if (has_argument_like(spec, role->role))
        return fail(parser, start, "a second argument of this meaning; one is expected", true);
    if (spec->python && role->word[0] == '*')
        return fail(parser, start, "a Python function has no out-parameters; expected no *", true);
    argument->role = role->role;
    return true;
}

// One argument: [NAME=]ROLE, names only in python specs.
static bool parse_spec_argument(struct parser *parser, struct spec *spec)
{
    skip_blanks(parser);
    if (spec->argument_count == SPEC_ARGUMENTS)
        return fail(parser, parser->at, "at most 6 arguments; end the list with ... instead",
                    false);
    struct spec_argument *argument = &spec->argument[spec->argument_count];
    const char *start = parser->at;
    struct token name = take_word(parser, "");
    if (name.bytes > 0 && !is_digit(*start) && take_byte(parser, '=')) {
        if (!spec->python)
            return fail(parser, start, "only python: functions have named arguments", false);
        if (!token_copy(parser, name, argument->name, sizeof argument->name))
            return false;
    } else {
        parser->at = start;
    }
    if (!parse_role(parser, spec, argument))
        return false;
    spec->argument_count++;
    return true;
}

// The list behind the opening parenthesis, with the closing one.
static bool parse_arguments(struct parser *parser, struct spec *spec)
{
    if (take_byte(parser, ')'))
        return true;
    for (;;) {
        skip_blanks(parser);
        if (strncmp(parser->at, "...", 3) == 0) {
            parser->at += 3;
            return take_byte(parser, ')') || fail(parser, parser->at, "expected ) after ...", true);
        }
        if (!parse_spec_argument(parser, spec))
            return false;
        if (take_byte(parser, ')'))
            return true;
        if (!take_byte(parser, ','))
            return fail(parser, parser->at, "expected , or ) after an argument", true);
    }
}

// Success values: 0 or 0|1|100.
static bool parse_statuses(struct parser *parser, struct spec *spec)
{
    spec->result = SPEC_RESULT_STATUS;
    do {
        skip_blanks(parser);
        const char *start = parser->at;
        int64_t value = 0;
        if (!take_integer(parser, &value) || value < INT32_MIN || value > (int64_t)UINT32_MAX)
            return fail(parser, start, expected_result, true);
        if (spec->status_count == SPEC_STATUSES)
            return fail(parser, start, "at most 4 values of success", false);
        spec->status[spec->status_count++] = (int32_t)(uint32_t)value;
    } while (take_byte(parser, '|'));
    return true;
}

// "or handle" behind a status: a handle counts though the call failed.
static bool parse_or_handle(struct parser *parser, struct spec *spec)
{
    skip_blanks(parser);
    const char *start = parser->at;
    if (is_line_end(*start))
        return true;
    struct token word = take_word(parser, "");
    if (!token_is(word, "or"))
        return fail(parser, start, "expected 'or handle' or the end of the line", true);
    skip_blanks(parser);
    const char *second = parser->at;
    word = take_word(parser, "");
    if (!token_is(word, "handle"))
        return fail(parser, second, "expected handle after or", true);
    if (spec->verb != TRACE_ACQUIRE || !has_argument_like(spec, SPEC_HANDLE_OUT))
        return fail(parser, start, "'or handle' is for an acquire that has *handle", false);
    spec->kept_on_failure = true;
    return true;
}

// "int16 " in front of a status; false: no such word.
static bool take_width(struct parser *parser, struct spec *spec)
{
    static const struct width {
        const char *word;
        uint8_t bits;
    } widths[] = {{"int8", 8}, {"int16", 16}, {"int32", 32}};
    const char *start = parser->at;
    struct token word = take_word(parser, "");
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        if (token_is(word, widths[i].word)) {
            spec->status_bits = widths[i].bits;
            return true;
        }
    }
    parser->at = start;
    return false;
}

// "-> handle" or "-> pool".
static bool parse_pointer(struct parser *parser, struct spec *spec, const char *start, bool handle)
{
    bool fits =
        handle ? spec->verb == TRACE_ACQUIRE : spec->verb == TRACE_FILL || spec->verb == TRACE_SIZE;
    if (!fits && handle)
        return fail(parser, start, "only an acquire has its handle as result", false);
    if (!fits)
        return fail(parser, start, "only fill and size have the pool as result", false);
    if (has_argument_like(spec, handle ? SPEC_HANDLE : SPEC_POOL))
        return fail(parser, start, "that is an argument already; one is expected", true);
    spec->result = handle ? SPEC_RESULT_HANDLE : SPEC_RESULT_POOL;
    return true;
}

// What follows "->".
static bool parse_result(struct parser *parser, struct spec *spec)
{
    skip_blanks(parser);
    bool narrow = take_width(parser, spec);
    skip_blanks(parser);
    const char *start = parser->at;
    if (is_digit(*start) || *start == '-')
        return parse_statuses(parser, spec) && parse_or_handle(parser, spec);
    struct token word = take_word(parser, "!");
    if (token_is(word, "!0")) {
        spec->result = SPEC_RESULT_NONZERO;
        return parse_or_handle(parser, spec);
    }
    bool handle = token_is(word, "handle");
    if (!narrow && (handle || token_is(word, "pool")))
        return parse_pointer(parser, spec, start, handle);
    return fail(parser, start, expected_result, true);
}

// What a verb needs as a whole. where: the function's name.
static bool check_verb(struct parser *parser, const struct spec *spec, const char *where)
{
    bool handle = has_argument_like(spec, SPEC_HANDLE);
    bool pool = has_argument_like(spec, SPEC_POOL) || has_argument_like(spec, SPEC_POOL_NAME) ||
                spec->result == SPEC_RESULT_POOL;
    switch (spec->verb) {
    case TRACE_ACQUIRE:
        if (!handle && spec->result != SPEC_RESULT_HANDLE)
            return fail(parser, where,
                        "an acquire needs its handle: expected handle or *handle as an argument, "
                        "or -> handle",
                        false);
        return true;
    case TRACE_FILL:
        if (handle)
            return fail(parser, where, "fill opens handles for a pool and names none itself",
                        false);
        return true;
    case TRACE_SIZE:
        if (!has_argument_like(spec, SPEC_SIZE) || !pool)
            return fail(parser, where, "expected size and pool (or name) among the arguments",
                        false);
        return true;
    default: // release, discard, use
        if (!handle)
            return fail(parser, where, "expected handle or *handle among the arguments", false);
        return true;
    }
}

// [python:]FUNCTION
static bool parse_function(struct parser *parser, struct spec *spec)
{
    skip_blanks(parser);
    if (strncmp(parser->at, "python:", 7) == 0) {
        parser->at += 7;
        spec->python = true;
    }
    struct token name = take_word(parser, spec->python ? ".:<>" : "");
    if (name.bytes == 0 || is_digit(*name.text))
        return fail(parser, name.text, "expected the name of a function", true);
    if (!token_copy(parser, name, spec->function, sizeof spec->function))
        return false;
    const char *colon = strchr(spec->function, ':');
    if (spec->python &&
        (!colon || colon == spec->function || colon[1] == '\0' || strchr(colon + 1, ':')))
        return fail(parser, name.text, "expected python:MODULE:QUALIFIED.NAME", true);
    return true;
}

// The rest of a line that begins with a verb: FUNCTION(ARGUMENTS) [-> RESULT]
static bool parse_call(struct parser *parser, struct spec *spec)
{
    skip_blanks(parser);
    const char *where = parser->at;
    if (!parse_function(parser, spec))
        return false;
    if (!take_byte(parser, '('))
        return fail(parser, parser->at, "expected ( after the name of the function", true);
    if (!parse_arguments(parser, spec))
        return false;
    skip_blanks(parser);
    if (strncmp(parser->at, "->", 2) == 0) {
        parser->at += 2;
        if (!parse_result(parser, spec))
            return false;
    }
    skip_blanks(parser);
    if (!is_line_end(*parser->at))
        return fail(parser, parser->at, "expected -> RESULT or the end of the line", true);
    return check_verb(parser, spec, where);
}

// The rest of a line that begins with "kind": NAME [handle] [counted] [kept] [bound]
static bool parse_kind(struct parser *parser)
{
    struct token name = take_word(parser, "-.+");
    if (name.bytes == 0)
        return fail(parser, name.text, "expected the name of the kind", true);
    if (!token_copy(parser, name, parser->kind, sizeof parser->kind))
        return false;
    parser->session = TRACE_CHECKOUT;
    parser->counted = parser->kept = parser->bound = parser->lost = false;
    parser->size[0] = '\0';
    for (;;) {
        struct token word = take_word(parser, "");
        if (token_is(word, "handle"))
            parser->session = TRACE_HANDLE;
        else if (token_is(word, "counted"))
            parser->counted = true;
        else if (token_is(word, "kept"))
            parser->kept = true;
        else if (token_is(word, "bound"))
            parser->bound = true;
        else if (word.bytes == 0 && is_line_end(*parser->at))
            return true;
        else
            return fail(parser, word.text,
                        "expected handle, counted, kept, bound or the end of the line", true);
    }
}

// What follows "drop =": lost or returned.
static bool parse_drop(struct parser *parser)
{
    struct token word = take_word(parser, "");
    parser->lost = token_is(word, "lost");
    if (!parser->lost && !token_is(word, "returned"))
        return fail(parser, word.text, "expected lost or returned", true);
    return true;
}

// What follows "size =": NAME {"|" NAME}, a NAME may be dotted.
static bool parse_size(struct parser *parser)
{
    size_t used = 0;
    do {
        struct token word = take_word(parser, ".");
        if (word.bytes == 0 || is_digit(*word.text))
            return fail(parser, word.text, "expected the name of an attribute", true);
        if (used + word.bytes + 2 > sizeof parser->size)
            return fail(parser, word.text, "these names are too long together", false);
        if (used > 0)
            parser->size[used++] = '|';
        memcpy(parser->size + used, word.text, word.bytes);
        used += word.bytes;
        parser->size[used] = '\0';
    } while (take_byte(parser, '|'));
    return true;
}

// "drop = lost" or "size = max_size"; false: it is malformed. *is_setting: it is one of these.
static bool parse_setting(struct parser *parser, struct token word, bool *is_setting)
{
    const bool drop = token_is(word, "drop");
    *is_setting = (drop || token_is(word, "size")) && take_byte(parser, '=');
    if (!*is_setting)
        return true;
    if (!(drop ? parse_drop(parser) : parse_size(parser)))
        return false;
    skip_blanks(parser);
    return is_line_end(*parser->at) ||
           fail(parser, parser->at, "expected the end of the line", true);
}

// One statement. *is_spec tells whether `spec` was filled in.
static bool parse_statement(struct parser *parser, struct spec *spec, bool *is_spec)
{
    *is_spec = false;
    const char *start = parser->at;
    struct token word = take_word(parser, "");
    if (token_is(word, "kind"))
        return parse_kind(parser);
    bool is_setting;
    const bool good = parse_setting(parser, word, &is_setting);
    if (is_setting)
        return good;
    memset(spec, 0, sizeof *spec);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (token_is(word, verbs[i].word))
            spec->verb = verbs[i].verb;
    }
    if (spec->verb == 0)
        return fail(parser, start,
                    "expected acquire, release, discard, fill, use, size, drop or kind", true);
    memcpy(spec->kind, parser->kind, sizeof spec->kind);
    spec->session = parser->session;
    spec->counted = parser->counted;
    spec->kept = parser->kept;
    spec->bound = parser->bound;
    spec->lost = parser->lost;
    memcpy(spec->size, parser->size, sizeof spec->size);
    spec->status_bits = 32;
    *is_spec = true;
    return parse_call(parser, spec);
}

int spec_parse(const char *text, const char *kind, struct spec *specs, int capacity,
               struct spec_error *error)
{
    struct parser parser = {
        .at = text, .line_start = text, .line = 1, .session = TRACE_CHECKOUT, .error = error};
    const struct token first = {kind ? kind : "pool", strlen(kind ? kind : "pool")};
    if (!token_copy(&parser, first, parser.kind, sizeof parser.kind)) {
        error->column = 1; // the name came from elsewhere, it has no place in this text
        return -1;
    }
    int count = 0;
    while (next_statement(&parser)) {
        struct spec spec;
        bool is_spec = false;
        if (!parse_statement(&parser, &spec, &is_spec))
            return -1;
        if (is_spec && count < capacity)
            specs[count] = spec;
        count += is_spec;
    }
    return count;
}

bool spec_succeeded(const struct spec *spec, uint64_t result)
{
    if (spec->result == SPEC_RESULT_HANDLE || spec->result == SPEC_RESULT_POOL)
        return result != 0;
    int32_t status = spec->status_bits == 8    ? (int8_t)result
                     : spec->status_bits == 16 ? (int16_t)result
                                               : (int32_t)result;
    if (spec->result == SPEC_RESULT_NONZERO)
        return status != 0;
    for (int i = 0; i < spec->status_count; i++) {
        if (status == spec->status[i])
            return true;
    }
    return spec->result == SPEC_RESULT_IGNORED;
}
