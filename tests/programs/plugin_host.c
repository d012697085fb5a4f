// Opens plugins in every way there is, with nothing of SQLite or C++ linked in itself, and checks
// what the dynamic linker promises. Also the test of the symbol scope: `backtrace` has to be
// libc's.
//
// Usage: plugin_host [FLAGS] PLUGIN... ; FLAGS: deepbind, local, global, lazy, keep (no dlclose),
// new (a namespace of its own), scope (print where functions come from), twice.
#include <dlfcn.h>
#include <execinfo.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/plugin.h"

static int flags = RTLD_NOW;
static bool keep, new_namespace, twice;
static int opened, closed;

static void print_origin(const char *name)
{
    Dl_info info = {0};
    void *address = dlsym(RTLD_DEFAULT, name);
    if (address != NULL && dladdr(address, &info) != 0) {
        const char *slash = strrchr(info.dli_fname, '/');
        printf("origin %s %s\n", name, slash ? slash + 1 : info.dli_fname);
    } else {
        printf("origin %s none\n", name);
    }
}

static void print_scope(void)
{
    static const char *const names[] = {
        "backtrace",
        "backtrace_symbols",
        "_Unwind_RaiseException",
        "_Unwind_Resume",
        "_Unwind_Backtrace",
        "_Unwind_Find_FDE",
        "__register_frame",
        "_ULx86_64_step",
        "unw_backtrace",
        "unw_getcontext",
        "__cxa_throw",
        "dlopen",
        "dlsym",
        "malloc",
        "fork",
        "_exit",
        "pthread_create",
        "sigaction",
        "elf_begin",
        "HASH_ADD",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        print_origin(names[i]);
    void *frames[20];
    int depth = backtrace(frames, 20);
    Dl_info info;
    printf("backtrace %s\n", depth > 1 && dladdr(frames[0], &info) != 0 && info.dli_fname != NULL &&
                                     strstr(info.dli_fname, "plugin_host") != NULL
                                 ? "good"
                                 : "bad");
}

static int run_plugin(const char *path)
{
    void *plugin = new_namespace ? dlmopen(LM_ID_NEWLM, path, flags) : dlopen(path, flags);
    if (plugin == NULL) {
        printf("cannot open: %s\n", dlerror());
        return 1;
    }
    int (*run)(int *, int *) = (int (*)(int *, int *))dlsym(plugin, "plugin_run");
    const char *(*name)(void) = (const char *(*)(void))dlsym(plugin, "plugin_name");
    if (run == NULL || name == NULL) {
        printf("no entry: %s\n", dlerror());
        return 1;
    }
    int result = run(&opened, &closed);
    printf("%s: %d\n", name(), result);
    if (!keep && dlclose(plugin) != 0)
        printf("cannot close: %s\n", dlerror());
    return result;
}

static bool set_flag(const char *word)
{
    if (strcmp(word, "deepbind") == 0)
        flags |= RTLD_DEEPBIND;
    else if (strcmp(word, "global") == 0)
        flags |= RTLD_GLOBAL;
    else if (strcmp(word, "lazy") == 0)
        flags = (flags & ~RTLD_NOW) | RTLD_LAZY;
    else if (strcmp(word, "keep") == 0)
        keep = true;
    else if (strcmp(word, "new") == 0)
        new_namespace = true;
    else if (strcmp(word, "twice") == 0)
        twice = true;
    else if (strcmp(word, "scope") == 0)
        print_scope();
    else
        return strcmp(word, "local") == 0;
    return true;
}

int main(int argc, char **argv)
{
    int failures = 0;
    for (int i = 1; i < argc; i++) {
        if (set_flag(argv[i]))
            continue;
        failures += run_plugin(argv[i]) != 0;
        if (twice)
            failures += run_plugin(argv[i]) != 0;
    }
    printf("pid=%d opened=%d closed=%d\n", (int)getpid(), opened, closed);
    return failures;
}
