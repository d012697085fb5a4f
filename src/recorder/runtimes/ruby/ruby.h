// Ruby in the traced process. docs/runtimes.md tells how it works.
#ifndef UNCLOSED_RECORDER_RUNTIMES_RUBY_RUBY_H
#define UNCLOSED_RECORDER_RUNTIMES_RUBY_RUBY_H

#include "recorder/runtimes/runtime.h"

extern const struct runtime ruby_runtime;

#endif
