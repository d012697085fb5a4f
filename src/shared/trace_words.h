// What numbers in a trace mean, in words: for reports, and for the recorder's verbose log.
//
// Static texts that follow the name of a thing: "is older than 3.8: ...". Async-signal-safe and
// thread-safe.
#ifndef UNCLOSED_SHARED_TRACE_WORDS_H
#define UNCLOSED_SHARED_TRACE_WORDS_H

#include "trace/trace_format.h"
#include "trace/trace_patch.h"

// Why records were lost. Keys of the JSON report: these texts do not change. Never NULL.
const char *trace_words_lost(enum trace_lost reason);

// Why not all calls of a function inside a program are seen; NULL: they are.
const char *trace_words_patch(enum trace_patch outcome);

// What is not seen of a Python interpreter (enum trace_python); NULL: nothing to say.
const char *trace_words_python(unsigned reason);

// The name of a language (enum trace_language) other than Python; NULL: not known.
const char *trace_words_language(unsigned language);

// Why the frames of such a language are not seen (enum trace_runtime_state); NULL: they are.
const char *trace_words_runtime(unsigned state);

#endif
