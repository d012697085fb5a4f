// What a site is called in the next version of the program, too: its stable key.
//
// One key serves baselines, `unclosed diff` and the fingerprints that code hosts compare. It is
// made of the kind, the qualified name of the function, and the text of the line that acquired; of
// no file, address or line number. So lines may be inserted above, and the function may move to
// another file. Callers further out are not in it: they belong to sessions, and one more test that
// calls the function makes no other site.
// Knows the profile and source text; nothing of baselines. Not thread-safe.
#ifndef UNCLOSED_REPORT_PROFILE_SITE_KEY_H
#define UNCLOSED_REPORT_PROFILE_SITE_KEY_H

#include "report/profile/profile.h"

struct site_key {
    char hash[17];    // 64 bits in hexadecimal: of kind, name and line
    unsigned ordinal; // among the equal lines of the function, from 1
    unsigned equals;  // how many equal lines the function has, with this one; at least 1
    unsigned place;   // among sites of the same hash and ordinal in other files, from 1
    const char *name; // "Store.save"; "tool.main", "app.<module>" where the function alone says
                      // little; "" if nothing is known
    const char *code; // the line that acquired, without comments, blanks as one; "" unreadable
    const char *file; // of the site, relative as far as possible, never absolute; or ""
    const char *text; // all of it that is no file: "0123456789abcdef.1.1"
};

// The keys of all sites of a profile, in the order of profile->sites; lives as long as the profile.
// Files of native code without source text count equal lines in the order of their addresses.
// root: absolute path of a folder that files below it are named from; NULL: the working directory
// of their process.
const struct site_key *site_keys_make(const struct profile *profile, const char *root);

// Makes a path plain, in place: "src/../lib/./a.c" is "lib/a.c".
void site_key_drop_dots(char *path);

// The text with what is between quotes left out: connect("...") of connect("postgresql://u:p@h/d").
// Lives as long as the arena.
const char *site_key_without_literals(struct arena *arena, const char *code);

#endif
