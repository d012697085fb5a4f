// What leaked, by test: see cases.h.
//
// pytest's names: src/_pytest/junitxml.py, mangle_test_address. The module's path with dots for
// slashes and without ".py", the classes, and the function with its parameters.
#include "report/render/junit/cases.h"

#include <inttypes.h>
#include <stdlib.h>

#include "report/code/owners.h"
#include "report/render/plain.h"
#include "report/render/tallies.h"

enum { CALLERS_SHOWN = 8 };

struct name {
    const char *class_name, *name;
};

// "a/b/test_c.py" as "a.b.test_c".
static const char *dotted(struct arena *arena, const char *path, size_t bytes)
{
    char *text = arena_text_part(arena, path, bytes);
    for (char *at = text; *at; at++)
        if (*at == '/')
            *at = '.';
    const size_t length = strlen(text);
    if (length > 3 && strcmp(text + length - 3, ".py") == 0)
        text[length - 3] = '\0';
    return text;
}

// test: "a/test_b.py::Class::test_c[p::q]" of pytest, "test_b.Class.test_c" of unittest.
static struct name name_of_test(struct arena *arena, const char *test)
{
    const char *parameters = test + strcspn(test, "[");
    const char *last = NULL, *first = NULL;
    for (const char *at = test; at + 1 < parameters; at++)
        if (at[0] == ':' && at[1] == ':') {
            first = first ? first : at;
            last = at++;
        }
    if (!last) {
        const char *dot = memrchr(test, '.', (size_t)(parameters - test));
        if (!dot)
            return (struct name){"", test};
        return (struct name){arena_text_part(arena, test, (size_t)(dot - test)), dot + 1};
    }
    const char *class_name = dotted(arena, test, (size_t)(first - test));
    for (const char *at = first; at < last;) {
        const char *next = strstr(at + 2, "::");
        class_name = arena_format(arena, "%s.%.*s", class_name, (int)(next - at - 2), at + 2);
        at = next;
    }
    return (struct name){class_name, last + 2};
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), part = strlen(end);
    return length >= part && strcmp(text + length - part, end) == 0;
}

// The function of a fixture of pytest that a stack is below, or NULL: it is what has to be mended,
// whichever test asked for it first.
static const struct frame *fixture_of(const struct frames *stack)
{
    for (size_t i = 1; stack && i < stack->count; i++) {
        const struct frame *caller = &stack->frame[i];
        if (caller->runtime && caller->file && caller->function &&
            ends_with(caller->file, "/_pytest/fixtures.py") &&
            strstr(caller->function, "call_fixture_func") && stack->frame[i - 1].function)
            return &stack->frame[i - 1];
    }
    return NULL;
}

static struct junit_case *find_case(const struct profile *profile, struct junit_cases *cases,
                                    struct name name)
{
    struct arena *arena = profile->arena;
    const char *key = arena_format(arena, "%s\n%s", name.class_name, name.name);
    struct junit_case *found = map_get_text(&cases->by_name, key);
    if (found)
        return found;
    found = arena_take(arena, sizeof *found);
    found->classname = plain_text(arena, name.class_name, 0);
    found->name = plain_text(arena, name.name, 0);
    map_add_text(arena, &cases->by_name, key, found);
    *LIST_ADD(arena, &cases->list) = found;
    return found;
}

static void add_leak(const struct profile *profile, struct junit_cases *cases, struct name name,
                     const struct profile_site *site, uint64_t never_closed)
{
    if (never_closed > 0)
        *LIST_ADD(profile->arena, &find_case(profile, cases, name)->leaks) =
            (struct junit_leak){site, never_closed};
}

static bool any_test(const struct profile *profile)
{
    for (size_t i = 0; i < profile->processes.count; i++)
        if (profile->processes.item[i]->has_tests)
            return true;
    return false;
}

// A process that is itself the test (as under ctest), where no other tests are known.
static struct name name_of_process(const struct profile *profile,
                                   const struct profile_untested *untested, bool tests)
{
    if (tests)
        return (struct name){"unclosed", "outside-tests"};
    return (struct name){plain_program(untested->process),
                         profile_process_as_test(profile->arena, untested->process)};
}

static void add_site(const struct profile *profile, struct junit_cases *cases,
                     const struct profile_site *site, bool tests)
{
    const struct frame *fixture = fixture_of(site->stack);
    if (fixture) {
        const char *file = fixture->file ? fixture->file : "";
        file = owners_relative_path(file, site->process->header->directory);
        file += strspn(file, "/");
        const struct name name = {dotted(profile->arena, file, strlen(file)),
                                  arena_format(profile->arena, "fixture %s", fixture->function)};
        add_leak(profile, cases, name, site, site->tally.never_closed);
        return;
    }
    for (size_t i = 0; i < site->by_test.count; i++)
        add_leak(profile, cases, name_of_test(profile->arena, site->by_test.item[i].name), site,
                 site->by_test.item[i].never_closed);
    for (size_t i = 0; i < site->untested.count; i++)
        add_leak(profile, cases, name_of_process(profile, &site->untested.item[i], tests), site,
                 site->untested.item[i].never_closed);
}

struct junit_cases junit_cases_of(const struct profile *profile)
{
    struct junit_cases cases = {0};
    const bool tests = any_test(profile);
    for (size_t i = 0; i < profile->sites.count; i++)
        add_site(profile, &cases, profile->sites.item[i], tests);
    return cases;
}

void junit_cases_free(struct junit_cases *cases)
{
    map_clear(&cases->by_name);
}

const char *junit_case_message(struct arena *arena, const struct junit_case *found)
{
    uint64_t numbers[TRACE_KINDS] = {0};
    const char *text = "";
    for (size_t i = 0; i < found->leaks.count; i++)
        numbers[found->leaks.item[i].site->kind] += found->leaks.item[i].never_closed;
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++)
        if (numbers[kind] > 0)
            text = arena_format(arena, "%s%s%" PRIu64 " %s%s", text, *text ? ", " : "",
                                numbers[kind], profile_kind_name((enum trace_kind)kind),
                                numbers[kind] == 1 ? "" : "s");
    return arena_format(arena, "%s never closed", text);
}

static void print_frames(const struct profile *profile, const struct profile_site *site, FILE *out)
{
    const char *directory = site->process->header->directory;
    int shown = 0;
    for (size_t i = 0; site->stack && i < site->stack->count && shown < CALLERS_SHOWN; i++) {
        const struct frame *frame = &site->stack->frame[i];
        if (frame->owner != FRAME_USER || frame == site->name)
            continue;
        fputs(shown++ == 0 ? "    stack: " : "           ", out);
        plain_print(plain_place(profile->arena, frame, directory), NULL, out);
        putc(' ', out);
        plain_print(plain_function(frame), NULL, out);
        putc('\n', out);
    }
}

static void print_leak(const struct profile *profile, const struct junit_leak *leak, FILE *out)
{
    const struct profile_site *site = leak->site;
    const char *directory = site->process->header->directory;
    const char *pattern = profile_pattern(site);
    fprintf(out, "%" PRIu64 " %s%s never closed (%s%s%s), opened at ", leak->never_closed,
            profile_kind_name(site->kind), leak->never_closed == 1 ? "" : "s",
            finding_words[finding_of(&site->tally)].title, *pattern ? "; " : "", pattern);
    plain_print(site->name ? plain_place(profile->arena, site->name, directory) : "(no backtrace)",
                NULL, out);
    putc(' ', out);
    plain_print(plain_function(site->name), NULL, out);
    putc('\n', out);
    const char *code = profile_code(profile, site->name, directory);
    if (*code) {
        fputs("    ", out);
        plain_print(code, NULL, out);
        putc('\n', out);
    }
    print_frames(profile, site, out);
}

char *junit_case_text(const struct profile *profile, const struct junit_case *found)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    for (size_t i = 0; out && i < found->leaks.count; i++)
        print_leak(profile, &found->leaks.item[i], out);
    if (!out || fclose(out) != 0)
        memory_exhausted();
    return text;
}
