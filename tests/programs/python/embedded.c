// A C program with a CPython interpreter in it. Knows nothing of Python.h: what it calls is the
// same in all versions.
//
//     embedded LIBRARY STEP...     LIBRARY: path of libpython, opened RTLD_LOCAL; or "linked"
//
// Steps: init, end (Py_Initialize, Py_Finalize); run CODE; sub CODE (in an interpreter of its own);
// thread CODE (on a thread that the interpreter has never seen, which takes the GIL);
// together N CODE (the same on N threads at once); native N (N threads open and close a database
// without taking the GIL, and each leaves one open: site native leak).
#include <dlfcn.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 64 };

static struct {
    void (*Py_InitializeEx)(int signals);
    int (*Py_FinalizeEx)(void);
    int (*PyRun_SimpleString)(const char *code);
    void *(*Py_NewInterpreter)(void);
    void (*Py_EndInterpreter)(void *thread);
    void *(*PyThreadState_Swap)(void *thread);
    int (*PyGILState_Ensure)(void);
    void (*PyGILState_Release)(int state);
    void *(*PyEval_SaveThread)(void);
    void (*PyEval_RestoreThread)(void *thread);
} py;

static void must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "embedded: %s failed\n", what);
    exit(1);
}

static void find_all(const char *library)
{
    void *handle = RTLD_DEFAULT;
    if (strcmp(library, "linked") != 0)
        handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    must(handle || strcmp(library, "linked") == 0, "dlopen");
#define FIND(name) must((*(void **)&py.name = dlsym(handle, #name)) != NULL, #name)
    FIND(Py_InitializeEx);
    FIND(Py_FinalizeEx);
    FIND(PyRun_SimpleString);
    FIND(Py_NewInterpreter);
    FIND(Py_EndInterpreter);
    FIND(PyThreadState_Swap);
    FIND(PyGILState_Ensure);
    FIND(PyGILState_Release);
    FIND(PyEval_SaveThread);
    FIND(PyEval_RestoreThread);
#undef FIND
}

static void run_sub(const char *code)
{
    void *before = py.PyThreadState_Swap(NULL);
    py.PyThreadState_Swap(before);
    void *thread = py.Py_NewInterpreter();
    must(thread != NULL, "Py_NewInterpreter");
    must(py.PyRun_SimpleString(code) == 0, "code in an interpreter of its own");
    py.Py_EndInterpreter(thread);
    py.PyThreadState_Swap(before);
}

static void *foreign_thread(void *code)
{
    int state = py.PyGILState_Ensure();
    must(py.PyRun_SimpleString(code) == 0, "code on a thread");
    py.PyGILState_Release(state);
    return NULL;
}

static void *native_thread(void *unused)
{
    sqlite3 *database;
    (void)unused;
    for (int i = 0; i < 10; i++) {
        must(sqlite3_open(":memory:", &database) == SQLITE_OK, "open"); // site: native right
        sqlite3_close(database);
    }
    must(sqlite3_open(":memory:", &database) == SQLITE_OK, "open"); // site: native leak
    return NULL;
}

static void run_threads(int count, void *(*start)(void *), const char *code)
{
    pthread_t threads[MOST_THREADS];
    must(count > 0 && count <= MOST_THREADS, "number of threads");
    void *own = py.PyEval_SaveThread();
    for (int i = 0; i < count; i++)
        must(pthread_create(&threads[i], NULL, start, (void *)(size_t)code) == 0, "thread");
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    py.PyEval_RestoreThread(own);
}

int main(int argc, char **argv)
{
    must(argc > 2, "arguments");
    find_all(argv[1]);
    for (char **step = argv + 2; *step; step++) {
        if (strcmp(*step, "init") == 0)
            py.Py_InitializeEx(0);
        else if (strcmp(*step, "end") == 0)
            must(py.Py_FinalizeEx() == 0, "Py_FinalizeEx");
        else if (strcmp(*step, "run") == 0)
            must(py.PyRun_SimpleString(*++step) == 0, "code");
        else if (strcmp(*step, "sub") == 0)
            run_sub(*++step);
        else if (strcmp(*step, "thread") == 0)
            run_threads(1, foreign_thread, *++step);
        else if (strcmp(*step, "together") == 0) {
            int count = atoi(*++step);
            run_threads(count, foreign_thread, *++step);
        } else if (strcmp(*step, "native") == 0)
            run_threads(atoi(*++step), native_thread, NULL);
        else
            must(0, *step);
    }
    puts("done");
    return 0;
}
