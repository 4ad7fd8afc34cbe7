/*
 * chaos-worker: the program that tests/chaos/run kills, freezes, starves and restarts. Public API only.
 *
 *   chaos-worker --bootstrap-servers HOST:PORT --prefix P [--topologies count,repartition,join] [--eos] ...
 *
 *    P-in-count ──────────────────────────▶ fold by key, no cache ──▶ P-out-count     every update is an output
 *    P-in-repartition ──group by number───▶ fold by group, cached ──▶ P-out-repartition
 *    P-in-join ──┐
 *    P-facts-join ──▶ join: record and fact ──▶ P-joined-join
 *                       └─▶ fold by key, no cache ──▶ P-out-join                     every record is an output
 *    P-ask-X ──▶ each row of the fold's store as it stands in this worker ──▶ P-state-X
 *
 * A fold keeps how many records it saw, and a bit for each: with the count alone a record lost and another doubled would
 * look right. What each record's bit is, is known from its number (chaos_records.c says how the load is made).
 *
 * Each task says when it opens and closes, with the group's generation that this process was in: from these lines and the
 * engine's own the runner proves that no task ran twice in one generation.
 */
#include <leat/leat.h>

#include "chaos.h"

#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic int generation = -1;

static long long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The engine's log, and from it the generation; times in microseconds, for the runner. */
static void on_log(
    void *user, leat_level_t level, const char *area, const char *text, const char *fields)
{
    static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG", "TRACE"};
    int number;

    (void)user;
    if (strcmp(area, "control") == 0 && sscanf(text, "generation %d, member", &number) == 1)
        atomic_store(&generation, number);
    fprintf(stderr, "%lld %-5s %s: %s%s%s\n", now_us(), names[level], area, text, fields ? " " : "",
        fields ? fields : "");
}

/* A crash that the runner did not cause says where it was. */
static void on_crash(int number)
{
    void *frames[64];

    backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
    signal(number, SIG_DFL);
    raise(number);
}

static void on_open(leat_ctx_t *ctx)
{
    fprintf(stderr, "%lld OPEN %s generation %d\n", now_us(), leat_task_id(ctx),
        atomic_load(&generation));
}

static void on_close(leat_ctx_t *ctx)
{
    fprintf(stderr, "%lld CLOSE %s generation %d\n", now_us(), leat_task_id(ctx),
        atomic_load(&generation));
}

/* ---- folding ---- */

/* The aggregate: count, then a bit per record of the key. user: how many keys there are, so bit = number / keys. */
static void add(leat_ctx_t *ctx, const void *a, const void *b)
{
    const leat_slice_t *old = a, *in = b;
    long keys = *(const long *)leat_user(ctx);
    long bit = strtol(leat_cstr(ctx, in), NULL, 10) / keys;
    size_t size = (size_t)(CHAOS_HEAD + bit / 8 + 1);
    leat_slice_t sum;
    char *bytes;

    if (old && old->size > size)
        size = old->size;
    bytes = leat_scratch(ctx, size);
    if (old)
        memcpy(bytes, old->data, old->size);
    chaos_put_count(bytes, chaos_count(bytes) + 1);
    bytes[CHAOS_HEAD + bit / 8] = (char)(bytes[CHAOS_HEAD + bit / 8] | 1 << bit % 8);
    sum = (leat_slice_t){bytes, size};
    leat_emit_value(ctx, &sum);
}

static void pass(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

/* Runs in the fold's own task: the store is this worker's local state. */
static void show_rows(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_t *store = leat_kv(ctx, leat_user(ctx));
    leat_iter_t *all = leat_kv_range(store, NULL, NULL, LEAT_ASCENDING);
    const leat_row_t *row;

    (void)in;
    while ((row = leat_iter_next(all)) != NULL)
        leat_emit(ctx, row->key, row->value);
}

/* Output, and the answers to who asks for the state. */
static void finish(leat_builder_t *b, const char *prefix, const char *name, leat_table_t *sums)
{
    const leat_serde_t *str = leat_serde_string(), *bytes = leat_serde_bytes();
    char topic[200], store[100];

    snprintf(topic, sizeof topic, "%s-out-%s", prefix, name);
    leat_table_to(sums, topic, NULL);
    snprintf(topic, sizeof topic, "%s-ask-%s", prefix, name);
    snprintf(store, sizeof store, "%s-sums", name);
    leat_stream_t *asked = leat_builder_stream(b, topic, str, str, NULL);
    leat_stream_t *rows = leat_stream_process(asked, NULL, show_rows, str, bytes,
        &(leat_node_opts_t){.user = strdup(store),
            .user_free = free,
            .stores = store,
            .open = on_open,
            .close = on_close});
    snprintf(topic, sizeof topic, "%s-state-%s", prefix, name);
    leat_stream_to(rows, topic, NULL);
}

static leat_stream_t *input(leat_builder_t *b, const char *prefix, const char *name)
{
    char topic[200];

    snprintf(topic, sizeof topic, "%s-in-%s", prefix, name);
    return leat_builder_stream(b, topic, leat_serde_string(), leat_serde_string(), NULL);
}

/* (a): every update is forwarded at once, so the output must hold 1, 2, 3 ... for each key. */
static void build_count(leat_builder_t *b, const char *prefix)
{
    static long keys = CHAOS_KEYS;
    leat_stream_t *in = input(b, prefix, "count");
    leat_grouped_t *same = leat_stream_group_by_key(in, NULL, NULL);
    leat_table_t *sums = leat_grouped_aggregate(same, "count-sums", add, leat_serde_bytes(),
        &(leat_fold_opts_t){.user = &keys, .store = {.cache = LEAT_OFF}});

    finish(b, prefix, "count", sums);
}

static void key_by_group(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_key(
        ctx, leat_text(ctx, "g%04ld", strtol(leat_cstr(ctx, in->value), NULL, 10) % CHAOS_GROUPS));
}

/* (b): through a repartition topic, folded in a cached store: fewer outputs, rising. */
static void build_repartition(leat_builder_t *b, const char *prefix)
{
    static long groups = CHAOS_GROUPS;
    leat_stream_t *in =
        leat_stream_process(input(b, prefix, "repartition"), NULL, pass, leat_serde_string(),
            leat_serde_string(), &(leat_node_opts_t){.open = on_open, .close = on_close});
    leat_grouped_t *same =
        leat_stream_group_by(in, "by-group", key_by_group, leat_serde_string(), NULL);
    leat_table_t *sums = leat_grouped_aggregate(
        same, "repartition-sums", add, leat_serde_bytes(), &(leat_fold_opts_t){.user = &groups});

    finish(b, prefix, "repartition", sums);
}

/* "number version": the record's number, and which version of the key's fact it met. */
static void with_fact(leat_ctx_t *ctx, const void *a, const void *b)
{
    leat_emit_value(ctx, leat_text(ctx, "%s %s", leat_cstr(ctx, a), leat_cstr(ctx, b)));
}

/* (c): each record meets a row of a table that changes all the time: no row lost, none from before a rollback. */
static void build_join(leat_builder_t *b, const char *prefix)
{
    static long keys = CHAOS_KEYS;
    const leat_serde_t *str = leat_serde_string();
    char topic[200];

    snprintf(topic, sizeof topic, "%s-facts-join", prefix);
    leat_table_t *facts = leat_builder_table(b, topic, str, str, NULL);
    leat_stream_t *joined =
        leat_stream_join_table(input(b, prefix, "join"), facts, NULL, with_fact, str, NULL);
    snprintf(topic, sizeof topic, "%s-joined-join", prefix);
    leat_stream_to(joined, topic, NULL);
    leat_table_t *sums = leat_grouped_aggregate(leat_stream_group_by_key(joined, NULL, NULL),
        "join-sums", add, leat_serde_bytes(),
        &(leat_fold_opts_t){.user = &keys, .store = {.cache = LEAT_OFF}});

    finish(b, prefix, "join", sums);
}

/* ---- which ones ---- */

static const struct {
    const char *name;
    void (*build)(leat_builder_t *b, const char *prefix);
} topologies[] = {
    {"count", build_count},
    {"repartition", build_repartition},
    {"join", build_join},
};

static void build(leat_builder_t *b)
{
    const char *prefix = leat_builder_setting(b, "program.prefix");
    const char *wanted = leat_builder_setting(b, "program.topologies");
    leat_slice_t list = leat_slice(wanted), name;
    char word[40];

    while (leat_slice_token(&list, ",", &name)) {
        size_t i = 0, count = sizeof topologies / sizeof *topologies;

        leat_slice_copy(&name, word, sizeof word);
        while (i < count && strcmp(topologies[i].name, word) != 0)
            i++;
        if (i == count) {
            fprintf(stderr, "chaos-worker: --topologies: what is %s?\n", word);
            exit(2);
        }
        topologies[i].build(b, prefix);
    }
}

int main(int argc, char **argv)
{
    static const leat_option_t options[] = {
        {"prefix", NULL, "of the topics"},
        {"topologies", "count,repartition,join", "which to run, in this order"},
        {0},
    };
    const leat_main_opts_t opts = {.about = "Counts while it is being killed.", .options = options};
    const char *level = getenv("CHAOS_LOG");

    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    setvbuf(stderr, NULL, _IOLBF, 8192); /* a line is written whole, also when the process dies */
    leat_log_to(
        on_log, NULL, level && strcmp(level, "debug") == 0 ? LEAT_LOG_DEBUG : LEAT_LOG_INFO);
    return leat_main(argc, argv, "chaos", build, &opts);
}
