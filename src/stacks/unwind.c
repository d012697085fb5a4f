// Unwinding with libdwfl's callbacks: see unwind.h. They are described in elfutils/libdwfl.h.
#include "stacks/unwind.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <string.h>

enum { FRAMES_MOST = 256, FAR = 1 << 30 };

struct unwinder {
    struct arena *arena;
    const struct target *target;
    const struct modules *modules;
    Dwfl *dwfl;
    const struct snapshot *snapshot; // the one at hand
    struct now_thread *thread;
    size_t native; // frames added
};

static int find_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                     char **path, Elf **elf)
{
    (void)name;
    (void)base;
    const struct unwinder *unwinder = *data;
    Dwarf_Addr start;
    dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < unwinder->modules->list.count; i++) {
        const struct modules_entry *entry = &unwinder->modules->list.item[i];
        if (entry->start != start)
            continue;
        const int file = modules_open(unwinder->arena, unwinder->target, entry);
        if (file >= 0) {
            *path = strdup(entry->path);
            return file;
        }
        size_t bytes;
        void *image = modules_image(unwinder->arena, unwinder->target, entry, &bytes);
        *elf = image ? elf_memory(image, bytes) : NULL;
        return -1;
    }
    return -1;
}

// Unwinding needs no debug information, which takes long to be looked for.
static int find_no_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                             const char *path, const char *link, GElf_Word checksum, char **found)
{
    (void)module, (void)data, (void)name, (void)base, (void)path, (void)link, (void)checksum;
    (void)found;
    return -1;
}

static const Dwfl_Callbacks file_callbacks = {
    .find_elf = find_file,
    .find_debuginfo = find_no_debuginfo,
};

static pid_t next_thread(Dwfl *dwfl, void *data, void **thread_data)
{
    (void)dwfl, (void)data, (void)thread_data;
    return 0; // threads are asked for by their id
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *data, void **thread_data)
{
    (void)dwfl;
    const struct unwinder *unwinder = data;
    *thread_data = data;
    return unwinder->snapshot && unwinder->snapshot->tid == tid;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *word, void *data)
{
    (void)dwfl;
    const struct unwinder *unwinder = data;
    const struct snapshot *snapshot = unwinder->snapshot;
    const uint64_t end = snapshot->stack + snapshot->stack_bytes;
    if (address >= snapshot->stack && address + sizeof *word <= end) {
        memcpy(word, snapshot->data + (address - snapshot->stack), sizeof *word);
        return true;
    }
    // What of the stack was not copied has changed since.
    if (snapshot->stack_bytes == SNAPSHOT_STACK_BYTES && address >= snapshot->stack &&
        address - snapshot->stack < FAR)
        return false;
    return target_read(unwinder->target, address, word, sizeof *word) == 0;
}

static bool set_registers(Dwfl_Thread *thread, void *data)
{
    const struct unwinder *unwinder = data;
    uint64_t values[ARCH_DWARF_REGISTERS];
    uint64_t counter;
    const unsigned count = arch_dwarf_registers(&unwinder->snapshot->registers, values, &counter);
    Dwarf_Word words[ARCH_DWARF_REGISTERS];
    for (unsigned i = 0; i < count; i++)
        words[i] = values[i];
    if (!dwfl_thread_state_registers(thread, 0, count, words))
        return false;
    dwfl_thread_state_register_pc(thread, counter);
    return true;
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = read_memory,
    .set_initial_registers = set_registers,
};

struct unwinder *unwinder_new(struct arena *arena, const struct target *target,
                              const struct modules *modules)
{
    struct unwinder *unwinder = arena_take(arena, sizeof *unwinder);
    *unwinder = (struct unwinder){.arena = arena, .target = target, .modules = modules};
    unwinder->dwfl = dwfl_begin(&file_callbacks);
    if (!unwinder->dwfl)
        return NULL;
    dwfl_report_begin(unwinder->dwfl);
    for (size_t i = 0; i < modules->list.count; i++) {
        const struct modules_entry *entry = &modules->list.item[i];
        Dwfl_Module *module =
            dwfl_report_module(unwinder->dwfl, entry->path, entry->start, entry->end);
        void **data;
        if (module && dwfl_module_info(module, &data, NULL, NULL, NULL, NULL, NULL, NULL))
            *data = unwinder;
    }
    if (dwfl_report_end(unwinder->dwfl, NULL, NULL) == 0 &&
        dwfl_attach_state(unwinder->dwfl, NULL, target->pid, &thread_callbacks, unwinder))
        return unwinder;
    unwinder_free(unwinder);
    return NULL;
}

void unwinder_free(struct unwinder *unwinder)
{
    if (unwinder)
        dwfl_end(unwinder->dwfl);
}

static int add_frame(Dwfl_Frame *frame, void *data)
{
    struct unwinder *unwinder = data;
    Dwarf_Addr counter;
    bool exact; // of the thread itself, or interrupted by a signal: not a return address
    if (unwinder->native++ == FRAMES_MOST) {
        unwinder->thread->cut = true;
        return DWARF_CB_ABORT;
    }
    if (!dwfl_frame_pc(frame, &counter, &exact))
        return DWARF_CB_ABORT;
    *LIST_ADD(unwinder->arena, &unwinder->thread->frames) =
        (struct now_frame){.address = counter + (exact ? 1 : 0)};
    return DWARF_CB_OK;
}

void unwinder_add(struct unwinder *unwinder, const struct snapshot *snapshot,
                  struct now_thread *thread)
{
    unwinder->snapshot = snapshot;
    unwinder->thread = thread;
    unwinder->native = 0;
    // Its result tells little: unwinding often ends where there is no more to be known of.
    (void)dwfl_getthread_frames(unwinder->dwfl, snapshot->tid, add_frame, unwinder);
    thread->cut |= snapshot->stack_bytes == SNAPSHOT_STACK_BYTES;
    if (unwinder->native == 0)
        *LIST_ADD(unwinder->arena, &thread->frames) =
            (struct now_frame){.address = arch_program_counter(&snapshot->registers) + 1};
}
