// What the traces themselves say was not seen: interpreters that were left alone, functions that
// could not be hooked, records that were lost. See profile_blind in profile.h.
#include <inttypes.h>

#include "report/profile/build.h"
#include "shared/trace_words.h"
#include "trace/trace_format.h"

static void add(struct profile *profile, const char *program, const char *reason,
                const char *remedy)
{
    for (size_t i = 0; i < profile->blind.count; i++)
        if (strcmp(profile->blind.item[i]->program, program) == 0 &&
            strcmp(profile->blind.item[i]->reason, reason) == 0)
            return;
    struct profile_blind *blind = arena_take(profile->arena, sizeof *blind);
    *blind = (struct profile_blind){program, reason, remedy};
    *LIST_ADD(profile->arena, &profile->blind) = blind;
}

void profile_add_blind(struct profile_builder *builder, const struct profile_blind *blind)
{
    struct profile *profile = builder->profile;
    add(profile, arena_text(profile->arena, blind->program),
        arena_text(profile->arena, blind->reason), arena_text(profile->arena, blind->remedy));
    profile->blind_given = profile->blind.count;
}

// Whether sessions of the interpreter may have gone unseen: of the other reasons only frames are.
static bool hides_sessions(const struct profile_process *process)
{
    const uint32_t reason = process->header->flags >> TRACE_FLAG_PYTHON_SHIFT & 0xff;
    return reason != TRACE_PYTHON_NEW && reason != TRACE_PYTHON_UNLIKE;
}

static void add_of_process(struct profile *profile, const struct profile_process *process)
{
    const char *program = arena_text(profile->arena, process->header->exe);
    const char *note = profile_python_note(profile->arena, process);
    if (note && hides_sessions(process))
        add(profile, program, note, "run it with a usual build of CPython 3.8 to 3.15");
    for (size_t i = 0; i < TRACE_RUNTIMES; i++) {
        note = profile_runtime_note(profile->arena, process, i);
        if (note)
            add(profile, program, note, "run it with a version that docs/runtimes.md lists");
    }
    for (int reason = 0; reason < TRACE_LOST_REASONS; reason++)
        if (process->header->lost[reason])
            add(profile, program,
                arena_format(profile->arena, "%" PRIu64 " records were lost: %s",
                             process->header->lost[reason],
                             trace_words_lost((enum trace_lost)reason)),
                "remove the reason and run it again");
}

void profile_build_blind(struct profile_builder *builder)
{
    struct profile *profile = builder->profile;
    for (size_t i = 0; i < profile->processes.count; i++)
        add_of_process(profile, profile->processes.item[i]);
    for (size_t i = 0; i < profile->inside.count; i++)
        add(profile, "",
            arena_format(profile->arena, "not all calls seen of %s, inside the program: %s",
                         profile->inside.item[i]->function, profile->inside.item[i]->reason),
            "put it into a shared library, or use unclosed.h");
}
