// Perl in the traced process. docs/runtimes.md tells how it works.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PERL_PERL_H
#define UNCLOSED_RECORDER_RUNTIMES_PERL_PERL_H

#include "recorder/runtimes/runtime.h"

extern const struct runtime perl_runtime;

#endif
