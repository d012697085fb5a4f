// Words for names, numbers and moments, as the text report and `unclosed top` write them.
//
// What comes from a trace is fit for a terminal afterwards. Knows the profile and no report. Not
// thread-safe.
#ifndef UNCLOSED_REPORT_RENDER_TEXT_WORDS_H
#define UNCLOSED_REPORT_RENDER_TEXT_WORDS_H

#include "report/profile/profile.h"
#include "report/render/text/sheet.h"

// "thread web-3", "threads web-1, web-2 and 3 more"
const char *text_names(struct arena *arena, const char *one, const char *many,
                       const profile_names *names);
// What holds a session that was open before the attach; "": nothing is to be said.
const char *text_holder(struct arena *arena, const struct profile_session *session);
// "pre-existing" (opened before an attach), "inherited" (over a fork), or both.
const char *text_inherited_label(const struct profile_inherited *counts);
// What the statements that belong to a session are called.
const char *text_statement_label(bool close_refused);
const char *text_pool_name(struct arena *arena, const struct profile_pool *pool);
const char *text_count(struct arena *arena, uint64_t count, const char *one, const char *many);
// A number with as many decimals as mean something: "1739", "20.5", "0.064".
const char *text_decimal(struct arena *arena, double number);
const char *text_program_name(struct arena *arena, const struct profile_process *process);
// The wall-clock time of a moment, "14:03:22".
const char *text_clock(struct arena *arena, const struct profile_process *process, uint64_t at_ns);

#endif
