// Eight threads that open and close, and end with a handle open that they have had for less long
// than their first one.
#include <pthread.h>
#include <sqlite3.h>
#include <stddef.h>
#include <unistd.h>

enum { THREADS = 8, TURNS = 20 };

static void *work(void *unused)
{
    for (int i = 0; i < TURNS; i++) {
        sqlite3 *db;
        sqlite3_open(":memory:", &db);
        usleep(i == 0 ? 20000 : 1000);
        if (i < TURNS - 1)
            sqlite3_close(db);
    }
    return unused;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
