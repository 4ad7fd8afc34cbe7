/*
 * runtime/main.c: leat_main: one command line for every program. It sets properties, and nothing that a program could not set.
 */
#include <leat/main.h>

#include "app.h"
#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "restore_bar.h"
#include "stdio_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WELL = 0, FAILED = 1, USAGE = 2 };

struct line {
    const char *program;
    const leat_main_opts_t *opts;
    leat_config_t *config;
    bool embedded, to_end, describe;
    leat_format_t format;
    int status; /* -1: go on */
};

static const char *base_name(const char *path)
{
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    return slash != NULL ? slash + 1 : path != NULL ? path : "program";
}

static void print_help(const struct line *l)
{
    printf("usage: %s [OPTIONS]\n", l->program);
    if (l->opts->about != NULL)
        printf("\n%s\n", l->opts->about);
    for (const leat_option_t *o = l->opts->options; o != NULL && o->name != NULL; o++) {
        if (o == l->opts->options)
            printf("\nof this program:\n");
        printf("  --%s VALUE  %s", o->name, o->help != NULL ? o->help : "");
        if (o->value != NULL)
            printf(" (%s)\n", o->value);
        else
            printf(" (required)\n");
    }
    printf(
        "\nof every program:\n"
        "  --bootstrap-servers HOST:PORT,...  Kafka's brokers\n"
        "  --embedded                         no broker: records from standard input, results to "
        "standard output\n"
        "  --eos                              exactly once (processing.guarantee=exactly_once_v2)\n"
        "  --threads N                        stream threads of this process\n"
        "  --to-end                           stop when the inputs' ends, as of now, are reached\n"
        "  --application-id ID                group, prefix of internal topics, folder of the "
        "state\n"
        "  --state-dir DIR                    where local state is kept\n"
        "  --config FILE                      a properties file\n"
        "  --set KEY=VALUE                    one property\n"
        "  --describe[=text|json|dot]         print the topology and stop\n"
        "  --log error|warn|info|debug|trace  what is logged to standard error\n"
        "  --version, --help\n");
}

static void wrong(struct line *l, const char *text, const char *what)
{
    fprintf(stderr, "%s: %s%s; --help says what there is\n", l->program, text, what);
    l->status = USAGE;
}

static void set_log(struct line *l, const char *value)
{
    static const char *const levels[] = {"error", "warn", "info", "debug", "trace"};

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(levels[i], value) == 0) {
            leat_log_to(NULL, NULL, (leat_level_t)i);
            return;
        }
    wrong(l, "--log takes error, warn, info, debug or trace, not ", value);
}

/* One ${env:NAME} or ${file:PATH}, and nothing else. */
static bool is_reference(const char *value)
{
    return (strncmp(value, "${env:", 6) == 0 || strncmp(value, "${file:", 7) == 0) &&
           strchr(value, '}') == value + strlen(value) - 1;
}

/* Everybody on the machine sees the command lines of all processes. */
static void set_pair(struct line *l, const char *pair)
{
    const char *equals = strchr(pair, '=');

    if (equals == NULL || equals == pair) {
        wrong(l, "--set takes KEY=VALUE, not ", pair);
        return;
    }
    char *key = leat__must_strndup(pair, (size_t)(equals - pair));
    if (leat__config_is_secret(key) && !is_reference(equals + 1)) {
        fprintf(stderr,
            "%s: --set %s: a secret must not stand on a command line: write '${env:NAME}' or "
            "'${file:PATH}' there, or set it in a --config file\n",
            l->program, key);
        l->status = USAGE;
    } else {
        leat_config_set(l->config, key, equals + 1);
    }
    leat__free(key);
}

static bool set_own(struct line *l, const char *name, const char *value)
{
    for (const leat_option_t *o = l->opts->options; o != NULL && o->name != NULL; o++)
        if (strcmp(o->name, name) == 0) {
            char *key = leat__must_format("program.%s", name);
            leat_config_set(l->config, key, value);
            leat__free(key);
            return true;
        }
    return false;
}

static bool is_own(const struct line *l, const char *name)
{
    for (const leat_option_t *o = l->opts->options; o != NULL && o->name != NULL; o++)
        if (strcmp(o->name, name) == 0)
            return true;
    return false;
}

/* Options without a value. False: it is none of them. */
static bool take_flag(struct line *l, const char *name, const char *value)
{
    if (strcmp(name, "help") == 0) {
        print_help(l);
        l->status = WELL;
    } else if (strcmp(name, "version") == 0) {
        printf("%s (leat %s)\n", l->program, leat_version());
        l->status = WELL;
    } else if (strcmp(name, "embedded") == 0) {
        l->embedded = true;
    } else if (strcmp(name, "to-end") == 0) {
        l->to_end = true;
    } else if (strcmp(name, "eos") == 0) {
        leat_config_set(l->config, "processing.guarantee", "exactly_once_v2");
    } else if (strcmp(name, "describe") == 0) {
        l->describe = true;
        if (value == NULL || strcmp(value, "text") == 0)
            l->format = LEAT_FORMAT_TEXT;
        else if (strcmp(value, "json") == 0)
            l->format = LEAT_FORMAT_JSON;
        else if (strcmp(value, "dot") == 0)
            l->format = LEAT_FORMAT_DOT;
        else
            wrong(l, "--describe takes text, json or dot, not ", value);
        return true;
    } else {
        return false;
    }
    if (value != NULL)
        wrong(l, "no value belongs to --", name);
    return true;
}

static void take_value(struct line *l, const char *name, const char *value)
{
    static const struct {
        const char *option, *property;
    } rows[] = {{"bootstrap-servers", "bootstrap.servers"}, {"application-id", "application.id"},
        {"threads", "num.stream.threads"}, {"state-dir", "state.dir"}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].option, name) == 0) {
            leat_config_set(l->config, rows[i].property, value);
            return;
        }
    if (strcmp(name, "config") == 0)
        leat_config_load(l->config, value);
    else if (strcmp(name, "set") == 0)
        set_pair(l, value);
    else if (strcmp(name, "log") == 0)
        set_log(l, value);
    else
        set_own(l, name, value);
}

static bool takes_value(const struct line *l, const char *name)
{
    static const char *const names[] = {
        "bootstrap-servers", "application-id", "threads", "state-dir", "config", "set", "log"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return is_own(l, name);
}

static void parse(struct line *l, int argc, char **argv)
{
    for (int i = 1; i < argc && l->status < 0; i++) {
        const char *arg = argv[i];

        if (strncmp(arg, "--", 2) != 0 || arg[2] == '\0') {
            wrong(l, "not an option: ", arg);
            return;
        }
        const char *equals = strchr(arg, '=');
        char *name = equals != NULL ? leat__must_strndup(arg + 2, (size_t)(equals - arg - 2))
                                    : leat__must_strdup(arg + 2);
        const char *value = equals != NULL ? equals + 1 : NULL;
        if (takes_value(l, name)) {
            if (value == NULL && i + 1 < argc)
                value = argv[++i];
            if (value == NULL)
                wrong(l, "a value is missing behind --", name);
            else
                take_value(l, name, value);
        } else if (!take_flag(l, name, value)) {
            wrong(l, "unknown option --", name);
        }
        leat__free(name);
    }
}

static void set_defaults(struct line *l, const char *application_id)
{
    leat_config_set(l->config, "application.id", application_id);
    for (const leat_option_t *o = l->opts->options; o != NULL && o->name != NULL; o++)
        if (o->value != NULL)
            set_own(l, o->name, o->value);
}

static void check_required(struct line *l)
{
    for (const leat_option_t *o = l->opts->options; l->status < 0 && o != NULL && o->name != NULL;
         o++) {
        char *key = leat__must_format("program.%s", o->name);
        if (o->value == NULL && !leat__config_is_set(l->config, key))
            wrong(l, "required: --", o->name);
        leat__free(key);
    }
    const char *servers = leat__config_text(l->config, "bootstrap.servers");
    if (l->status < 0 && !l->describe && !l->embedded && servers[0] == '\0')
        wrong(l, "say where to run: --bootstrap-servers HOST:PORT, or --embedded", "");
}

static int describe(struct line *l, leat_topology_t *t)
{
    leat_error_t err;
    int rc = leat_topology_check(t, l->config, &err);

    if (rc == 0)
        fputs(leat_topology_describe(t, l->config, l->format), stdout);
    else
        fprintf(stderr, "%s: %s: %s\n", l->program, err.where, err.text);
    leat_topology_free(t);
    leat_config_free(l->config);
    return rc == 0 ? WELL : FAILED;
}

static int run(struct line *l, leat_build_fn build)
{
    leat_error_t err;
    int rc;

    if (l->embedded &&
        strncmp(leat__config_text(l->config, "bootstrap.servers"), "embedded:", 9) != 0)
        leat_config_set(l->config, "bootstrap.servers", "embedded:");
    leat_topology_t *t = leat_topology_build(build, l->config);
    if (l->describe)
        return describe(l, t);
    leat__error_clear(&err);
    if (l->embedded) {
        rc = leat__run_on_stdio(t, l->config, &l->opts->app, l->opts->lines_are_values, &err);
    } else {
        leat_app_t *app = leat_app_new(t, l->config, &l->opts->app);
        leat__restore_bar_t *bar = leat__restore_bar_start(app);

        rc = l->to_end ? leat_app_run_to_end(app, &err) : leat_app_run_until_signal(app, &err);
        leat__restore_bar_stop(bar);
        leat_app_free(app);
    }
    if (rc != 0)
        fprintf(stderr, "%s: %s%s%s\n", l->program, err.where, err.where[0] != '\0' ? ": " : "",
            err.text);
    return rc == 0 ? WELL : FAILED;
}

int leat_main(int argc, char **argv, const char *application_id, leat_build_fn build,
    const leat_main_opts_t *opts)
{
    static const leat_main_opts_t none;
    struct line l = {.program = base_name(argc > 0 ? argv[0] : NULL),
        .opts = opts != NULL ? opts : &none,
        .config = leat_config_new(),
        .status = -1};

    set_defaults(&l, application_id);
    parse(&l, argc, argv);
    if (l.status < 0)
        check_required(&l);
    if (l.status >= 0) {
        leat_config_free(l.config);
        if (l.opts->app.user_free != NULL)
            l.opts->app.user_free(l.opts->app.user);
        return l.status;
    }
    return run(&l, build);
}
