// Looks like PHP from outside, and is not laid out like it: `php_pretender KIND` opens three
// handles and closes two. What is read of it must neither crash nor be believed.
//
// KIND: "new" is of a version that nobody knows; "strange" has pointers to nowhere where PHP has
// its frames; "liar" has frames that are not where it says that it is.
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

extern uint64_t executor_globals[225];
uint64_t executor_globals[225];

static const char *kind;
static struct {
    uint64_t counted, hash, bytes;
    char text[16];
} file = {1, 2, 7, "app.php"};

const char *get_zend_version(void);
const char *get_zend_version(void)
{
    return strcmp(kind, "new") == 0 ? "Zend Engine v4.9.1, Copyright" : "Zend Engine v4.2.1, Copy";
}

uint32_t zend_get_executed_lineno(void);
uint32_t zend_get_executed_lineno(void)
{
    static uint32_t line;
    return ++line;
}

void *zend_get_executed_filename_ex(void);
void *zend_get_executed_filename_ex(void)
{
    return &file;
}

_Bool zend_is_executing(void);
_Bool zend_is_executing(void)
{
    return 1;
}

// A frame of PHP code whose line is that of the first question, so that it is believed once.
static void make_frame(void)
{
    static uint64_t function[64], frame[16], line[8];
    char *gone = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    function[0] = 2;
    function[1] = (uint64_t)(uintptr_t)gone;
    function[2] = (uint64_t)(uintptr_t)gone;
    function[19] = (uint64_t)(uintptr_t)&file;
    line[3] = 1;
    frame[0] = (uint64_t)(uintptr_t)line;
    frame[3] = (uint64_t)(uintptr_t)function;
    frame[6] = (uint64_t)(uintptr_t)frame; // a chain without an end
    executor_globals[61] = (uint64_t)(uintptr_t)frame;
}

int main(int argc, char **argv)
{
    sqlite3 *db[3] = {0};
    if (argc < 2)
        return 2;
    kind = argv[1];
    for (size_t i = 0; i < 225; i++)
        executor_globals[i] = i * UINT64_C(0x9e3779b97f4a7c15) << (i % 30);
    if (strcmp(kind, "liar") == 0)
        make_frame();
    for (int i = 0; i < 3; i++)
        if (sqlite3_open(":memory:", &db[i]) != SQLITE_OK)
            return 1;
    for (int i = 0; i < 2; i++)
        sqlite3_close(db[i]);
    puts("done");
    return 0;
}
