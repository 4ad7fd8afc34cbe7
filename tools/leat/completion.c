/*
 * tools/leat/completion.c: scripts that complete verbs, options and choices in bash, zsh and fish,
 * from the table of verbs. The files in tools/completion are what this prints; a test compares.
 */
#include "help.h"

#include <stdio.h>
#include <string.h>

/* What an option's value can be, blanks between; NULL: anything. */
static const char *words_of(const cli_option_t *o)
{
    if (!o->choices && o->value && strcmp(o->value, "FORMAT") == 0)
        return "auto string json int32 int64 float double hex base64 windowed: session:";
    return o->choices;
}

static bool takes_file(const cli_option_t *o)
{
    return o->value && (strcmp(o->value, "FILE") == 0 || strcmp(o->value, "PATH") == 0);
}

/* ---- bash ---- */

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
    const char *words = words_of(o);

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
    if (s->count == 32 || !takes_file(o))
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
        fprintf(to, "        \"%s\") words=\"%s", v->name, v->args ? v->args : "");
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
        if (words_of(o)) {
            fputs(":(", to);
            zsh_text(to, words_of(o));
            fputc(')', to);
        } else {
            fputs(takes_file(o) ? ":_files" : ": ", to);
        }
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
        fputs(" \\\n            '*: :", to);
        if (v->args)
            fprintf(to, "(%s)", v->args);
        fputs("' ;;\n", to);
    }
    fputs("    esac\n}\n_leat \"$@\"\n", to);
}

/* ---- fish ---- */

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

typedef struct fish_t {
    FILE *to;
    const char *verb;
} fish_t;

static void fish_option(void *user, const cli_option_t *o)
{
    fish_t *f = user;

    fprintf(f->to, "complete -c leat -n '__leat_in %s' -l %s -d ", f->verb, o->name);
    fish_text(f->to, o->help);
    if (takes_file(o))
        fputs(" -r -F", f->to);
    else if (words_of(o))
        fprintf(f->to, " -x -a '%s'", words_of(o));
    else if (o->value)
        fputs(" -x", f->to);
    fputc('\n', f->to);
}

/* __leat_in: these words begin the line; __leat_behind: they are all that stands before the word
 * to be completed. */
static void fish(FILE *to)
{
    fputs("# Completion of leat for fish. Made by: leat completion fish\n"
          "function __leat_in\n    set -l words (commandline -opc)\n"
          "    string match -q -- \"$argv *\" \"$words[2..] \"\nend\n"
          "function __leat_behind\n    set -l words (commandline -opc)\n"
          "    test \"$argv\" = \"$words[2..]\"\nend\n"
          "complete -c leat -f\ncomplete -c leat -n __leat_behind -a '",
        to);
    put_first_words(to);
    fputs("'\ncomplete -c leat -n __leat_behind -l help\n"
          "complete -c leat -n __leat_behind -l version\n",
        to);
    for (const cli_verb_t *v = cli_verbs; v->name; v++) {
        size_t size = strcspn(v->name, " ");
        fish_t f = {to, v->name};

        if (v->name[size]) {
            fprintf(to, "complete -c leat -n '__leat_behind %.*s' -a %s -d ", (int)size, v->name,
                v->name + size + 1);
            fish_text(to, v->brief);
            fputc('\n', to);
        }
        if (v->args)
            fprintf(to, "complete -c leat -n '__leat_in %s' -a '%s'\n", v->name, v->args);
        cli_each_option(v, fish_option, &f);
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
