// The copies of SQLite in this process: what there is of each to call.
#ifndef UNCLOSED_RECORDER_HOOKS_SQLITE_API_H
#define UNCLOSED_RECORDER_HOOKS_SQLITE_API_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/lock.h"

struct function;
struct module;

// A copy. Each function may be NULL. They are called on the program's own threads only, inside a
// call of the program's to SQLite: at its end, in a signal handler or from a thread of ours the
// program may have changed what they need (sqlite3_config), or be in the middle of something.
struct sqlite_api {
    uint64_t base, end; // where this copy of the library is mapped
    uint64_t mapped_ns; // and since when: tells it from another one at the same place
    bool sees_itself;   // its own calls of sqlite3_finalize are seen, too
    const char *(*db_filename)(void *db, const char *name);
    void *(*next_stmt)(void *db, void *stmt);
    const char *(*sql)(void *stmt);
    int (*get_autocommit)(void *db);
    void *(*db_handle)(void *stmt);
};

extern struct lock sqlite_copies_lock; // taken around fork by process.c

// The copy that has `function` at `real`; NULL if that is not SQLite's, or there are too many
// copies. Asks the loader: not to be called with a lock held.
const struct sqlite_api *sqlite_api_of(const struct function *function, uint64_t real);

// The same for a copy that hides its functions: `symbols` tell where they are. It lies in `module`,
// and all calls of what is patched there are seen.
enum { SQLITE_SYMBOLS = 8 };
struct sqlite_symbol {
    char name[32];
    uint64_t address;
};
const struct sqlite_api *sqlite_api_inside(const struct function *function,
                                           const struct module *module,
                                           const struct sqlite_symbol *symbols, int count);

// The copy that a connection belongs to, where its functions were found through a library that
// stands in front of it; else `api`. Asks the loader.
const struct sqlite_api *sqlite_api_for(const struct sqlite_api *api, uint64_t db);

// Whether a connection is one of this copy's. Memory that was given back is none: its first word
// was written over.
bool sqlite_api_owns(const struct sqlite_api *api, uint64_t db);

// Whether calls of `function` from `caller`, a module that has the function itself, are SQLite's
// calls of itself, which are none of the program's; notes that this copy's own calls are seen if
// they are to be.
bool sqlite_api_is_own(const struct function *function, const struct module *caller, uint64_t real);

// Whether an address is in this copy.
static inline bool sqlite_api_has(const struct sqlite_api *api, uint64_t address)
{
    return address >= api->base && address < api->end;
}

// Whether it has what it takes to ask a connection for its statements.
bool sqlite_api_can_ask(const struct sqlite_api *api);

#endif
