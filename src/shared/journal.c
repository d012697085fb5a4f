// The lines of a journal: see journal.h.
#include "shared/journal.h"

#include <errno.h>
#include <string.h>

static char *put_number(char *at, uint32_t number, char behind)
{
    char digits[12];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0)
        *at++ = digits[--count];
    *at++ = behind;
    return at;
}

size_t journal_line(enum journal_kind kind, uint32_t pid, uint32_t number, const char *text,
                    char line[JOURNAL_LINE_BYTES])
{
    char *at = line;
    *at++ = (char)kind;
    *at++ = ' ';
    at = put_number(at, pid, ' ');
    at = put_number(at, number, ' ');
    for (size_t i = 0; i + 1 < JOURNAL_TEXT_BYTES && text[i]; i++)
        *at++ = (char)((unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i]);
    *at++ = '\n';
    return (size_t)(at - line);
}

bool journal_link(const char *journal, enum journal_kind kind, uint32_t pid,
                  char name[JOURNAL_LINK_BYTES])
{
    const size_t length = strlen(journal);
    if (length >= JOURNAL_TEXT_BYTES)
        return false;
    memcpy(name, journal, length);
    char *at = name + length;
    *at++ = '.';
    at = put_number(at, pid, '.');
    *at++ = (char)kind;
    *at = '\0';
    return true;
}

// The decimal number at *at and the blank behind it.
static bool take_number(const char **at, const char *end, uint32_t *number)
{
    const char *from = *at;
    uint64_t value = 0;
    for (; *at < end && **at >= '0' && **at <= '9' && value <= UINT32_MAX; (*at)++)
        value = value * 10 + (uint64_t)(**at - '0');
    if (*at == from || *at == end || *(*at)++ != ' ' || value > UINT32_MAX)
        return false;
    *number = (uint32_t)value;
    return true;
}

int journal_parse(const char *line, size_t bytes, struct journal_entry *entry)
{
    static const char kinds[] = {JOURNAL_PROCESS,  JOURNAL_MODULE,    JOURNAL_EXEC,   JOURNAL_TRACE,
                                 JOURNAL_NO_TRACE, JOURNAL_UNPATCHED, JOURNAL_RUNTIME};
    const char *end = line + bytes;
    const char *at = line + 2;
    if (bytes < 2 || line[1] != ' ' || !memchr(kinds, line[0], sizeof kinds) ||
        !take_number(&at, end, &entry->pid) || !take_number(&at, end, &entry->number) ||
        end - at >= JOURNAL_TEXT_BYTES)
        return -EINVAL;
    entry->kind = (enum journal_kind)line[0];
    memcpy(entry->text, at, (size_t)(end - at));
    entry->text[end - at] = '\0';
    for (char *byte = entry->text; *byte; byte++)
        if ((unsigned char)*byte < ' ')
            *byte = '?';
    return strlen(entry->text) == (size_t)(end - at) ? 0 : -EINVAL;
}
