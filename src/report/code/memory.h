// Memory of a report: taken piece by piece, given back all at once.
//
// A report that runs out of memory has nothing useful left to do: it says so and ends the tool with
// MEMORY_FAILURE. Callers need no checks. Knows nothing of traces. Not thread-safe.
#ifndef UNCLOSED_REPORT_CODE_MEMORY_H
#define UNCLOSED_REPORT_CODE_MEMORY_H

#include <stddef.h>
#include <string.h>

enum { MEMORY_FAILURE = 125 }; // exit status of a tool that fails, as of env(1)

struct arena; // opaque

struct arena *arena_new(void);
void arena_free(struct arena *arena); // and everything that was taken from it; NULL is fine

void *arena_take(struct arena *arena, size_t bytes); // zeroed, aligned for any type
char *arena_text(struct arena *arena, const char *text);
char *arena_text_part(struct arena *arena, const char *text, size_t bytes);
__attribute__((format(printf, 2, 3))) char *arena_format(struct arena *arena, const char *format,
                                                         ...);

// Makes room for one more item of `bytes` bytes in an array of `count` items with room for *room.
void *arena_grow(struct arena *arena, void *items, size_t count, size_t *room, size_t bytes);

// A list that grows: LIST(struct frame) frames; *LIST_ADD(arena, &frames) = frame; frames.item[0]
#define LIST(type)                                                                                 \
    struct {                                                                                       \
        type *item;                                                                                \
        size_t count, room;                                                                        \
    }
#define LIST_ADD(arena, list)                                                                      \
    ((list)->item = arena_grow(arena, (list)->item, (list)->count, &(list)->room,                  \
                               sizeof *(list)->item), /* NOLINT(bugprone-sizeof-expression) */     \
     &(list)->item[(list)->count++])

// Sorts a list; the order of equal items is arbitrary.
#define LIST_SORT(list, compare)                                                                   \
    list_sort((list)->item, (list)->count,                                                         \
              sizeof *(list)->item, /* NOLINT(bugprone-sizeof-expression) */                       \
              compare)
void list_sort(void *items, size_t count, size_t bytes, int (*compare)(const void *, const void *));

// Ends the tool: see above. Never returns.
__attribute__((noreturn)) void memory_exhausted(void);

#endif
