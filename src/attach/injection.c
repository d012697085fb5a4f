// See injection.h. All ptrace calls are made in a forked child (child.h).
#include "attach/injection.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach/child.h"
#include "attach/helper_layout.h"
#include "attach/process.h"
#include "attach/safe_point.h"
#include "attach/seccomp.h"
#include "attach/tracee.h"

extern const uint8_t attach_blob_begin[], attach_blob_end[];
extern const uint8_t attach_blob_first[], attach_blob_worker[];

enum {
    PAGE = 4096,
    STACK_BYTES = 0x20000, // of the raw thread; jemalloc sets itself up on it
    DTV_SLOT_BYTES = 16,
    DTV_SPARE = 1024,      // for modules loaded meanwhile: ld.so must not want to enlarge ours
    TLS_SPARE = 0x4000,    // likewise, for their static TLS
    TLS_LIMIT = 0x4000000, // more is no offset: a module that is just being unloaded
    TLS_UNKNOWN = 0x40000, // if the offsets cannot be read
    POLL_NS = 100000,
    HOLD_MS = 2000,
    HOLD_ASLEEP_MS = 50,
};

#define MS UINT64_C(1000000)
#define SIGNALS_OF_GLIBC (UINT64_C(3) << 31) // 32 and 33: cancellation and setuid need answers

_Static_assert(offsetof(struct helper_page, thread) == HELPER_THREAD, "layout");
_Static_assert(offsetof(struct helper_page, create) == HELPER_CREATE, "layout");
_Static_assert(offsetof(struct helper_page, detach) == HELPER_DETACH, "layout");
_Static_assert(offsetof(struct helper_page, tls_init) == HELPER_TLS_INIT, "layout");
_Static_assert(offsetof(struct helper_page, tcb) == HELPER_TCB, "layout");
_Static_assert(offsetof(struct helper_page, create_result) == HELPER_CREATE_RESULT, "layout");
_Static_assert(offsetof(struct helper_page, created) == HELPER_CREATED, "layout");
_Static_assert(offsetof(struct helper_page, first_lives) == HELPER_FIRST_LIVES, "layout");
_Static_assert(offsetof(struct helper_page, asked) == HELPER_ASKED, "layout");
_Static_assert(offsetof(struct helper_page, answered) == HELPER_ANSWERED, "layout");
_Static_assert(offsetof(struct helper_page, function) == HELPER_FUNCTION, "layout");
_Static_assert(offsetof(struct helper_page, arguments) == HELPER_ARGUMENTS, "layout");
_Static_assert(offsetof(struct helper_page, result) == HELPER_RESULT, "layout");
_Static_assert(offsetof(struct helper_page, munmap) == HELPER_MUNMAP, "layout");
_Static_assert(offsetof(struct helper_page, base) == HELPER_BASE, "layout");
_Static_assert(offsetof(struct helper_page, bytes) == HELPER_BYTES, "layout");
_Static_assert(offsetof(struct helper_page, leave) == HELPER_LEAVE, "layout");
_Static_assert(offsetof(struct helper_page, patience) == HELPER_PATIENCE, "layout");
_Static_assert(offsetof(struct helper_page, poll) == HELPER_POLL, "layout");
_Static_assert(offsetof(struct helper_page, close) == HELPER_CLOSE, "layout");
_Static_assert(offsetof(struct helper_page, name) == HELPER_NAME, "layout");
_Static_assert(offsetof(struct helper_page, signals) == HELPER_SIGNALS, "layout");
_Static_assert(offsetof(struct helper_page, mxcsr) == HELPER_MXCSR, "layout");
_Static_assert(offsetof(struct helper_page, unmap) == HELPER_UNMAP, "layout");
_Static_assert(offsetof(struct helper_page, tid_address) == HELPER_TID_ADDRESS, "layout");

// What libthread_db is told about a field: struct { uint32_t bits, count, offset }.
static bool read_field(const struct target *target, const char *name, uint32_t *offset)
{
    uint32_t description[3];
    const uint64_t address = target_symbol(target, name);
    if (address == 0 || target_read(target, address, description, sizeof description) != 0)
        return false;
    *offset = description[2];
    return true;
}

// Size of a module's TLS block.
static uint64_t tls_size(const struct target *target, const struct module *module)
{
    ElfW(Phdr) header;
    for (uint32_t i = 0; i < module->header_count; i++) {
        if (target_read(target, module->headers + i * sizeof header, &header, sizeof header) != 0)
            break;
        if (header.p_type == PT_TLS)
            return header.p_memsz;
    }
    return 0;
}

// Bytes of static TLS that ld.so will fill for the modules there are, on the thread pointer's side
// where it is. An offset is that of the end that is farther away, or of the nearer one.
static uint64_t static_tls_bytes(const struct target *target)
{
    uint32_t field = 0;
    uint64_t most = 0;
    if (!read_field(target, "_thread_db_link_map_l_tls_offset", &field))
        return TLS_UNKNOWN;
    for (size_t i = 0; i < target->module_count; i++) {
        int64_t offset = 0;
        if (target_read(target, target->modules[i].link + field, &offset, sizeof offset) != 0 ||
            offset <= 0 || offset >= TLS_LIMIT)
            continue;
        const uint64_t end =
            (uint64_t)offset + (ARCH_TLS_ABOVE ? tls_size(target, &target->modules[i]) : 0);
        most = end > most ? end : most;
    }
    return most;
}

// Where the thread id is, from the thread pointer on; 0: not known.
static int64_t tid_offset(const struct target *target)
{
    uint32_t offset = 0;
    int64_t descriptor = 0;
    return read_field(target, "_thread_db_pthread_tid", &offset) &&
                   arch_find_descriptor(target, &descriptor)
               ? descriptor + offset
               : 0;
}

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static bool is_of_libc(const struct target *target, const char *name)
{
    return target_symbol(target, name) == module_symbol(target, target->libc, name, NULL);
}

// Whether code that is not glibc's runs on the first thread: another malloc, a wrapper around
// pthread_create. It may have linked the thread's TLS into its lists (jemalloc does) and never
// learns that the thread has gone, so that the TLS has to stay.
static bool is_known_to_others(const struct target *target)
{
    return !is_of_libc(target, "malloc") || !is_of_libc(target, "pthread_create");
}

static void lay_out(const struct target *target, struct injection_plan *plan)
{
    const uint64_t tls = round_up(static_tls_bytes(target) + TLS_SPARE, PAGE);
    plan->dtv_slots = target->module_count * 2 + DTV_SPARE;
    plan->page = PAGE; // the code comes first
    plan->text = plan->page + PAGE;
    plan->frame = plan->text + INJECTION_TEXT_BYTES;
    plan->dtv = plan->frame + round_up(ARCH_FRAME_BYTES, PAGE);
    plan->stack_end =
        plan->dtv + round_up((plan->dtv_slots + 2) * DTV_SLOT_BYTES, PAGE) + STACK_BYTES;
    plan->tcb = plan->stack_end + (ARCH_TLS_ABOVE ? ARCH_PTHREAD_BYTES : tls);
    plan->bytes = plan->tcb + (ARCH_TLS_ABOVE ? tls : ARCH_PTHREAD_BYTES);
    plan->unmap = is_known_to_others(target) ? plan->stack_end : plan->bytes;
}

int injection_prepare(const struct target *target, struct injection_plan *plan,
                      struct failure *failure)
{
    *plan = (struct injection_plan){0};
    if (sysconf(_SC_PAGESIZE) != PAGE)
        return failure_set(failure, ENOTSUP,
                           "this machine has pages of %ld bytes, but attaching supports only %d; "
                           "start process %d with `unclosed run` instead",
                           sysconf(_SC_PAGESIZE), PAGE, target->pid);
    int error = arch_find_gadgets(target, &plan->gadgets, failure);
    if (error != 0)
        return error;
    plan->create = target_symbol(target, "pthread_create");
    plan->detach = target_symbol(target, "pthread_detach");
    plan->munmap = module_symbol(target, target->libc, "munmap", NULL);
    plan->tls_init = module_symbol(target, target->loader, "_dl_allocate_tls_init", NULL);
    plan->tid_offset = tid_offset(target);
    if (plan->create == 0 || plan->detach == 0)
        return failure_set(failure, ENOTSUP,
                           "process %d has no thread library loaded (glibc before 2.34 without "
                           "libpthread); start it with `unclosed run` instead",
                           target->pid);
    if (plan->munmap == 0 || plan->tls_init == 0 || plan->tid_offset == 0)
        return failure_set(failure, ENOTSUP,
                           "the C library of process %d (%s) is not supported; start the program "
                           "with `unclosed run` instead",
                           target->pid, target->libc->name);
    lay_out(target, plan);
    return 0;
}

// Maps the memory of the helper. Result: its address, or -errno.
static int64_t map_memory(struct tracee *tracee, const struct injection_plan *plan)
{
    // Executable from the beginning, for a policy may forbid to make memory executable later. What
    // is not code the raw thread makes writable instead; until then it is written from outside.
    const uint64_t map[6] = {
        0, plan->bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0};
    int64_t base = 0;
    const int error = tracee_call(tracee, SYS_mmap, map, &base);
    return error != 0 ? error : base;
}

static int fill_memory(const struct tracee *tracee, const struct injection_plan *plan,
                       uint64_t base)
{
    const struct target *target = tracee->target;
    const uint64_t code = base;
    const struct helper_page page = {
        .create = plan->create,
        .detach = plan->detach,
        .tls_init = plan->tls_init,
        .tcb = base + plan->tcb,
        .tid_address = base + plan->tcb + (uint64_t)plan->tid_offset,
        .first_lives = 1,
        .munmap = plan->munmap,
        .base = base,
        .bytes = plan->bytes,
        .unmap = plan->unmap,
        .patience = INJECTION_PATIENCE_MS * (1000000 / POLL_NS),
        .poll = {0, POLL_NS},
        .close = {-1, -1},
        .name = "unclosed-helper",
        .signals = ~SIGNALS_OF_GLIBC,
        .mxcsr = 0x1f80,
    };
    int error = target_write(target, code, attach_blob_begin,
                             (size_t)(attach_blob_end - attach_blob_begin));
    if (error == 0)
        error = target_write(target, base + plan->page, &page, sizeof page);
    if (error == 0)
        error =
            arch_write_tcb(target, base + plan->tcb, arch_thread_pointer(&tracee->state.registers),
                           base + plan->dtv, plan->dtv_slots);
    return error;
}

static void unmap_borrowed(struct tracee *tracee, const struct injection_plan *plan, uint64_t base)
{
    const uint64_t all[6] = {base, plan->unmap};
    int64_t answer = 0;
    if (tracee_move_frame_back(tracee) == 0)
        tracee_call(tracee, SYS_munmap, all, &answer);
}

// In a program with a single thread the borrowed one must not go on before glibc knows of the
// second one. It is let go nevertheless if that one is asleep, for then it waits for a lock that
// only the borrowed thread can give up; and after HOLD_MS.
static void hold_until_created(const struct tracee *tracee, uint64_t page, pid_t first)
{
    const uint64_t begin = process_now();
    uint32_t created = 0;
    for (;;) {
        const uint64_t held = process_now() - begin;
        if (target_read(tracee->target, page + HELPER_CREATED, &created, sizeof created) != 0 ||
            created != 0 || held > HOLD_MS * MS)
            return;
        if (held > HOLD_ASLEEP_MS * MS && process_state(tracee->target->pid, first) == 'S')
            return;
        process_sleep(POLL_NS / 5);
    }
}

static int explain(const struct target *target, int error, const char *what,
                   struct failure *failure)
{
    if (error == -ESRCH)
        return failure_set(failure, ESRCH,
                           "process %d has ended or executed another program meanwhile",
                           target->pid);
    const char *remedy = error == -ENOMEM || error == -EAGAIN
                             ? "raise its limits on memory and threads (prlimit --as, --nproc)"
                             : "start it with `unclosed run` instead";
    return failure_set(failure, -error, "process %d cannot %s: %s; %s", target->pid, what,
                       strerror(-error), remedy);
}

// With the thread borrowed. Result: 0 with result->base and ->first set, or -errno explained.
static int start_thread(struct tracee *tracee, const struct injection_plan *plan,
                        struct injection_result *result)
{
    const int64_t base = map_memory(tracee, plan);
    if (base < 0 && base > -PAGE)
        return explain(tracee->target, (int)base, "map memory for the helper thread",
                       &result->failure);
    const uint64_t start = (uint64_t)base;
    int error = tracee_move_frame(tracee, start + plan->frame, ARCH_FRAME_BYTES);
    if (error == 0)
        error = fill_memory(tracee, plan, start);
    if (error == 0) {
        const uint64_t entry = start + (uint64_t)(attach_blob_first - attach_blob_begin);
        const uint64_t page = start + plan->page;
        result->first = tracee_clone(tracee, start + plan->stack_end - DTV_SLOT_BYTES, entry, page,
                                     start + plan->tcb, page + HELPER_FIRST_LIVES);
        error = result->first < 0 ? result->first : 0;
    }
    if (error != 0) {
        unmap_borrowed(tracee, plan, start);
        return explain(tracee->target, error, "start a helper thread", &result->failure);
    }
    result->base = start;
    if (result->single)
        hold_until_created(tracee, start + plan->page, result->first);
    return 0;
}

enum task { TASK_START, TASK_UNMAP };

struct work {
    const struct target *target;
    const struct injection_plan *plan;
    enum task task;
    uint64_t base; // TASK_UNMAP
    struct injection_result *result;
};

static void borrow_and_work(void *data)
{
    const struct work *work = data;
    const struct injection_plan *plan = work->plan;
    struct injection_result *result = work->result;
    static struct tracee tracee;
    const uint64_t begin = process_now();
    tracee.target = work->target;
    tracee.gadgets = &plan->gadgets;
    if (safe_point_borrow(&tracee, &result->single, &result->failure) != 0)
        return;
    result->borrowed = tracee.tid;
    result->search_ns = tracee.stopped_at - begin;
    if (work->task == TASK_UNMAP)
        unmap_borrowed(&tracee, plan, work->base);
    else if (seccomp_check(work->target->pid, tracee.tid, &result->failure) == 0)
        start_thread(&tracee, plan, result);
    tracee_release(&tracee);
    result->pause_ns = process_now() - tracee.stopped_at;
}

// Runs the above in a child process. Result: as said in result->failure.
static int run_in_child(struct work *work)
{
    struct injection_result *result = work->result;
    const struct child_work child = {.run = borrow_and_work,
                                     .data = work,
                                     .result = result,
                                     .result_bytes = sizeof *result,
                                     .purpose = "attach"};
    struct failure failure;
    *result = (struct injection_result){0};
    if (child_run(&child, work->target->pid, &failure) != 0)
        *result = (struct injection_result){.failure = failure};
    return -result->failure.error;
}

int injection_start(const struct target *target, const struct injection_plan *plan,
                    struct injection_result *result)
{
    return run_in_child(
        &(struct work){.target = target, .plan = plan, .task = TASK_START, .result = result});
}

int injection_unmap(const struct target *target, const struct injection_plan *plan, uint64_t base,
                    struct injection_result *result)
{
    return run_in_child(&(struct work){
        .target = target, .plan = plan, .task = TASK_UNMAP, .base = base, .result = result});
}
