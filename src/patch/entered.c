// See entered.h.
//
// Long jumps are looked for at every byte of the program's text, not only where instructions are
// known to begin: so nothing depends on finding those. A false alarm is a byte sequence that looks
// like a jump to these few bytes by chance. Short jumps (one byte of distance) would give too many
// of them: the code within their reach is taken apart.
#include "patch/entered.h"

#include <capstone/capstone.h>
#include <string.h>

enum {
    SHORT_REACH = 128 + 15, // of a jump with one byte of distance, and its own length
    TABLE_MOST = 1024,      // entries of a jump table looked at
    LEA_BYTES = 7,          // lea disp32(%rip), %reg with its REX prefix
};

struct search {
    const struct image *image;
    struct entered_range *ranges;
    size_t count;
    uint64_t low, high; // bounds of all ranges
};

static void note_target(const struct search *search, uint64_t from, uint64_t target)
{
    if (target < search->low || target >= search->high)
        return;
    for (size_t i = 0; i < search->count; i++) {
        struct entered_range *range = &search->ranges[i];
        const bool inside = from >= range->function && from < range->end;
        if (target > range->first && target < range->last)
            range->entered = true;
        // A jump of the function to its own first byte is a loop, but would count as a call.
        if (inside && target >= range->function && target <= range->first)
            range->entered = true;
    }
}

static void scan_long_jumps(const struct search *search, const Elf64_Phdr *segment)
{
    const uint8_t *text = image_segment(search->image, segment);
    const size_t bytes = text ? segment->p_filesz : 0;
    for (size_t i = 1; i + 4 <= bytes; i++) {
        const uint8_t before = text[i - 1];
        const bool is_jump = before == 0xe9 || before == 0xe8 ||
                             ((before & 0xf0) == 0x80 && i >= 2 && text[i - 2] == 0x0f) ||
                             (before == 0xf8 && i >= 2 && text[i - 2] == 0xc7); // xbegin
        if (!is_jump)
            continue;
        int32_t distance = 0;
        memcpy(&distance, text + i, sizeof distance);
        // A call of the function by itself is no loop: e8 to `first` is what the patch is for.
        const uint64_t end = segment->p_vaddr + i + 4;
        const uint64_t target = end + (uint64_t)(int64_t)distance;
        note_target(search, before == 0xe8 ? 0 : end - 5, target);
    }
}

// Tables of whole addresses, and of relocations that will make them.
static void scan_addresses(const struct search *search, const Elf64_Phdr *segment)
{
    const uint8_t *data = image_segment(search->image, segment);
    for (size_t i = 0; data && i + 8 <= segment->p_filesz; i += 8) {
        uint64_t value = 0;
        memcpy(&value, data + i, sizeof value);
        note_target(search, 0, value);
    }
}

static void scan_segments(const struct search *search)
{
    for (unsigned i = 0; i < search->image->segment_count; i++) {
        const Elf64_Phdr *segment = &search->image->segments[i];
        if (segment->p_type != PT_LOAD)
            continue;
        if (segment->p_flags & PF_X)
            scan_long_jumps(search, segment);
        // Relocations with their addends lie in a segment, too.
        scan_addresses(search, segment);
    }
}

// Takes the code from `from` to `to` apart.
static void sweep(const struct search *search, csh engine, uint64_t from, uint64_t to)
{
    const uint8_t *text = to > from ? image_at(search->image, from, to - from) : NULL;
    size_t left = text ? to - from : 0;
    cs_insn *instruction = cs_malloc(engine);
    while (instruction && left > 0) {
        if (!cs_disasm_iter(engine, &text, &left, &from, instruction)) {
            text++; // an instruction that capstone does not know: find the next
            left--;
            from++;
            continue;
        }
        const uint8_t first = instruction->bytes[0];
        const bool prefixed = first == 0xf2 || first == 0x3e || first == 0x2e || first == 0x66;
        const uint8_t code = prefixed ? instruction->bytes[1] : first;
        const bool is_short =
            (code >= 0x70 && code <= 0x7f) || (code >= 0xe0 && code <= 0xe3) || code == 0xeb;
        if (is_short && instruction->size == (prefixed ? 3 : 2)) {
            const int8_t distance = (int8_t)instruction->bytes[instruction->size - 1];
            note_target(search, instruction->address, from + (uint64_t)(int64_t)distance);
        }
    }
    if (instruction)
        cs_free(instruction, 1);
}

static void sweep_around(const struct search *search, csh engine, const struct entered_range *range)
{
    const Elf64_Phdr *segment = image_text(search->image, range->first);
    if (!segment)
        return;
    const uint64_t text_end = segment->p_vaddr + segment->p_filesz;
    const uint64_t reach =
        range->last + SHORT_REACH < text_end ? range->last + SHORT_REACH : text_end;
    const uint64_t before =
        range->function - range->before > 4 * SHORT_REACH && range->before < range->function
            ? range->function - 4 * SHORT_REACH // in step again long before it matters
            : range->before;
    sweep(search, engine, before, range->function);
    sweep(search, engine, range->function, range->end < reach ? range->end : reach);
    sweep(search, engine, range->end, reach);
}

// The function jumps through a register or memory: perhaps by a table.
static bool jumps_indirectly(const uint8_t *text, size_t bytes)
{
    for (size_t i = 0; i + 2 <= bytes; i++)
        if (text[i] == 0xff && (text[i + 1] >> 3 & 7) == 4)
            return true;
    return false;
}

// A table of 32-bit distances from its own begin, which is at `base`.
static void scan_table(const struct search *search, uint64_t base)
{
    const Elf64_Phdr *text = image_text(search->image, search->low);
    for (size_t i = 0; i < TABLE_MOST; i++) {
        const uint8_t *entry = image_at(search->image, base + 4 * i, 4);
        int32_t distance = 0;
        if (!entry)
            return;
        memcpy(&distance, entry, sizeof distance);
        const uint64_t target = base + (uint64_t)(int64_t)distance;
        if (!text || image_text(search->image, target) != text)
            return; // behind its end
        note_target(search, 0, target);
    }
}

// 32-bit addresses, in programs that are not position-independent.
static void scan_narrow_addresses(const struct search *search)
{
    for (unsigned i = 0; i < search->image->segment_count; i++) {
        const Elf64_Phdr *segment = &search->image->segments[i];
        const uint8_t *data = image_segment(search->image, segment);
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_X) || !data)
            continue;
        for (size_t at = 0; at + 4 <= segment->p_filesz; at += 4) {
            uint32_t value = 0;
            memcpy(&value, data + at, sizeof value);
            note_target(search, 0, value);
        }
    }
}

static void scan_tables(const struct image *image, struct entered_range *range)
{
    const struct search own = {image, range, 1, range->function, range->last};
    const struct search *search = &own;
    const size_t bytes = range->end - range->function;
    const uint8_t *text = image_at(search->image, range->function, bytes);
    if (!text || !jumps_indirectly(text, bytes))
        return;
    for (size_t i = 0; i + LEA_BYTES <= bytes; i++) {
        if ((text[i] & 0xfb) != 0x48 || text[i + 1] != 0x8d || (text[i + 2] & 0xc7) != 0x05)
            continue;
        int32_t distance = 0;
        memcpy(&distance, text + i + 3, sizeof distance);
        scan_table(search, range->function + i + LEA_BYTES + (uint64_t)(int64_t)distance);
    }
    if (search->image->header->e_type == ET_EXEC)
        scan_narrow_addresses(search);
}

void entered_find(const struct image *image, struct entered_range *ranges, size_t count)
{
    struct search search = {image, ranges, count, UINT64_MAX, 0};
    csh engine;
    for (size_t i = 0; i < count; i++) {
        const struct entered_range *range = &ranges[i];
        search.low = range->function < search.low ? range->function : search.low;
        search.high = range->last > search.high ? range->last : search.high;
    }
    if (count == 0)
        return;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &engine) != CS_ERR_OK) {
        for (size_t i = 0; i < count; i++)
            ranges[i].entered = true; // not known
        return;
    }
    scan_segments(&search);
    for (size_t i = 0; i < count; i++) {
        sweep_around(&search, engine, &ranges[i]);
        scan_tables(image, &ranges[i]);
    }
    (void)cs_close(&engine);
}
