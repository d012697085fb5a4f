// Redaction of the page's data: see redact.h.
#include "report/render/html/redact.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clean.h"

static const char replacement[] = "[redacted]";

struct redaction {
    bool paths, sql, source;
    regex_t *patterns;
    size_t count;
};

static bool add_pattern(struct redaction *redaction, const char *item, char **fault)
{
    const size_t length = strlen(item);
    char *pattern = strndup(item + 1, length - 2);
    regex_t *grown = reallocarray(redaction->patterns, redaction->count + 1, sizeof *grown);
    if (!pattern || !grown)
        memory_exhausted();
    redaction->patterns = grown;
    int error = regcomp(&grown[redaction->count], pattern, REG_EXTENDED);
    free(pattern);
    if (error == 0) {
        redaction->count++;
        return true;
    }
    char why[128];
    (void)regerror(error, &grown[redaction->count], why, sizeof why);
    if (asprintf(fault, "%s is no regular expression: %s", item, why) < 0)
        memory_exhausted();
    return false;
}

static bool add_item(struct redaction *redaction, const char *item, char **fault)
{
    const bool all = strcmp(item, "all") == 0;
    const bool paths = all || strcmp(item, "paths") == 0;
    const bool sql = all || strcmp(item, "sql") == 0;
    const bool source = all || strcmp(item, "source") == 0;
    const size_t length = strlen(item);
    if (length > 2 && item[0] == '/' && item[length - 1] == '/')
        return add_pattern(redaction, item, fault);
    if (!paths && !sql && !source) {
        if (asprintf(fault, "%s: expected paths, sql, source, all, or /REGULAR EXPRESSION/", item) <
            0)
            memory_exhausted();
        return false;
    }
    redaction->paths |= paths;
    redaction->sql |= sql;
    redaction->source |= source;
    return true;
}

struct redaction *redaction_new(const char *const *items, size_t count, char **fault)
{
    struct redaction *redaction = calloc(1, sizeof *redaction);
    if (!redaction)
        memory_exhausted();
    *fault = NULL;
    for (size_t i = 0; i < count; i++)
        if (!add_item(redaction, items[i], fault)) {
            redaction_free(redaction);
            return NULL;
        }
    return redaction;
}

void redaction_free(struct redaction *redaction)
{
    for (size_t i = 0; redaction && i < redaction->count; i++)
        regfree(&redaction->patterns[i]);
    if (redaction)
        free(redaction->patterns);
    free(redaction);
}

json_t *redaction_words(const struct redaction *redaction)
{
    json_t *words = json_array();
    if (redaction->paths)
        json_array_append_new(words, json_string("paths"));
    if (redaction->sql)
        json_array_append_new(words, json_string("SQL"));
    if (redaction->source)
        json_array_append_new(words, json_string("source lines"));
    if (redaction->count > 0)
        json_array_append_new(words, json_string("what matches a pattern"));
    return words;
}

bool redaction_of_source(const struct redaction *redaction)
{
    return redaction->source;
}

static bool ends_path(char c)
{
    return c == 0 || strchr(" \t\"'`,;:()<>|&?[]{}=", c) != NULL;
}

// "/srv/app/models.py:7" becomes ".../models.py:7", "src/a.c" ".../a.c"; where there is one part
// only nothing is left out.
static char *without_paths(const char *text)
{
    char *made = malloc(strlen(text) * 2 + 8);
    if (!made)
        memory_exhausted();
    size_t used = 0;
    for (const char *at = text; *at;) {
        const char *end = at, *last = NULL;
        for (; !ends_path(*end); end++)
            if (*end == '/' && !ends_path(end[1]))
                last = end;
        if (last) {
            memcpy(made + used, "...", 3);
            used += 3;
            at = last;
        }
        memcpy(made + used, at, (size_t)(end - at));
        used += (size_t)(end - at);
        at = end;
        if (*at)
            made[used++] = *at++;
    }
    made[used] = 0;
    return made;
}

static char *without_pattern(const char *text, const regex_t *pattern)
{
    char *made = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&made, &bytes);
    regmatch_t match;
    if (!out)
        memory_exhausted();
    for (int flags = 0; *text && regexec(pattern, text, 1, &match, flags) == 0;
         flags = REG_NOTBOL) {
        if (match.rm_eo == match.rm_so) { // matches nothing at all: goes on behind one character
            fputc(*text++, out);
            continue;
        }
        fwrite(text, 1, (size_t)match.rm_so, out);
        fputs(replacement, out);
        text += match.rm_eo;
    }
    fputs(text, out);
    if (fclose(out) != 0)
        memory_exhausted();
    return made;
}

// The text as it may be shown, to be freed.
static char *redacted(const struct redaction *redaction, const char *text)
{
    char *made = strdup(text);
    if (!made)
        memory_exhausted();
    clean_text(made);
    if (redaction->paths) {
        char *shorter = without_paths(made);
        free(made);
        made = shorter;
    }
    for (size_t i = 0; i < redaction->count; i++) {
        char *shorter = without_pattern(made, &redaction->patterns[i]);
        free(made);
        made = shorter;
    }
    return made;
}

static json_t *apply(const struct redaction *redaction, const json_t *value);

static json_t *apply_to_object(const struct redaction *redaction, const json_t *object)
{
    json_t *made = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        const bool sql = strcmp(key, "statements") == 0 || strcmp(key, "statement") == 0;
        if (redaction->sql && sql)
            continue;
        char *name = redacted(redaction, key); // tests are keys, too
        json_object_set_new(made, name, apply(redaction, value));
        free(name);
    }
    return made;
}

static json_t *apply(const struct redaction *redaction, const json_t *value)
{
    if (json_is_object(value))
        return apply_to_object(redaction, value);
    if (json_is_array(value)) {
        json_t *made = json_array();
        for (size_t i = 0; i < json_array_size(value); i++)
            json_array_append_new(made, apply(redaction, json_array_get(value, i)));
        return made;
    }
    if (!json_is_string(value))
        return json_incref((json_t *)value);
    char *text = redacted(redaction, json_string_value(value));
    json_t *made = json_string(text);
    free(text);
    return made ? made : json_string("?"); // a pattern that cut a character into pieces
}

void redaction_apply(const struct redaction *redaction, json_t *document)
{
    json_t *made = apply_to_object(redaction, document);
    json_object_clear(document);
    json_object_update(document, made);
    json_decref(made);
}
