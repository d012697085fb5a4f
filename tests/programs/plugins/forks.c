// A plugin whose constructor waits for a thread that forks, while another one opens its first
// database. The loader's lock is held all the while.
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void *acquire(void *unused)
{
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        puts("not opened");
    sqlite3_close(db);
    return unused;
}

static void *make_child(void *unused)
{
    enum { ACQUIRING_US = 100000 };
    usleep(ACQUIRING_US);
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        (void)waitpid(child, NULL, 0);
    }
    return unused;
}

__attribute__((constructor)) static void constructor(void)
{
    pthread_t acquirer, forker;
    if (pthread_create(&acquirer, NULL, acquire, NULL) != 0 ||
        pthread_create(&forker, NULL, make_child, NULL) != 0)
        return;
    (void)pthread_detach(acquirer);
    (void)pthread_join(forker, NULL);
}
