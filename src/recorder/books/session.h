// Sessions: the table of what is out, by handle, and the sites and pools they belong to.
//
// Everything that acquires or releases comes through here: wrapped C functions, the public API and
// language runtimes alike. Knows neither hooks nor how a stack was obtained.
//
// A caller brackets its work with recorder_enter/recorder_leave (recorder.h): these keep errno,
// stop re-entry from a signal handler and notice a fork. None of this is async-signal-safe.
#ifndef UNCLOSED_RECORDER_BOOKS_SESSION_H
#define UNCLOSED_RECORDER_BOOKS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder/core/intern.h"
#include "recorder/core/stack.h"
#include "trace/trace_format.h"

// What is said about an acquire that succeeded.
struct acquire {
    uint64_t handle;     // never 0
    uint32_t kind;       // string reference of the spec's kind: handles of two kinds may coincide
    uint8_t session;     // enum trace_kind
    uint32_t function;   // TRACE_FUNCTIONS reference or TRACE_NONE
    uint32_t pool;       // TRACE_POOLS reference: where it was taken from, or TRACE_NONE
    uint32_t owner;      // for a handle opened by a pool: that pool
    uint32_t database;   // string reference or TRACE_NONE
    uint32_t task;       // string reference or TRACE_NONE
    bool counted;        // a handle that is out may be acquired again, and released as often
    bool wrapper;        // around or inside a handle of another kind that counts for both
    bool inherited;      // acquired before the recorder came: see session_inherit
    uint32_t created;    // stack reference: where the object was created, or TRACE_NONE
    uint64_t started_ns; // when the acquire call began; the wait is now - started
    uint64_t since_ns;   // after this moment a session of the same handle is the same acquire,
                         // seen through a nested call: it is counted once; 0: never
    const struct stack *stack;
};

// A session taken out of the table: see session_take.
struct session {
    uint32_t slot; // TRACE_SESSIONS reference; TRACE_NONE: none was found
    struct trace_session *record;
    struct trace_site *site; // NULL: not known
    bool still_out;          // a counted handle, released less often than acquired
    uint64_t taken_ns;       // when session_take was called: the hold ends here
    void *entry;
};

// Records that `acquire->handle` is out now; there is a trace. If a session of that handle is out
// already, a release went unseen: it ends as TRACE_LOST_RELEASE. Result: the slot or TRACE_NONE if
// it was lost.
uint32_t session_acquired(const struct acquire *acquire, uint64_t now_ns);

// Records an acquire that failed (pool may be TRACE_NONE).
// timed_out: known to have failed because the pool was empty for too long.
void session_acquire_failed(const struct acquire *acquire, bool timed_out, uint64_t now_ns);

// What is known of a session that was acquired before the recorder came.
struct inherited {
    uint64_t handle;
    uint64_t since_ns;          // out since then at least; 0: since the recorder came
    uint32_t kind;              // string reference, as in struct acquire
    uint8_t session;            // enum trace_kind
    bool held_by_caller;        // the calling thread uses it; else `tid` and `thread` say who
    uint32_t pool;              // TRACE_POOLS reference: counted as out of it; or TRACE_NONE
    uint32_t owner;             // for a handle that belongs to a pool: that pool
    uint32_t database;          // string reference or TRACE_NONE
    uint32_t older_s;           // acquired at most so many seconds before since_ns; 0: not known
    uint32_t tid, thread, task; // of its holder: kernel thread id or 0, string references
    uint32_t holder;            // string reference: what holds it, or TRACE_NONE
    uint32_t flags;             // enum trace_session_flags to add
    const struct stack *stack;  // of its holder when the recorder came; NULL: not known
};

// Whether a session of this handle is out.
bool session_is_known(uint32_t kind, uint64_t handle);

// Records that such a session is out. false: lost, or known already (then nothing is changed).
bool session_inherit(const struct inherited *found);

// Takes back a session_inherit with a since_ns not before `after_ns`: the acquire was being seen.
// false: there was none.
bool session_disinherit(uint32_t kind, uint64_t handle, uint64_t after_ns);

// Records the end of a session that was not known. pool: it was out of, or TRACE_NONE.
void session_inherited_ended(uint32_t kind, enum trace_kind session, uint32_t pool,
                             enum trace_end end);

// Before the program's release call: takes the session of (kind, handle) out of the table, so that
// the address can be handed out again before that call returns. false: there is none.
bool session_take(uint32_t kind, uint64_t handle, struct session *session);

// After it: the session ended in this way ...
void session_end(struct session *session, enum trace_end end, uint64_t now_ns);

// ... or it was no session at all ...
void session_forget(struct session *session);

// The session that was taken never was one: its acquire had failed, as is known only now. Counts
// that at its site.
void session_failed(struct session *session);

// ... or it did not (refused, zombie): back into the table with these flags added.
void session_put_back(struct session *session, uint32_t add_flags);

// ... or its object is gone, and its pool never gets the place back: it stays out, under a handle
// that no object has.
void session_lose(struct session *session);

// Takes a session out again that was put back, as session_take does. use: `generation` of its
// record from before it was put back. false: it is out no more, or it is another one by now.
bool session_take_back(struct session *session, uint32_t use);

// The handle belongs to this pool from now on; TRACE_NONE: to none any more. false: no such
// session.
bool session_set_owner(uint32_t kind, uint64_t handle, uint32_t pool);

// The record (a TRACE_SESSIONS reference) of a session that is out and was acquired in this
// process; TRACE_NONE: there is none. It is another's once that session has ended.
uint32_t session_slot(uint32_t kind, uint64_t handle);

// A session of `site` that the code never closed was left by an exception, as is known only now
// that it has ended.
void session_exception_counted(struct trace_site *site);

// Whether a session that is out has any of these flags.
bool session_has_flag(uint32_t kind, uint64_t handle, uint32_t flags);

// Calls `visit` for each session out now, with the shard's lock held: `visit` must not acquire or
// release. Order is arbitrary.
void session_each(void (*visit)(struct trace_session *record, uint32_t slot, void *data),
                  void *data);

// A call that makes no sense (release of an unknown handle ...), counted once per kind and stack.
// space: the kind of the handle, a string reference.
void session_misuse(enum trace_misuse_kind kind, uint32_t space, uint64_t handle, uint32_t function,
                    const struct stack *stack, uint64_t now_ns);

// The pool at `address` (or known by name only, address 0), made known on first sight.
// kind, name: string references. Result: TRACE_POOLS reference, or TRACE_NONE if lost.
uint32_t pool_intern(uint32_t kind, uint64_t address, uint32_t name);

// What the pool is called, how big it is; TRACE_NONE and TRACE_UNKNOWN leave a value as it was.
void pool_describe(uint32_t pool, uint32_t name, uint32_t detail, uint32_t size, uint32_t overflow);

// The record itself, to fill in what has no function of its own; NULL for TRACE_NONE.
struct trace_pool *pool_record(uint32_t pool);

#endif
