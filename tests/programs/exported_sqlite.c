// SQLite is linked into this program and exported from it: plugins that are linked to the shared
// SQLite get this one, because the program comes first. A tracer in front must not change that.
//
// Usage: exported_sqlite PLUGIN...; prints whether the plugin's handles are in this copy's memory.
#include <dlfcn.h>

#include "counts.h"
#include "plugins/plugin.h"

int main(int argc, char **argv)
{
    sqlite3_initialize();
    for (int i = 1; i < argc; i++) {
        int opened = 0, closed = 0;
        sqlite3_int64 before = sqlite3_memory_used();
        void *plugin = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
        must(plugin != NULL, argv[i]);
        int (*run)(int *, int *) = (int (*)(int *, int *))dlsym(plugin, "plugin_run");
        must(run != NULL && run(&opened, &closed) == 0, "plugin_run");
        printf("pid=%d opened=%d closed=%d\nin_this_copy=%d\n", (int)getpid(), opened, closed,
               sqlite3_memory_used() > before);
    }
    return 0;
}
