// Completion for fish.
#include "cli/completion/completion.h"

static void put_text(FILE *out, const char *text)
{
    fputc('\'', out);
    completion_escape(out, text, "'\\");
    fputc('\'', out);
}

static void begin(FILE *out, const char *const *names)
{
    fputs("# fish completion for unclosed\n"
          "complete -c unclosed -f\n"
          "complete -c unclosed -n __fish_use_subcommand -l help -d 'List the commands'\n"
          "complete -c unclosed -n __fish_use_subcommand -l version -d 'Print the version'\n",
          out);
    for (; *names; names += 2) {
        fprintf(out, "complete -c unclosed -n __fish_use_subcommand -a %s -d ", names[0]);
        put_text(out, names[1]);
        fputc('\n', out);
    }
}

static void put_values(FILE *out, const struct completion_option *option)
{
    switch (option->value) {
    case COMPLETION_NONE:
    case COMPLETION_ANY:
        return;
    case COMPLETION_FILE:
        fputs(" -F", out);
        return;
    case COMPLETION_PID:
        fputs(" -a '(__fish_complete_pids)'", out);
        return;
    case COMPLETION_FILE_OR_PID:
        fputs(" -F -a '(__fish_complete_pids)'", out);
        return;
    case COMPLETION_COMMAND:
        fputs(" -a '(__unclosed_command)'", out);
        return;
    case COMPLETION_WORDS:
        fprintf(out, " -a '%s'", option->words);
        return;
    }
}

// What comes behind the options is completed as if it stood alone.
static void put_command_function(FILE *out, const struct completion_command *command)
{
    fputs("function __unclosed_command\n    set -l wanting", out);
    for (size_t i = 0; i < command->count; i++) {
        if (command->options[i].value && command->options[i].flag)
            fprintf(out, " --%s", command->options[i].flag);
        if (command->options[i].value && command->options[i].letter)
            fprintf(out, " -%c", command->options[i].letter);
    }
    fputs("\n"
          "    set -l words (commandline -opc)[3..-1]\n"
          "    while set -q words[1]; and string match -q -- '-*' $words[1]\n"
          "        set -l option $words[1]\n"
          "        set -e words[1]\n"
          "        if test $option = --\n"
          "            break\n"
          "        else if contains -- $option $wanting\n"
          "            set -e words[1]\n"
          "        end\n"
          "    end\n"
          "    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))\n"
          "end\n",
          out);
}

static void command(FILE *out, const struct completion_command *command)
{
    if (command->argument.value == COMPLETION_COMMAND)
        put_command_function(out, command);
    for (size_t i = 0; i < command->count; i++) {
        const struct completion_option *option = &command->options[i];
        fprintf(out, "complete -c unclosed -n '__fish_seen_subcommand_from %s'", command->name);
        if (option->flag)
            fprintf(out, " -l %s", option->flag);
        if (option->letter)
            fprintf(out, " -s %c", option->letter);
        if (option->value)
            fputs(" -r", out);
        put_values(out, option);
        fputs(" -d ", out);
        put_text(out, option->help);
        fputc('\n', out);
    }
    if (command->argument.value <= COMPLETION_ANY)
        return;
    fprintf(out, "complete -c unclosed -n '__fish_seen_subcommand_from %s'", command->name);
    put_values(out, &command->argument);
    fputc('\n', out);
}

static void end(FILE *out)
{
    (void)out;
}

const struct completion_shell completion_fish = {"fish", begin, command, end};
