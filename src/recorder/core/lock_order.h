// The order of all locks, those of the recorder and those of others that it takes by what it calls:
// a thread takes none that comes before one it holds. A debug build checks that at each take (see
// trace/lock.h), which ends the process.
//
// The loader and the interpreter come first, because they run code of the program with their locks
// held, and that may make a traced call: so the loader is asked with no lock of ours held
// (core/loader.h is the only file that does). malloc comes last: the program's may do anything but
// make a traced call.
#ifndef UNCLOSED_RECORDER_CORE_LOCK_ORDER_H
#define UNCLOSED_RECORDER_CORE_LOCK_ORDER_H

#include "trace/lock.h"

enum lock_order {
    LOCK_GIL = LOCK_RANK(1) | LOCK_AGAIN,         // of an interpreter: PyGILState_Ensure
    LOCK_LOADER = LOCK_RANK(2) | LOCK_AGAIN,      // dlopen, dlsym, dladdr, dlclose; constructors
    LOCK_GATE = LOCK_RANK(3) | LOCK_MANY,         // unwinding; for itself while the process forks
    LOCK_MODULE_LIST = LOCK_RANK(4) | LOCK_AGAIN, // the loader's second: dl_iterate_phdr
    LOCK_OPENING = LOCK_RANK(5),                  // the trace is being opened
    LOCK_SQLITE_COPIES = LOCK_RANK(6),
    LOCK_HOOKS = LOCK_RANK(7), // stubs, slots, patches
    LOCK_MODULES = LOCK_RANK(8),
    LOCK_SITES = LOCK_RANK(9),
    LOCK_POOLS = LOCK_RANK(10),             // the table
    LOCK_POOL = LOCK_RANK(11) | LOCK_MANY,  // the counters of one
    LOCK_SHARD = LOCK_RANK(12) | LOCK_MANY, // of the table of sessions
    LOCK_SQLITE_HANDLES = LOCK_RANK(13),
    LOCK_SQLITE_HANDLE_MAP = LOCK_RANK(14), // growing
    LOCK_SQLITE_CHILD_MAP = LOCK_RANK(15),
    LOCK_SQLITE_TEXTS = LOCK_RANK(16),
    LOCK_RUNTIMES = LOCK_RANK(17),
    LOCK_MISUSE = LOCK_RANK(18),
    LOCK_OVERDUE = LOCK_RANK(19),
    LOCK_PRESENCE = LOCK_RANK(20),
    LOCK_FAULT = LOCK_RANK(21), // taking SIGBUS, and giving it back
    LOCK_INTERN = LOCK_RANK(22),
    LOCK_ARENA = LOCK_RANK(23),
    LOCK_MALLOC = LOCK_RANK(24) | LOCK_AGAIN,
    LOCK_TRACE = LOCK_LAST,                          // growing and appending: trace/trace_writer.c
    LOCK_ABANDONING = LOCK_RANK(LOCK_POSITIONS - 1), // by the handler of SIGBUS, under any other
};

#endif
