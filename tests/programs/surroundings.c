// Prints what a program can see of its own surroundings, before, while and after it has a database
// open: the same must come out with and without a tracer.
//
// Not printed: addresses, process ids, mappings, and the variables the tracer is told with.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "counts.h"

extern char **environ;

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_environment(void)
{
    int count = 0;
    while (environ[count] != NULL)
        count++;
    char **sorted = calloc((size_t)count + 1, sizeof *sorted);
    must(sorted != NULL, "calloc");
    memcpy(sorted, environ, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    for (int i = 0; i < count; i++)
        if (strncmp(sorted[i], "LD_PRELOAD=", 11) != 0 && strncmp(sorted[i], "UNCLOSED_", 9) != 0 &&
            strncmp(sorted[i], "ASAN_OPTIONS=", 13) != 0)
            printf("  %s\n", sorted[i]);
    free(sorted);
}

static void print_descriptors(void)
{
    for (int fd = 0; fd < 256; fd++) {
        char path[40], target[400];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = '\0';
        char *colon = strchr(target, ':'); // pipe:[12345]
        if (colon != NULL)
            *colon = '\0';
        printf("  fd %d %s flags %d\n", fd, fd > 2 ? target : "standard", fcntl(fd, F_GETFD));
    }
}

static int count_threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    must(tasks != NULL, "tasks");
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static void print_signals(void)
{
    char line[200];
    FILE *status = fopen("/proc/self/status", "r");
    must(status != NULL, "status");
    while (fgets(line, sizeof line, status) != NULL)
        if ((strncmp(line, "Sig", 3) == 0 && line[3] != 'Q') || strncmp(line, "Shd", 3) == 0 ||
            strncmp(line, "Umask", 5) == 0 || strncmp(line, "NoNewPrivs", 10) == 0 ||
            strncmp(line, "Uid", 3) == 0)
            printf("  %s", line);
    fclose(status);
    printf("  alarm %u\n", alarm(0));
}

static void print_limits(void)
{
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit limits;
        getrlimit((__rlimit_resource_t)i, &limits);
        printf("  limit %d %ld %ld\n", i, (long)limits.rlim_cur, (long)limits.rlim_max);
    }
}

static void print_all(const char *when)
{
    char folder[4000];
    printf("%s\n", when);
    print_environment();
    print_descriptors();
    print_signals();
    print_limits();
    printf("  threads %d\n  folder %s\n", count_threads(),
           getcwd(folder, sizeof folder) ? "there" : "gone");
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("argument %s\n", argv[i]);
    sqlite3 *db;
    print_all("before");
    must(sqlite3_open("surroundings.db", &db) == SQLITE_OK, "open");
    print_all("open");
    sqlite3_close(db);
    print_all("after");
    return 23;
}
