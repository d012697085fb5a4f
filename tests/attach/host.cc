// Does what it is told on its standard input, and answers each line with one: to be attached to and
// detached from in between. It checks everything itself and counts what it opens and takes.
//
//   host PLUGIN...   (of tests/programs/plugins)
//
//   round N    calls of all shapes (shapes.h), exceptions, SQLite handles, plugins: N times
//   enter N    N threads go into slow acquires and stay there: of the pool, of SQLite, and such
//   that
//              will throw
//   leave      they come out
//   put        what they brought is given back
//   steal      puts a function of its own into its own slot for sqlite3_open
//   whose      whether that is still there
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <iostream>
#include <link.h>
#include <sqlite3.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "shapes.h"

namespace
{
struct counts {
    int opened = 0, closed = 0, taken = 0, returned = 0, caught = 0, bad = 0;
};

shapes_pool *pool;
std::vector<const char *> plugins;
sqlite3_vfs slow_files;
std::string folder;

// -- rounds --

void check(counts &count, bool good, const char *what)
{
    if (good)
        return;
    count.bad++;
    std::fprintf(stderr, "host: bad: %s\n", what);
}

void put(counts &count, void *item)
{
    shapes_put(pool, item);
    count.returned++;
}

void use_shapes(counts &count)
{
    shapes_large large{};
    for (int i = 0; i < 16; i++)
        large.number[i] = i;
    for (int i = 0; i < 4; i++)
        large.fraction[i] = i / 2.0;
    void *item[] = {shapes_get_many(pool, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0.5, 12, 13, 14, 15,
                                    16, 17, 18, 1.5L),
                    shapes_get_struct(pool, large), nullptr, shapes_get_or_throw(pool, false)};
    const shapes_result result = shapes_get_result(pool, 7);
    item[2] = result.item;
    for (int i = 0; i < 5; i++)
        check(count, result.number[i] == 7 + i, "a struct that was returned");
    for (void *each : item) {
        check(count, each != nullptr, "an argument");
        count.taken++;
        put(count, each);
    }
    try {
        shapes_get_or_throw(pool, true);
        check(count, false, "no exception");
    } catch (const std::runtime_error &) {
        count.caught++;
    }
}

void use_sqlite(counts &count)
{
    sqlite3 *db = nullptr;
    check(count, sqlite3_open(":memory:", &db) == SQLITE_OK, "open");
    count.opened++;
    check(count, sqlite3_exec(db, "select 1", nullptr, nullptr, nullptr) == SQLITE_OK, "select");
    check(count, sqlite3_close(db) == SQLITE_OK, "close");
    count.closed++;
}

void use_plugin(counts &count, const char *path)
{
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (plugin == nullptr)
        return check(count, false, dlerror());
    auto *run = reinterpret_cast<int (*)(int *, int *)>(dlsym(plugin, "plugin_run"));
    check(count, run != nullptr && run(&count.opened, &count.closed) == 0, path);
    check(count, dlclose(plugin) == 0, "dlclose");
}

counts do_rounds(int number)
{
    counts count;
    for (int i = 0; i < number; i++) {
        use_shapes(count);
        use_sqlite(count);
        for (const char *path : plugins)
            use_plugin(count, path);
    }
    return count;
}

// -- threads that stay inside --

struct visitor {
    std::thread thread;
    int number;
    void *item = nullptr;
    sqlite3 *db = nullptr;
    bool caught = false, done = false;
};
std::vector<visitor *> visitors;

int open_slowly(sqlite3_vfs *, const char *name, sqlite3_file *file, int flags, int *result)
{
    sqlite3_vfs *real = sqlite3_vfs_find(nullptr);
    shapes_wait_at_gate();
    return real->xOpen(real, name, file, flags, result);
}

void visit(visitor *self)
{
    const std::string name = folder + "/" + std::to_string(self->number) + ".db";
    try {
        if (self->number % 3 == 0)
            sqlite3_open_v2(name.c_str(), &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                            "slow");
        else
            self->item = shapes_get_slowly(pool, self->number % 3 == 1);
    } catch (const std::runtime_error &) {
        self->caught = true;
    }
}

void enter(int number)
{
    for (int i = 0; i < number; i++) {
        auto *fresh = new visitor;
        fresh->number = i;
        visitors.push_back(fresh);
        fresh->thread = std::thread(visit, fresh);
    }
    while (shapes_waiting() < number)
        usleep(1000);
}

counts leave()
{
    counts count;
    shapes_open_gate();
    for (visitor *each : visitors) {
        each->thread.join();
        const int kind = each->number % 3;
        check(count, each->caught == (kind == 1), "exception");
        check(count, (each->item != nullptr) == (kind == 2), "item");
        check(count, (each->db != nullptr) == (kind == 0), "handle");
        count.caught += each->caught;
        count.taken += each->item != nullptr;
        count.opened += each->db != nullptr;
    }
    return count;
}

counts put_back()
{
    counts count;
    for (visitor *each : visitors) {
        if (each->item != nullptr)
            put(count, each->item);
        if (each->db != nullptr) {
            check(count, sqlite3_close(each->db) == SQLITE_OK, "close");
            count.closed++;
        }
        delete each;
    }
    visitors.clear();
    return count;
}

// -- a slot that somebody else changes --

int stolen_calls;
int (*stolen_from)(const char *, sqlite3 **);

int stolen_open(const char *name, sqlite3 **db)
{
    stolen_calls++;
    return stolen_from(name, db);
}

// This program's slot for sqlite3_open.
uint64_t *find_slot()
{
    uint64_t strings = 0, symbols = 0, table = 0, bytes = 0;
    for (const ElfW(Dyn) *entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_STRTAB)
            strings = entry->d_un.d_ptr;
        else if (entry->d_tag == DT_SYMTAB)
            symbols = entry->d_un.d_ptr;
        else if (entry->d_tag == DT_JMPREL)
            table = entry->d_un.d_ptr;
        else if (entry->d_tag == DT_PLTRELSZ)
            bytes = entry->d_un.d_val;
    }
    Dl_info own;
    dladdr(reinterpret_cast<void *>(&stolen_open), &own);
    const auto *relocation = reinterpret_cast<const ElfW(Rela) *>(table);
    for (uint64_t i = 0; i < bytes / sizeof *relocation; i++) {
        const auto &symbol =
            reinterpret_cast<const ElfW(Sym) *>(symbols)[ELF64_R_SYM(relocation[i].r_info)];
        if (std::strcmp(reinterpret_cast<const char *>(strings) + symbol.st_name, "sqlite3_open") ==
            0)
            return reinterpret_cast<uint64_t *>(reinterpret_cast<uint64_t>(own.dli_fbase) +
                                                relocation[i].r_offset);
    }
    return nullptr;
}

void answer(const counts &count)
{
    std::printf("opened=%d closed=%d taken=%d returned=%d caught=%d bad=%d\n", count.opened,
                count.closed, count.taken, count.returned, count.caught, count.bad);
}

void obey(const std::string &word, int number)
{
    uint64_t *slot = find_slot();
    if (word == "round") {
        answer(do_rounds(number));
    } else if (word == "enter") {
        enter(number);
        std::puts("inside");
    } else if (word == "leave") {
        answer(leave());
    } else if (word == "put") {
        answer(put_back());
    } else if (word == "steal" && slot != nullptr) {
        stolen_from = reinterpret_cast<int (*)(const char *, sqlite3 **)>(*slot);
        *slot = reinterpret_cast<uint64_t>(&stolen_open);
        std::puts("stolen");
    } else if (word == "whose" && slot != nullptr) {
        std::printf("%s, %d calls\n",
                    *slot == reinterpret_cast<uint64_t>(&stolen_open) ? "mine" : "not mine",
                    stolen_calls);
    } else {
        std::puts("what?");
    }
    std::fflush(stdout);
}
} // namespace

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        plugins.push_back(argv[i]);
    char path[4096];
    folder = getcwd(path, sizeof path) != nullptr ? path : ".";
    pool = shapes_create();
    slow_files = *sqlite3_vfs_find(nullptr);
    slow_files.zName = "slow";
    slow_files.xOpen = open_slowly;
    sqlite3_vfs_register(&slow_files, 0);
    std::puts("ready");
    std::fflush(stdout);
    std::string line;
    while (std::getline(std::cin, line)) {
        const size_t blank = line.find(' ');
        obey(line.substr(0, blank), blank != std::string::npos ? std::stoi(line.substr(blank)) : 0);
    }
    return 0;
}
