// Taking what is not the statement's own out of SQL: see redact.h.
//
// One pass over tokens. Dialects differ in what ends a literal; where two of them would disagree,
// the rest of the text is left out, because the next literal could be taken for code.
#include "shared/redact.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "shared/clean.h"

enum { DEEPEST = 64, IDENTIFIER_MOST = 128 };

struct sql {
    const char *at, *end;
    char *to;
    size_t used, room; // bytes of `to`; room without its NUL
    bool full;         // literals are kept
    bool hides;        // the rest of this statement is left out
    bool done;         // so is all the rest
    bool blank;        // a space comes before the next token
    unsigned words;    // of this statement so far
    enum { UNKNOWN = 0, UNDERSTOOD, DEFINES, VIRTUAL, PRAGMA, ALONE } kind;
    const char *word; // the last token if it was a word, else NULL
    size_t word_bytes;
    unsigned depth;   // of parentheses
    uint64_t selects; // bit n: a SELECT was seen at depth n
};

static void add(struct sql *sql, const char *text, size_t bytes)
{
    if (sql->blank && sql->used > 0 && sql->used < sql->room)
        sql->to[sql->used++] = ' ';
    sql->blank = false;
    size_t room = sql->room - sql->used;
    size_t part = bytes <= room ? bytes : clean_fitting(text, room);
    memcpy(sql->to + sql->used, text, part);
    sql->used += part;
    if (part < bytes)
        sql->done = true;
}

// What stands for a literal. After it a hidden statement has nothing more to say.
static void add_mark(struct sql *sql)
{
    add(sql, "?", 1);
}

static void hide(struct sql *sql)
{
    if (!sql->hides) {
        sql->blank = true;
        add_mark(sql);
    }
    sql->hides = true;
}

static void stop(struct sql *sql)
{
    hide(sql);
    sql->done = true;
}

// A token as it is.
static void keep(struct sql *sql, const char *end)
{
    if (!sql->hides)
        add(sql, sql->at, (size_t)(end - sql->at));
    sql->at = end;
}

static void replace(struct sql *sql, const char *end)
{
    bool understood = sql->kind == UNDERSTOOD || sql->kind == DEFINES || sql->kind == VIRTUAL;
    if (sql->full && understood) {
        keep(sql, end);
        return;
    }
    if (!understood)
        hide(sql);
    else if (!sql->hides)
        add_mark(sql);
    sql->at = end;
}

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
           ((unsigned char)byte & 0x80);
}

static char byte_at(const struct sql *sql, const char *at)
{
    return at < sql->end ? *at : '\0';
}

static bool word_is(const char *word, size_t bytes, const char *const *list)
{
    for (; word && *list; list++)
        if (strlen(*list) == bytes && strncasecmp(word, *list, bytes) == 0)
            return true;
    return false;
}

static bool last_word_is(const struct sql *sql, const char *const *list)
{
    return word_is(sql->word, sql->word_bytes, list);
}

static void begin_statement(struct sql *sql)
{
    sql->hides = false;
    sql->words = 0;
    sql->kind = UNKNOWN;
    sql->word = NULL;
    sql->depth = 0;
    sql->selects = 0;
}

static bool after_dot(const struct sql *sql)
{
    return sql->used > 0 && sql->to[sql->used - 1] == '.';
}

// What the first words of a statement say about the rest of it.
static void classify(struct sql *sql, const char *word, size_t bytes)
{
    static const char *const explain[] = {"explain", "query", "plan", "analyze", NULL};
    static const char *const understood[] = {
        "select", "insert", "update", "delete",   "replace", "with",      "values",  "begin",
        "commit", "end",    "start",  "rollback", "release", "savepoint", "analyze", "vacuum",
        "drop",   "detach", "merge",  "truncate", "reindex", NULL};
    static const char *const defines[] = {"create", "alter", NULL};
    static const char *const pragma[] = {"pragma", NULL};
    // Their first word tells what they do; what follows may name a secret without quotes.
    static const char *const alone[] = {
        "attach",     "set",    "grant", "revoke",  "copy",  "show",    "use",
        "lock",       "unlock", "fetch", "declare", "close", "execute", "prepare",
        "deallocate", "listen", "call",  "exec",    "do",    "load",    NULL};
    static const char *const things[] = {
        "table",   "temp",         "temporary", "index",    "unique",  "view", "or",
        "trigger", "materialized", "schema",    "sequence", "virtual", NULL};
    static const char *const virtual[] = {"virtual", NULL};
    if (sql->words == 0) {
        sql->kind = word_is(word, bytes, understood) ? UNDERSTOOD
                    : word_is(word, bytes, defines)  ? DEFINES
                    : word_is(word, bytes, pragma)   ? PRAGMA
                    : word_is(word, bytes, alone)    ? ALONE
                                                     : UNKNOWN;
        if (word_is(word, bytes, explain))
            return; // of what follows
        if (sql->kind == UNKNOWN)
            hide(sql);
    } else if (sql->words == 1 && sql->kind == DEFINES && !word_is(word, bytes, things)) {
        sql->kind = ALONE; // a user, a role, a server
    } else if (sql->kind == DEFINES && word_is(word, bytes, virtual)) {
        sql->kind = VIRTUAL; // its module's arguments may be anything
    } else if (sql->kind == ALONE || (sql->kind == PRAGMA && sql->words > 1 && !after_dot(sql))) {
        hide(sql);
    }
    sql->words++;
}

static void take_word(struct sql *sql)
{
    static const char *const select[] = {"select", NULL};
    const char *end = sql->at;
    while (end < sql->end && (is_letter(*end) || is_digit(*end) || *end == '$'))
        end++;
    size_t bytes = (size_t)(end - sql->at);
    const char *word = sql->at;
    // X'..', N'..', E'..' and so on: a part of the literal.
    if (bytes <= 2 && byte_at(sql, end) == '\'') {
        if (*word == 'q' || *word == 'Q')
            stop(sql); // Oracle's: any bracket may end it
        sql->at = end;
        return;
    }
    classify(sql, word, bytes);
    if (word_is(word, bytes, select) && sql->depth < DEEPEST)
        sql->selects |= 1ULL << sql->depth;
    keep(sql, end);
    sql->word = word;
    sql->word_bytes = bytes;
}

// The byte behind a quoted text that begins at `at`; a doubled quote is one of the text.
// *ambiguous: a backslash is before a quote, which escapes it in some dialects.
static const char *quoted_end(const struct sql *sql, const char *at, bool *ambiguous)
{
    char quote = *at;
    const char *begin = ++at;
    *ambiguous = false;
    for (; at < sql->end; at++) {
        if (*at != quote)
            continue;
        *ambiguous |= at > begin && at[-1] == '\\';
        if (byte_at(sql, at + 1) != quote)
            return at + 1;
        at++;
    }
    return sql->end;
}

static void take_literal(struct sql *sql)
{
    static const char *const escape[] = {"escape", NULL};
    bool ambiguous;
    const char *end = quoted_end(sql, sql->at, &ambiguous);
    bool is_backslash = end - sql->at == 3 && last_word_is(sql, escape);
    replace(sql, end);
    if (ambiguous && !is_backslash && !sql->full)
        stop(sql);
    sql->word = NULL;
}

static bool looks_like_name(const char *at, const char *end)
{
    if (at >= end || end - at > IDENTIFIER_MOST || !is_letter(*at))
        return false;
    for (; at < end; at++)
        if (!is_letter(*at) && !is_digit(*at) && !strchr(" -$", *at))
            return false;
    return true;
}

// Whether a name is expected, not a value: MySQL and, as a mistake, SQLite take "..." for a text
// too.
static bool expects_name(const struct sql *sql, const char *end)
{
    static const char *const before[] = {"join", "into",    "update", "table",      "as", "index",
                                         "view", "trigger", "exists", "references", NULL};
    static const char *const from[] = {"from", NULL};
    if (sql->at > sql->end - 2 || end <= sql->at + 1)
        return false;
    if (last_word_is(sql, from)) // not trim(both x from "text")
        return sql->depth < DEEPEST && (sql->depth == 0 || sql->selects >> sql->depth & 1);
    if (last_word_is(sql, before))
        return true;
    while (end < sql->end && is_blank(*end))
        end++;
    return byte_at(sql, end) == '.' || after_dot(sql);
}

static void take_name_or_literal(struct sql *sql)
{
    bool ambiguous;
    const char *end = quoted_end(sql, sql->at, &ambiguous);
    if (!ambiguous && expects_name(sql, end) && looks_like_name(sql->at + 1, end - 1) &&
        (sql->kind == UNDERSTOOD || sql->kind == DEFINES || sql->kind == VIRTUAL))
        keep(sql, end);
    else
        replace(sql, end);
    if (ambiguous && !sql->full)
        stop(sql);
    sql->word = NULL;
}

// `name` of MySQL and [name] of SQLite and SQL Server; [ is also an index into an array.
static void take_name(struct sql *sql, char close)
{
    const char *end = sql->at + 1;
    while (end < sql->end && *end != close)
        end++;
    if (end < sql->end && looks_like_name(sql->at + 1, end) && sql->kind != UNKNOWN)
        keep(sql, end + 1);
    else if (close == ']' && !memchr(sql->at, '\'', (size_t)(end - sql->at)) &&
             !memchr(sql->at, '"', (size_t)(end - sql->at)))
        keep(sql, sql->at + 1);
    else
        stop(sql);
    sql->word = NULL;
}

// $1 and $name are parameters, $tag$...$tag$ is a literal of PostgreSQL.
static void take_dollar(struct sql *sql)
{
    const char *tag = sql->at + 1;
    while (tag < sql->end && (is_letter(*tag) || is_digit(*tag)))
        tag++;
    sql->word = NULL;
    if (byte_at(sql, tag) != '$') {
        keep(sql, tag);
        return;
    }
    size_t bytes = (size_t)(tag + 1 - sql->at);
    const char *end =
        memmem(tag + 1, (size_t)(sql->end - tag - 1), sql->at, bytes); // the tag again
    replace(sql, end ? end + bytes : sql->end);
}

static void take_number(struct sql *sql)
{
    const char *end = sql->at;
    while (end < sql->end && (is_letter(*end) || is_digit(*end) || *end == '.' ||
                              ((*end == '+' || *end == '-') && (end[-1] | 0x20) == 'e')))
        end++;
    replace(sql, end);
    sql->word = NULL;
}

// Comments are left out: they may hold anything. false: there is none.
static bool take_comment(struct sql *sql)
{
    char second = byte_at(sql, sql->at + 1);
    const char *end = NULL;
    if (*sql->at == '-' && second == '-') {
        end = memchr(sql->at, '\n', (size_t)(sql->end - sql->at));
    } else if (*sql->at == '/' && second == '*') {
        end = memmem(sql->at + 2, (size_t)(sql->end - sql->at - 2), "*/", 2);
        // PostgreSQL's may be nested, others' not.
        if (end && memmem(sql->at + 2, (size_t)(end - sql->at - 2), "/*", 2))
            sql->done = true;
        end = end ? end + 2 : NULL;
    } else if (*sql->at != '#' || second == '>' || second == '-') {
        return false; // #> and #- are operators of PostgreSQL; else a comment of MySQL or no SQL
    }
    sql->at = end ? end : sql->end;
    sql->blank = true;
    return true;
}

static void take_sign(struct sql *sql)
{
    char sign = *sql->at;
    if (sign == ';') {
        bool hid = sql->hides;
        begin_statement(sql);
        sql->blank &= !hid;
    } else if (sign == '(') {
        sql->depth++;
    } else if (sign == ')' && sql->depth > 0) {
        if (sql->depth < DEEPEST)
            sql->selects &= ~(1ULL << sql->depth);
        sql->depth--;
    }
    bool hides = sql->kind == PRAGMA ? sign == '=' || sign == '(' || sign == ','
                 : sql->kind == VIRTUAL
                     ? sign == '('
                     : (sql->kind == ALONE || sql->kind == UNKNOWN) && sign != ';';
    if (hides)
        hide(sql);
    keep(sql, sql->at + 1);
    if (sign == '?') // ?1 is a parameter
        while (sql->at < sql->end && is_digit(*sql->at))
            sql->at++;
    sql->word = NULL;
}

static void take_token(struct sql *sql)
{
    char byte = *sql->at;
    if (is_blank(byte) || byte == '\0') {
        sql->blank = true;
        sql->at++;
    } else if (take_comment(sql)) {
        return;
    } else if (is_letter(byte)) {
        take_word(sql);
    } else if (is_digit(byte) || (byte == '.' && is_digit(byte_at(sql, sql->at + 1)))) {
        take_number(sql);
    } else if (byte == '\'') {
        take_literal(sql);
    } else if (byte == '"') {
        take_name_or_literal(sql);
    } else if (byte == '`' || byte == '[') {
        take_name(sql, byte == '[' ? ']' : '`');
    } else if (byte == '$') {
        take_dollar(sql);
    } else {
        take_sign(sql);
    }
}

size_t redact_sql(const char *text, size_t text_bytes, bool full, char *to, size_t bytes)
{
    struct sql sql = {
        .at = text, .end = text + text_bytes, .to = to, .room = bytes - 1, .full = full};
    while (sql.at < sql.end && !sql.done)
        take_token(&sql);
    to[sql.used] = '\0';
    return sql.used;
}
