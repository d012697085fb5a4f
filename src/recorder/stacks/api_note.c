// The notes of unclosed.h: see api_note.h. Knows modules in memory, nothing of what the table does.
#include "recorder/stacks/api_note.h"

#include <string.h>

#include "recorder/core/loader.h"
#include "unclosed.h"

static const struct unclosed_functions *offered;
static bool is_used;

void api_note_offer(const struct unclosed_functions *functions)
{
    offered = functions;
}

bool api_note_is_used(void)
{
    return is_used;
}

// The pointer that a note of unclosed.h describes, or NULL.
static const struct unclosed_functions **find_pointer(const char *note, size_t bytes)
{
    const ElfW(Nhdr) *head = (const ElfW(Nhdr) *)note;
    while (bytes >= sizeof *head) {
        const char *name = (const char *)(head + 1);
        size_t name_bytes = (head->n_namesz + 3U) / 4 * 4,
               text_bytes = (head->n_descsz + 3U) / 4 * 4;
        size_t whole = sizeof *head + name_bytes + text_bytes;
        if (whole > bytes)
            return NULL;
        if (head->n_namesz == sizeof "unclosed" && head->n_descsz == sizeof(int64_t) &&
            memcmp(name, "unclosed", sizeof "unclosed") == 0) {
            int64_t distance;
            memcpy(&distance, name + name_bytes, sizeof distance);
            return (const struct unclosed_functions **)(uintptr_t)(name + name_bytes + distance);
        }
        head = (const ElfW(Nhdr) *)((const char *)head + whole);
        bytes -= whole;
    }
    return NULL;
}

void api_note_connect(const struct dl_phdr_info *info, bool connect)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_NOTE)
            continue;
        uint64_t address = info->dlpi_addr + segment->p_vaddr;
        const struct unclosed_functions **pointer =
            find_pointer((const char *)address, segment->p_memsz); // NOLINT
        if (!pointer || pointer == &unclosed_functions_here)       // that is this file's own
            continue;
        is_used = true;
        __atomic_store_n(pointer, connect ? offered : NULL, __ATOMIC_RELEASE);
    }
}

static int connect_one(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    api_note_connect(info, *(const bool *)data);
    return 0;
}

void api_note_connect_all(bool connect)
{
    (void)loader_each(connect_one, &connect);
}
