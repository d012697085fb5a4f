// The list of Python pools known: see pool.h.
//
// An entry outlives its pool object: programs that make the same pool again and again (tests) get
// the same pool of the trace again, so that memory does not grow with their number.
#include "recorder/runtimes/python/pool.h"

#include <stdio.h>
#include <string.h>

#include "recorder/books/session.h"
#include "recorder/core/recorder.h"

enum { POOLS = 1024 };
static struct python_pool pools[POOLS];
static int pool_count;
static struct python_pool *last;

static bool is_alive(const struct python_pool *pool)
{
    return !pool->weak || py.PyWeakref_GetObject(pool->weak) == pool->object;
}

static struct python_pool *find_alive(PyObject *object)
{
    for (int i = 0; i < pool_count; i++)
        if (pools[i].object == object && is_alive(&pools[i]))
            return &pools[i];
    return NULL;
}

static bool is_same_text(const struct python_pool_text *a, const struct python_pool_text *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->detail, b->detail) == 0 &&
           a->size == b->size && a->overflow == b->overflow && a->timeout_ms == b->timeout_ms &&
           a->shared == b->shared && a->is_async == b->is_async;
}

// An entry for a pool that is like no other: a new one, or that of any pool that is gone.
static struct python_pool *find_free(void)
{
    static uint64_t keys;
    struct python_pool *free = pool_count < POOLS ? &pools[pool_count++] : NULL;
    for (int i = 0; !free && i < POOLS; i++)
        if (!is_alive(&pools[i]))
            free = &pools[i];
    if (free) {
        free->generation = 0;
        free->key = ++keys;
    }
    return free;
}

// The entry of a pool that is gone and said the same of itself.
static struct python_pool *find_gone(const char *kind, const struct python_pool_text *text)
{
    for (int i = 0; i < pool_count; i++)
        if (!is_alive(&pools[i]) && strcmp(pools[i].kind, kind) == 0 &&
            is_same_text(&pools[i].text, text))
            return &pools[i];
    return NULL;
}

struct python_pool *python_pool_of(PyObject *object, const char *kind,
                                   void (*describe)(PyObject *object,
                                                    struct python_pool_text *text))
{
    if (last && last->object == object && is_alive(last))
        return last;
    struct python_pool *pool = find_alive(object);
    if (pool)
        return last = pool;
    struct python_pool_text text;
    memset(&text, 0, sizeof text);
    text.size = text.overflow = text.timeout_ms = TRACE_UNKNOWN;
    describe(object, &text);
    PyObject *weak = py.PyWeakref_NewRef(object, NULL);
    py.PyErr_Clear();
    pool = find_gone(kind, &text);
    if (!pool)
        pool = find_free();
    if (!pool) {
        python_drop(weak);
        return NULL;
    }
    PyObject *old = pool->weak;
    pool->object = object;
    pool->weak = weak;
    pool->kind = kind;
    pool->text = text;
    python_drop(old);
    return last = pool;
}

uint32_t python_pool_ref(struct python_pool *pool)
{
    if (pool->generation == recorder_generation)
        return pool->ref;
    const struct python_pool_text *text = &pool->text;
    pool->kind_ref = name_intern(pool->kind);
    pool->name_ref = text->name[0] ? name_intern(text->name) : TRACE_NONE;
    pool->ref = pool_intern(pool->kind_ref, pool->key, pool->name_ref);
    pool_describe(pool->ref, pool->name_ref, name_intern(text->detail), text->size, text->overflow);
    pool->record = pool_record(pool->ref);
    if (pool->record) {
        pool->record->timeout_ms = text->timeout_ms;
        pool->generation = recorder_generation;
    }
    return pool->ref;
}

// Before the pool is in the trace of this process nobody has to wait; and what began in the parent
// is not counted back in a forked child, nor what began in one recording in the next.
static bool is_current(const struct python_pool *pool)
{
    return pool->generation == recorder_generation && !recorder_is_forked();
}

uint32_t python_pool_wait_begin(struct python_pool *pool)
{
    if (!is_current(pool))
        return 0;
    __atomic_fetch_add(&pool->record->waiting, 1, __ATOMIC_RELAXED);
    return pool->generation;
}

void python_pool_wait_end(struct python_pool *pool, uint32_t wait)
{
    if (wait == pool->generation && is_current(pool))
        __atomic_fetch_sub(&pool->record->waiting, 1, __ATOMIC_RELAXED);
}

bool python_pool_is_full(const struct python_pool *pool)
{
    if (!is_current(pool) || pool->text.size == TRACE_UNKNOWN)
        return false;
    const uint32_t more = pool->text.overflow == TRACE_UNKNOWN ? 0 : pool->text.overflow;
    return __atomic_load_n(&pool->record->out, __ATOMIC_RELAXED) >= pool->text.size + more;
}

void python_pool_drop(void)
{
    for (int i = 0; i < pool_count; i++)
        python_drop(pools[i].weak);
    python_pool_forget();
}

void python_pool_forget(void)
{
    for (int i = 0; i < pool_count; i++) {
        pools[i].object = pools[i].weak = NULL;
        pools[i].generation = 0;
    }
    pool_count = 0;
    last = NULL;
}
