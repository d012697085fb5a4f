// What is special to SQLite: see sqlite.h. Source of all semantics:
// https://sqlite.org/c3ref/close.html and c3ref/next_stmt.html, as found in SQLite 3.40.1.
//
// SQLite is asked only about a connection that our table says is open, whose mutex can be had at
// once, and whose first word is still what it was after the open (a pointer to the VFS, in every
// version of SQLite 3): had the program closed it in a way that we could not see, the allocator
// would have written over it.
#include "recorder/hooks/sqlite.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/books/sessions.h"
#include "recorder/core/intern.h"
#include "recorder/core/loader.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/peek.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/functions.h"
#include "recorder/stacks/modules.h"
#include "shared/redact.h"
#include "trace/lock.h"

enum { MOST_VFS = 16, VFS_NEXT = 16 }; // pNext of struct sqlite3_vfs, see c3ref/vfs.html
enum {
    COPIES = 16,
    BACKUPS = 64,
    STATEMENTS_SHOWN = 3,
    SQL_SHOWN = 200,
    SQL_READ = 65536,
    ASKED = 1024
};

struct sqlite_api {
    uint64_t base;      // where this copy of the library is mapped
    uint64_t mapped_ns; // and since when: tells it from another one at the same place
    const char *(*db_filename)(void *db, const char *name);
    void *(*next_stmt)(void *db, void *stmt);
    const char *(*sql)(void *stmt);
    int (*get_autocommit)(void *db);
    void *(*db_mutex)(void *db);
    int (*mutex_try)(void *mutex);
    void (*mutex_leave)(void *mutex);
    void *(*db_handle)(void *stmt);
};
static struct sqlite_api copies[COPIES];
static uint32_t copy_count;
struct lock sqlite_copies_lock = LOCK_OF(LOCK_SQLITE_COPIES);

// Backups under way: sqlite3_close_v2 of their source leaves a zombie.
static struct {
    uint64_t backup, source;
} backups[BACKUPS];
static atomic_uint backup_count; // of them in use
struct lock sqlite_backups_lock = LOCK_OF(LOCK_SQLITE_BACKUPS);

static atomic_uint zombies; // in the table; while 0, sqlite3_finalize is none of our business

static bool is_sqlite(const struct function *function)
{
    return function->special >= FUNCTION_FINALIZE ||
           (function->spec && strcmp(function->spec->kind, "sqlite3") == 0);
}

// Where the functions of a copy are looked for.
struct finder {
    const struct module *module;
    void *handle; // of its scope; or NULL:
    const struct sqlite_symbol *symbols;
    int count;
};

// A function of another copy in the same scope would be worse than none.
static void *find_function(const struct finder *finder, const char *name)
{
    uint64_t found = finder->handle ? (uint64_t)(uintptr_t)loader_symbol(finder->handle, name) : 0;
    for (int i = 0; !finder->handle && i < finder->count; i++)
        if (strcmp(finder->symbols[i].name, name) == 0)
            found = finder->symbols[i].address;
    if (found < finder->module->start || found >= finder->module->end)
        return NULL;
    return (void *)found; // NOLINT(performance-no-int-to-ptr)
}

static void find_functions(struct sqlite_api *api, const struct finder *finder)
{
    const struct {
        void *to;
        const char *name;
    } wanted[] = {
        {&api->db_filename, "sqlite3_db_filename"},
        {&api->next_stmt, "sqlite3_next_stmt"},
        {&api->sql, "sqlite3_sql"},
        {&api->get_autocommit, "sqlite3_get_autocommit"},
        {&api->db_mutex, "sqlite3_db_mutex"},
        {&api->mutex_try, "sqlite3_mutex_try"},
        {&api->mutex_leave, "sqlite3_mutex_leave"},
        {&api->db_handle, "sqlite3_db_handle"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *found = find_function(finder, wanted[i].name);
        memcpy(wanted[i].to, &found, sizeof found);
    }
}

static const struct sqlite_api *copy_find(const struct module *module)
{
    for (uint32_t i = 0; i < copy_count; i++)
        if (copies[i].base == module->start && copies[i].mapped_ns == module->mapped_ns)
            return &copies[i];
    return NULL;
}

// A place for another copy: a new one, or that of a library that is gone.
static struct sqlite_api *copy_place(void)
{
    struct module module;
    if (copy_count < COPIES)
        return &copies[copy_count++];
    for (uint32_t i = 0; i < COPIES; i++)
        if (!module_find(copies[i].base, &module) || module.mapped_ns != copies[i].mapped_ns)
            return &copies[i];
    return NULL;
}

static const struct sqlite_api *copy_add(const struct finder *finder)
{
    struct sqlite_api api = {.base = finder->module->start, .mapped_ns = finder->module->mapped_ns};
    find_functions(&api, finder);
    lock_take(&sqlite_copies_lock);
    const struct sqlite_api *known = copy_find(finder->module);
    struct sqlite_api *place = known ? NULL : copy_place();
    if (place) {
        *place = api;
        known = place;
    }
    lock_give(&sqlite_copies_lock);
    return known;
}

// The copy that a module is: what dlsym finds in it.
static const struct sqlite_api *copy_in(const struct module *module)
{
    lock_take(&sqlite_copies_lock);
    const struct sqlite_api *known = copy_find(module);
    lock_give(&sqlite_copies_lock);
    if (known)
        return known;
    void *handle = loader_open(module->name[0] ? module->name : NULL, RTLD_LAZY | RTLD_NOLOAD);
    if (!handle)
        return NULL;
    known = copy_add(&(struct finder){.module = module, .handle = handle});
    loader_close(handle);
    return known;
}

const struct sqlite_api *sqlite_api_of(const struct function *function, uint64_t real)
{
    struct module module;
    return is_sqlite(function) && module_find(real, &module) ? copy_in(&module) : NULL;
}

const struct sqlite_api *sqlite_api_inside(const struct function *function,
                                           const struct module *module,
                                           const struct sqlite_symbol *symbols, int count)
{
    if (!is_sqlite(function))
        return NULL;
    lock_take(&sqlite_copies_lock);
    const struct sqlite_api *known = copy_find(module);
    lock_give(&sqlite_copies_lock);
    return known ? known : copy_add(&(struct finder){module, NULL, symbols, count});
}

static void *pointer(uint64_t value)
{
    return (void *)value; // NOLINT(performance-no-int-to-ptr)
}

static bool can_ask(const struct sqlite_api *api)
{
    return api->db_mutex && api->mutex_try && api->mutex_leave && api->next_stmt;
}

// What to ask a connection with. The functions that the program calls may belong to a library that
// stands in front of SQLite and has none of the others. Then the connection says whose it is: its
// first word points to its VFS, which is part of SQLite, or is in one list with those that are
// (sqlite3_vfs_register). Only then is the loader asked: not to be called with a lock held.
static const struct sqlite_api *api_for(const struct sqlite_api *api, uint64_t db)
{
    struct module module;
    uint64_t vfs;
    if (can_ask(api) || !peek_word(db, UINT64_MAX, &vfs))
        return api;
    for (int i = 0; i < MOST_VFS && vfs != 0; i++) {
        const struct sqlite_api *found = module_find(vfs, &module) ? copy_in(&module) : NULL;
        if (found && can_ask(found))
            return found;
        if (!peek_word(vfs + VFS_NEXT, UINT64_MAX, &vfs))
            break;
    }
    return api;
}

// A file's name, or a URI, which may hold a key.
static uint32_t database_name(const char *name)
{
    char text[1024];
    return name_intern_bytes(text, redact(name, text, sizeof text));
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
    const struct sqlite_api *api = api_for(hook->sqlite, db);
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

void sqlite_opened(const struct call *call, uint32_t kind, uint64_t handle)
{
    // A failed open leaves a connection that can only be closed: nothing to ask it.
    session_remember(kind, handle, (int32_t)call->result[0] == 0 ? first_word(handle) : 0);
}

// Takes the connection's mutex if it is free. false: another thread is in it.
static bool try_lock(const struct sqlite_api *api, uint64_t db, void **mutex)
{
    if (!can_ask(api))
        return false;
    *mutex = api->db_mutex(pointer(db));
    return !*mutex || api->mutex_try(*mutex) == 0; // no mutex: SQLite was built or set without
}

static void unlock(const struct sqlite_api *api, void *mutex)
{
    if (mutex)
        api->mutex_leave(mutex);
}

// The statements of a connection: how many, and the SQL of the first ones. The mutex is held.
static uint32_t list_statements(const struct sqlite_api *api, uint64_t db, uint32_t *detail)
{
    char text[STATEMENTS_SHOWN * (SQL_SHOWN + 8)];
    size_t used = 0;
    uint32_t count = 0;
    for (void *stmt = api->next_stmt(pointer(db), NULL); stmt;
         stmt = api->next_stmt(pointer(db), stmt)) {
        const char *sql = api->sql ? api->sql(stmt) : NULL;
        if (count++ >= STATEMENTS_SHOWN || !sql)
            continue;
        if (used > 0) {
            memcpy(text + used, "; ", 2);
            used += 2;
        }
        used += redact_sql(sql, strnlen(sql, SQL_READ), recorder_options.sql == OPTIONS_SQL_FULL,
                           text + used, SQL_SHOWN + 1);
    }
    *detail = used > 0 ? name_intern_bytes(text, used) : TRACE_NONE;
    return count;
}

static uint32_t backups_of(uint64_t source)
{
    uint32_t count = 0;
    if (atomic_load_explicit(&backup_count, memory_order_relaxed) == 0)
        return 0;
    lock_take(&sqlite_backups_lock);
    for (int i = 0; i < BACKUPS; i++)
        count += backups[i].backup != 0 && backups[i].source == source;
    lock_give(&sqlite_backups_lock);
    return count;
}

void sqlite_before_close(struct call *call)
{
    const struct sqlite_api *api = api_for(call->hook->sqlite, call->handle);
    void *mutex;
    call->children = 0;
    call->detail = TRACE_NONE;
    if (!try_lock(api, call->handle, &mutex))
        return;
    call->children = list_statements(api, call->handle, &call->detail);
    unlock(api, mutex);
    if (call->detail == TRACE_NONE && backups_of(call->handle) > 0) {
        call->children++;
        call->detail = name_intern("(backup)");
    }
}

bool sqlite_after_close(struct call *call, bool succeeded)
{
    bool legacy = strcmp(call->hook->function->name, "sqlite3_close") == 0;
    bool zombie = succeeded && !legacy && call->children > 0;
    if (succeeded && !zombie)
        return false;
    call->session.record->detail = call->detail;
    session_put_back(&call->session, zombie ? TRACE_SESSION_ZOMBIE : TRACE_SESSION_REFUSED);
    if (zombie)
        atomic_fetch_add(&zombies, 1);
    return true;
}

static uint32_t sqlite_kind(void)
{
    return name_intern("sqlite3");
}

// A statement is finalized: if it is the last child of a zombie, that one is gone after the call.
static unsigned before_finalize(struct call *call)
{
    const struct sqlite_api *api = call->hook->sqlite;
    void *mutex;
    if (atomic_load_explicit(&zombies, memory_order_relaxed) == 0 || !api || !api->db_handle ||
        call->argument[0] == 0)
        return HOOK_TAIL;
    call->handle = (uint64_t)(uintptr_t)api->db_handle(pointer(call->argument[0]));
    if (call->handle == 0 || !session_has_flag(sqlite_kind(), call->handle, TRACE_SESSION_ZOMBIE) ||
        !try_lock(api, call->handle, &mutex))
        return HOOK_TAIL;
    uint32_t detail;
    call->children = list_statements(api, call->handle, &detail);
    unlock(api, mutex);
    if (call->children != 1 || backups_of(call->handle) > 0)
        return HOOK_TAIL;
    call->taken = session_take(sqlite_kind(), call->handle, &call->session);
    return call->taken ? HOOK_THROUGH : HOOK_TAIL;
}

static void note_backup(uint64_t backup, uint64_t source)
{
    lock_take(&sqlite_backups_lock);
    for (int i = 0; i < BACKUPS; i++) {
        if (backups[i].backup == 0) {
            backups[i].backup = backup;
            backups[i].source = source;
            atomic_fetch_add(&backup_count, 1);
            break;
        }
    }
    lock_give(&sqlite_backups_lock);
}

static void forget_backup(uint64_t backup)
{
    lock_take(&sqlite_backups_lock);
    for (int i = 0; i < BACKUPS; i++)
        if (backups[i].backup == backup) {
            backups[i].backup = 0;
            atomic_fetch_sub(&backup_count, 1);
        }
    lock_give(&sqlite_backups_lock);
}

unsigned sqlite_before(struct call *call)
{
    if (call->hook->function->special == FUNCTION_FINALIZE)
        return before_finalize(call);
    if (call->hook->function->special == FUNCTION_BACKUP_INIT)
        return HOOK_THROUGH;
    if (call->argument[0])
        forget_backup(call->argument[0]);
    return HOOK_TAIL;
}

void sqlite_after(struct call *call)
{
    if (call->hook->function->special == FUNCTION_BACKUP_INIT && call->result[0]) {
        note_backup(call->result[0], call->argument[2]); // (to, name, from, name)
    } else if (call->hook->function->special == FUNCTION_FINALIZE && call->taken) {
        call->session.record->flags &= ~(uint32_t)TRACE_SESSION_ZOMBIE;
        session_end(&call->session, TRACE_RELEASED, call->session.taken_ns);
        atomic_fetch_sub(&zombies, 1);
    }
}

static bool is_readable(uint64_t address)
{
    unsigned char there;
    return syscall(SYS_mincore, address & ~UINT64_C(4095), (size_t)4096, &there) == 0;
}

struct question {
    const struct sqlite_api *api;
    uint64_t start, end; // of the library
};

static void ask(struct trace_session *record, uint64_t word, void *data)
{
    const struct question *question = data;
    const struct sqlite_api *api = question->api;
    void *mutex;
    // The word points to the VFS, which is part of the library: this also tells whose handle it is.
    if (record->flags & TRACE_SESSION_INHERITED || word < question->start ||
        word >= question->end || !is_readable(record->handle) ||
        first_word(record->handle) != word || !try_lock(api, record->handle, &mutex))
        return;
    uint32_t detail;
    (void)list_statements(api, record->handle, &detail);
    if (detail != TRACE_NONE)
        record->detail = detail;
    if (api->get_autocommit && !api->get_autocommit(pointer(record->handle)))
        record->flags |= TRACE_SESSION_TRANSACTION;
    record->flags |= TRACE_SESSION_ASKED;
    unlock(api, mutex);
}

void sqlite_ask_all(void)
{
    struct module module;
    if (copy_count == 0 || !sessions_any() || !recorder_open_trace())
        return;
    (void)modules_refresh();
    for (uint32_t i = 0; i < copy_count; i++) {
        if (!module_find(copies[i].base, &module) || module.mapped_ns != copies[i].mapped_ns)
            continue; // unmapped
        struct question question = {&copies[i], module.start, module.end};
        sessions_visit(sqlite_kind(), ASKED, ask, &question);
    }
}
