// Checking the order of locks in a debug build: see lock.h. Knows ranks, not what they stand for.
#include "trace/lock.h"

#include <stdlib.h>
#include <string.h>

static __thread struct {
    struct {
        const char *place; // where it was taken last
        uint32_t count;
    } held[LOCK_POSITIONS];
    bool all;
} mine __attribute__((tls_model("initial-exec")));

// As it is named in this tree, however the build names it.
static const char *shorten(const char *place)
{
    const char *tree = strstr(place, "src/");
    return tree ? tree : place;
}

static void say(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

static _Noreturn void end(const char *place, const char *held)
{
    say("unclosed: order of locks: one is taken at ");
    say(shorten(place));
    say(" while one is held that comes after it or is the same, taken at ");
    say(shorten(held));
    say("\n");
    abort();
}

void lock_order_take(uint32_t rank, const char *place)
{
    const uint32_t position = rank / LOCK_RANK(1);
    const bool repeats = (rank & LOCK_AGAIN) || ((rank & LOCK_MANY) && mine.all);
    for (uint32_t i = position + (repeats ? 1 : 0); i < LOCK_POSITIONS; i++)
        if (mine.held[i].count > 0 && !(rank & LOCK_AGAIN && mine.held[position].count > 0))
            end(place, mine.held[i].place);
    mine.held[position].count++;
    mine.held[position].place = place;
}

void lock_order_give(uint32_t rank)
{
    mine.held[rank / LOCK_RANK(1)].count--;
}

void lock_order_all(bool taking)
{
    mine.all = taking;
}
