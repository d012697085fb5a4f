// Completion for zsh, by _arguments.
#include "cli/completion/completion.h"

static void begin(FILE *out, const char *const *names)
{
    fputs("#compdef unclosed\n"
          "_unclosed() {\n"
          "  local -a commands=(\n",
          out);
    for (; *names; names += 2) {
        fprintf(out, "    '%s:", names[0]);
        completion_escape(out, names[1], ":\\");
        fputs("'\n", out);
    }
    fputs("  )\n"
          "  if (( CURRENT == 2 )); then\n"
          "    _describe -t commands 'command' commands\n"
          "    return\n"
          "  fi\n"
          "  local command=$words[2]\n"
          "  shift words\n"
          "  (( CURRENT-- ))\n"
          "  case $command in\n",
          out);
}

// Inside of '...': a quote ends the text, comes by itself, and begins it again.
static void put_text(FILE *out, const char *text, const char *special)
{
    for (; *text; text++) {
        const char one[2] = {*text, 0};
        if (*text == '\'')
            fputs("'\\''", out);
        else
            completion_escape(out, one, special);
    }
}

static void put_action(FILE *out, const struct completion_option *option)
{
    static const char *const actions[] = {
        [COMPLETION_ANY] = " ",           [COMPLETION_FILE] = "_files",
        [COMPLETION_PID] = "_pids",       [COMPLETION_FILE_OR_PID] = "{_files; _pids}",
        [COMPLETION_COMMAND] = "_normal",
    };
    fputc(':', out);
    put_text(out, option->label, ":\\");
    if (option->value == COMPLETION_WORDS)
        fprintf(out, ":(%s)", option->words);
    else
        fprintf(out, ":%s", actions[option->value]);
}

static void put_option(FILE *out, const struct completion_option *option, bool letter)
{
    fputs(" \\\n      '*", out);
    if (letter)
        fprintf(out, "-%c%s", option->letter, option->value ? "+" : "");
    else
        fprintf(out, "--%s%s", option->flag, option->value ? "=" : "");
    fputc('[', out);
    put_text(out, option->help, "[]\\");
    fputc(']', out);
    if (option->value)
        put_action(out, option);
    fputc('\'', out);
}

static void command(FILE *out, const struct completion_command *command)
{
    const struct completion_option *argument = &command->argument;
    fprintf(out, "  %s)\n    _arguments -s -S", command->name);
    for (size_t i = 0; i < command->count; i++) {
        if (command->options[i].flag)
            put_option(out, &command->options[i], false);
        if (command->options[i].letter)
            put_option(out, &command->options[i], true);
    }
    if (argument->value == COMPLETION_COMMAND)
        fputs(" \\\n      '(-):command: _command_names -e' '*::arguments: _normal'", out);
    else if (argument->value != COMPLETION_NONE) {
        fputs(" \\\n      '*", out);
        put_action(out, argument);
        fputc('\'', out);
    }
    fputs("\n    ;;\n", out);
}

static void end(FILE *out)
{
    // As a file of $fpath it is the function's body; sourced, it has to be made known.
    fputs("  esac\n"
          "}\n"
          "if [ \"$funcstack[1]\" = _unclosed ]; then\n"
          "  _unclosed \"$@\"\n"
          "else\n"
          "  compdef _unclosed unclosed\n"
          "fi\n",
          out);
}

const struct completion_shell completion_zsh = {"zsh", begin, command, end};
