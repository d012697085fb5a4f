// The modules of this process: see modules.h. Knows nothing of hooks and sessions, except that
// stacks must be forgotten when another module takes the place of an unloaded one.
#include "recorder/stacks/modules.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "recorder/core/arena.h"
#include "recorder/core/confined.h"
#include "recorder/core/intern.h"
#include "recorder/core/journal.h"
#include "recorder/core/loader.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"
#include "recorder/stacks/api_note.h"
#include "recorder/stacks/unwind.h"

enum { MOST_MODULES = 1 << 14 };

struct lock modules_lock = LOCK_OF(LOCK_MODULES);

static struct module **modules; // grown by doubling
static uint32_t module_count, module_room;
static uint64_t last_adds, last_subs; // of dl_iterate_phdr: what the table reflects
static bool frames_replaced;          // addresses seen in stacks mean something else now
static bool in_trace;                 // the trace has all modules so far
static struct journal_lines told;     // new modules, for the run's journal

static bool grow(void)
{
    uint32_t room = module_room ? 2 * module_room : 64;
    struct module **grown = room <= MOST_MODULES ? arena_alloc(room * sizeof *grown) : NULL;
    if (!grown)
        return false;
    if (modules)
        memcpy(grown, modules, module_count * sizeof *modules);
    arena_free(modules, module_room * sizeof *modules);
    modules = grown;
    module_room = room;
    return true;
}

static void read_build_id(struct module *module, const ElfW(Phdr) * segment)
{
    const char *at = (const char *)(module->bias + segment->p_vaddr); // NOLINT
    const char *end = at + segment->p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
        const char *name = at + sizeof *note;
        const char *text = name + (note->n_namesz + 3U) / 4 * 4;
        if (text > end || note->n_descsz > (size_t)(end - text))
            return;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0 &&
            note->n_descsz <= TRACE_BUILD_ID_BYTES) {
            module->build_id_bytes = (uint8_t)note->n_descsz;
            memcpy(module->build_id, text, note->n_descsz);
            return;
        }
        at = text + (note->n_descsz + 3U) / 4 * 4;
    }
}

static void read_segments(struct module *module, const struct dl_phdr_info *info)
{
    const uint64_t page = getauxval(AT_PAGESZ); // on aarch64 it may be larger than 4096
    module->bias = info->dlpi_addr;
    module->start = UINT64_MAX;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uint64_t from = info->dlpi_addr + segment->p_vaddr, to = from + segment->p_memsz;
        if (segment->p_type == PT_LOAD) {
            module->start = from < module->start ? from & ~(page - 1) : module->start;
            module->end = to > module->end ? to : module->end;
            if ((segment->p_flags & PF_X) && module->text_end == 0) {
                module->text_start = from;
                module->text_end = to;
                module->text_flags = segment->p_flags;
            }
        } else if (segment->p_type == PT_GNU_RELRO) {
            module->relro_start = from & ~(page - 1);
            module->relro_end = to & ~(page - 1);
        } else if (segment->p_type == PT_DYNAMIC) {
            module->dynamic = (const ElfW(Dyn) *)from; // NOLINT(performance-no-int-to-ptr)
        } else if (segment->p_type == PT_NOTE && module->build_id_bytes == 0) {
            read_build_id(module, segment);
        }
    }
}

// Names are kept for the life of the process: a reader may need those of unloaded modules.
static const char *keep(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *kept = arena_alloc(bytes);
    return kept ? memcpy(kept, text, bytes) : "";
}

static const char *find_path(const char *name)
{
    if (is_confined())
        return keep(name);
    static char path[MODULE_PATH_BYTES * 4]; // realpath wants PATH_MAX; modules_lock is held
    if (name[0] == 0) {
        ssize_t got = readlink("/proc/self/exe", path, sizeof path - 1);
        path[got > 0 ? got : 0] = 0;
        return keep(path);
    }
    lock_order_take(LOCK_MALLOC, LOCK_HERE);
    bool found = strchr(name, '/') && realpath(name, path);
    lock_order_give(LOCK_MALLOC);
    return keep(found ? path : name);
}

static void write_record(struct module *module)
{
    struct trace_module *record;
    module->ref = trace_new_record(&recorder_trace, TRACE_MODULES, &record);
    if (!record)
        return;
    record->start = module->start;
    record->end = module->end;
    record->bias = module->bias;
    record->mapped_ns = module->mapped_ns;
    record->unmapped_ns = module->unmapped_ns;
    record->path = name_intern(module->path);
    memcpy(record->build_id, module->build_id, sizeof record->build_id);
    record->build_id_bytes = module->build_id_bytes;
}

static void note_mapped(struct module *module, bool mapped)
{
    struct trace_module *record = trace_record(&recorder_trace, TRACE_MODULES, module->ref);
    module->mapped = mapped;
    module->unmapped_ns = mapped ? 0 : recorder_now();
    module->hooked = false;
    if (record)
        record->unmapped_ns = module->unmapped_ns;
}

static bool is_same(const struct module *a, const struct module *b)
{
    return a->start == b->start && a->end == b->end && a->bias == b->bias &&
           a->build_id_bytes == b->build_id_bytes &&
           memcmp(a->build_id, b->build_id, a->build_id_bytes) == 0;
}

static void add_module(struct module *found, const char *name)
{
    // What was at these addresses before means something else now.
    bool replaces = false;
    for (uint32_t i = 0; i < module_count; i++)
        replaces |=
            !modules[i]->mapped && modules[i]->start < found->end && found->start < modules[i]->end;
    if (module_count == module_room && !grow()) {
        recorder_lost(TRACE_LOST_SITES);
        return;
    }
    struct module *module = arena_alloc(sizeof *module);
    if (!module)
        return;
    *module = *found;
    module->name = keep(name);
    module->path = find_path(name);
    module->mapped_ns = recorder_now();
    module->mapped = module->seen = true;
    modules[module_count++] = module;
    if (module->path[0] == '/')
        journal_collect(&told, JOURNAL_MODULE, module->path);
    if (in_trace)
        write_record(module);
    if (replaces && intern_forget_range(module->start, module->end))
        frames_replaced = true;
}

struct listing {
    bool changed; // and modules_lock is held
};

// The loader's counters are read and written with its lock held.
static void begin_listing(const struct dl_phdr_info *info)
{
    last_adds = info->dlpi_adds;
    last_subs = info->dlpi_subs;
    lock_take(&modules_lock);
    for (uint32_t i = 0; i < module_count; i++)
        modules[i]->seen = false;
}

static int list_module(struct dl_phdr_info *info, size_t size, void *data)
{
    struct listing *listing = data;
    (void)size;
    if (!listing->changed) {
        if (info->dlpi_adds == last_adds && info->dlpi_subs == last_subs)
            return 1;
        begin_listing(info);
        listing->changed = true;
    }
    struct module found = {0};
    read_segments(&found, info);
    if (found.start == UINT64_MAX)
        return 0;
    struct module *known = NULL, *overlapping = NULL;
    for (uint32_t i = module_count; i-- > 0 && !known;) { // the newest at this place decides
        if (modules[i]->start >= found.end || found.start >= modules[i]->end)
            continue;
        if (is_same(modules[i], &found))
            known = overlapping ? NULL : modules[i];
        overlapping = modules[i];
        if (overlapping != known)
            break;
    }
    if (!known || !known->mapped)
        api_note_connect(info, atomic_load(&recorder_active));
    if (!known) {
        add_module(&found, info->dlpi_name ? info->dlpi_name : "");
        return 0;
    }
    known->seen = true;
    known->dynamic = found.dynamic;
    if (!known->mapped)
        note_mapped(known, true);
    return 0;
}

// The loader's lock is taken first, then ours: a thread that holds the loader's may make a traced
// call.
bool modules_refresh(void)
{
    struct listing listing = {false};
    (void)loader_each(list_module, &listing);
    if (!listing.changed)
        return false;
    for (uint32_t i = 0; i < module_count; i++)
        if (modules[i]->mapped && !modules[i]->seen)
            note_mapped(modules[i], false);
    journal_write(&told);
    bool replaced = frames_replaced;
    frames_replaced = false;
    lock_give(&modules_lock);
    if (replaced)
        unwind_distrust();
    return true;
}

void modules_write_all(void)
{
    lock_take(&modules_lock);
    in_trace = true;
    for (uint32_t i = 0; i < module_count; i++)
        if (modules[i]->ref == TRACE_NONE)
            write_record(modules[i]);
    lock_give(&modules_lock);
}

void modules_visit_unhooked(void (*visit)(const struct module *module, void *data), void *data)
{
    for (uint32_t i = 0;; i++) {
        lock_take(&modules_lock);
        struct module *module = i < module_count ? modules[i] : NULL;
        bool wanted = module && module->mapped && !module->hooked;
        if (wanted)
            module->hooked = true;
        lock_give(&modules_lock);
        if (!module)
            return;
        if (wanted)
            visit(module, data);
    }
}

bool module_find(uint64_t address, struct module *module)
{
    bool found = false;
    lock_take(&modules_lock);
    for (uint32_t i = 0; i < module_count && !found; i++) {
        found = modules[i]->mapped && address >= modules[i]->start && address < modules[i]->end;
        if (found)
            *module = *modules[i];
    }
    lock_give(&modules_lock);
    return found;
}

void modules_note_jumps(uint64_t address)
{
    lock_take(&modules_lock);
    for (uint32_t i = 0; i < module_count; i++)
        if (modules[i]->mapped && address >= modules[i]->start && address < modules[i]->end)
            modules[i]->jumps = true;
    lock_give(&modules_lock);
}

static atomic_uint traced_count;

void modules_note_traced(uint64_t address)
{
    lock_take(&modules_lock);
    for (uint32_t i = 0; i < module_count; i++) {
        const bool has =
            modules[i]->mapped && address >= modules[i]->start && address < modules[i]->end;
        if (has && !modules[i]->traced) {
            modules[i]->traced = true;
            atomic_fetch_add(&traced_count, 1);
        }
    }
    lock_give(&modules_lock);
}

unsigned modules_traced(void)
{
    return atomic_load_explicit(&traced_count, memory_order_relaxed);
}

void modules_forget_hooks(void)
{
    lock_take(&modules_lock);
    for (uint32_t i = 0; i < module_count; i++)
        modules[i]->hooked = false;
    lock_give(&modules_lock);
}

void modules_reset(void)
{
    in_trace = false;
    for (uint32_t i = 0; i < module_count; i++)
        modules[i]->ref = TRACE_NONE;
}
