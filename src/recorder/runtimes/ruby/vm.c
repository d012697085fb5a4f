// Ruby's virtual machine: see vm.h. Knows no sessions.
#include "recorder/runtimes/ruby/vm.h"

#include <stdatomic.h>
#include <string.h>

#include "recorder/core/loader.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/locations.h"
#include "recorder/runtimes/reader.h"
#include "recorder/runtimes/ruby/alive.h"
#include "recorder/runtimes/runtime.h"

typedef uint64_t value; // VALUE

// The same in 2.7 to 3.4: include/ruby/internal/core/rbasic.h and rstring.h, internal/imemo.h,
// method.h.
enum offsets {
    STRING_BYTES = 16, // struct RString: len, of one that is not embedded
    STRING_TEXT = 24,  // ptr
    STRING_EMBEDDED = 16,
    METHOD_DEFINITION = 16, // rb_method_entry_t: def
    DEFINITION_TYPE = 0,    // rb_method_definition_t: its lowest four bits
    DEFINITION_BODY = 8,    // body.cfunc.func
};
enum flags {
    TYPE = 0x1f,
    IS_STRING = 0x05,
    IS_INTERNAL = 0x1a,
    KIND_SHIFT = 12, // of an internal object
    KIND = 0xf,
    IS_METHOD = 6,
    IN_C = 1,               // VM_METHOD_TYPE_CFUNC
    NOT_EMBEDDED = 1 << 13, // of a string
    EMBEDDED_SHIFT = 14,    // until 3.1 its length is in the flags
    EMBEDDED_BYTES = 0x1f,
};
enum {
    FRAMES_AT_ONCE = 128,
    NEAR_FRAMES = 48,
    MOST_FRAMES = 8192,
    MOST_SPECIAL = 64, // nil, true, undef ... are below
    OLDEST = 207,      // 100 * major + minor
    OLDEST_CLOSERS = 300,
    OLDEST_WIDE = 302, // a string's length has a word of its own
    NEWEST = 304,
};

static struct {
    int (*profile_frames)(int start, int limit, value *frames, int *lines);
    value (*path)(value frame);
    value (*label)(value frame);
    char *(*text)(value *string); // rb_string_value_ptr: of a String it only reads
    int (*during_gc)(void);
    size_t (*gc_count)(void); // how many collections there were
    int (*has_gvl)(void);
    int (*is_native_thread)(void);
    void *(*with_gvl)(void *(*call)(void *data), void *data); // rb_thread_call_with_gvl
    const value *object_class; // rb_cObject: set once threads can be told
    const char *version;       // "3.1.2"
} ruby;
static bool wide; // see OLDEST_WIDE
static struct reader reader;

static void look_up(void)
{
    ruby.profile_frames =
        (int (*)(int, int, value *, int *))loader_symbol(RTLD_DEFAULT, "rb_profile_frames");
    ruby.path = (value(*)(value))loader_symbol(RTLD_DEFAULT, "rb_profile_frame_path");
    ruby.label = (value(*)(value))loader_symbol(RTLD_DEFAULT, "rb_profile_frame_label");
    ruby.text = (char *(*)(value *))loader_symbol(RTLD_DEFAULT, "rb_string_value_ptr");
    ruby.during_gc = (int (*)(void))loader_symbol(RTLD_DEFAULT, "rb_during_gc");
    ruby.gc_count = (size_t(*)(void))loader_symbol(RTLD_DEFAULT, "rb_gc_count");
    ruby.has_gvl = (int (*)(void))loader_symbol(RTLD_DEFAULT, "ruby_thread_has_gvl_p");
    ruby.is_native_thread = (int (*)(void))loader_symbol(RTLD_DEFAULT, "ruby_native_thread_p");
    ruby.with_gvl = (void *(*)(void *(*)(void *), void *))loader_symbol(RTLD_DEFAULT,
                                                                        "rb_thread_call_with_gvl");
    ruby.object_class = loader_symbol(RTLD_DEFAULT, "rb_cObject");
}

static bool is_complete(void)
{
    return ruby.profile_frames && ruby.path && ruby.label && ruby.text && ruby.during_gc &&
           ruby.gc_count && ruby.has_gvl && ruby.is_native_thread && ruby.with_gvl &&
           ruby.object_class && ruby_alive_find();
}

static unsigned digit(char c)
{
    return c >= '0' && c <= '9' ? (unsigned)(c - '0') : 0;
}

bool ruby_vm_find(bool *closers)
{
    ruby.version = loader_symbol(RTLD_DEFAULT, "ruby_version");
    if (!ruby.version || !loader_symbol(RTLD_DEFAULT, "rb_define_method"))
        return false;
    const unsigned major = digit(ruby.version[0]);
    const unsigned minor = ruby.version[0] ? digit(ruby.version[2]) : 0;
    const unsigned version = 100 * major + minor;
    enum trace_runtime_state state = TRACE_RUNTIME_SEEN;
    look_up();
    if (version < OLDEST || version > NEWEST)
        state = TRACE_RUNTIME_VERSION;
    else if (!is_complete())
        state = TRACE_RUNTIME_UNLIKE;
    else if (version < OLDEST_CLOSERS)
        state = TRACE_RUNTIME_CLOSERS;
    wide = version >= OLDEST_WIDE;
    atomic_store(&reader.refused, state != TRACE_RUNTIME_SEEN && state != TRACE_RUNTIME_CLOSERS);
    *closers = state == TRACE_RUNTIME_SEEN;
    runtime_say(TRACE_RUBY, state, major, minor);
    return true;
}

enum ruby_thread ruby_vm_thread(void)
{
    if (atomic_load_explicit(&reader.refused, memory_order_relaxed) || *ruby.object_class == 0 ||
        !ruby_is_alive() || !ruby.is_native_thread())
        return RUBY_ELSEWHERE;
    if (!ruby.has_gvl())
        return RUBY_UNLOCKED;
    return ruby.during_gc() ? RUBY_COLLECTING : RUBY_RUNNING;
}

// Until the layout is trusted, it is compared with what Ruby says.
static bool read_text(value string, struct runtime_text *text)
{
    uint64_t flags, bytes, at = string + STRING_EMBEDDED + (wide ? 8 : 0);
    if (string <= MOST_SPECIAL || !reader_word(&reader, string, &flags) ||
        (flags & TYPE) != IS_STRING || !reader_word(&reader, string + STRING_BYTES, &bytes))
        return false;
    if (!wide && !(flags & NOT_EMBEDDED))
        bytes = flags >> EMBEDDED_SHIFT & EMBEDDED_BYTES;
    else if ((flags & NOT_EMBEDDED) && !reader_word(&reader, string + STRING_TEXT, &at))
        return false;
    if (bytes > READER_MOST_TEXT || at < MOST_SPECIAL)
        return false;
    if (!reader_is_trusted(&reader) &&
        (!peek_text(at, READER_MOST_TEXT) || (uint64_t)(uintptr_t)ruby.text(&string) != at))
        return false;
    *text = (struct runtime_text){(const char *)at, bytes}; // NOLINT(performance-no-int-to-ptr)
    return true;
}

// The C function of a method's frame; 0: it is another kind of frame, or cannot be read.
static uint64_t function_of(value frame)
{
    uint64_t flags, definition, head, function;
    if (!reader_word(&reader, frame, &flags) || (flags & TYPE) != IS_INTERNAL ||
        (flags >> KIND_SHIFT & KIND) != IS_METHOD ||
        !reader_word(&reader, frame + METHOD_DEFINITION, &definition) ||
        !reader_word(&reader, definition + DEFINITION_TYPE, &head) || (head & KIND) != IN_C ||
        !reader_word(&reader, definition + DEFINITION_BODY, &function))
        return 0;
    return function;
}

// Until the next collection begins, an address stays that of the same object, and so do its texts.
// false: this is no frame of Ruby code as it should be.
static bool push(struct stack *stack, value frame, int line, uint64_t collections)
{
    const void *code = (const void *)frame; // NOLINT(performance-no-int-to-ptr)
    // A method that C implements, and until 3.2 the outermost frame, which is one of no code.
    if (line <= 0)
        return true;
    uint32_t location = runtime_location_known(code, (uint32_t)line, collections + 1);
    if (location == TRACE_NONE) {
        struct runtime_place place = {.language = TRACE_RUBY,
                                      .separator = "",
                                      .otherwise = "?",
                                      .line = (uint32_t)line,
                                      .code = code,
                                      .stamp = collections + 1};
        value path = ruby.path(frame);
        if (path <= MOST_SPECIAL)
            return true;
        if (!read_text(path, &place.file) || !read_text(ruby.label(frame), &place.function))
            return false;
        location = runtime_location(&place);
    }
    if (location != TRACE_NONE)
        stack->frames[stack->count++] = TRACE_FRAME_LOCATION | location;
    return true;
}

static void *append_frames(void *data)
{
    struct stack *stack = data;
    value frames[FRAMES_AT_ONCE];
    int lines[FRAMES_AT_ONCE];
    int count = ruby.profile_frames(0, FRAMES_AT_ONCE, frames, lines);
    const uint64_t collections = ruby.gc_count();
    bool sense = true;
    for (int i = 0; i < count && sense; i++) {
        if (stack->count == STACK_FRAMES) {
            stack->cut = true;
            break;
        }
        sense = push(stack, frames[i], lines[i], collections);
    }
    stack->cut |= count == FRAMES_AT_ONCE;
    reader_judge(&reader, sense);
    if (!sense)
        runtime_say(TRACE_RUBY, TRACE_RUNTIME_UNLIKE, digit(ruby.version[0]),
                    digit(ruby.version[2]));
    return NULL;
}

void ruby_vm_frames(struct stack *stack, const struct stack_origin *origin)
{
    (void)origin;
    enum ruby_thread thread = ruby_vm_thread();
    if (thread == RUBY_RUNNING)
        (void)append_frames(stack);
    else if (thread == RUBY_UNLOCKED)
        (void)ruby.with_gvl(append_frames, stack);
}

uint64_t ruby_vm_method(void)
{
    value frame;
    return ruby.profile_frames(0, 1, &frame, NULL) == 1 ? function_of(frame) : 0;
}

static void *look_for_main(void *data)
{
    bool *is_in_main = data;
    static const char main_label[] = "<main>";
    value frames[FRAMES_AT_ONCE], outermost = 0;
    int lines[FRAMES_AT_ONCE];
    struct runtime_text label;
    for (int start = 0; start < MOST_FRAMES; start += FRAMES_AT_ONCE) {
        int count = ruby.profile_frames(start, FRAMES_AT_ONCE, frames, lines);
        for (int i = 0; i < count; i++)
            outermost = lines[i] > 0 ? frames[i] : outermost;
        if (count < FRAMES_AT_ONCE)
            break;
    }
    *is_in_main = outermost != 0 && read_text(ruby.label(outermost), &label) &&
                  label.bytes == strlen(main_label) &&
                  memcmp(label.text, main_label, label.bytes) == 0;
    return NULL;
}

bool ruby_vm_is_in_main(enum ruby_thread thread)
{
    bool is_in_main = false;
    if (thread == RUBY_RUNNING)
        (void)look_for_main(&is_in_main);
    else if (thread == RUBY_UNLOCKED)
        (void)ruby.with_gvl(look_for_main, &is_in_main);
    return is_in_main;
}

struct look_for_file {
    const char *const *files;
    int found;
};

// Which file a frame runs code of, until the next collection: the address (without its lowest three
// bits, which are 0, and its highest), the number of collections (17 bits), the file (3 bits).
enum { FRAMES_KEPT = 256, FILE_BITS = 3, COUNT_BITS = 17 };
static _Atomic uint64_t frame_files[FRAMES_KEPT];

static int file_of(value frame, const char *const *files)
{
    struct runtime_text path;
    value string = ruby.path(frame);
    if (string <= MOST_SPECIAL || !read_text(string, &path))
        return -1;
    for (int file = 0; files[file]; file++) {
        size_t bytes = strlen(files[file]);
        if (path.bytes >= bytes && memcmp(path.text + path.bytes - bytes, files[file], bytes) == 0)
            return file;
    }
    return -1;
}

static int file_of_frame(value frame, const char *const *files, uint64_t collections)
{
    const uint64_t key = (frame >> 3) << (FILE_BITS + COUNT_BITS) |
                         (collections & ((1 << COUNT_BITS) - 1)) << FILE_BITS;
    _Atomic uint64_t *kept = &frame_files[(frame * UINT64_C(0x9e3779b97f4a7c15)) >> 56];
    const uint64_t known = atomic_load_explicit(kept, memory_order_relaxed);
    if (known != 0 && known >> FILE_BITS == key >> FILE_BITS)
        return (int)(known & ((1 << FILE_BITS) - 1)) - 1;
    const int file = file_of(frame, files);
    atomic_store_explicit(kept, key | (uint64_t)(file + 1), memory_order_relaxed);
    return file;
}
_Static_assert(FRAMES_KEPT == 1 << (64 - 56), "file_of_frame gives all of them");

static void *look_for_file(void *data)
{
    struct look_for_file *look = data;
    value frames[NEAR_FRAMES];
    int count = ruby.profile_frames(0, NEAR_FRAMES, frames, NULL);
    const uint64_t collections = ruby.gc_count();
    for (int i = 0; i < count && look->found < 0; i++)
        look->found = file_of_frame(frames[i], look->files, collections);
    return NULL;
}

int ruby_vm_runs(enum ruby_thread thread, const char *const *files)
{
    struct look_for_file look = {files, -1};
    if (thread == RUBY_RUNNING)
        (void)look_for_file(&look);
    else if (thread == RUBY_UNLOCKED)
        (void)ruby.with_gvl(look_for_file, &look);
    return look.found;
}
