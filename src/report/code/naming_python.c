// Whether Python source hands a session on to its caller: see naming_python_evidence in naming.h.
//
// Not a parser: looks at the line that acquired and, if that put the session into a variable, at
// the rest of the function for a return or yield of that variable.
#include <ctype.h>
#include <string.h>

#include "report/code/naming.h"

enum { LINES_AHEAD = 80 };

static size_t indentation(const char *line)
{
    return strspn(line, " \t");
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

// What follows if `text` begins with the word, else NULL.
static const char *after_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(text, word, length) != 0 || is_name(text[length]))
        return NULL;
    return text + length + strspn(text + length, " \t");
}

static bool is_end(const char *text)
{
    text += strspn(text, " \t");
    return *text == 0 || *text == '#' || *text == ';';
}

// Whether the call's name speaks of a session: then nested calls in its arguments do not matter.
static bool speaks_of_session(const char *name, size_t length)
{
    static const char *const words[] = {"connect", "session", "open", "acquire",  "checkout",
                                        "pool",    "conn",    "db",   "database", NULL};
    for (const char *const *word = words; *word; word++)
        for (size_t i = 0; i + strlen(*word) <= length; i++)
            if (strncasecmp(name + i, *word, strlen(*word)) == 0)
                return true;
    return false;
}

// Behind the closing parenthesis of a call `text` begins with; NULL: it begins with none.
static const char *end_of_call(const char *text)
{
    size_t length = 0;
    while (is_name(text[length]) || text[length] == '.')
        length++;
    if (length == 0 || text[length] != '(')
        return NULL;
    int depth = 0;
    for (const char *at = text + length; *at; at++) {
        depth += (*at == '(') - (*at == ')');
        if (depth == 0)
            return at + 1;
    }
    return NULL;
}

// Whether an expression is a call (or a call of its result) and nothing else: `SessionLocal()` but
// not `get_db().query(User).all()`. A call that goes on in the next line counts.
static bool is_bare_call(const char *text)
{
    const char *rest = after_word(text, "await");
    const char *name = rest ? rest : text;
    size_t length = 0;
    while (is_name(name[length]) || name[length] == '.')
        length++;
    if (length == 0 || name[length] != '(')
        return false;
    int depth = 0;
    bool nested = false;
    const char *at = name + length;
    for (; *at && (depth > 0 || *at == '('); at++) {
        if (*at == '(')
            nested |= ++depth > 1;
        else if (*at == ')')
            depth--;
    }
    return is_end(at) && (!nested || speaks_of_session(name, length));
}

// The variable that the line puts the session into: "x" of `x = f()`, `with f() as x:`, with its
// length in *length; NULL if there is none.
static const char *bound_name(const char *text, size_t *length)
{
    const char *as = strstr(text, " as ");
    bool with = after_word(text, "with") || strncmp(text, "async with ", 11) == 0;
    const char *name = with && as ? as + 4 : text;
    *length = 0;
    while (is_name(name[*length]))
        ++*length;
    const char *rest = name + *length + strspn(name + *length, " \t");
    if (*length == 0)
        return NULL;
    if (with)
        return as ? name : NULL;
    if (*rest == ':') // x: Session = f()
        rest += strcspn(rest, "=");
    return rest[0] == '=' && rest[1] != '=' ? name : NULL;
}

static bool hands_on(const char *text, const char *name, size_t length)
{
    static const char *const words[] = {"return", "yield", NULL};
    for (const char *const *word = words; *word; word++) {
        const char *value = after_word(text, *word);
        if (value && strncmp(value, name, length) == 0 &&
            (is_end(value + length) || value[length] == ','))
            return true;
    }
    return false;
}

// Whether the text closes the session in the variable: "name.close()", "await name.close()".
static bool closes(const char *text, const char *name, size_t length)
{
    const char *rest = after_word(text, "await");
    const char *call = rest ? rest : text;
    return strncmp(call, name, length) == 0 && strncmp(call + length, ".close(", 7) == 0;
}

static bool begins_definition(const char *text)
{
    return after_word(text, "def") || after_word(text, "class") || after_word(text, "async") ||
           text[0] == '@';
}

// What a definition of one line does: "return Session(engine)" of "def get_db(): return ...".
// A line that is not part of a statement stands for itself.
static const char *body_of_one_line(const char *text)
{
    const char *rest = after_word(text, "async");
    if (!after_word(rest ? rest : text, "def"))
        return text;
    int depth = 0;
    for (const char *at = text; *at; at++) {
        depth +=
            (*at == '(' || *at == '[' || *at == '{') - (*at == ')' || *at == ']' || *at == '}');
        if (*at == ':' && depth == 0)
            return at + 1 + strspn(at + 1, " \t");
    }
    return text;
}

// A lambda returns what it makes, if that is a session: "lambda: Session(engine)", but not
// "lambda: Session(engine).scalar(...)".
static enum naming_evidence lambda_evidence(struct code_text *code, const char *directory,
                                            const char *file, unsigned line)
{
    const char *text = code_text_line(code, directory, file, line);
    const char *lambda = text ? strstr(text, "lambda") : NULL;
    const char *colon = lambda ? strchr(lambda, ':') : NULL;
    if (!colon)
        return NAMING_UNKNOWN;
    const char *call = colon + 1 + strspn(colon + 1, " \t");
    const char *after = end_of_call(call);
    if (!after)
        return NAMING_UNKNOWN;
    return *after == '.' || *after == '[' ? NAMING_KEPT : NAMING_HANDED_ON;
}

enum naming_evidence naming_python_evidence(struct code_text *code, const char *directory,
                                            const char *file, unsigned line, const char *function)
{
    size_t length = strlen(function);
    const char *lambda = "<lambda>";
    if (length >= strlen(lambda) && strcmp(function + length - strlen(lambda), lambda) == 0)
        return lambda_evidence(code, directory, file, line);
    const char *text = code_text_line(code, directory, file, line);
    if (!text)
        return NAMING_UNKNOWN;
    size_t indent = indentation(text);
    text = body_of_one_line(text + indent);
    const char *value = after_word(text, "return");
    if (!value)
        value = after_word(text, "yield");
    if (value)
        return is_bare_call(value) ? NAMING_HANDED_ON : NAMING_KEPT;
    const char *name = bound_name(text, &length);
    if (!name)
        return NAMING_KEPT;
    enum naming_evidence evidence = NAMING_KEPT;
    for (unsigned ahead = 1; ahead <= LINES_AHEAD; ahead++) {
        const char *next = code_text_line(code, directory, file, line + ahead);
        if (!next)
            break;
        size_t next_indent = indentation(next);
        next += next_indent;
        if (*next == 0 || *next == '#')
            continue;
        if (next_indent == 0 || (next_indent < indent && begins_definition(next)))
            break;
        if (hands_on(next, name, length))
            evidence = NAMING_HANDED_ON;
        if (evidence == NAMING_HANDED_ON &&
            (after_word(next, "return") || after_word(next, "finally")))
            break;
        // A generator that closes what it has yielded, but not if it is left by an exception.
        if (evidence == NAMING_HANDED_ON && closes(next, name, length))
            return NAMING_YIELDED;
    }
    return evidence;
}

// The line of the definition around `line`, with its indentation in *indent; 0: at module level.
static unsigned definition_line(struct code_text *code, const char *directory, const char *file,
                                unsigned line, size_t *indent)
{
    const char *text = code_text_line(code, directory, file, line);
    size_t inside = text ? indentation(text) : 0;
    for (unsigned at = line; at > 0 && (text = code_text_line(code, directory, file, at)); at--) {
        *indent = indentation(text);
        text += *indent;
        if (*text == 0 || *text == '#' || (*indent >= inside && at != line))
            continue;
        if (after_word(text, "def") || (after_word(text, "async") && strstr(text, " def ")))
            return at;
        inside = *indent;
    }
    return 0;
}

bool naming_python_suspends(struct code_text *code, const char *directory, const char *file,
                            unsigned line)
{
    size_t indent = 0;
    const unsigned begin = definition_line(code, directory, file, line, &indent);
    const char *text = begin > 0 ? code_text_line(code, directory, file, begin) : NULL;
    if (!text)
        return false;
    if (after_word(text + indent, "async"))
        return true;
    for (unsigned at = begin + 1; (text = code_text_line(code, directory, file, at)); at++) {
        const char *word = text + indentation(text);
        if (*word == 0 || *word == '#')
            continue;
        if (indentation(text) <= indent && *word != ')') // a signature may go on
            return false;
        for (word = strstr(word, "yield"); word; word = strstr(word + 1, "yield"))
            if (!is_name(word[-1]) && !is_name(word[5]))
                return true;
    }
    return false;
}
