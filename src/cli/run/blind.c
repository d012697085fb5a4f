// See blind.h.
#include "cli/run/blind.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "cli/cli.h"
#include "cli/patches.h"
#include "cli/run/drivers.h"
#include "cli/run/journal.h"
#include "cli/run/symbols.h"
#include "shared/specs.h"
#include "shared/trace_words.h"
#include "trace/trace_format.h"

// A file that was mapped or executed, or a process; by its path or number as text.
struct known {
    char *key, *value;
    UT_hash_handle hh;
};

struct search {
    const struct run *run;
    struct blind blind;
    struct known *programs; // process id -> executable
    struct known *modules;  // path -> executable of the first process that mapped it
    struct known *executed; // path -> executable of the first process that executed it
};

static char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));
static char *format(const char *text, ...)
{
    char *made = NULL;
    va_list arguments;
    va_start(arguments, text);
    if (vasprintf(&made, text, arguments) < 0)
        cli_no_memory();
    va_end(arguments);
    return made;
}

// Takes `reason` and `remedy` over.
static void add_spot(struct search *search, const char *program, char *reason, char *remedy,
                     bool warning)
{
    struct blind *blind = &search->blind;
    for (size_t i = 0; i < blind->count; i++) {
        struct blind_spot *spot = &blind->spots[i];
        if (strcmp(spot->program, program) != 0 || strcmp(spot->reason, reason) != 0)
            continue;
        spot->processes++;
        free(reason);
        free(remedy);
        return;
    }
    blind->spots = reallocarray(blind->spots, blind->count + 1, sizeof *blind->spots);
    if (!blind->spots)
        cli_no_memory();
    blind->spots[blind->count++] =
        (struct blind_spot){format("%s", program), reason, remedy, 1, warning};
}

// Remembers `value` for `key`. false: there was one already; it is replaced only if `replace`.
static bool remember(struct known **table, const char *key, const char *value, bool replace)
{
    struct known *known = NULL;
    HASH_FIND_STR(*table, key, known);
    if (known && !replace)
        return false;
    if (known) {
        free(known->value);
        known->value = format("%s", value);
        return false;
    }
    known = calloc(1, sizeof *known);
    if (!known)
        cli_no_memory();
    known->key = format("%s", key);
    known->value = format("%s", value);
    HASH_ADD_KEYPTR(hh, *table, known->key, strlen(known->key), known);
    return true;
}

static void forget(struct known **table)
{
    struct known *known = NULL, *next = NULL;
    HASH_ITER (hh, *table, known, next) {
        HASH_DEL(*table, known); // NOLINT(clang-analyzer-unix.Malloc)
        free(known->key);
        free(known->value);
        free(known);
    }
}

static const char *program_of(const struct search *search, uint32_t pid)
{
    char key[16];
    struct known *known = NULL;
    (void)snprintf(key, sizeof key, "%u", pid);
    HASH_FIND_STR(search->programs, key, known);
    return known ? known->value : "";
}

// Whether the trace that a process has made is still there, as one that the report will read.
static bool is_there(const struct search *search, const char *path)
{
    struct trace_header header;
    const int fd = run_trace_open(search->run, AT_FDCWD, path, O_RDONLY, &header);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0 || fd == -EACCES;
}

static const char *remedy_of(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
        return "allow more open files (ulimit -n)";
    case EFBIG:
        return "allow larger files (ulimit -f)";
    case ENOSPC:
    case EDQUOT:
        return "make room, or choose another folder with -o";
    case ENOMEM:
        return "allow more memory (ulimit -v)";
    default:
        return "choose a folder with -o that all processes of the run can write to";
    }
}

static void take_process(struct search *search, const struct journal_entry *entry)
{
    char key[16];
    (void)snprintf(key, sizeof key, "%u", entry->pid);
    (void)remember(&search->programs, key, entry->text, true);
    search->blind.any_process = true;
}

static void take_runtime(struct search *search, const struct journal_entry *entry)
{
    const char *words = trace_words_python(entry->number);
    add_spot(search, program_of(search, entry->pid),
             format("Python %.*s %s", (int)strcspn(entry->text, " "), entry->text,
                    words ? words : "is not seen"),
             format("run it with a usual build of CPython 3.8 to 3.15"), false);
}

static void take_entry(const struct journal_entry *entry, void *data)
{
    struct search *search = data;
    const char *program = program_of(search, entry->pid);
    const char *words = NULL;
    switch (entry->kind) {
    case JOURNAL_PROCESS:
        take_process(search, entry);
        break;
    case JOURNAL_MODULE:
        (void)remember(&search->modules, entry->text, program, false);
        break;
    case JOURNAL_EXEC:
        (void)remember(&search->executed, entry->text, program, false);
        break;
    case JOURNAL_TRACE:
        if (!is_there(search, entry->text))
            add_spot(search, program, format("its trace was removed or overwritten while it ran"),
                     format("keep %s until the run has ended", entry->text), false);
        break;
    case JOURNAL_NO_TRACE:
        add_spot(search, program,
                 format("no trace could be written: %s", strerror((int)entry->number)),
                 format("%s", remedy_of((int)entry->number)), false);
        break;
    case JOURNAL_UNPATCHED:
        words = trace_words_patch((enum trace_patch)entry->number);
        add_spot(search, program,
                 format("calls of %s inside the program are not seen: %s", entry->text,
                        words ? words : "its entry cannot be patched"),
                 format("build it as a shared library of its own, or use unclosed.h"), false);
        break;
    case JOURNAL_RUNTIME:
        take_runtime(search, entry);
        break;
    }
}

// Whether the entry of one of SQLite's functions for opening in this file is patched.
static bool is_patched(const struct run *run, const char *path)
{
    return run->patches && (patches_has(run->patches, path, "sqlite3_open_v2") ||
                            patches_has(run->patches, path, "sqlite3_open"));
}

// SQLite is inside, and only a patch would let its calls be seen.
static void judge_hidden(struct search *search, const struct known *module)
{
    const struct run *run = search->run;
    const char *reason = NULL;
    if (run->patches)
        reason = patches_reason(run->patches, module->key, "sqlite3_open_v2");
    if (run->patches && !reason)
        reason = patches_reason(run->patches, module->key, "sqlite3_open");
    if (reason)
        add_spot(search, module->value,
                 format("SQLite is inside %s and cannot be hooked: %s", module->key, reason),
                 format("link it with libsqlite3.so"), false);
    else
        add_spot(
            search, module->value,
            format("SQLite is inside %s, where no table of the loader leads to it", module->key),
            run->no_patch ? format("leave out --no-patch")
                          : format("run it with --patch-in %s", module->key),
            false);
}

static void judge_module(struct search *search, const struct known *module)
{
    const char *driver = driver_not_traced(module->key);
    if (driver)
        add_spot(search, module->value,
                 format("%s is loaded, a driver of %s that is not traced", module->key, driver),
                 format("describe its functions with --pool if sessions of it matter"), true);
    if (strcmp(module->key, search->run->library) == 0 || is_patched(search->run, module->key))
        return;
    switch (driver_sqlite(module->key)) {
    case DRIVER_SQLITE_HIDDEN:
        judge_hidden(search, module);
        break;
    case DRIVER_SQLITE_CLONED:
        add_spot(search, module->value,
                 format("SQLite is inside %s, where the compiler has left only copies of its "
                        "functions with other arguments",
                        module->key),
                 format("link it with libsqlite3.so"), false);
        break;
    case DRIVER_SQLITE_STRIPPED:
        add_spot(search, module->value,
                 format("SQLite is inside %s, which has no symbols that say where", module->key),
                 format("use a build that is not stripped, or that is linked with libsqlite3.so"),
                 false);
        break;
    case DRIVER_SQLITE_EXPORTED:
    case DRIVER_SQLITE_NONE:
        break;
    }
}

// A program that was executed: one that the recorder could not be in is blind if it has a driver.
static void judge_executed(struct search *search, const struct known *executed)
{
    char path[PATH_MAX], program[PATH_MAX];
    struct known *traced = NULL;
    if (!run_find_program(executed->key, path))
        return;
    if (!realpath(path, program))
        return;
    HASH_FIND_STR(search->modules, program, traced);
    const char *reason = traced ? NULL : run_check_program(program);
    const char *driver = reason ? driver_inside(program) : NULL;
    if (driver)
        add_spot(
            search, program, format("%s is inside it, and %s", driver, reason),
            format("trace a build of it that is linked dynamically for this machine, or attach "
                   "to it while it runs"),
            false);
}

// Where a function is, in whichever file of the run hooks get at it best.
static enum symbol_place find_asked(const struct search *search, const char *name, bool deep,
                                    char best_detail[SYMBOL_DETAIL_BYTES])
{
    char detail[SYMBOL_DETAIL_BYTES];
    enum symbol_place best = SYMBOL_NOWHERE;
    const struct known *at = NULL, *next = NULL;
    HASH_ITER (hh, search->modules, at, next) {
        enum symbol_place place = symbol_find(at->key, name, deep, detail);
        if (place == SYMBOL_LOCAL && search->run->patches &&
            patches_has(search->run->patches, at->key, name))
            place = SYMBOL_DYNAMIC; // its entry is patched, or the journal says why not
        if (place > best) {
            best = place;
            memcpy(best_detail, detail, sizeof detail);
        }
    }
    return best;
}

// An acquire that --pool names. Debugging information is read only if no symbol table has it.
static void judge_asked(struct search *search, const struct spec *spec)
{
    char best_detail[SYMBOL_DETAIL_BYTES] = "";
    enum symbol_place best = find_asked(search, spec->function, false, best_detail);
    if (best == SYMBOL_NOWHERE)
        best = find_asked(search, spec->function, true, best_detail);
    const char *program = search->run->command[0];
    const char *name = spec->function;
    if (best == SYMBOL_INLINED)
        add_spot(search, program,
                 format("%s, which --pool names, is inlined in %s", name, best_detail),
                 format("mark it __attribute__((noipa)), or use unclosed.h"), false);
    else if (best == SYMBOL_CLONED)
        add_spot(search, program,
                 format("of %s, which --pool names, there is only %s", name, best_detail),
                 format("mark it __attribute__((noipa)), or use unclosed.h"), false);
    else if (best == SYMBOL_LOCAL)
        add_spot(search, program, format("%s, which --pool names, is not hooked", name),
                 search->run->no_patch
                     ? format("leave out --no-patch")
                     : format("name the file that has it with --patch-in, or use unclosed.h"),
                 false);
    else if (best == SYMBOL_NOWHERE)
        add_spot(search, program, format("%s, which --pool names, is nowhere in it", name),
                 format("is the name right? In a stripped program functions cannot be found"),
                 false);
}

static void judge_all_asked(struct search *search)
{
    struct spec *asked = calloc(SPECS_CAPACITY, sizeof *asked);
    struct spec_error error;
    if (!asked)
        cli_no_memory();
    const int count =
        spec_parse(search->run->table.options.pools, NULL, asked, SPECS_CAPACITY, &error);
    for (int i = 0; i < count && i < SPECS_CAPACITY && search->blind.any_process; i++)
        if (asked[i].verb == TRACE_ACQUIRE && !asked[i].python)
            judge_asked(search, &asked[i]);
    free(asked);
}

static void judge_command(struct search *search)
{
    char path[PATH_MAX];
    const char *driver = NULL;
    if (!search->run->reason || !run_find_program(search->run->command[0], path))
        return;
    driver = driver_inside(path);
    if (driver || !search->run->traced)
        add_spot(search, path,
                 driver ? format("%s is inside it, and %s", driver, search->run->reason)
                        : format("%s", search->run->reason),
                 format("run a build of it that the recorder can be preloaded into"), false);
}

struct blind blind_find(const struct run *run)
{
    struct search search = {.run = run};
    struct known *at = NULL, *next = NULL;
    const size_t unread = journal_read(run->journal, take_entry, &search);
    if (unread > 0)
        add_spot(&search, "", format("the journal of the run is too long: not all of it was read"),
                 format("run fewer processes at a time"), false);
    judge_command(&search);
    HASH_ITER (hh, search.modules, at, next)
        judge_module(&search, at);
    HASH_ITER (hh, search.executed, at, next)
        judge_executed(&search, at);
    judge_all_asked(&search);
    forget(&search.programs);
    forget(&search.modules);
    forget(&search.executed);
    return search.blind;
}

void blind_free(struct blind *blind)
{
    for (size_t i = 0; i < blind->count; i++) {
        free(blind->spots[i].program);
        free(blind->spots[i].reason);
        free(blind->spots[i].remedy);
    }
    free(blind->spots);
    *blind = (struct blind){0};
}

size_t blind_count(const struct blind *blind)
{
    size_t count = 0;
    for (size_t i = 0; i < blind->count; i++)
        count += !blind->spots[i].warning;
    return count;
}

struct profile_blind *blind_spots(const struct blind *blind)
{
    struct profile_blind *spots = calloc(blind->count + 1, sizeof *spots);
    size_t count = 0;
    if (!spots)
        cli_no_memory();
    for (size_t i = 0; i < blind->count; i++) {
        const struct blind_spot *spot = &blind->spots[i];
        if (!spot->warning)
            spots[count++] = (struct profile_blind){spot->program, spot->reason, spot->remedy};
    }
    return spots;
}

void blind_print(const struct blind *blind)
{
    for (size_t i = 0; i < blind->count; i++) {
        const struct blind_spot *spot = &blind->spots[i];
        char times[32] = "";
        if (spot->processes > 1)
            (void)snprintf(times, sizeof times, " (%u processes)", spot->processes);
        cli_message("%s: %s%s%s%s; %s", spot->warning ? "warning" : "not seen", spot->program,
                    *spot->program ? ": " : "", spot->reason, times, spot->remedy);
    }
}
