// Reading, comparing with and writing baselines: see baseline.h.
#include "report/compare/baseline.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/compare/json_text.h"

// A report could be read as well, but it would be an accident.
static struct entries read_baseline(struct arena *arena, const char *path, const char **fault)
{
    struct entries entries = entries_of_json(arena, path, fault);
    for (size_t i = 0; i < entries.list.count && !*fault; i++)
        if (entries.list.item[i].judged > 0 || entries.list.item[i].share == 0)
            *fault = "is a report; a baseline is made with --update-baseline";
    return entries;
}

const char *baseline_fault(struct arena *arena, const char *path)
{
    const char *fault;
    (void)read_baseline(arena, path, &fault);
    return fault;
}

const char *baseline_compare(struct profile *profile, const char *root, const char *path)
{
    struct entries *sides = arena_take(profile->arena, 2 * sizeof *sides);
    const char *fault;
    sides[0] = read_baseline(profile->arena, path, &fault);
    if (fault)
        return fault;
    sides[1] = entries_of_profile(profile, root);
    profile->comparison = compare(profile->arena, &sides[0], &sides[1]);
    for (size_t i = 0; i < profile->comparison->changes.count; i++) {
        const struct change *change = &profile->comparison->changes.item[i];
        if (change->after)
            change->after->site->change = change->change;
    }
    return NULL;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->file, y->file);
    if (order == 0)
        order = strcmp(x->name, y->name);
    if (order == 0)
        order = strcmp(x->hash, y->hash);
    return order ? order : (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static json_t *entry_json(const struct entry *entry)
{
    json_t *object = json_object();
    json_t *outcomes = json_array();
    json_object_set_new(object, "file", json_text(entry->file));
    json_object_set_new(object, "name", json_text(entry->name));
    json_object_set_new(object, "kind", json_text(entry->kind));
    json_object_set_new(object, "code", json_text(entry->code));
    json_object_set_new(object, "hash", json_text(entry->hash));
    json_object_set_new(object, "ordinal", json_integer(entry->ordinal));
    json_object_set_new(object, "equals", json_integer(entry->equals));
    for (unsigned i = 0; i < ENTRY_OUTCOMES; i++)
        if (entry->outcomes & 1U << i)
            json_array_append_new(outcomes, json_text(entry_outcome_name(1U << i)));
    json_object_set_new(object, "outcomes", outcomes);
    json_object_set_new(object, "share", json_integer(entry->share));
    return object;
}

static void print_entries(const struct entries *entries, FILE *out, size_t *count)
{
    *count = 0;
    fputs("{\"unclosed\": \"baseline\", \"version\": 1, \"sites\": [", out);
    for (size_t i = 0; i < entries->list.count; i++) {
        if (entries->list.item[i].share == 0)
            continue;
        json_t *object = entry_json(&entries->list.item[i]);
        char *line = json_dumps(object, JSON_ENSURE_ASCII);
        if (!line)
            memory_exhausted();
        fprintf(out, "%s\n%s", (*count)++ ? "," : "", line);
        free(line);
        json_decref(object);
    }
    fputs("\n]}\n", out);
}

// Whoever reads the file sees the old one or the new one. Result: 0 or an errno.
static int replace_file(struct arena *arena, const char *path, const struct entries *entries,
                        size_t *count)
{
    struct stat status;
    const mode_t mask = umask(0);
    (void)umask(mask);
    const mode_t mode = stat(path, &status) == 0 ? status.st_mode & 0777 : 0666 & ~mask;
    char *temporary = arena_format(arena, "%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!out)
        return errno;
    print_entries(entries, out, count);
    int error = ferror(out) || fflush(out) != 0 || fchmod(fd, mode) != 0 ? errno : 0;
    if (fclose(out) != 0 && !error)
        error = errno;
    if (!error && rename(temporary, path) != 0)
        error = errno;
    if (error)
        (void)unlink(temporary);
    return error;
}

const char *baseline_write(struct profile *profile, const char *root, const char *path,
                           size_t *count)
{
    struct entries entries = entries_of_profile(profile, root);
    LIST_SORT(&entries.list, compare_entries);
    char *real = realpath(path, NULL);
    const int error = replace_file(profile->arena, real ? real : path, &entries, count);
    free(real);
    return error ? arena_format(profile->arena, "cannot be written: %s", strerror(error)) : NULL;
}
