// Naming frames from inside the process: see place.h.
#include "recorder/stacks/place.h"

#include <dlfcn.h>

#include "recorder/core/loader.h"
#include "recorder/core/recorder.h"

void each_record(enum trace_chunk_type type,
                 void (*visit)(const void *record, uint32_t ref, void *), void *data)
{
    trace_each(&recorder_trace, type, visit, data);
}

struct module_question {
    uint64_t address;
    const struct trace_module *module;
};

static void match_module(const void *record, uint32_t ref, void *data)
{
    const struct trace_module *module = record;
    struct module_question *question = data;
    (void)ref;
    if (question->address >= module->start && question->address < module->end &&
        (!question->module || module->unmapped_ns == 0))
        question->module = module;
}

static void log_native(struct log *log, uint64_t frame, bool symbols)
{
    struct module_question question = {.address = frame - 1};
    Dl_info info;
    each_record(TRACE_MODULES, match_module, &question);
    if (symbols && loader_address((void *)(frame - 1), &info) && info.dli_sname) { // NOLINT
        log_name(log, info.dli_sname);
        log_text(log, " ");
    }
    if (question.module) {
        log_text(log, "(");
        log_name(log, base_name(trace_string(&recorder_trace, question.module->path)));
        log_text(log, "+");
        log_hex(log, frame - 1 - question.module->bias);
        log_text(log, ")");
    } else {
        log_hex(log, frame);
    }
}

static const struct trace_location *location_of(uint64_t frame)
{
    return frame & TRACE_FRAME_LOCATION
               ? trace_record(&recorder_trace, TRACE_LOCATIONS, (uint32_t)frame)
               : NULL;
}

void log_frame(struct log *log, uint64_t frame, bool symbols)
{
    const struct trace_location *location = location_of(frame);
    if (location) {
        log_name(log, trace_string(&recorder_trace, location->file));
        log_text(log, ":");
        log_number(log, location->line);
        log_text(log, " ");
        log_name(log, trace_string(&recorder_trace, location->function));
    } else if (!(frame & TRACE_FRAME_LOCATION)) {
        log_native(log, frame, symbols);
    }
}

// A guess that needs no look at the file system: where packages and the runtime's own library lie.
static bool is_installed(const struct trace_location *location)
{
    const char *file = trace_string(&recorder_trace, location->file);
    static const char *const parts[] = {
        "/site-packages/", "/dist-packages/", "/lib/python", "/vendor/",
        "/perl5/",         "/share/perl",     "/lib/perl",   "/gems/",
        "/lib/ruby/",      "/share/lua/",     NULL,
    };
    for (const char *const *part = parts; *part; part++)
        if (strstr(file, *part))
            return true;
    return file[0] == '<';
}

// The frame of a stack that names it; 0: there is none. own: it is not of an installed package.
static uint64_t naming_frame(uint32_t stack, bool *own)
{
    const uint64_t *frames;
    uint32_t count = trace_stack_frames(&recorder_trace, stack, &frames, NULL);
    uint64_t first = 0;
    *own = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct trace_location *location = location_of(frames[i]);
        if (!location)
            continue;
        if (first == 0)
            first = frames[i];
        if (is_installed(location))
            continue;
        *own = true;
        return frames[i];
    }
    if (first == 0 && count > 0)
        first = frames[0];
    return first;
}

void log_site(struct log *log, const struct trace_site *site)
{
    bool own = false;
    uint64_t frame = site->created != TRACE_NONE ? naming_frame(site->created, &own) : 0;
    if (!own)
        frame = naming_frame(site->stack, &own);
    if (frame != 0)
        log_frame(log, frame, false);
    else
        log_text(log, "an unknown place");
}
