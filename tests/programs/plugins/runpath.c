// A plugin with RUNPATH "$ORIGIN/deep": needs one library from there, and opens another by its bare
// name, which the dynamic linker finds there only if it sees this plugin as the caller of dlopen.
#include <dlfcn.h>
#include <stddef.h>

#include "plugin.h"

int dependency_answer(void);

int plugin_run(int *opened, int *closed)
{
    (void)opened;
    (void)closed;
    if (dependency_answer() != 42)
        return 1;
    void *late = dlopen("libdependency_late.so", RTLD_NOW | RTLD_LOCAL);
    if (late == NULL)
        return 2;
    int (*answer)(void) = (int (*)(void))dlsym(late, "dependency_answer");
    if (answer == NULL || answer() != 42)
        return 3;
    return dlclose(late) == 0 ? 0 : 4;
}

const char *plugin_name(void)
{
    return "runpath";
}
