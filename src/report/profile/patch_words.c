// See patch_words.h.
#include "report/profile/patch_words.h"

#include <stddef.h>

const char *patch_words(enum trace_patch outcome)
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
