// PHP in the traced process. docs/runtimes.md tells how it works.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PHP_PHP_H
#define UNCLOSED_RECORDER_RUNTIMES_PHP_PHP_H

#include "recorder/runtimes/runtime.h"

extern const struct runtime php_runtime;

#endif
