// The recorder's own messages: see log.h. Knows nothing of sessions.
#include "recorder/core/log.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/core/confined.h"
#include "recorder/core/recorder.h"
#include "shared/clean.h"
#include "shared/line_out.h"

static struct stat standard_error;
static bool has_standard_error;
static bool only_ascii;

// Whether the environment asks for UTF-8, see locale(7). What the program has made of it is not
// asked: setlocale may be called later, or never.
static bool is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

void log_remember_surroundings(void)
{
    has_standard_error = fstat(STDERR_FILENO, &standard_error) == 0;
    only_ascii = !is_utf8();
}

static bool is_standard_error(void)
{
    struct stat now;
    return has_standard_error && fstat(STDERR_FILENO, &now) == 0 &&
           now.st_dev == standard_error.st_dev && now.st_ino == standard_error.st_ino;
}

static void close_own(const struct log *log)
{
    if (log->fd >= 0 && log->fd != STDERR_FILENO)
        (void)syscall(SYS_close, log->fd);
}

void log_open(struct log *log)
{
    log->used = 0;
    log->fd = -1;
    if (is_confined())
        return;
    log->fd = !recorder_options.log[0] && is_standard_error() ? STDERR_FILENO : -1;
    if (recorder_options.log[0])
        log->fd = line_out_open(recorder_options.log, true);
}

// What nobody reads is left out, and nothing more is written then.
static void flush(struct log *log)
{
    enum { PATIENCE_MS = 1000 };
    _Static_assert(LOG_BYTES <= PIPE_BUF, "see line_out");
    if (only_ascii)
        log->used = clean_to_ascii(log->text, log->used);
    if (log->fd >= 0 && log->used > 0 &&
        !line_out_wait(log->fd, log->text, log->used, PATIENCE_MS)) {
        close_own(log);
        log->fd = -1;
    }
    log->used = 0;
}

static void put(struct log *log, const char *text, size_t bytes)
{
    while (bytes > 0) {
        size_t room = sizeof log->text - log->used;
        size_t part = bytes < room ? bytes : room;
        memcpy(log->text + log->used, text, part);
        log->used += part;
        text += part;
        bytes -= part;
        if (log->used == sizeof log->text)
            flush(log);
    }
}

static void put_clean(struct log *log, const char *text, enum clean_lines lines)
{
    size_t bytes = strlen(text);
    while (bytes > 0) {
        struct clean_piece piece = clean_next(text, bytes, lines);
        put(log, piece.text, piece.bytes);
        text += piece.taken;
        bytes -= piece.taken;
    }
}

void log_text(struct log *log, const char *text)
{
    put_clean(log, text, CLEAN_LINES);
}

void log_name(struct log *log, const char *name)
{
    put_clean(log, name, CLEAN_ONE_LINE);
}

static void put_based(struct log *log, uint64_t number, unsigned base)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    put(log, digits + at, sizeof digits - at);
}

void log_number(struct log *log, uint64_t number)
{
    put_based(log, number, 10);
}

void log_hex(struct log *log, uint64_t number)
{
    log_text(log, "0x");
    put_based(log, number, 16);
}

void log_seconds(struct log *log, uint64_t ns)
{
    uint64_t tenths = (ns + 50000000) / 100000000;
    log_number(log, tenths / 10);
    log_text(log, ".");
    log_number(log, tenths % 10);
    log_text(log, " s");
}

void log_close(struct log *log)
{
    flush(log);
    close_own(log);
    log->fd = -1;
}

bool log_begin(struct log *log, const char *text)
{
    if (!recorder_options.verbose)
        return false;
    log_open(log);
    log_text(log, "unclosed[");
    log_number(log, (uint64_t)getpid());
    log_text(log, "]: ");
    log_text(log, text);
    return true;
}

void log_end(struct log *log)
{
    log_text(log, "\n");
    log_close(log);
}

bool log_line(const char *line, size_t bytes)
{
    static struct log log; // large; the caller has a lock
    log_open(&log);
    if (only_ascii && bytes <= sizeof log.text) {
        memcpy(log.text, line, bytes);
        line = log.text;
        bytes = clean_to_ascii(log.text, bytes);
    }
    bool written = line_out(log.fd, line, bytes);
    log_close(&log);
    return written;
}

void log_no_trace(const char *path, int error)
{
    struct log log;
    log_open(&log);
    log_text(&log, "unclosed: no trace file at ");
    log_name(&log, path);
    log_text(&log, ": ");
    const char *reason = strerrordesc_np(error);
    log_text(&log, reason ? reason : "unknown error");
    log_text(&log, "; name a folder that this process may write to with -o or UNCLOSED_OUTPUT\n");
    log_close(&log);
}
