// Misuse, functions never seen, and groups in the text report.
#include <inttypes.h>
#include <string.h>

#include "report/code/owners.h"
#include "report/profile/groups.h"
#include "report/render/text/text.h"

enum { MISUSES_SHOWN = 10 };

static const char *misuse_words(enum trace_misuse_kind kind)
{
    switch (kind) {
    case TRACE_MISUSE_UNKNOWN:
        return "of a handle whose opening was not seen";
    case TRACE_MISUSE_DOUBLE:
        return "of a session that was already closed";
    case TRACE_MISUSE_CHILD:
        return "in a forked child of a session that the parent opened";
    }
    return "of a handle in a wrong state";
}

static void print_misuse(const struct text *text, const struct profile_misuse *misuse)
{
    const struct sheet *sheet = &text->sheet;
    struct arena *arena = sheet->arena;
    const char *directory = misuse->process->header->directory;
    sheet_print(sheet, SHEET_WARN, "misuse: %s %s",
                misuse->function[0] ? misuse->function : "release", misuse_words(misuse->kind));
    fprintf(sheet->out, ", %s\n      ", text_count(arena, misuse->count, "time", "times"));
    sheet_print(sheet, SHEET_BOLD, "%s\n", sheet_frame(arena, misuse->name, directory));
    text_code(text, misuse->name, directory, 8);
    text_frames(text, misuse->stack, misuse->name, directory, 6);
    struct sheet_line line = sheet_line_begin(sheet, 6);
    sheet_line_add(&line, SHEET_PLAIN, arena_format(arena, "handle 0x%" PRIx64, misuse->handle));
    if (misuse->database[0])
        sheet_line_add(
            &line, SHEET_PLAIN,
            arena_format(
                arena, "db %s",
                sheet_clean(arena, owners_relative_path(misuse->database, directory), 60)));
    if (misuse->thread[0])
        sheet_line_add(&line, SHEET_PLAIN,
                       arena_format(arena, "thread %s", sheet_clean(arena, misuse->thread, 40)));
    if (misuse->site)
        sheet_line_add(
            &line, SHEET_PLAIN,
            arena_format(arena, "opened at %s", sheet_frame(arena, misuse->site->name, directory)));
    sheet_line_end(&line);
}

void text_misuses(const struct text *text)
{
    const struct profile *profile = text->profile;
    size_t shown = profile->misuses.count;
    if (text->options->limit > 0 && shown > MISUSES_SHOWN)
        shown = MISUSES_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        fputc('\n', text->sheet.out);
        print_misuse(text, profile->misuses.item[i]);
    }
    if (shown < profile->misuses.count)
        fprintf(text->sheet.out, "\n%s (-n 0 for all)\n",
                text_count(text->sheet.arena, profile->misuses.count - shown, "more misuse",
                           "more misuses"));
}

void text_groups(const struct text *text)
{
    struct arena *arena = text->sheet.arena;
    struct groups groups = groups_of(text->profile, text->options->group_by);
    size_t shown = groups.count;
    if (text->options->limit > 0 && shown > text->options->limit)
        shown = text->options->limit;
    fputc('\n', text->sheet.out);
    for (size_t i = 0; i < shown; i++) {
        const struct group *group = &groups.item[i];
        fprintf(text->sheet.out, "%zu. ", i + 1);
        sheet_print(&text->sheet, SHEET_BOLD, "%s\n", sheet_clean(arena, group->name, 0));
        struct sheet_line line = sheet_line_begin(&text->sheet, 6);
        sheet_line_add(&line, SHEET_BAD,
                       group->opened
                           ? arena_format(arena, "%" PRIu64 " of %" PRIu64 " never closed",
                                          group->never_closed, group->opened)
                           : arena_format(arena, "%" PRIu64 " never closed", group->never_closed));
        sheet_line_add(&line, SHEET_PLAIN,
                       text_count(arena, group->holders.count, "site", "sites"));
        sheet_line_add(&line, SHEET_PLAIN,
                       arena_format(arena, "longest %s", sheet_duration(arena, group->longest_ns)));
        sheet_line_end(&line);
        line = sheet_line_begin(&text->sheet, 6);
        text_holders(text, &line, &group->holders, false);
        sheet_line_end(&line);
    }
    if (shown < groups.count)
        fprintf(text->sheet.out, "%zu more (-n 0 for all)\n", groups.count - shown);
}
