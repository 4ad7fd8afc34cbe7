/*
 * tests/bench/leat_bench.c: leat as an engine of the benchmark (SPEC.md): w1 to w6 over the public
 * API.
 *
 * Arguments are key=value. Those of SPEC.md are translated; a key with a dot in it is a property of
 * leat or, behind "consumer." and "producer.", of librdkafka, so that `bench.py run -x
 * statestore.buffer.max.bytes=...` reaches it. Prints `STATE RUNNING <epoch ms>`, and the two lines
 * of each restored store; SIGTERM is a clean stop.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct name_t {
    const char *spec, *property;
} name_t;

static const name_t names[] = {
    {"app", "application.id"},
    {"brokers", "bootstrap.servers"},
    {"state", "state.dir"},
    {"threads", "num.stream.threads"},
    {"commit", "commit.interval.ms"},
    {"cache", "statestore.cache.max.bytes"},
};

static const char *const other_names[] = {"workload", "guarantee", "in", "out", "leave"};

static const char *arg(int count, char **args, const char *key, const char *otherwise)
{
    size_t size = strlen(key);

    for (int i = 1; i < count; i++)
        if (strncmp(args[i], key, size) == 0 && args[i][size] == '=')
            return args[i] + size + 1;
    return otherwise;
}

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- workloads ---- */

static void upper_case(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;
    leat_slice_t upper;
    char *room;

    if (!value) {
        leat_emit_value(ctx, NULL);
        return;
    }
    room = leat_scratch(ctx, value->size + 1);
    for (size_t i = 0; i < value->size; i++) {
        char c = value->data[i];

        room[i] = (char)(c - ((c >= 'a' && c <= 'z') << 5));
    }
    upper = (leat_slice_t){room, value->size};
    leat_emit_value(ctx, &upper);
}

static void split_words(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_slice_t rest, word;

    if (!in->value)
        return;
    rest = *(const leat_slice_t *)in->value;
    while (leat_slice_token(&rest, " ", &word))
        leat_emit_value(ctx, &word);
}

static void key_by_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_key(ctx, in->value);
}

/* The digits of a number, up to `end`; their first. */
static char *put_digits(char *end, int64_t number)
{
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do {
        *--end = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        *--end = '-';
    return end;
}

static void decimal(leat_ctx_t *ctx, const leat_record_t *in)
{
    char digits[24], *end = digits + sizeof digits, *at;
    leat_slice_t text;

    if (!in->value) {
        leat_emit_value(ctx, NULL);
        return;
    }
    at = put_digits(end, *(const int64_t *)in->value);
    text = (leat_slice_t){at, (size_t)(end - at)};
    leat_emit_value(ctx, &text);
}

/* KEY@WINDOWSTARTMS */
static void name_window(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_windowed_t *window = in->key;
    const leat_slice_t *key = window->key;
    char digits[24], *end = digits + sizeof digits, *at = put_digits(end, window->start_ms);
    size_t size = key->size + 1 + (size_t)(end - at);
    char *name = leat_scratch(ctx, size);
    leat_slice_t text = {name, size};

    memcpy(name, key->data, key->size);
    name[key->size] = '@';
    memcpy(name + key->size + 1, at, (size_t)(end - at));
    leat_emit_key(ctx, &text);
}

/* Both values, one behind the other. */
static void add(leat_ctx_t *ctx, const void *left, const void *right)
{
    const leat_slice_t *a = left, *b = right;
    char *both = leat_scratch(ctx, a->size + b->size + 1);
    leat_slice_t text = {both, a->size + b->size};

    memcpy(both, a->data, a->size);
    memcpy(both + a->size, b->data, b->size);
    leat_emit_value(ctx, &text);
}

static void counts_to(leat_grouped_t *same, const char *out, bool windows)
{
    const leat_to_stream_opts_t by_name = {.key = name_window, .key_serde = leat_serde_string()};
    const leat_fold_opts_t tumbling = {.window = leat_tumbling(LEAT_SECONDS(10), LEAT_SECONDS(5))};
    leat_table_t *counts = leat_grouped_count(same, "counts", windows ? &tumbling : NULL);
    leat_stream_t *changes = leat_table_to_stream(counts, NULL, windows ? &by_name : NULL);

    leat_stream_to(
        leat_stream_map_values(changes, NULL, decimal, leat_serde_string(), NULL), out, NULL);
}

static void join(leat_builder_t *b, const char *in, const char *in2, const char *out, bool table)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *left = leat_builder_stream(b, in, str, str, NULL), *joined;

    if (table)
        joined = leat_stream_join_table(left,
            leat_builder_table(
                b, in2, str, str, &(leat_source_opts_t){.store = {.name = "table"}}),
            NULL, add, str, NULL);
    else
        joined = leat_stream_join(left, leat_builder_stream(b, in2, str, str, NULL), NULL, add, str,
            leat_within(LEAT_SECONDS(1), LEAT_SECONDS(5)), NULL);
    leat_stream_to(joined, out, NULL);
}

static void one_input(leat_builder_t *b, const char *workload, const char *in, const char *out)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *records = leat_builder_stream(b, in, str, str, NULL);

    if (strcmp(workload, "w1") == 0) {
        leat_stream_to(leat_stream_map_values(records, NULL, upper_case, str, NULL), out, NULL);
    } else if (strcmp(workload, "w2") == 0) {
        leat_stream_t *words = leat_stream_flat_map_values(records, NULL, split_words, str, NULL);

        counts_to(leat_stream_group_by(words, NULL, key_by_value, str, NULL), out, false);
    } else {
        counts_to(leat_stream_group_by_key(records, NULL, NULL), out, strcmp(workload, "w4") == 0);
    }
}

/* in: one topic, or two with a comma between. NULL: no such workload. */
static leat_topology_t *topology(const char *workload, const char *in, const char *out)
{
    static const char *const workloads[] = {"w1", "w2", "w3", "w3c", "w4", "w5", "w6"};
    const char *comma = strchr(in, ',');
    bool joins = strcmp(workload, "w5") == 0 || strcmp(workload, "w6") == 0, known = false;
    leat_builder_t *b;
    char first[250];

    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        known |= strcmp(workload, workloads[i]) == 0;
    if (!known || joins != (comma != NULL) || (comma && (size_t)(comma - in) >= sizeof first))
        return NULL;
    b = leat_builder_new();
    if (joins) {
        memcpy(first, in, (size_t)(comma - in));
        first[comma - in] = 0;
        join(b, first, comma + 1, out, workload[1] == '5');
    } else {
        one_input(b, workload, in, out);
    }
    return leat_builder_finish(b);
}

/* ---- what the harness reads ---- */

static const char *state_name(leat_state_t state)
{
    static const char *const state_names[] = {"CREATED", "REBALANCING", "RUNNING",
        "PENDING_SHUTDOWN", "NOT_RUNNING", "PENDING_ERROR", "ERROR"};

    return (size_t)state < sizeof state_names / sizeof *state_names ? state_names[state] : "?";
}

static void on_state(void *user, leat_state_t now, leat_state_t before)
{
    (void)user;
    (void)before;
    printf("STATE %s %lld\n", state_name(now), now_ms());
    fflush(stdout);
}

static void on_restore(void *user, const leat_restore_t *r)
{
    (void)user;
    if (r->standby || (r->event != LEAT_RESTORE_START && r->event != LEAT_RESTORE_END))
        return;
    printf("RESTORE_%s %s-%d %lld %lld\n", r->event == LEAT_RESTORE_START ? "START" : "END",
        r->topic, (int)r->partition,
        (long long)((r->event == LEAT_RESTORE_START ? r->end : r->at) - r->start), now_ms());
    fflush(stdout);
}

/* ---- the command line ---- */

static const char *property_of(const char *key)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(key, names[i].spec) == 0)
            return names[i].property;
    return strchr(key, '.') ? key : NULL;
}

static bool is_other(const char *key)
{
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++)
        if (strcmp(key, other_names[i]) == 0)
            return true;
    return false;
}

static bool take_args(int count, char **args, leat_config_t *config)
{
    for (int i = 1; i < count; i++) {
        const char *equals = strchr(args[i], '=');
        char key[200] = "";

        if (equals && (size_t)(equals - args[i]) < sizeof key)
            memcpy(key, args[i], (size_t)(equals - args[i]));
        if (property_of(key)) {
            leat_config_set(config, property_of(key), equals + 1);
        } else if (!is_other(key)) {
            fprintf(stderr,
                "leat-bench: what is %s? (SPEC.md names the arguments, all key=value)\n", args[i]);
            return false;
        }
    }
    if (strcmp(arg(count, args, "guarantee", "alo"), "eos") == 0)
        leat_config_set(config, "processing.guarantee", "exactly_once_v2");
    return true;
}

int main(int count, char **args)
{
    const char *workload = arg(count, args, "workload", ""), *in = arg(count, args, "in", "");
    const char *out = arg(count, args, "out", "");
    leat_config_t *config = leat_config_new();
    leat_topology_t *built;
    leat_app_t *app;
    leat_error_t err;
    int rc;

    leat_config_set(config, "bootstrap.servers", "127.0.0.1:9092");
    leat_config_set(config, "auto.offset.reset", "earliest");
    built = take_args(count, args, config) && in[0] && out[0] ? topology(workload, in, out) : NULL;
    if (!built) {
        fprintf(stderr,
            "usage: leat-bench workload=w1|w2|w3|w3c|w4|w5|w6 in=TOPIC[,TOPIC] out=TOPIC app=ID [guarantee=alo|eos] "
            "[threads=N]\n"
            "  [commit=MS] [cache=BYTES] [state=DIR] [brokers=HOST:PORT] [PROPERTY=VALUE ...]\n");
        leat_config_free(config);
        return 2;
    }
    app = leat_app_new(
        built, config, &(leat_app_opts_t){.on_state = on_state, .on_restore = on_restore});
    rc = leat_app_run_until_signal(app, &err);
    if (rc)
        fprintf(stderr, "leat-bench: %s: %s\n", err.where, err.text);
    leat_app_free(app);
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
