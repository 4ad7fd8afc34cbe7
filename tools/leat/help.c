/* tools/leat/help.c: help on a terminal: of leat, of a noun ("topics"), of a verb. */
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { LINE = 78, NAMES = 30 };

const cli_exit_t cli_exits[] = {
    {CLI_OK, "done"},
    {CLI_FAILED, "it failed, as a whole or for some records: standard error says what and why"},
    {CLI_USAGE, "wrong usage: an option, a value, a file of properties"},
    {CLI_NOT_FOUND, "a topic, partition, offset, group, store or key does not exist"},
    {CLI_NO_ANSWER, "no broker answered in time (--timeout); a worker did not, or cannot now"},
    {CLI_REFUSED, "authentication failed, or the right is missing"},
    {0, NULL},
};

const char cli_about[] =
    "leat looks after topics, records, groups and applications on a Kafka, and looks into running "
    "workers, beside programs made with libleat. The options are those of Kafka's own tools where "
    "these have them; properties are those of every leat program. Results go to standard output, all else to standard error.";

const char cli_environment[] =
    "LEAT_CONFIG names a file of properties that is read first. LEAT_HTTP_TOKEN is the token of "
    "workers. NO_COLOR, if set, means no colour.";

void cli_option_form(const cli_option_t *o, char *room, size_t size)
{
    snprintf(room, size, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
}

/* Words of a paragraph, from column `at` on, lines beginning in column `indent`. */
static void wrap(FILE *to, const char *text, int at, int indent)
{
    while (*text) {
        int size = (int)strcspn(text, " \n");

        if (at > indent && at + 1 + size > LINE) {
            fprintf(to, "\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            fputc(' ', to);
            at++;
        }
        fwrite(text, 1, (size_t)size, to);
        at += size;
        text += size;
        if (*text == '\n') {
            fputs(text[1] == '\n' ? "\n\n" : "\n", to);
            text += strspn(text, "\n");
            fprintf(to, "%*s", indent, "");
            at = indent;
        }
        text += *text == ' ';
    }
    fputc('\n', to);
}

static void help_option(void *user, const cli_option_t *o)
{
    char form[80], *help;

    cli_option_form(o, form, sizeof form);
    fprintf(user, "  %-*s", NAMES, form);
    if (strlen(form) >= NAMES)
        fprintf(user, "\n  %*s", NAMES, "");
    help = leat__must_format("%s", o->help);
    for (const char *at = o->also; at && *at;) {
        int name = (int)strcspn(at, " ");
        char *more =
            leat__must_format("%s%s --%.*s", help, at == o->also ? "; also" : ",", name, at);

        leat__free(help);
        help = more;
        at += name + (at[name] == ' ');
    }
    wrap(user, help, 2 + NAMES, 2 + NAMES);
    leat__free(help);
}

static void help_options(FILE *to, const char *title, const cli_option_t *o)
{
    if (!o->name)
        return;
    fprintf(to, "\n%s:\n", title);
    for (; o->name; o++)
        help_option(to, o);
}

static void help_examples(FILE *to, const char *examples)
{
    if (!examples)
        return;
    fputs("\nExamples:\n", to);
    for (const char *at = examples; *at;) {
        size_t size = strcspn(at, "\n");

        fprintf(to, "  leat %.*s\n", (int)size, at);
        at += size + (at[size] == '\n');
    }
}

static void help_verb(FILE *to, const cli_verb_t *v)
{
    char word[64] = "";

    if (v->words)
        snprintf(word, sizeof word, " [%s]", v->words);
    fprintf(to, "leat %s: %s\n\nusage: leat %s%s [OPTIONS]\n", v->name, v->brief, v->name, word);
    if (v->words)
        fprintf(to, "       a word without -- is a value of --%s\n", v->words);
    if (v->about) {
        fputc('\n', to);
        wrap(to, v->about, 0, 0);
    }
    help_options(to, "Options", v->options);
    if (cli_shared[v->asks].options)
        help_options(to, cli_shared[v->asks].title, cli_shared[v->asks].options);
    help_options(to, "Always", cli_everywhere);
    help_examples(to, v->examples);
}

static void help_all(FILE *to)
{
    fputs("usage: leat VERB [OPTIONS]\n\n", to);
    wrap(to, cli_about, 0, 0);
    fputs("\nVerbs:\n", to);
    for (const cli_verb_t *v = cli_verbs; v->name; v++)
        fprintf(to, "  %-18s%s\n", v->name, v->brief);
    fputs("\nleat help VERB says more; leat --version is the version. To begin with:\n"
          "  leat topics list --bootstrap-server localhost:9092\n\nExit status:\n",
        to);
    for (const cli_exit_t *e = cli_exits; e->meaning; e++)
        fprintf(to, "  %d  %s\n", e->status, e->meaning);
    fputc('\n', to);
    wrap(to, cli_environment, 0, 0);
}

static void help_noun(FILE *to, const char *noun)
{
    size_t size = strlen(noun);

    fprintf(to, "usage: leat %s VERB [OPTIONS]\n\nVerbs:\n", noun);
    for (const cli_verb_t *v = cli_verbs; v->name; v++)
        if (strncmp(v->name, noun, size) == 0)
            fprintf(to, "  %-18s%s\n", v->name, v->brief);
    fprintf(to, "\nleat help %s VERB says more.\n", noun);
}

void cli_help(const char *const *words, size_t count, FILE *to)
{
    char name[64];

    if (count == 0) {
        help_all(to);
        return;
    }
    snprintf(
        name, sizeof name, "%s%s%s", words[0], count > 1 ? " " : "", count > 1 ? words[1] : "");
    for (const cli_verb_t *v = cli_verbs; v->name; v++)
        if (strcmp(v->name, name) == 0) {
            help_verb(to, v);
            return;
        }
    help_noun(to, words[0]);
}

static bool is_known(const char *const *words, size_t count)
{
    for (const cli_verb_t *v = cli_verbs; v->name; v++) {
        size_t size = strlen(words[0]);
        bool noun = strncmp(v->name, words[0], size) == 0 && v->name[size] == ' ';

        if (count == 1 && (noun || strcmp(v->name, words[0]) == 0))
            return true;
        if (count == 2 && noun && strcmp(v->name + size + 1, words[1]) == 0)
            return true;
    }
    return false;
}

void cli_run_help(cli_t *c)
{
    const char *const *words = (const char *const *)c->args;

    if (cli_has(c, "man"))
        cli_manual(stdout);
    else if (cli_has(c, "markdown"))
        cli_reference(stdout);
    else if (c->arg_count && !is_known(words, c->arg_count))
        cli_usage(c, "there is no verb '%s%s%s'", words[0], c->arg_count > 1 ? " " : "",
            c->arg_count > 1 ? words[1] : "");
    else
        cli_help(words, c->arg_count, stdout);
}
