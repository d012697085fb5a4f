// What goes with every session: see labels.h. Knows interned strings, nothing of sessions.
#include "recorder/core/labels.h"

#include <string.h>
#include <sys/prctl.h>

#include "recorder/core/confined.h"
#include "recorder/core/intern.h"
#include "recorder/core/recorder.h"

// A thread may be named after its first session: the name is read again at its 1st, 2nd, 4th, ...
// use.
uint32_t recorder_thread_name(void)
{
    struct recorder_thread *thread = &recorder_thread;
    uint32_t uses = thread->name_uses++;
    if ((uses & (uses - 1)) == 0 && !is_confined()) {
        char name[17] = "";
        if (prctl(PR_GET_NAME, name) == 0)
            thread->name = name_intern(name);
    }
    return thread->name;
}

static struct {
    char name[512];
    uint32_t ref, generation;
} test;

void recorder_set_test(const char *name)
{
    size_t bytes = name ? strnlen(name, sizeof test.name - 1) : 0;
    memcpy(test.name, name ? name : "", bytes);
    test.name[bytes] = 0;
    test.generation = 0; // interned at the next acquire
}

uint32_t recorder_test(void)
{
    if (test.name[0] == 0)
        return TRACE_NONE;
    uint32_t generation = atomic_load_explicit(&recorder_generation, memory_order_relaxed);
    if (test.generation != generation) {
        test.ref = name_intern(test.name);
        test.generation = generation;
    }
    return test.ref;
}
