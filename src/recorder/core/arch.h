// What the recorder knows of the processor. One of the two files below holds all of it, but for the
// wrapper of traced calls (hook_*.S); each defines:
//
//   ARCH_ARGUMENTS         registers that carry integer arguments, struct call's first words
//   ARCH_RESULT_VECTORS    vector registers that carry a result
//   CALL_*                 offsets in struct call, for the assembly
//   CALL_RETURN_SLOT       words from the wrapper's frame pointer to the caller's return address
//   ARCH_RELOCATION_*      types of the relocations whose slots are rewritten
//   ARCH_STACK_TOP()       end of what the calling function and those it calls put on the stack
//   ARCH_FRAME_REGISTER    libunwind's number of the frame pointer
//   ARCH_LINK_REGISTER     ... of the register with the return address; not defined where a call
//                          pushes it
//   ARCH_UNWINDS_FAST      whether libunwind's unw_backtrace can be used in signal handlers, too
//   ARCH_RETURN_ADDRESS()  a return address, of what unw_backtrace says
//   ARCH_SAVED_ADDRESS()   a return address, of the word that a function saved
//   ARCH_PATCHES           defined where entries of functions can be patched
//   ARCH_STEP_STUBS        defined where sqlite3_step has stubs of its own, which cost next to
//   nothing ARCH_CONTEXT_INLINE    defined where libunwind's getcontext is no function
//   arch_has_shadow_stack  whether returning to another address than the caller's is a fault
//   arch_is_lazy_stub      whether a slot leads to the loader's lazy binding
//   arch_find_return       code in a module behind which a return address of ours can be put
//
// For C and for the assembly.
#ifndef UNCLOSED_RECORDER_CORE_ARCH_H
#define UNCLOSED_RECORDER_CORE_ARCH_H

#if defined(__x86_64__)
#include "recorder/core/arch_x86_64.h"
#elif defined(__aarch64__)
#include "recorder/core/arch_aarch64.h"
#else
#error "the recorder does not know this processor"
#endif

#endif
