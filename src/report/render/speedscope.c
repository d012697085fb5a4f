// The report for speedscope.app: profiles of sessions never closed, of hold time and of acquires,
// one for each kind of session.
//
// Source: speedscope's file-format-schema.json. Large and simple, so it is printed piece by piece.
#include <inttypes.h>

#include "report/code/map.h"
#include "report/render/plain.h"
#include "report/render/renderer.h"

enum metric { NEVER_CLOSED = 0, HOLD_TIME, ACQUIRES, METRICS };

struct speedscope {
    const struct profile *profile;
    FILE *out;
    struct map texts, frames; // their numbers from 1, as uintptr_t
    uint64_t text_count, frame_count;
};

static const struct frame no_backtrace = {.function = "(no backtrace)"};

// A text as JSON has it. It is clean, so that only quotes and backslashes are left to escape.
static const char *escape(char character)
{
    return character == '"' ? "\\\"" : character == '\\' ? "\\\\" : NULL;
}

static void put_text(struct speedscope *speedscope, const char *text)
{
    putc('"', speedscope->out);
    plain_print(text, escape, speedscope->out);
    putc('"', speedscope->out);
}

// Equal texts have one number.
static uint64_t text_number(struct speedscope *speedscope, const char *text)
{
    uint64_t number = text ? (uintptr_t)map_get_text(&speedscope->texts, text) : 0;
    if (text && number == 0) {
        number = ++speedscope->text_count;
        map_add_text(speedscope->profile->arena, &speedscope->texts, text,
                     (void *)(uintptr_t)number); // NOLINT(performance-no-int-to-ptr)
    }
    return number;
}

static uint64_t number_of(struct speedscope *speedscope, const struct frame *frame, bool *is_new)
{
    const uint64_t key[] = {
        text_number(speedscope, plain_function(frame)), text_number(speedscope, frame->file),
        text_number(speedscope, frame->module),         frame->line,
        *plain_function(frame) ? 0 : frame->offset, // what has a name is shown without it
    };
    uint64_t number = (uintptr_t)map_get(&speedscope->frames, key, sizeof key);
    *is_new = number == 0;
    if (number > 0)
        return number - 1;
    number = ++speedscope->frame_count;
    map_add(speedscope->profile->arena, &speedscope->frames, key, sizeof key,
            (void *)(uintptr_t)number); // NOLINT(performance-no-int-to-ptr)
    return number - 1;
}

static void put_frame(struct speedscope *speedscope, const struct frame *frame)
{
    bool is_new;
    const uint64_t number = number_of(speedscope, frame, &is_new);
    if (!is_new)
        return;
    fputs(number > 0 ? ",\n{\"name\":" : "\n{\"name\":", speedscope->out);
    put_text(speedscope, *plain_function(frame) ? plain_function(frame)
                                                : plain_frame(speedscope->profile->arena, frame));
    if (frame->file || frame->module) {
        fputs(",\"file\":", speedscope->out);
        put_text(speedscope, frame->file ? frame->file : frame->module);
    }
    if (frame->file && frame->line)
        fprintf(speedscope->out, ",\"line\":%u", frame->line);
    putc('}', speedscope->out);
}

static void put_frames(struct speedscope *speedscope)
{
    const struct profile *profile = speedscope->profile;
    put_frame(speedscope, &no_backtrace);
    for (size_t i = 0; i < profile->sites.count; i++) {
        const struct frames *stack = profile->sites.item[i]->stack;
        for (size_t j = 0; stack && j < stack->count; j++)
            put_frame(speedscope, &stack->frame[j]);
    }
}

static uint64_t weight_of(const struct profile_site *site, enum metric metric)
{
    switch (metric) {
    case NEVER_CLOSED:
        return site->tally.never_closed;
    case HOLD_TIME:
        return site->hold_ns;
    default:
        return site->tally.opened;
    }
}

static uint64_t sum_of(const struct profile *profile, enum trace_kind kind, enum metric metric)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < profile->sites.count; i++)
        if (profile->sites.item[i]->kind == kind)
            sum += weight_of(profile->sites.item[i], metric);
    return sum;
}

// Outermost frame first.
static void put_sample(struct speedscope *speedscope, const struct profile_site *site)
{
    const struct frames *stack = site->stack;
    bool is_new;
    putc('[', speedscope->out);
    if (!stack || stack->count == 0)
        fprintf(speedscope->out, "%" PRIu64, number_of(speedscope, &no_backtrace, &is_new));
    for (size_t i = stack ? stack->count : 0; i > 0; i--)
        fprintf(speedscope->out, "%" PRIu64 "%s",
                number_of(speedscope, &stack->frame[i - 1], &is_new), i > 1 ? "," : "");
    putc(']', speedscope->out);
}

static void put_profile(struct speedscope *speedscope, enum trace_kind kind, enum metric metric)
{
    static const char *const names[METRICS] = {"never closed", "hold time", "opened"};
    const struct profile *profile = speedscope->profile;
    fprintf(speedscope->out,
            "{\"type\":\"sampled\",\"name\":\"%ss %s\",\"unit\":\"%s\",\"startValue\":0,"
            "\"endValue\":%" PRIu64 ",\n\"samples\":[",
            profile_kind_name(kind), names[metric], metric == HOLD_TIME ? "nanoseconds" : "none",
            sum_of(profile, kind, metric));
    for (int pass = 0; pass < 2; pass++) {
        const char *comma = "";
        for (size_t i = 0; i < profile->sites.count; i++) {
            const struct profile_site *site = profile->sites.item[i];
            if (site->kind != kind || weight_of(site, metric) == 0)
                continue;
            fputs(comma, speedscope->out);
            comma = ",";
            if (pass == 0)
                put_sample(speedscope, site);
            else
                fprintf(speedscope->out, "%" PRIu64, weight_of(site, metric));
        }
        fputs(pass == 0 ? "],\n\"weights\":[" : "]}", speedscope->out);
    }
}

void speedscope_report(const struct profile *profile, const struct render_options *options,
                       FILE *out)
{
    struct speedscope speedscope = {.profile = profile, .out = out};
    const char *comma = "";
    (void)options; // whoever looks at it hides what is not to be seen
    fputs("{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
          "\"exporter\":\"unclosed\",\"name\":\"unclosed\",\"activeProfileIndex\":0,"
          "\"shared\":{\"frames\":[",
          out);
    put_frames(&speedscope);
    fputs("]},\n\"profiles\":[", out);
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++)
        for (int metric = 0; metric < METRICS; metric++) {
            if (sum_of(profile, (enum trace_kind)kind, (enum metric)metric) == 0 &&
                (kind != TRACE_HANDLE || metric != NEVER_CLOSED)) // one at least
                continue;
            fputs(comma, out);
            comma = ",\n";
            put_profile(&speedscope, (enum trace_kind)kind, (enum metric)metric);
        }
    fputs("]}\n", out);
    map_clear(&speedscope.frames);
    map_clear(&speedscope.texts);
}
