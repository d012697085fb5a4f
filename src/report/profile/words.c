// Words and counts that every renderer needs: see profile.h.
#include <inttypes.h>
#include <string.h>

#include "report/code/map.h"
#include "report/profile/profile.h"
#include "shared/trace_words.h"

const char *profile_kind_name(enum trace_kind kind)
{
    static const char *const names[TRACE_KINDS] = {
        [TRACE_HANDLE] = "handle",
        [TRACE_CHECKOUT] = "checkout",
        [TRACE_SESSION] = "session",
        [TRACE_STATEMENT] = "statement",
    };
    return kind > 0 && kind < TRACE_KINDS ? names[kind] : "session";
}

const char *profile_pool_name(struct arena *arena, const struct profile_pool *pool)
{
    const char *kind = pool->detail[0] ? pool->detail : pool->kind;
    const char *name = pool->name;
    if (!name[0] && pool->address)
        name = arena_format(arena, "at 0x%" PRIx64, pool->address);
    return arena_format(arena, "%s%s%s", kind, name[0] ? " " : "", name);
}

const char *profile_misuse_name(enum trace_misuse_kind kind)
{
    switch (kind) {
    case TRACE_MISUSE_UNKNOWN:
        return "unknown handle";
    case TRACE_MISUSE_DOUBLE:
        return "double release";
    case TRACE_MISUSE_CHILD:
        return "parent's session in child";
    }
    return "misuse";
}

const char *profile_python_note(struct arena *arena, const struct profile_process *process)
{
    uint32_t flags = process->header->flags;
    const char *reason = trace_words_python(flags >> TRACE_FLAG_PYTHON_SHIFT & 0xff);
    if (!(flags & TRACE_FLAG_PYTHON) || !reason)
        return NULL;
    return arena_format(arena, "Python %u.%u %s", flags >> TRACE_FLAG_PYTHON_MAJOR_SHIFT,
                        flags >> TRACE_FLAG_PYTHON_MINOR_SHIFT & 0xff, reason);
}

const char *profile_runtime_note(struct arena *arena, const struct profile_process *process,
                                 size_t index)
{
    const struct trace_runtime *runtime = &process->header->runtimes[index];
    const char *language = trace_words_language(runtime->language);
    const char *reason = trace_words_runtime(runtime->state);
    if (!language || !reason)
        return NULL;
    const char *unseen = runtime->state == TRACE_RUNTIME_LINES ? "its lines are not seen"
                         : runtime->state == TRACE_RUNTIME_CLOSERS
                             ? "whether the code closed a handle is not seen"
                             : "its lines are not seen, nor whether the code "
                               "closed a handle";
    return arena_format(arena, "%s %u.%u %s: %s", language, runtime->major, runtime->minor, reason,
                        unseen);
}

const char *profile_python_besides(const struct profile_process *process)
{
    return process->header->flags & TRACE_FLAG_PYTHON_BESIDES
               ? "Python code opened databases in interpreters besides the main one: the pools in "
                 "these are not seen (mod_wsgi: use WSGIApplicationGroup %{GLOBAL})"
               : NULL;
}

const char *profile_ended(const struct profile *profile, const struct profile_process *process)
{
    switch (process->state) {
    case READER_RUNNING:
        return "running";
    case READER_EXITED:
        return arena_format(profile->arena, "exit %d", process->header->end_status);
    case READER_SIGNALED:
        return arena_format(profile->arena, "signal %d", process->header->end_status);
    case READER_EXEC:
        return "exec";
    case READER_DETACHED:
        return "detached";
    case READER_GONE:
        break;
    }
    return "unknown";
}

bool profile_site_leaks(const struct profile_site *site)
{
    return site->tally.never_closed > 0 || site->tally.late > 0;
}

size_t profile_leaking_count(const struct profile *profile)
{
    size_t count = 0;
    for (size_t i = 0; i < profile->sites.count; i++)
        count += profile_site_leaks(profile->sites.item[i]);
    return count;
}

static const char *site_file(const struct profile_site *site)
{
    if (!site->name)
        return "";
    return site->name->file ? site->name->file : site->name->module ? site->name->module : "";
}

size_t profile_file_count(const struct profile *profile)
{
    struct map files = {0};
    size_t count = 0;
    for (size_t i = 0; i < profile->sites.count; i++) {
        const struct profile_site *site = profile->sites.item[i];
        const char *file = site_file(site);
        if (site->tally.never_closed == 0 || map_get_text(&files, file))
            continue;
        map_add_text(profile->arena, &files, file, profile->sites.item[i]);
        count++;
    }
    map_clear(&files);
    return count;
}

const char *profile_pattern(const struct profile_site *site)
{
    const struct profile_tally *tally = &site->tally;
    uint64_t judged = profile_judged(tally);
    if (tally->never_closed == 0 || tally->held > 0)
        return "";
    if (tally->refused + tally->zombie == tally->never_closed)
        return "close() came too early";
    if (tally->never_closed == judged && site->exceptions >= tally->never_closed)
        return "left by an exception";
    if (judged < 2)
        return "";
    return tally->never_closed == judged ? "no path closes it" : "some path skips close()";
}

const char *profile_code(const struct profile *profile, const struct frame *frame,
                         const char *directory)
{
    const char *line =
        frame ? code_text_line(profile->code, directory, frame->file, frame->line) : NULL;
    return line ? line + strspn(line, " \t") : "";
}

bool profile_session_is_listed(const struct profile *profile, const struct profile_session *session)
{
    return !(session->flags & TRACE_SESSION_POOLED) && session->age_ns >= profile->threshold_ns;
}

const char *profile_session_condition(const struct profile_session *session)
{
    if (session->releasing)
        return "being released";
    if (session->flags & TRACE_SESSION_ZOMBIE)
        return "zombie";
    if (session->flags & TRACE_SESSION_REFUSED)
        return "close refused";
    if (session->flags & TRACE_SESSION_INHERITED)
        return session->flags & TRACE_SESSION_USED ? "inherited, used since" : "inherited";
    if (session->flags & TRACE_SESSION_THREAD_ENDED && !(session->flags & TRACE_SESSION_POOLED))
        return "its thread has ended";
    return "";
}
