// The folder that source files are named from: that of the repository.
#ifndef UNCLOSED_REPORT_CODE_SOURCE_ROOT_H
#define UNCLOSED_REPORT_CODE_SOURCE_ROOT_H

#include "report/code/memory.h"

// The nearest folder with a ".git" (a folder, or the file of a worktree), from the working
// directory of this process upwards; without one, the working directory itself. An absolute path
// without a slash at its end, which lives as long as the arena; NULL if it is "/" or has no name.
const char *source_root(struct arena *arena);

#endif
