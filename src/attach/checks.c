// See checks.h.
#include "attach/checks.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/arch.h"
#include "attach/process.h"

// Value of kernel.yama.ptrace_scope, 0 if there is no such thing.
static long ptrace_scope(void)
{
    char text[16] = "0";
    const int file = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    const ssize_t got = read(file, text, sizeof text - 1);
    close(file);
    text[got > 0 ? got : 0] = '\0';
    return strtol(text, NULL, 10);
}

static uid_t owner(pid_t pid)
{
    const long uid = process_number(pid, pid, "Uid");
    return (uid_t)uid;
}

// The rules are in ptrace(2), "Ptrace access mode checking".
int checks_explain_denial(pid_t pid, int error, struct failure *failure)
{
    char path[64];
    struct stat memory;
    snprintf(path, sizeof path, "/proc/%d/mem", pid); // root's if the process is not dumpable
    const uid_t user = owner(pid);
    const bool known = stat(path, &memory) == 0;
    if (geteuid() != 0 && user != geteuid())
        return failure_set(failure, EPERM,
                           "process %d belongs to another user (uid %u); run this as that user "
                           "or as root",
                           pid, user);
    if (geteuid() != 0 && known && memory.st_uid != user)
        return failure_set(failure, EPERM,
                           "process %d is not dumpable (setuid, file capabilities, or "
                           "PR_SET_DUMPABLE); run this as root",
                           pid);
    const long scope = ptrace_scope();
    if (scope == 3)
        return failure_set(failure, EPERM,
                           "the kernel forbids all tracing (kernel.yama.ptrace_scope is 3, which "
                           "only a reboot changes); start the program with `unclosed run`");
    if (scope != 0)
        return failure_set(failure, EPERM,
                           "the kernel forbids tracing process %d (kernel.yama.ptrace_scope is "
                           "%ld); run this as root, or as root `sysctl kernel.yama.ptrace_scope=0`",
                           pid, scope);
    return failure_set(failure, EPERM,
                       "no permission to trace process %d (%s); in a container add "
                       "--cap-add=SYS_PTRACE, or run this as root outside of it",
                       pid, strerror(error));
}

static int check_state(pid_t pid, struct failure *failure)
{
    const char state = process_state(pid, pid);
    if (state == '\0')
        return failure_set(failure, ESRCH, "there is no process %d", pid);
    const long group = process_number(pid, pid, "Tgid");
    if (group != pid)
        return failure_set(failure, EINVAL, "%d is a thread of process %ld; use %ld", pid, group,
                           group);
    // A leader that has left by pthread_exit looks like a zombie, but other threads go on.
    if ((state == 'Z' || state == 'X') && process_number(pid, pid, "Threads") <= 1)
        return failure_set(failure, ESRCH,
                           "process %d has ended (a zombie that its parent %ld has not waited "
                           "for); there is nothing to attach to",
                           pid, process_number(pid, pid, "PPid"));
    const long tracer = process_number(pid, pid, "TracerPid");
    if (tracer > 0)
        return failure_set(failure, EBUSY,
                           "process %d is already being traced by process %ld (a debugger or "
                           "strace); detach that first",
                           pid, tracer);
    if (state == 'T' || state == 't')
        return failure_set(failure, EBUSY,
                           "process %d is stopped; resume it (kill -CONT %d) and try again", pid,
                           pid);
    char features[128] = "";
    process_status(pid, pid, "x86_Thread_features", features, sizeof features);
    if (strstr(features, "shstk") != NULL)
        return failure_set(failure, ENOTSUP,
                           "process %d uses shadow stacks, which keep threads from being added "
                           "from outside; start it with `unclosed run`, or without them "
                           "(GLIBC_TUNABLES=glibc.cpu.x86_shstk=off)",
                           pid);
    if (pid == getpid())
        return failure_set(failure, EINVAL, "process %d is this program itself", pid);
    return 0;
}

static const char *machine_name(const Elf64_Ehdr *header)
{
    switch (header->e_machine) {
    case EM_386:
        return "32-bit x86";
    case EM_X86_64:
        return header->e_ident[EI_CLASS] == ELFCLASS64 ? "x86-64" : "x32";
    case EM_AARCH64:
        return "aarch64";
    case EM_ARM:
        return "32-bit ARM";
    default:
        return "another architecture's";
    }
}

static int check_executable(pid_t pid, struct failure *failure)
{
    char path[64];
    Elf64_Ehdr header = {0};
    snprintf(path, sizeof path, "/proc/%d/exe", process_living_thread(pid));
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT)
        return failure_set(failure, EINVAL,
                           "process %d is a kernel thread; it has no program to trace", pid);
    if (file < 0)
        return checks_explain_denial(pid, errno, failure);
    const ssize_t got = read(file, &header, sizeof header);
    close(file);
    if (got != sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return failure_set(failure, ENOEXEC, "process %d does not run an ELF program", pid);
    if (header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == arch_elf_machine)
        return 0;
    return failure_set(failure, ENOTSUP,
                       "process %d is a %s program and this tool is %s; use unclosed built for "
                       "that architecture",
                       pid, machine_name(&header), arch_name);
}

int checks_process(pid_t pid, struct failure *failure)
{
    const int error = check_state(pid, failure);
    return error != 0 ? error : check_executable(pid, failure);
}

static int check_modules(const struct target *target, struct failure *failure)
{
    if (target->libc != NULL && target->loader != NULL)
        return 0;
    for (size_t i = 0; i < target->module_count; i++) {
        if (strstr(target->modules[i].name, "musl") != NULL)
            return failure_set(failure, ENOTSUP,
                               "process %d uses the C library musl; only programs that use glibc "
                               "can be attached to",
                               target->pid);
    }
    return failure_set(failure, ENOTSUP,
                       "process %d does not use glibc; only programs that do can be attached to",
                       target->pid);
}

int checks_open(struct target *target, pid_t pid, struct failure *failure)
{
    int error = target_open(target, pid, failure);
    if (error == -EACCES || error == -EPERM)
        return checks_explain_denial(pid, -error, failure);
    if (error != 0)
        return error;
    if (target->interpreter == 0)
        error = failure_set(failure, ENOTSUP,
                            "process %d is statically linked (or was started by naming the "
                            "dynamic linker): no library can be loaded into it; link it "
                            "dynamically, or start it directly",
                            pid);
    if (error == 0)
        error = target_load_modules(target, failure);
    if (error == 0)
        error = check_modules(target, failure);
    if (error != 0)
        target_close(target);
    return error;
}
