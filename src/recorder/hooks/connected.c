// See connected.h.
//
// What a server says of itself when it lets a client in stays with the handle, also after the
// connection was lost: libpq's parameter "server_version"
// (https://www.postgresql.org/docs/15/libpq-status.html), the text of mysql_get_server_info
// (https://mariadb.com/kb/en/mysql_get_server_info/).
#include "recorder/hooks/connected.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "recorder/core/loader.h"

typedef const char *(*parameter_of)(const void *connection, const char *name);
typedef const char *(*server_of)(void *connection);

// A function of the library that has the release function; NULL: not found.
static void *neighbour(const struct call *call, const char *name)
{
    Dl_info there, found;
    const void *real = (const void *)call->target; // NOLINT(performance-no-int-to-ptr)
    if (loader_address(real, &there) == 0 || !there.dli_fname)
        return NULL;
    void *handle = loader_open(there.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    void *function = handle ? loader_symbol(handle, name) : NULL;
    if (handle)
        loader_close(handle); // stays loaded: the program is about to call it
    const bool same =
        function && loader_address(function, &found) != 0 && found.dli_fbase == there.dli_fbase;
    return same ? function : NULL;
}

static bool has_no_server(const struct call *call)
{
    void *handle = (void *)call->handle; // NOLINT(performance-no-int-to-ptr)
    if (strcmp(call->spec->kind, "libpq") == 0) {
        const parameter_of parameter = (parameter_of)neighbour(call, "PQparameterStatus");
        return parameter && !parameter(handle, "server_version");
    }
    if (strcmp(call->spec->kind, "mariadb") == 0) {
        const server_of server = (server_of)neighbour(call, "mysql_get_server_info");
        return server && !server(handle);
    }
    return false;
}

bool connected_never(const struct call *call)
{
    const int kept = errno;
    const bool never = has_no_server(call);
    errno = kept;
    return never;
}
