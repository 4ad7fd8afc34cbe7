/*
 * tools/leat/options.c: words of the command line into the values of a verb's options.
 *
 * --name VALUE, --name=VALUE, --flag; words without "--" are values of the option that the verb
 * names for them; behind "--" everything is such a word. What is wrong ends with the usage status
 * and says what would be right. The verbs read their options through the functions below before
 * they ask any broker, so that a mistake costs no time.
 */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/* ---- failures ---- */

static void say(const cli_t *c, const char *format, va_list args)
{
    fflush(stdout);
    fprintf(stderr, "%sleat: ", cli_color(c->color_err, CLI_RED));
    vfprintf(stderr, format, args);
    fprintf(stderr, "%s\n", cli_color(c->color_err, 0));
}

void cli_fail(cli_t *c, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(c, format, args);
    va_end(args);
    if (!c->status)
        c->status = status;
}

void cli_usage(cli_t *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(c, format, args);
    va_end(args);
    if (!c->status)
        fprintf(stderr, "Try: leat help%s%s\n", c->verb ? " " : "", c->verb ? c->verb->name : "");
    c->status = CLI_USAGE;
}

void cli_note(const cli_t *c, const char *format, ...)
{
    va_list args;

    if (c->quiet)
        return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* ---- names ---- */

void cli_each_option(
    const cli_verb_t *v, void (*fn)(void *user, const cli_option_t *option), void *user)
{
    const cli_option_t *lists[] = {v->options, cli_shared[v->asks].options, cli_everywhere};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const cli_option_t *o = lists[i]; o && o->name; o++)
            fn(user, o);
}

/* Whether word is the option's name or one of its other names. */
static bool option_is(const cli_option_t *o, const char *word)
{
    size_t size = strlen(word);
    const char *at = o->also;

    if (strcmp(o->name, word) == 0)
        return true;
    while (size && at && (at = strstr(at, word)) != NULL) {
        if ((at == o->also || at[-1] == ' ') && (at[size] == ' ' || !at[size]))
            return true;
        at += size;
    }
    return false;
}

typedef struct search_t {
    const char *word;
    const cli_option_t *found;
    const char *names[64];
    size_t count;
} search_t;

static void search_one(void *user, const cli_option_t *o)
{
    search_t *s = user;

    if (!s->found && option_is(o, s->word))
        s->found = o;
    if (s->count < sizeof s->names / sizeof *s->names)
        s->names[s->count++] = o->name;
}

/* Letters to change, add or take away. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], size = strlen(b);

    if (size >= 64)
        return 64;
    for (size_t j = 0; j <= size; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= size; j++) {
            size_t change = corner + (a[i - 1] != b[j - 1]);
            size_t least = row[j] < row[j - 1] ? row[j] : row[j - 1];

            corner = row[j];
            row[j] = change < least + 1 ? change : least + 1;
        }
    }
    return row[size];
}

const char *cli_nearest(const char *word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t least = strlen(word) / 3 + 2;

    for (size_t i = 0; i < count; i++) {
        size_t far = distance(word, words[i]);

        if (far < least) {
            least = far;
            nearest = words[i];
        }
    }
    return nearest;
}

/* ---- parsing ---- */

static bool is_choice(const cli_option_t *o, const char *value)
{
    cli_option_t words = {.name = "", .also = o->choices};

    return !o->choices || (*value && option_is(&words, value));
}

static void give(cli_t *c, const cli_option_t *o, const char *value, size_t size)
{
    char *copy = leat__must_strndup(value, size);

    if (!o->many && o->value && cli_has(c, o->name))
        cli_usage(c, "--%s is given twice: '%s' and '%s'", o->name, cli_text(c, o->name, ""), copy);
    if (!is_choice(o, copy))
        cli_usage(c, "--%s takes one of: %s; not '%s'", o->name, o->choices, copy);
    LEAT__GROW(c->given, c->given_count, c->given_room);
    c->given[c->given_count++] = (cli_given_t){o, copy};
}

/* A list ("NAME,...") may come in parts or with commas; a setting's value may hold commas. */
static void give_all(cli_t *c, const cli_option_t *o, const char *value)
{
    if (!o->many || !strchr(o->value, ',')) {
        give(c, o, value, strlen(value));
        return;
    }
    for (const char *at = value; *at;) {
        size_t size = strcspn(at, ",");

        if (size)
            give(c, o, at, size);
        at += size + (at[size] == ',');
    }
}

static const cli_option_t *find(cli_t *c, const char *name)
{
    search_t s = {.word = name};
    const char *nearest;

    cli_each_option(c->verb, search_one, &s);
    if (s.found)
        return s.found;
    nearest = cli_nearest(name, s.names, s.count);
    cli_usage(c, "leat %s has no option --%s%s%s", c->verb->name, name,
        nearest ? "; did you mean --" : "", nearest ? nearest : "");
    return NULL;
}

/* --name or --name=value; *next: the word behind it, NULL: none. True: that one was used up. */
static bool take_option(cli_t *c, const char *word, const char *next)
{
    const char *equals = strchr(word, '=');
    char *name = leat__must_strndup(word, equals ? (size_t)(equals - word) : strlen(word));
    const cli_option_t *o = find(c, name);
    bool used = false;

    leat__free(name);
    if (!o)
        return false;
    if (!o->value) {
        if (equals)
            cli_usage(c, "--%s takes no value", o->name);
        give(c, o, "", 0);
    } else if (equals) {
        give_all(c, o, equals + 1);
    } else if (next) {
        give_all(c, o, next);
        used = true;
    } else {
        cli_usage(c, "--%s needs %s behind it", o->name, o->value);
    }
    return used;
}

static void take_word(cli_t *c, const char *word)
{
    if (c->verb->words) {
        give_all(c, find(c, c->verb->words), word);
    } else if (c->verb->asks == CLI_ASKS_NOBODY) {
        c->args = leat__must_realloc(c->args, (c->arg_count + 1) * sizeof *c->args);
        c->args[c->arg_count++] = leat__must_strdup(word);
    } else {
        cli_usage(c, "leat %s takes options only; what is '%s'?", c->verb->name, word);
    }
}

static void parse_words(cli_t *c, int argc, char **argv)
{
    bool words_only = false;

    for (int i = 0; i < argc && !c->status; i++) {
        const char *word = argv[i];

        if (strcmp(word, "-h") == 0)
            word = "--help";
        if (!words_only && strcmp(word, "--") == 0)
            words_only = true;
        else if (!words_only && word[0] == '-' && word[1] == '-')
            i += take_option(c, word + 2, i + 1 < argc ? argv[i + 1] : NULL);
        else if (!words_only && word[0] == '-' && word[1])
            cli_usage(c, "options begin with two dashes; what is '%s'?", word);
        else
            take_word(c, word);
    }
}

static bool wants_color(cli_t *c, FILE *stream)
{
    const char *when = cli_text(c, "color", "auto"), *term = getenv("TERM"),
               *no = getenv("NO_COLOR");

    if (strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    return isatty(fileno(stream)) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

bool cli_parse(cli_t *c, int argc, char **argv)
{
    parse_words(c, argc, argv);
    c->color = wants_color(c, stdout);
    c->color_err = wants_color(c, stderr);
    if (c->status || cli_has(c, "help"))
        return !c->status;
    c->json = cli_has(c, "json");
    c->quiet = cli_has(c, "quiet");
    c->timeout_ms = cli_duration(c, "timeout", 10000);
    if (!c->status && (c->timeout_ms < 1 || c->timeout_ms > 3600000))
        cli_usage(c, "--timeout takes 1ms to 1h");
    return !c->status;
}

void cli_release(cli_t *c)
{
    for (size_t i = 0; i < c->given_count; i++)
        leat__free(c->given[i].value);
    leat__free(c->given);
    for (size_t i = 0; i < c->arg_count; i++)
        leat__free(c->args[i]);
    leat__free(c->args);
}

/* ---- reading ---- */

size_t cli_count(const cli_t *c, const char *option)
{
    size_t count = 0;

    for (size_t i = 0; i < c->given_count; i++)
        count += strcmp(c->given[i].option->name, option) == 0;
    return count;
}

bool cli_has(const cli_t *c, const char *option)
{
    return cli_count(c, option) > 0;
}

const char *cli_text_at(const cli_t *c, const char *option, size_t at)
{
    for (size_t i = 0; i < c->given_count; i++)
        if (strcmp(c->given[i].option->name, option) == 0 && at-- == 0)
            return c->given[i].value;
    return NULL;
}

const char *cli_text(const cli_t *c, const char *option, const char *otherwise)
{
    size_t count = cli_count(c, option);

    return count ? cli_text_at(c, option, count - 1) : otherwise;
}

int64_t cli_int(cli_t *c, const char *option, int64_t min, int64_t max, int64_t otherwise)
{
    const char *text = cli_text(c, option, NULL);
    leat_slice_t slice = leat_slice(text);
    int64_t number;

    if (!text)
        return otherwise;
    if (leat_slice_int64(&slice, &number) && number >= min && number <= max)
        return number;
    if (max == INT64_MAX)
        cli_usage(
            c, "--%s takes a whole number from %lld on, not '%s'", option, (long long)min, text);
    else
        cli_usage(c, "--%s takes a whole number from %lld to %lld, not '%s'", option,
            (long long)min, (long long)max, text);
    return otherwise;
}

int64_t cli_duration(cli_t *c, const char *option, int64_t otherwise_ms)
{
    const char *text = cli_text(c, option, NULL);
    int64_t ms;

    if (!text)
        return otherwise_ms;
    if (cli_parse_duration(text, &ms))
        return ms;
    cli_usage(
        c, "--%s takes a time like 500ms, 10s, 5m, 2h, 7d or PT1H30M, not '%s'", option, text);
    return otherwise_ms;
}

int64_t cli_time(cli_t *c, const char *option, int64_t otherwise_ms)
{
    const char *text = cli_text(c, option, NULL);
    int64_t time_ms;

    if (!text)
        return otherwise_ms;
    if (cli_parse_time(text, leat__clock_wall_ms(NULL), &time_ms))
        return time_ms;
    cli_usage(c,
        "--%s takes a time like 2026-11-24T18:57:00Z (UTC without a zone), milliseconds since "
        "1970, now, or -5m (ago), not '%s'",
        option, text);
    return otherwise_ms;
}

void cli_at_most_one(cli_t *c, const char *const *options)
{
    const char *first = NULL;

    for (; *options; options++) {
        if (!cli_has(c, *options))
            continue;
        if (first) {
            cli_usage(c, "--%s and --%s do not go together", first, *options);
            return;
        }
        first = *options;
    }
}

const char *cli_required(cli_t *c, const char *option)
{
    const char *text = cli_text(c, option, NULL);

    if (text && *text)
        return text;
    cli_usage(c, "leat %s needs --%s", c->verb->name, option);
    return "";
}
