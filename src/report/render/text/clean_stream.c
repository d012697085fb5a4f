// Streams that clean: see clean_stream.h.
#include "report/render/text/clean_stream.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

#include "report/code/memory.h"
#include "shared/clean.h"

struct clean_stream {
    FILE *stream, *under;
    bool ascii;    // nothing but ASCII is let through
    size_t kept;   // bytes of a character whose end has not come yet
    char bytes[4]; // these
    struct clean_stream *next;
};

static struct clean_stream *streams;

// A piece of clean text: as it is, or in characters that the locale has.
static void put_piece(const struct clean_stream *clean, const struct clean_piece *piece)
{
    if (!clean->ascii) {
        (void)fwrite(piece->text, 1, piece->bytes, clean->under);
        return;
    }
    size_t taken;
    for (size_t at = 0; at < piece->bytes; at += taken) {
        uint32_t character = clean_character(piece->text + at, piece->bytes - at, &taken);
        if (character < 0x80)
            (void)fputc((int)character, clean->under);
        else
            (void)fputs(clean_ascii(character), clean->under);
    }
}

static void put(struct clean_stream *clean, const char *text, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        struct clean_piece piece = clean_next(text + at, bytes - at, CLEAN_LINES);
        put_piece(clean, &piece);
        at += piece.taken;
    }
}

// How many bytes at the end begin a character that is not complete.
static size_t unfinished(const char *text, size_t bytes)
{
    for (size_t back = 1; back <= 3 && back <= bytes; back++) {
        unsigned char byte = (unsigned char)text[bytes - back];
        if ((byte & 0xc0) == 0x80)
            continue;
        size_t length = byte < 0xc2 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : byte < 0xf5 ? 4 : 1;
        return length > back ? back : 0;
    }
    return 0;
}

// Completes the character that was begun before. Result: the bytes that were taken for it.
static size_t complete(struct clean_stream *clean, const char *text, size_t bytes)
{
    size_t taken = 0;
    while (clean->kept > 0 && taken < bytes) {
        bool goes_on =
            ((unsigned char)text[taken] & 0xc0) == 0x80 && clean->kept < sizeof clean->bytes;
        if (goes_on)
            clean->bytes[clean->kept++] = text[taken++];
        if (goes_on && unfinished(clean->bytes, clean->kept) > 0)
            continue;
        put(clean, clean->bytes, clean->kept);
        clean->kept = 0;
    }
    return taken;
}

static ssize_t write_clean(void *cookie, const char *text, size_t bytes)
{
    struct clean_stream *clean = cookie;
    size_t at = complete(clean, text, bytes);
    size_t later = unfinished(text + at, bytes - at);
    if (clean->kept == 0) {
        put(clean, text + at, bytes - at - later);
        memcpy(clean->bytes, text + bytes - later, later);
        clean->kept = later;
    }
    // stdio takes 0 for an error: see fopencookie(3).
    return fflush(clean->under) == 0 && !ferror(clean->under) ? (ssize_t)bytes : 0;
}

static int close_clean(void *cookie)
{
    struct clean_stream *clean = cookie;
    struct clean_stream **at = &streams;
    while (*at != clean)
        at = &(*at)->next;
    *at = clean->next;
    put(clean, clean->bytes, clean->kept);
    int result = fflush(clean->under);
    free(clean);
    return result;
}

FILE *clean_stream_open(FILE *under, bool line_buffered)
{
    struct clean_stream *clean = calloc(1, sizeof *clean);
    if (clean)
        clean->stream = fopencookie(
            clean, "w", (cookie_io_functions_t){.write = write_clean, .close = close_clean});
    if (!clean || !clean->stream)
        memory_exhausted();
    if (line_buffered)
        (void)setvbuf(clean->stream, NULL, _IOLBF, BUFSIZ);
    clean->under = under;
    clean->next = streams;
    streams = clean;
    return clean->stream;
}

static struct clean_stream *find(FILE *stream)
{
    struct clean_stream *clean = streams;
    while (clean && clean->stream != stream)
        clean = clean->next;
    return clean;
}

FILE *clean_stream_under(FILE *stream)
{
    const struct clean_stream *clean = find(stream);
    return clean ? clean->under : stream;
}

void clean_stream_for_people(FILE *stream, bool people)
{
    struct clean_stream *clean = find(stream);
    if (!clean)
        return;
    (void)fflush(stream);
    clean->ascii = people && strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}
