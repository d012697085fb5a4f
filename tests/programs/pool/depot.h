// A pool in a shared library of its own, with every shape of acquire and release a call spec can
// describe, and shapes a wrapper can spoil: floating point, a variable argument list, more
// arguments than registers, two result registers.
#ifndef TESTS_POOL_DEPOT_H
#define TESTS_POOL_DEPOT_H

#include <setjmp.h>

struct depot; // the pool
struct part;  // what it hands out

struct part_and_serial { // comes back in two registers
    struct part *part;
    long serial;
};

struct depot *depot_create(const char *name, int size);
void depot_destroy(struct depot *depot);

// When the depot is empty the "get" ones give NULL and the "take" ones a status other than 0.
struct part *depot_get(struct depot *depot);
int depot_take(struct depot *depot, struct part **part);
int depot_take_wait(struct depot *depot, struct part **part,
                    int milliseconds); // cancellation point
struct part *depot_get_timed(struct depot *depot, double seconds, double factor);
int depot_take_long(struct depot *depot, struct part **part, long c, long d, long e, long f, long g,
                    long h, double i); // fails with 2 if c..h are not 3..8 or i is not 9
int depot_take_format(struct depot *depot, struct part **part, char *text, int bytes,
                      const char *format, ...) __attribute__((format(printf, 5, 6)));
double depot_take_priced(struct depot *depot, struct part **part, float price); // price, or -1
struct part_and_serial depot_get_pair(struct depot *depot);
struct part *depot_get_nested(struct depot *depot); // calls depot_get through the PLT
int depot_take_by_name(const char *name, struct part **part);

void depot_put(struct part *part);
int depot_return(struct depot *depot, struct part *part);
void depot_put_reference(struct part **part);                    // sets it to NULL
int depot_return_nested(struct depot *depot, struct part *part); // calls depot_return, by the PLT
void depot_drop(struct depot *depot, struct part *part); // for good: the depot makes another

// From now on an acquire that finds the depot empty jumps there, out of the library.
void depot_jump_when_empty(struct depot *depot, jmp_buf *target);

long depot_taken(const struct depot *depot);    // successful acquires, as the pool counts
long depot_returned(const struct depot *depot); // releases and drops

#endif
