// The Zend engine's memory: see engine.h. Knows no sessions.
#include "recorder/runtimes/php/engine.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/core/loader.h"
#include "recorder/core/peek.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/native.h"
#include "recorder/runtimes/runtime.h"

static struct {
    uint64_t globals, globals_bytes; // executor_globals
    uint32_t (*lineno)(void);        // zend_get_executed_lineno
    void *(*filename)(void);         // zend_get_executed_filename_ex: a zend_string
    const char *(*version)(void);    // get_zend_version
    bool (*executes)(void);          // zend_is_executing
    const char *const *server;       // sapi_module: begins with its name
    bool threads;
} engine;

enum state {
    UNTRIED, // no PHP code was seen so far
    FOUND,   // agreed with the engine so far: not often enough
    TRUSTED, // often enough
    REFUSED, // said so in the header
};
static atomic_int state;
static uint64_t current_at;        // offset in executor_globals: current_execute_data
static uint64_t file_at;           // offset in a zend_op_array: filename
static atomic_uint agreed, missed; // times

enum {
    ENOUGH = 16,         // agreements
    MOST_GLOBALS = 8192, // bytes of executor_globals, of which there are about 1800
    MOST_FUNCTION = 512, // bytes of a zend_op_array, of which there are about 250
    MOST_PASSED = 64,    // frames of C between the innermost one and PHP code
    MOST_TEXT = 4096,
};

bool php_engine_find(void)
{
    struct native_function globals = native_function("executor_globals");
    engine.lineno = (uint32_t(*)(void))loader_symbol(RTLD_DEFAULT, "zend_get_executed_lineno");
    engine.filename = (void *(*)(void))loader_symbol(RTLD_DEFAULT, "zend_get_executed_filename_ex");
    engine.version = (const char *(*)(void))loader_symbol(RTLD_DEFAULT, "get_zend_version");
    engine.executes = (bool (*)(void))loader_symbol(RTLD_DEFAULT, "zend_is_executing");
    engine.server = (const char *const *)loader_symbol(RTLD_DEFAULT, "sapi_module");
    engine.threads = loader_symbol(RTLD_DEFAULT, "executor_globals_offset") != NULL;
    if (!engine.version || (!globals.start && !engine.threads))
        return false;
    engine.globals = globals.start;
    engine.globals_bytes = globals.bytes < MOST_GLOBALS ? globals.bytes : MOST_GLOBALS;
    return true;
}

bool php_engine_is_here(void)
{
    return recorder_trace.header && recorder_tid() == recorder_trace.header->pid;
}

bool php_engine_executes(void)
{
    return !engine.executes || engine.executes();
}

bool php_engine_is_script(void)
{
    return engine.server && *engine.server && strcmp(*engine.server, "cli") == 0;
}

static inline bool is_trusted(void)
{
    return atomic_load_explicit(&state, memory_order_relaxed) == TRUSTED;
}

bool php_read(uint64_t address, uint64_t *value)
{
    if (address < 4096 || address % sizeof *value != 0)
        return false;
    if (!is_trusted())
        return peek_word(address, UINT64_MAX, value);
    memcpy(value, (const void *)address, sizeof *value); // NOLINT(performance-no-int-to-ptr)
    return true;
}

bool php_read_text(uint64_t address, struct runtime_text *text)
{
    uint64_t bytes;
    if (!php_read(address + PHP_STRING_BYTES, &bytes) || bytes > MOST_TEXT ||
        (!is_trusted() && !peek_text(address + PHP_STRING_TEXT, MOST_TEXT + 1)))
        return false;
    text->text = (const char *)(address + PHP_STRING_TEXT); // NOLINT(performance-no-int-to-ptr)
    text->bytes = bytes;
    return text->text[bytes] == 0;
}

bool php_read_function(uint64_t frame, uint64_t *function, bool *user)
{
    uint64_t head;
    if (!php_read(frame + PHP_FRAME_FUNCTION, function) || *function == 0 ||
        !php_read(*function + PHP_FUNCTION_TYPE, &head))
        return false;
    *user = (head & 1) == 0; // ZEND_USER_CODE
    return true;
}

bool php_read_place(uint64_t frame, uint64_t function, struct runtime_text *file, uint32_t *line)
{
    uint64_t at, name, number;
    if (!php_read(function + file_at, &name) || !php_read_text(name, file) ||
        !php_read(frame + PHP_FRAME_LINE_AT, &at) || !php_read(at + PHP_LINE_NUMBER, &number))
        return false;
    *line = (uint32_t)number;
    return true;
}

static inline uint64_t word_at(uint64_t address)
{
    return *(const uint64_t *)address; // NOLINT(performance-no-int-to-ptr)
}

// Adds a string's hash and length. false: it has not been hashed.
static inline bool stamp_text(uint64_t *stamp, uint64_t text)
{
    uint64_t hash = word_at(text + PHP_STRING_HASH);
    *stamp = runtime_stamp(*stamp, hash ^ word_at(text + PHP_STRING_BYTES));
    return hash != 0;
}

uint64_t php_stamp(uint64_t frame, uint64_t function, uint32_t *line)
{
    uint64_t stamp = 1;
    if (!is_trusted())
        return 0;
    uint64_t name = word_at(function + PHP_FUNCTION_NAME);
    uint64_t class = word_at(function + PHP_FUNCTION_CLASS);
    *line = (uint32_t)word_at(word_at(frame + PHP_FRAME_LINE_AT) + PHP_LINE_NUMBER);
    bool hashed = stamp_text(&stamp, word_at(function + file_at));
    if (name != 0)
        hashed &= stamp_text(&stamp, name);
    if (class != 0)
        hashed &= stamp_text(&stamp, word_at(class + PHP_CLASS_NAME));
    return hashed ? stamp : 0;
}

bool php_read_name(uint64_t function, struct runtime_text *class, struct runtime_text *name)
{
    uint64_t text, owner;
    *class = *name = (struct runtime_text){0};
    if (!php_read(function + PHP_FUNCTION_NAME, &text) ||
        !php_read(function + PHP_FUNCTION_CLASS, &owner))
        return false;
    if (text == 0) // a file's own code
        return true;
    if (!php_read_text(text, name))
        return false;
    return owner == 0 || (php_read(owner + PHP_CLASS_NAME, &text) && php_read_text(text, class));
}

// The innermost frame of PHP code from `frame` on; 0: none.
static uint64_t find_user(uint64_t frame, uint64_t *function)
{
    for (int i = 0; i < MOST_PASSED && frame != 0; i++) {
        bool user;
        if (php_read_function(frame, function, &user) && user)
            return frame;
        if (!php_read(frame + PHP_FRAME_PREVIOUS, &frame))
            return 0;
    }
    return 0;
}

// Whether the frame's innermost PHP code is at `line`.
static bool is_at(uint64_t frame, uint32_t line, uint64_t *function)
{
    uint64_t at, number;
    frame = find_user(frame, function);
    return frame != 0 && php_read(frame + PHP_FRAME_LINE_AT, &at) &&
           php_read(at + PHP_LINE_NUMBER, &number) && (uint32_t)number == line;
}

// Where in a function its file is; 0: nowhere.
static uint64_t find_file(uint64_t function, uint64_t file)
{
    for (uint64_t at = PHP_FUNCTION_CLASS + 8; at < MOST_FUNCTION; at += 8) {
        uint64_t word;
        if (!php_read(function + at, &word))
            return 0;
        if (word == file)
            return at;
    }
    return 0;
}

// Looks for the one word of executor_globals that leads to where the engine says that it is.
static bool search(uint32_t line, uint64_t file)
{
    unsigned hits = 0;
    for (uint64_t at = 0; at + 8 <= engine.globals_bytes; at += 8) {
        uint64_t frame, function, found;
        if (!php_read(engine.globals + at, &frame) || !is_at(frame, line, &function))
            continue;
        found = find_file(function, file);
        if (found == 0)
            continue;
        current_at = at;
        file_at = found;
        hits++;
    }
    return hits == 1;
}

static void refuse(enum trace_runtime_state reason, unsigned major, unsigned minor)
{
    atomic_store(&state, REFUSED);
    runtime_say(TRACE_PHP, reason, major, minor);
}

// "Zend Engine v4.2.36, ...": PHP 8.2. PHP 7.4 has engine 3.4.
static bool read_version(unsigned *major, unsigned *minor)
{
    const char *text = engine.version();
    const char *number = text ? strstr(text, " v") : NULL;
    char *end;
    if (!number)
        return false;
    *major = (unsigned)strtoul(number + 2, &end, 10) + 4;
    *minor = *end == '.' ? (unsigned)strtoul(end + 1, NULL, 10) : 0;
    return true;
}

static bool is_known(unsigned major, unsigned minor)
{
    return (major == 7 && minor == 4) || (major == 8 && minor <= 4);
}

// Whether the engine agrees with the layout, which is looked for if it is not known yet.
static bool agrees(void)
{
    unsigned major, minor;
    if (!read_version(&major, &minor))
        return false;
    if (engine.threads || !is_known(major, minor)) {
        refuse(engine.threads ? TRACE_RUNTIME_THREADED : TRACE_RUNTIME_VERSION, major, minor);
        return false;
    }
    if (!engine.executes || !engine.lineno || !engine.filename) {
        refuse(TRACE_RUNTIME_UNLIKE, major, minor);
        return false;
    }
    uint64_t file = engine.executes() ? (uint64_t)(uintptr_t)engine.filename() : 0;
    uint32_t line = file ? engine.lineno() : 0;
    if (line == 0) // nothing to compare with
        return atomic_load(&state) != UNTRIED;
    uint64_t frame, function, name;
    if (atomic_load(&state) == UNTRIED) {
        if (!search(line, file)) {
            runtime_say(TRACE_PHP, TRACE_RUNTIME_UNLIKE, major, minor); // so far
            if (atomic_fetch_add(&missed, 1) + 1 == ENOUGH)
                atomic_store(&state, REFUSED);
            return false;
        }
        atomic_store(&state, FOUND);
        runtime_say(TRACE_PHP, TRACE_RUNTIME_SEEN, major, minor);
    } else if (!php_read(engine.globals + current_at, &frame) || !is_at(frame, line, &function) ||
               !php_read(function + file_at, &name) || name != file) {
        refuse(TRACE_RUNTIME_UNLIKE, major, minor);
        return false;
    }
    if (atomic_fetch_add(&agreed, 1) + 1 == ENOUGH)
        atomic_store(&state, TRUSTED);
    return true;
}

bool php_engine_frame(uint64_t *frame)
{
    int now = atomic_load_explicit(&state, memory_order_relaxed);
    if (now == REFUSED || (now != TRUSTED && !agrees()))
        return false;
    return php_read(engine.globals + current_at, frame);
}
