// What became of patching a function's entry: part of the trace (struct trace_function).
//
// Calls inside a program do not go through tables that could be rewritten; they are seen only if
// the entry of the function is patched.
#ifndef UNCLOSED_TRACE_TRACE_PATCH_H
#define UNCLOSED_TRACE_TRACE_PATCH_H

// Numbers are never given another meaning.
enum trace_patch {
    TRACE_PATCH_NONE = 0,  // nothing to patch, as far as is known
    TRACE_PATCH_DONE,      // patched: its calls are seen
    TRACE_PATCH_COPIES,    // patched, but the compiler has made copies of it
    TRACE_PATCH_NOT_ASKED, // a patch would help
    // Refused when planning:
    TRACE_PATCH_SHORT,       // shorter than the patch
    TRACE_PATCH_INSTRUCTION, // an instruction at its begin cannot be moved
    TRACE_PATCH_ENTERED,     // something may lead into the bytes that would be replaced
    TRACE_PATCH_AMBIGUOUS,   // several functions of that name
    TRACE_PATCH_SHARED,      // functions of other names are at the same address
    TRACE_PATCH_STATIC,      // its compiler may have changed where its arguments are
    TRACE_PATCH_UNSIZED,     // nothing says where it ends
    TRACE_PATCH_PAGES,       // its first bytes lie in two pages
    // Refused in the process:
    TRACE_PATCH_PROCESSOR, // not on this processor
    TRACE_PATCH_CHANGED,   // its bytes are not those of its file
    TRACE_PATCH_THREADS,   // other threads ran already
    TRACE_PATCH_MEMORY,    // no memory near it, or the kernel forbids to change code
    TRACE_PATCH_BUSY,      // a thread was in its first bytes again and again
    TRACE_PATCH_FULL,      // too many functions
    TRACE_PATCH_OUTCOMES   // one past the last
};

#endif
