// Connections are opened and closed, and told about at the end: see sqlite.h. Source of all
// semantics: https://sqlite.org/c3ref/close.html and c3ref/next_stmt.html, as found in
// SQLite 3.40.1.
#include "recorder/hooks/sqlite.h"

#include <string.h>

#include "recorder/books/sessions.h"
#include "recorder/core/intern.h"
#include "recorder/core/recorder.h"
#include "recorder/core/redacted.h"
#include "recorder/hooks/functions.h"
#include "recorder/hooks/sqlite_api.h"
#include "recorder/hooks/sqlite_handle.h"
#include "recorder/hooks/sqlite_text.h"
#include "recorder/hooks/stubs.h"

enum { MOST_TOLD = 1024 };

static void *pointer(uint64_t value)
{
    return (void *)value; // NOLINT(performance-no-int-to-ptr)
}

// A file's name, or a URI, which may hold a key.
static uint32_t database_name(const char *name)
{
    return redacted_name(name);
}

// The name that sqlite3_open16 was given, as UTF-8, as far as it is ASCII.
static uint32_t name_of_utf16(const uint16_t *text)
{
    char name[512];
    size_t count = 0;
    for (; text && text[count] && count < sizeof name - 1; count++)
        name[count] = text[count] < 128 ? (char)text[count] : '?';
    name[count] = 0;
    return database_name(name);
}

uint32_t sqlite_file(const struct hook *hook, uint64_t db)
{
    const struct sqlite_api *api = sqlite_api_for(hook->sqlite, db);
    const char *file = api->db_filename ? api->db_filename(pointer(db), "main") : NULL;
    return file && file[0] ? database_name(file) : TRACE_NONE;
}

uint32_t sqlite_database(const struct call *call)
{
    uint64_t db = 0;
    if (call->argument[1])
        memcpy(&db, pointer(call->argument[1]), sizeof db);
    bool opened = (int32_t)call->result[0] == 0 && db != 0;
    uint32_t file = opened ? sqlite_file(call->hook, db) : TRACE_NONE;
    if (file != TRACE_NONE)
        return file;
    if (call->argument[0] && strcmp(call->hook->function->name, "sqlite3_open16") == 0)
        return name_of_utf16(pointer(call->argument[0]));
    const char *asked = pointer(call->argument[0]);
    return database_name(asked && asked[0] ? asked : "(temporary)");
}

static uint64_t first_word(uint64_t db)
{
    uint64_t word;
    memcpy(&word, pointer(db), sizeof word);
    return word;
}

static struct sqlite_handle *add(const struct call *call, uint64_t db, enum sqlite_children known)
{
    const struct sqlite_api *api = sqlite_api_for(call->hook->sqlite, db);
    if (sqlite_api_has(api, call->return_address))
        known = SQLITE_CHILDREN_INSIDE;
    struct sqlite_handle *handle = sqlite_handle_open(db, api, known);
    if (handle)
        atomic_store_explicit(&handle->generation, recorder_generation, memory_order_relaxed);
    return handle;
}

bool sqlite_is_open(const struct hook *hook, uint64_t db)
{
    const struct sqlite_api *api = sqlite_api_for(hook->sqlite, db);
    return sqlite_api_can_ask(api) && sqlite_api_owns(api, db);
}

void sqlite_opened(const struct call *call, uint32_t kind, uint64_t handle)
{
    // A failed open leaves a connection that can only be closed.
    const bool success = (int32_t)call->result[0] == 0;
    session_remember(kind, handle, success ? first_word(handle) : 0);
    struct sqlite_handle *known = add(call, handle, SQLITE_CHILDREN_KNOWN);
    if (known && atomic_load(&known->children) == SQLITE_CHILDREN_KNOWN)
        atomic_store_explicit(&known->transaction, SQLITE_TRANSACTION_NONE, memory_order_relaxed);
}

void sqlite_used(const struct call *call, uint64_t db)
{
    struct sqlite_handle *handle = sqlite_handle_find(db);
    if (handle)
        atomic_store_explicit(&handle->generation, recorder_generation, memory_order_relaxed);
    else
        (void)add(call, db, SQLITE_CHILDREN_OLDER);
}

// Asks for the statements of a connection that is about to be closed, on the thread that closes it.
static void ask(struct sqlite_handle *handle, uint64_t db)
{
    const struct sqlite_api *api = handle->api;
    if (!api || !api->next_stmt)
        return;
    const uint32_t before = sqlite_handle_children(handle);
    uint32_t count = 0;
    sqlite_handle_hide_all(handle);
    for (void *stmt = api->next_stmt(pointer(db), NULL); stmt;
         stmt = api->next_stmt(pointer(db), stmt))
        if (count++ < SQLITE_SHOWN && api->sql)
            sqlite_handle_show(handle, (uint64_t)(uintptr_t)stmt,
                               sqlite_text_note(api->sql(stmt), -1));
    count += atomic_load(&handle->backups);
    (void)sqlite_handle_set_children(handle, before, count);
}

void sqlite_before_close(struct call *call)
{
    struct sqlite_handle *handle = sqlite_handle_find(call->handle);
    if (!handle)
        handle = add(call, call->handle, SQLITE_CHILDREN_OLDER);
    call->known = handle;
    if (!handle)
        return;
    call->epoch = sqlite_handle_epoch(handle);
    if (atomic_load(&handle->children) != SQLITE_CHILDREN_KNOWN)
        ask(handle, call->handle);
}

// The SQL of the statements that are alive, or what else there is.
static uint32_t detail_of(const struct sqlite_handle *handle)
{
    uint32_t texts[SQLITE_SHOWN];
    const uint32_t name = sqlite_texts_name(texts, sqlite_handle_shown(handle, texts));
    return name == TRACE_NONE && atomic_load(&handle->backups) > 0 ? name_intern("(backup)") : name;
}

// Nobody can tell whether children keep it alive.
static bool is_unknown(const struct sqlite_handle *handle)
{
    switch ((enum sqlite_children)atomic_load(&handle->children)) {
    case SQLITE_CHILDREN_KNOWN:
        return false;
    case SQLITE_CHILDREN_ASKED: // with those of full-text and R-tree tables, which end within
        return !(handle->api && handle->api->sees_itself) && sqlite_handle_children(handle) > 0;
    default:
        return true;
    }
}

static void put_aside(struct call *call)
{
    const uint32_t use = call->session.record->generation;
    session_put_back(&call->session, TRACE_SESSION_ZOMBIE);
    if (sqlite_handle_put_aside(call->known, call->epoch))
        return;
    if (session_take_back(&call->session, use)) {
        call->session.record->flags &= ~(uint32_t)TRACE_SESSION_ZOMBIE;
        session_end(&call->session, TRACE_RELEASED, call->session.taken_ns);
    }
}

bool sqlite_after_close(struct call *call, bool succeeded, bool by_code)
{
    struct sqlite_handle *handle = call->known;
    const bool legacy = strcmp(call->hook->function->name, "sqlite3_close") == 0;
    if (!succeeded) {
        call->session.record->detail = handle ? detail_of(handle) : TRACE_NONE;
        session_put_back(&call->session, TRACE_SESSION_REFUSED);
        return true;
    }
    if (legacy || !by_code) {
        if (handle && legacy)
            sqlite_handle_forget(handle, call->epoch);
        else if (handle)
            (void)sqlite_handle_closed(handle, call->epoch);
        return false;
    }
    if (!handle || is_unknown(handle)) {
        if (handle)
            sqlite_handle_forget(handle, call->epoch);
        session_end(&call->session, TRACE_LOST_RELEASE, call->session.taken_ns);
        return true;
    }
    const uint32_t detail = sqlite_handle_children(handle) > 0 ? detail_of(handle) : TRACE_NONE;
    if (!sqlite_handle_closed(handle, call->epoch))
        return false;
    call->session.record->detail = detail;
    put_aside(call);
    return true;
}

static void tell(struct trace_session *record, uint64_t word, void *data)
{
    const struct sqlite_handle *handle = sqlite_handle_find(record->handle);
    (void)word;
    (void)data;
    if (!handle || record->flags & TRACE_SESSION_INHERITED)
        return;
    if (atomic_load(&handle->children) == SQLITE_CHILDREN_KNOWN)
        record->detail = detail_of(handle);
    const uint8_t transaction = atomic_load(&handle->transaction);
    if (transaction == SQLITE_TRANSACTION_UNKNOWN)
        return;
    (void)__atomic_or_fetch(&record->flags, TRACE_SESSION_ASKED, __ATOMIC_RELAXED);
    if (transaction == SQLITE_TRANSACTION_OPEN)
        (void)__atomic_or_fetch(&record->flags, TRACE_SESSION_TRANSACTION, __ATOMIC_RELAXED);
    else
        (void)__atomic_and_fetch(&record->flags, ~(uint32_t)TRACE_SESSION_TRANSACTION,
                                 __ATOMIC_RELAXED);
}

void sqlite_tell_all(void)
{
    if (!sessions_any() || !recorder_open_trace())
        return;
    sessions_visit(name_intern("sqlite3"), MOST_TOLD, tell, NULL);
}

void sqlite_forget(void)
{
    sqlite_handles_forget_all();
}
