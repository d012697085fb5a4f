// What the parts of the writer share with each other and with nobody else.
#ifndef UNCLOSED_TRACE_TRACE_WRITER_PRIVATE_H
#define UNCLOSED_TRACE_TRACE_WRITER_PRIVATE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "trace/trace_writer.h"

// Whether this is the file that the trace was begun in. status: of a descriptor or a name.
static inline bool trace_is_file(const struct trace_writer *writer, const struct stat *status)
{
    return status->st_dev == writer->device && status->st_ino == writer->inode;
}

#endif
