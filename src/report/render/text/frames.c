// Stacks in the text report: frames, and the line of source code of one.
#include "report/render/text/text.h"

enum { CALLERS_SHOWN = 4 }; // user frames above the one that names a stack

void text_code(const struct text *text, const struct frame *frame, const char *directory,
               unsigned indent)
{
    const char *line = profile_code(text->profile, frame, directory);
    if (*line)
        sheet_print(&text->sheet, SHEET_BOLD, "%*s%s\n", (int)indent, "",
                    sheet_clean(text->sheet.arena, line, text->sheet.width - indent));
}

void text_frame(const struct text *text, const char *label, const struct frame *frame,
                const char *directory, unsigned indent)
{
    const char *shown = sheet_frame(text->sheet.arena, frame, directory);
    sheet_print(&text->sheet, SHEET_DIM, "%*s%-10s%s%s\n", (int)indent, "", label, shown,
                frame->inlined && text->options->all_frames ? " (inlined)" : "");
}

void text_whole_stack(const struct text *text, const struct frames *stack, const char *directory,
                      unsigned indent)
{
    for (size_t i = 0; i < stack->count; i++)
        text_frame(text, arena_format(text->sheet.arena, "#%zu", i), &stack->frame[i], directory,
                   indent);
    if (stack->cut)
        sheet_print(&text->sheet, SHEET_DIM, "%*s(deeper frames were not recorded)\n", (int)indent,
                    "");
}

void text_frames(const struct text *text, const struct frames *stack, const struct frame *name,
                 const char *directory, unsigned indent)
{
    if (!stack)
        return;
    if (text->options->all_frames) {
        text_whole_stack(text, stack, directory, indent);
        return;
    }
    size_t start = name ? (size_t)(name - stack->frame) : stack->count;
    if (start >= stack->count) // named by another stack
        return;
    // Where the user's code is not known, its callers are what can be told.
    bool any = stack->frame[start].owner != FRAME_USER;
    int shown = 0;
    for (size_t i = start + 1; i < stack->count && shown < CALLERS_SHOWN; i++) {
        const struct frame *frame = &stack->frame[i];
        if (frame->runtime != stack->frame[start].runtime || (frame->owner != FRAME_USER && !any) ||
            (!frame->function && !frame->file))
            continue;
        text_frame(text, shown++ == 0 ? "called by" : "", frame, directory, indent);
    }
}
