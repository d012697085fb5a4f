// Python's `with connection:`, which many take for a close: told from the lines of code of a site.
#include <ctype.h>
#include <string.h>

#include "report/profile/profile.h"

enum { LINES_READ = 12, NAME_BYTES = 64 }; // after the one that opens

static const char *code_line(const struct profile *profile, const struct profile_site *site,
                             unsigned line)
{
    const struct frame *name = site->name;
    const char *text = code_text_line(profile->code, site->process->header->directory, name->file,
                                      name->line + line);
    return text ? text + strspn(text, " \t") : NULL;
}

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

// "with sqlite3.connect(path) as db:", "with connect(path):"; but closing() closes.
static bool opens_in_with(const char *line)
{
    return (begins_with(line, "with sqlite3.connect(") || begins_with(line, "with connect(")) &&
           !strstr(line, "closing(");
}

// The variable of "db = sqlite3.connect(path)"; false if the line is another one.
static bool assigned_name(const char *line, char name[NAME_BYTES])
{
    size_t length = 0;
    while (isalnum((unsigned char)line[length]) || line[length] == '_' || line[length] == '.')
        length++;
    const char *value = line + length + strspn(line + length, " ");
    if (length == 0 || length >= NAME_BYTES || *value++ != '=')
        return false;
    value += strspn(value, " ");
    if (!begins_with(value, "sqlite3.connect(") && !begins_with(value, "connect("))
        return false;
    memcpy(name, line, length);
    name[length] = 0;
    return true;
}

static bool is_with(const char *line, const char *name)
{
    size_t length = strlen(name);
    return begins_with(line, "with ") && strncmp(line + 5, name, length) == 0 &&
           line[5 + length] == ':';
}

bool profile_with_is_no_close(const struct profile *profile, const struct profile_site *site)
{
    if (site->kind != TRACE_HANDLE || site->tally.never_closed == 0 || !site->name ||
        !site->name->runtime || !site->name->file)
        return false;
    const char *line = code_line(profile, site, 0);
    char name[NAME_BYTES];
    if (!line || opens_in_with(line))
        return line != NULL;
    if (!assigned_name(line, name))
        return false;
    for (unsigned i = 1; i <= LINES_READ; i++) {
        line = code_line(profile, site, i);
        if (!line || begins_with(line, "def ")) // another function's
            return false;
        if (is_with(line, name))
            return true;
    }
    return false;
}
