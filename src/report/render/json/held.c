// Who holds what now, as JSON: the sessions that are out, oldest first.
#include <inttypes.h>

#include "report/render/json/values.h"
#include "report/render/renderer.h"

static json_t *now_json(const struct profile_now *now)
{
    json_t *object = json_object();
    json_set_text(object, "problem", now->problem);
    if (now->closed)
        json_object_set_new(object, "closed", json_true());
    if (now->place != NOW_UNKNOWN)
        json_object_set_new(object, "in_function", json_boolean(now->place == NOW_INSIDE));
    if (now->again)
        json_object_set_new(object, "again", json_true());
    if (now->suspended)
        json_object_set_new(object, "suspended", json_true());
    if (now->place == NOW_INSIDE)
        json_set_number(object, "frame", now->at);
    if (now->place == NOW_RETURNED && now->at < now->stack->count)
        json_set_number(object, "caller", now->at);
    if (now->stack)
        json_object_set_new(object, "frames", json_frames(now->stack));
    if (now->paused_ns > 0)
        json_set_seconds(object, "paused", now->paused_ns);
    return object;
}

static void set_acquired(const struct profile *profile, json_t *object,
                         const struct profile_session *session)
{
    json_set_seconds(object, "acquired", session->acquired_ns);
    json_set_text(object, "time",
                  json_time_text(profile->arena, session->process, session->acquired_ns));
}

// Open before the attach: "age" is the least, and who holds it is what can be told.
static void set_unseen(json_t *object, const struct profile_session *session)
{
    json_object_set_new(object, "before_attach", json_true());
    if (session->age_most_ns > 0)
        json_set_seconds(object, "age_at_most", session->age_most_ns);
    json_set_text(object, "held_by", session->holder);
    if (!session->holder_stack)
        return;
    json_t *holder = json_object();
    size_t index = frames_user(session->holder_stack, 0);
    if (index < session->holder_stack->count)
        json_set_place(holder, &session->holder_stack->frame[index]);
    json_object_set_new(holder, "frames", json_frames(session->holder_stack));
    json_object_set_new(object, "holder", holder);
}

static json_t *session_json(const struct profile *profile, const struct profile_session *session)
{
    json_t *object = json_object();
    json_set_seconds(object, "age", session->age_ns);
    if (session->age_least)
        json_object_set_new(object, "age_at_least", json_true());
    if (session->unseen)
        set_unseen(object, session);
    else
        set_acquired(profile, object, session);
    json_set_text(object, "kind", profile_kind_name(session->kind));
    json_set_number(object, "pid", session->process->header->pid);
    if (session->tid > 0)
        json_set_number(object, "tid", session->tid);
    json_set_text(object, "thread", session->thread);
    json_set_text(object, "database", session->database);
    json_set_text(object, "test", session->test);
    json_set_text(object, "task", session->task);
    json_set_text(object, "statement", session->detail);
    json_set_text(object, "condition", profile_session_condition(session));
    if (session->overdue)
        json_object_set_new(object, "overdue", json_true());
    json_set_text(object, "handle", arena_format(profile->arena, "0x%" PRIx64, session->handle));
    if (session->flags & TRACE_SESSION_ASKED)
        json_object_set_new(object, "transaction",
                            json_boolean(session->flags & TRACE_SESSION_TRANSACTION));
    if (session->pool) {
        json_t *pool = json_object();
        json_set_text(pool, "kind", session->pool->kind);
        json_set_text(pool, "name", session->pool->name);
        json_object_set_new(object, "pool", pool);
    }
    if (session->site) {
        json_set_text(object, "site", session->site->id);
        json_set_place(object, session->site->name);
        json_object_set_new(object, "frames", json_frames(session->site->stack));
        if (session->site->created && session->site->created->count > 0)
            json_object_set_new(object, "created", json_frames(session->site->created));
    }
    if (session->now)
        json_object_set_new(object, "now", now_json(session->now));
    return object;
}

void json_held(const struct profile *profile, const struct render_options *options, FILE *out)
{
    (void)options; // all of them are given
    json_t *root = json_object();
    json_set_number(root, "schema", 1);
    json_t *held = json_array();
    for (size_t i = 0; i < profile->sessions.count; i++)
        if (profile_session_is_listed(profile, profile->sessions.item[i]))
            json_array_append_new(held, session_json(profile, profile->sessions.item[i]));
    json_object_set_new(root, "held", held);
    json_print(root, 2, out);
}
