// When processes of a run ended that could not write it down themselves, because they were killed.
//
// The journal says when a process makes a trace; from then on it is waited for. Its end is written
// into its trace, so that a session that it left open lived until then and no longer. What is not
// noticed here (no journal, too many processes, one in another pid namespace) keeps an unknown end.
// For one thread. Not async-signal-safe.
#ifndef UNCLOSED_CLI_RUN_ENDS_H
#define UNCLOSED_CLI_RUN_ENDS_H

#include "cli/run/run.h"

struct ends;

// Result: NULL if ends cannot be noticed, which all functions here take.
struct ends *ends_new(const struct run *run);

// A descriptor that becomes readable when ends_look has something to do; -1: never.
int ends_fd(const struct ends *ends);

// Looks who came and who ended since. Does not block.
void ends_look(struct ends *ends);

// Looks a last time, and frees it all.
void ends_free(struct ends *ends);

#endif
