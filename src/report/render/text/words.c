// Words for names, numbers and moments: see words.h.
#include "report/render/text/words.h"

#include <inttypes.h>
#include <time.h>

#include "report/code/owners.h"

enum { NAMES_SHOWN = 3 };

const char *text_count(struct arena *arena, uint64_t count, const char *one, const char *many)
{
    return arena_format(arena, "%" PRIu64 " %s", count, count == 1 ? one : many);
}

const char *text_decimal(struct arena *arena, double number)
{
    if (number < 0.01)
        return "less than 0.01";
    return arena_format(arena, number >= 99.5 ? "%.0f" : number >= 1 ? "%.1f" : "%.2g", number);
}

const char *text_clock(struct arena *arena, const struct profile_process *process, uint64_t at_ns)
{
    time_t seconds = (time_t)((process->header->start_realtime + at_ns) / 1000000000);
    struct tm local;
    char text[32];
    if (!localtime_r(&seconds, &local) || strftime(text, sizeof text, "%H:%M:%S", &local) == 0)
        return "?";
    return arena_text(arena, text);
}

const char *text_program_name(struct arena *arena, const struct profile_process *process)
{
    return sheet_clean(arena, owners_base_name(process->header->exe), 30);
}

const char *text_pool_name(struct arena *arena, const struct profile_pool *pool)
{
    return sheet_clean(arena, profile_pool_name(arena, pool), 70);
}

const char *text_names(struct arena *arena, const char *one, const char *many,
                       const profile_names *names)
{
    if (names->count == 0)
        return NULL;
    const char *list = sheet_clean(arena, names->item[0].name, 60);
    for (size_t i = 1; i < names->count && i < NAMES_SHOWN; i++)
        list = arena_format(arena, "%s, %s", list, sheet_clean(arena, names->item[i].name, 60));
    if (names->count > NAMES_SHOWN)
        list = arena_format(arena, "%s and %zu more", list, names->count - NAMES_SHOWN);
    return arena_format(arena, "%s %s", names->count == 1 ? one : many, list);
}

const char *text_inherited_label(const struct profile_inherited *counts)
{
    if (counts->forked == 0)
        return "pre-existing";
    return counts->forked == profile_inherited_count(counts) ? "inherited"
                                                             : "pre-existing or inherited";
}

const char *text_statement_label(bool close_refused)
{
    return close_refused ? "kept open by" : "statements not finalized";
}

const char *text_holder(struct arena *arena, const struct profile_session *session)
{
    const char *directory = session->process->header->directory;
    if (session->kind != TRACE_CHECKOUT)
        return "";
    if (session->holder_stack) {
        size_t index = frames_user(session->holder_stack, 0);
        if (index == session->holder_stack->count)
            index = 0;
        return arena_format(arena, "held by %s in %s (at the attach)",
                            sheet_clean(arena, session->holder, 60),
                            sheet_frame(arena, &session->holder_stack->frame[index], directory));
    }
    if (session->holder[0])
        return arena_format(arena, "held by %s that is in no variable of a running function",
                            sheet_clean(arena, session->holder, 60));
    return "held by no Session and in no variable of a running function";
}
