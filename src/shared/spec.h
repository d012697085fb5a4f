// Call specs: which functions begin and end a session, and where in a call the handle is.
//
// Only the language: parsing and checking. Knows neither hooks nor the session table; shared by the
// recorder, which hooks what is named here, and the command line, which checks what the user wrote.
//
// A spec text is a list of lines (a `;` counts as a line end, `#` begins a comment):
//
//     kind libzdb                                            what the pool is called in reports
//     fill    ConnectionPool_start(pool)
//     acquire ConnectionPool_getConnection(pool) -> handle
//     release Connection_close(handle)
//     release ConnectionPool_returnConnection(pool, handle)
//     acquire python:psycopg_pool.pool:ConnectionPool.getconn(self=pool) -> handle
//
// A kind line may go on with `handle`: sessions of that kind are database handles (PQconnectdb),
// not checkouts from a pool; and with `counted`: a handle that is out may be acquired again, and is
// then out until it was released as often; and with `kept` (Python only): the library keeps the
// handles open for the program; or `bound` (Python only): what is out lives as long as its pool.
// Two settings may follow it, which hold until the next kind line and say something of the pool's
// class (Python only):
//
//     kind psycopg_pool
//     drop = lost                  what is dropped without a release never comes back to the pool;
//                                  else `returned`: its place is free again
//     size = max_size | limit      the attributes to look at for the size, first come, first served
//
// `...` as the last argument says that more follow, which are not
// looked at.
//
//     kind sqlite3 handle
//     acquire sqlite3_open(database, *handle) -> 0 or handle     a failed call that leaves a handle
//     use     sqlite3_exec(handle, ...)                          which must be closed counts too
//
// docs/call-specs.md is the reference for users.
#ifndef UNCLOSED_SHARED_SPEC_H
#define UNCLOSED_SHARED_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace_format.h"

enum {
    SPEC_NAME_BYTES = 160,
    SPEC_KIND_BYTES = 40,
    SPEC_SIZE_BYTES = 64,
    SPEC_ARGUMENTS = 6,
    SPEC_STATUSES = 4,
};

// In the place of a qualified name: whatever in the module looks like a pool's method of the verb.
#define SPEC_GUESS "<guess>"

// What an argument of a traced function is. In a python spec an argument may be named
// ("self=pool", "conn=handle") and is then found by that name.
enum spec_role {
    SPEC_IGNORED = 0, // _
    SPEC_HANDLE,      // handle      the handle itself
    SPEC_HANDLE_OUT,  // *handle     address of the handle: read after an acquire, before a release
    SPEC_POOL,        // pool
    SPEC_POOL_OUT,    // *pool       address of the pool: read after the call
    SPEC_POOL_NAME,   // name        a C string that names the pool (and is the pool if no other is)
    SPEC_DATABASE,    // database    a C string: file name, URL, connection string
    SPEC_SIZE,        // size        an integer: the pool's size
    SPEC_EQUALS,      // an integer  the call only counts if this argument has this value
};

enum spec_result {
    SPEC_RESULT_IGNORED = 0, // nothing after the parenthesis
    SPEC_RESULT_HANDLE,      // -> handle         NULL is a failed acquire
    SPEC_RESULT_POOL,        // -> pool
    SPEC_RESULT_STATUS,      // -> 0  or  -> 0|1  success is one of these values
    SPEC_RESULT_NONZERO,     // -> !0             success is anything but 0
                             // both as 32-bit integers, unless int8 or int16 precedes: -> int16 0|1
};

struct spec_argument {
    uint8_t role;   // enum spec_role
    int64_t equals; // SPEC_EQUALS
    char name[32];  // python: name of the parameter, or ""
};

struct spec {
    uint8_t verb;         // enum trace_verb
    uint8_t result;       // enum spec_result
    uint8_t session;      // enum trace_kind: TRACE_CHECKOUT, or what the kind line says
    bool python;          // `function` is module:qualified.name
    bool asked;           // the user named it; set by the caller
    bool kept_on_failure; // "or handle": success is also a failed call that leaves a handle
    bool counted;         // a handle may be out several times at once
    bool kept;            // still open at the end it is the library's, no leak
    bool bound;           // the pool keeps the object that is out, until it goes away itself
    bool lost;            // dropped without a release its place in the pool is gone
    uint8_t argument_count;
    uint8_t status_count;
    uint8_t status_bits; // width of a status in the result register: 8, 16 or 32
    int32_t status[SPEC_STATUSES];
    struct spec_argument argument[SPEC_ARGUMENTS];
    char kind[SPEC_KIND_BYTES];
    char size[SPEC_SIZE_BYTES]; // attributes, separated by `|`, or ""
    char function[SPEC_NAME_BYTES];
};

struct spec_error {
    int line, column;  // from 1, in the text given
    char message[160]; // what is wrong and what is expected there
};

// Parses the specs in `text` (NUL-terminated) into at most `capacity` entries of `specs`.
// kind: the kind that holds until a kind line names another; NULL: "pool".
// Result: the number of specs, which may be larger than `capacity` (the rest is then not stored),
// or -1 with *error filled in. Thread-safe and async-signal-safe: touches only its arguments.
int spec_parse(const char *text, const char *kind, struct spec *specs, int capacity,
               struct spec_error *error);

// Whether a call that returned `result` (the whole register) succeeded, as far as the result tells.
// A narrow type leaves the rest of the register undefined (System V ABI), hence status_bits.
bool spec_succeeded(const struct spec *spec, uint64_t result);

#endif
