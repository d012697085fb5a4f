// Whether Ruby's virtual machine is there: after its end, functions that ask it read freed memory.
#ifndef UNCLOSED_RECORDER_RUNTIMES_RUBY_ALIVE_H
#define UNCLOSED_RECORDER_RUNTIMES_RUBY_ALIVE_H

#include <stdbool.h>

// Looks for what tells. false: nothing does. Takes the loader's lock.
bool ruby_alive_find(void);

// Whether there is one. Thread-safe; for signal handlers, too.
bool ruby_is_alive(void);

#endif
