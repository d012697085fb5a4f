// See plan.h: from symbols to lines of a plan.
//
// What makes this safe is decided here: a function gets a patch only if nothing speaks against it.
#include "patch/plan.h"

#include <elf.h>
#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "patch/displace.h"
#include "patch/entered.h"
#include "patch/image.h"
#include "patch/symbols.h"
#include "shared/patch_plan.h"

_Static_assert((int)DISPLACE_CODE_BYTES == (int)PATCH_PLAN_CODE_BYTES, "the plan has room for it");
_Static_assert((int)DISPLACE_FIXUPS == (int)PATCH_PLAN_FIXUPS, "the plan has room for them");

enum { PAGE = 4096 };

// What the recorder looks at besides the functions of specs (recorder/functions.c), and what it
// calls (recorder/sqlite.c).
static const char *const watched[] = {"sqlite3_finalize", "sqlite3_backup_init",
                                      "sqlite3_backup_finish"};
static const char *const called[] = {"sqlite3_db_filename", "sqlite3_next_stmt", "sqlite3_sql",
                                     "sqlite3_get_autocommit", "sqlite3_db_handle"};

struct wanted { // a name to look for, and what was found in the file at hand
    const char *name;
    const struct spec *spec; // NULL: not of a spec
    bool only_called;
    bool found, copies;
    enum trace_patch outcome; // NONE until something speaks against it
    struct function_symbol symbol;
    struct displaced moved;
    struct entered_range range;
};

struct plan {
    struct wanted *wanted; // sorted by name
    size_t wanted_count;
    enum plan_mode mode;
    FILE *out;
    char *text;
    size_t text_bytes;
    struct plan_finding *findings;
    size_t finding_count;
    char **names; // of files, kept for findings
    size_t name_count;
};

static void *need(void *memory)
{
    if (!memory)
        error(EXIT_FAILURE, ENOMEM, "plan");
    return memory;
}

static int compare_wanted(const void *left, const void *right)
{
    return strcmp(((const struct wanted *)left)->name, ((const struct wanted *)right)->name);
}

static void want(struct plan *plan, const char *name, const struct spec *spec, bool only_called)
{
    for (size_t i = 0; i < plan->wanted_count; i++)
        if (strcmp(plan->wanted[i].name, name) == 0)
            return;
    plan->wanted[plan->wanted_count++] =
        (struct wanted){.name = name, .spec = spec, .only_called = only_called};
}

struct plan *plan_new(const struct spec *specs, int count, enum plan_mode mode)
{
    const size_t watched_count = sizeof watched / sizeof watched[0];
    const size_t called_count = sizeof called / sizeof called[0];
    struct plan *plan = need(calloc(1, sizeof *plan));
    plan->mode = mode;
    plan->wanted = need(calloc((size_t)count + watched_count + called_count, sizeof *plan->wanted));
    for (int i = 0; i < count; i++)
        if (!specs[i].python && (mode != PLAN_FOR_START || specs[i].verb != TRACE_USE))
            want(plan, specs[i].function, &specs[i], false);
    for (size_t i = 0; i < watched_count; i++)
        want(plan, watched[i], NULL, false);
    for (size_t i = 0; i < called_count; i++)
        want(plan, called[i], NULL, true);
    qsort(plan->wanted, plan->wanted_count, sizeof *plan->wanted, compare_wanted);
    plan->out = need(open_memstream(&plan->text, &plan->text_bytes));
    return plan;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    (void)fclose(plan->out);
    for (size_t i = 0; i < plan->name_count; i++)
        free(plan->names[i]);
    free(plan->names);
    free(plan->findings);
    free(plan->wanted);
    free(plan->text);
    free(plan);
}

static struct wanted *find_wanted(struct plan *plan, const char *name)
{
    const struct wanted key = {.name = name};
    return bsearch(&key, plan->wanted, plan->wanted_count, sizeof key, compare_wanted);
}

// my_get.part.0 and the like: some calls of my_get go there, or are inlined around it.
static void note_copy(struct plan *plan, const char *name)
{
    char stem[SPEC_NAME_BYTES];
    const size_t length = strcspn(name, ".");
    if (length == 0 || length >= sizeof stem || strncmp(name + length, ".cold", 5) == 0)
        return;
    memcpy(stem, name, length);
    stem[length] = '\0';
    struct wanted *wanted = find_wanted(plan, stem);
    if (wanted)
        wanted->copies = true;
}

static void visit_definition(const struct function_symbol *symbol, void *data)
{
    struct plan *plan = data;
    if (strchr(symbol->name, '.')) {
        note_copy(plan, symbol->name);
        return;
    }
    struct wanted *wanted = find_wanted(plan, symbol->name);
    if (!wanted || (wanted->found && wanted->symbol.address == symbol->address))
        return;
    if (!wanted->found || (wanted->symbol.local && !symbol->local)) {
        wanted->symbol = *symbol;
        wanted->symbol.name = wanted->name;
        wanted->outcome = TRACE_PATCH_NONE;
    } else if (wanted->symbol.local == symbol->local) {
        wanted->outcome = TRACE_PATCH_AMBIGUOUS;
    }
    wanted->found = true;
}

// Whether the compilers named in the file change the parameters of static functions in place
// (GCC gives such a function another name).
static bool changes_static(const struct image *image)
{
    size_t bytes = 0;
    const void *text = image_section(image, ".comment", &bytes);
    if (!text)
        return true; // not known
    return memmem(text, bytes, "clang", 5) || memmem(text, bytes, "LLVM", 4) ||
           memmem(text, bytes, "rustc", 5) || !memmem(text, bytes, "GCC", 3);
}

static enum trace_patch judge(const struct image *image, struct wanted *wanted, bool distrust)
{
    const struct function_symbol *symbol = &wanted->symbol;
    if (wanted->outcome != TRACE_PATCH_NONE)
        return wanted->outcome;
    if (symbol->local && !symbol->hidden && distrust)
        return TRACE_PATCH_STATIC;
    if (symbol->size == 0)
        return TRACE_PATCH_UNSIZED;
    const uint8_t *text =
        image_text(image, symbol->address) ? image_at(image, symbol->address, symbol->size) : NULL;
    if (!text || symbol->size > UINT32_MAX)
        return TRACE_PATCH_UNSIZED;
    const enum trace_patch result = displace(text, symbol->size, symbol->address, &wanted->moved);
    if (result != TRACE_PATCH_DONE)
        return result;
    const uint64_t first = symbol->address + wanted->moved.skipped;
    if (first / PAGE != (first + DISPLACE_JUMP_BYTES - 1) / PAGE)
        return TRACE_PATCH_PAGES;
    wanted->range = (struct entered_range){.function = symbol->address,
                                           .end = symbol->address + symbol->size,
                                           .before = 0,
                                           .first = first,
                                           .last = first + wanted->moved.displaced};
    return TRACE_PATCH_DONE;
}

// Second look at all symbols, when it is known which bytes would be replaced.
static void visit_neighbour(const struct function_symbol *symbol, void *data)
{
    struct plan *plan = data;
    for (size_t i = 0; i < plan->wanted_count; i++) {
        struct wanted *wanted = &plan->wanted[i];
        struct entered_range *range = &wanted->range;
        if (wanted->outcome != TRACE_PATCH_DONE)
            continue;
        if (symbol->address < range->function && symbol->address > range->before)
            range->before = symbol->address;
        if (symbol->address > range->function && symbol->address < range->last)
            wanted->outcome = TRACE_PATCH_ENTERED;
        if (symbol->address != range->function || strcmp(symbol->name, wanted->name) == 0)
            continue;
        // _get and get are one function; get and other_get may have been made one by the linker.
        if (strcmp(symbol->name + strspn(symbol->name, "_"),
                   wanted->name + strspn(wanted->name, "_")) != 0)
            wanted->outcome = TRACE_PATCH_SHARED;
    }
}

static void exclude_entered(struct plan *plan, const struct image *image)
{
    struct entered_range *ranges = need(calloc(plan->wanted_count, sizeof *ranges));
    size_t count = 0;
    for (size_t i = 0; i < plan->wanted_count; i++) {
        struct entered_range *range = &plan->wanted[i].range;
        if (plan->wanted[i].outcome != TRACE_PATCH_DONE)
            continue;
        if (range->before == 0)
            range->before = range->function;
        ranges[count++] = *range;
    }
    entered_find(image, ranges, count);
    count = 0;
    for (size_t i = 0; i < plan->wanted_count; i++)
        if (plan->wanted[i].outcome == TRACE_PATCH_DONE && ranges[count++].entered)
            plan->wanted[i].outcome = TRACE_PATCH_ENTERED;
    free(ranges);
}

static void write_patch(FILE *out, const struct image *image, const struct wanted *wanted)
{
    const struct displaced *moved = &wanted->moved;
    const struct function_symbol *symbol = &wanted->symbol;
    const enum trace_patch outcome = wanted->copies ? TRACE_PATCH_COPIES : TRACE_PATCH_DONE;
    const uint8_t *text = image_at(image, symbol->address, symbol->size);
    (void)fprintf(out, "patch %s %x %" PRIx64 " %" PRIx64 " %" PRIx64 " %x %x %x ", wanted->name,
                  outcome, symbol->address, symbol->size, patch_plan_checksum(text, symbol->size),
                  moved->skipped, moved->displaced, moved->ends);
    for (size_t i = 0; i < moved->bytes; i++)
        (void)fprintf(out, "%02x", moved->code[i]);
    for (size_t i = 0; i < moved->fixup_count; i++)
        (void)fprintf(out, " %x:%x:%" PRIx64, moved->fixups[i].at, moved->fixups[i].end,
                      moved->fixups[i].target);
    (void)fputc('\n', out);
}

static void add_finding(struct plan *plan, const struct wanted *wanted, const char *file)
{
    plan->findings =
        need(reallocarray(plan->findings, plan->finding_count + 1, sizeof *plan->findings));
    plan->findings[plan->finding_count++] = (struct plan_finding){
        .name = wanted->name,
        .file = file,
        .spec = wanted->spec,
        .outcome = wanted->outcome == TRACE_PATCH_DONE && wanted->copies ? TRACE_PATCH_COPIES
                                                                         : wanted->outcome,
    };
}

static void write_module(struct plan *plan, const struct image *image, const char *id,
                         const char *shown)
{
    char *file = need(strdup(shown));
    plan->names = need(reallocarray(plan->names, plan->name_count + 1, sizeof *plan->names));
    plan->names[plan->name_count++] = file;
    (void)fprintf(plan->out, "module %s\n", id);
    for (size_t i = 0; i < plan->wanted_count; i++)
        if (plan->wanted[i].found && plan->wanted[i].only_called)
            (void)fprintf(plan->out, "symbol %s %" PRIx64 "\n", plan->wanted[i].name,
                          plan->wanted[i].symbol.address);
    for (size_t i = 0; i < plan->wanted_count; i++) {
        const struct wanted *wanted = &plan->wanted[i];
        if (!wanted->found || wanted->only_called)
            continue;
        if (wanted->outcome != TRACE_PATCH_DONE)
            (void)fprintf(plan->out, "refused %s %x\n", wanted->name, wanted->outcome);
        else if (plan->mode == PLAN_TO_TELL)
            (void)fprintf(plan->out, "refused %s %x\n", wanted->name, TRACE_PATCH_NOT_ASKED);
        else
            write_patch(plan->out, image, wanted);
        if (wanted->spec)
            add_finding(plan, wanted, file);
    }
}

// What was found is of the file at hand. Result: whether anything is to be patched or refused.
static bool select_found(struct plan *plan, const struct image *image, enum plan_scope scope)
{
    const bool distrust = changes_static(image);
    bool any = false;
    for (size_t i = 0; i < plan->wanted_count; i++) {
        struct wanted *wanted = &plan->wanted[i];
        if (wanted->found && scope == PLAN_HIDDEN && !wanted->symbol.local)
            wanted->found = false; // hooked where its address is
        if (!wanted->found || wanted->only_called)
            continue;
        wanted->outcome = judge(image, wanted, distrust);
        any = true;
    }
    return any;
}

// Whether names of functions that are not exported can be had. Looking for them takes its time.
static bool has_locals(const struct image *image, const char *id)
{
    char path[sizeof "/usr/lib/debug/.build-id/00/.debug" + IMAGE_ID_BYTES];
    size_t bytes = 0;
    if (image_section(image, ".symtab", &bytes) || image_section(image, ".gnu_debugdata", &bytes))
        return true;
    (void)snprintf(path, sizeof path, "/usr/lib/debug/.build-id/%.2s/%s.debug", id + 1, id + 3);
    return id[0] == 'b' && access(path, R_OK) == 0;
}

static bool add_image(struct plan *plan, const struct image *image, const char *path,
                      const char *shown, enum plan_scope scope)
{
    char id[IMAGE_ID_BYTES];
    for (size_t i = 0; i < plan->wanted_count; i++) {
        plan->wanted[i].found = plan->wanted[i].copies = false;
        plan->wanted[i].outcome = TRACE_PATCH_NONE;
    }
    if (image_id(image, id) == 0 || (scope == PLAN_HIDDEN && !has_locals(image, id)))
        return false;
    const bool all = function_symbols(path, visit_definition, plan);
    if (select_found(plan, image, scope)) {
        (void)function_symbols(path, visit_neighbour, plan);
        exclude_entered(plan, image);
        write_module(plan, image, id, shown);
    }
    return all;
}

bool plan_add_file(struct plan *plan, const char *path, const char *shown, enum plan_scope scope)
{
    struct image image;
    if (image_open(&image, path) != 0)
        return false;
    const bool any =
        image.header->e_machine == EM_X86_64 && add_image(plan, &image, path, shown, scope);
    image_close(&image);
    return any;
}

const char *plan_text(struct plan *plan)
{
    return fflush(plan->out) == 0 ? plan->text : "";
}

size_t plan_finding_count(const struct plan *plan)
{
    return plan->finding_count;
}

const struct plan_finding *plan_finding(const struct plan *plan, size_t index)
{
    return &plan->findings[index];
}
