// The signal on which a traced process writes its summary.
#ifndef UNCLOSED_RECORDER_LIFE_DUMP_SIGNAL_H
#define UNCLOSED_RECORDER_LIFE_DUMP_SIGNAL_H

// Takes the signal of the options, where the program has left it at its default; gives it back, if
// it is still ours. Not for several threads at once.
void dump_signal_take(void);
void dump_signal_give_back(void);

#endif
