// Lines about sessions that are held too long: see hold_log.h.
#include "shared/hold_log.h"

#include <string.h>

#include "shared/clean.h"

static const uint64_t second_ns = 1000000000;
static const uint64_t minute_ns = 60000000000;

struct line {
    size_t used;
    char text[HOLD_LINE_BYTES];
};

// Names come from the traced program: nothing in them may drive a terminal or begin a line.
static void put(struct line *line, const char *text)
{
    size_t bytes = strlen(text);
    while (bytes > 0) {
        struct clean_piece piece = clean_next(text, bytes, CLEAN_ONE_LINE);
        size_t room = sizeof line->text - 1 - line->used;
        size_t part = piece.bytes < room ? piece.bytes : clean_fitting(piece.text, room);
        memcpy(line->text + line->used, piece.text, part);
        line->used += part;
        if (part < piece.bytes)
            break;
        text += piece.taken;
        bytes -= piece.taken;
    }
}

// At least `digits` digits.
static void put_number(struct line *line, uint64_t number, int digits)
{
    char text[24];
    size_t at = sizeof text;
    text[--at] = 0;
    for (; number > 0 || digits > 0; number /= 10, digits--)
        text[--at] = (char)('0' + number % 10);
    put(line, text + at);
}

// "120 ms", "30.0 s"
static void put_duration(struct line *line, uint64_t ns)
{
    if (ns < second_ns) {
        put_number(line, ns / 1000000, 1);
        put(line, " ms");
        return;
    }
    uint64_t tenths = (ns + second_ns / 20) / (second_ns / 10);
    put_number(line, tenths / 10, 1);
    put(line, ".");
    put_number(line, tenths % 10, 1);
    put(line, " s");
}

static bool is_leap(uint64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

// "2024-05-01T14:03:22.123Z"
static void put_time(struct line *line, uint64_t realtime_ns)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t seconds = realtime_ns / second_ns;
    uint64_t day = seconds / 86400;
    uint64_t year = 1970;
    for (; day >= 365u + is_leap(year); year++)
        day -= 365u + is_leap(year);
    unsigned month = 0;
    for (; day >= lengths[month] + (uint64_t)(month == 1 && is_leap(year)); month++)
        day -= lengths[month] + (uint64_t)(month == 1 && is_leap(year));
    const struct {
        uint64_t number;
        int digits;
        char after[2];
    } parts[] = {
        {year, 4, "-"},
        {month + 1, 2, "-"},
        {day + 1, 2, "T"},
        {seconds / 3600 % 24, 2, ":"},
        {seconds / 60 % 60, 2, ":"},
        {seconds % 60, 2, "."},
        {realtime_ns / 1000000 % 1000, 3, "Z"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        put_number(line, parts[i].number, parts[i].digits);
        put(line, parts[i].after);
    }
}

static void begin_line(struct line *line, uint64_t realtime_ns)
{
    line->used = 0;
    put(line, "unclosed: ");
    put_time(line, realtime_ns);
}

static bool write_line(struct hold_log *log, struct line *line, uint64_t now_ns)
{
    if (now_ns - log->minute_ns >= minute_ns) {
        log->minute_ns = now_ns;
        log->lines = 0;
    }
    line->text[line->used++] = '\n';
    if (!log->write(log->data, line->text, line->used))
        return false;
    log->lines++;
    return true;
}

static bool write_event(struct hold_log *log, const struct hold_event *event, uint64_t now_ns)
{
    static const char *const words[HOLD_WHATS] = {
        [HOLD_OVERDUE] = " still held after ",
        [HOLD_BACK] = " returned late, after ",
        [HOLD_RECLAIMED] = " was closed by the collector after ",
    };
    struct line line;
    begin_line(&line, event->realtime_ns);
    put(&line, " ");
    put(&line, event->program);
    put(&line, "[");
    put_number(&line, event->pid, 1);
    put(&line, "]: ");
    put(&line, event->kind);
    put(&line, words[event->what]);
    put(&line, event->held_at_least ? "more than " : "");
    put_duration(&line, event->held_ns);
    put(&line, ": ");
    put(&line, event->place);
    if (event->thread[0] || event->database[0]) {
        put(&line, " (");
        put(&line, event->thread[0] ? "thread " : "");
        put(&line, event->thread);
        put(&line, event->thread[0] && event->database[0] ? ", " : "");
        put(&line, event->database[0] ? "db " : "");
        put(&line, event->database);
        put(&line, ")");
    }
    return write_line(log, &line, now_ns);
}

static struct hold_site *site_of(struct hold_log *log, const struct hold_event *event)
{
    uint32_t i = 0;
    while (i < log->site_count && log->sites[i].site != event->site)
        i++;
    struct hold_site *site = &log->sites[i];
    if (i == log->site_count && i < HOLD_SITES) {
        log->site_count++;
        site->site = event->site;
        strncpy(site->place, event->place, sizeof site->place - 1);
    }
    return site;
}

void hold_log_event(struct hold_log *log, const struct hold_event *event, uint64_t now_ns)
{
    struct hold_site *site = site_of(log, event);
    bool minute_full = log->lines >= HOLD_LINES_A_MINUTE && now_ns - log->minute_ns < minute_ns;
    if (site->lines < HOLD_LINES_OF_SITE && !minute_full && write_event(log, event, now_ns)) {
        site->lines++;
        return;
    }
    site->more[event->what]++;
    if (log->pending_ns == 0)
        log->pending_ns = now_ns;
}

static bool write_more(struct hold_log *log, const uint32_t more[HOLD_WHATS], const char *place,
                       uint64_t now_ns, uint64_t realtime_ns)
{
    static const char *const words[HOLD_WHATS] = {
        [HOLD_OVERDUE] = " still held after ",
        [HOLD_BACK] = " returned late, after more than ",
        [HOLD_RECLAIMED] = " closed by the collector after more than ",
    };
    struct line line;
    begin_line(&line, realtime_ns);
    const char *before = " and ";
    for (int what = 0; what < HOLD_WHATS; what++) {
        if (more[what] == 0)
            continue;
        put(&line, before);
        put_number(&line, more[what], 1);
        put(&line, " more");
        put(&line, words[what]);
        put_duration(&line, log->threshold_ns);
        before = ", ";
    }
    put(&line, ": ");
    put(&line, place);
    return write_line(log, &line, now_ns);
}

static bool has_more(const uint32_t more[HOLD_WHATS])
{
    return more[HOLD_OVERDUE] + more[HOLD_BACK] + more[HOLD_RECLAIMED] > 0;
}

void hold_log_more(struct hold_log *log, bool all, uint64_t now_ns, uint64_t realtime_ns)
{
    enum { SITES_TOLD = 10 };
    if (log->pending_ns == 0 || (!all && now_ns - log->pending_ns < minute_ns))
        return;
    uint32_t others[HOLD_WHATS] = {0};
    uint32_t told = 0;
    for (uint32_t i = 0; i <= HOLD_SITES; i++) {
        struct hold_site *site = &log->sites[i];
        if (!has_more(site->more))
            continue;
        bool own = i < HOLD_SITES && told < SITES_TOLD &&
                   write_more(log, site->more, site->place, now_ns, realtime_ns);
        told += own;
        for (int what = 0; what < HOLD_WHATS; what++) {
            others[what] += own ? 0 : site->more[what];
            site->more[what] = 0;
        }
    }
    log->pending_ns = 0;
    if (has_more(others) && !write_more(log, others, "other sites", now_ns, realtime_ns)) {
        memcpy(log->sites[HOLD_SITES].more, others, sizeof others);
        log->pending_ns = now_ns;
    }
}
