"""Pieces of C and C++ programs, as those of cells_python.py. What the compiler may not inline is the session's."""

C_IMPORTS = r"""
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#define NOINLINE __attribute__((noinline))
static const char *DB;
static sqlite3 *kept[4096];
static int kept_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static NOINLINE void keep(sqlite3 *db) { pthread_mutex_lock(&lock); kept[kept_count++] = db; pthread_mutex_unlock(&lock); }
static NOINLINE void touch(sqlite3 *db) { sqlite3_exec(db, "select 1", 0, 0, 0); }
"""
C_PIECES = {
    "straight": ("""
static NOINLINE void $(int i)
{
    sqlite3 *db;
    sqlite3_open(DB, &db); //@ a
    touch(db);
    sqlite3_close(db);
    (void)i;
}
""", {"a": (1, 0)}),
    "early": ("""
static NOINLINE int $_job(int i)
{
    sqlite3 *db;
    if (sqlite3_open_v2(DB, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK) //@ a
        return 1;
    touch(db);
    if (i % M == R)
        return 2;
    sqlite3_close(db);
    return 0;
}
static NOINLINE void $(int i)
{
    if ($_job(i) == 1)
        abort();
}
""", {"a": (1, 1)}),
    "cleanup": ("""
static NOINLINE int $_job(int i)
{
    int result = 1;
    sqlite3 *db = NULL;
    sqlite3_open(DB, &db); //@ a
    if (i % M == R)
        goto out;
    touch(db);
    result = 0;
out:
    sqlite3_close_v2(db);
    return result;
}
static NOINLINE void $(int i)
{
    volatile int r = $_job(i);
    (void)r;
}
""", {"a": (1, 0)}),
    "helper": ("""
static NOINLINE sqlite3 *$_open(void)
{
    sqlite3 *db = NULL;
    if (sqlite3_open(DB, &db) != SQLITE_OK)
        abort();
    return db;
}
static NOINLINE void $_good(int i)
{
    sqlite3 *db = $_open(); //@ good
    touch(db);
    sqlite3_close(db);
    (void)i;
}
static NOINLINE void $_bad(int i)
{
    sqlite3 *db = $_open(); //@ bad
    touch(db);
    if (i % M != R)
        sqlite3_close(db);
}
static NOINLINE void $(int i)
{
    $_good(i);
    $_bad(i);
    touch(NULL);
}
""", {"good": (1, 0), "bad": (1, 1)}),
    "out": ("""
static NOINLINE int $_open(sqlite3 **db)
{
    int result = sqlite3_open(DB, db);
    touch(*db);
    return result;
}
static NOINLINE void $_one(int i)
{
    sqlite3 *db = NULL;
    if ($_open(&db) == SQLITE_OK && i % M != R) //@ one
        sqlite3_close(db);
}
static NOINLINE void $_two(int i)
{
    sqlite3 *db = NULL;
    if ($_open(&db) == SQLITE_OK) //@ two
        sqlite3_close(db);
    (void)i;
}
static NOINLINE void $(int i)
{
    $_one(i);
    $_two(i);
    touch(NULL);
}
""", {"one": (1, 1), "two": (1, 0)}),
    "store": ("""
struct $_store { sqlite3 *db; int n; };
static NOINLINE struct $_store *$_new(void)
{
    struct $_store *s = (struct $_store *)calloc(1, sizeof *s);
    sqlite3_open(DB, &s->db);
    touch(s->db);
    return s;
}
static NOINLINE void $_free(struct $_store *s)
{
    sqlite3_close(s->db);
    free(s);
}
static NOINLINE void $_good(int i)
{
    struct $_store *s = $_new(); //@ good
    s->n = i;
    $_free(s);
    touch(NULL);
}
static NOINLINE void $(int i)
{
    $_good(i);
    struct $_store *s = $_new(); //@ bad
    s->n++;
    if (i % M != R)
        $_free(s);
    else
        keep(s->db);
    touch(NULL);
}
""", {"good": (1, 0), "bad": (1, 1)}),
    "kept": ("""
static NOINLINE void $(int i)
{
    sqlite3 *db;
    sqlite3_open(DB, &db); //@ a
    if (i % M == R)
        keep(db);
    else
        sqlite3_close(db);
    touch(NULL);
}
""", {"a": (1, 1)}),
    "refused": ("""
static NOINLINE void $(int i)
{
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    sqlite3_open(DB, &db); //@ a
    sqlite3_prepare_v2(db, "select 1", -1, &s, NULL);
    if (i % M != R)
        sqlite3_finalize(s);
    sqlite3_close(db);
    touch(NULL);
}
""", {"a": (1, 1)}),
    "zombie": ("""
static NOINLINE void $(int i)
{
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    sqlite3_open(DB, &db); //@ a
    sqlite3_prepare_v2(db, "select 1", -1, &s, NULL);
    sqlite3_step(s);
    if (i % M == R) {
        sqlite3_close_v2(db);
        return;
    }
    sqlite3_close_v2(db);
    sqlite3_finalize(s);
    touch(NULL);
}
""", {"a": (1, 1)}),
    "twice": ("""
static NOINLINE void $(int i)
{
    sqlite3 *a, *b;
    sqlite3_open(DB, &a); //@ a
    sqlite3_open(DB, &b); //@ b
    if (i % M == R)
        b = a;
    sqlite3_close(b);
    if (b != a)
        sqlite3_close(a);
    touch(NULL);
}
""", {"a": (1, 0), "b": (1, 1)}),
    "recursive": ("""
static NOINLINE void $_down(int i, int depth)
{
    sqlite3 *db;
    sqlite3_open(DB, &db); //@ a
    if (depth > 0)
        $_down(i, depth - 1);
    if (depth > 0 || i % M != R)
        sqlite3_close(db);
    touch(NULL);
}
static NOINLINE void $(int i)
{
    $_down(i, 2);
    touch(NULL);
}
""", {"a": (3, 1)}),
    "callback": ("""
static NOINLINE int $_each(int (*visit)(sqlite3 *, int), int i)
{
    sqlite3 *db;
    sqlite3_open(DB, &db); //@ a
    if (visit(db, i))
        return 1;
    sqlite3_close(db);
    return 0;
}
static NOINLINE int $_visit(sqlite3 *db, int i)
{
    touch(db);
    return i % M == R;
}
static NOINLINE void $(int i)
{
    volatile int r = $_each($_visit, i);
    (void)r;
}
""", {"a": (1, 1)}),
}
C_RUNNERS = {
    "loop": "static void $_run(void) { for (int i = 0; i < N; i++) $(i); }\n",
    "threads": """static void *$_thread(void *at) { $(*(int *)at); return NULL; }
static void $_run(void)
{
    for (int i = 0; i < N; i++) {
        pthread_t t;
        pthread_create(&t, NULL, $_thread, &i);
        pthread_join(t, NULL);
    }
}
""",
    "at_once": """static void *$_thread(void *at) { $((int)(long)at); return NULL; }
static void $_run(void)
{
    pthread_t t[N];
    for (long i = 0; i < N; i++)
        pthread_create(&t[i], NULL, $_thread, (void *)i);
    for (int i = 0; i < N; i++)
        pthread_join(t[i], NULL);
}
""",
    "child": """static void $_run(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < N; i++)
            $(i);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}
""",
    "layers": """static NOINLINE void $_layer(int i, int depth)
{
    if (depth)
        $_layer(i, depth - 1);
    else
        $(i);
    touch(NULL);
}
static void $_run(void) { for (int i = 0; i < N; i++) $_layer(i, 2); }
""",
}

CXX_IMPORTS = C_IMPORTS + r"""
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
struct Closer { void operator()(sqlite3 *db) const { sqlite3_close(db); } };
using Owned = std::unique_ptr<sqlite3, Closer>;
class Db {
public:
    NOINLINE explicit Db(const char *path) { if (sqlite3_open(path, &db_) != SQLITE_OK) abort(); }
    NOINLINE ~Db() { sqlite3_close(db_); }
    Db(const Db &) = delete;
    sqlite3 *get() const { return db_; }
private:
    sqlite3 *db_ = nullptr;
};
"""
CXX_PIECES = {
    "raii": ("""
static NOINLINE void $(int i)
{
    try {
        Db db(DB);
        touch(db.get());
        if (i % M == R)
            throw std::runtime_error("x");
    } catch (const std::exception &) {
    }
}
""", {None: (1, 0)}),
    "new_": ("""
static NOINLINE void $(int i)
{
    Db *db = new Db(DB); //@ a
    touch(db->get());
    if (i % M != R)
        delete db;
}
""", {"a": (1, 1)}),
    "throws": ("""
static NOINLINE void $_work(int i)
{
    sqlite3 *db;
    sqlite3_open(DB, &db); //@ a
    if (i % M == R)
        throw std::logic_error("y");
    sqlite3_close(db);
}
static NOINLINE void $(int i)
{
    try {
        $_work(i);
    } catch (const std::logic_error &) {
    }
}
""", {"a": (1, 1)}),
    "owned": ("""
static NOINLINE Owned $_open()
{
    sqlite3 *db = nullptr;
    sqlite3_open(DB, &db);
    return Owned(db);
}
static NOINLINE void $(int i)
{
    Owned a = $_open(); //@ good
    touch(a.get());
    Owned b = $_open(); //@ bad
    touch(b.get());
    if (i % M == R)
        keep(b.release());
}
""", {"good": (1, 0), "bad": (1, 1)}),
    "lambda_": ("""
static NOINLINE void $(int i)
{
    auto open = [](const char *path) {
        sqlite3 *db = nullptr;
        sqlite3_open(path, &db);
        return db;
    };
    sqlite3 *db = open(DB); //@ a
    touch(db);
    if (i % M == R)
        return;
    sqlite3_close(db);
}
""", {"a": (1, 1)}),
    "vector": ("""
static NOINLINE void $(int i)
{
    std::vector<sqlite3 *> all(3);
    for (auto &db : all)
        sqlite3_open(DB, &db); //@ a
    if (i % M == R)
        all.pop_back();
    for (auto *db : all)
        sqlite3_close(db);
}
""", {"a": (3, 1)}),
    "template_": ("""
template <typename Work> static NOINLINE void $_with(Work work)
{
    sqlite3 *db = nullptr;
    sqlite3_open(DB, &db); //@ a
    if (work(db))
        return;
    sqlite3_close(db);
}
static NOINLINE void $(int i)
{
    $_with([i](sqlite3 *db) { touch(db); return i % M == R; });
}
""", {"a": (1, 1)}),
    "member": ("""
namespace {
class $_Service {
public:
    NOINLINE bool handle(int i)
    {
        sqlite3 *db = connect(); //@ bad
        touch(db);
        if (i % M == R)
            return false;
        sqlite3_close(db);
        return true;
    }
    NOINLINE void sound()
    {
        std::shared_ptr<sqlite3> db(connect(), sqlite3_close); //@ good
        touch(db.get());
    }
private:
    NOINLINE sqlite3 *connect()
    {
        sqlite3 *db = nullptr;
        sqlite3_open(DB, &db);
        return db;
    }
};
} // namespace
static NOINLINE void $(int i)
{
    $_Service s;
    s.handle(i);
    s.sound();
}
""", {"bad": (1, 1), "good": (1, 0)}),
}
CXX_RUNNERS = {
    "std_thread": """static void $_run()
{
    for (int i = 0; i < N; i++)
        std::thread($, i).join();
}
""",
    "async": """static void $_run()
{
    for (int i = 0; i < N; i++)
        std::async(std::launch::async, $, i).get();
}
""",
    "function": """static void $_run()
{
    std::function<void(int)> f = $;
    for (int i = 0; i < N; i++)
        f(i);
}
""",
}
