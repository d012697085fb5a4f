// What is kept between two readings of a trace: see cache.h.
//
// A reference of a trace means the same in each reading of it, for records are never moved or
// removed. It is the same trace if it has the same path and was begun at the same moment by the
// same process: a path alone may have been used again.
#include "report/profile/cache.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/code/map.h"
#include "report/code/memory.h"

struct profile_cache {
    struct arena *arena;
    struct symbols *symbols;
    struct code_text *code;
    struct map readers; // struct frames_reader by trace
};

struct profile_cache *profile_cache_new(void)
{
    struct arena *arena = arena_new();
    struct profile_cache *cache = arena_take(arena, sizeof *cache);
    cache->arena = arena;
    cache->symbols = symbols_new(arena);
    cache->code = code_text_new(arena);
    return cache;
}

static void free_reader(void *reader, void *data)
{
    (void)data;
    frames_reader_free(reader);
}

void profile_cache_free(struct profile_cache *cache)
{
    if (!cache)
        return;
    map_each(&cache->readers, free_reader, NULL);
    map_clear(&cache->readers);
    code_text_free(cache->code);
    symbols_free(cache->symbols);
    arena_free(cache->arena);
}

struct symbols *profile_cache_symbols(struct profile_cache *cache)
{
    return cache->symbols;
}

struct code_text *profile_cache_code(struct profile_cache *cache)
{
    return cache->code;
}

struct frames_reader *profile_cache_frames(struct profile_cache *cache,
                                           const struct trace_reader *trace)
{
    char *key = NULL;
    int length = asprintf(&key, "%" PRIu32 " %" PRIu64 " %s", trace->header.pid,
                          trace->header.start_ns, trace->path);
    if (length < 0)
        memory_exhausted();
    struct frames_reader *reader = map_get(&cache->readers, key, (size_t)length);
    if (reader) {
        frames_reader_follow(reader, trace);
    } else {
        // A process in a container: its files are seen through its own root.
        const char *root =
            trace->pid ? arena_format(cache->arena, "/proc/%d/root", (int)trace->pid) : NULL;
        reader = frames_reader_new(cache->arena, cache->symbols, trace, root);
        map_add(cache->arena, &cache->readers, key, (size_t)length, reader);
    }
    free(key);
    return reader;
}
