// The public API's side in the recorder: include/unclosed.h and the exported unclosed_* functions.
#ifndef UNCLOSED_RECORDER_LIFE_API_H
#define UNCLOSED_RECORDER_LIFE_API_H

#include <link.h>
#include <stdbool.h>

// Gives a module that has included unclosed.h the table of functions, or takes it away (detach).
void api_connect(const struct dl_phdr_info *info, bool connect);

// Whether any module has.
bool api_is_used(void);

// The same for all modules that are loaded.
void api_connect_all(bool connect);

#endif
