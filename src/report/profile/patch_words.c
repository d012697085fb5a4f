// See patch_words.h.
#include "report/profile/patch_words.h"

#include <stddef.h>

const char *patch_words(enum trace_patch outcome)
{
    static const char *const words[TRACE_PATCH_OUTCOMES] = {
        [TRACE_PATCH_COPIES] = "the compiler has made copies of it for some callers, which cannot "
                               "be told from outside",
        [TRACE_PATCH_NOT_ASKED] = "its entry would have to be patched, which `unclosed attach` "
                                  "does with --patch only",
        [TRACE_PATCH_SHORT] = "it is shorter than the 5 bytes of a patch",
        [TRACE_PATCH_INSTRUCTION] = "its first instructions cannot be moved, one of them is a call "
                                    "or the like",
        [TRACE_PATCH_ENTERED] = "something may jump into its first bytes",
        [TRACE_PATCH_AMBIGUOUS] = "there are several functions of that name",
        [TRACE_PATCH_SHARED] = "a function of another name is at the same address",
        [TRACE_PATCH_STATIC] = "it is static, and its compiler may have changed how its arguments "
                               "are passed; build it without `static`",
        [TRACE_PATCH_UNSIZED] = "the symbol table does not tell where it ends",
        [TRACE_PATCH_PAGES] = "its first bytes lie on two pages",
        [TRACE_PATCH_PROCESSOR] = "entries cannot be patched on this processor",
        [TRACE_PATCH_CHANGED] = "in memory it is not what it is in its file: another tool may have "
                                "patched it",
        [TRACE_PATCH_THREADS] = "the program ran several threads when it was found, so that its "
                                "entry could not be patched; try `unclosed attach --patch`",
        [TRACE_PATCH_MEMORY] = "the kernel does not allow to change code (MDWE, SELinux), or "
                               "there is no memory near it",
        [TRACE_PATCH_BUSY] = "a thread was always in its first bytes; try again",
        [TRACE_PATCH_FULL] = "too many functions are patched already",
    };
    return (unsigned)outcome < TRACE_PATCH_OUTCOMES ? words[outcome] : NULL;
}
