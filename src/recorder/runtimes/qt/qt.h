// Qt's SQL module in the traced process: who closes what QSqlDatabase has opened. docs/runtimes.md
// tells how it works.
#ifndef UNCLOSED_RECORDER_RUNTIMES_QT_QT_H
#define UNCLOSED_RECORDER_RUNTIMES_QT_QT_H

#include "recorder/runtimes/runtime.h"

extern const struct runtime qt_runtime;

#endif
