/*
 * leat-conformance [--verbose] [--store rocksdb|memory] FILE|DIR...
 *
 * Runs scenarios (FORMAT.md) on leat's test driver and compares all that Kafka Streams' answers
 * record. A FILE is a scenario (x.json with x.expected.json beside it) or JSON lines (.jsonl,
 * .jsonl.gz: an object with "scenario" and "expected" a line); a DIR is searched for both. Where
 * Kafka Streams answers otherwise with its stores in memory, x.memory.expected.json says so: it
 * counts with --store memory, unless the scenario names a store of its own. One line
 * a scenario: ok, deviates (a documented quirk of Kafka Streams that leat does not share), FAIL
 * with the first difference, or unsupported with what is missing. --verbose shows all differences.
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
    const char *store;
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

static void run_pair(totals_t *t, const char *path, json_t *scenario, json_t *expected)
{
    verdict_t verdict;
    char *text;

    if (!json_is_array(json_object_get(scenario, "topology")) || !json_is_object(expected)) {
        unreadable(t, path, "not a scenario with an expectation");
        return;
    }
    verdict = run_scenario(scenario, expected, t->store, &text);
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

/* [own] */
static char *expectation_of(const totals_t *t, const char *path, const json_t *scenario)
{
    char *memory = need_format("%.*s.memory.expected.json", (int)(strlen(path) - 5), path);
    bool named = json_object_get(json_object_get(scenario, "config"), "store") != NULL;
    struct stat st;

    if (t->store && strcmp(t->store, "memory") == 0 && !named && stat(memory, &st) == 0)
        return memory;
    free(memory);
    return need_format("%.*s.expected.json", (int)(strlen(path) - 5), path);
}

static void run_file(totals_t *t, const char *path)
{
    json_t *scenario = load(t, path);
    char *expected_path = expectation_of(t, path, scenario);
    json_t *expected = scenario ? load(t, expected_path) : NULL;

    if (expected)
        run_pair(t, path, scenario, expected);
    json_decref(expected);
    json_decref(scenario);
    free(expected_path);
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
            run_pair(
                t, place, json_object_get(pair, "scenario"), json_object_get(pair, "expected"));
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
    fputs("usage: leat-conformance [--verbose] [--store rocksdb|memory] FILE|DIR...\n", stderr);
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

int main(int argc, char **argv)
{
    totals_t t = {0};
    int first = 1;

    for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++) {
        if (strcmp(argv[first], "--verbose") == 0)
            t.verbose = true;
        else if (strcmp(argv[first], "--store") == 0 && first + 1 < argc)
            t.store = argv[++first];
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
