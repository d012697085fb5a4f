// Reading the same traces again and again: see target.h.
#include "cli/top/target.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "report/profile/reading.h"

struct top_target {
    const char *const *names;
    size_t count;
    uint64_t threshold_ns;
    struct trace_sources sources;
    struct profile_cache *cache;
    bool has_folder, running, read;
};

static struct trace_sources find(const struct top_target *target)
{
    struct trace_sources sources = {.arena = arena_new()};
    for (size_t i = 0; i < target->count; i++)
        trace_sources_add(&sources, target->names[i], false);
    return sources;
}

struct top_target *top_target_open(const char *const *names, size_t count, uint64_t threshold_ns)
{
    struct top_target *target = calloc(1, sizeof *target);
    if (!target)
        cli_no_memory();
    *target = (struct top_target){.names = names, .count = count, .threshold_ns = threshold_ns};
    target->sources = find(target);
    for (size_t i = 0; i < target->sources.problems.count; i++)
        cli_message("%s", target->sources.problems.item[i]);
    for (size_t i = 0; i < count; i++) {
        struct stat status;
        target->has_folder |= stat(names[i], &status) == 0 && S_ISDIR(status.st_mode);
    }
    if (target->sources.list.count == 0) {
        arena_free(target->sources.arena);
        free(target);
        return NULL;
    }
    target->cache = profile_cache_new();
    target->running = true;
    return target;
}

void top_target_close(struct top_target *target)
{
    if (!target)
        return;
    profile_cache_free(target->cache);
    arena_free(target->sources.arena);
    free(target);
}

// A process that has ended has no trace any more by its number: then the traces stay that were
// known.
static void find_again(struct top_target *target)
{
    struct trace_sources found = find(target);
    if (found.list.count == 0) {
        arena_free(found.arena);
        return;
    }
    arena_free(target->sources.arena);
    target->sources = found;
}

// Said once; the profile's problems have it each time.
static void complain(void *data, const char *message)
{
    const struct top_target *target = data;
    if (!target->read)
        cli_message("%s", message);
}

struct profile *top_target_read(struct top_target *target)
{
    if (target->has_folder || !target->running)
        find_again(target);
    const struct reading reading = {
        .sources = &target->sources,
        .threshold_ns = target->threshold_ns,
        .cache = target->cache,
        .complain = complain,
        .data = target,
    };
    unsigned traces;
    struct profile *profile = reading_profile(&reading, &traces);
    target->read = true;
    target->running = profile->running > 0;
    if (traces > 0)
        return profile;
    profile_free(profile);
    return NULL;
}
