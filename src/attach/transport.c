// See transport.h. memfd_create(2), pidfd_getfd(2), openat2(2), cmsg(3).
#include "attach/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attach/process.h"

enum {
    DLOPEN_MS = 30000,
    LAZY_NO_NOW = 2,                 // RTLD_NOW of glibc; RTLD_LOCAL is 0
    INTERNAL_DLOPEN = (int)1u << 31, // __RTLD_DLOPEN, wanted by __libc_dlopen_mode only
    PATH_BYTES = 256,
    NAME_BYTES = 64,
    HIGH_NUMBER = 200,
};

static int copy_file(int from, int to)
{
    struct stat status;
    if (fstat(from, &status) != 0)
        return -errno;
    off_t offset = 0;
    while (offset < status.st_size) {
        const ssize_t sent = sendfile(to, from, &offset, (size_t)(status.st_size - offset));
        if (sent <= 0)
            return sent < 0 ? -errno : -EIO;
    }
    return 0;
}

// Closes a descriptor of the target.
static void close_there(struct helper *helper, int number)
{
    const uint64_t arguments[5] = {(uint64_t)number};
    int64_t answer = 0;
    helper_system_call(helper, SYS_close, arguments, &answer);
}

// Whether a module of the target goes by that name: dlopen would take it for the one wanted.
static bool name_is_taken(const struct target *target, const char *name)
{
    for (size_t i = 0; i < target->module_count; i++) {
        if (strcmp(target->modules[i].name, name) == 0)
            return true;
    }
    return false;
}

// A name for descriptor `number` that no module goes by: extra slashes do not change its meaning.
static void name_descriptor(const struct target *target, int number, char name[PATH_BYTES])
{
    int slashes = 1;
    do {
        snprintf(name, PATH_BYTES, "/proc/self/fd%.*s%d", slashes,
                 "////////////////////////////////", number);
    } while (name_is_taken(target, name) && ++slashes < 32);
}

// Makes a memory file in the target and fills it from here. Result: its number there, or -errno.
static int make_memory_file(struct helper *helper, int library, struct failure *failure)
{
    static const char name[] = "libunclosed.so";
    const pid_t pid = helper->target->pid;
    const uint64_t arguments[5] = {helper_room(helper), MFD_CLOEXEC};
    int64_t number = 0;
    int error = helper_store(helper, 0, name, sizeof name);
    if (error == 0)
        error = helper_system_call(helper, SYS_memfd_create, arguments, &number);
    if (error != 0)
        return failure_set(failure, -error, "process %d does not respond: %s", pid,
                           strerror(-error));
    if (number == -EMFILE || number == -ENFILE)
        return failure_set(
            failure, (int)-number,
            "process %d has no free file descriptor; raise its limit (prlimit --pid %d "
            "--nofile=...) or wait until it closes some",
            pid, pid);
    if (number < 0)
        return failure_set(failure, (int)-number, "process %d cannot make a memory file: %s", pid,
                           strerror((int)-number));
    helper_close_at_end(helper, 0, (int)number);
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", process_living_thread(pid), (int)number);
    const int file = open(path, O_RDWR | O_CLOEXEC);
    error = file < 0 ? -errno : copy_file(library, file);
    if (file >= 0)
        close(file);
    if (error == 0)
        return (int)number;
    return failure_set(failure, -error, "cannot copy the library into process %d: %s", pid,
                       strerror(-error));
}

// Address of glibc's own dlopen: not of a wrapper that another tool put in front of it.
static uint64_t find_dlopen(const struct target *target, uint64_t *mode)
{
    *mode = LAZY_NO_NOW;
    uint64_t address = module_symbol(target, target->libc, "dlopen", NULL);
    for (size_t i = 0; address == 0 && i < target->module_count; i++) {
        if (strstr(target->modules[i].name, "/libdl") != NULL)
            address = module_symbol(target, &target->modules[i], "dlopen", NULL);
    }
    if (address == 0) {
        address = module_symbol(target, target->libc, "__libc_dlopen_mode", NULL);
        *mode = LAZY_NO_NOW | (uint32_t)INTERNAL_DLOPEN;
    }
    return address;
}

static void copy_loader_message(struct helper *helper, char *text, size_t bytes)
{
    const struct target *target = helper->target;
    const uint64_t none[6] = {0};
    const uint64_t function = target_symbol(target, "dlerror");
    int64_t message = 0;
    snprintf(text, bytes, "unknown reason");
    if (function != 0 && helper_call(helper, function, none, DLOPEN_MS, &message) == 0 &&
        message != 0)
        target_read_text(target, (uint64_t)message, text, bytes);
}

// Result: 0 with *link, -ENOENT if the loader refused (its reason in *failure), or -errno.
static int load(struct helper *helper, const char *name, uint64_t *link, struct failure *failure)
{
    const pid_t pid = helper->target->pid;
    uint64_t mode = 0;
    int64_t handle = 0;
    const uint64_t function = find_dlopen(helper->target, &mode);
    if (function == 0)
        return failure_set(failure, ENOTSUP,
                           "process %d has no dlopen; start it with `unclosed run` instead", pid);
    const uint64_t arguments[6] = {helper_room(helper), mode};
    int error = helper_store(helper, 0, name, strlen(name) + 1);
    if (error == 0)
        error = helper_call(helper, function, arguments, DLOPEN_MS, &handle);
    if (error == -ETIMEDOUT)
        return failure_set(failure, ETIMEDOUT,
                           "the dynamic linker of process %d is busy: a thread of the program "
                           "holds its lock; the helper thread ends by itself; try again later",
                           pid);
    if (error != 0)
        return failure_set(failure, ESRCH,
                           "process %d has ended or executed another program meanwhile", pid);
    *link = (uint64_t)handle;
    if (handle != 0)
        return 0;
    char message[400];
    copy_loader_message(helper, message, sizeof message);
    return failure_set(failure, ENOENT, "process %d cannot load the recorder: %s", pid, message);
}

// Creates a file in the folder `folder` of the target's file system. Result: an open descriptor
// here, or -errno.
static int create_in_target(pid_t thread, const char *folder, const char *name, int *directory)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/proc/%d/root", thread);
    const int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -errno;
    // The target's symbolic links are not to lead out of its file system.
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                 .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    *directory = (int)syscall(SYS_openat2, root, folder, &how, sizeof how);
    const int error = errno;
    close(root);
    if (*directory < 0)
        return -error;
    const int file =
        openat(*directory, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0700);
    if (file >= 0 && fchmod(file, 0755) == 0)
        return file;
    const int create_error = errno;
    if (file >= 0)
        close(file);
    close(*directory);
    return -create_error;
}

// For a target without /proc (a chroot): a file in its file system, removed as soon as it is
// loaded.
static int load_from_copy(struct helper *helper, int library, uint64_t *link,
                          struct failure *failure)
{
    static const char *const folders[] = {"/tmp", "/var/tmp", "/dev/shm", "/run", "/"};
    const pid_t pid = helper->target->pid;
    int error = -ENOENT;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char name[NAME_BYTES];
        char path[PATH_BYTES];
        int directory = -1;
        snprintf(name, sizeof name, ".unclosed-%d-%llx.so", pid, (unsigned long long)process_now());
        snprintf(path, sizeof path, "%s/%s", strcmp(folders[i], "/") == 0 ? "" : folders[i], name);
        const int file = create_in_target(process_living_thread(pid), folders[i], name, &directory);
        if (file < 0)
            continue;
        error = copy_file(library, file);
        close(file);
        if (error == 0)
            error = load(helper, path, link, failure);
        unlinkat(directory, name, 0);
        close(directory);
        if (error != -ENOENT)
            return error;
    }
    return failure_set(
        failure, ENOENT,
        "process %d sees neither /proc nor a folder that it can write to and execute from, so the "
        "recorder cannot be loaded into it; mount /proc in its root "
        "folder, or start the program with `unclosed run`",
        pid);
}

static bool target_sees(struct helper *helper, const char *path)
{
    const uint64_t arguments[5] = {(uint64_t)AT_FDCWD, helper_room(helper), R_OK};
    int64_t answer = -1;
    return helper_store(helper, 0, path, strlen(path) + 1) == 0 &&
           helper_system_call(helper, SYS_faccessat, arguments, &answer) == 0 && answer == 0;
}

int transport_load_library(struct helper *helper, const char *path, uint64_t *link,
                           struct failure *failure)
{
    char name[PATH_BYTES];
    const int library = open(path, O_RDONLY | O_CLOEXEC);
    if (library < 0)
        return failure_set(failure, errno, "cannot open the recorder's library %s: %s", path,
                           strerror(errno));
    const int number = make_memory_file(helper, library, failure);
    int error = number < 0 ? number : 0;
    if (error == 0) {
        name_descriptor(helper->target, number, name);
        if (target_sees(helper, name))
            error = load(helper, name, link, failure);
        else
            error = load_from_copy(helper, library, link, failure);
        if (error != -ETIMEDOUT && error != -ESRCH) {
            helper_close_at_end(helper, 0, -1);
            close_there(helper, number);
        }
    }
    close(library);
    return error;
}

// Sends `file` through the socket `end`. Result: 0 or -errno.
static int send_descriptor(int end, int file)
{
    char byte = 0;
    struct iovec part = {&byte, 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof file);
    memcpy(CMSG_DATA(header), &file, sizeof file);
    return sendmsg(end, &message, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

// What the target needs to receive one descriptor, laid out in the helper's room.
struct reception {
    struct msghdr message;
    struct iovec part;
    char byte;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
};

// Has the target receive a descriptor from its socket `end`. Result: its number or -errno.
static int receive_descriptor(struct helper *helper, int end)
{
    const uint64_t room = helper_room(helper);
    struct reception reception = {0};
    reception.message.msg_iov = (void *)(uintptr_t)(room + offsetof(struct reception, part));
    reception.message.msg_iovlen = 1;
    reception.message.msg_control = (void *)(uintptr_t)(room + offsetof(struct reception, control));
    reception.message.msg_controllen = sizeof reception.control;
    reception.part.iov_base = (void *)(uintptr_t)(room + offsetof(struct reception, byte));
    reception.part.iov_len = 1;
    const uint64_t arguments[5] = {(uint64_t)end, room, MSG_CMSG_CLOEXEC | MSG_DONTWAIT};
    int64_t answer = 0;
    int error = helper_store(helper, 0, &reception, sizeof reception);
    if (error == 0)
        error = helper_system_call(helper, SYS_recvmsg, arguments, &answer);
    if (error != 0 || answer < 0)
        return error != 0 ? error : (int)answer;
    error = helper_load(helper, 0, &reception, sizeof reception);
    if (error != 0)
        return error;
    int number = -1;
    if (reception.control.header.cmsg_type == SCM_RIGHTS)
        memcpy(&number, CMSG_DATA(&reception.control.header), sizeof number);
    return number >= 0 ? number : -EMFILE; // the kernel drops what the limit does not allow
}

// Moves a descriptor of the target out of the way of the program's own. Result: its number.
static int raise_number(struct helper *helper, int number)
{
    const uint64_t arguments[5] = {(uint64_t)number, F_DUPFD_CLOEXEC, HIGH_NUMBER};
    int64_t answer = -1;
    if (helper_system_call(helper, SYS_fcntl, arguments, &answer) != 0 || answer < 0)
        return number;
    close_there(helper, number);
    return (int)answer;
}

// Result: 0 with the two ends of a new pair of sockets in the target, or -errno.
static int make_sockets(struct helper *helper, int ends[2])
{
    const uint64_t arguments[5] = {AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, helper_room(helper)};
    int64_t answer = 0;
    const int error = helper_system_call(helper, SYS_socketpair, arguments, &answer);
    if (error != 0 || answer < 0)
        return error != 0 ? error : (int)answer;
    return helper_load(helper, 0, ends, 2 * sizeof ends[0]);
}

// A copy of descriptor `number` of the target in this process, or -errno.
static int take_descriptor(pid_t pid, int number)
{
    const int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0)
        return -errno;
    const int copy = (int)syscall(SYS_pidfd_getfd, process, number, 0);
    const int error = errno;
    close(process);
    return copy < 0 ? -error : copy;
}

int transport_descriptor(struct helper *helper, int file, struct failure *failure)
{
    const pid_t pid = helper->target->pid;
    int ends[2];
    int error = make_sockets(helper, ends);
    int number = -1;
    if (error == 0) {
        helper_close_at_end(helper, 0, ends[0]);
        helper_close_at_end(helper, 1, ends[1]);
        const int ours = take_descriptor(pid, ends[0]);
        error = ours < 0 ? ours : send_descriptor(ours, file);
        if (ours >= 0)
            close(ours);
        if (error == 0)
            number = receive_descriptor(helper, ends[1]);
        helper_close_at_end(helper, 0, -1);
        helper_close_at_end(helper, 1, -1);
        close_there(helper, ends[0]);
        close_there(helper, ends[1]);
        if (number < 0 && error == 0)
            error = number;
    }
    if (error == 0)
        return raise_number(helper, number);
    return failure_set(failure, -error,
                       "cannot pass the trace's descriptor to process %d: %s; choose a path for "
                       "the trace (-o) where that process may create a file",
                       pid, strerror(-error));
}
