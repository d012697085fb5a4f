// See sqlite_api.h.
#include "recorder/hooks/sqlite_api.h"

#include <string.h>

#include "recorder/core/loader.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/peek.h"
#include "recorder/hooks/functions.h"
#include "recorder/stacks/modules.h"

enum {
    COPIES = 16,
    MOST_VFS = 16,
    VFS_NEXT = 16
}; // pNext of struct sqlite3_vfs, see c3ref/vfs.html

static struct sqlite_api copies[COPIES];
static uint32_t copy_count;
struct lock sqlite_copies_lock = LOCK_OF(LOCK_SQLITE_COPIES);

static bool is_sqlite(const struct function *function)
{
    return function->sqlite != SQLITE_NO_CHILD ||
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
    struct sqlite_api api = {
        .base = finder->module->start,
        .end = finder->module->end,
        .mapped_ns = finder->module->mapped_ns,
        .sees_itself = !finder->handle,
    };
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

bool sqlite_api_can_ask(const struct sqlite_api *api)
{
    return api->next_stmt != NULL;
}

// The first word of a connection points to its VFS, which is part of SQLite, or is in one list with
// those that are (sqlite3_vfs_register). The first copy that `is` says yes of, or NULL.
static const struct sqlite_api *
copy_of(uint64_t db, bool (*is)(const struct sqlite_api *found, const struct sqlite_api *wanted),
        const struct sqlite_api *wanted)
{
    struct module module;
    uint64_t vfs;
    if (!peek_word(db, UINT64_MAX, &vfs))
        return NULL;
    for (int i = 0; i < MOST_VFS && vfs != 0; i++) {
        const struct sqlite_api *found = module_find(vfs, &module) ? copy_in(&module) : NULL;
        if (found && is(found, wanted))
            return found;
        if (!peek_word(vfs + VFS_NEXT, UINT64_MAX, &vfs))
            break;
    }
    return NULL;
}

static bool is_useful(const struct sqlite_api *found, const struct sqlite_api *wanted)
{
    (void)wanted;
    return sqlite_api_can_ask(found);
}

static bool is_same(const struct sqlite_api *found, const struct sqlite_api *wanted)
{
    return found == wanted;
}

// Only if it must be is the loader asked: not to be called with a lock held.
const struct sqlite_api *sqlite_api_for(const struct sqlite_api *api, uint64_t db)
{
    const struct sqlite_api *found = sqlite_api_can_ask(api) ? api : copy_of(db, is_useful, NULL);
    return found ? found : api;
}

bool sqlite_api_owns(const struct sqlite_api *api, uint64_t db)
{
    return copy_of(db, is_same, api) != NULL;
}

bool sqlite_api_is_own(const struct function *function, const struct module *caller, uint64_t real)
{
    if (function->sqlite == SQLITE_NO_CHILD || real < caller->start || real >= caller->end)
        return false;
    if (function->sqlite != SQLITE_FINALIZE)
        return function->sqlite != SQLITE_EXEC;
    const struct sqlite_api *api = copy_in(caller);
    if (api) {
        lock_take(&sqlite_copies_lock);
        copies[api - copies].sees_itself = true;
        lock_give(&sqlite_copies_lock);
    }
    return false;
}
