// Line tables of CPython. Sources: Objects/lnotab_notes.txt of 3.8 to 3.10, Objects/locations.md of
// 3.11 and later.
#include "stacks/python_lines.h"

enum {
    NO_LINE = -128, // in tables of 3.10
    UNIT = 2,       // bytes of a code unit
    ENTRY = 0x80,   // marks the first byte of an entry in tables of 3.11
    FORM_ONE_LINE = 10,
    FORM_NO_COLUMNS = 13,
    FORM_LONG = 14,
    FORM_NONE = 15,
};

static int signed_byte(uint8_t byte)
{
    return byte < 128 ? byte : byte - 256;
}

// 3.8, 3.9: pairs of an increment of the address and one of the line.
static int line_by_increments(const uint8_t *table, size_t bytes, int line, int instruction)
{
    int address = 0;
    for (size_t i = 0; i + 1 < bytes; i += 2) {
        address += table[i];
        if (address > instruction)
            break;
        line += signed_byte(table[i + 1]);
    }
    return line;
}

// 3.10: pairs of the length of a range and the increment of its line.
static int line_by_ranges(const uint8_t *table, size_t bytes, int line, int instruction)
{
    int end = 0;
    for (size_t i = 0; i + 1 < bytes; i += 2) {
        const int increment = signed_byte(table[i + 1]);
        end += table[i];
        if (increment != NO_LINE)
            line += increment;
        if (end > instruction)
            return increment != NO_LINE ? line : -1;
    }
    return -1;
}

// A signed number of groups of six bits, the lowest first; bit 6 says that more follow.
static int signed_number(const uint8_t *table, size_t bytes, size_t at)
{
    unsigned number = 0;
    for (unsigned shift = 0; at < bytes && shift < 30; at++, shift += 6) {
        number |= (unsigned)(table[at] & 63) << shift;
        if (!(table[at] & 64))
            break;
    }
    return number & 1 ? -(int)(number >> 1) : (int)(number >> 1);
}

// From 3.11: entries of a form, a length in code units, and what the form asks for.
static int line_by_locations(const uint8_t *table, size_t bytes, int line, int instruction)
{
    int end = 0;
    for (size_t i = 0; i < bytes;) {
        const int form = table[i] >> 3 & 15;
        end += ((table[i] & 7) + 1) * UNIT;
        if (form == FORM_LONG || form == FORM_NO_COLUMNS)
            line += signed_number(table, bytes, i + 1);
        else if (form >= FORM_ONE_LINE && form < FORM_NO_COLUMNS)
            line += form - FORM_ONE_LINE;
        if (end > instruction)
            return form != FORM_NONE ? line : -1;
        do
            i++;
        while (i < bytes && !(table[i] & ENTRY));
    }
    return -1;
}

int python_line(int minor, const uint8_t *table, size_t bytes, int first, int instruction)
{
    if (instruction < 0)
        return first;
    if (minor >= 11)
        return line_by_locations(table, bytes, first, instruction);
    return minor == 10 ? line_by_ranges(table, bytes, first, instruction)
                       : line_by_increments(table, bytes, first, instruction);
}
