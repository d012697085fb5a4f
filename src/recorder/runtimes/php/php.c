// PHP: frames, and who closes a handle. See php.h.
//
// The state of the engine tells who closes: the innermost frame is the function that closes, or the
// code whose statement dropped the last reference, or there is none, because the request has ended.
// Whether that happens in a collection, or when the request ends, the native stack tells.
#include "recorder/runtimes/php/php.h"

#include <stdatomic.h>
#include <string.h>

#include "recorder/core/intern.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/native.h"
#include "recorder/runtimes/php/engine.h"
#include "recorder/stacks/capture.h"
#include "recorder/stacks/place.h"

static atomic_bool found;
static struct native_function collect;  // zend_gc_collect_cycles
static struct native_function shutdown; // php_request_shutdown

enum { MOST_FRAMES = 4096 };

// The file of the engine, and extensions: .../php/20220829/sqlite3.so, libphp8.2.so.
static bool is_php_module(const struct module *module)
{
    const char *name = base_name(module->path);
    return strstr(module->path, "/php") || strncmp(name, "php", 3) == 0 ||
           strncmp(name, "libphp", 6) == 0 ||
           (collect.start >= module->start && collect.start < module->end);
}

static struct native_modules modules = {.is_own = is_php_module};

static bool push(struct stack *stack, uint64_t frame)
{
    struct runtime_place place = {.language = TRACE_PHP, .separator = "::", .otherwise = "{main}"};
    uint64_t function;
    bool user;
    if (!php_read_function(frame, &function, &user) || !user)
        return true;
    if (stack->count == STACK_FRAMES)
        return false;
    place.code = (const void *)function; // NOLINT(performance-no-int-to-ptr)
    place.stamp = php_stamp(frame, function, &place.line);
    uint32_t location =
        place.stamp ? runtime_location_known(place.code, place.line, place.stamp) : TRACE_NONE;
    if (location != TRACE_NONE) {
        stack->frames[stack->count++] = TRACE_FRAME_LOCATION | location;
        return true;
    }
    if (!php_read_place(frame, function, &place.file, &place.line) ||
        !php_read_name(function, &place.scope, &place.function))
        return true;
    location = runtime_location(&place);
    if (location != TRACE_NONE)
        stack->frames[stack->count++] = TRACE_FRAME_LOCATION | location;
    return true;
}

static void php_frames(struct stack *stack, const struct stack_origin *origin)
{
    (void)origin;
    uint64_t frame;
    if (!php_engine_is_here() || !php_engine_frame(&frame))
        return;
    for (int i = 0; frame != 0 && i < MOST_FRAMES; i++) {
        if (!push(stack, frame)) {
            stack->cut = true;
            return;
        }
        if (!php_read(frame + PHP_FRAME_PREVIOUS, &frame))
            return;
    }
}

static bool text_is(const struct runtime_text *text, const char *word)
{
    return text->text && text->bytes == strlen(word) && memcmp(text->text, word, text->bytes) == 0;
}

static bool text_ends(const struct runtime_text *text, const char *end)
{
    size_t bytes = strlen(end);
    return text->text && text->bytes >= bytes &&
           memcmp(text->text + text->bytes - bytes, end, bytes) == 0;
}

// The innermost frame: what it runs. user: code in PHP.
struct running {
    bool user;
    struct runtime_text class, name;
};

static bool read_running(uint64_t frame, struct running *running)
{
    uint64_t function;
    return php_read_function(frame, &function, &running->user) &&
           php_read_name(function, &running->class, &running->name);
}

// close(), SQLite3::close(), pg_close(), FFI's sqlite3_close() ...
static bool closes(const struct running *running)
{
    return !running->user &&
           (text_is(&running->name, "close") || text_ends(&running->name, "_close"));
}

// A function that opens and puts away what it has opened in vain.
static bool opens(const struct running *running)
{
    return !running->user &&
           (text_is(&running->name, "__construct") || text_is(&running->name, "open") ||
            text_ends(&running->name, "connect"));
}

static enum runtime_closer closer_while_running(const struct runtime_call *call,
                                                const struct running *running)
{
    struct stack stack;
    stack_native_from(call->origin, &stack);
    const bool asked = closes(running);
    if (!asked && native_is_under(&stack, &collect))
        return RUNTIME_COLLECTOR;
    if (native_is_under(&stack, &shutdown))
        return RUNTIME_CODE_AT_EXIT;
    return asked || opens(running) ? RUNTIME_CODE : RUNTIME_SCOPE;
}

static enum runtime_closer php_closer(const struct runtime_call *call)
{
    uint64_t frame;
    struct running running;
    if (!native_is_own(&modules, call->caller))
        return RUNTIME_NOT_MINE;
    if (!php_engine_is_here())
        return RUNTIME_UNKNOWN;
    bool known = php_engine_frame(&frame);
    if (known ? frame == 0 : !php_engine_executes())
        return php_engine_is_script() ? RUNTIME_END : RUNTIME_REQUEST;
    if (!known || !read_running(frame, &running))
        return RUNTIME_UNKNOWN;
    return closer_while_running(call, &running);
}

// new PDO(..., [PDO::ATTR_PERSISTENT => true])
static bool is_persistent(uint64_t frame)
{
    uint64_t object, inner, flags;
    return php_read(frame + PHP_FRAME_THIS, &object) &&
           php_read(object + (uint64_t)PHP_PDO_INNER, &inner) &&
           php_read(inner + PHP_PDO_PERSISTENT, &flags) && (flags & 1);
}

static uint32_t php_owner(const struct runtime_call *call)
{
    uint64_t frame;
    struct running running;
    if (!native_is_own(&modules, call->caller) || !php_engine_is_here() ||
        !php_engine_frame(&frame) || frame == 0 || !read_running(frame, &running) || running.user)
        return TRACE_NONE;
    bool kept = text_is(&running.name, "pg_pconnect");
    if (!kept && text_is(&running.class, "PDO") && text_is(&running.name, "__construct"))
        kept = is_persistent(frame);
    return kept ? pool_intern(name_intern("PHP persistent connections"), 0, TRACE_NONE)
                : TRACE_NONE;
}

static void php_start(void)
{
    if (!php_engine_find())
        return;
    collect = native_function("zend_gc_collect_cycles");
    shutdown = native_function("php_request_shutdown");
    atomic_store(&found, true);
    runtime_join(&php_runtime);
}

static bool php_is_found(void)
{
    return atomic_load(&found);
}

static void php_leave(void)
{
    runtime_part(&php_runtime);
    atomic_store(&found, false);
}

const struct runtime php_runtime = {
    .name = "php",
    .start = php_start,
    .found = php_is_found,
    .frames = php_frames,
    .closer = php_closer,
    .owner = php_owner,
    .keeps = true,
    .leave = php_leave,
};
