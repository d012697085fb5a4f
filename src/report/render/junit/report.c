// The report as JUnit XML: a suite of its own, or added to the file of the tests' runner.
//
// A test that leaked fails, with its leaks in the text; what was not seen is an error. Made with
// libxml2, which escapes; characters that XML forbids are taken out before.
// Source: Jenkins' schema (jenkinsci/xunit-plugin, junit-10.xsd), which pytest's "xunit2" follows.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "report/render/json/values.h"
#include "report/render/junit/cases.h"
#include "report/render/plain.h"
#include "report/render/tallies.h"

struct junit {
    const struct profile *profile;
    xmlNode *suite; // ours
    unsigned tests, failures, errors;
};

// Clean text is valid XML but for U+FFFE and U+FFFF (XML 1.0, "Char"). In place.
static const xmlChar *text_of_xml(char *text)
{
    for (char *at = text; (at = strstr(at, "\xef\xbf")); at++)
        if (at[2] == '\xbe' || at[2] == '\xbf')
            memcpy(at, "???", 3);
    return (const xmlChar *)text;
}

static void set(struct junit *junit, xmlNode *node, const char *name, const char *value)
{
    if (!xmlSetProp(node, (const xmlChar *)name,
                    text_of_xml(plain_text(junit->profile->arena, value, 0))))
        memory_exhausted();
}

static void set_number(struct junit *junit, xmlNode *node, const char *name, uint64_t number)
{
    set(junit, node, name, arena_format(junit->profile->arena, "%" PRIu64, number));
}

static xmlNode *add(xmlNode *parent, const char *name, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    xmlNode *node =
        xmlNewTextChild(parent, NULL, (const xmlChar *)name, copy ? text_of_xml(copy) : NULL);
    free(copy);
    if (!node)
        memory_exhausted();
    return node;
}

static xmlNode *add_case(struct junit *junit, const char *classname, const char *name)
{
    xmlNode *node = add(junit->suite, "testcase", NULL);
    set(junit, node, "classname", classname);
    set(junit, node, "name", name);
    set(junit, node, "time", "0.000");
    junit->tests++;
    return node;
}

static void add_failure(struct junit *junit, xmlNode *test, const struct junit_case *found)
{
    char *text = junit_case_text(junit->profile, found);
    xmlNode *failure = add(test, "failure", text);
    free(text);
    const enum finding finding = finding_of(&found->leaks.item[0].site->tally);
    set(junit, failure, "type",
        arena_format(junit->profile->arena, "unclosed.%s", finding_words[finding].name));
    set(junit, failure, "message", junit_case_message(junit->profile->arena, found));
}

static void add_blind(struct junit *junit)
{
    const struct profile *profile = junit->profile;
    xmlNode *test = profile->blind.count > 0 ? add_case(junit, "unclosed", "not-seen") : NULL;
    for (size_t i = 0; i < profile->blind.count; i++) {
        const struct profile_blind *blind = profile->blind.item[i];
        const char *text =
            plain_text(profile->arena,
                       arena_format(profile->arena, "%s%s%s; %s", blind->program,
                                    *blind->program ? ": " : "", blind->reason, blind->remedy),
                       0);
        xmlNode *error = add(test, "error", text);
        set(junit, error, "type", "unclosed.not-seen");
        set(junit, error, "message", "sessions may have gone unseen");
    }
    junit->errors += profile->blind.count > 0;
}

// Totals by kind.
static void add_properties(struct junit *junit)
{
    xmlNode *properties = add(junit->suite, "properties", NULL);
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++) {
        const struct profile_tally *tally = &junit->profile->totals[kind];
        const char *name = profile_kind_name((enum trace_kind)kind);
        for (int which = 0; which < 2; which++) {
            xmlNode *property = add(properties, "property", NULL);
            set(junit, property, "name",
                arena_format(junit->profile->arena, "unclosed.%ss.%s", name,
                             which ? "never_closed" : "opened"));
            set_number(junit, property, "value", which ? tally->never_closed : tally->opened);
        }
    }
}

static void begin_suite(struct junit *junit, xmlNode *parent)
{
    const struct profile *profile = junit->profile;
    junit->suite = add(parent, "testsuite", NULL);
    set(junit, junit->suite, "name", "unclosed");
    if (profile->processes.count > 0) {
        const char *time = json_time_text(profile->arena, profile->processes.item[0], 0);
        set(junit, junit->suite, "timestamp",
            arena_text_part(profile->arena, time, strcspn(time, ".")));
    }
    add_properties(junit);
}

static void end_suite(struct junit *junit)
{
    add_blind(junit);
    if (junit->tests == 0) // some take an empty suite for a mistake
        add_case(junit, "unclosed", "sessions");
    set_number(junit, junit->suite, "tests", junit->tests);
    set_number(junit, junit->suite, "failures", junit->failures);
    set_number(junit, junit->suite, "errors", junit->errors);
    set(junit, junit->suite, "skipped", "0");
    set(junit, junit->suite, "time", "0.000");
}

void junit_report(const struct profile *profile, const struct render_options *options, FILE *out)
{
    struct junit junit = {.profile = profile};
    struct junit_cases cases = junit_cases_of(profile);
    (void)options; // all are listed: who is not fails not
    xmlDoc *document = xmlNewDoc((const xmlChar *)"1.0");
    xmlNode *root = document ? xmlNewNode(NULL, (const xmlChar *)"testsuites") : NULL;
    if (!root)
        memory_exhausted();
    xmlDocSetRootElement(document, root);
    begin_suite(&junit, root);
    for (size_t i = 0; i < cases.list.count; i++) {
        const struct junit_case *found = cases.list.item[i];
        add_failure(&junit, add_case(&junit, found->classname, found->name), found);
        junit.failures++;
    }
    end_suite(&junit);
    xmlChar *text = NULL;
    int bytes = 0;
    xmlDocDumpFormatMemoryEnc(document, &text, &bytes, "UTF-8", 1);
    if (!text)
        memory_exhausted();
    fwrite(text, 1, (size_t)bytes, out);
    xmlFree(text);
    xmlFreeDoc(document);
    junit_cases_free(&cases);
}

static bool is_element(const xmlNode *node, const char *name)
{
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

// Keys as those of find_case: class, newline, name.
static const char *key_of(struct arena *arena, xmlNode *test)
{
    xmlChar *classname = xmlGetProp(test, (const xmlChar *)"classname");
    xmlChar *name = xmlGetProp(test, (const xmlChar *)"name");
    const char *key = arena_format(arena, "%s\n%s", classname ? (const char *)classname : "",
                                   name ? (const char *)name : "");
    xmlFree(classname);
    xmlFree(name);
    return key;
}

// The element that comes after `node` in the document, below `root`; NULL: there is none.
static xmlNode *next_element(const xmlNode *root, xmlNode *node)
{
    xmlNode *child = node->type == XML_ELEMENT_NODE ? node->children : NULL;
    if (child)
        return child;
    while (node != root && !node->next)
        node = node->parent;
    return node == root ? NULL : node->next;
}

static void index_cases(struct arena *arena, xmlNode *root, struct map *tests)
{
    for (xmlNode *node = root; node; node = next_element(root, node)) {
        if (!is_element(node, "testcase"))
            continue;
        const char *key = key_of(arena, node);
        if (!map_get_text(tests, key))
            map_add_text(arena, tests, key, node);
    }
}

// One more failure in the suites around a test, if the test had none.
static void count_failure(struct junit *junit, xmlNode *test)
{
    for (xmlNode *child = test->children; child; child = child->next)
        if (is_element(child, "failure") || is_element(child, "error"))
            return;
    for (xmlNode *suite = test->parent; suite && suite->type == XML_ELEMENT_NODE;
         suite = suite->parent) {
        xmlChar *number = xmlGetProp(suite, (const xmlChar *)"failures");
        if (number)
            set_number(junit, suite, "failures", strtoull((const char *)number, NULL, 10) + 1);
        xmlFree(number);
    }
}

// What has no test there gets a suite of ours.
static void merge(struct junit *junit, xmlNode *root)
{
    struct arena *arena = junit->profile->arena;
    struct junit_cases cases = junit_cases_of(junit->profile);
    struct map tests = {0};
    index_cases(arena, root, &tests);
    begin_suite(junit, root);
    for (size_t i = 0; i < cases.list.count; i++) {
        const struct junit_case *found = cases.list.item[i];
        xmlNode *test =
            map_get_text(&tests, arena_format(arena, "%s\n%s", found->classname, found->name));
        if (test) {
            count_failure(junit, test);
        } else {
            test = add_case(junit, found->classname, found->name);
            junit->failures++;
        }
        add_failure(junit, test, found);
    }
    end_suite(junit);
    map_clear(&tests);
    junit_cases_free(&cases);
}

// Replaces the file only when the new one is complete.
static const char *save(struct arena *arena, xmlDoc *document, const char *path)
{
    const char *other = arena_format(arena, "%s.unclosed", path);
    FILE *out = fopen(other, "wex"); // never through what somebody left there
    if (!out)
        return strerror(errno);
    const bool failed = xmlDocFormatDump(out, document, 0) < 0 || ferror(out);
    if (fclose(out) == 0 && !failed && rename(other, path) == 0)
        return NULL;
    const char *why = strerror(errno);
    (void)remove(other);
    return why;
}

const char *junit_merge(const struct profile *profile, const struct render_options *options,
                        const char *path)
{
    struct junit junit = {.profile = profile};
    (void)options;
    // No network, no entities, no messages: what the runner wrote may hold anything.
    xmlDoc *document =
        xmlReadFile(path, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlNode *root = document ? xmlDocGetRootElement(document) : NULL;
    const char *fault = NULL;
    if (!root)
        fault = "it is no XML file that a test runner wrote";
    else if (!is_element(root, "testsuites") && !is_element(root, "testsuite"))
        fault = "it is XML, but not JUnit's: expected <testsuites> or <testsuite>";
    else
        merge(&junit, root);
    if (!fault)
        fault = save(profile->arena, document, path);
    xmlFreeDoc(document);
    return fault;
}
