// One snapshot as text: see print.h.
#include "cli/top/print.h"

#include <errno.h>
#include <inttypes.h>

#include "cli/top/columns.h"
#include "cli/top/text.h"
#include "cli/top/words.h"

static void print_pools(const struct sheet *sheet, const struct top_snapshot *snapshot)
{
    if (snapshot->pool_count == 0)
        return;
    sheet_print(sheet, SHEET_BOLD, "\n%s\n", top_pool_titles(sheet->arena, sheet->width));
    for (size_t i = 0; i < snapshot->pool_count; i++) {
        struct top_pool_line line = top_pool_line(sheet->arena, &snapshot->pools[i], sheet->width);
        fputs(line.name, sheet->out);
        sheet_print(sheet, line.bar_style, "%s", line.bar);
        sheet_print(sheet, line.numbers_style, "%s\n", line.numbers);
    }
}

// The last column as long as it has to be, unless it has to fit into a window.
static unsigned cell_width(const struct top_layout *layout, unsigned column, bool window)
{
    return column + 1 == layout->count && !window ? 0 : layout->width[column];
}

static void print_sites(const struct sheet *sheet, const struct top_snapshot *snapshot)
{
    struct arena *arena = sheet->arena;
    bool window = sheet->window;
    struct top_layout layout = top_layout_fit(sheet->width);
    fputc('\n', sheet->out);
    for (unsigned i = 0; i < layout.count; i++)
        sheet_print(sheet, SHEET_BOLD, "%s%s", i ? " " : "",
                    top_title(arena, layout.column[i], cell_width(&layout, i, false),
                              layout.column[i]->key == TOP_HELD, false));
    fputc('\n', sheet->out);
    size_t others = 0;
    for (size_t row = 0; row < snapshot->row_count; row++) {
        if (snapshot->rows[row].held == 0 && snapshot->rows[row].reclaimed == 0) {
            others++;
            continue;
        }
        for (unsigned i = 0; i < layout.count; i++) {
            enum sheet_style style;
            const char *text = top_cell(arena, snapshot, &snapshot->rows[row], layout.column[i],
                                        cell_width(&layout, i, window), &style);
            fputs(i ? " " : "", sheet->out);
            sheet_print(sheet, style, "%s", text);
        }
        fputc('\n', sheet->out);
    }
    if (others)
        fprintf(sheet->out, "%zu more %s, all closed\n", others, others == 1 ? "site" : "sites");
}

int top_print(const struct top_snapshot *snapshot, FILE *out)
{
    struct sheet sheet = sheet_new(out, arena_new());
    struct arena *arena = sheet.arena;
    sheet_print(&sheet, SHEET_BOLD, "unclosed top: %s", top_words_processes(arena, snapshot));
    fprintf(sheet.out, " %s\n%s\n%s\n", top_words_state(arena, snapshot),
            top_words_command(arena, snapshot), top_words_totals(arena, snapshot));
    const char *note = top_words_note(arena, snapshot);
    if (note[0])
        sheet_print(&sheet, SHEET_WARN, "note: %s\n", note);
    print_pools(&sheet, snapshot);
    print_sites(&sheet, snapshot);
    errno = 0;
    sheet_end(&sheet);
    int error = fflush(out) != 0 || ferror(out) ? (errno ? -errno : -EIO) : 0;
    arena_free(arena);
    return error;
}
