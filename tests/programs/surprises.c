// What real programs do now and then: sessions after thread-local destructors, from generated code,
// at the bottom of deep recursion, from thousands of different stacks, with names that are no text;
// and rules that forbid system calls.
//
// Usage: surprises SCENARIO; prints its own counts.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "counts.h"

#define SCENARIO static __attribute__((noinline)) void

static void close_value(void *db)
{
    counts_closed(sqlite3_close(db));
    sqlite3 *late = NULL;
    sqlite3_open(":memory:", &late); // site: thread destructor
    counts_opened(late);
}

static void *with_value(void *key)
{
    sqlite3 *db = NULL;
    sqlite3_open(":memory:", &db);
    pthread_setspecific(*(pthread_key_t *)key, counts_opened(db));
    return NULL;
}

SCENARIO thread_destructors(void)
{
    pthread_key_t key;
    pthread_key_create(&key, close_value);
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        must(pthread_create(&thread, NULL, with_value, &key) == 0, "thread");
        pthread_join(thread, NULL);
    }
}

// Code without unwind information and without a frame pointer to follow: push rbp; mov rbp, 6;
// mov rax, TARGET; call rax; pop rbp; ret. Its caller cannot be found, and nothing may be read
// at 6.
SCENARIO generated_code(void)
{
    unsigned char code[] = {0x55, 0x48, 0xc7, 0xc5, 6, 0, 0, 0,    0x48, 0xb8, 0,
                            0,    0,    0,    0,    0, 0, 0, 0xff, 0xd0, 0x5d, 0xc3};
    int (*target)(const char *, sqlite3 **) = sqlite3_open;
    memcpy(code + 10, &target, sizeof target);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(page != MAP_FAILED, "mmap");
    memcpy(page, code, sizeof code);
    must(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0, "mprotect");
    int (*generated)(const char *, sqlite3 **) = (int (*)(const char *, sqlite3 **))page;
    for (int i = 0; i < 3; i++) {
        sqlite3 *db = NULL;
        must(generated(":memory:", &db) == SQLITE_OK, "generated code");
        counts_opened(db);
    }
}

static __attribute__((noinline)) int recurse(int depth)
{
    if (depth > 0) {
        int below = recurse(depth - 1);
        __asm__ volatile("" : "+r"(below)); // not to become a loop
        return below + 1;
    }
    sqlite3 *db = NULL;
    sqlite3_open(":memory:", &db); // site: deep
    counts_opened(db);
    return 0;
}

SCENARIO deep(void)
{
    must(recurse(20000) == 20000, "recursion");
}

static int left(unsigned int path, int depth);
static __attribute__((noinline)) int right(unsigned int path, int depth)
{
    if (depth > 0)
        return (path & 1 ? left : right)(path >> 1, depth - 1) + 1;
    sqlite3 *db = NULL;
    sqlite3_open(":memory:", &db);
    counts_opened(db);
    return sqlite3_close(db) + counts_closed(SQLITE_OK);
}

static __attribute__((noinline)) int left(unsigned int path, int depth)
{
    return (path & 1 ? left : right)(path >> 1, depth - 1) + 1;
}

// 2^12 different stacks, twice.
SCENARIO many_stacks(void)
{
    for (int round = 0; round < 2; round++)
        for (unsigned int path = 0; path < 4096; path++)
            right(path, 13);
}

// Neither UTF-8 nor printable: control sequences, quotes, and a name as long as may be.
SCENARIO odd_names(void)
{
    char long_name[1024];
    sqlite3 *db[4];
    memset(long_name, 'x', sizeof long_name);
    memcpy(long_name, "file:", 5);
    memcpy(long_name + sizeof long_name - 13, "?mode=memory", 13);
    pthread_setname_np(pthread_self(), "\"\\\n\033[31m\xff");
    sqlite3_open("\"quoted\"\n\\\t\x01.db", &db[0]);
    sqlite3_open("\xff\xfe\xc3(.db", &db[1]);
    sqlite3_open("\033]0;title\007\033[2J.db", &db[2]);
    sqlite3_open_v2(long_name, &db[3], SQLITE_OPEN_URI | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                    NULL);
    for (int i = 0; i < 4; i++)
        counts_opened(db[i]);
    sqlite3_stmt *statement;
    sqlite3_prepare_v2(db[0], "select '\xff\xfe\033[31m\"', 1", -1, &statement, NULL);
    counts_closed(sqlite3_close(db[0]));
}

// Answers a system call with `action` from now on.
static void forbid(unsigned int call, unsigned int action)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

static void open_two(void)
{
    sqlite3 *kept = NULL, *closed = NULL;
    sqlite3_open(":memory:", &kept); // site: confined
    sqlite3_open(":memory:", &closed);
    counts_opened(kept);
    counts_opened(closed);
    counts_closed(sqlite3_close(closed));
}

// As in containers and sandboxes: calls that programs are forbidden, or that do not exist there.
SCENARIO confined(void)
{
    forbid(SYS_process_vm_readv, SECCOMP_RET_ERRNO | EPERM);
    forbid(SYS_ptrace, SECCOMP_RET_ERRNO | EPERM);
    forbid(SYS_memfd_create, SECCOMP_RET_ERRNO | ENOSYS);
    forbid(SYS_fallocate, SECCOMP_RET_ERRNO | EOPNOTSUPP);
    open_two();
}

static const struct scenario {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"thread_destructors", thread_destructors},
    {"generated_code", generated_code},
    {"deep", deep},
    {"many_stacks", many_stacks},
    {"odd_names", odd_names},
    {"confined", confined},
};

int main(int argc, char **argv)
{
    for (size_t s = 0; argc == 2 && s < sizeof scenarios / sizeof scenarios[0]; s++)
        if (strcmp(argv[1], scenarios[s].name) == 0) {
            scenarios[s].run();
            counts_print();
            return 0;
        }
    return 98;
}
