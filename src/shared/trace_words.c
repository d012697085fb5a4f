// What numbers in a trace mean: see trace_words.h.
#include "shared/trace_words.h"

#include <stddef.h>

const char *trace_words_lost(enum trace_lost reason)
{
    switch (reason) {
    case TRACE_LOST_SPACE:
        return "no room for the trace (disk full, file size limit, or its folder not writable)";
    case TRACE_LOST_MEMORY:
        return "no memory left in the process";
    case TRACE_LOST_REENTRY:
        return "called from a signal handler that interrupted the recorder";
    case TRACE_LOST_STUBS:
        return "more functions and copies of them than can be traced at once";
    case TRACE_LOST_NAMES:
        return "more different names than are kept";
    case TRACE_LOST_SITES:
        return "more different sites than are kept apart";
    case TRACE_LOST_FILE:
        return "somebody shortened, overwrote or removed the trace while it was written";
    case TRACE_LOST_FILTER:
        return "the process added a seccomp filter, which may forbid to make the trace larger";
    default:
        return "a reason that this version does not know";
    }
}

const char *trace_words_patch(enum trace_patch outcome)
{
    static const char *const words[TRACE_PATCH_OUTCOMES] = {
        [TRACE_PATCH_COPIES] = "the compiler has made copies of it for some callers, which cannot "
                               "be identified from outside",
        [TRACE_PATCH_NOT_ASKED] =
            "its entry must be patched, which `unclosed attach` does only with --patch",
        [TRACE_PATCH_SHORT] = "it is shorter than the 5 bytes of a patch",
        [TRACE_PATCH_INSTRUCTION] =
            "its first instructions cannot be moved: one of them is a call or similar",
        [TRACE_PATCH_ENTERED] = "something may jump into its first bytes",
        [TRACE_PATCH_AMBIGUOUS] = "there are several functions of that name",
        [TRACE_PATCH_SHARED] = "a function of another name is at the same address",
        [TRACE_PATCH_STATIC] = "it is static, and its compiler may have changed how its arguments "
                               "are passed; build it without `static`",
        [TRACE_PATCH_UNSIZED] = "the symbol table does not say where it ends",
        [TRACE_PATCH_PAGES] = "its first bytes span two pages",
        [TRACE_PATCH_PROCESSOR] = "entries cannot be patched on this processor",
        [TRACE_PATCH_CHANGED] =
            "its code in memory differs from its file: another tool may have patched it",
        [TRACE_PATCH_THREADS] = "the program already ran several threads when it was found, so its "
                                "entry could not be patched; try `unclosed attach --patch`",
        [TRACE_PATCH_MEMORY] = "the kernel does not allow code to be changed (MDWE, SELinux), or "
                               "there is no free memory near it",
        [TRACE_PATCH_BUSY] = "a thread was always executing its first bytes; try again",
        [TRACE_PATCH_FULL] = "too many functions are patched already",
    };
    return (unsigned)outcome < TRACE_PATCH_OUTCOMES ? words[outcome] : NULL;
}

const char *trace_words_python(unsigned reason)
{
    static const char *const reasons[] = {
        [TRACE_PYTHON_OLD] = "is older than 3.8: its frames and pools are not seen",
        [TRACE_PYTHON_FREE_THREADED] =
            "has no GIL (a free-threading build): its frames and pools are not seen",
        [TRACE_PYTHON_TRACES_REFS] =
            "is a debug build with Py_TRACE_REFS: its frames and pools are not seen",
        [TRACE_PYTHON_INCOMPLETE] =
            "does not export the functions that are needed: its frames and pools are not seen",
        [TRACE_PYTHON_NEW] = "is not supported yet: Python frames are recorded for checkouts only",
        [TRACE_PYTHON_UNLIKE] =
            "has an unusual build: Python frames are recorded for checkouts only",
    };
    return reason < sizeof reasons / sizeof *reasons ? reasons[reason] : NULL;
}

const char *trace_words_language(unsigned language)
{
    static const char *const languages[TRACE_LANGUAGES] = {
        [TRACE_PHP] = "PHP", [TRACE_PERL] = "Perl", [TRACE_RUBY] = "Ruby", [TRACE_LUA] = "Lua"};
    return language < TRACE_LANGUAGES ? languages[language] : NULL;
}

const char *trace_words_runtime(unsigned state)
{
    static const char *const reasons[] = {
        [TRACE_RUNTIME_VERSION] = "is not supported yet",
        [TRACE_RUNTIME_THREADED] = "is built for threads",
        [TRACE_RUNTIME_UNLIKE] = "has an unusual build",
        [TRACE_RUNTIME_LINES] = "is not supported yet",
        [TRACE_RUNTIME_CLOSERS] = "is not supported yet",
    };
    return state < sizeof reasons / sizeof *reasons ? reasons[state] : NULL;
}
