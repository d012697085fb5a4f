// The runtimes that are known: see runtime.h. Knows nothing of what any of them is like.
#include <stddef.h>

#include "recorder/runtimes/joined.h"
#include "recorder/runtimes/lua/lua.h"
#include "recorder/runtimes/native.h"
#include "recorder/runtimes/perl/perl.h"
#include "recorder/runtimes/php/php.h"
#include "recorder/runtimes/python/python.h"
#include "recorder/runtimes/qt/qt.h"
#include "recorder/runtimes/ruby/ruby.h"
#include "recorder/runtimes/runtime.h"

static const struct runtime *const known[] = {&python_runtime, &php_runtime, &perl_runtime,
                                              &ruby_runtime,   &lua_runtime, &qt_runtime};
enum { KNOWN = sizeof known / sizeof *known };

void runtimes_start(void)
{
    native_modules_changed();
    for (unsigned i = 0; i < KNOWN; i++)
        if (!known[i]->found())
            known[i]->start();
}

void runtimes_describe(struct trace_header *header)
{
    for (unsigned i = 0; i < KNOWN; i++)
        header->flags |= known[i]->flags ? known[i]->flags() : 0;
    joined_describe(header);
}

void runtimes_leave(void)
{
    for (unsigned i = 0; i < KNOWN; i++)
        known[i]->leave();
}
