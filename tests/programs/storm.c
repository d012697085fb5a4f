// Threads that open and close without end, keeping some open for a while, until they are killed.
// What each thread has counted is in a file that outlives the kill.
//
// Usage: storm THREADS FILE [SECONDS|PATH]: stops by itself, having closed everything, after
// SECONDS or as soon as there is a file at PATH, which begins with a slash.
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "counts.h"

enum { THREADS = 64, HELD = 16 };

static struct tally { // in the file, one a thread
    atomic_long opened, closed;
    char padding[48];
} * tallies;
static atomic_bool stop;

static void *storm(void *data)
{
    struct tally *tally = data;
    sqlite3 *held[HELD] = {0};
    unsigned int seed = (unsigned int)(tally - tallies) + 1;
    while (!atomic_load(&stop)) {
        int slot = rand_r(&seed) % HELD;
        if (held[slot] != NULL) {
            atomic_fetch_add(&tally->closed, sqlite3_close(held[slot]) == SQLITE_OK);
            held[slot] = NULL;
        } else {
            sqlite3_open(":memory:", &held[slot]); // site: storm
            atomic_fetch_add(&tally->opened, held[slot] != NULL);
        }
    }
    for (int i = 0; i < HELD; i++)
        if (held[i] != NULL)
            atomic_fetch_add(&tally->closed, sqlite3_close(held[i]) == SQLITE_OK);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    must(argc >= 3, "arguments");
    int count = atoi(argv[1]);
    must(count > 0 && count <= THREADS, "number of threads");
    int file = open(argv[2], O_CREAT | O_RDWR, 0644);
    must(file >= 0 && ftruncate(file, sizeof(struct tally) * THREADS) == 0, argv[2]);
    tallies =
        mmap(NULL, sizeof(struct tally) * THREADS, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(tallies != MAP_FAILED, "mmap");
    for (int i = 0; i < count; i++)
        must(pthread_create(&threads[i], NULL, storm, &tallies[i]) == 0, "thread");
    printf("storming\n");
    fflush(stdout);
    if (argc > 3) {
        if (argv[3][0] != '/')
            usleep((useconds_t)(atof(argv[3]) * 1e6));
        while (argv[3][0] == '/' && access(argv[3], F_OK) != 0)
            usleep(10000);
        atomic_store(&stop, true);
    }
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
