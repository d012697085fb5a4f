// Who is inside: see presence.h.
#include "recorder/core/presence.h"

#include <time.h>

#include "recorder/core/arena.h"
#include "recorder/core/lock_order.h"
#include "trace/lock.h"

enum { POLL_NS = 100000, POLLS_MOST = 20000, SETTLE_NS = 1000000 };

static struct lock presence_lock = LOCK_OF(LOCK_PRESENCE);
static struct presence *places; // only added to

static struct presence *find(uintptr_t thread)
{
    for (struct presence *place = places; place; place = place->next)
        if (place->thread == thread)
            return place;
    return NULL;
}

struct presence *presence_of(const void *thread)
{
    lock_take(&presence_lock);
    struct presence *place = find((uintptr_t)thread);
    if (!place && (place = arena_alloc(sizeof *place))) {
        place->thread = (uintptr_t)thread;
        place->next = places;
        places = place;
    }
    lock_give(&presence_lock);
    return place;
}

static uint64_t forgotten_acquires;

static uint64_t count_acquires(void)
{
    uint64_t sum = 0;
    for (struct presence *place = places; place; place = place->next)
        sum += __atomic_load_n(&place->acquires, __ATOMIC_RELAXED);
    return sum;
}

uint64_t presence_acquires(void)
{
    lock_take(&presence_lock);
    uint64_t sum = count_acquires() - forgotten_acquires;
    lock_give(&presence_lock);
    return sum;
}

void presence_forget_acquires(void)
{
    lock_take(&presence_lock);
    forgotten_acquires = count_acquires();
    lock_give(&presence_lock);
}

void presence_forked(void)
{
    lock_init(&presence_lock);
    for (struct presence *place = places; place; place = place->next)
        atomic_store(&place->inside, false);
    forgotten_acquires = count_acquires();
}

static void pause_for(long ns)
{
    const struct timespec time = {0, ns};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static bool anybody(uintptr_t but)
{
    bool found = false;
    lock_take(&presence_lock);
    for (struct presence *place = places; place && !found; place = place->next)
        found = place->thread != but && atomic_load(&place->inside);
    lock_give(&presence_lock);
    return found;
}

bool presence_wait(const void *thread)
{
    // Entering has no memory barrier. Processors hold back a store for nanoseconds, and a thread
    // that is taken off its processor has none left.
    pause_for(SETTLE_NS);
    for (int i = 0; i < POLLS_MOST; i++) {
        if (!anybody((uintptr_t)thread))
            return true;
        pause_for(POLL_NS);
    }
    return false;
}
