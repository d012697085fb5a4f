// Rounds of victims (victim.h) that open and close database sessions, in a plugin that they load:
//
//   busy      it stays loaded
//   plugins   it is loaded and unloaded all the time, and SQLite with it
//
// There are copies of the plugin beside the program, so that threads unload what nobody else has.
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "victim.h"

enum { PLUGINS = 4, PATH_BYTES = 4096 };

static char path[PLUGINS][PATH_BYTES + 32];

static void *load(int number, int (**function)(void))
{
    void *plugin = dlopen(path[number], RTLD_NOW | RTLD_LOCAL);
    if (plugin == NULL)
        victim_fail(dlerror());
    *function = (int (*)(void))dlsym(plugin, "session_round");
    if (*function == NULL)
        victim_fail("the plugin has no function");
    return plugin;
}

static void run(int (*function)(void))
{
    char text[64];
    const int status = function();
    if (status == 0)
        return;
    snprintf(text, sizeof text, "SQLite said %d", status);
    victim_fail(text);
}

static void round_busy(struct worker *worker)
{
    static __thread int (*function)(void);
    if (function == NULL)
        load(worker->number % PLUGINS, &function);
    run(function);
}

static void round_plugins(struct worker *worker)
{
    int (*function)(void) = NULL;
    void *plugin = load(worker->number % PLUGINS, &function);
    run(function);
    if (dlclose(plugin) != 0)
        victim_fail("dlclose failed");
}

const struct mode victim_modes[] = {
    {"busy", round_busy},
    {"plugins", round_plugins},
    {NULL, NULL},
};

void victim_prepare(void)
{
    char executable[PATH_BYTES];
    const ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
    if (length < 0)
        victim_fail("cannot tell where this program is");
    executable[length] = 0;
    const char *folder = dirname(executable);
    for (int i = 0; i < PLUGINS; i++)
        snprintf(path[i], sizeof path[i], "%s/session_plugin_%d.so", folder, i);
}
