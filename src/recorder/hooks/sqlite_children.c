// Statements, blobs and backups come and go, and transactions begin and end: see sqlite.h.
//
// What the program does is counted, not what SQLite does for itself: it prepares statements within
// sqlite3_exec, ends them in other ways, and full-text and R-tree tables end theirs within a close.
// Those are told by the address that a call returns to, or were not hooked to begin with (got.c).
// Only a connection that was asked for its statements counts what SQLite ends, too: it was among
// them. A finalize always ends its statement, so it is counted before: who comes last of several
// threads has the connection still open, and takes its session out of the table.
#include "recorder/hooks/sqlite.h"

#include <string.h>

#include "recorder/books/sessions.h"
#include "recorder/books/ways.h"
#include "recorder/core/intern.h"
#include "recorder/core/peek.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/dl_hooks.h"
#include "recorder/hooks/functions.h"
#include "recorder/hooks/sqlite_api.h"
#include "recorder/hooks/sqlite_handle.h"
#include "recorder/hooks/sqlite_text.h"
#include "recorder/hooks/stubs.h"

enum { ROW = 100 }; // SQLITE_ROW

// A library may stand in front of SQLite and call it in turn: then one call is seen twice, the
// second time within the first. The last statement that was counted as prepared, and the one that
// is being ended, by this thread.
static __thread uint64_t prepared, ending;

// This thread is in sqlite3_blob_close, which leaves by a jump to sqlite3_finalize: that one
// returns to the program.
static __thread bool in_blob_close;

static void *pointer(uint64_t value)
{
    return (void *)value; // NOLINT(performance-no-int-to-ptr)
}

static bool is_in_front(const struct hook *hook)
{
    return !hook->sqlite || !hook->sqlite->db_handle;
}

// The connection of a statement: what sqlite3_db_handle says, and that is the first word of each.
static uint64_t db_of(const struct hook *hook, uint64_t statement)
{
    uint64_t db = 0;
    if (!is_in_front(hook))
        return (uint64_t)(uintptr_t)hook->sqlite->db_handle(pointer(statement));
    return peek_word(statement, UINT64_MAX, &db) ? db : 0;
}

static enum sqlite_children children_of(const struct sqlite_handle *handle)
{
    return atomic_load_explicit(&handle->children, memory_order_relaxed);
}

// Whether SQLite itself has made this call, and it is not to be counted.
static bool is_own(const struct call *call, const struct sqlite_handle *handle)
{
    enum sqlite_children children = children_of(handle);
    if (children == SQLITE_CHILDREN_INSIDE)
        return true;
    return children != SQLITE_CHILDREN_ASKED && handle->api &&
           sqlite_api_has(handle->api, call->return_address);
}

// After a call that may have begun or ended a transaction.
static void see_transaction(struct sqlite_handle *handle, uint64_t db)
{
    if (!handle->api || !handle->api->get_autocommit ||
        children_of(handle) == SQLITE_CHILDREN_INSIDE)
        return;
    const uint8_t now = handle->api->get_autocommit(pointer(db)) ? SQLITE_TRANSACTION_NONE
                                                                 : SQLITE_TRANSACTION_OPEN;
    if (atomic_load_explicit(&handle->transaction, memory_order_relaxed) != now)
        atomic_store_explicit(&handle->transaction, now, memory_order_relaxed);
}

// Whether something has to be noted before a call that may not be the last of its kind: the first
// use of a connection that is inherited, the call of a function that the user asks for, a session
// that is overdue.
static bool is_plain(const struct call *call, const struct sqlite_handle *handle)
{
    const struct spec *spec = call->hook->function->spec;
    return !(spec && spec->asked) && recorder_options.threshold_ns == 0 && !recorder_is_forked() &&
           !dl_hooks_is_late() && !way_is_fresh(atomic_load(&handle->db)) &&
           atomic_load_explicit(&handle->generation, memory_order_relaxed) ==
               atomic_load_explicit(&recorder_generation, memory_order_relaxed);
}

// What may begin a child of a connection that is known, or change its transaction.
static unsigned begin_mode(struct call *call)
{
    const enum function_sqlite sqlite = call->hook->function->sqlite;
    if (!call->known || (sqlite != SQLITE_BACKUP_INIT && is_own(call, call->known)))
        return HOOK_TAIL;
    if (is_in_front(call->hook))
        prepared = 0;
    return sqlite == SQLITE_BLOB_OPEN ? HOOK_THROUGH : HOOK_BARE;
}

static uint64_t db_argument(const struct call *call)
{
    enum { SOURCE = 2 }; // of a backup
    return call->argument[call->hook->function->sqlite == SQLITE_BACKUP_INIT ? SOURCE : 0];
}

static unsigned before_begin(struct call *call)
{
    call->known = sqlite_handle_find(db_argument(call));
    if (!call->known || !is_plain(call, call->known))
        return SQLITE_ENTER;
    return begin_mode(call);
}

// The last child of a connection that was closed: its session ends with this call.
static unsigned end_child(struct call *call, struct sqlite_handle *handle)
{
    const uint64_t db = atomic_load_explicit(&handle->db, memory_order_relaxed);
    if (!sqlite_handle_end_child(handle))
        return HOOK_TAIL;
    call->handle = db;
    return SQLITE_ENTER;
}

static unsigned before_finalize(struct call *call)
{
    const uint64_t statement = call->argument[0];
    if (statement == 0 || statement == ending)
        return HOOK_TAIL;
    struct sqlite_handle *handle = sqlite_handle_find(db_of(call->hook, statement));
    if (!handle || is_own(call, handle) ||
        (in_blob_close && children_of(handle) != SQLITE_CHILDREN_ASKED))
        return HOOK_TAIL;
    sqlite_handle_hide(handle, statement);
    unsigned mode = end_child(call, handle);
    if (is_in_front(call->hook)) {
        ending = statement;
        mode = mode == HOOK_TAIL ? HOOK_BARE : mode;
    }
    return mode;
}

static unsigned before_child_ends(struct call *call)
{
    struct sqlite_handle *handle = call->argument[0] ? sqlite_child_take(call->argument[0]) : NULL;
    const bool backup = call->hook->function->sqlite == SQLITE_BACKUP_FINISH;
    if (!handle)
        return HOOK_TAIL;
    if (backup)
        (void)atomic_fetch_sub(&handle->backups, 1);
    const enum sqlite_children children = children_of(handle);
    // The statement of a blob is ended within: there it is counted, if that is seen.
    if (children == SQLITE_CHILDREN_INSIDE ||
        (!backup && children == SQLITE_CHILDREN_ASKED && handle->api && handle->api->sees_itself))
        return HOOK_TAIL;
    const unsigned mode = end_child(call, handle);
    in_blob_close = !backup;
    return !backup && mode == HOOK_TAIL ? HOOK_BARE : mode;
}

unsigned sqlite_before_quick(struct call *call)
{
    if (!atomic_load_explicit(&recorder_active, memory_order_relaxed))
        return HOOK_TAIL;
    call->recording = atomic_load_explicit(&recorder_recording, memory_order_relaxed);
    call->known = NULL;
    call->taken = false;
    switch (call->hook->function->sqlite) {
    case SQLITE_FINALIZE:
        return before_finalize(call);
    case SQLITE_BLOB_CLOSE:
    case SQLITE_BACKUP_FINISH:
        return before_child_ends(call);
    case SQLITE_STEP:
        return HOOK_BARE;
    default:
        return before_begin(call);
    }
}

unsigned sqlite_before(struct call *call)
{
    switch (call->hook->function->sqlite) {
    case SQLITE_FINALIZE:
    case SQLITE_BLOB_CLOSE:
    case SQLITE_BACKUP_FINISH:
        if (!sessions_any() || !recorder_open_trace())
            return HOOK_TAIL;
        call->taken = session_take(name_intern("sqlite3"), call->handle, &call->session);
        return HOOK_BARE;
    default:
        call->known = sqlite_handle_find(db_argument(call));
        return begin_mode(call);
    }
}

static uint64_t word_at(uint64_t address)
{
    uint64_t word = 0;
    if (address != 0)
        memcpy(&word, pointer(address), sizeof word);
    return word;
}

static void after_prepare(const struct call *call)
{
    enum { SQL = 1, BYTES = 2, STATEMENT = 3, STATEMENT_AFTER_FLAGS = 4 };
    const enum function_sqlite sqlite = call->hook->function->sqlite;
    const bool flags = sqlite == SQLITE_PREPARE_FLAGS || sqlite == SQLITE_PREPARE16_FLAGS;
    const uint64_t statement = word_at(call->argument[flags ? STATEMENT_AFTER_FLAGS : STATEMENT]);
    if ((int32_t)call->result[0] != 0 || statement == 0 ||
        (is_in_front(call->hook) && statement == prepared))
        return;
    sqlite_handle_begin_child(call->known);
    if (sqlite == SQLITE_PREPARE || sqlite == SQLITE_PREPARE_FLAGS)
        sqlite_handle_show(
            call->known, statement,
            sqlite_text_note(pointer(call->argument[SQL]), (int32_t)call->argument[BYTES]));
    prepared = statement;
    in_blob_close = false; // should it have been left by a jump
    if (ending == statement)
        ending = 0;
}

static void after_blob_open(const struct call *call)
{
    enum { BLOB = 6 };
#if ARCH_ARGUMENTS > 6
    const uint64_t blob = word_at(call->argument[BLOB]);
#else // the first one on the stack
    const uint64_t blob = word_at(call->frame[CALL_RETURN_SLOT + 1 + BLOB - ARCH_ARGUMENTS]);
#endif
    if ((int32_t)call->result[0] == 0 && blob != 0 && sqlite_child_add(blob, call->known))
        sqlite_handle_begin_child(call->known);
}

static void after_backup_init(const struct call *call)
{
    if (call->result[0] == 0 || !sqlite_child_add(call->result[0], call->known))
        return;
    (void)atomic_fetch_add(&call->known->backups, 1);
    if (children_of(call->known) != SQLITE_CHILDREN_INSIDE)
        sqlite_handle_begin_child(call->known);
}

static void after_step(const struct call *call)
{
    if ((int32_t)call->result[0] != ROW)
        sqlite_stepped(call->hook, call->argument[0]);
}

void sqlite_stepped(const struct hook *hook, uint64_t statement)
{
    if (statement == 0 || !atomic_load_explicit(&recorder_active, memory_order_relaxed))
        return;
    const uint64_t db = db_of(hook, statement);
    struct sqlite_handle *handle = sqlite_handle_find(db);
    if (handle)
        see_transaction(handle, db);
}

bool sqlite_after_quick(struct call *call)
{
    if (call->taken)
        return false;
    switch (call->hook->function->sqlite) {
    case SQLITE_FINALIZE:
        ending = 0;
        break;
    case SQLITE_STEP:
        after_step(call);
        break;
    case SQLITE_EXEC:
        see_transaction(call->known, call->argument[0]);
        break;
    case SQLITE_BLOB_OPEN:
    case SQLITE_BACKUP_INIT:
        return false;
    case SQLITE_BLOB_CLOSE:
        in_blob_close = false;
        break;
    case SQLITE_BACKUP_FINISH:
        break;
    default:
        after_prepare(call);
        break;
    }
    return true;
}

static void after_last_child(struct call *call)
{
    ending = 0;
    in_blob_close = false;
    call->session.record->flags &= ~(uint32_t)TRACE_SESSION_ZOMBIE;
    session_end(&call->session, TRACE_RELEASED, call->session.taken_ns);
}

void sqlite_after(struct call *call)
{
    if (call->taken)
        after_last_child(call);
    else if (call->hook->function->sqlite == SQLITE_BLOB_OPEN)
        after_blob_open(call);
    else
        after_backup_init(call);
}
