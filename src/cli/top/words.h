// What the head of the screen says, in one line each: the processes, their state, what is held,
// what is wrong with the traces.
//
// Knows the model; not where it is shown. The texts live as long as the arena. Not thread-safe.
#ifndef UNCLOSED_CLI_TOP_WORDS_H
#define UNCLOSED_CLI_TOP_WORDS_H

#include "cli/top/model.h"

// "python3.11[4711]", "4 processes, 3 running".
const char *top_words_processes(struct arena *arena, const struct top_snapshot *snapshot);
// "traced for 182.3 s", "ENDED (exit 0) after 182.3 s".
const char *top_words_state(struct arena *arena, const struct top_snapshot *snapshot);
// The command line.
const char *top_words_command(struct arena *arena, const struct top_snapshot *snapshot);
// "held 18 checkouts · opened 904 · released 859 · reclaimed 27".
const char *top_words_totals(struct arena *arena, const struct top_snapshot *snapshot);
// What is missing from all this, and why; "": nothing.
const char *top_words_note(struct arena *arena, const struct top_snapshot *snapshot);

#endif
