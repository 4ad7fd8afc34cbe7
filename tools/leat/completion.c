/*
 * tools/leat/completion.c: scripts that complete verbs, options and choices in bash, zsh and fish,
 * from the table of verbs. The files in tools/completion are what this prints; a test compares.
 */
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* ---- bash, and zsh by its bash completion ---- */

static void put_name(void *user, const cli_option_t *o)
{
    fprintf(user, " --%s", o->name);
}

/* First words, each once: the verbs of a noun follow each other. */
static void put_first_words(FILE *to)
{
    const char *before = "";
    size_t before_size = 0;

    for (const cli_verb_t *v = cli_verbs; v->name; v++) {
        size_t size = strcspn(v->name, " ");

        if (size != before_size || strncmp(v->name, before, size) != 0)
            fprintf(to, " %.*s", (int)size, v->name);
        before = v->name;
        before_size = size;
    }
}

static void put_second_words(FILE *to, const char *noun, size_t size)
{
    for (const cli_verb_t *v = cli_verbs; v->name; v++)
        if (strncmp(v->name, noun, size) == 0 && v->name[size] == ' ')
            fprintf(to, " %s", v->name + size + 1);
}

static void bash_nouns(FILE *to)
{
    const char *before = "";

    for (const cli_verb_t *v = cli_verbs; v->name; v++) {
        size_t size = strcspn(v->name, " ");

        if (!v->name[size] || strncmp(v->name, before, size) == 0)
            continue;
        fprintf(to, "        %.*s) words=\"", (int)size, v->name);
        put_second_words(to, v->name, size);
        fputs(" --help\" ;;\n", to);
        before = v->name;
    }
}

typedef struct choices_t {
    FILE *to;
    const char *seen[32];
    size_t count;
} choices_t;

static void bash_choice(void *user, const cli_option_t *o)
{
    choices_t *s = user;
    const char *words = o->choices;

    if (!words && o->value && strcmp(o->value, "FORMAT") == 0)
        words = "auto string json int32 int64 float double hex base64 windowed: session:";
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->seen[i], o->name) == 0)
            return;
    if (!words || s->count == 32)
        return;
    s->seen[s->count++] = o->name;
    fprintf(s->to, "        --%s) words=\"%s\" ;;\n", o->name, words);
}

static void bash_files(void *user, const cli_option_t *o)
{
    choices_t *s = user;

    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->seen[i], o->name) == 0)
            return;
    if (s->count == 32 || !o->value || (strcmp(o->value, "FILE") && strcmp(o->value, "PATH")))
        return;
    fprintf(s->to, "%s--%s", s->count ? "|" : "", o->name);
    s->seen[s->count++] = o->name;
}

static void each_option(void (*fn)(void *user, const cli_option_t *o), FILE *to)
{
    choices_t seen = {.to = to};

    for (const cli_verb_t *v = cli_verbs; v->name; v++)
        cli_each_option(v, fn, &seen);
}

static void bash(FILE *to)
{
    fputs("# Completion of leat for bash. Made by: leat completion bash\n"
          "_leat() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local verb=${COMP_WORDS[1]:-} words=\"\"\n"
          "    if [ \"$COMP_CWORD\" -le 1 ]; then\n"
          "        words=\"",
        to);
    put_first_words(to);
    fputs(" --help --version\"\n"
          "    elif [ \"$COMP_CWORD\" -eq 2 ]; then\n"
          "        case $verb in\n",
        to);
    bash_nouns(to);
    fputs("        esac\n    fi\n"
          "    case $verb in topics | groups) verb=\"$verb ${COMP_WORDS[2]:-}\" ;; esac\n"
          "    if [ -z \"$words\" ]; then\n        case $before in\n",
        to);
    each_option(bash_choice, to);
    fputs("        ", to);
    each_option(bash_files, to);
    fputs(") mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return ;;\n        esac\n    fi\n"
          "    if [ -z \"$words\" ]; then\n        case $verb in\n",
        to);
    for (const cli_verb_t *v = cli_verbs; v->name; v++) {
        fprintf(to, "        \"%s\") words=\"", v->name);
        cli_each_option(v, put_name, to);
        fputs("\" ;;\n", to);
    }
    fputs("        esac\n    fi\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
          "}\n"
          "complete -F _leat leat\n",
        to);
}

/* ---- zsh ---- */

/* Text inside of '...[...]'. */
static void zsh_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\'", to);
        if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
            fputc('\\', to);
        fputc(*text, to);
    }
}

static void zsh_option(void *user, const cli_option_t *o)
{
    FILE *to = user;

    fprintf(to, " \\\n            '%s--%s[", o->many ? "*" : "", o->name);
    zsh_text(to, o->help);
    fputc(']', to);
    if (o->value) {
        fputc(':', to);
        zsh_text(to, o->value);
        if (o->choices)
            fprintf(to, ":(%s)", o->choices);
        else if (strcmp(o->value, "FILE") == 0 || strcmp(o->value, "PATH") == 0)
            fputs(":_files", to);
        else
            fputs(": ", to);
    }
    fputc('\'', to);
}

static void zsh(FILE *to)
{
    fputs("#compdef leat\n# Completion of leat for zsh. Made by: leat completion zsh\n"
          "_leat() {\n    local verb=${words[2]}\n"
          "    if (( CURRENT == 2 )); then\n        compadd --",
        to);
    put_first_words(to);
    fputs(" --help --version\n        return\n    fi\n    case $verb in\n"
          "        topics | groups)\n            if (( CURRENT == 3 )); then\n"
          "                case $verb in\n                    topics) compadd --",
        to);
    put_second_words(to, "topics", 6);
    fputs(" ;;\n                    groups) compadd --", to);
    put_second_words(to, "groups", 6);
    fputs(" ;;\n                esac\n                return\n            fi\n"
          "            verb=\"$verb ${words[3]}\"\n            ;;\n    esac\n    case $verb in\n",
        to);
    for (const cli_verb_t *v = cli_verbs; v->name; v++) {
        fprintf(to, "        '%s') _arguments -S", v->name);
        cli_each_option(v, zsh_option, to);
        fputs(" \\\n            '*: :' ;;\n", to);
    }
    fputs("    esac\n}\n_leat \"$@\"\n", to);
}

/* ---- fish ---- */

typedef struct fish_t {
    FILE *to;
    const char *condition;
} fish_t;

static void fish_text(FILE *to, const char *text)
{
    fputc('\'', to);
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', to);
        fputc(*text, to);
    }
    fputc('\'', to);
}

static void fish_option(void *user, const cli_option_t *o)
{
    fish_t *f = user;

    fprintf(f->to, "complete -c leat -n '%s' -l %s -d ", f->condition, o->name);
    fish_text(f->to, o->help);
    if (o->value)
        fputs(" -x", f->to);
    if (o->choices)
        fprintf(f->to, " -a '%s'", o->choices);
    else if (o->value && (strcmp(o->value, "FILE") == 0 || strcmp(o->value, "PATH") == 0))
        fputs(" -a '(__fish_complete_path)'", f->to);
    fputc('\n', f->to);
}

static void fish(FILE *to)
{
    fputs("# Completion of leat for fish. Made by: leat completion fish\ncomplete -c leat -f\n"
          "complete -c leat -n __fish_use_subcommand -a '",
        to);
    put_first_words(to);
    fputs("'\n", to);
    for (const cli_verb_t *v = cli_verbs; v->name; v++) {
        size_t size = strcspn(v->name, " ");
        char *condition = v->name[size]
                              ? leat__must_format("__fish_seen_subcommand_from %.*s; and "
                                                  "__fish_seen_subcommand_from %s",
                                    (int)size, v->name, v->name + size + 1)
                              : leat__must_format("__fish_seen_subcommand_from %s", v->name);
        fish_t f = {to, condition};

        if (v->name[size]) {
            fprintf(to, "complete -c leat -n '__fish_seen_subcommand_from %.*s' -a %s -d ",
                (int)size, v->name, v->name + size + 1);
            fish_text(to, v->brief);
            fputc('\n', to);
        }
        cli_each_option(v, fish_option, &f);
        leat__free(condition);
    }
}

void cli_run_completion(cli_t *c)
{
    const char *shell = c->arg_count == 1 ? c->args[0] : "";

    if (strcmp(shell, "bash") == 0)
        bash(stdout);
    else if (strcmp(shell, "zsh") == 0)
        zsh(stdout);
    else if (strcmp(shell, "fish") == 0)
        fish(stdout);
    else
        cli_usage(c, "leat completion takes bash, zsh or fish");
}
