// A new trace in the place of one that was shortened, overwritten or removed while it was written.
#ifndef UNCLOSED_RECORDER_LIFE_RENEWAL_H
#define UNCLOSED_RECORDER_LIFE_RENEWAL_H

// The trace is damaged (recorder_damage): begins another one, which says how much was lost, and
// records again. A few times; then the recording has ended. On a thread that is not inside, or is
// the last one. Whoever comes second returns at once.
void renewal_begin(void);

// The process ends: if its trace, or what was recorded in it, can no longer be found, renews it.
void renewal_check(void);

#endif
