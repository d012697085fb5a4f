// The public API's side in the recorder: what the functions of include/unclosed.h do in a traced
// process.
#ifndef UNCLOSED_RECORDER_LIFE_API_H
#define UNCLOSED_RECORDER_LIFE_API_H

#include "unclosed.h"

// The table that modules with a note are given. Its functions are called by the program, on any
// thread.
extern const struct unclosed_functions api_functions;

#endif
