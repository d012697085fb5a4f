// See table.h.
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { KEY_FIRST = 0x2000 };

static void set_value(struct table *table, size_t index, const char *value)
{
    free(table->value[index]);
    table->value[index] = strdup(value);
    if (!table->value[index])
        cli_no_memory();
}

static void take(struct table *table, size_t index, const char *value)
{
    const struct option_entry *entry = &option_table[index];
    if (entry->kind == OPTION_TEXTS) {
        table->pools[table->pool_count++] = value;
        return;
    }
    value = entry->kind == OPTION_BOOL ? entry->set : value;
    const char *expected = option_set(entry, value, &table->options);
    if (expected || !*value)
        exit(cli_fail("--%s '%s': expected %s", entry->flag, value,
                      expected ? expected : "a value"));
    set_value(table, index, value);
}

static int key_of(size_t index)
{
    return option_table[index].letter ? option_table[index].letter : KEY_FIRST + (int)index;
}

static error_t parse_table_option(int key, char *value, struct argp_state *state)
{
    for (size_t i = 0; i < option_count; i++) {
        if (option_table[i].flag && key == key_of(i)) {
            take(state->input, i, value);
            return 0;
        }
    }
    return ARGP_ERR_UNKNOWN;
}

static struct argp_option flags[TABLE_MOST + 1];
const struct argp table_argp = {.options = flags, .parser = parse_table_option};

static const char *get_variable(void *data, const char *name)
{
    (void)data;
    return getenv(name);
}

static void refuse_variable(void *data, const struct option_entry *entry, const char *value,
                            const char *expected)
{
    (void)data;
    if (entry->flag)
        exit(cli_fail("%s '%s': expected %s", entry->variable, value, expected));
}

void table_init(struct table *table, int argc)
{
    size_t count = 0;
    *table = (struct table){.pools = calloc((size_t)argc + option_count, sizeof *table->pools)};
    if (!table->pools)
        cli_no_memory();
    options_read(&table->options, get_variable, refuse_variable, NULL);
    for (size_t i = 0; i < option_count; i++) {
        const struct option_entry *entry = &option_table[i];
        const char *value = getenv(entry->variable);
        if (!entry->flag)
            continue;
        flags[count++] = (struct argp_option){
            .name = entry->flag, .key = key_of(i), .arg = entry->argument, .doc = entry->help};
        if (value && *value && entry->kind == OPTION_TEXTS)
            table->pools[table->pool_count++] = value;
        else if (value && *value)
            set_value(table, i, value);
    }
}
