// Sessions that ended not long ago: see recent.h. Knows handles, nothing of the session table.
#include "recorder/books/recent.h"

#include <string.h>

#include "recorder/books/session_table.h"

enum { RECENT = 1024 };

static struct recent {
    uint64_t handle;
    uint32_t kind, site, database;
} recent[RECENT];

static struct recent *place_of(uint32_t kind, uint64_t handle)
{
    struct session_key key = session_key_of(kind, handle);
    unsigned hash;
    HASH_FUNCTION(&key, sizeof key, hash);
    return &recent[hash % RECENT];
}

void recent_note(uint32_t kind, uint64_t handle, uint32_t site, uint32_t database)
{
    *place_of(kind, handle) = (struct recent){handle, kind, site, database};
}

bool session_recently_ended(uint32_t kind, uint64_t handle, uint32_t *site, uint32_t *database)
{
    const struct recent *ended = place_of(kind, handle);
    if (ended->handle != handle || ended->kind != kind)
        return false;
    *site = ended->site;
    *database = ended->database;
    return true;
}

void recent_forget(void)
{
    memset(recent, 0, sizeof recent);
}
