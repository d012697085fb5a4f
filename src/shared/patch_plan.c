// See patch_plan.h.
#include "shared/patch_plan.h"

#include <string.h>

uint64_t patch_plan_checksum(const void *data, size_t bytes)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    const unsigned char *at = data;
    uint64_t sum = bytes;
    for (; bytes > 0; at += 8) {
        uint64_t word = 0;
        const size_t count = bytes < 8 ? bytes : 8;
        memcpy(&word, at, count);
        sum = (sum ^ word) * odd;
        sum ^= sum >> 32;
        bytes -= count;
    }
    return sum;
}

static int digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

// The number at *text, and one separator behind it.
static bool take_number(const char **text, uint64_t most, uint64_t *value)
{
    const char *begin = *text;
    *value = 0;
    for (int next; (next = digit(**text)) >= 0; (*text)++) {
        if (*value >> 60)
            return false;
        *value = *value << 4 | (uint64_t)next;
    }
    if (*text == begin || *value > most)
        return false;
    if (**text == ' ' || **text == ':')
        (*text)++;
    return true;
}

static bool take_small(const char **text, uint8_t most, uint8_t *value)
{
    uint64_t number;
    if (!take_number(text, most, &number))
        return false;
    *value = (uint8_t)number;
    return true;
}

static bool take_word(const char **text, const char *word)
{
    size_t bytes = strlen(word);
    if (strncmp(*text, word, bytes) != 0)
        return false;
    *text += bytes;
    return true;
}

static bool take_name(const char **text, char name[PATCH_PLAN_NAME_BYTES])
{
    size_t bytes = strcspn(*text, " \n");
    if (bytes == 0 || bytes >= PATCH_PLAN_NAME_BYTES || (*text)[bytes] != ' ')
        return false;
    memcpy(name, *text, bytes);
    name[bytes] = 0;
    *text += bytes + 1;
    return true;
}

static bool take_outcome(const char **text, struct patch_step *step)
{
    uint64_t number;
    if (!take_number(text, TRACE_PATCH_OUTCOMES - 1, &number))
        return false;
    step->outcome = (enum trace_patch)number;
    return true;
}

static bool take_code(const char **text, struct patch_step *step)
{
    for (int high; (high = digit((*text)[0])) >= 0; *text += 2) {
        const int low = digit((*text)[1]);
        if (low < 0 || step->bytes == PATCH_PLAN_CODE_BYTES)
            return false;
        step->code[step->bytes++] = (uint8_t)(high * 16 + low);
    }
    while (**text == ' ') {
        (*text)++;
        if (step->fixup_count == PATCH_PLAN_FIXUPS)
            return false;
        uint64_t target;
        uint8_t at, end;
        if (!take_small(text, step->bytes, &at) || !take_small(text, step->bytes, &end) ||
            !take_number(text, UINT64_MAX, &target) || at + 4 > end)
            return false;
        step->fixups[step->fixup_count].at = at;
        step->fixups[step->fixup_count].end = end;
        step->fixups[step->fixup_count++].target = target;
        if ((*text)[-1] == ' ') // taken as a separator
            (*text)--;
    }
    return step->bytes > 0;
}

static bool take_patch(const char **text, struct patch_step *step)
{
    uint8_t ends = 0;
    bool good = take_name(text, step->name) && take_outcome(text, step) &&
                take_number(text, UINT64_MAX, &step->function) &&
                take_number(text, UINT32_MAX, &step->size) &&
                take_number(text, UINT64_MAX, &step->checksum) &&
                take_small(text, 15, &step->skipped) && take_small(text, 19, &step->displaced) &&
                take_small(text, 1, &ends) && take_code(text, step);
    step->ends = ends;
    return good && step->displaced >= 5 &&
           (uint64_t)step->skipped + step->displaced <= step->size &&
           step->function + step->size >= step->function;
}

bool patch_plan_step(const char **text, struct patch_step *step)
{
    bool good = false;
    memset(step, 0, sizeof *step);
    if (take_word(text, "patch ")) {
        good = take_patch(text, step);
    } else if (take_word(text, "refused ")) {
        good = take_name(text, step->name) && take_outcome(text, step);
    } else if (take_word(text, "symbol ")) {
        step->is_symbol = true;
        good = take_name(text, step->name) && take_number(text, UINT64_MAX, &step->function);
    }
    if (!good || **text != '\n')
        return false;
    (*text)++;
    return true;
}

const char *patch_plan_module(const char **text)
{
    const char *at = strncmp(*text, "module ", 7) == 0 ? *text : strstr(*text, "\nmodule ");
    if (!at)
        return NULL;
    at = strchr(at, ' ') + 1;
    const char *end = strchr(at, '\n');
    *text = end ? end + 1 : at + strlen(at);
    return at;
}
