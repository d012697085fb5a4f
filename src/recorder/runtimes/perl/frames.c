// The frames of Perl code: see frames.h. Knows no sessions.
//
// Perl_caller_cx, which only reads, gives the contexts of the subs and evals that are running; each
// has the place that it was called from. Where these structures have what, is the same in 5.32 to
// 5.42 built with threads or multiplicity.
#include "recorder/runtimes/perl/frames.h"

#include <pthread.h>
#include <string.h>

#include "recorder/core/loader.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/locations.h"
#include "recorder/runtimes/reader.h"
#include "recorder/runtimes/runtime.h"

enum offsets {                // intrpvar.h, cop.h, cv.h, gv.h, hv.h
    PERL_CURRENT_PLACE = 208, // struct interpreter: Icurcop
    PERL_STACK = 224,         // Icurstackinfo
    PLACE_LINE = 36,          // struct cop: cop_line
    PLACE_FILE = 48,          // cop_file
    CONTEXT_PLACE = 16,       // struct context: blk_oldcop
    CONTEXT_SUB = 72,         // blk_sub.cv
    SUB_BODY = 0,             // CV: sv_any
    BODY_FLAGS = 88,          // XPVCV: the word with xcv_flags in its upper half
    BODY_NAME = 56,           // xcv_gv_u
    GLOB_BODY = 0,            // GV: sv_any
    GLOB_NAME = 32,           // XPVGV: xivu_namehek
    NAME_TEXT = 8,            // HEK: hek_key
};
enum { CONTEXT_TYPES = 15, IS_SUB = 9, IS_FORMAT = 10, IS_EVAL = 11, IS_NAMED = 0x8000 };
enum {
    OLDEST = 32,
    NEWEST = 42,
    NEWEST_CLOSERS = 36,
    MOST_FRAMES = 1024,
    NEAR_FRAMES = 12,
    MOST_LINES = 1 << 24
};

static const pthread_key_t *key; // PL_thr_key: what a thread has there is its interpreter
static void *(*caller_context)(void *perl, int level, void **debug); // Perl_caller_cx
static struct reader reader;

bool perl_frames_find(bool *closers)
{
    key = loader_symbol(RTLD_DEFAULT, "PL_thr_key");
    caller_context = (void *(*)(void *, int, void **))loader_symbol(RTLD_DEFAULT, "Perl_caller_cx");
    const uint8_t *major = loader_symbol(RTLD_DEFAULT, "PL_revision");
    const uint8_t *minor = loader_symbol(RTLD_DEFAULT, "PL_version");
    if (!caller_context || !major || !minor)
        return false;
    bool known = *major == 5 && *minor >= OLDEST && *minor <= NEWEST;
    bool alone = loader_symbol(RTLD_DEFAULT, "PL_curcop") != NULL; // built for one interpreter
    atomic_store(&reader.refused, !known || alone || !key);
    *closers = *major == 5 && *minor <= NEWEST_CLOSERS;
    runtime_say(TRACE_PERL,
                !atomic_load(&reader.refused)
                    ? *closers ? TRACE_RUNTIME_SEEN : TRACE_RUNTIME_CLOSERS
                : *closers ? TRACE_RUNTIME_LINES
                           : TRACE_RUNTIME_VERSION,
                *major, *minor);
    return true;
}

// A sub's own name; false: it has none that can be read.
static bool read_name(uint64_t context, struct runtime_text *name)
{
    uint64_t head, sub, body, flags, text;
    if (!reader_word(&reader, context, &head))
        return false;
    if ((head & CONTEXT_TYPES) == IS_EVAL) {
        *name = (struct runtime_text){"(eval)", 6};
        return true;
    }
    if ((head & CONTEXT_TYPES) != IS_SUB && (head & CONTEXT_TYPES) != IS_FORMAT)
        return false;
    if (!reader_word(&reader, context + CONTEXT_SUB, &sub) ||
        !reader_word(&reader, sub + SUB_BODY, &body) ||
        !reader_word(&reader, body + BODY_FLAGS, &flags) ||
        !reader_word(&reader, body + BODY_NAME, &text))
        return false;
    if (!(flags >> 32 & IS_NAMED) && (!reader_word(&reader, text + GLOB_BODY, &body) ||
                                      !reader_word(&reader, body + GLOB_NAME, &text)))
        return false;
    return text != 0 && reader_text(&reader, text + NAME_TEXT, name);
}

// false: this is no place of Perl code.
static bool push(struct stack *stack, uint64_t place_at, uint64_t context)
{
    struct runtime_place place = {.language = TRACE_PERL, .separator = "", .otherwise = "main"};
    uint64_t word, file;
    if (!reader_word(&reader, place_at + PLACE_LINE - 4, &word) ||
        !reader_word(&reader, place_at + PLACE_FILE, &file))
        return false;
    place.line = (uint32_t)(word >> 32);
    if (file == 0)
        return true;
    if (place.line > MOST_LINES || !reader_text(&reader, file, &place.file))
        return false;
    if (context != 0 && !read_name(context, &place.function))
        place.function = (struct runtime_text){"?", 1};
    place.code = (const void *)place_at; // NOLINT(performance-no-int-to-ptr)
    uint32_t location = runtime_location(&place);
    if (location != TRACE_NONE)
        stack->frames[stack->count++] = TRACE_FRAME_LOCATION | location;
    return true;
}

// The interpreter of this thread while it runs code; 0: none.
static uint64_t running(uint64_t *place)
{
    uint64_t stack;
    if (atomic_load_explicit(&reader.refused, memory_order_relaxed))
        return 0;
    uint64_t perl = (uint64_t)(uintptr_t)pthread_getspecific(*key);
    if (perl == 0 || !reader_word(&reader, perl + PERL_CURRENT_PLACE, place) || *place == 0 ||
        !reader_word(&reader, perl + PERL_STACK, &stack) || stack == 0)
        return 0;
    return perl;
}

static uint64_t context_of(uint64_t perl, int level)
{
    return (uint64_t)(uintptr_t)caller_context((void *)perl, level, NULL); // NOLINT
}

void perl_frames_append(struct stack *stack, const struct stack_origin *origin)
{
    (void)origin;
    uint64_t place, context;
    uint64_t perl = running(&place);
    bool sense = perl != 0;
    for (int level = 0; sense && level < MOST_FRAMES; level++) {
        if (stack->count == STACK_FRAMES) {
            stack->cut = true;
            break;
        }
        context = context_of(perl, level);
        sense = push(stack, place, context);
        if (context == 0 || !sense)
            break;
        sense = reader_word(&reader, context + CONTEXT_PLACE, &place);
    }
    if (perl != 0)
        reader_judge(&reader, sense);
}

bool perl_frames_runs(const char *name)
{
    uint64_t place, context;
    uint64_t perl = running(&place);
    for (int level = 0; perl != 0 && level < NEAR_FRAMES; level++) {
        struct runtime_text text;
        context = context_of(perl, level);
        if (context == 0)
            break;
        if (read_name(context, &text) && text.bytes == strlen(name) &&
            memcmp(text.text, name, text.bytes) == 0)
            return true;
    }
    return false;
}
