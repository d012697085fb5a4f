// See depot.h.
#include "depot.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct part {
    struct part *next;
    struct depot *depot;
};

struct depot {
    pthread_mutex_t lock;
    pthread_cond_t returned_one;
    struct part *idle;
    jmp_buf *when_empty;
    long taken, returned;
    char name[40];
    struct depot *next;
};

static struct depot *all_depots;

static void add_part(struct depot *depot)
{
    struct part *part = calloc(1, sizeof *part);
    if (part == NULL)
        abort();
    part->depot = depot;
    part->next = depot->idle;
    depot->idle = part;
}

struct depot *depot_create(const char *name, int size)
{
    struct depot *depot = calloc(1, sizeof *depot);
    if (depot == NULL)
        return NULL;
    pthread_mutex_init(&depot->lock, NULL);
    pthread_cond_init(&depot->returned_one, NULL);
    snprintf(depot->name, sizeof depot->name, "%s", name);
    for (int i = 0; i < size; i++)
        add_part(depot);
    depot->next = all_depots;
    all_depots = depot;
    return depot;
}

void depot_destroy(struct depot *depot)
{
    struct depot **link = &all_depots;
    while (*link != depot)
        link = &(*link)->next;
    *link = depot->next;
    for (struct part *part = depot->idle, *next; part != NULL; part = next) {
        next = part->next;
        free(part);
    }
    free(depot);
}

// With the lock held.
static struct part *take_idle(struct depot *depot)
{
    struct part *part = depot->idle;
    if (part != NULL) {
        depot->idle = part->next;
        depot->taken++;
    }
    return part;
}

static struct part *take(struct depot *depot)
{
    pthread_mutex_lock(&depot->lock);
    struct part *part = take_idle(depot);
    pthread_mutex_unlock(&depot->lock);
    if (part == NULL && depot->when_empty != NULL)
        longjmp(*depot->when_empty, 1);
    return part;
}

static void give(struct part *part)
{
    struct depot *depot = part->depot;
    pthread_mutex_lock(&depot->lock);
    part->next = depot->idle;
    depot->idle = part;
    depot->returned++;
    pthread_cond_signal(&depot->returned_one);
    pthread_mutex_unlock(&depot->lock);
}

struct part *depot_get(struct depot *depot)
{
    struct part *part = take(depot);
    errno = part == NULL ? EAGAIN : 4711;
    return part;
}

int depot_take(struct depot *depot, struct part **part)
{
    *part = take(depot);
    return *part == NULL ? -1 : 0;
}

static void unlock(void *mutex)
{
    pthread_mutex_unlock(mutex);
}

// With the lock held: until a part is idle (0) or an error.
static int wait_for_part(struct depot *depot, const struct timespec *until)
{
    int error = 0;
    while (depot->idle == NULL && error == 0)
        error = pthread_cond_timedwait(&depot->returned_one, &depot->lock, until);
    return error;
}

int depot_take_wait(struct depot *depot, struct part **part, int milliseconds)
{
    struct timespec until;
    int error;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += milliseconds / 1000;
    until.tv_nsec += milliseconds % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&depot->lock);
    pthread_cleanup_push(unlock, &depot->lock);
    error = wait_for_part(depot, &until);
    *part = take_idle(depot);
    pthread_cleanup_pop(1);
    return *part == NULL ? error : 0;
}

struct part *depot_get_timed(struct depot *depot, double seconds, double factor)
{
    return seconds * factor == 0.5 ? take(depot) : NULL;
}

int depot_take_long(struct depot *depot, struct part **part, long c, long d, long e, long f, long g,
                    long h, double i)
{
    if (c != 3 || d != 4 || e != 5 || f != 6 || g != 7 || h != 8 || i != 9)
        return 2;
    *part = take(depot);
    return *part == NULL ? 1 : 0;
}

int depot_take_format(struct depot *depot, struct part **part, char *text, int bytes,
                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, (size_t)bytes, format, arguments);
    va_end(arguments);
    *part = take(depot);
    return *part == NULL ? -1 : 0;
}

double depot_take_priced(struct depot *depot, struct part **part, float price)
{
    *part = take(depot);
    return *part == NULL ? -1 : (double)price;
}

struct part_and_serial depot_get_pair(struct depot *depot)
{
    struct part *part = take(depot);
    return (struct part_and_serial){part, depot->taken};
}

struct part *depot_get_nested(struct depot *depot)
{
    struct part *part = depot_get(depot);
    return part;
}

int depot_take_by_name(const char *name, struct part **part)
{
    struct depot *depot = all_depots;
    while (depot != NULL && strcmp(depot->name, name) != 0)
        depot = depot->next;
    *part = depot ? take(depot) : NULL;
    return *part == NULL ? -1 : 0;
}

void depot_put(struct part *part)
{
    give(part);
    errno = 4712;
}

int depot_return(struct depot *depot, struct part *part)
{
    if (part->depot != depot)
        return -1;
    give(part);
    return 0;
}

void depot_put_reference(struct part **part)
{
    give(*part);
    *part = NULL;
}

int depot_return_nested(struct depot *depot, struct part *part)
{
    int result = depot_return(depot, part);
    return result;
}

void depot_drop(struct depot *depot, struct part *part)
{
    free(part);
    pthread_mutex_lock(&depot->lock);
    depot->returned++;
    add_part(depot);
    pthread_mutex_unlock(&depot->lock);
}

void depot_jump_when_empty(struct depot *depot, jmp_buf *target)
{
    depot->when_empty = target;
}

long depot_taken(const struct depot *depot)
{
    return depot->taken;
}

long depot_returned(const struct depot *depot)
{
    return depot->returned;
}
