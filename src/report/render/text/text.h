// What the parts of the text report share with each other only.
#ifndef UNCLOSED_REPORT_RENDER_TEXT_TEXT_H
#define UNCLOSED_REPORT_RENDER_TEXT_TEXT_H

#include "report/profile/profile.h"
#include "report/render/renderer.h"
#include "report/render/text/sheet.h"
#include "report/render/text/words.h"

struct text {
    const struct profile *profile;
    const struct render_options *options;
    struct sheet sheet;
};

// Each prints its part, or nothing if there is nothing to say.
void text_exhaustions(const struct text *text);
void text_pools(const struct text *text);
void text_sites(const struct text *text);
void text_groups(const struct text *text);
void text_sizing(const struct text *text, const struct profile_pool *pool);
void text_churn(const struct text *text);
void text_growth(const struct text *text, const struct profile_site *site);
void text_misuses(const struct text *text);
void text_inherited(const struct text *text);
void text_suppressions(const struct text *text);
void text_unseen(const struct text *text);

// Frames of a stack from `name` on: the user's own, or all of them if the request says so.
void text_frames(const struct text *text, const struct frames *stack, const struct frame *name,
                 const char *directory, unsigned indent);
// All frames of a stack, numbered.
void text_whole_stack(const struct text *text, const struct frames *stack, const char *directory,
                      unsigned indent);
// One frame as a line; label: what it is, or "".
void text_frame(const struct text *text, const char *label, const struct frame *frame,
                const char *directory, unsigned indent);
// Where the holder of a session is now, session->now, which must be there.
void text_now(const struct text *text, const struct profile_session *session);
// How long the threads were paused for that; nothing if none was.
void text_now_pause(const struct text *text);
// The line of source code of a frame, if it can be read.
void text_code(const struct text *text, const struct frame *frame, const char *directory,
               unsigned indent);

// "12 settings.py:214 · 9 overview.py:159"
void text_holders(const struct text *text, struct sheet_line *line, const profile_holders *holders,
                  bool with_age);
// "20 pre-existing: 18 still held, 2 released since"; nothing if there were none.
void text_add_inherited(struct sheet_line *line, const struct profile_inherited *counts);

#endif
