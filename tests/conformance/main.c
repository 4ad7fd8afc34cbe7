/*
 * leat-conformance [--verbose] [--store rocksdb|memory] [--cache on|off] FILE|DIR...
 *
 * Runs scenarios (FORMAT.md) on leat's test driver and compares all that Kafka Streams' answers
 * record. A FILE is a scenario (x.json with x.expected.json beside it) or JSON lines (.jsonl,
 * .jsonl.gz: an object with "scenario" and "expected" a line); a DIR is searched for both.
 * --store and --cache force each scenario file onto that backend (stores that name a type of their
 * own keep it), with or without the record cache; what Kafka Streams then answers otherwise lies
 * beside it (variant.c). A line of JSON lines has one answer: --store runs it there as far as an
 * answer of RocksDB can be right, --cache says nothing to it. One line a scenario: ok, deviates (a
 * documented quirk of Kafka Streams that leat does not share), FAIL with the first difference, or
 * unsupported with what is missing. --verbose shows all differences.
 * Exit status: 0 nothing failed, 1 something did, 2 wrong usage or unreadable input.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>
#include "conformance.h"

typedef struct totals_t {
    size_t counts[4];
    size_t unreadable;
    bool verbose;
    variant_t variant;
} totals_t;

static const char *const labels[] = {"ok", "deviates", "FAIL", "unsupported"};

static void unreadable(totals_t *t, const char *path, const char *why)
{
    fprintf(stderr, "leat-conformance: %s: %s\n", path, why);
    t->unreadable++;
}

/* ---- one scenario ---- */

static void say(totals_t *t, verdict_t verdict, const char *name, char *text)
{
    char *rest = text && t->verbose ? strchr(text, '\n') : NULL;

    if (text)
        printf("%-11s %s: %.*s\n", labels[verdict], name, (int)strcspn(text, "\n"), text);
    else
        printf("%-11s %s\n", labels[verdict], name);
    for (char *line = rest ? rest + 1 : NULL, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        printf("            %s\n", line);
    }
    fflush(stdout);
}

/* backend: of an answer that is for the scenario as it is written; NULL: no other is asked for */
static void run_pair(totals_t *t, const char *path, json_t *scenario, json_t *expected,
    const char *backend)
{
    verdict_t verdict;
    char *text;

    if (!json_is_array(json_object_get(scenario, "topology")) || !json_is_object(expected)) {
        unreadable(t, path, "not a scenario with an expectation");
        return;
    }
    verdict = run_scenario(scenario, expected, backend, &text);
    t->counts[verdict]++;
    say(t, verdict, get_text(scenario, "name", path), text);
    free(text);
}

/* ---- files ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), tail = strlen(end);

    return size >= tail && strcmp(text + size - tail, end) == 0;
}

static json_t *load(totals_t *t, const char *path)
{
    json_error_t why;
    json_t *json = json_load_file(path, JSON_ALLOW_NUL, &why);
    char *text;

    if (json)
        return json;
    text = need_format("line %d: %s", why.line, why.text);
    unreadable(t, path, text);
    free(text);
    return NULL;
}

/* [own] The answer beside a scenario; suffix "" or ".memory" and the like. NULL: none. */
static json_t *load_answer(totals_t *t, const char *path, const char *suffix)
{
    char *answer = need_format("%.*s%s.expected.json", (int)(strlen(path) - 5), path, suffix);
    struct stat st;
    json_t *json = !*suffix || stat(answer, &st) == 0 ? load(t, answer) : NULL;

    free(answer);
    return json;
}

static void run_file(totals_t *t, const char *path)
{
    json_t *scenario = load(t, path);
    json_t *expected = scenario ? load_answer(t, path, "") : NULL;
    char suffix[2][SUFFIX_SIZE];

    if (expected) {
        variant_suffixes(&t->variant, scenario, suffix);
        for (size_t i = 0; i < 2; i++) {
            json_t *other = *suffix[i] ? load_answer(t, path, suffix[i]) : NULL;

            variant_merge(expected, other);
            json_decref(other);
        }
        variant_force(&t->variant, scenario);
        run_pair(t, path, scenario, expected, NULL);
    }
    json_decref(expected);
    json_decref(scenario);
}

/* A line of any length; [own], NULL at the end. */
static char *read_line(gzFile file)
{
    size_t size = 0, room = 1 << 16;
    char *line = need(room), *longer;

    while (gzgets(file, line + size, (int)(room - size))) {
        size += strlen(line + size);
        if (size && line[size - 1] == '\n')
            return line;
        if (size + 1 < room)
            continue;
        longer = need(room * 2);
        memcpy(longer, line, size);
        free(line);
        line = longer;
        room *= 2;
    }
    if (size)
        return line;
    free(line);
    return NULL;
}

static void run_lines(totals_t *t, const char *path)
{
    gzFile file = gzopen(path, "rb");
    char *line;
    int error = Z_OK;

    if (!file) {
        unreadable(t, path, "cannot be opened");
        return;
    }
    for (size_t number = 1; (line = read_line(file)); number++) {
        json_error_t why;
        json_t *pair = json_loads(line, JSON_ALLOW_NUL, &why);
        char *place = need_format("%s:%zu", path, number);

        if (pair)
            run_pair(t, place, json_object_get(pair, "scenario"),
                json_object_get(pair, "expected"), t->variant.store);
        else if (line[strspn(line, " \t\r\n")])
            unreadable(t, place, why.text);
        json_decref(pair);
        free(place);
        free(line);
    }
    gzerror(file, &error);
    if (error < 0)
        unreadable(t, path, "is damaged");
    gzclose(file);
}

static int is_entry(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool is_scenario(const char *path)
{
    char *expected;
    struct stat st;
    bool there;

    if (!ends_with(path, ".json") || ends_with(path, ".expected.json"))
        return false;
    expected = need_format("%.*s.expected.json", (int)(strlen(path) - 5), path);
    there = stat(expected, &st) == 0;
    free(expected);
    return there;
}

static void run_path(totals_t *t, const char *path, bool named);

static void run_dir(totals_t *t, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_entry, alphasort);

    if (count < 0) {
        unreadable(t, path, "cannot be opened");
        return;
    }
    for (int i = 0; i < count; i++) {
        char *inner = need_format("%s/%s", path, entries[i]->d_name);

        run_path(t, inner, false);
        free(inner);
        free(entries[i]);
    }
    free(entries);
}

/* named: by the user, who wants to hear about what is no scenario. */
static void run_path(totals_t *t, const char *path, bool named)
{
    struct stat st;

    if (stat(path, &st) != 0)
        unreadable(t, path, "no such file or folder");
    else if (S_ISDIR(st.st_mode))
        run_dir(t, path);
    else if (ends_with(path, ".jsonl") || ends_with(path, ".jsonl.gz"))
        run_lines(t, path);
    else if (is_scenario(path) ||
             (named && ends_with(path, ".json") && !ends_with(path, ".expected.json")))
        run_file(t, path);
    else if (named)
        unreadable(t, path, "not a scenario: .json, .jsonl and .jsonl.gz are");
}

static int usage(void)
{
    fputs("usage: leat-conformance [--verbose] [--store rocksdb|memory] [--cache on|off]"
          " FILE|DIR...\n",
        stderr);
    return 2;
}

/* Every scenario's own failure is part of its line. */
static void quiet(
    void *user, leat_level_t level, const char *area, const char *text, const char *fields)
{
    (void)user;
    (void)level;
    (void)area;
    (void)text;
    (void)fields;
}

/* word: the next argument, NULL at the end */
static bool is_one_of(const char *word, const char *a, const char *b)
{
    return word && (strcmp(word, a) == 0 || strcmp(word, b) == 0);
}

int main(int argc, char **argv)
{
    totals_t t = {0};
    int first = 1;

    for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++) {
        if (strcmp(argv[first], "--verbose") == 0)
            t.verbose = true;
        else if (strcmp(argv[first], "--store") == 0 &&
                 is_one_of(argv[first + 1], "rocksdb", "memory"))
            t.variant.store = argv[++first];
        else if (strcmp(argv[first], "--cache") == 0 && is_one_of(argv[first + 1], "on", "off"))
            t.variant.cache = argv[++first];
        else
            return usage();
    }
    if (first == argc)
        return usage();
    leat_log_to(quiet, NULL, LEAT_LOG_ERROR);
    for (int i = first; i < argc; i++)
        run_path(&t, argv[i], true);
    printf("%zu ok, %zu deviate, %zu FAIL, %zu unsupported\n", t.counts[VERDICT_OK],
        t.counts[VERDICT_DEVIATES], t.counts[VERDICT_FAIL], t.counts[VERDICT_UNSUPPORTED]);
    if (t.unreadable)
        return 2;
    return t.counts[VERDICT_FAIL] ? 1 : 0;
}
