// Text of a trace in formats for programs: see plain.h.
#include "report/render/plain.h"

#include <inttypes.h>

#include "report/code/owners.h"
#include "shared/clean.h"

static void print_piece(const struct clean_piece *piece, plain_escape *escape, FILE *out)
{
    for (size_t i = 0; escape && i < piece->bytes; i++) {
        const char *instead = escape(piece->text[i]);
        if (instead)
            fputs(instead, out);
        else
            putc_unlocked(piece->text[i], out);
    }
    if (!escape)
        fwrite(piece->text, 1, piece->bytes, out);
}

void plain_print(const char *text, plain_escape *escape, FILE *out)
{
    const size_t bytes = text ? strlen(text) : 0;
    for (size_t at = 0; at < bytes;) {
        const struct clean_piece piece = clean_next(text + at, bytes - at, CLEAN_ONE_LINE);
        print_piece(&piece, escape, out);
        at += piece.taken;
    }
}

char *plain_text(struct arena *arena, const char *text, size_t most)
{
    char *copy = arena_text(arena, text ? text : "");
    clean_text(copy);
    if (most == 0 || strlen(copy) <= most)
        return copy;
    copy[clean_fitting(copy, most - strlen("..."))] = '\0';
    return arena_format(arena, "%s...", copy);
}

const char *plain_place(struct arena *arena, const struct frame *frame, const char *directory)
{
    if (!frame)
        return "";
    const char *file = frame->file ? owners_relative_path(frame->file, directory) : NULL;
    if (file && frame->line)
        return arena_format(arena, "%s:%u", file, frame->line);
    if (file)
        return file;
    if (frame->module)
        return arena_format(arena, "%s+0x%" PRIx64, owners_base_name(frame->module), frame->offset);
    return frame->offset ? arena_format(arena, "0x%" PRIx64, frame->offset) : "";
}

const char *plain_function(const struct frame *frame)
{
    if (!frame)
        return "";
    return frame->signature ? frame->signature : frame->function ? frame->function : "";
}

const char *plain_frame(struct arena *arena, const struct frame *frame)
{
    const char *function = frame && frame->function ? frame->function : "";
    const char *place = "";
    if (frame && frame->file && frame->line)
        place = arena_format(arena, "%s:%u", owners_base_name(frame->file), frame->line);
    else
        place = plain_place(arena, frame, "");
    if (*function && *place)
        return arena_format(arena, "%s (%s)", function, place);
    return *function ? function : *place ? place : "(unknown)";
}

const char *plain_program(const struct profile_process *process)
{
    return owners_base_name(process->header->exe);
}
