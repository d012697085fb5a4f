// Comparing two recordings of any kind: see diff.h.
#include "report/diff.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/code/source_root.h"
#include "report/compare/compare.h"
#include "report/profile/reading.h"
#include "report/render/changes.h"
#include "report/render/text/clean_stream.h"
#include "report/report.h"
#include "shared/clean.h"

struct side {
    struct entries entries;
    struct profile *profile; // that the entries are of; NULL: a file of JSON
    struct arena *arena;
    unsigned problems;
};

bool diff_has_format(const char *name)
{
    return strcmp(name, "text") == 0 || strcmp(name, "json") == 0;
}

static void complain(void *data, const char *message)
{
    struct side *side = data;
    char *line = arena_text(side->arena, message);
    clean_text(line);
    fprintf(stderr, "unclosed: %s\n", line);
    side->problems++;
}

// Whether a regular file begins like an object of JSON.
static bool is_json(const char *path)
{
    char begin[64];
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    ssize_t length =
        fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? pread(fd, begin, sizeof begin, 0) : -1;
    (void)close(fd);
    ssize_t at = 0;
    while (at < length && isspace((unsigned char)begin[at]))
        at++;
    return at < length && begin[at] == '{';
}

static bool read_traces(struct side *side, const char *name)
{
    struct trace_sources sources = {.arena = side->arena};
    unsigned traces = 0;
    trace_sources_add(&sources, name, false);
    for (size_t i = 0; i < sources.problems.count; i++)
        complain(side, sources.problems.item[i]);
    const struct reading reading = {.sources = &sources, .complain = complain, .data = side};
    side->profile = reading_profile(&reading, &traces);
    if (traces == 0)
        return false;
    side->entries = entries_of_profile(side->profile, source_root(side->profile->arena));
    return true;
}

static bool read_side(struct side *side, const char *name)
{
    const char *fault = NULL;
    side->arena = arena_new();
    if (!is_json(name)) {
        bool read = read_traces(side, name);
        side->entries.source = arena_text(side->arena, name);
        return read;
    }
    side->entries = entries_of_json(side->arena, name, &fault);
    if (fault)
        complain(side, arena_format(side->arena, "%s: %s", name, fault));
    return !fault;
}

static void free_side(struct side *side)
{
    profile_free(side->profile);
    arena_free(side->arena);
}

static int print(const struct diff_request *request, struct side sides[2], FILE *out,
                 struct diff_outcome *outcome)
{
    struct arena *arena = sides[1].arena;
    const bool json = request->format && strcmp(request->format, "json") == 0;
    const struct comparison *found = compare(arena, &sides[0].entries, &sides[1].entries);
    *outcome = (struct diff_outcome){
        .new_sites = found->count[PROFILE_NEW],
        .worse = found->count[PROFILE_WORSE],
        .better = found->count[PROFILE_BETTER],
        .gone = found->count[PROFILE_GONE],
        .known = found->count[PROFILE_KNOWN],
        .blind = sides[0].entries.blind + sides[1].entries.blind,
    };
    clean_stream_for_people(out, !json);
    if (json)
        json_diff(found, out);
    else
        text_diff(arena, found, request->limit, out);
    if (fflush(out) == 0 && !ferror(out))
        return 0;
    complain(&sides[1], "the comparison cannot be written (is the disk full?)");
    return REPORT_FAILURE;
}

int diff_print(const struct diff_request *request, FILE *out, struct diff_outcome *outcome)
{
    struct side sides[2] = {{.profile = NULL}, {.profile = NULL}};
    // Both, so that all that is wrong is said at once.
    bool read = read_side(&sides[0], request->before);
    read &= read_side(&sides[1], request->after);
    const int result = read ? print(request, sides, out, outcome) : REPORT_FAILURE;
    free_side(&sides[0]);
    free_side(&sides[1]);
    return result;
}
