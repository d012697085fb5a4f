// The rules of SARIF: one for each thing that can be wrong. See sarif.h.
#include "report/render/sarif/sarif.h"

#include "report/render/json/values.h"

struct rule {
    const char *id, *title, *help;
    bool error;
};

// In the order of enum trace_misuse_kind, which begins at 1.
static const struct rule misuses[] = {
    {"unknown-handle", "A session was given back that was not open",
     "A release got a handle or connection that no acquire of this process had returned. Look for "
     "a "
     "variable that was not set, or was overwritten.",
     true},
    {"double-release", "A session was given back twice",
     "The second release may close a session that somebody else got meanwhile. Let one place own "
     "the session and release it.",
     true},
    {"other-process", "A child used its parent's session",
     "A process that was forked used a session that was open before the fork. Both processes then "
     "write into one connection or file: open another one in the child.",
     true},
};
_Static_assert(sizeof misuses / sizeof *misuses == SARIF_RULES - FINDINGS, "a rule a misuse");

static struct rule rule_at(size_t rule)
{
    static const char *const titles[FINDINGS] = {
        [FINDING_LIVE] = "Sessions were left open",
        [FINDING_REFUSED] = "Sessions were not closed because close was refused",
        [FINDING_ZOMBIE] = "Sessions were closed while statements kept them open",
        [FINDING_RECLAIMED] = "Sessions were left to a garbage collector",
        [FINDING_LATE] = "Sessions were held too long",
    };
    if (rule >= FINDINGS)
        return misuses[rule - FINDINGS];
    const struct finding_words *words = &finding_words[rule];
    return (struct rule){words->name, titles[rule], words->help, words->severe};
}

const char *sarif_rule_id(size_t rule)
{
    return rule_at(rule).id;
}

bool sarif_rule_is_error(size_t rule)
{
    return rule_at(rule).error;
}

// "left-open" as "LeftOpen": names are to be readable and without punctuation.
static json_t *name_of(const char *id)
{
    char name[64];
    size_t length = 0;
    bool upper = true;
    for (; *id && length + 1 < sizeof name; id++) {
        if (*id != '-')
            name[length++] = (char)(upper ? *id - 'a' + 'A' : *id);
        upper = *id == '-';
    }
    name[length] = '\0';
    return json_string(name);
}

static json_t *rule_json(size_t index)
{
    const struct rule rule = rule_at(index);
    return json_pack("{s:s, s:o, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:[s,s], s:s}}", "id",
                     rule.id, "name", name_of(rule.id), "shortDescription", "text", rule.title,
                     "fullDescription", "text", rule.help, "help", "text", rule.help,
                     "defaultConfiguration", "level", rule.error ? "error" : "warning",
                     "properties", "tags", "reliability", "resource-leak", "precision",
                     "very-high");
}

json_t *sarif_rules(void)
{
    json_t *rules = json_array();
    for (size_t i = 0; i < SARIF_RULES; i++)
        json_array_append_new(rules, rule_json(i));
    return rules;
}
