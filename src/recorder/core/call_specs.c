// The call specs of this process: see call_specs.h. Knows their texts, not what they are for.
#include "recorder/core/call_specs.h"

#include <errno.h>
#include <string.h>

#include "recorder/core/arena.h"
#include "recorder/core/log.h"
#include "recorder/core/recorder.h"
#include "shared/specs.h"

// A new attach may bring other specs, while wrapped calls that began before still have the old
// ones.
static struct spec first_specs[SPECS_CAPACITY], *specs = first_specs;
static int spec_count;
static char *loaded_pools; // what the specs were loaded for

static void complain(const struct specs_error *error)
{
    struct log log;
    log_open(&log);
    log_text(&log, "unclosed: pool specs not used: ");
    log_name(&log, error->source);
    if (error->error == 0) {
        log_text(&log, " line ");
        log_number(&log, (uint64_t)error->spec.line);
        log_text(&log, " column ");
        log_number(&log, (uint64_t)error->spec.column);
        log_text(&log, ": ");
        log_name(&log, error->spec.message);
    } else {
        const char *reason = strerrordesc_np(error->error);
        log_text(&log, ": ");
        log_text(&log, error->error == ENOENT ? "no such file or shipped spec"
                       : reason               ? reason
                                              : "unreadable");
    }
    log_text(&log, "; correct --pool or UNCLOSED_POOLS\n");
    log_close(&log);
}

static const char *wanted_pools(void)
{
    return recorder_options.pools ? recorder_options.pools : "";
}

// false: out of memory; the specs stay as they are.
static bool begin_again(void)
{
    char *copy = arena_alloc(strlen(wanted_pools()) + 1);
    struct spec *fresh = loaded_pools ? arena_alloc(SPECS_CAPACITY * sizeof *fresh) : first_specs;
    if (!copy || !fresh)
        return false;
    strcpy(copy, wanted_pools());
    if (loaded_pools)
        arena_free(loaded_pools, strlen(loaded_pools) + 1);
    loaded_pools = copy;
    specs = fresh;
    return true;
}

bool call_specs_load(void)
{
    struct specs_error error = {.source = ""};
    bool is_loaded = loaded_pools && strcmp(wanted_pools(), loaded_pools) == 0;
    char *text = is_loaded ? NULL : arena_alloc(SPECS_TEXT_BYTES);
    if (!text || !begin_again()) {
        arena_free(text, SPECS_TEXT_BYTES);
        return false;
    }
    spec_count =
        specs_load(recorder_options.pools, specs, SPECS_CAPACITY, text, SPECS_TEXT_BYTES, &error);
    arena_free(text, SPECS_TEXT_BYTES);
    if (error.source[0])
        complain(&error);
    return true;
}

const struct spec *recorder_specs(int *count)
{
    *count = spec_count;
    return specs;
}
