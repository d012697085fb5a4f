// The notes by which modules that include unclosed.h say where they want the table of functions.
#ifndef UNCLOSED_RECORDER_STACKS_API_NOTE_H
#define UNCLOSED_RECORDER_STACKS_API_NOTE_H

#include <link.h>
#include <stdbool.h>

struct unclosed_functions;

// The table that modules are given from now on; it stays where it is. Before anything is connected.
void api_note_offer(const struct unclosed_functions *functions);

// Gives a module that has a note the table, or takes it away (detach). Takes no lock: to be called
// where the module cannot be unmapped, from within dl_iterate_phdr.
void api_note_connect(const struct dl_phdr_info *info, bool connect);

// The same for all modules that are loaded.
void api_note_connect_all(bool connect);

// Whether any module has a note.
bool api_note_is_used(void);

#endif
