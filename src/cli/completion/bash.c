// Completion for bash, with or without the package bash-completion.
#include "cli/completion/completion.h"

static void begin(FILE *out, const char *const *names)
{
    fputs("# bash completion for unclosed\n"
          "_unclosed()\n"
          "{\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local command=${COMP_WORDS[1]} options= wanting= value=any words= argument=any at\n"
          "    COMPREPLY=()\n"
          "    # \"--format=json\" comes as three words.\n"
          "    if [[ $current == = ]]; then\n"
          "        current=\n"
          "    elif [[ $previous == = && COMP_CWORD -gt 2 ]]; then\n"
          "        previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    fi\n"
          "    if ((COMP_CWORD == 1)); then\n"
          "        COMPREPLY=($(compgen -W '",
          out);
    for (; *names; names += 2)
        fprintf(out, "%s ", names[0]);
    fputs("--help --version' -- \"$current\"))\n"
          "        return\n"
          "    fi\n"
          "    case $command in\n",
          out);
}

static const char *name_of(enum completion_value value)
{
    static const char *const names[] = {
        [COMPLETION_NONE] = "none",
        [COMPLETION_ANY] = "any",
        [COMPLETION_FILE] = "file",
        [COMPLETION_PID] = "pid",
        [COMPLETION_FILE_OR_PID] = "file pid",
        [COMPLETION_COMMAND] = "command",
        [COMPLETION_WORDS] = "words",
    };
    return names[value];
}

static void put_flags(FILE *out, const struct completion_option *option, const char *between)
{
    if (option->flag)
        fprintf(out, "--%s", option->flag);
    if (option->letter)
        fprintf(out, "%s-%c", option->flag ? between : "", option->letter);
}

static void command(FILE *out, const struct completion_command *command)
{
    fprintf(out, "    %s)\n        options='", command->name);
    for (size_t i = 0; i < command->count; i++) {
        const struct completion_option *option = &command->options[i];
        if (option->flag)
            fprintf(out, "--%s%s ", option->flag, option->value ? "=" : "");
        else
            fprintf(out, "-%c ", option->letter);
    }
    fputs("'\n        wanting=' ", out);
    for (size_t i = 0; i < command->count; i++)
        if (command->options[i].value) {
            put_flags(out, &command->options[i], " ");
            fputc(' ', out);
        }
    fprintf(out, "'\n        argument='%s' words='%s'\n        case $previous in\n",
            name_of(command->argument.value), command->argument.words);
    for (size_t i = 0; i < command->count; i++) {
        const struct completion_option *option = &command->options[i];
        if (!option->value)
            continue;
        fputs("        ", out);
        put_flags(out, option, "|");
        fprintf(out, ") value='%s' words='%s' ;;\n", name_of(option->value), option->words);
    }
    fputs("        *) value= ;;\n        esac\n        ;;\n", out);
}

static void end(FILE *out)
{
    fputs(
        "    *) return ;;\n"
        "    esac\n"
        "    # The command of run has completions of its own.\n"
        "    for ((at = 2; at < COMP_CWORD && ${#argument}; at++)); do\n"
        "        if [[ $argument != command ]]; then\n"
        "            break\n"
        "        elif [[ ${COMP_WORDS[at]} == -- ]] && ((at++)) || [[ ${COMP_WORDS[at]} != -* ]]; "
        "then\n"
        "            ((at < COMP_CWORD)) || break\n"
        "            if declare -F _command_offset >/dev/null; then\n"
        "                _command_offset $at\n"
        "            else\n"
        "                COMPREPLY=($(compgen -f -- \"$current\"))\n"
        "            fi\n"
        "            return\n"
        "        elif [[ $wanting == *\" ${COMP_WORDS[at]} \"* ]]; then\n"
        "            [[ ${COMP_WORDS[at + 1]} != = ]] || ((at++))\n"
        "            ((at++))\n"
        "        fi\n"
        "    done\n"
        "    if [[ -z $value && $current == -* ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
        "        [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace\n"
        "        return\n"
        "    fi\n"
        "    for at in ${value:-$argument}; do\n"
        "        case $at in\n"
        "        words) COMPREPLY+=($(compgen -W \"$words\" -- \"$current\")) ;;\n"
        "        file) compopt -o filenames; COMPREPLY+=($(compgen -f -- \"$current\")) ;;\n"
        "        pid) COMPREPLY+=($(compgen -W \"$(cd /proc && echo [0-9]*)\" -- \"$current\")) "
        ";;\n"
        "        command) COMPREPLY+=($(compgen -c -- \"$current\")) ;;\n"
        "        esac\n"
        "    done\n"
        "}\n"
        "complete -F _unclosed unclosed\n",
        out);
}

const struct completion_shell completion_bash = {"bash", begin, command, end};
