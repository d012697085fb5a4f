// One line each about the whole of it: see words.h.
#include "cli/top/words.h"

#include <inttypes.h>

#include "report/render/text/sheet.h"
#include "report/render/text/words.h"

static const struct profile_process *main_process(const struct profile *profile)
{
    for (size_t i = 0; i < profile->processes.count; i++)
        if (profile->processes.item[i]->state == READER_RUNNING)
            return profile->processes.item[i];
    return profile->processes.count ? profile->processes.item[profile->processes.count - 1] : NULL;
}

const char *top_words_processes(struct arena *arena, const struct top_snapshot *snapshot)
{
    const struct profile *profile = snapshot->profile;
    const struct profile_process *process = main_process(profile);
    if (!process)
        return "no process";
    if (profile->processes.count > 1)
        return arena_format(arena, "%zu processes, %" PRIu64 " running", profile->processes.count,
                            profile->running);
    return arena_format(arena, "%s[%u]", text_program_name(arena, process), process->header->pid);
}

const char *top_words_state(struct arena *arena, const struct top_snapshot *snapshot)
{
    const struct profile *profile = snapshot->profile;
    const struct profile_process *process = main_process(profile);
    if (!process)
        return "";
    const char *time = sheet_duration(arena, process->seconds_ns);
    switch (process->state) {
    case READER_RUNNING:
        return arena_format(arena, "traced for %s", time);
    case READER_DETACHED:
        return arena_format(arena, "DETACHED after %s", time);
    case READER_EXEC:
        return arena_format(arena, "ENDED (exec) after %s", time);
    case READER_GONE:
        return arena_format(arena, "NO EXIT RECORD (killed?) after %s", time);
    default:
        return arena_format(arena, "ENDED (%s) after %s", profile_ended(profile, process), time);
    }
}

const char *top_words_totals(struct arena *arena, const struct top_snapshot *snapshot)
{
    const struct profile *profile = snapshot->profile;
    const char *held = "";
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++) {
        const char *name = profile_kind_name((enum trace_kind)kind);
        if (snapshot->held[kind])
            held = arena_format(
                arena, "%s%s%s", held, held[0] ? ", " : "",
                text_count(arena, snapshot->held[kind], name, arena_format(arena, "%ss", name)));
    }
    const char *line =
        arena_format(arena, "%s %s · opened %" PRIu64 " · released %" PRIu64,
                     snapshot->ended ? "held at the end" : "held", held[0] ? held : "nothing",
                     profile->total.opened - profile->total.pooled, profile->total.released);
    uint64_t reclaimed = profile->total.reclaimed - profile->total.shutdown;
    if (reclaimed)
        line = arena_format(arena, "%s · reclaimed %" PRIu64, line, reclaimed);
    if (snapshot->pre_existing_held)
        line =
            arena_format(arena, "%s · %" PRIu64 " pre-existing", line, snapshot->pre_existing_held);
    if (snapshot->inherited_held)
        line = arena_format(arena, "%s · %" PRIu64 " inherited", line, snapshot->inherited_held);
    if (snapshot->in_transaction)
        line =
            arena_format(arena, "%s · %" PRIu64 " in transaction", line, snapshot->in_transaction);
    return line;
}

const char *top_words_command(struct arena *arena, const struct top_snapshot *snapshot)
{
    const struct profile_process *process = main_process(snapshot->profile);
    return process ? sheet_clean(arena, process->header->command, 0) : "";
}

const char *top_words_note(struct arena *arena, const struct top_snapshot *snapshot)
{
    const struct profile *profile = snapshot->profile;
    if (snapshot->lost)
        return arena_format(arena, "%s lost; `unclosed report` says why",
                            text_count(arena, snapshot->lost, "record was", "records were"));
    if (profile->problems.count == 0)
        return "";
    return sheet_clean(arena, profile->problems.item[profile->problems.count - 1], 0);
}
