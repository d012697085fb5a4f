// The traced functions of this process, by name: those of the call specs, and the few that the
// recorder has to see for its own sake (dlopen, _exit ...).
//
// Filled once, before anything is hooked; read without locks from then on.
#ifndef UNCLOSED_RECORDER_HOOKS_FUNCTIONS_H
#define UNCLOSED_RECORDER_HOOKS_FUNCTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/spec.h"

// What the recorder does on a call besides what specs say; 0: only that.
enum function_special {
    FUNCTION_TRACED = 0,
    FUNCTION_DLOPEN,
    FUNCTION_DLMOPEN,
    FUNCTION_DLSYM,
    FUNCTION_DLVSYM,
    FUNCTION_DLCLOSE,
    FUNCTION_SIGACTION,   // who has SIGBUS
    FUNCTION_SIGNAL,      // signal and its like, which return the handler of before
    FUNCTION_CANCEL_TYPE, // pthread_setcanceltype
    FUNCTION_EXEC,        // argument 0: the program
    FUNCTION_SPAWN,       // argument 1: the program
    FUNCTION_PRCTL,       // who adds a seccomp filter
    FUNCTION_SECCOMP,
    FUNCTION_SYSCALL,
    FUNCTION_JUMP,  // siglongjmp and its like: never hooked, only looked for
    FUNCTION_EXIT,  // _exit and _Exit: no handler of ours runs
    FUNCTION_CHILD, // only of SQLite's children: see enum function_sqlite
};

// What a function does to the children of a SQLite connection: see sqlite_children.c.
enum function_sqlite {
    SQLITE_NO_CHILD = 0,
    SQLITE_PREPARE,
    SQLITE_PREPARE_FLAGS, // with one more argument: sqlite3_prepare_v3
    SQLITE_PREPARE16,     // the same in UTF-16
    SQLITE_PREPARE16_FLAGS,
    SQLITE_STEP,
    SQLITE_FINALIZE,
    SQLITE_BLOB_OPEN,
    SQLITE_BLOB_CLOSE,
    SQLITE_BACKUP_INIT,
    SQLITE_BACKUP_FINISH,
    SQLITE_EXEC,
};

struct function {
    const char *name;
    enum function_special special;
    enum function_sqlite sqlite;
    const struct spec *spec; // first spec of this name; NULL for special ones
    uint32_t ref;            // in the trace: 1 + the number of the first spec
    bool plain;              // the one spec holds for every call
    struct function *next;   // of all there ever were
};

// Loads the shipped specs and those of the options. What is wrong with the user's is said on the
// log; the shipped ones hold all the same. Again for each attach: a function is the same struct for
// ever, because stubs lead to it; specs that are asked for again are not loaded again.
void functions_load(void);

// The function of this name or NULL.
const struct function *function_find(const char *name);

// The spec of `function` that holds for a call with these arguments, or NULL.
const struct spec *function_spec(const struct function *function, const uint64_t argument[6]);

// The function's record in the trace: counters of calls and of places hooked.
struct trace_function *function_record(const struct function *function);

// String reference of a spec's kind, in this process's trace.
uint32_t function_kind(const struct spec *spec);

// Writes all functions into a trace that has just been opened, in the same order in every process
// of the same options: references are then equal in a parent's trace and its child's.
void functions_write_all(void);

#endif
