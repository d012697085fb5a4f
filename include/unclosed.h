/* unclosed.h: what the author of a pool, or of a test runner, tells the leak tracer `unclosed`.
 *
 * Include this and call the functions below where your pool hands out and takes back connections.
 * There is nothing to link: untraced, each call is a load and a branch. Traced (by `unclosed run`,
 * LD_PRELOAD=libunclosed.so or `unclosed attach`), the recorder finds a note in this module and
 * fills in a table of functions. Works in executables and shared objects, in C (C99 and later with
 * GNU extensions, as gcc and clang have them) and C++, on ELF targets.
 *
 * Thread safety: all functions may be called from any thread at any time. Signal safety: none may
 * be called from a signal handler. No function fails, blocks for long, or changes errno. Strings
 * are copied; NULL stands for "unknown".
 */
#ifndef UNCLOSED_H
#define UNCLOSED_H

#ifdef __cplusplus
extern "C" {
#endif

/* The recorder's functions. New ones are added at the end; `size` (bytes) tells which are there. */
struct unclosed_functions {
    unsigned long size;
    void (*acquire)(const void *pool, const void *handle);
    void (*acquire_failed)(const void *pool, int timed_out);
    void (*release)(const void *pool, const void *handle);
    void (*discard)(const void *pool, const void *handle);
    void (*pool)(const void *pool, const char *name, long size, long overflow);
    void (*test)(const char *name);
};

/* One pointer per module, NULL while untraced. The note tells the recorder where it is: the
 * distance from the note's descriptor to the pointer, so that no relocation is needed. "used":
 * link-time optimization does not see that the note needs it. */
__attribute__((weak, used, visibility("hidden")))
const struct unclosed_functions *unclosed_functions_here;

__asm__(".pushsection .note.unclosed, \"aG\", %note, unclosed_note, comdat\n"
        "\t.balign 4\n"
        "\t.long 9, 8, 1\n" /* length of the name, of the descriptor, type */
        "\t.asciz \"unclosed\"\n"
        "\t.balign 4\n"
        "\t.quad unclosed_functions_here - .\n"
        "\t.popsection\n");

/* A connection was taken out of a pool.
 * pool: address that stands for the pool, as long as it exists. handle: address that stands for the
 * connection while it is out; the same one is passed to release. The caller's backtrace is kept. */
static inline void unclosed_acquire(const void *pool, const void *handle)
{
    if (unclosed_functions_here)
        unclosed_functions_here->acquire(pool, handle);
}

/* An acquire failed. timed_out: not 0 if it did because the pool was empty for too long. */
static inline void unclosed_acquire_failed(const void *pool, int timed_out)
{
    if (unclosed_functions_here)
        unclosed_functions_here->acquire_failed(pool, timed_out);
}

/* A connection goes back. Call it before another thread can get the same handle. */
static inline void unclosed_release(const void *pool, const void *handle)
{
    if (unclosed_functions_here)
        unclosed_functions_here->release(pool, handle);
}

/* A connection will not come back: closed, or broken and thrown away, on purpose. */
static inline void unclosed_discard(const void *pool, const void *handle)
{
    if (unclosed_functions_here)
        unclosed_functions_here->discard(pool, handle);
}

/* What a pool is called and how many connections it has. name: without passwords, or NULL.
 * size: connections it keeps, overflow: how many more it may open; -1: unknown. */
static inline void unclosed_pool(const void *pool, const char *name, long size, long overflow)
{
    if (unclosed_functions_here)
        unclosed_functions_here->pool(pool, name, size, overflow);
}

/* A test begins: sessions acquired from now on, by whichever thread, are said to be of it.
 * name: NULL when it has ended. */
static inline void unclosed_test(const char *name)
{
    if (unclosed_functions_here)
        unclosed_functions_here->test(name);
}

#ifdef __cplusplus
}
#endif

#endif
