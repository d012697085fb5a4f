// What the plugins of this folder export; each has some of it.
#ifndef TESTS_PLUGINS_PLUGIN_H
#define TESTS_PLUGINS_PLUGIN_H

#ifdef __cplusplus
extern "C" {
#endif

// Opens handles and adds to the counts what SQLite said; 0 if all went well.
int plugin_run(int *opened, int *closed);
const char *plugin_name(void);

#ifdef __cplusplus
}
#endif
#endif
