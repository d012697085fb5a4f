// Resolving the stacks of one trace: see frames.h.
#include "report/code/frames.h"

#include <string.h>

#include "report/code/owners.h"

#include "report/code/map.h"

struct frames_reader {
    struct arena *arena;
    struct symbols *symbols;
    const struct trace_reader *trace;
    const char *stand_in_root;
    uint32_t modules;    // in the trace
    struct map resolved; // struct resolved by reference of the stack
};

struct resolved {
    struct frames frames;
    uint32_t modules; // in the trace, if there was an address in none of them; else ALL_FOUND
};
#define ALL_FOUND UINT32_MAX

struct frames_reader *frames_reader_new(struct arena *arena, struct symbols *symbols,
                                        const struct trace_reader *trace, const char *stand_in_root)
{
    struct frames_reader *reader = arena_take(arena, sizeof *reader);
    *reader =
        (struct frames_reader){.arena = arena, .symbols = symbols, .stand_in_root = stand_in_root};
    frames_reader_follow(reader, trace);
    return reader;
}

void frames_reader_follow(struct frames_reader *reader, const struct trace_reader *trace)
{
    reader->trace = trace;
    reader->modules = 0;
    for (uint32_t ref = 0; (ref = reader_next(trace, TRACE_MODULES, ref)) != TRACE_NONE;)
        reader->modules++;
}

void frames_reader_free(struct frames_reader *reader)
{
    if (reader)
        map_clear(&reader->resolved);
}

typedef LIST(struct frame) frame_list;

static const char *language_of(const struct trace_location *location)
{
    static const char *const names[TRACE_LANGUAGES] = {
        [TRACE_PYTHON] = "python", [TRACE_PHP] = "php", [TRACE_PERL] = "perl",
        [TRACE_RUBY] = "ruby",     [TRACE_LUA] = "lua",
    };
    const char *name = location->language < TRACE_LANGUAGES ? names[location->language] : NULL;
    return name ? name : "unknown";
}

static void add_location(struct frames_reader *reader, frame_list *list, uint64_t word)
{
    const struct trace_location *location = reader_location(reader->trace, (uint32_t)word);
    if (!location)
        return;
    const char *file = arena_text(reader->arena, reader_string(reader->trace, location->file));
    *LIST_ADD(reader->arena, list) = (struct frame){
        .function = arena_text(reader->arena, reader_string(reader->trace, location->function)),
        .file = file,
        .line = location->line,
        .owner = owners_of_source(file),
        .language = language_of(location),
        .runtime = true,
    };
}

// A place in a file that was mapped into the process.
struct place {
    const char *path;
    const uint8_t *build_id; // NULL: not known
    size_t build_id_bytes;
    uint64_t bias; // address = ELF virtual address + bias
};

// Adds what is at a return address, unless it is the recorder's own.
static void add_place(struct frames_reader *reader, frame_list *list, uint64_t address,
                      const struct place *place)
{
    struct arena *arena = reader->arena;
    if (owners_is_recorder(place->path))
        return;
    struct symbols_file file = {
        .path = place->path, .build_id = place->build_id, .build_id_bytes = place->build_id_bytes};
    if (reader->stand_in_root && place->path[0] == '/')
        file.stand_in = arena_format(arena, "%s%s", reader->stand_in_root, place->path);
    size_t count = 0;
    const struct symbol *symbol =
        symbols_find(reader->symbols, &file, address - 1 - place->bias, &count);
    enum frame_owner owner = owners_of_module(place->path, reader->trace->header.exe);
    // The C library's start-up code is linked into every executable.
    if (symbol[0].function && strcmp(symbol[0].function, "_start") == 0)
        owner = FRAME_LIBRARY;
    for (size_t i = 0; i < count; i++)
        *LIST_ADD(arena, list) = (struct frame){
            .function = symbol[i].function,
            .signature = symbol[i].signature,
            .file = symbol[i].file,
            .module = place->path,
            .offset = address - place->bias,
            .line = symbol[i].line,
            .owner =
                symbol[i].file && owners_is_system_header(symbol[i].file) ? FRAME_LIBRARY : owner,
            .language = symbol[i].language,
            .inlined = symbol[i].inlined,
        };
}

static void add_unknown(struct frames_reader *reader, frame_list *list, uint64_t address)
{
    *LIST_ADD(reader->arena, list) =
        (struct frame){.offset = address, .owner = FRAME_LIBRARY, .language = "native"};
}

// What the trace knows to have been mapped at a return address. false: nothing.
static bool find_place(struct frames_reader *reader, uint64_t address, uint64_t seen_ns,
                       struct place *place)
{
    // A return address lies behind its call, which may be the last thing in its function.
    const struct trace_module *module =
        address > 0 ? reader_module_at(reader->trace, address - 1, seen_ns) : NULL;
    if (!module)
        return false;
    *place = (struct place){
        .path = arena_text(reader->arena, reader_string(reader->trace, module->path)),
        .build_id = module->build_id,
        .build_id_bytes = module->build_id_bytes,
        .bias = module->bias,
    };
    return true;
}

// Whether it is known what is at the address.
static bool add_address(struct frames_reader *reader, frame_list *list, uint64_t address,
                        uint64_t seen_ns)
{
    struct place place;
    if (!find_place(reader, address, seen_ns, &place)) {
        add_unknown(reader, list, address);
        return false;
    }
    add_place(reader, list, address, &place);
    return true;
}

// Whether a frame is code that was made at run time and has no file: "<string>", as what decorators
// and dataclasses make, "<frozen importlib>", "<stdin>", a notebook's cell.
static bool has_no_file(const struct frame *frame)
{
    return frame->runtime && (!frame->file || frame->file[0] == '<' || frame->file[0] == 0);
}

// Code without a file names no site while a user's file is further out: what a library made at
// run time, or a template. Where the user's own code has no file (python -c, a notebook), there is
// none.
static void disclaim_generated(struct frames *frames)
{
    bool user_further_out = false;
    for (size_t i = frames->count; i-- > 0;) {
        struct frame *frame = &frames->frame[i];
        if (!frame->runtime || frame->owner != FRAME_USER)
            continue;
        if (!has_no_file(frame))
            user_further_out = true;
        else if (user_further_out)
            frame->owner = FRAME_LIBRARY;
    }
}

static const char *last_part(const char *function)
{
    const char *dot = strrchr(function, '.');
    return dot ? dot + 1 : function;
}

// Whether frame `i`, which has no file, stands for a library's function where no user's file is
// further out: it is called by a library, and bears the name of a library's function that it calls.
// So do SQLAlchemy's decorators.
static bool is_generated(const struct frames *frames, size_t i)
{
    enum { NEAR = 3 };
    const struct frame *frame = &frames->frame[i];
    if (!has_no_file(frame) || i + 1 == frames->count ||
        frames->frame[i + 1].owner != FRAME_LIBRARY)
        return false;
    for (size_t inner = i; inner-- > 0 && i - inner <= NEAR;) {
        const struct frame *callee = &frames->frame[inner];
        if (callee->owner != FRAME_LIBRARY || !callee->function)
            return false;
        if (strcmp(last_part(callee->function), frame->function) == 0)
            return true;
    }
    return false;
}

static void claim_generated(struct frames *frames)
{
    disclaim_generated(frames);
    for (size_t i = 0; i < frames->count; i++)
        if (is_generated(frames, i))
            frames->frame[i].owner = FRAME_LIBRARY;
}

static void resolve(struct frames_reader *reader, uint32_t stack, struct resolved *resolved)
{
    resolved->modules = ALL_FOUND;
    const struct trace_stack *record = reader_stack(reader->trace, stack);
    if (!record)
        return;
    frame_list list = {0};
    bool has_locations = false;
    for (uint32_t i = 0; i < record->frame_count; i++) {
        if (record->frames[i] & TRACE_FRAME_LOCATION) {
            add_location(reader, &list, record->frames[i]);
            has_locations = true;
        } else if (!add_address(reader, &list, record->frames[i], record->seen_ns)) {
            resolved->modules = reader->modules;
        }
    }
    resolved->frames = (struct frames){
        .frame = list.item,
        .count = list.count,
        .cut = record->flags & TRACE_STACK_CUT,
        .has_locations = has_locations,
    };
    claim_generated(&resolved->frames);
}

const struct frames *frames_resolve(struct frames_reader *reader, uint32_t stack)
{
    struct resolved *resolved = map_get(&reader->resolved, &stack, sizeof stack);
    if (!resolved) {
        resolved = arena_take(reader->arena, sizeof *resolved);
        map_add(reader->arena, &reader->resolved, &stack, sizeof stack, resolved);
        resolve(reader, stack, resolved);
    } else if (resolved->modules != ALL_FOUND && resolved->modules != reader->modules) {
        resolve(reader, stack, resolved);
    }
    return &resolved->frames;
}

static const struct now_module *module_now(const struct now_process *process, uint64_t address)
{
    for (size_t i = 0; i < process->modules.count; i++)
        if (address - 1 >= process->modules.item[i].start &&
            address - 1 < process->modules.item[i].end)
            return &process->modules.item[i];
    return NULL;
}

// The trace's own words for a module, where it has any, so that frames can be compared.
static void add_address_now(struct frames_reader *reader, frame_list *list, uint64_t address,
                            const struct now_process *process)
{
    const struct now_module *module = module_now(process, address);
    struct place place;
    if (!module) {
        add_unknown(reader, list, address);
        return;
    }
    if (!find_place(reader, address, UINT64_MAX, &place) || place.bias != module->bias)
        place =
            (struct place){.path = arena_text(reader->arena, module->path), .bias = module->bias};
    add_place(reader, list, address, &place);
}

const struct frames *frames_now(struct frames_reader *reader, const struct now_process *process,
                                const struct now_thread *thread)
{
    struct frames *frames = arena_take(reader->arena, sizeof *frames);
    frame_list list = {0};
    for (size_t i = 0; i < thread->frames.count; i++) {
        const struct now_frame *frame = &thread->frames.item[i];
        if (!frame->function) {
            add_address_now(reader, &list, frame->address, process);
            continue;
        }
        frames->has_locations = true;
        *LIST_ADD(reader->arena, &list) = (struct frame){
            .function = arena_text(reader->arena, frame->function),
            .file = arena_text(reader->arena, frame->file),
            .line = frame->line,
            .owner = owners_of_source(frame->file),
            .language = "python",
            .runtime = true,
        };
    }
    frames->frame = list.item;
    frames->count = list.count;
    frames->cut = thread->cut;
    return frames;
}

static size_t first_of(const struct frames *frames, size_t from, enum frame_owner owner,
                       bool locations)
{
    for (size_t i = from; i < frames->count; i++)
        if (frames->frame[i].owner == owner && frames->frame[i].runtime == locations)
            return i;
    return frames->count;
}

// The direct caller of the traced function. Several frames of database and pool libraries may come
// first when one calls the other.
static size_t direct_caller(const struct frames *frames)
{
    bool locations = frames->has_locations;
    for (size_t i = 0; i < frames->count; i++) {
        const struct frame *frame = &frames->frame[i];
        if (frame->runtime != locations)
            continue;
        if (!frame->module || !owners_is_traced_library(frame->module))
            return i;
    }
    return frames->count > 0 ? 0 : frames->count;
}

size_t frames_user(const struct frames *frames, size_t from)
{
    size_t index = first_of(frames, from, FRAME_USER, frames->has_locations);
    if (index == frames->count && from == 0)
        index = direct_caller(frames);
    return index;
}
