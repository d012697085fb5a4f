// Where the repository begins: see source_root.h.
#include "report/code/source_root.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

const char *source_root(struct arena *arena)
{
    char folder[PATH_MAX], mark[PATH_MAX + 8];
    if (!getcwd(folder, sizeof folder) || folder[0] != '/' || folder[1] == 0)
        return NULL;
    const char *working = arena_text(arena, folder);
    for (char *end = folder + strlen(folder); end > folder; end = strrchr(folder, '/')) {
        *end = 0;
        (void)snprintf(mark, sizeof mark, "%s/.git", folder);
        if (access(mark, F_OK) == 0)
            return arena_text(arena, folder);
    }
    return working;
}
