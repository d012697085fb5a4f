// Entries of JSON files, which anybody may have written: see entry.h.
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/compare/entry.h"

enum { LARGEST_FILE = 64 << 20, MOST_SITES = 1000000 };

// A regular file of a bearable size, never waiting for one that is not. Result: a descriptor or -1.
static int open_json(struct arena *arena, const char *path, const char **fault)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        *fault = arena_format(arena, "cannot be read: %s", strerror(errno));
        return -1;
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        *fault = "is not a regular file";
    else if (status.st_size > LARGEST_FILE)
        *fault = "is larger than 64 MiB";
    else
        return fd;
    (void)close(fd);
    return -1;
}

static json_t *load(struct arena *arena, const char *path, const char **fault)
{
    json_error_t error;
    int fd = open_json(arena, path, fault);
    if (fd < 0)
        return NULL;
    json_t *root = json_loadfd(fd, JSON_REJECT_DUPLICATES, &error);
    (void)close(fd);
    if (!root)
        *fault =
            arena_format(arena, "line %d, column %d: %s", error.line, error.column, error.text);
    else if (!json_is_object(root) || !json_is_array(json_object_get(root, "sites")))
        *fault = "is neither a JSON report nor a baseline of unclosed: it has no list of sites";
    else if (json_array_size(json_object_get(root, "sites")) > MOST_SITES)
        *fault = "has more than 1,000,000 sites";
    else
        return root;
    json_decref(root);
    return NULL;
}

// One site while it is read: the first thing that is wrong with it stays in `fault`.
struct reading_site {
    struct arena *arena;
    const json_t *object;
    const char *fault;
};

static const char *text(struct reading_site *site, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_string(value))
        site->fault = arena_format(site->arena, "\"%s\" is not a text", key);
    return json_is_string(value) ? arena_text(site->arena, json_string_value(value)) : "";
}

// A number from `least` on that must be there.
static uint64_t number(struct reading_site *site, const json_t *object, const char *key,
                       json_int_t least, json_int_t most)
{
    const json_t *value = json_object_get(object, key);
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    if (number < least || number > most) {
        site->fault = arena_format(site->arena,
                                   "\"%s\" is not a number from %" JSON_INTEGER_FORMAT
                                   " to %" JSON_INTEGER_FORMAT,
                                   key, least, most);
        return (uint64_t)least;
    }
    return (uint64_t)number;
}

static void take_key(struct reading_site *site, const json_t *key, struct entry *entry)
{
    entry->hash = text(site, key, "hash");
    entry->ordinal = (unsigned)number(site, key, "ordinal", 1, UINT_MAX);
    entry->equals = (unsigned)number(site, key, "equals", 1, UINT_MAX);
    entry->file = text(site, key, "file");
    entry->name = text(site, key, "name");
    if (strlen(entry->hash) != 16 || strspn(entry->hash, "0123456789abcdef") != 16)
        site->fault = "\"hash\" is not 16 hexadecimal digits";
}

// A site of a report: with the numbers of its sessions.
static void take_numbers(struct reading_site *site, struct entry *entry)
{
    static const char *const unjudged[] = {"pooled", "below_threshold", "being_released",
                                           "under_way"};
    const json_t *object = site->object;
    const uint64_t most = INT64_MAX;
    entry->judged = number(site, object, "opened", 0, (json_int_t)most);
    for (size_t i = 0; i < sizeof unjudged / sizeof *unjudged; i++) {
        uint64_t part = number(site, object, unjudged[i], 0, (json_int_t)most);
        entry->judged -= part < entry->judged ? part : entry->judged;
    }
    entry->never_closed = number(site, object, "never_closed", 0, (json_int_t)entry->judged);
    if (entry->never_closed > 0)
        entry->share = (unsigned)(100.0 * (double)entry->never_closed / (double)entry->judged);
    entry->share += entry->never_closed > 0 && (double)entry->share * (double)entry->judged <
                                                   100.0 * (double)entry->never_closed;
    const uint64_t left = number(site, object, "live", 0, (json_int_t)most) |
                          number(site, object, "reclaimed", 0, (json_int_t)most);
    entry->outcomes = (left ? ENTRY_LEFT : 0) |
                      (number(site, object, "refused", 0, (json_int_t)most) ? ENTRY_REFUSED : 0) |
                      (number(site, object, "zombie", 0, (json_int_t)most) ? ENTRY_ZOMBIE : 0);
    if (json_object_get(object, "line"))
        entry->line = (unsigned)number(site, object, "line", 0, UINT_MAX);
}

// A site of a baseline: it leaks, in these ways.
static void take_shares(struct reading_site *site, struct entry *entry)
{
    const json_t *outcomes = json_object_get(site->object, "outcomes");
    const json_t *value;
    size_t index;
    entry->share = (unsigned)number(site, site->object, "share", 1, 100);
    json_array_foreach(outcomes, index, value) for (unsigned i = 0; i < ENTRY_OUTCOMES; i++)
    {
        const char *name = json_string_value(value);
        if (name && strcmp(name, entry_outcome_name(1U << i)) == 0)
            entry->outcomes |= 1U << i;
    }
    if (entry->outcomes == 0)
        site->fault = "\"outcomes\" names none of \"left open\", \"close refused\", \"zombie\"";
}

// Result: false if it is wrong (site->fault) or no session.
static bool take_site(struct reading_site *site, struct entry *entry)
{
    const json_t *key = json_object_get(site->object, "key");
    *entry = (struct entry){0};
    entry->kind = text(site, site->object, "kind");
    entry->code = site_key_without_literals(site->arena, text(site, site->object, "code"));
    if (json_is_object(key)) {
        take_key(site, key, entry);
        take_numbers(site, entry);
    } else if (json_object_get(site->object, "hash")) {
        take_key(site, site->object, entry);
        take_shares(site, entry);
    } else {
        site->fault = "it has no key; an older unclosed wrote it, so make the report again";
    }
    return !site->fault && strcmp(entry->kind, profile_kind_name(TRACE_STATEMENT)) != 0;
}

struct entries entries_of_json(struct arena *arena, const char *path, const char **fault)
{
    struct entries entries = {.source = arena_text(arena, path)};
    *fault = NULL;
    json_t *root = load(arena, path, fault);
    const json_t *sites = json_object_get(root, "sites");
    for (size_t i = 0; i < json_array_size(sites) && !*fault; i++) {
        struct entry entry;
        struct reading_site site = {arena, json_array_get(sites, i), NULL};
        if (take_site(&site, &entry))
            *LIST_ADD(arena, &entries.list) = entry;
        else if (site.fault)
            *fault = arena_format(arena, "site %zu: %s", i + 1, site.fault);
    }
    entries.blind = json_array_size(json_object_get(root, "blind"));
    json_decref(root);
    return entries;
}
