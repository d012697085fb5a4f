// What was checked out before the attach: see inherit.h.
//
// SQLAlchemy keeps a dictionary of all connections that are checked out, by a weak reference to
// each one's _ConnectionFairy: sqlalchemy.pool.base._strong_ref_connection_records, of all pools,
// in 1.4, 2.0 and 2.1. So nothing has to be searched for. How long a connection has been out is not
// known to anybody; when it was opened is, and it cannot have been out for longer.
#include "recorder/runtimes/python/inherit.h"

#include <stdio.h>
#include <time.h>

#include "recorder/books/session.h"
#include "recorder/core/arena.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/holders.h"
#include "recorder/runtimes/python/shared.h"
#include "recorder/runtimes/python/sqlalchemy_pool.h"
#include "recorder/runtimes/python/sqlite.h"

enum { MOST = 10000 }; // checkouts

// Guarded by the GIL.
static PyObject *records; // SQLAlchemy's dictionary, while attached
static ssize_t known;     // checkouts in our table
static ssize_t surplus;   // entries of the dictionary that are none of a checkout

// A connection that is checked out.
struct checkout {
    PyObject *reference;      // weak, to the fairy; borrowed from the list
    PyObject *fairy, *record; // borrowed: alive as long as nothing else runs
    struct python_pool *pool;
    uint32_t older_s;
    bool transaction, asked;
};

struct inventory {
    struct checkout *all;
    size_t count;
    uint32_t kind;     // string reference
    uint64_t since_ns; // see struct inherited
};

// The record of a checkout whose fairy is alive and has not been returned; NULL. Borrowed.
static PyObject *record_out(PyObject *reference, PyObject *fairy)
{
    PyObject *record = py.PyDict_GetItem(records, reference);
    PyObject *own = record ? python_attribute(fairy, "_connection_record") : NULL;
    bool out = own && own == record; // None, once it was returned
    python_drop(own);
    return out ? record : NULL;
}

// Seconds since the connection was opened, at least 1; 0: not known.
static uint32_t seconds_open(PyObject *record)
{
    PyObject *start = python_attribute(record, "starttime");
    double at = start ? py.PyFloat_AsDouble(start) : -1;
    py.PyErr_Clear();
    python_drop(start);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double seconds = (double)now.tv_sec - at;
    return at > 0 && seconds >= 0 && seconds < 4e9 ? (uint32_t)seconds + 1 : 0;
}

// Whether a transaction is open, as Python's own sqlite3 says of its connections.
static void ask_transaction(struct checkout *checkout)
{
    PyObject *connection = python_attribute(checkout->record, "dbapi_connection");
    PyObject *open = connection && python_sqlite_is_connection(connection)
                         ? python_attribute(connection, "in_transaction")
                         : NULL;
    checkout->asked = open != NULL;
    checkout->transaction = open && py.PyObject_IsTrue(open) == 1;
    py.PyErr_Clear();
    python_drop(open);
    python_drop(connection);
}

// Makes the pool known. Runs Python code at first sight of each: afterwards nothing is certain to
// be out any more.
static void learn_pool(PyObject *record)
{
    PyObject *pool = python_attribute(record, "_ConnectionRecord__pool");
    if (pool)
        (void)python_sqlalchemy_pool(pool);
    python_drop(pool);
}

static struct python_pool *known_pool(PyObject *record)
{
    PyObject *object = python_attribute(record, "_ConnectionRecord__pool");
    struct python_pool *pool = object ? python_sqlalchemy_pool(object) : NULL;
    python_drop(object);
    return pool;
}

// The fairy of a weak reference; NULL if it is dead. Borrowed.
static PyObject *alive(PyObject *reference)
{
    PyObject *object = py.PyWeakref_GetObject(reference);
    py.PyErr_Clear();
    return object == py._Py_NoneStruct ? NULL : object;
}

static void learn_pools(PyObject *references, ssize_t count)
{
    for (ssize_t i = 0; i < count; i++) {
        PyObject *record = py.PyDict_GetItem(records, py.PyList_GetItem(references, i));
        if (!record)
            continue;
        py.Py_IncRef(record); // the code that runs might return it
        learn_pool(record);
        py.Py_DecRef(record);
    }
}

static void add_checkout(struct inventory *inventory, PyObject *reference)
{
    PyObject *fairy = alive(reference);
    PyObject *record = fairy ? record_out(reference, fairy) : NULL;
    if (!record)
        return;
    struct checkout *checkout = &inventory->all[inventory->count++];
    *checkout = (struct checkout){.reference = reference, .fairy = fairy, .record = record};
    checkout->pool = known_pool(record);
    checkout->older_s = seconds_open(record);
    ask_transaction(checkout);
}

// Inside recorder_enter.
static void inherit(const struct inventory *inventory, const struct checkout *checkout,
                    const char *through, const struct python_holder *holder)
{
    if (!checkout->pool)
        return;
    uint32_t pool = python_pool_ref(checkout->pool);
    PyObject *handle = checkout->pool->text.shared ? checkout->fairy : checkout->record;
    char text[96];
    if (holder && holder->variable[0])
        snprintf(text, sizeof text, "variable %s", holder->variable);
    else
        snprintf(text, sizeof text, "%s", holder ? "a variable" : through ? through : "");
    const struct inherited found = {
        .handle = (uint64_t)(uintptr_t)handle,
        .since_ns = inventory->since_ns,
        .kind = inventory->kind,
        .session = TRACE_CHECKOUT,
        .pool = pool,
        .database = checkout->pool->name_ref,
        .older_s = checkout->older_s,
        .tid = holder ? holder->tid : 0,
        .thread = holder ? holder->thread : TRACE_NONE,
        .task = holder ? holder->task : TRACE_NONE,
        .holder = text[0] ? name_intern(text) : TRACE_NONE,
        .stack = holder ? holder->stack : NULL,
        .flags = (checkout->asked ? (uint32_t)TRACE_SESSION_ASKED : 0) |
                 (checkout->transaction ? (uint32_t)TRACE_SESSION_TRANSACTION : 0),
    };
    known += session_inherit(&found);
}

static void inherit_held(size_t index, const struct python_holder *holder, void *data)
{
    const struct inventory *inventory = data;
    inherit(inventory, &inventory->all[index], NULL, holder);
}

// From here on nothing else runs until all are recorded.
static void inherit_all(struct inventory *inventory, struct python_held *held)
{
    if (!recorder_enter())
        return;
    inventory->kind = name_intern(python_sqlalchemy_kind);
    recorder_leave();
    for (size_t i = 0; i < inventory->count; i++)
        held[i] = (struct python_held){.object = inventory->all[i].fairy};
    if (inventory->since_ns == 0)
        python_holders_find(held, inventory->count, inherit_held, inventory);
    for (size_t i = 0; i < inventory->count; i++) {
        if (held[i].done || !recorder_enter())
            continue;
        inherit(inventory, &inventory->all[i], held[i].through, NULL);
        recorder_leave();
    }
}

// What a StaticPool has out is known by its fairies; the handles of all belong to their pools.
static void adopt_all(const struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->count; i++) {
        const struct checkout *checkout = &inventory->all[i];
        if (!checkout->pool)
            continue;
        if (checkout->pool->text.shared)
            python_shared_add(checkout->fairy, checkout->reference);
        python_sqlalchemy_pool_adopt(checkout->record, checkout->pool);
    }
}

// since_ns: 0 at the attach; then holders are looked for as well.
static void take_inventory(PyObject *references, uint64_t since_ns)
{
    ssize_t count = py.PyList_Size(references);
    if (count > MOST)
        count = MOST;
    struct inventory inventory = {.all = arena_alloc((size_t)count * sizeof *inventory.all),
                                  .since_ns = since_ns};
    struct python_held *held = arena_alloc((size_t)count * sizeof *held);
    learn_pools(references, count);
    if (inventory.all && held) {
        for (ssize_t i = 0; i < count; i++)
            add_checkout(&inventory, py.PyList_GetItem(references, i));
        inherit_all(&inventory, held);
        adopt_all(&inventory);
    }
    arena_free(inventory.all, (size_t)count * sizeof *inventory.all);
    arena_free(held, (size_t)count * sizeof *held);
}

static void look(uint64_t since_ns)
{
    PyObject *references = py.PyDict_Keys(records);
    py.PyErr_Clear();
    if (references && py.PyList_Size(references) > 0)
        take_inventory(references, since_ns);
    surplus = py.PyDict_Size(records) - known;
    python_drop(references);
}

void python_inherit_checkouts(void)
{
    python_inherit_drop();
    records = python_find("sqlalchemy.pool.base", "_strong_ref_connection_records");
    if (records)
        look(0);
}

void python_inherit_more(void)
{
    enum { PAUSE_NS = 100000000 };
    static uint64_t next_ns;
    if (!records || py.PyDict_Size(records) <= known + surplus)
        return;
    uint64_t now = recorder_now();
    if (now < next_ns)
        return;
    next_ns = now + PAUSE_NS;
    look(now);
}

void python_inherit_count(int change)
{
    known += change;
}

void python_inherit_drop(void)
{
    python_drop(records);
    python_inherit_forget();
}

void python_inherit_forget(void)
{
    records = NULL;
    known = surplus = 0;
}
