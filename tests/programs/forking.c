// Forks while other threads are inside the loader.
//
//     forking acquiring|walking|cloned|within TIMES PLUGIN
//     forking constructor 1 PLUGIN (one that forks in its constructor)
//
// The children walk the loader's list of modules, or open a database. Says how many of them did not
// end by themselves.
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_SECONDS = 5, NAP_US = 500 };

static atomic_bool over;
static atomic_int walks;
static pthread_t main_thread;

static int nap(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)info;
    (void)size;
    (void)data;
    usleep(NAP_US);
    return 1;
}

static int nothing(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)info;
    (void)size;
    (void)data;
    return 0;
}

// In front of the loader's: whoever asks on another thread than the first keeps the list for a
// while, so that a fork meets it there.
int dl_iterate_phdr(int (*visit)(struct dl_phdr_info *, size_t, void *), void *data)
{
    static int (*real)(int (*)(struct dl_phdr_info *, size_t, void *), void *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "dl_iterate_phdr");
    if (!pthread_equal(pthread_self(), main_thread) && main_thread) {
        atomic_fetch_add(&walks, 1);
        (void)real(nap, NULL);
    }
    return real(visit, data);
}

static __attribute__((noinline)) void acquire(void)
{
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        puts("not opened");
    sqlite3_close(db);
}

// Every acquire in the plugin comes from code that was not there before.
static void *load_and_acquire(void *data)
{
    const char *plugin = data;
    while (!over) {
        void *handle = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
        acquire();
        if (handle)
            dlclose(handle);
    }
    return NULL;
}

static void *walk(void *data)
{
    while (!over)
        (void)dl_iterate_phdr(nothing, NULL);
    return data;
}

static pid_t make_child(bool raw)
{
    return raw ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) : fork();
}

static void in_child(bool walks_list)
{
    alarm(CHILD_SECONDS);
    if (walks_list)
        (void)dl_iterate_phdr(nothing, NULL);
    else // nobody else may have been in SQLite then
        acquire();
    _exit(0);
}

// Result: 1 if the child did not end by itself.
static int fork_once(bool raw, bool walks_list)
{
    int status = -1;
    pid_t child = make_child(raw);
    if (child == 0)
        in_child(walks_list);
    if (child < 0 || waitpid(child, &status, 0) != child)
        perror("fork");
    return status != 0;
}

static int fork_many(int times, bool raw, bool walks_list)
{
    int hung = 0;
    for (int i = 0; i < times; i++) {
        usleep((useconds_t)(rand() % NAP_US));
        hung += fork_once(raw, walks_list);
    }
    return hung;
}

static int fork_within(struct dl_phdr_info *info, size_t size, void *data)
{
    int *hung = data;
    (void)info;
    (void)size;
    usleep(2 * NAP_US); // the other thread wants the list by now
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    if (child < 0 || waitpid(child, &status, 0) != child)
        perror("fork");
    *hung += status != 0;
    return 1;
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
    const int times = count > 2 ? atoi(arguments[2]) : 0;
    int hung = 0;
    pthread_t threads[2];
    void *(*work)(void *) =
        strcmp(what, "acquiring") == 0 || strcmp(what, "within") == 0 ? load_and_acquire : walk;
    main_thread = pthread_self();
    if (strcmp(what, "constructor") == 0) {
        if (!dlopen(arguments[3], RTLD_NOW))
            puts(dlerror());
        puts("hung=0");
        return 0;
    }
    acquire();
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, work, count > 3 ? arguments[3] : NULL);
    if (strcmp(what, "within") == 0)
        for (int i = 0; i < times; i++)
            (void)dl_iterate_phdr(fork_within, &hung);
    else
        hung = fork_many(times, strcmp(what, "cloned") == 0, strcmp(what, "acquiring") == 0);
    over = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("hung=%d\n", hung);
    fprintf(stderr, "walks=%d\n", walks);
    return 0;
}
