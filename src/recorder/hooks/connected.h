// Whether a handle that is given back was ever connected: with some clients one that could not be
// made is an object too, which has to be freed.
#ifndef UNCLOSED_RECORDER_HOOKS_CONNECTED_H
#define UNCLOSED_RECORDER_HOOKS_CONNECTED_H

#include <stdbool.h>

#include "recorder/hooks/hook.h"

// call: of a release, before the real function; its handle was seen acquired in this process and is
// valid. true: its server has never answered. false also where that is not known. Asks the library,
// on the program's thread; takes the loader's lock. errno is kept.
bool connected_never(const struct call *call);

#endif
