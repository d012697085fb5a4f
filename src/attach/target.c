// A target's memory and the walk over its link map. See target.h.
//
// Sources: auxv in proc(5); struct r_debug and link_map in <link.h>; ELF gABI, chapter 5.
#include "attach/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attach/process.h"

enum { MODULE_LIMIT = 65536, DYNAMIC_LIMIT = 512, HEADER_LIMIT = 256, NAME_BYTES = 4096 };

int target_read(const struct target *target, uint64_t address, void *data, size_t bytes)
{
    const ssize_t got = pread(target->memory, data, bytes, (off_t)address);
    if (got == (ssize_t)bytes)
        return 0;
    if (got < 0)
        return -errno;
    return got == 0 ? -ESRCH : -EIO; // the kernel answers 0 once the memory has no user any more
}

// Not by /proc/PID/mem: that reads on through guard pages, into the next thread's stack.
size_t target_read_part(const struct target *target, uint64_t address, void *data, size_t bytes)
{
    const struct iovec to = {data, bytes};
    const struct iovec from = {(void *)(uintptr_t)address, bytes}; // NOLINT(*-int-to-ptr)
    ssize_t got = process_vm_readv(target->pid, &to, 1, &from, 1, 0);
    if (got < 0 && errno == ESRCH) // the first thread may leave at any time
        got = process_vm_readv(process_living_thread(target->pid), &to, 1, &from, 1, 0);
    return got > 0 ? (size_t)got : 0;
}

int target_write(const struct target *target, uint64_t address, const void *data, size_t bytes)
{
    const ssize_t put = pwrite(target->memory, data, bytes, (off_t)address);
    if (put == (ssize_t)bytes)
        return 0;
    if (put < 0)
        return -errno;
    return put == 0 ? -ESRCH : -EIO;
}

int target_read_text(const struct target *target, uint64_t address, char *text, size_t bytes)
{
    enum { STEP = 64 };
    size_t length = 0;
    while (length < bytes - 1) {
        // A step that ends where a multiple of STEP begins never reaches into another page.
        size_t step = STEP - (address + length) % STEP;
        if (step > bytes - 1 - length)
            step = bytes - 1 - length;
        const int error = target_read(target, address + length, text + length, step);
        if (error != 0)
            return error;
        if (memchr(text + length, '\0', step) != NULL)
            return 0;
        length += step;
    }
    text[length] = '\0';
    return 0;
}

static int read_auxiliary_vector(struct target *target)
{
    char path[64];
    uint64_t vector[256];
    snprintf(path, sizeof path, "/proc/%d/auxv", process_living_thread(target->pid));
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    const ssize_t got = read(file, vector, sizeof vector);
    const int error = got < 0 ? errno : 0;
    close(file);
    if (error != 0)
        return -error;
    for (size_t i = 0; i + 1 < (size_t)got / sizeof vector[0]; i += 2) {
        if (vector[i] == AT_PHDR)
            target->headers = vector[i + 1];
        if (vector[i] == AT_PHNUM)
            target->header_count = vector[i + 1];
        if (vector[i] == AT_BASE)
            target->interpreter = vector[i + 1];
    }
    return target->headers != 0 ? 0 : -ESRCH;
}

int target_open(struct target *target, pid_t pid, struct failure *failure)
{
    char path[64];
    *target = (struct target){.pid = pid};
    snprintf(path, sizeof path, "/proc/%d/mem", process_living_thread(pid));
    target->memory = open(path, O_RDWR | O_CLOEXEC);
    if (target->memory < 0)
        return failure_set(failure, errno, "cannot open the memory of process %d: %s", pid,
                           strerror(errno));
    const int error = read_auxiliary_vector(target);
    if (error != 0) {
        target_close(target);
        return failure_set(failure, -error, "cannot read /proc/%d/auxv: %s; it may be exiting", pid,
                           strerror(-error));
    }
    return 0;
}

static void forget_modules(struct target *target)
{
    for (size_t i = 0; i < target->module_count; i++)
        free(target->modules[i].name);
    free(target->modules);
    target->modules = NULL;
    target->module_count = 0;
    target->libc = target->loader = NULL;
}

void target_close(struct target *target)
{
    forget_modules(target);
    if (target->memory >= 0)
        close(target->memory);
    target->memory = -1;
}

// Address of the program's struct r_debug, or 0.
static uint64_t find_debug(const struct target *target)
{
    uint64_t bias = 0;
    uint64_t dynamic = 0;
    for (uint64_t i = 0; i < target->header_count && i < HEADER_LIMIT; i++) {
        ElfW(Phdr) header;
        if (target_read(target, target->headers + i * sizeof header, &header, sizeof header) != 0)
            return 0;
        if (header.p_type == PT_PHDR)
            bias = target->headers - header.p_vaddr;
        if (header.p_type == PT_DYNAMIC)
            dynamic = header.p_vaddr;
    }
    if (dynamic == 0)
        return 0;
    for (int i = 0; i < DYNAMIC_LIMIT; i++) {
        ElfW(Dyn) entry;
        if (target_read(target, bias + dynamic + i * sizeof entry, &entry, sizeof entry) != 0 ||
            entry.d_tag == DT_NULL)
            break;
        if (entry.d_tag == DT_DEBUG)
            return entry.d_un.d_ptr;
    }
    return 0;
}

static void read_dynamic(const struct target *target, struct module *module)
{
    for (int i = 0; i < DYNAMIC_LIMIT; i++) {
        ElfW(Dyn) entry;
        if (target_read(target, module->dynamic + i * sizeof entry, &entry, sizeof entry) != 0 ||
            entry.d_tag == DT_NULL)
            return;
        // glibc adds the load bias to these in place, except in a read-only section (vDSO).
        uint64_t address = entry.d_un.d_ptr;
        if (address < module->base)
            address += module->base;
        if (entry.d_tag == DT_SYMTAB)
            module->symbols = address;
        else if (entry.d_tag == DT_STRTAB)
            module->strings = address;
        else if (entry.d_tag == DT_GNU_HASH)
            module->hash = address;
    }
}

static void read_headers(const struct target *target, struct module *module)
{
    for (uint32_t i = 0; i < module->header_count && i < HEADER_LIMIT; i++) {
        ElfW(Phdr) header;
        if (target_read(target, module->headers + i * sizeof header, &header, sizeof header) != 0)
            return;
        if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0)
            continue;
        const uint64_t low = module->base + header.p_vaddr;
        const uint64_t high = low + header.p_memsz;
        if (module->text_high == 0 || low < module->text_low)
            module->text_low = low;
        if (high > module->text_high)
            module->text_high = high;
    }
}

static void find_headers(const struct target *target, struct module *module, bool executable)
{
    ElfW(Ehdr) header;
    if (executable) {
        module->headers = target->headers;
        module->header_count = (uint32_t)target->header_count;
    } else if (target_read(target, module->base, &header, sizeof header) == 0 &&
               memcmp(header.e_ident, ELFMAG, SELFMAG) == 0) {
        module->headers = module->base + header.e_phoff;
        module->header_count = header.e_phnum;
    }
    read_headers(target, module);
}

// Fills in *module from the struct link_map at `link`, whose content is copied to *map.
// Result: 0 or -errno.
static int read_module(const struct target *target, uint64_t link, bool executable,
                       struct link_map *map, struct module *module)
{
    char name[NAME_BYTES] = "";
    int error = target_read(target, link, map, sizeof *map);
    if (error == 0 && map->l_name != NULL)
        error = target_read_text(target, (uint64_t)(uintptr_t)map->l_name, name, sizeof name);
    if (error != 0)
        return error;
    *module = (struct module){.base = map->l_addr,
                              .dynamic = (uint64_t)(uintptr_t)map->l_ld,
                              .link = link,
                              .name = strdup(name)};
    if (module->name == NULL)
        return -ENOMEM;
    read_dynamic(target, module);
    find_headers(target, module, executable);
    return 0;
}

static struct module *append_module(struct target *target)
{
    struct module *grown = reallocarray(target->modules, target->module_count + 1, sizeof *grown);
    if (grown == NULL)
        return NULL;
    target->modules = grown;
    return &grown[target->module_count];
}

const struct module *target_add_module(struct target *target, uint64_t link)
{
    // The list may move: libc and loader are found again by their place in it.
    const ptrdiff_t libc = target->libc != NULL ? target->libc - target->modules : -1;
    const ptrdiff_t loader = target->loader != NULL ? target->loader - target->modules : -1;
    struct module *module = append_module(target);
    target->libc = libc >= 0 ? &target->modules[libc] : NULL;
    target->loader = loader >= 0 ? &target->modules[loader] : NULL;
    struct link_map map;
    if (module == NULL || read_module(target, link, false, &map, module) != 0)
        return NULL;
    target->module_count++;
    return module;
}

static void find_glibc(struct target *target)
{
    for (size_t i = 0; i < target->module_count; i++) {
        const struct module *module = &target->modules[i];
        if (target->libc == NULL &&
            module_symbol(target, module, "gnu_get_libc_version", NULL) != 0)
            target->libc = module;
        if (target->loader == NULL && module_symbol(target, module, "_r_debug", NULL) != 0)
            target->loader = module;
    }
}

// One walk over the list. Result: 0, or -EAGAIN if it was being changed.
static int walk_modules(struct target *target, uint64_t debug)
{
    struct r_debug state;
    forget_modules(target);
    if (target_read(target, debug, &state, sizeof state) != 0 || state.r_map == NULL ||
        state.r_state != RT_CONSISTENT)
        return -EAGAIN;
    uint64_t previous = 0;
    uint64_t link = (uint64_t)(uintptr_t)state.r_map;
    while (link != 0 && target->module_count < MODULE_LIMIT) {
        struct link_map map;
        struct module *module = append_module(target);
        if (module == NULL)
            return -ENOMEM;
        if (read_module(target, link, target->module_count == 0, &map, module) != 0)
            return -EAGAIN;
        target->module_count++;
        if ((uint64_t)(uintptr_t)map.l_prev != previous)
            return -EAGAIN; // taken out of the list while we were there
        previous = link;
        link = (uint64_t)(uintptr_t)map.l_next;
    }
    if (target_read(target, debug, &state, sizeof state) != 0 || state.r_state != RT_CONSISTENT)
        return -EAGAIN;
    find_glibc(target);
    return 0;
}

int target_load_modules(struct target *target, struct failure *failure)
{
    enum { TRIES = 200, PAUSE_US = 5000 };
    int error = -ENOENT;
    for (int i = 0; i < TRIES; i++) {
        const uint64_t debug = find_debug(target);
        error = debug != 0 ? walk_modules(target, debug) : -EAGAIN;
        if (error != -EAGAIN)
            break;
        usleep(PAUSE_US); // the program is still being started, or is loading a module
    }
    if (error == 0)
        return 0;
    return failure_set(failure, -error,
                       "process %d has no list of loaded modules that can be read: it is still "
                       "being started, or was started by a dynamic linker that is not glibc's; "
                       "start it with `unclosed run` instead",
                       target->pid);
}
