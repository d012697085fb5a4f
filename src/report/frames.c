// Resolving the stacks of one trace: see frames.h.
#include "report/frames.h"

#include <string.h>

#include "report/owners.h"

#include "report/map.h"

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
        .language = location->language == TRACE_PYTHON ? "python" : "unknown",
        .runtime = true,
    };
}

// Whether it is known what is at the address.
static bool add_address(struct frames_reader *reader, frame_list *list, uint64_t address,
                        uint64_t seen_ns)
{
    struct arena *arena = reader->arena;
    // A return address lies behind its call, which may be the last thing in its function.
    uint64_t call = address > 0 ? address - 1 : 0;
    const struct trace_module *module = reader_module_at(reader->trace, call, seen_ns);
    if (!module) {
        *LIST_ADD(arena, list) =
            (struct frame){.offset = address, .owner = FRAME_LIBRARY, .language = "native"};
        return false;
    }
    const char *path = arena_text(arena, reader_string(reader->trace, module->path));
    if (owners_is_recorder(path))
        return true;
    struct symbols_file file = {
        .path = path, .build_id = module->build_id, .build_id_bytes = module->build_id_bytes};
    if (reader->stand_in_root && path[0] == '/')
        file.stand_in = arena_format(arena, "%s%s", reader->stand_in_root, path);
    size_t count = 0;
    const struct symbol *symbol = symbols_find(reader->symbols, &file, call - module->bias, &count);
    enum frame_owner owner = owners_of_module(path, reader->trace->header.exe);
    // The C library's start-up code is linked into every executable.
    if (symbol[0].function && strcmp(symbol[0].function, "_start") == 0)
        owner = FRAME_LIBRARY;
    for (size_t i = 0; i < count; i++)
        *LIST_ADD(arena, list) = (struct frame){
            .function = symbol[i].function,
            .signature = symbol[i].signature,
            .file = symbol[i].file,
            .module = path,
            .offset = address - module->bias,
            .line = symbol[i].line,
            .owner =
                symbol[i].file && owners_is_system_header(symbol[i].file) ? FRAME_LIBRARY : owner,
            .language = symbol[i].language,
            .inlined = symbol[i].inlined,
        };
    return true;
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
