// See tracee.h. ptrace(2) describes the requests; linux/rseq.h restartable sequences.
#include "attach/tracee.h"

#include <errno.h>
#include <linux/rseq.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "attach/process.h"

enum {
    CALL_TIMEOUT_NS = 2000000000,
    STOP_OF_CALL = SIGTRAP | 0x80, // PTRACE_O_TRACESYSGOOD
    NANOSECONDS = 1000000000,
};

int tracee_seize(struct tracee *tracee)
{
    if (ptrace(PTRACE_SEIZE, tracee->tid, 0, PTRACE_O_TRACESYSGOOD) != 0)
        return -errno;
    return tracee_interrupt(tracee);
}

int tracee_interrupt(struct tracee *tracee)
{
    arch_note_wait(tracee->target->pid, tracee->tid, &tracee->state.wait);
    return ptrace(PTRACE_INTERRUPT, tracee->tid, 0, 0) == 0 ? 0 : -errno;
}

// A stop makes some system calls return EINTR; see arch_reissue_interrupted.
static void hide_interruption(struct tracee *tracee)
{
    struct arch_registers registers;
    const pid_t pid = tracee->target->pid;
    if (!tracee->interrupted || arch_read_registers(tracee->tid, &registers) != 0)
        return;
    tracee->interrupted = false;
    if (!arch_reissue_interrupted(&registers, &tracee->state.wait))
        return; // the common case: /proc, which takes long, is not asked
    const uint64_t pending = process_pending_signals(pid, tracee->tid);
    if ((pending & ~process_blocked_signals(pid, tracee->tid)) == 0)
        arch_write_registers(tracee->tid, &registers);
}

static int run(struct tracee *tracee, bool calls)
{
    tracee->stopped = false;
    tracee->calls = calls;
    const int request = calls ? PTRACE_SYSCALL : PTRACE_CONT;
    return ptrace(request, tracee->tid, 0, 0) == 0 ? 0 : -errno;
}

int tracee_continue(struct tracee *tracee, bool calls)
{
    hide_interruption(tracee);
    return run(tracee, calls);
}

// Result: true with *status if the thread has stopped or ended.
static bool wait_once(pid_t tid, int *status)
{
    const pid_t got = waitpid(tid, status, __WALL | WNOHANG);
    if (got == tid)
        return true;
    if (got < 0 && errno == ECHILD) {
        *status = 0; // as after _exit(0)
        return true;
    }
    return false;
}

// What a stop means. 0: it was a signal, which has been passed on.
static enum tracee_event judge(struct tracee *tracee, int status)
{
    if (!WIFSTOPPED(status))
        return TRACEE_GONE;
    tracee->stopped = true;
    tracee->at_call = WSTOPSIG(status) == STOP_OF_CALL;
    if (!tracee->borrowed)
        tracee->stopped_at = process_now();
    tracee->interrupted = status >> 16 == PTRACE_EVENT_STOP && !tracee->borrowed;
    if (status >> 16 == PTRACE_EVENT_STOP)
        return WSTOPSIG(status) == SIGTRAP ? TRACEE_STOPPED : TRACEE_GROUP_STOP;
    if (WSTOPSIG(status) == STOP_OF_CALL) {
        struct __ptrace_syscall_info info;
        if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->tid, sizeof info, &info) <= 0)
            return TRACEE_GONE;
        return info.op == PTRACE_SYSCALL_INFO_ENTRY ? TRACEE_ENTRY : TRACEE_EXIT;
    }
    tracee->stopped = false;
    const int request = tracee->calls ? PTRACE_SYSCALL : PTRACE_CONT;
    ptrace(request, tracee->tid, 0, WSTOPSIG(status));
    return 0;
}

enum tracee_event tracee_wait(struct tracee *tracee, uint64_t deadline)
{
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGCHLD);
    for (;;) {
        int status = 0;
        if (wait_once(tracee->tid, &status)) {
            const enum tracee_event event = judge(tracee, status);
            if (event != 0)
                return event;
            continue;
        }
        const uint64_t now = process_now();
        if (now >= deadline)
            return TRACEE_TIMEOUT;
        // Asleep, not polling: on a busy machine that is what makes us run at once when it stops.
        const struct timespec left = {(time_t)((deadline - now) / NANOSECONDS),
                                      (long)((deadline - now) % NANOSECONDS)};
        sigtimedwait(&stops, NULL, &left);
    }
}

// A thread that is moved while in a restartable sequence would go on in its middle, although the
// kernel believes that it has left it.
static bool in_restartable_sequence(const struct tracee *tracee)
{
    struct __ptrace_rseq_configuration where = {0};
    struct rseq area = {0};
    struct rseq_cs sequence;
    if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tracee->tid, sizeof where, &where) < 0 ||
        where.rseq_abi_pointer == 0)
        return false;
    if (target_read(tracee->target, where.rseq_abi_pointer, &area, sizeof area) != 0 ||
        area.rseq_cs == 0 ||
        target_read(tracee->target, area.rseq_cs, &sequence, sizeof sequence) != 0)
        return false;
    return arch_program_counter(&tracee->state.registers) - sequence.start_ip <
           sequence.post_commit_offset;
}

static int write_frame(struct tracee *tracee, uint64_t top, bool keep_old)
{
    static struct arch_frame frame;
    arch_build_frame(&tracee->state, tracee->gadgets, top, &frame);
    if (keep_old) {
        const int error =
            target_read(tracee->target, frame.address, tracee->scratch_data, frame.bytes);
        if (error != 0)
            return error;
        tracee->scratch = frame.address;
        tracee->scratch_bytes = frame.bytes;
    }
    tracee->frame = frame.address;
    return target_write(tracee->target, frame.address, frame.data, frame.bytes);
}

static int put_stack_back(struct tracee *tracee)
{
    if (tracee->scratch == 0)
        return 0;
    const uint64_t address = tracee->scratch;
    tracee->scratch = 0;
    return target_write(tracee->target, address, tracee->scratch_data, tracee->scratch_bytes);
}

// Makes the thread return into the frame if it is let go. The call it makes before is harmless.
static int enter_frame(const struct tracee *tracee)
{
    struct arch_registers registers = tracee->state.registers;
    arch_prepare_call(&registers, tracee->gadgets, tracee->frame, SYS_getpid, (uint64_t[6]){0});
    return arch_write_registers(tracee->tid, &registers);
}

// Goes on from a stop at the exit of a system call, where not all registers can be read, to the
// next one, before the thread runs any code. Result: 0, or -EAGAIN if it runs something else first.
static int leave_call(struct tracee *tracee)
{
    struct arch_registers before;
    struct arch_registers after;
    const uint64_t deadline = process_now() + CALL_TIMEOUT_NS;
    int error = arch_read_registers(tracee->tid, &before);
    if (error == 0 && ptrace(PTRACE_INTERRUPT, tracee->tid, 0, 0) != 0)
        error = -errno;
    if (error == 0)
        error = run(tracee, false);
    if (error != 0)
        return error;
    const enum tracee_event event = tracee_wait(tracee, deadline);
    tracee->state.wait.number = -1; // it was not waiting
    if (event != TRACEE_STOPPED)
        return event == TRACEE_GONE ? -ESRCH : -EAGAIN;
    error = arch_read_registers(tracee->tid, &after);
    if (error == 0 && (arch_program_counter(&before) != arch_program_counter(&after) ||
                       arch_stack_pointer(&before) != arch_stack_pointer(&after)))
        error = -EAGAIN;
    return error;
}

// Gives back what tracee_borrow put aside; the thread stays stopped.
static void give_back(struct tracee *tracee)
{
    if (!tracee->borrowed)
        return;
    tracee->borrowed = false;
    struct arch_registers registers = tracee->state.registers;
    // Signals that came since are delivered now, as they would be on any way out of the kernel.
    const uint64_t pending = process_pending_signals(tracee->target->pid, tracee->tid);
    if ((pending & ~tracee->state.signals) == 0)
        arch_reissue_interrupted(&registers, &tracee->state.wait);
    // In this order: with its old mask and the frame still there it would restore itself.
    arch_write_vectors(tracee->tid, &tracee->state);
    ptrace(PTRACE_SETSIGMASK, tracee->tid, sizeof tracee->state.signals, &tracee->state.signals);
    arch_write_registers(tracee->tid, &registers);
    put_stack_back(tracee);
}

int tracee_borrow(struct tracee *tracee)
{
    static const uint64_t all_signals = ~UINT64_C(0);
    const pid_t pid = tracee->target->pid;
    int error = ARCH_CALL_STOP_HIDES && tracee->at_call ? leave_call(tracee) : 0;
    if (error == 0)
        error = arch_read_state(tracee->tid, &tracee->state);
    if (error != 0)
        return error;
    if (!arch_is_native(&tracee->state.registers) || in_restartable_sequence(tracee) ||
        (process_pending_signals(pid, tracee->tid) & ~process_blocked_signals(pid, tracee->tid)))
        return -EAGAIN;
    arch_name_restarted(tracee->target, &tracee->state.registers);
    error = write_frame(tracee, arch_stack_pointer(&tracee->state.registers), true);
    if (error != 0) {
        put_stack_back(tracee);
        return error == -ESRCH ? -ESRCH : -EAGAIN;
    }
    error = enter_frame(tracee); // from here on it restores itself
    if (error == 0) {
        tracee->borrowed = true;
        tracee->interrupted = false;
        if (ptrace(PTRACE_SETSIGMASK, tracee->tid, sizeof all_signals, &all_signals) != 0)
            error = -errno;
    }
    if (error != 0)
        give_back(tracee);
    return error;
}

// Runs a prepared thread through one system call. Result: 0 or -errno.
static int run_call(struct tracee *tracee, const struct arch_registers *prepared, int64_t *answer)
{
    const uint64_t deadline = process_now() + CALL_TIMEOUT_NS;
    struct arch_registers registers;
    int error = arch_write_registers(tracee->tid, prepared);
    while (error == 0) {
        error = run(tracee, true);
        if (error != 0)
            break;
        switch (tracee_wait(tracee, deadline)) {
        case TRACEE_EXIT:
            error = arch_read_registers(tracee->tid, &registers);
            *answer = (int64_t)arch_result(&registers);
            return error;
        case TRACEE_GONE:
            return -ESRCH;
        case TRACEE_TIMEOUT:
            return -ETIMEDOUT;
        default:
            break; // its entry, or a stop that has nothing to do with it
        }
    }
    return error;
}

int tracee_call(struct tracee *tracee, long number, const uint64_t arguments[6], int64_t *answer)
{
    struct arch_registers registers = tracee->state.registers;
    arch_prepare_call(&registers, tracee->gadgets, tracee->frame, number, arguments);
    return run_call(tracee, &registers, answer);
}

int tracee_move_frame(struct tracee *tracee, uint64_t region, size_t bytes)
{
    int error = write_frame(tracee, region + bytes, false);
    if (error == 0)
        error = enter_frame(tracee);
    return error != 0 ? error : put_stack_back(tracee);
}

int tracee_move_frame_back(struct tracee *tracee)
{
    const int error = write_frame(tracee, arch_stack_pointer(&tracee->state.registers), true);
    return error != 0 ? error : enter_frame(tracee);
}

pid_t tracee_clone(struct tracee *tracee, uint64_t stack, uint64_t entry, uint64_t data,
                   uint64_t tcb, uint64_t lives_address)
{
    struct arch_registers registers = tracee->state.registers;
    uint64_t words[2];
    int64_t answer = 0;
    arch_prepare_clone(&registers, tracee->gadgets, tracee->frame, stack, entry, data, tcb,
                       lives_address, words);
    int error = target_write(tracee->target, stack, words, sizeof words);
    if (error == 0)
        error = run_call(tracee, &registers, &answer);
    return error != 0 ? error : (pid_t)answer;
}

void tracee_release(struct tracee *tracee)
{
    give_back(tracee);
    hide_interruption(tracee);
    if (tracee->stopped)
        ptrace(PTRACE_DETACH, tracee->tid, 0, 0);
    tracee->stopped = false;
}
