// Moving the first instructions of a function elsewhere: which ones, and what they become.
//
// Knows x86-64 machine code (by capstone), nothing of files, processes or what the patch is for.
#ifndef UNCLOSED_PATCH_DISPLACE_H
#define UNCLOSED_PATCH_DISPLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace_patch.h"

enum {
    DISPLACE_JUMP_BYTES = 5,  // what is put in their place: jmp rel32
    DISPLACE_MOST_BYTES = 19, // four bytes and the longest instruction
    DISPLACE_CODE_BYTES = 48, // what they become, at most: four instructions of 4 or 5 bytes that
                              // were one or two bytes long, and the longest instruction
    DISPLACE_FIXUPS = 5,
};

// Four bytes of the moved code that hold a distance: from `end` in the moved code to `target`.
struct displace_fixup {
    uint8_t at, end;
    uint64_t target; // virtual address in the file
};

struct displaced {
    uint8_t skipped;   // bytes that stay in front of the patch: an endbr64
    uint8_t displaced; // bytes that make room for it: whole instructions
    uint8_t bytes;     // of `code`
    uint8_t fixup_count;
    bool ends; // what follows is never reached from here: a jump or return is among them
    uint8_t code[DISPLACE_CODE_BYTES]; // runs anywhere within 2 GB once the fixups are filled in
    struct displace_fixup fixups[DISPLACE_FIXUPS];
};

// Fills in *moved for the function of `size` bytes at `text`, whose virtual address is `address`.
// Result: TRACE_PATCH_DONE, or why it cannot be done.
enum trace_patch displace(const uint8_t *text, size_t size, uint64_t address,
                          struct displaced *moved);

// Writes to `to` what `moved` is at `place`, a virtual address of the same file. `to` has room for
// DISPLACE_CODE_BYTES. Result: false if a distance does not fit.
bool displace_settle(const struct displaced *moved, uint64_t place, uint8_t *to);

#endif
