// Bringing things into the target without its file system: the recorder's library, a descriptor.
#ifndef UNCLOSED_ATTACH_TRANSPORT_H
#define UNCLOSED_ATTACH_TRANSPORT_H

#include <stdint.h>

#include "attach/failure.h"
#include "attach/helper.h"

// Loads the library in the file `path` of this program's world into the target, even if a library
// of that name is there already. Result: 0 with *link the address of its struct link_map in the
// target, or -errno with *failure filled in.
int transport_load_library(struct helper *helper, const char *path, uint64_t *link,
                           struct failure *failure);

// Gives the target a copy of the open descriptor `file` of this process, close-on-exec, with a
// number above those programs use where its limit allows. Result: its number there, or -errno with
// *failure filled in.
int transport_descriptor(struct helper *helper, int file, struct failure *failure);

#endif
