// The call specs that are active in a process: the shipped ones and those the user added.
//
// Knows where spec texts come from (embedded, files, literal text) and nothing of hooks. Shared by
// the recorder and the command line.
#ifndef UNCLOSED_SHARED_SPECS_H
#define UNCLOSED_SHARED_SPECS_H

#include "shared/spec.h"

// The text of all shipped specs, one file after the other, each under a line `#: NAME`.
// Generated from src/specs/*.spec; sqlite3 comes first.
extern const char spec_shipped[];

enum { SPECS_TEXT_BYTES = 64 * 1024, SPECS_SOURCE_BYTES = 256, SPECS_CAPACITY = 512 };

// What is wrong, and in which of the user's texts.
struct specs_error {
    char source[SPECS_SOURCE_BYTES]; // file name, or the beginning of the literal text
    int error;                       // errno if the file could not be read, 0: see `spec`
    struct spec_error spec;
};

// Whether `value` is the text of specs, not the name of one or a path: it contains a `(`, or a
// blank and no `/`.
bool specs_is_text(const char *value);

// Writes the spec text that `value` stands for to `text` (at most `bytes`, NUL-terminated).
// value: the text of specs, the name of a shipped spec ("libzdb"), or the path
// of a spec file (it contains a `/` or ends in ".spec"). Result: length of the text, or -1 with
// *error filled in: ENOENT no such file or shipped spec, EFBIG longer than `bytes`, EINVAL a file
// with NUL bytes in it. The text is not parsed here. Async-signal-safe: raw open, read and close;
// errno is kept.
int specs_resolve(const char *value, char *text, size_t bytes, struct specs_error *error);

// Fills `specs` with all shipped specs, then with those of the user, which are marked `asked`.
// A user's spec of a function takes the place of the shipped ones of that function.
// pools: value of UNCLOSED_POOLS or NULL: either the text of specs, or a list of names and paths
// separated by commas.
// text, bytes: room for the text of one file (SPECS_TEXT_BYTES will do).
// Result: number of specs, at most `capacity`. *error: what was wrong with the user's part, of
// which then nothing is used (E2BIG: more than `capacity`); source[0] is NUL if all is well. The
// shipped ones are always there.
// Async-signal-safe: no malloc, no stdio.
int specs_load(const char *pools, struct spec *specs, int capacity, char *text, size_t bytes,
               struct specs_error *error);

#endif
