// Where the holders of sessions are at this moment: asking, naming, comparing with the acquires.
//
// A session that has been closed while this was found out says nothing: so each is looked up in the
// trace again after its thread was looked at.
#include <string.h>

#include "report/code/naming.h"
#include "report/profile/build.h"

static const uint64_t thread_began_slack_ns = 20000000; // two clock ticks

// The thread that holds a session of the process `index`, or NULL.
static struct now_thread *thread_of(struct now_process *process,
                                    const struct profile_session *session)
{
    for (size_t i = 0; i < process->threads.count; i++)
        if (process->threads.item[i].tid == session->tid)
            return &process->threads.item[i];
    return NULL;
}

static void list_threads(const struct profile *profile, const struct source *source,
                         struct now_process *process)
{
    for (size_t i = 0; i < profile->sessions.count; i++) {
        const struct profile_session *session = profile->sessions.item[i];
        if (session->process == source->process && session->tid != 0 &&
            profile_session_is_listed(profile, session) && !thread_of(process, session))
            *LIST_ADD(profile->arena, &process->threads) = (struct now_thread){.tid = session->tid};
    }
}

static bool has_greenlets(const struct now_process *process)
{
    for (size_t i = 0; i < process->modules.count; i++)
        if (strstr(process->modules.item[i].path, "greenlet"))
            return true;
    return false;
}

// Whether another session was acquired at the same line by the same thread, called from the same
// place. Stacks are not the same for that: inside of a library they differ.
static bool is_same_call(const struct profile_session *one, const struct profile_session *other)
{
    size_t at;
    return one->process == other->process && one->tid == other->tid && one->site == other->site &&
           other->named &&
           now_compare(one->named, one->named_index, other->named, false, &at) == NOW_INSIDE &&
           at == other->named_index;
}

// Whether a younger session was acquired like this one, which may be of an earlier call then.
static bool has_younger(const struct profile *profile, const struct profile_session *session)
{
    for (size_t i = 0; i < profile->sessions.count; i++) {
        const struct profile_session *other = profile->sessions.item[i];
        if (other->acquired_ns > session->acquired_ns && is_same_call(session, other))
            return true;
    }
    return false;
}

// Whether the function that acquired can be left without having returned.
static bool may_suspend(const struct profile *profile, const struct profile_session *session)
{
    const struct frame *frame = &session->named->frame[session->named_index];
    return session->task[0] ||
           (frame->runtime &&
            naming_python_suspends(profile->code, session->process->header->directory, frame->file,
                                   frame->line));
}

static void compare(const struct profile *profile, const struct profile_session *session,
                    const struct now_process *process, struct profile_now *now)
{
    const struct frames *named = session->named;
    if (!named || session->named_index >= named->count ||
        (named->frame[session->named_index].runtime && !process->languages))
        return;
    now->place =
        now_compare(named, session->named_index, now->stack, has_greenlets(process), &now->at);
    if (now->place == NOW_RETURNED && may_suspend(profile, session)) {
        now->place = NOW_UNKNOWN;
        now->suspended = true;
    }
    now->again = now->place == NOW_INSIDE && has_younger(profile, session);
}

static struct profile_now *describe(const struct profile *profile, const struct source *source,
                                    const struct profile_session *session,
                                    const struct now_process *process,
                                    const struct now_thread *thread, const struct frames *stack)
{
    struct profile_now *now = arena_take(profile->arena, sizeof *now);
    uint64_t acquired_ns = source->trace->header.start_ns + session->acquired_ns;
    now->paused_ns = thread->paused_ns;
    now->closed = !reader_session_lives(source->trace, session->slot);
    now->problem = thread->problem;
    // Another thread has got the same id.
    if (!(session->flags & TRACE_SESSION_INHERITED) &&
        thread->began_ns > acquired_ns + thread_began_slack_ns)
        now->problem = "has ended";
    if (now->problem || now->closed)
        return now;
    now->stack = stack;
    compare(profile, session, process, now);
    return now;
}

static void build_process(struct profile_builder *builder, const struct source *source)
{
    struct profile *profile = builder->profile;
    struct now_process process = {.pid = source->trace->pid};
    list_threads(profile, source, &process);
    if (process.threads.count == 0)
        return;
    const char *problem = builder->asking.look(profile->arena, &process);
    if (problem) {
        builder->asking.complain(builder->asking.data,
                                 arena_format(profile->arena, "no current stacks: %s", problem));
        return;
    }
    const struct frames **stacks =
        arena_take(profile->arena, process.threads.count * sizeof *stacks);
    for (size_t i = 0; i < process.threads.count; i++)
        stacks[i] = frames_now(source->frames, &process, &process.threads.item[i]);
    for (size_t i = 0; i < profile->sessions.count; i++) {
        struct profile_session *session = profile->sessions.item[i];
        if (session->process != source->process || !profile_session_is_listed(profile, session))
            continue;
        const struct now_thread *thread = thread_of(&process, session);
        if (thread)
            session->now = describe(profile, source, session, &process, thread,
                                    stacks[thread - process.threads.item]);
    }
}

static const char *why_not(const struct source *source)
{
    switch (source->trace->state) {
    case READER_DETACHED:
        return "it is no longer traced";
    case READER_EXEC:
        return "it now runs another program";
    default:
        return "it has ended";
    }
}

void profile_build_now(struct profile_builder *builder)
{
    if (!builder->asking.look)
        return;
    for (size_t i = 0; i < builder->sources.count; i++) {
        const struct source *source = builder->sources.item[i];
        if (source->trace->state == READER_RUNNING && source->trace->pid != 0)
            build_process(builder, source);
        else
            builder->asking.complain(builder->asking.data,
                                     arena_format(builder->profile->arena,
                                                  "no current stacks of process %u: %s",
                                                  source->process->header->pid, why_not(source)));
    }
}
