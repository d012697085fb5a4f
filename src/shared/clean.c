// Text that is safe to show: see clean.h.
#include "shared/clean.h"

#include <string.h>

enum { NO_CHARACTER = 0xfffd };

uint32_t clean_character(const char *text, size_t bytes, size_t *taken)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text;
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t code = length > 1 ? at[0] & (0x7fU >> length) : at[0];
    *taken = 1;
    if (length == 0 || length > bytes || at[0] >= 0xf8)
        return NO_CHARACTER;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return NO_CHARACTER;
        code = code << 6 | (at[i] & 0x3f);
    }
    if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return NO_CHARACTER;
    *taken = length;
    return code;
}

bool clean_is_shown(uint32_t character)
{
    static const struct {
        uint32_t first, last;
    } hidden[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x061c, 0x061c}, {0x200e, 0x200f},
        {0x2028, 0x202e}, {0x2066, 0x206f}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };
    if (character >= 0x20 && character < 0x7f)
        return true;
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (character >= hidden[i].first && character <= hidden[i].last)
            return false;
    return true;
}

const char *clean_ascii(uint32_t character)
{
    static const struct {
        uint32_t character;
        char form[4];
    } forms[] = {
        {0xb5, "u"},   {0xb7, "|"},   {0x2013, "-"}, {0x2026, "..."}, {0x2265, ">="}, {0x2500, "-"},
        {0x2502, "|"}, {0x25b2, "^"}, {0x25bc, "v"}, {0x2581, "_"},   {0x2582, "."},  {0x2583, ":"},
        {0x2584, "-"}, {0x2585, "="}, {0x2586, "+"}, {0x2587, "*"},   {0x2588, "#"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (forms[i].character == character)
            return forms[i].form;
    return "?";
}

static const char *stand_in(uint32_t character)
{
    return character == '\n' || character == '\t' || character == '\r' ? " " : "?";
}

struct clean_piece clean_next(const char *text, size_t bytes, enum clean_lines lines)
{
    struct clean_piece piece = {.text = text, .as_it_is = true};
    while (piece.taken < bytes) {
        const char *at = text + piece.taken;
        if (*at >= ' ' && *at < 0x7f) { // nearly all there is
            piece.taken++;
            continue;
        }
        size_t taken;
        uint32_t character = clean_character(at, bytes - piece.taken, &taken);
        bool broken = character == NO_CHARACTER && taken == 1;
        bool ends_line = character == '\n' && lines == CLEAN_LINES;
        if (broken || (!ends_line && !clean_is_shown(character))) {
            if (piece.taken == 0)
                return (struct clean_piece){
                    .text = stand_in(character), .bytes = 1, .taken = taken};
            break;
        }
        piece.taken += taken;
    }
    piece.bytes = piece.taken;
    return piece;
}

size_t clean_to_ascii(char *text, size_t bytes)
{
    size_t kept = 0;
    size_t taken;
    for (size_t at = 0; at < bytes; at += taken) {
        uint32_t character = clean_character(text + at, bytes - at, &taken);
        if (character < 0x80) {
            text[kept++] = (char)character;
            continue;
        }
        const char *form = clean_ascii(character);
        memmove(text + kept, form, strlen(form)); // no form is longer than the character
        kept += strlen(form);
    }
    return kept;
}

size_t clean_fitting(const char *text, size_t room)
{
    while (room > 0 && ((unsigned char)text[room] & 0xc0) == 0x80)
        room--;
    return room;
}

size_t clean_bytes(char *text, size_t bytes)
{
    size_t kept = 0;
    for (size_t at = 0; at < bytes;) {
        struct clean_piece piece = clean_next(text + at, bytes - at, CLEAN_ONE_LINE);
        memmove(text + kept, piece.text, piece.bytes);
        kept += piece.bytes;
        at += piece.taken;
    }
    return kept;
}

void clean_text(char *text)
{
    text[clean_bytes(text, strlen(text))] = 0;
}
