// The call specs of this process: the shipped ones and those of the options.
#ifndef UNCLOSED_RECORDER_CORE_CALL_SPECS_H
#define UNCLOSED_RECORDER_CORE_CALL_SPECS_H

#include <stdbool.h>

#include "shared/spec.h"

// Loads them. What is wrong with the user's is said on the log; the shipped ones hold all the same.
// false: they were loaded for these options before, or there is no memory: nothing has changed. Not
// for several threads at once, and before calls are looked at.
bool call_specs_load(void);

// All of them, and how many; they do not change before the next call_specs_load that says true, and
// the memory of earlier ones is kept.
const struct spec *recorder_specs(int *count);

#endif
