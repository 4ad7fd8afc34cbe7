/*
 * tools/leat/manual.c: the manual page (docs/man/leat.1) and the reference in docs/CLI.md, from the
 * table of verbs. A test compares both files with what this prints.
 */
#include "help.h"

#include <stdio.h>
#include <string.h>

/* ---- the manual page ---- */

/* Text for roff: "\" and "-" as they are, and no line begins with a command. */
static void roff(FILE *to, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", to);
    for (; *text; text++) {
        if (*text == '\n') {
            fputs("\n.PP\n", to);
            text += strspn(text, "\n") - 1;
        } else if (*text == '\\') {
            fputs("\\e", to);
        } else if (*text == '-') {
            fputs("\\-", to);
        } else {
            fputc(*text, to);
        }
    }
}

static void roff_option(FILE *to, const cli_option_t *o)
{
    fputs(".TP\n.B \\-\\-", to);
    roff(to, o->name);
    if (o->value) {
        fputs(" \\fI", to);
        roff(to, o->value);
        fputs("\\fR", to);
    }
    fputc('\n', to);
    roff(to, o->help);
    if (o->also) {
        fputs(" (also:", to);
        for (const char *at = o->also; *at;) {
            size_t size = strcspn(at, " ");
            char name[64];

            snprintf(name, sizeof name, " --%.*s", (int)size, at);
            roff(to, name);
            at += size + (at[size] == ' ');
        }
        fputc(')', to);
    }
    fputs(".\n", to);
}

static void roff_options(FILE *to, const cli_option_t *o)
{
    for (; o->name; o++)
        roff_option(to, o);
}

static void roff_examples(FILE *to, const char *examples)
{
    if (!examples)
        return;
    fputs(".PP\n.EX\n", to);
    for (const char *at = examples; *at;) {
        size_t size = strcspn(at, "\n");
        char line[512];

        snprintf(line, sizeof line, "leat %.*s", (int)size, at);
        roff(to, line);
        fputc('\n', to);
        at += size + (at[size] == '\n');
    }
    fputs(".EE\n", to);
}

static void roff_verb(FILE *to, const cli_verb_t *v)
{
    fprintf(to, ".SS \"leat %s\"\n", v->name);
    roff(to, v->brief);
    fputs(".\n", to);
    if (v->words) {
        fputs("Words without \\-\\- are values of \\-\\-", to);
        roff(to, v->words);
        fputs(".\n", to);
    }
    if (v->about) {
        fputs(".PP\n", to);
        roff(to, v->about);
        fputc('\n', to);
    }
    roff_options(to, v->options);
    roff_examples(to, v->examples);
}

void cli_manual(FILE *to)
{
    fprintf(to, ".\\\" Made by: leat help --man\n.TH LEAT 1 \"\" \"leat %s\" \"User commands\"\n",
        leat_version());
    fputs(".SH NAME\nleat \\- topics, records, groups and applications on a Kafka\n"
          ".SH SYNOPSIS\n.B leat\n.I VERB\n[\\fIOPTIONS\\fR]\n.br\n.B leat help\n[\\fIVERB\\fR]\n"
          ".SH DESCRIPTION\n",
        to);
    roff(to, cli_about);
    fputs("\n.SH VERBS\n", to);
    for (const cli_verb_t *v = cli_verbs; v->name; v++)
        roff_verb(to, v);
    for (int asks = 0; asks < CLI_ASKS_NOBODY; asks++) {
        fprintf(to, ".SH OPTIONS OF ALL VERBS THAT ASK A %s\n",
            asks == CLI_ASKS_KAFKA ? "BROKER" : "WORKER");
        roff_options(to, cli_shared[asks].options);
    }
    fputs(".SH OPTIONS OF ALL VERBS\n", to);
    roff_options(to, cli_everywhere);
    fputs(".SH EXIT STATUS\n", to);
    for (const cli_exit_t *e = cli_exits; e->meaning; e++) {
        fprintf(to, ".TP\n.B %d\n", e->status);
        roff(to, e->meaning);
        fputs(".\n", to);
    }
    fputs(".SH ENVIRONMENT\n", to);
    roff(to, cli_environment);
    fputc('\n', to);
}

/* ---- Markdown ---- */

/* Of a table's cell. */
static void markdown(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', to);
        fputc(*text, to);
    }
}

static void markdown_options(FILE *to, const cli_option_t *o)
{
    char form[80];

    if (!o->name)
        return;
    fputs("\n| option | meaning |\n|---|---|\n", to);
    for (; o->name; o++) {
        cli_option_form(o, form, sizeof form);
        fputs("| ", to);
        markdown(to, form);
        fputs(" | ", to);
        markdown(to, o->help);
        for (const char *at = o->also; at && *at;) {
            size_t size = strcspn(at, " ");

            fprintf(to, "%s --%.*s", at == o->also ? "; also" : ",", (int)size, at);
            at += size + (at[size] == ' ');
        }
        fputs(" |\n", to);
    }
}

static void markdown_verb(FILE *to, const cli_verb_t *v)
{
    fprintf(to, "\n### leat %s\n\n%s.\n", v->name, v->brief);
    if (v->words)
        fprintf(to, "Words without -- are values of --%s.\n", v->words);
    if (v->about)
        fprintf(to, "\n%s\n", v->about);
    markdown_options(to, v->options);
    if (!v->examples)
        return;
    fputs("\n```sh\n", to);
    for (const char *at = v->examples; *at;) {
        size_t size = strcspn(at, "\n");

        fprintf(to, "leat %.*s\n", (int)size, at);
        at += size + (at[size] == '\n');
    }
    fputs("```\n", to);
}

void cli_reference(FILE *to)
{
    for (const cli_verb_t *v = cli_verbs; v->name; v++)
        markdown_verb(to, v);
    for (int asks = 0; asks < CLI_ASKS_NOBODY; asks++) {
        fprintf(to, "\n### Of all verbs that ask a %s\n", cli_shared[asks].whom);
        markdown_options(to, cli_shared[asks].options);
    }
    fputs("\n### Of all verbs\n", to);
    markdown_options(to, cli_everywhere);
    fputs("\n### Exit status\n\n| status | meaning |\n|---|---|\n", to);
    for (const cli_exit_t *e = cli_exits; e->meaning; e++)
        fprintf(to, "| %d | %s |\n", e->status, e->meaning);
    fprintf(to, "\n%s\n", cli_environment);
}
