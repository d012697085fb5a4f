// A database client in layers, as FreeSWITCH, apr_dbd and ODBC have them: functions that call each
// other through the dynamic linker, handles that are handed out again, clients inside of clients.
#include "layers.h"

#include <sqlite3.h>
#include <stdlib.h>

struct counted {
    int uses;
    sqlite3 *database;
};

static struct counted the_one; // each thread would have its own; one will do here

// Gives the handle that is out already, if there is one.
int counted_get_ex(struct counted **handle, int flag)
{
    (void)flag;
    if (!the_one.database && sqlite3_open(":memory:", &the_one.database) != SQLITE_OK)
        return 1;
    the_one.uses++;
    *handle = &the_one;
    return 0;
}

int counted_get(struct counted **handle)
{
    return counted_get_ex(handle, 0);
}

void counted_put(struct counted **handle)
{
    (*handle)->uses--;
    *handle = NULL;
}

void counted_dismiss(struct counted **handle)
{
    counted_put(handle);
}

// The result is in the lower 16 bits; the rest of the register is not zero, as the ABI allows.
static long status_of(int good)
{
    return good ? 0x30000 : 0x3ffff;
}

struct outer {
    sqlite3 *database;
};

long outer_connect_ex(struct outer *handle, const char *name, int more)
{
    (void)more;
    return status_of(sqlite3_open(name, &handle->database) == SQLITE_OK);
}

long outer_connect(struct outer *handle, const char *name)
{
    return outer_connect_ex(handle, name, 0);
}

long outer_disconnect(struct outer *handle)
{
    if (!handle->database)
        return status_of(0);
    sqlite3_close(handle->database);
    handle->database = NULL;
    return status_of(1);
}

struct outer *outer_new(void)
{
    return calloc(1, sizeof(struct outer));
}
