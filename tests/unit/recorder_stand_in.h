// Stands in for the recorder's life cycle, so that its tables can be tested without a traced
// program.
#ifndef RECORDER_STAND_IN_H
#define RECORDER_STAND_IN_H

// Begins a trace in a new temporary file, and forgets all tables. To be called by each test.
void stand_in_begin(void);

// Removes the file.
void stand_in_end(void);

const char *stand_in_path(void);

#endif
