/*
 * tools/leat/main.c: the program `leat`: finds the verb, runs it, and ends with its status.
 *
 * A verb is one word or two ("topics list"). Those who come from Kafka's tools may write the
 * second one as an option: "topics --list".
 */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* The verb named by first and, if it has two words, second. */
static const cli_verb_t *find(const char *first, const char *second)
{
    size_t size = strlen(first);

    for (const cli_verb_t *v = cli_verbs; v->name; v++) {
        if (strcmp(v->name, first) == 0)
            return v;
        if (second && strncmp(v->name, first, size) == 0 && v->name[size] == ' ' &&
            strcmp(v->name + size + 1, second) == 0)
            return v;
    }
    return NULL;
}

static bool is_noun(const char *first)
{
    size_t size = strlen(first);

    for (const cli_verb_t *v = cli_verbs; v->name; v++)
        if (strncmp(v->name, first, size) == 0 && v->name[size] == ' ')
            return true;
    return false;
}

/* "topics --bootstrap-server HOST --list": takes the option out of the words. */
static const cli_verb_t *find_option(const char *first, int *argc, char **argv)
{
    for (int i = 0; i < *argc; i++) {
        const cli_verb_t *v = strncmp(argv[i], "--", 2) == 0 ? find(first, argv[i] + 2) : NULL;

        if (!v)
            continue;
        for (int at = i; at + 1 < *argc; at++)
            argv[at] = argv[at + 1];
        --*argc;
        return v;
    }
    return NULL;
}

static int no_such_verb(const char *first, const char *second)
{
    const char *names[64], *nearest;
    size_t count = 0;
    char *said = second ? leat__must_format("%s %s", first, second) : leat__must_strdup(first);

    for (const cli_verb_t *v = cli_verbs; v->name && count < 64; v++)
        names[count++] = v->name;
    nearest = cli_nearest(said, names, count);
    if (is_noun(first) && !second) {
        cli_help((const char *const[]){first}, 1, stderr);
    } else {
        fprintf(stderr, "leat: there is no 'leat %s'%s%s%s\n", said,
            nearest ? "; did you mean leat " : "", nearest ? nearest : "", nearest ? "?" : "");
        fputs("Try: leat help\n", stderr);
    }
    leat__free(said);
    return CLI_USAGE;
}

static void ignore_log(
    void *user, leat_level_t level, const char *area, const char *text, const char *fields)
{
    (void)user;
    (void)level;
    (void)area;
    (void)text;
    (void)fields;
}

static int run(const cli_verb_t *verb, int argc, char **argv)
{
    cli_t c = {.verb = verb};

    leat_log_to(ignore_log, NULL, LEAT_LOG_ERROR); /* the errors of calls say it, once */
    if (cli_parse(&c, argc, argv)) {
        if (cli_has(&c, "verbose"))
            leat_log_to(NULL, NULL, LEAT_LOG_DEBUG);
        if (cli_has(&c, "help"))
            cli_help(&verb->name, 1, stdout);
        else
            verb->run(&c);
    }
    leat__kclient_free(c.admin, false);
    leat_config_free(c.config);
    cli_release(&c);
    cli_flush(&c);
    return c.status;
}

int main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : NULL;
    const char *second = argc > 2 && argv[2][0] != '-' ? argv[2] : NULL;
    const cli_verb_t *verb;

    if (!first) {
        cli_help(NULL, 0, stderr);
        return CLI_USAGE;
    }
    if (strcmp(first, "--version") == 0) {
        printf("leat %s (librdkafka %s)\n", leat_version(), rd_kafka_version_str());
        return CLI_OK;
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
        first = "help";
    verb = find(first, second);
    argc -= 2;
    argv += 2;
    if (verb && strchr(verb->name, ' ')) {
        argc--;
        argv++;
    } else if (!verb && is_noun(first)) {
        verb = find_option(first, &argc, argv);
        if (!verb && argc > 0 && strcmp(argv[0], "--help") == 0) {
            cli_help(&first, 1, stdout);
            return CLI_OK;
        }
    }
    return verb ? run(verb, argc, argv) : no_such_verb(first, second);
}
