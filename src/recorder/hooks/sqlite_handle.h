// What is known of a connection from the calls that were seen: how many children (statements,
// blobs, backups) keep it alive, whether it was closed, whether a transaction is open.
//
// Read and written without a lock within calls that take a microsecond. Knows nothing of sessions,
// and calls nothing of SQLite's. Thread-safe; sqlite_handle_open is not async-signal-safe.
#ifndef UNCLOSED_RECORDER_HOOKS_SQLITE_HANDLE_H
#define UNCLOSED_RECORDER_HOOKS_SQLITE_HANDLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "recorder/core/pointer_map.h"
#include "trace/lock.h"

enum { SQLITE_SHOWN = 3 }; // statements of which the SQL is remembered, for each connection

enum sqlite_transaction {
    SQLITE_TRANSACTION_UNKNOWN = 0,
    SQLITE_TRANSACTION_NONE,
    SQLITE_TRANSACTION_OPEN,
};

// How far the children are known.
enum sqlite_children {
    SQLITE_CHILDREN_KNOWN,  // all were seen
    SQLITE_CHILDREN_OLDER,  // there may be some that are older than the attach
    SQLITE_CHILDREN_INSIDE, // SQLite is part of the program that calls it: neither they nor what
                            // steps them is told from what SQLite does for itself
    SQLITE_CHILDREN_ASKED,  // SQLite was asked within a close: its own ones are among them
};

// The memory of one is only ever used for another one.
struct sqlite_handle {
    _Atomic uint64_t db;         // the connection; 0: none
    _Atomic uint64_t state;      // see sqlite_handle.c
    _Atomic uint32_t generation; // of recorder_generation, in which its use was noted; 0: none
    uint32_t recording;          // of recorder_recording, for which all this holds
    _Atomic uint8_t transaction; // enum sqlite_transaction, after the last call that was seen
    _Atomic uint8_t children;    // enum sqlite_children
    _Atomic uint16_t backups;    // of the children
    const struct sqlite_api *api;
    _Atomic uint64_t shown[SQLITE_SHOWN]; // see sqlite_handle_show
    struct sqlite_handle *next;           // of those that are not used
};

// Their locks are taken around fork by process.c.
extern struct lock sqlite_handles_lock;
extern struct pointer_map sqlite_handles, sqlite_children;

// The handle of an open connection; NULL: not known.
struct sqlite_handle *sqlite_handle_find(uint64_t db);

// A connection was opened, or is seen for the first time. One of the same address is gone.
// NULL: no memory.
struct sqlite_handle *sqlite_handle_open(uint64_t db, const struct sqlite_api *api,
                                         enum sqlite_children children);

// It is closed and gone, or of no interest any more. epoch: see sqlite_handle_epoch.
void sqlite_handle_forget(struct sqlite_handle *handle, uint64_t epoch);

// Tells connections that had the same memory one after the other from each other.
uint64_t sqlite_handle_epoch(const struct sqlite_handle *handle);

// Children that are alive, as far as known.
uint32_t sqlite_handle_children(const struct sqlite_handle *handle);

// All children are known from now on, and there are so many. false: some came or went meanwhile.
// before: sqlite_handle_children from before they were counted.
bool sqlite_handle_set_children(struct sqlite_handle *handle, uint32_t before, uint32_t count);

// A child has come.
void sqlite_handle_begin_child(struct sqlite_handle *handle);

// A child is about to go. true: it is the last one of a connection that was closed and put aside;
// the handle is forgotten, its session is the caller's to end.
bool sqlite_handle_end_child(struct sqlite_handle *handle);

// sqlite3_close_v2 has succeeded. false: the connection is gone, and the handle forgotten; true:
// children keep it alive. Then its session is to be put back into the table, and after that:
bool sqlite_handle_closed(struct sqlite_handle *handle, uint64_t epoch);

// ... false: the last child went meanwhile, and the session is the caller's to end.
bool sqlite_handle_put_aside(struct sqlite_handle *handle, uint64_t epoch);

// The SQL of a statement, by its number in sqlite_text.h; 0: none. Kept for the first few.
void sqlite_handle_show(struct sqlite_handle *handle, uint64_t statement, uint32_t text);
void sqlite_handle_hide(struct sqlite_handle *handle, uint64_t statement);
void sqlite_handle_hide_all(struct sqlite_handle *handle);

// The same as numbers, for what is shown; returns how many.
int sqlite_handle_shown(const struct sqlite_handle *handle, uint32_t texts[SQLITE_SHOWN]);

// Blobs and backups do not say which connection they belong to. false: it is known already, or
// there is no memory.
bool sqlite_child_add(uint64_t child, struct sqlite_handle *handle);

// The connection of a child that is about to go; NULL: not known.
struct sqlite_handle *sqlite_child_take(uint64_t child);

// After a detach: what was known is not kept up to date any more.
void sqlite_handles_forget_all(void);

#endif
