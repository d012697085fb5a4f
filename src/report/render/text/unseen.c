// What was not seen: functions that were never called, and those of which not all calls are seen.
// See text.h.
#include <string.h>

#include "report/render/text/text.h"

static bool is_inside(const struct profile *profile, const char *function)
{
    for (size_t i = 0; i < profile->inside.count; i++)
        if (strcmp(profile->inside.item[i]->function, function) == 0)
            return true;
    return false;
}

// The functions with this reason, separated by commas. NULL: `first` is not the first of them.
static const char *list_inside(const struct text *text, size_t first)
{
    const struct profile *profile = text->profile;
    struct arena *arena = text->sheet.arena;
    const char *list = "";
    for (size_t i = 0; i < profile->inside.count; i++) {
        const struct profile_inside *inside = profile->inside.item[i];
        if (inside->reason != profile->inside.item[first]->reason)
            continue;
        if (i < first)
            return NULL;
        list = arena_format(arena, "%s%s%s", list, *list ? ", " : "",
                            sheet_clean(arena, inside->function, 0));
    }
    return list;
}

static void write_inside(const struct text *text)
{
    for (size_t i = 0; i < text->profile->inside.count; i++) {
        const char *list = list_inside(text, i);
        if (list)
            sheet_wrap(&text->sheet, SHEET_WARN, 0,
                       arena_format(text->sheet.arena,
                                    "not all calls of %s, inside the program, are traced: %s", list,
                                    text->profile->inside.item[i]->reason));
    }
}

// What the profile's maker was told, as `unclosed run` says it.
static void write_given(const struct text *text)
{
    for (size_t i = 0; i < text->profile->blind_given; i++) {
        const struct profile_blind *blind = text->profile->blind.item[i];
        sheet_wrap(&text->sheet, SHEET_WARN, 0,
                   arena_format(text->sheet.arena, "not seen: %s%s%s; %s",
                                sheet_clean(text->sheet.arena, blind->program, 0),
                                *blind->program ? ": " : "",
                                sheet_clean(text->sheet.arena, blind->reason, 0), blind->remedy));
    }
}

void text_unseen(const struct text *text)
{
    const struct profile *profile = text->profile;
    struct arena *arena = text->sheet.arena;
    const char *list = "";
    bool sqlite = false;
    for (size_t i = 0; i < profile->unseen.count; i++) {
        const char *name = profile->unseen.item[i];
        if (strncmp(name, "sqlite3_", strlen("sqlite3_")) == 0)
            sqlite = true;
        else if (!is_inside(profile, name))
            list =
                arena_format(arena, "%s%s %s", list, *list ? "," : "", sheet_clean(arena, name, 0));
    }
    const bool given = profile->blind_given > 0 && !text->options->blind_told;
    if (*list || sqlite || profile->inside.count > 0 || given)
        fputc('\n', text->sheet.out);
    if (sqlite)
        sheet_wrap(&text->sheet, SHEET_WARN, 0,
                   "SQLite is loaded, but no call to it was traced. Calls through pointers "
                   "obtained before the attach are not traced: if the program uses SQLite, start "
                   "it with `unclosed run`");
    if (*list)
        sheet_wrap(&text->sheet, SHEET_WARN, 0,
                   arena_format(arena,
                                "requested but never called:%s (check the names; a function inside "
                                "a program is found only if its file has symbols)",
                                list));
    write_inside(text);
    if (given)
        write_given(text);
}
