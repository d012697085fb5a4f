// The option table and how values are written; see options.h.
#include "shared/options.h"

#include <signal.h>
#include <string.h>

#define FIELD(name) .offset = offsetof(struct options, name)

const struct option_entry option_table[] = {
    {.variable = "UNCLOSED_OUTPUT",
     .flag = "output",
     .letter = 'o',
     .kind = OPTION_PATH,
     FIELD(output),
     .standard = "unclosed.%e.%p.trace",
     .argument = "FILE",
     .help = "Write traces to FILE, in which %p is the process ID, %e the executable, %t the time "
             "in seconds and %h the host"},
    {.variable = "UNCLOSED_FORCE",
     .flag = "force",
     .letter = 'f',
     .kind = OPTION_BOOL,
     FIELD(force),
     .standard = "no",
     .set = "yes",
     .help = "Replace old traces that have the same name"},
    {.variable = "UNCLOSED_POOLS",
     .flag = "pool",
     .kind = OPTION_TEXTS,
     FIELD(pools),
     .argument = "SPEC",
     .help = "Also trace the functions that SPEC describes: the name of a shipped spec, a file, or "
             "the text itself; may be repeated"},
    {.variable = "UNCLOSED_THRESHOLD",
     .flag = "threshold",
     .kind = OPTION_DURATION,
     FIELD(threshold_ns),
     .standard = "0",
     .argument = "TIME",
     .help = "Report a session as soon as it has been held for TIME"},
    {.variable = "UNCLOSED_WAIT_THRESHOLD",
     .flag = "wait-threshold",
     .kind = OPTION_DURATION,
     FIELD(wait_threshold_ns),
     .standard = "10ms", // more than opening a local connection takes, less than a user notices
     .argument = "TIME",
     .help = "Count an acquire as a wait if it takes TIME or longer"},
    {.variable = "UNCLOSED_FOLLOW",
     .flag = "follow",
     .kind = OPTION_CHOICE,
     FIELD(follow),
     .choices = "all|fork|none",
     .standard = "all",
     .argument = "all|fork|none",
     .help = "Trace children too: all, only forked children that do not exec, or none"},
    {.variable = "UNCLOSED_LOG",
     .flag = "log",
     .kind = OPTION_PATH,
     FIELD(log),
     .argument = "FILE",
     .help = "Append the recorder's own messages to FILE instead of standard error"},
    {.variable = "UNCLOSED_VERBOSE",
     .flag = "verbose",
     .kind = OPTION_BOOL,
     FIELD(verbose),
     .standard = "no",
     .set = "yes",
     .help = "Log what the recorder does in each process: what it hooks, which interpreters it "
             "recognizes, what it cannot trace and why"},
    {.variable = "UNCLOSED_SIGNAL",
     .flag = "signal",
     .kind = OPTION_SIGNAL,
     FIELD(signal),
     .standard = "SIGUSR2",
     .argument = "NAME",
     .help = "Signal that makes a traced process print a summary, unless it uses that signal "
             "itself; 'none' for none"},
    {.variable = "UNCLOSED_PYTHON",
     .flag = "no-python",
     .kind = OPTION_BOOL,
     FIELD(python),
     .standard = "yes",
     .set = "no",
     .help = "Do not look into Python interpreters: no Python lines, no pools of Python libraries"},
    {.variable = "UNCLOSED_SQL",
     .flag = "sql",
     .kind = OPTION_CHOICE,
     FIELD(sql),
     .choices = "redacted|full",
     .standard = "redacted",
     .argument = "redacted|full",
     .help = "Write down statements with ? for each literal, or with their literals"},
    {.variable = "UNCLOSED_DEPTH",
     .flag = "depth",
     .kind = OPTION_INTEGER,
     FIELD(depth),
     .least = 1,
     .most = OPTIONS_DEPTH_LIMIT,
     .standard = "64",
     .argument = "N",
     .help = "Record at most N frames of each stack (1 to 128)"},
    {.variable = "UNCLOSED_PATCHES", .kind = OPTION_TEXTS, FIELD(patches)},
    {.variable = "UNCLOSED_RUN", .kind = OPTION_HEX, FIELD(run_id), .standard = "0"},
    {.variable = "UNCLOSED_WATCHED", .kind = OPTION_BOOL, FIELD(watched), .standard = "no"},
    {.variable = "UNCLOSED_TRACE_FD",
     .kind = OPTION_INTEGER,
     FIELD(trace_fd),
     .most = INT32_MAX,
     .standard = "0"},
    {.variable = "UNCLOSED_TRACE_NAME", .kind = OPTION_PATH, FIELD(trace_name)},
    {.variable = "UNCLOSED_ROOT",
     .kind = OPTION_INTEGER,
     FIELD(root),
     .most = INT32_MAX,
     .standard = "0"},
    {.variable = "UNCLOSED_FALLBACK", .kind = OPTION_PATH, FIELD(fallback)},
    {.variable = "UNCLOSED_JOURNAL", .kind = OPTION_PATH, FIELD(journal)},
};
const size_t option_count = sizeof option_table / sizeof option_table[0];

// The signals that a program may reasonably be sent for this; the rest by number.
static const struct signal_name {
    char name[8];
    int number;
} signal_names[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT}, {"USR1", SIGUSR1},
    {"USR2", SIGUSR2}, {"PIPE", SIGPIPE},     {"ALRM", SIGALRM}, {"TERM", SIGTERM},
    {"URG", SIGURG},   {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH},
    {"IO", SIGIO},     {"PWR", SIGPWR},       {"CONT", SIGCONT}, {"XCPU", SIGXCPU},
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

// The decimal number at *text, which is moved behind it; false: none, or above `most`.
static bool take_number(const char **text, uint64_t most, uint64_t *value)
{
    if (!is_digit(**text))
        return false;
    *value = 0;
    for (; is_digit(**text); (*text)++) {
        uint64_t digit = (uint64_t)(**text - '0');
        if (*value > (most - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return true;
}

bool option_duration(const char *text, uint64_t *ns)
{
    static const struct unit {
        char name[4];
        uint64_t ns;
    } units[] = {
        {"ns", 1},         {"us", 1000},       {"ms", 1000000},
        {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000},
    };
    const uint64_t most = INT64_MAX;
    uint64_t whole = 0;
    uint64_t billionths = 0;
    if (!take_number(&text, most, &whole))
        return false;
    if (*text == '.') {
        uint64_t place = 100000000;
        for (text++; is_digit(*text); text++, place /= 10)
            billionths += (uint64_t)(*text - '0') * place;
        if (!is_digit(text[-1]))
            return false;
    }
    if (*text == '\0' && whole == 0 && billionths == 0) {
        *ns = 0;
        return true;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text, units[i].name) != 0)
            continue;
        if (whole >= most / units[i].ns)
            return false;
        // units[i].ns * billionths would not fit for hours
        uint64_t part = units[i].ns >= 1000000000 ? billionths * (units[i].ns / 1000000000)
                                                  : billionths * units[i].ns / 1000000000;
        *ns = whole * units[i].ns + part;
        return true;
    }
    return false;
}

static bool parse_hex(const char *text, uint64_t *value)
{
    *value = 0;
    size_t digits = strspn(text, "0123456789abcdef");
    if (digits == 0 || digits > 16 || text[digits])
        return false;
    for (; *text; text++)
        *value = *value << 4 | (uint64_t)(is_digit(*text) ? *text - '0' : *text - 'a' + 10);
    return true;
}

static bool parse_bool(const char *text, bool *value)
{
    static const char words[][8] = {"0", "no", "off", "false", "1", "yes", "on", "true"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *value = i >= 4;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const char *choices, const char *text, int *value)
{
    size_t bytes = strlen(text);
    int number = 0;
    for (const char *at = choices;; at++, number++) {
        size_t length = strcspn(at, "|");
        if (length == bytes && memcmp(at, text, bytes) == 0) {
            *value = number;
            return true;
        }
        at += length;
        if (*at == '\0')
            return false;
    }
}

// Not SIGKILL and SIGSTOP, which nobody can catch, and not the two that glibc keeps for itself.
static bool is_usable_signal(uint64_t number)
{
    return number >= 1 && number <= 64 && number != SIGKILL && number != SIGSTOP && number != 32 &&
           number != 33;
}

static bool parse_signal(const char *text, int *value)
{
    if (strcmp(text, "none") == 0) {
        *value = 0;
        return true;
    }
    const char *at = text;
    uint64_t number = 0;
    if (take_number(&at, 64, &number)) {
        if (*at != '\0' || !is_usable_signal(number))
            return false;
        *value = (int)number;
        return true;
    }
    if (strncmp(text, "SIG", 3) == 0)
        text += 3;
    for (size_t i = 0; i < sizeof signal_names / sizeof signal_names[0]; i++) {
        if (strcmp(text, signal_names[i].name) == 0) {
            *value = signal_names[i].number;
            return true;
        }
    }
    return false;
}

static const char *set_path(void *field, const char *value)
{
    size_t bytes = strlen(value);
    if (bytes >= OPTIONS_PATH_BYTES)
        return "a path of at most 1023 bytes";
    memcpy(field, value, bytes + 1);
    return NULL;
}

static const char *set_integer(const struct option_entry *entry, const char *value, uint32_t *field)
{
    uint64_t number = 0;
    const char *at = value;
    if (!take_number(&at, entry->most, &number) || *at || number < entry->least)
        return entry->most == OPTIONS_DEPTH_LIMIT ? "an integer from 1 to 128" : "an integer";
    *field = (uint32_t)number;
    return NULL;
}

const char *option_set(const struct option_entry *entry, const char *value, struct options *options)
{
    void *field = (char *)options + entry->offset;
    uint64_t wide = 0;
    int number = 0;
    bool flag = false;
    switch ((enum option_kind)entry->kind) {
    case OPTION_PATH:
        return set_path(field, value);
    case OPTION_INTEGER:
        return set_integer(entry, value, field);
    case OPTION_TEXTS:
        *(const char **)field = value;
        return NULL;
    case OPTION_DURATION:
        if (!option_duration(value, &wide))
            return "a number with its unit, such as 30s, 500ms or 2m";
        *(uint64_t *)field = wide;
        return NULL;
    case OPTION_HEX:
        if (!parse_hex(value, &wide))
            return "at most 16 hexadecimal digits";
        *(uint64_t *)field = wide;
        return NULL;
    case OPTION_CHOICE:
        if (!parse_choice(entry->choices, value, &number))
            return entry->choices;
        *(int *)field = number;
        return NULL;
    case OPTION_SIGNAL:
        if (!parse_signal(value, &number))
            return "the name or number of a signal that can be caught, such as SIGUSR2, or none";
        *(int *)field = number;
        return NULL;
    case OPTION_BOOL:
        if (!parse_bool(value, &flag))
            return "yes or no";
        *(bool *)field = flag;
        return NULL;
    }
    return NULL;
}

void options_read(struct options *options, const char *(*get)(void *data, const char *name),
                  void (*bad)(void *data, const struct option_entry *entry, const char *value,
                              const char *expected),
                  void *data)
{
    memset(options, 0, sizeof *options);
    for (size_t i = 0; i < option_count; i++) {
        const struct option_entry *entry = &option_table[i];
        const char *value = get(data, entry->variable);
        const char *expected = NULL;
        if (entry->standard)
            (void)option_set(entry, entry->standard, options);
        if (value && *value)
            expected = option_set(entry, value, options);
        if (expected && bad)
            bad(data, entry, value, expected);
    }
}
