// Whether anything in a program may jump into the middle of the first bytes of a function.
//
// "No" is certain as far as direct jumps, tables of addresses and tables of 32-bit distances go;
// "yes" may be a false alarm. Knows machine code and files, nothing of what the answer is for.
#ifndef UNCLOSED_PATCH_ENTERED_H
#define UNCLOSED_PATCH_ENTERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "patch/image.h"

struct entered_range {
    uint64_t function, end; // virtual addresses of the function
    uint64_t before;        // where the function in front of it begins; `function` if unknown
    uint64_t first, last;   // the bytes in question: first <= byte < last. At `first` it may be
                            // entered from outside, but not from within the function.
    bool entered;           // the answer
};

// Fills in `entered` of each of the ranges.
void entered_find(const struct image *image, struct entered_range *ranges, size_t count);

#endif
