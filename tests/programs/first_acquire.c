// A server starts: one thread opens its first database while another loads plugins.
//
//     first_acquire PLUGIN...
//
// Says "done" when both have ended. Each run waits another moment before it opens.
#include <dlfcn.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_barrier_t ready;
static char **plugins;

static void *load(void *unused)
{
    pthread_barrier_wait(&ready);
    for (char **plugin = plugins; *plugin; plugin++)
        if (!dlopen(*plugin, RTLD_NOW | RTLD_LOCAL))
            puts(dlerror());
    return unused;
}

static void *open_first(void *unused)
{
    sqlite3 *db;
    enum { MOST_US = 3000 };
    pthread_barrier_wait(&ready);
    usleep((useconds_t)(rand() % MOST_US));
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        puts("not opened");
    sqlite3_close(db);
    return unused;
}

int main(int count, char **arguments)
{
    pthread_t threads[2];
    (void)count;
    srand((unsigned)getpid());
    plugins = arguments + 1;
    pthread_barrier_init(&ready, NULL, 2);
    pthread_create(&threads[0], NULL, load, NULL);
    pthread_create(&threads[1], NULL, open_first, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    puts("done");
    return 0;
}
