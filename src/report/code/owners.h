// Whose code a module or a source file is, judged by its path. Pure functions of their arguments.
#ifndef UNCLOSED_REPORT_CODE_OWNERS_H
#define UNCLOSED_REPORT_CODE_OWNERS_H

#include <stdbool.h>

#include "report/code/frames.h"

bool owners_is_recorder(const char *module); // libunclosed.so

// A database or pool library, which is never the user's, wherever it is installed.
bool owners_is_traced_library(const char *module);

// module: path of an ELF file; executable: path of the process's executable.
enum frame_owner owners_of_module(const char *module, const char *executable);

// file: as a language runtime names it.
enum frame_owner owners_of_source(const char *file);

// Whether a source file of native code is a header of the system: its functions end up inside the
// user's modules (templates, inline functions).
bool owners_is_system_header(const char *file);

// The part behind the last "/".
const char *owners_base_name(const char *path);

// The part behind `directory` if the path is below it, else the path.
const char *owners_relative_path(const char *path, const char *directory);

#endif
