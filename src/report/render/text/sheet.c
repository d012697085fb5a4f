// Text for people: see sheet.h.
#include "report/render/text/sheet.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "report/code/owners.h"
#include "report/render/text/clean_stream.h"
#include "shared/clean.h"

enum { PLAIN_WIDTH = 100, LEAST_WIDTH = 40 };

struct sheet sheet_new(FILE *out, struct arena *arena)
{
    FILE *under = clean_stream_under(out);
    struct sheet sheet = {.out = under == out ? clean_stream_open(out, false) : out,
                          .under = under,
                          .is_own = under == out,
                          .width = PLAIN_WIDTH,
                          .arena = arena};
    clean_stream_for_people(sheet.out, true);
    int fd = fileno(under);
    if (fd < 0 || !isatty(fd))
        return sheet;
    const char *no_colour = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    sheet.window = true;
    sheet.colour = (!no_colour || no_colour[0] == 0) && terminal && strcmp(terminal, "dumb") != 0;
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        sheet.width = size.ws_col < LEAST_WIDTH ? LEAST_WIDTH : size.ws_col;
    return sheet;
}

void sheet_end(struct sheet *sheet)
{
    (void)fflush(sheet->out);
    if (sheet->is_own)
        (void)fclose(sheet->out); // an error shows on what is under it
    sheet->out = NULL;
}

// The terminal's own codes are no text.
static void put_code(const struct sheet *sheet, const char *code)
{
    (void)fflush(sheet->out);
    (void)fputs(code, sheet->under);
}

void sheet_print(const struct sheet *sheet, enum sheet_style style, const char *format, ...)
{
    static const char *const codes[] = {
        [SHEET_PLAIN] = "",       [SHEET_BOLD] = "\033[1m",  [SHEET_DIM] = "\033[2m",
        [SHEET_BAD] = "\033[31m", [SHEET_WARN] = "\033[33m", [SHEET_GOOD] = "\033[32m",
    };
    bool styled = sheet->colour && style != SHEET_PLAIN;
    if (styled)
        put_code(sheet, codes[style]);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(sheet->out, format, arguments);
    va_end(arguments);
    if (styled)
        put_code(sheet, "\033[0m");
}

static bool continues_character(char c) // of UTF-8
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

unsigned sheet_columns(const char *text)
{
    unsigned columns = 0;
    for (; *text; text++)
        columns += !continues_character(*text);
    return columns;
}

const char *sheet_clean(struct arena *arena, const char *text, unsigned columns)
{
    char *copy = arena_text(arena, text);
    clean_text(copy);
    if (columns < 4 || sheet_columns(copy) <= columns)
        return copy;
    unsigned kept = 0;
    size_t i = 0;
    while (kept < columns - 3) {
        i++;
        while (continues_character(copy[i]))
            i++;
        kept++;
    }
    copy[i] = 0;
    return arena_format(arena, "%s...", copy);
}

const char *sheet_duration(struct arena *arena, uint64_t ns)
{
    uint64_t s = ns / 1000000000;
    if (ns < 1000000)
        return arena_format(arena, "%" PRIu64 " µs", ns / 1000);
    if (s == 0)
        return arena_format(arena, "%.1f ms", (double)ns / 1e6);
    if (s < 600)
        return arena_format(arena, "%.1f s", (double)ns / 1e9);
    if (s < 7200)
        return arena_format(arena, "%" PRIu64 " min %02" PRIu64 " s", s / 60, s % 60);
    if (s < 172800)
        return arena_format(arena, "%" PRIu64 " h %02" PRIu64 " min", s / 3600, s / 60 % 60);
    return arena_format(arena, "%" PRIu64 " d %02" PRIu64 " h", s / 86400, s / 3600 % 24);
}

const char *sheet_frame(struct arena *arena, const struct frame *frame, const char *directory)
{
    if (!frame)
        return "(no backtrace)";
    const char *text;
    const char *function = frame->function ? frame->function : "";
    const char *space = function[0] ? " " : "";
    if (frame->file && frame->line)
        text = arena_format(arena, "%s:%u%s%s", owners_relative_path(frame->file, directory),
                            frame->line, space, function);
    else if (frame->file)
        text = arena_format(arena, "%s%s%s", owners_relative_path(frame->file, directory), space,
                            function);
    else if (!frame->module)
        text = arena_format(arena, "0x%" PRIx64, frame->offset);
    else if (function[0])
        text = arena_format(arena, "%s (%s+0x%" PRIx64 ")", function,
                            owners_base_name(frame->module), frame->offset);
    else
        text = arena_format(arena, "%s+0x%" PRIx64, owners_base_name(frame->module), frame->offset);
    return sheet_clean(arena, text, 0);
}

const char *sheet_place(struct arena *arena, const struct frame *frame)
{
    if (!frame || !frame->file || !frame->line)
        return sheet_frame(arena, frame, "");
    return sheet_clean(arena,
                       arena_format(arena, "%s:%u", owners_base_name(frame->file), frame->line), 0);
}

struct sheet_line sheet_line_begin(const struct sheet *sheet, unsigned indent)
{
    fprintf(sheet->out, "%*s", (int)indent, "");
    return (struct sheet_line){.sheet = sheet, .indent = indent, .column = indent};
}

void sheet_line_add(struct sheet_line *line, enum sheet_style style, const char *part)
{
    if (!part || part[0] == 0)
        return;
    unsigned columns = sheet_columns(part);
    if (line->started) {
        if (line->column + 3 + columns > line->sheet->width) {
            fprintf(line->sheet->out, "\n%*s", (int)line->indent, "");
            line->column = line->indent;
        } else {
            sheet_print(line->sheet, SHEET_DIM, " · ");
            line->column += 3;
        }
    }
    sheet_print(line->sheet, style, "%s", part);
    line->column += columns;
    line->started = true;
}

void sheet_line_end(struct sheet_line *line)
{
    fputc('\n', line->sheet->out);
}

void sheet_wrap(const struct sheet *sheet, enum sheet_style style, unsigned indent,
                const char *words)
{
    char *copy = arena_text(sheet->arena, words);
    unsigned column = 0;
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        unsigned columns = sheet_columns(word);
        if (column > 0 && column + 1 + columns > sheet->width) {
            fprintf(sheet->out, "\n%*s", (int)indent + 4, "");
            column = indent + 4;
        } else if (column > 0) {
            fputc(' ', sheet->out);
            column++;
        } else {
            fprintf(sheet->out, "%*s", (int)indent, "");
            column = indent;
        }
        sheet_print(sheet, style, "%s", word);
        column += columns;
    }
    fputc('\n', sheet->out);
}
