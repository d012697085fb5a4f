// The stacks of a page, with everything that occurs in many of them written once: frames by number,
// and stacks as a tree from the outermost frame inwards, which is also what a flame graph shows.
//
// Not thread-safe.
#ifndef UNCLOSED_REPORT_RENDER_HTML_STACKS_H
#define UNCLOSED_REPORT_RENDER_HTML_STACKS_H

#include <jansson.h>

#include "report/profile/profile.h"

struct page_stacks; // opaque

struct page_stacks *page_stacks_new(const struct profile *profile, bool with_source);
void page_stacks_free(struct page_stacks *stacks);

// The number of a frame of this process; -1 for NULL.
json_int_t page_frame(struct page_stacks *stacks, const struct profile_process *process,
                      const struct frame *frame);

// The number of the innermost frame's node in the tree; -1 for a stack without frames.
json_int_t page_stack(struct page_stacks *stacks, const struct profile_process *process,
                      const struct frames *frames);

// Also keeps the lines of source around that of a frame.
void page_source(struct page_stacks *stacks, const struct profile_process *process,
                 const struct frame *frame);

// Adds "texts", "frames" (arrays of function, file, line, module, owner, language, inlined; texts
// by number, -1 for none), "nodes" (arrays of frame and caller) and "source" (lines of files by
// number of file and line) to the page's data.
void page_stacks_set(const struct page_stacks *stacks, json_t *root);

#endif
