// Where the holder of a session is now, in words: whether the function that acquired is still
// active, and what the thread does instead.
#include <string.h>

#include "report/render/text/text.h"

enum {
    INDENT = 14,
    FRAMES_SHOWN = 5,
};

// Frames that say something to people: of the kind at hand, the user's own where there are any. The
// user's own are shown without a name, too.
static bool is_shown(const struct frame *frame, bool runtime, bool any)
{
    const bool user = frame->owner == FRAME_USER;
    return frame->runtime == runtime && (any || user) &&
           (frame->function || frame->file || (user && frame->module));
}

static bool has_user_frames(const struct frames *stack, bool runtime)
{
    for (size_t i = 0; i < stack->count; i++)
        if (is_shown(&stack->frame[i], runtime, false))
            return true;
    return false;
}

static size_t count_shown(const struct frames *stack, size_t last, bool any)
{
    size_t count = 0;
    for (size_t i = 0; i < stack->count && i <= last; i++)
        count += is_shown(&stack->frame[i], stack->has_locations, any);
    return count;
}

// The innermost frames as far as `last`, which is shown in any case if it is a frame.
static void print_frames(const struct text *text, const struct profile_session *session,
                         size_t last)
{
    const struct frames *stack = session->now->stack;
    const char *directory = session->process->header->directory;
    const bool any = !has_user_frames(stack, stack->has_locations);
    const size_t count = count_shown(stack, last, any);
    size_t seen = 0;
    for (size_t i = 0; i < stack->count && i <= last; i++) {
        const struct frame *frame = &stack->frame[i];
        if (!is_shown(frame, stack->has_locations, any))
            continue;
        seen++;
        if (seen == 1) {
            text_frame(text, "thread at", frame, directory, INDENT);
            text_code(text, frame, directory, INDENT + 10);
        } else if (seen < FRAMES_SHOWN || (i == last && seen == FRAMES_SHOWN)) {
            text_frame(text, seen == 2 ? "called by" : "", frame, directory, INDENT);
        } else if (i == last) {
            sheet_print(&text->sheet, SHEET_DIM, "%*s(%zu more)\n", INDENT + 10, "",
                        count - FRAMES_SHOWN);
            text_frame(text, "", frame, directory, INDENT);
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

static const char *function_name(const struct text *text, const struct frame *frame)
{
    struct arena *arena = text->sheet.arena;
    if (!frame || !frame->function)
        return "the function that acquired";
    const char *name = sheet_clean(arena, frame->function, 60);
    return name[0] == '<' ? name : arena_format(arena, "%s()", name); // <module>, <lambda>
}

// The fact, in words; and why it is not known better.
static const char *say(const struct text *text, const struct profile_session *session,
                       const char **why)
{
    struct arena *arena = text->sheet.arena;
    const struct profile_now *now = session->now;
    *why = "";
    if (!session->named)
        return "";
    const char *function = function_name(text, session->named_index < session->named->count
                                                   ? &session->named->frame[session->named_index]
                                                   : NULL);
    if (now->again)
        return arena_format(arena, "in %s: that call, or a later one", function);
    if (now->place == NOW_INSIDE)
        return arena_format(arena, "still in %s", function);
    const struct frame *caller = now->at < now->stack->count ? &now->stack->frame[now->at] : NULL;
    if (now->place == NOW_RETURNED && caller && caller->owner == FRAME_USER && caller->function)
        return arena_format(arena, "%s has returned; still in %s", function,
                            function_name(text, caller));
    if (now->place == NOW_RETURNED)
        return arena_format(arena, "%s has returned", function);
    if (!now->suspended)
        return arena_format(arena, "unknown whether %s has returned", function);
    *why = session->task[0] ? "a waiting task has no stack"
                            : "a suspended generator or coroutine has no stack";
    return arena_format(arena, "%s is suspended or has returned", function);
}

static void print_label(const struct text *text)
{
    sheet_print(&text->sheet, SHEET_DIM, "%*s%-10s", INDENT, "", "now");
}

void text_now(const struct text *text, const struct profile_session *session)
{
    const struct sheet *sheet = &text->sheet;
    const struct profile_now *now = session->now;
    if (now->closed || now->problem) {
        print_label(text);
        fprintf(sheet->out, "%s\n",
                now->closed ? "closed since"
                            : arena_format(sheet->arena, "%s %s", thread_name(text, session),
                                           now->problem));
        return;
    }
    const char *why;
    const char *words = say(text, session, &why);
    if (words[0]) {
        print_label(text);
        struct sheet_line line = {.sheet = sheet, .indent = INDENT + 10, .column = INDENT + 10};
        sheet_line_add(&line, now->place == NOW_RETURNED ? SHEET_BAD : SHEET_PLAIN, words);
        sheet_line_add(&line, SHEET_DIM, why);
        sheet_line_end(&line);
    }
    if (text->options->all_frames)
        print_whole(text, session);
    else
        print_frames(text, session, now->place == NOW_INSIDE ? now->at : SIZE_MAX);
}

void text_now_pause(const struct text *text)
{
    const struct profile *profile = text->profile;
    uint64_t longest_ns = 0;
    for (size_t i = 0; i < profile->sessions.count; i++) {
        const struct profile_now *now = profile->sessions.item[i]->now;
        if (now && now->paused_ns > longest_ns)
            longest_ns = now->paused_ns;
    }
    if (longest_ns > 0)
        sheet_print(&text->sheet, SHEET_DIM, "each thread was paused for at most %s\n",
                    sheet_duration(text->sheet.arena, longest_ns));
}
