// Reaches SQLite by pointers only, as foreign-function interfaces do: dlopen of the library, dlsym
// and dlvsym on its handle, on RTLD_DEFAULT, and through a table filled once.
//
// Usage: pointers; linked without SQLite.
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

typedef int (*open_function)(const char *name, void **db);
typedef int (*close_function)(void *db);

static int opened, closed;

static void open_three(open_function open, close_function close)
{
    void *db[3] = {0};
    for (int i = 0; i < 3; i++)
        opened += open(":memory:", &db[i]) == 0; // site: pointer
    for (int i = 1; i < 3; i++)
        closed += close(db[i]) == 0;
}

int main(void)
{
    if (dlsym(RTLD_DEFAULT, "sqlite3_errmsg") != NULL)
        return 2; // must not be there yet, traced or not
    void *library = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return 3;
    open_function open = (open_function)dlsym(library, "sqlite3_open");
    close_function close = (close_function)dlsym(library, "sqlite3_close");
    if (open == NULL || close == NULL || open != (open_function)dlsym(library, "sqlite3_open"))
        return 4;
    open_three(open, close);
    if (dlvsym(library, "sqlite3_open", "NO_SUCH_VERSION") != NULL || dlerror() == NULL)
        return 5;
    if (dlsym(library, "sqlite3_no_such_function") != NULL || dlerror() == NULL)
        return 6;
    void *global = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_GLOBAL);
    open = (open_function)dlsym(RTLD_DEFAULT, "sqlite3_open");
    close = (close_function)dlsym(RTLD_DEFAULT, "sqlite3_close_v2");
    if (global == NULL || open == NULL || close == NULL)
        return 7;
    open_three(open, close);
    Dl_info info;
    printf("dladdr=%d\n", dladdr((void *)dlsym(library, "sqlite3_errmsg"), &info) != 0);
    printf("pid=%d opened=%d closed=%d\n", (int)getpid(), opened, closed);
    return 0;
}
