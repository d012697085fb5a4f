// What keeps a preloaded library out of a program: looks at the file before it is started.
//
// Facts: ld.so(8), "Secure-execution mode" (LD_PRELOAD with slashes is ignored); execve(2) for
// `#!` lines; a program without PT_INTERP is not dynamically linked, so that no ld.so runs.
#include "cli/cli.h"
#include "cli/loader.h"
#include "cli/run/run.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#else
#error "which e_machine is this?"
#endif

enum { SCRIPT_LEVELS = 5 }; // as many as Linux follows

// The file that execvp would find for `name`; false: none.
static bool find_in_path(const char *name, char *path, size_t bytes)
{
    if (strchr(name, '/'))
        return snprintf(path, bytes, "%s", name) < (int)bytes;
    const char *folders = getenv("PATH");
    if (!folders)
        folders = "/bin:/usr/bin"; // what glibc takes
    for (;;) {
        int length = (int)strcspn(folders, ":");
        int written = length ? snprintf(path, bytes, "%.*s/%s", length, folders, name)
                             : snprintf(path, bytes, "./%s", name);
        struct stat status;
        if (written < (int)bytes && access(path, X_OK) == 0 && stat(path, &status) == 0 &&
            S_ISREG(status.st_mode))
            return true;
        if (folders[length] == '\0')
            return false;
        folders += length + 1;
    }
}

// Whether executing `fd` changes the privileges, so that ld.so runs in its secure mode.
static bool gains_privileges(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return false;
    if ((status.st_mode & S_ISUID) && status.st_uid != getuid())
        return true;
    if ((status.st_mode & S_ISGID) && (status.st_mode & S_IXGRP) && status.st_gid != getgid())
        return true;
    return getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

// What keeps the recorder out of a program.
struct obstacle {
    const char *reason;  // in a few words
    const char *message; // what goes on behind the name of the program, with the remedy
    bool no_preload;     // asking the loader to preload would make it print an error
};

static const struct obstacle *find_obstacle(int fd, const Elf64_Ehdr *header)
{
    static const struct obstacle narrow = {
        "it is a 32-bit program",
        "is a 32-bit program; the recorder traces only 64-bit programs; run a 64-bit build of it",
        true};
    static const struct obstacle foreign = {
        "it was built for another processor",
        "was built for another processor; run a build for this machine", true};
    static const struct obstacle fixed = {"it is statically linked",
                                          "is statically linked, so nothing can be preloaded into "
                                          "it; link it dynamically to trace it",
                                          false};
    static const struct obstacle other_libc = {
        "it does not use glibc",
        "does not use glibc's loader, which the recorder needs; run a glibc build of it", true};
    static const struct obstacle privileged = {
        "it is setuid, setgid or has capabilities",
        "is setuid, setgid or has capabilities, so the loader ignores LD_PRELOAD; run it as the "
        "user it changes to, or trace it with 'unclosed attach' while it runs",
        false};
    char loader[PATH_MAX];
    if (header->e_ident[EI_CLASS] != ELFCLASS64)
        return &narrow;
    if (header->e_machine != OWN_MACHINE)
        return &foreign;
    const int has_loader = loader_of(fd, header, loader, sizeof loader);
    if (has_loader == 0)
        return &fixed;
    if (has_loader > 0 && !strstr(loader, "/ld-linux"))
        return &other_libc;
    return gains_privileges(fd) ? &privileged : NULL;
}

// From "#!/usr/bin/env -S python3 -u" to what will be executed in the end: "python3".
// Result: false if the line says nothing usable.
static bool script_interpreter(char *line, char *path, size_t bytes)
{
    line[strcspn(line, "\n")] = '\0';
    char *rest = NULL;
    char *interpreter = strtok_r(line + 2, " \t\r", &rest);
    if (!interpreter)
        return false;
    const char *slash = strrchr(interpreter, '/');
    if (strcmp(slash ? slash + 1 : interpreter, "env") != 0)
        return snprintf(path, bytes, "%s", interpreter) < (int)bytes;
    char *word = NULL;
    do {
        word = strtok_r(NULL, " \t\r", &rest);
    } while (word && (word[0] == '-' || strchr(word, '=')));
    return word && find_in_path(word, path, bytes);
}

// The ELF file that `command` leads to, open, with its path and header; -1: none.
static int open_program(const char *command, char path[PATH_MAX], Elf64_Ehdr *header)
{
    if (!find_in_path(command, path, PATH_MAX))
        return -1;
    for (int level = 0; level < SCRIPT_LEVELS; level++) {
        char line[256] = ""; // BINPRM_BUF_SIZE
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
            return -1; // executable, but not readable: perhaps all is well
        ssize_t length = pread(fd, line, sizeof line - 1, 0);
        if (length >= (ssize_t)sizeof *header && memcmp(line, ELFMAG, SELFMAG) == 0) {
            memcpy(header, line, sizeof *header);
            return fd;
        }
        (void)close(fd);
        if (length < 2 || memcmp(line, "#!", 2) != 0 || !script_interpreter(line, path, PATH_MAX))
            return -1;
    }
    return -1;
}

const char *run_check_command(const char *command, bool *preload)
{
    char path[PATH_MAX];
    Elf64_Ehdr header;
    *preload = true;
    int fd = open_program(command, path, &header);
    if (fd < 0)
        return NULL;
    const struct obstacle *obstacle = find_obstacle(fd, &header);
    (void)close(fd);
    if (!obstacle)
        return NULL;
    *preload = !obstacle->no_preload;
    cli_message("%s %s", path, obstacle->message);
    return obstacle->reason;
}

const char *run_check_program(const char *path)
{
    char found[PATH_MAX];
    Elf64_Ehdr header;
    int fd = open_program(path, found, &header);
    if (fd < 0)
        return NULL;
    const struct obstacle *obstacle = find_obstacle(fd, &header);
    (void)close(fd);
    return obstacle ? obstacle->reason : NULL;
}

bool run_find_program(const char *command, char *path)
{
    Elf64_Ehdr header;
    int fd = open_program(command, path, &header);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}
