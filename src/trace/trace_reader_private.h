// What the files of the reader share with each other only.
#ifndef UNCLOSED_TRACE_TRACE_READER_PRIVATE_H
#define UNCLOSED_TRACE_TRACE_READER_PRIVATE_H

#include "trace/trace_reader.h"

// Copies up to `bytes` bytes from `offset` on. Result: their number, smaller at the end of the file
// or after an error.
size_t reader_read_at(int fd, uint64_t offset, void *data, size_t bytes);

enum { READER_SPARE_BYTES = 16 << 20 }; // of holes that are read like data

// The bytes of a file that are there: its size without holes, as far as the file system tells.
uint64_t reader_data_bytes(int fd);

// Adds a message to reader->problems (the first READER_PROBLEMS of them are kept).
__attribute__((format(printf, 2, 3))) void reader_complain(struct trace_reader *reader,
                                                           const char *format, ...);

// Replaces every reference that leads nowhere by TRACE_NONE and says how many there were.
void reader_check(struct trace_reader *reader);

// Finds out whether the process runs: sets state, pid and end_ns.
// pid: as in reader_open. `reader->fd` is open.
void reader_find_process(struct trace_reader *reader, pid_t pid);

#endif
