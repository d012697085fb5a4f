// Where the holder of a session is now, in words: whether the function that acquired is still
// active, and what the thread does instead.
#include <string.h>

#include "report/text.h"

enum {
    INDENT = 14,
    FRAMES_SHOWN = 5,
};

// Frames that say something to people: of the kind at hand, the user's own where there are any.
static bool is_shown(const struct frame *frame, bool runtime, bool any)
{
    return frame->runtime == runtime && (any || frame->owner == FRAME_USER) &&
           (frame->function || frame->file);
}

static bool has_user_frames(const struct frames *stack, bool runtime)
{
    for (size_t i = 0; i < stack->count; i++)
        if (is_shown(&stack->frame[i], runtime, false))
            return true;
    return false;
}

// The innermost frames, down to `last` or as many as are worth it.
static void print_frames(const struct text *text, const struct profile_session *session,
                         size_t last)
{
    const struct frames *stack = session->now->stack;
    const char *directory = session->process->header->directory;
    const bool any = text->request->all_frames || !has_user_frames(stack, stack->has_locations);
    int shown = 0;
    for (size_t i = 0; i < stack->count && shown < FRAMES_SHOWN; i++) {
        const struct frame *frame = &stack->frame[i];
        if (!is_shown(frame, stack->has_locations, any) || i > last)
            continue;
        if (shown++ == 0) {
            text_frame(text, "now at", frame, directory, INDENT);
            text_code(text, frame, directory, INDENT + 10);
        } else {
            text_frame(text, shown == 2 ? "called by" : "", frame, directory, INDENT);
        }
    }
}

static void print_whole(const struct text *text, const struct profile_session *session)
{
    const struct frames *stack = session->now->stack;
    const char *directory = session->process->header->directory;
    for (size_t i = 0; i < stack->count; i++)
        text_frame(text, arena_format(text->sheet.arena, "#%zu", i), &stack->frame[i], directory,
                   INDENT);
    if (stack->cut)
        sheet_print(&text->sheet, SHEET_DIM, "%*s(deeper frames could not be read)\n", INDENT, "");
}

static const char *thread_name(const struct text *text, const struct profile_session *session)
{
    struct arena *arena = text->sheet.arena;
    return session->thread[0]
               ? arena_format(arena, "thread %s", sheet_clean(arena, session->thread, 40))
               : arena_format(arena, "thread %u", session->tid);
}

static const char *function_name(const struct text *text, const struct profile_session *session)
{
    const struct frame *frame = session->named && session->named_index < session->named->count
                                    ? &session->named->frame[session->named_index]
                                    : NULL;
    if (!frame || !frame->function)
        return "the function that acquired";
    if (frame->function[0] == '<') // <module>, <lambda>
        return sheet_clean(text->sheet.arena, frame->function, 60);
    return arena_format(text->sheet.arena, "%s()",
                        sheet_clean(text->sheet.arena, frame->function, 60));
}

// The fact, in words.
static const char *say(const struct text *text, const struct profile_session *session)
{
    struct arena *arena = text->sheet.arena;
    const struct profile_now *now = session->now;
    const char *function = function_name(text, session);
    if (now->again)
        return arena_format(arena, "still in %s, or in a later call of it", function);
    if (now->place == NOW_INSIDE)
        return arena_format(arena, "still in %s", function);
    if (now->place == NOW_RETURNED)
        return arena_format(arena, "%s has returned", function);
    if (now->suspended && session->task[0])
        return arena_format(arena,
                            "the task is not running: %s is suspended, which leaves no stack, or "
                            "has returned; its thread is elsewhere",
                            function);
    if (now->suspended)
        return arena_format(arena, "%s is suspended (it can be left in the middle) or has returned",
                            function);
    return session->named ? arena_format(arena, "not known whether %s has returned", function) : "";
}

void text_now(const struct text *text, const struct profile_session *session)
{
    const struct sheet *sheet = &text->sheet;
    const struct profile_now *now = session->now;
    if (now->closed) {
        sheet_print(sheet, SHEET_GOOD, "%*snow: closed since\n", INDENT, "");
        return;
    }
    if (now->problem) {
        fprintf(sheet->out, "%*snow: %s %s\n", INDENT, "", thread_name(text, session),
                now->problem);
        return;
    }
    const char *words = say(text, session);
    if (words[0]) {
        const enum sheet_style style = now->place == NOW_RETURNED ? SHEET_BAD : SHEET_PLAIN;
        sheet_wrap(sheet, style, INDENT, arena_format(sheet->arena, "now: %s", words));
    }
    if (text->request->all_frames)
        print_whole(text, session);
    else
        print_frames(text, session, now->place == NOW_INSIDE ? now->at : SIZE_MAX);
}
