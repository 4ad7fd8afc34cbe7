/*
 * Queries: an app with two stream threads on the embedded log; every kind of store read from other
 * threads while it runs, by each verb of leat/query.h, and every error that it names.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include <leat/query.h>

#include "base/map.h"
#include "runtime/app.h"
#include "thread_rig.h"

enum { IN = 3, KEYS = 3000 };

static leat_app_t *start(rig_world_t *w)
{
    leat_config_t *config = leat_config_new();
    leat_error_t err;
    leat_app_t *app;

    for (size_t i = 0; i < w->setting_count; i++)
        leat_config_set(config, w->settings[i][0], w->settings[i][1]);
    leat_config_set(config, "state.dir", w->dir);
    leat_config_set(config, "num.stream.threads", "2");
    app = leat_app_new(leat_topology_build(w->build, config), config, NULL);
    leat__app_use(app, leat__embedded_client(w->log, config));
    if (leat_app_start(app, &err) || leat_app_wait(app, LEAT_STATE_RUNNING, 30000, &err))
        fail_msg("%s: %s", err.where, err.text);
    return app;
}

static void build(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *in = leat_builder_stream(b, "in", str, str, NULL);
    leat_grouped_t *same = leat_stream_group_by_key(in, NULL, NULL);

    leat_grouped_count(same, "counts", NULL);
    leat_grouped_count(same, "per-minute",
        &(leat_fold_opts_t){.window = leat_tumbling(LEAT_MINUTES(1), 0)});
    leat_grouped_count(same, "visits", &(leat_fold_opts_t){.window = leat_session(1000, 0)});
    leat_builder_table(b, "prices", str, str,
        &(leat_source_opts_t){.store = {.name = "prices", .history_ms = LEAT_HOURS(1)}});
    leat_builder_global(b, "side", str, str, &(leat_source_opts_t){.store.name = "names"});
}

static void open_world(rig_world_t *w, const char *backend)
{
    rig_world_open_real(w, build, IN, "exactly_once_v2");
    rig_world_set(w, "dsl.store.backend", backend);
    rig_topic(w, "prices", IN, "compact");
    rig_topic(w, "side", 2, "compact");
}

/* Where clients put it. */
static void write_keyed(rig_world_t *w, const char *topic, int32_t partitions, const char *key,
    const char *value, int64_t time_ms)
{
    rig_write(w, topic, leat__partition_of(leat_slice(key), partitions), key, value, time_ms);
}

static leat_slice_t text(const char *s)
{
    return leat_slice(s);
}

/* Every write so far is in: a position that says so. */
static char *position(rig_world_t *w, const char *topic)
{
    leat__buf_t out = {0};

    for (int32_t p = 0; p < IN; p++)
        leat__buf_format(&out, "%s%s-%d@%lld", p ? "," : "", topic, (int)p,
            (long long)rig_offset(w, topic, p, LEAT__HIGH_WATERMARK));
    return leat__buf_finish(&out);
}

static void closes_well(leat_query_t *q)
{
    leat_error_t err;

    if (leat_query_close(q, &err))
        fail_msg("%s: %s", err.where, err.text);
}

static void fill_in(rig_world_t *w)
{
    char key[16];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "k%04d", i);
        write_keyed(w, "in", IN, key, "x", 1000);
        if (i % 3 == 0)
            write_keyed(w, "in", IN, key, "x", 1500);
    }
}

static void key_value(rig_world_t *w, leat_app_t *app)
{
    char *at = position(w, "in");
    leat_query_t *q = leat_query_open(app, &(leat_query_opts_t){.at_least = at});
    const leat_kv_t *counts = leat_query_kv(q, "counts");
    leat_slice_t k = text("k0003"), from = text("k0100"), to = text("k0199"), none = text("nobody");
    const leat_row_t *row;
    char last[16] = "", key[16];
    int64_t rows = 0, sum = 0;
    leat_iter_t *it;

    assert_int_equal(*(const int64_t *)leat_kv_get(counts, &k), 2);
    row = leat_kv_row(counts, &k);
    assert_int_equal(row->time_ms, 1500);
    assert_null(leat_kv_get(counts, &none));
    for (it = leat_kv_range(counts, NULL, NULL, LEAT_ASCENDING); (row = leat_iter_next(it)); rows++) {
        const leat_slice_t *s = row->key;

        snprintf(key, sizeof key, "%.*s", LEAT_P(s));
        assert_true(strcmp(last, key) < 0); /* merged in the order of keys */
        strcpy(last, key);
        sum += *(const int64_t *)row->value;
    }
    assert_int_equal(rows, KEYS);
    assert_int_equal(sum, KEYS + KEYS / 3);
    rows = 0;
    for (it = leat_kv_range(counts, &from, &to, LEAT_DESCENDING); (row = leat_iter_next(it)); rows++)
        if (rows == 0)
            assert_memory_equal(((const leat_slice_t *)row->key)->data, "k0199", 5);
    assert_int_equal(rows, 100);
    from = text("k02");
    rows = 0;
    for (it = leat_kv_prefix(counts, &from, LEAT_ASCENDING); leat_iter_next(it); rows++)
        continue;
    assert_int_equal(rows, 100);
    assert_true(leat_kv_count(counts) > 0);
    it = leat_kv_range(counts, NULL, NULL, LEAT_ASCENDING); /* left in the middle */
    assert_non_null(leat_iter_next(it));
    assert_true(strlen(leat_query_position(q)) > 0);
    assert_int_equal(leat_query_lag(q), 0);
    closes_well(q);
    leat__free(at);
}

static void windows(rig_world_t *w, leat_app_t *app)
{
    char *at = position(w, "in");
    leat_query_t *q = leat_query_open(app, &(leat_query_opts_t){.at_least = at});
    const leat_windows_t *minutes = leat_query_windows(q, "per-minute");
    const leat_sessions_t *visits = leat_query_sessions(q, "visits");
    leat_slice_t k = text("k0003");
    const leat_row_t *row;
    leat_iter_t *it;
    int rows = 0;

    assert_int_equal(*(const int64_t *)leat_windows_get(minutes, &k, 0), 2);
    assert_null(leat_windows_get(minutes, &k, 60000));
    row = leat_windows_row(minutes, &k, 0);
    assert_int_equal(row->end_ms, 60000);
    it = leat_windows_fetch(minutes, &k, INT64_MIN, INT64_MAX, LEAT_ASCENDING);
    row = leat_iter_next(it);
    assert_int_equal(row->start_ms, 0);
    assert_null(leat_iter_next(it));
    for (it = leat_windows_range(minutes, NULL, NULL, INT64_MIN, INT64_MAX, LEAT_ASCENDING);
         leat_iter_next(it);)
        rows++;
    assert_int_equal(rows, KEYS);

    assert_int_equal(*(const int64_t *)leat_sessions_get(visits, &k, 1000, 1500), 2);
    it = leat_sessions_find(visits, &k, &k, INT64_MIN, INT64_MAX, LEAT_ASCENDING);
    row = leat_iter_next(it);
    assert_int_equal(row->start_ms, 1000);
    assert_int_equal(row->end_ms, 1500);
    assert_null(leat_iter_next(it));
    closes_well(q);
    leat__free(at);
}

static void versions(rig_world_t *w, leat_app_t *app)
{
    write_keyed(w, "prices", IN, "apple", "1", 1000);
    write_keyed(w, "prices", IN, "apple", "2", 2000);
    write_keyed(w, "prices", IN, "apple", "3", 3000);
    char *at = position(w, "prices");
    leat_query_t *q = leat_query_open(app, &(leat_query_opts_t){.at_least = at});
    const leat_versions_t *prices = leat_query_versions(q, "prices");
    leat_slice_t k = text("apple");
    const leat_row_t *row = leat_versions_get(prices, &k);
    leat_iter_t *it;
    int rows = 0;

    assert_non_null(row);
    assert_memory_equal(((const leat_slice_t *)row->value)->data, "3", 1);
    row = leat_versions_as_of(prices, &k, 2500);
    assert_memory_equal(((const leat_slice_t *)row->value)->data, "2", 1);
    assert_int_equal(row->start_ms, 2000);
    assert_int_equal(row->end_ms, 3000);
    assert_null(leat_versions_as_of(prices, &k, 500));
    for (it = leat_versions_history(prices, &k, 0, 10000, LEAT_ASCENDING); leat_iter_next(it);)
        rows++;
    assert_int_equal(rows, 3);
    closes_well(q);
    leat__free(at);
}

static void global_table(rig_world_t *w, leat_app_t *app)
{
    leat_slice_t k = text("g1");
    bool found = false;

    rig_write(w, "side", 1, "g1", "one", 1000);
    for (int i = 0; i < 500 && !found; i++) {
        leat_query_t *q = leat_query_open(app, NULL);
        const leat_slice_t *value = leat_kv_get(leat_query_kv(q, "names"), &k);

        found = value && value->size == 3;
        closes_well(q);
        usleep(10000);
    }
    assert_true(found);
}

static void all_kinds(const char *backend)
{
    rig_world_t w;
    leat_app_t *app;

    open_world(&w, backend);
    fill_in(&w);
    app = start(&w);
    key_value(&w, app);
    windows(&w, app);
    versions(&w, app);
    global_table(&w, app);
    leat_app_free(app);
    rig_world_close(&w);
}

static void test_every_kind_of_store_rocksdb(void **state)
{
    (void)state;
    all_kinds("rocksdb");
}

static void test_every_kind_of_store_memory(void **state)
{
    (void)state;
    all_kinds("memory");
}

/* ---- errors ---- */

static void expect_failure(
    leat_app_t *app, const leat_query_opts_t *opts, const char *store, int kind, int code)
{
    leat_query_t *q = leat_query_open(app, opts);
    leat_slice_t k = text("k0001");
    leat_error_t err;

    if (kind == 0)
        assert_null(leat_kv_get(leat_query_kv(q, store), &k));
    else
        assert_null(leat_windows_get(leat_query_windows(q, store), &k, 0));
    assert_int_equal(leat_query_close(q, &err), code);
    assert_true(err.text[0] != '\0');
}

static void test_errors_by_name(void **state)
{
    rig_world_t w;
    leat_app_t *app;

    (void)state;
    open_world(&w, "rocksdb");
    fill_in(&w);
    app = start(&w);
    expect_failure(app, NULL, "no-such", 0, LEAT_EUNKNOWN);
    expect_failure(app, NULL, "per-minute", 0, LEAT_ETYPE);
    expect_failure(app, NULL, "counts", 1, LEAT_ETYPE);
    expect_failure(app, &(leat_query_opts_t){.partitions = "7"}, "counts", 0, LEAT_EMOVED);
    expect_failure(app, &(leat_query_opts_t){.partitions = "0,x"}, "counts", 0, LEAT_EARGUMENT);
    expect_failure(app, &(leat_query_opts_t){.at_least = "in-0"}, "counts", 0, LEAT_EARGUMENT);
    expect_failure(app,
        &(leat_query_opts_t){
            .at_least = "in-0@999999,in-1@999999,in-2@999999", .timeout_ms = 200},
        "counts", 0, LEAT_EBOUND);
    leat_app_stop(app, NULL);
    expect_failure(app, NULL, "counts", 0, LEAT_ESTATE);
    leat_app_free(app);
    rig_world_close(&w);
}

/* ---- isolation ---- */

static _Atomic int gate;

static void wait_at_gate(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;

    if (value && value->size == 4 && !memcmp(value->data, "halt", 4)) {
        gate = 1;
        while (gate == 1)
            usleep(1000);
    }
    leat_emit_value(ctx, in->value);
}

static void build_gate(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *in = leat_builder_stream(b, "in", str, str, NULL);

    leat_builder_table(b, "in2", str, str, &(leat_source_opts_t){.store.name = "rows"});
    leat_grouped_count(leat_stream_group_by_key(leat_stream_map_values(in, NULL, wait_at_gate, str, NULL),
                           NULL, NULL), "counts", NULL);
}

/* A thread that is stuck in the program's code does not answer; the query says so in time. */
static void test_a_busy_thread_is_a_timeout(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    leat_query_t *q;
    leat_slice_t k = text("a");

    (void)state;
    rig_world_open_real(&w, build_gate, 1, "exactly_once_v2");
    rig_topic(&w, "in2", 1, "compact");
    app = start(&w);
    gate = 0;
    rig_write(&w, "in", 0, "a", "halt", 1000);
    while (gate == 0)
        usleep(1000);
    q = leat_query_open(app, &(leat_query_opts_t){.timeout_ms = 100});
    assert_null(leat_kv_get(leat_query_kv(q, "counts"), &k));
    gate = 2;
    assert_int_equal(leat_query_close(q, NULL), LEAT_ETIMEOUT);
    leat_app_free(app);
    rig_world_close(&w);
}

/* `committed` shows the last commit, `latest` what the processors see. */
static void test_isolation(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    leat_slice_t k = text("a");
    const int64_t *n = NULL;
    leat_query_t *q;

    (void)state;
    rig_world_open_real(&w, build, 1, "exactly_once_v2");
    rig_world_set(&w, "commit.interval.ms", "300000"); /* none before the test is over */
    rig_world_set(&w, "transaction.timeout.ms", "600000");
    rig_topic(&w, "prices", 1, "compact");
    rig_topic(&w, "side", 1, "compact");
    app = start(&w);
    rig_write(&w, "in", 0, "a", "x", 1000);
    q = leat_query_open(app, &(leat_query_opts_t){.isolation = LEAT_ISOLATION_LATEST,
                                 .at_least = "in-0@1"});
    n = leat_kv_get(leat_query_kv(q, "counts"), &k);
    if (n)
        assert_int_equal(*n, 1);
    closes_well(q); /* says why when nothing was found */
    assert_non_null(n);
    q = leat_query_open(app, NULL);
    assert_null(leat_kv_get(leat_query_kv(q, "counts"), &k));
    assert_null(leat_iter_next(
        leat_kv_range(leat_query_kv(q, "counts"), NULL, NULL, LEAT_ASCENDING)));
    assert_null(leat_windows_get(leat_query_windows(q, "per-minute"), &k, 0));
    closes_well(q);
    leat_app_free(app);
    rig_world_close(&w);
}

/* ---- while it runs ---- */

static _Atomic int found_much;  /* readers that saw committed rows often enough */
static _Atomic bool asked_enough;

static void *ask_much(void *user)
{
    leat_app_t *app = user;
    uintptr_t found = 0;
    leat_error_t err;

    while (!asked_enough) {
        leat_query_t *q = leat_query_open(app, NULL);
        const leat_kv_t *counts = leat_query_kv(q, "counts");
        const leat_row_t *row;
        int64_t sum = 0;
        leat_iter_t *it = leat_kv_range(counts, NULL, NULL, LEAT_ASCENDING);

        while ((row = leat_iter_next(it)))
            sum += *(const int64_t *)row->value;
        if (sum > 0 && ++found == 100)
            found_much++;
        if (leat_query_close(q, &err) && leat_app_state(app) == LEAT_STATE_RUNNING) {
            print_error("%s: %s\n", err.where, err.text);
            return NULL;
        }
    }
    return (void *)found;
}

/* Readers beside writers, and an app that stops under them: for the sanitizers. */
static void test_beside_the_stream(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    pthread_t readers[3];
    void *found;

    (void)state;
    open_world(&w, "rocksdb");
    fill_in(&w);
    app = start(&w);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, ask_much, app), 0);
    fill_in(&w);
    for (int i = 0; found_much < 3 && i < 6000; i++)
        usleep(10000);
    assert_int_equal(found_much, 3);
    leat_app_stop(app, NULL);
    usleep(20000); /* they go on asking an app that has stopped */
    asked_enough = true;
    for (int i = 0; i < 3; i++) {
        pthread_join(readers[i], &found);
        assert_non_null(found);
    }
    leat_app_free(app);
    rig_world_close(&w);
}

/* ---- reports ---- */

static void keep_text(void *user, const char *data, size_t size)
{
    leat__buf_put(user, data, size);
}

static json_t *report(leat_app_t *app, leat_report_t what)
{
    leat__buf_t text = {0};
    json_error_t err;

    leat_app_report(app, what, keep_text, &text);
    json_t *json = json_loads(leat__buf_text(&text), 0, &err);
    if (!json)
        fail_msg("report %d: %s: %s", (int)what, err.text, leat__buf_text(&text));
    leat__buf_release(&text);
    return json;
}

/* Over all tasks; less than 0 while one of them does not know. */
static json_int_t sum_of(leat_app_t *app, const char *member)
{
    json_t *json = report(app, LEAT_REPORT_TASKS), *task, *one;
    json_int_t sum = 0;
    size_t i;

    json_array_foreach(json_object_get(json, "tasks"), i, task) {
        one = json_object_get(task, member);
        sum += json_is_integer(one) ? json_integer_value(one) : INT32_MIN;
    }
    json_decref(json);
    return sum;
}

/* Waits: what tasks tell is up to a second old. */
static void wait_for_sum(leat_app_t *app, const char *member, json_int_t wanted)
{
    for (int i = 0; i < 6000 && sum_of(app, member) != wanted; i++)
        usleep(10000);
    assert_int_equal(sum_of(app, member), wanted);
}

/* -1: the report does not name it. */
static json_int_t node_records(leat_app_t *app, const char *name)
{
    json_t *json = report(app, LEAT_REPORT_NODES), *node;
    json_int_t records = -1;
    size_t i;

    json_array_foreach(json_object_get(json, "nodes"), i, node)
        if (strcmp(json_string_value(json_object_get(node, "name")), name) == 0)
            records = json_integer_value(json_object_get(node, "records"));
    json_decref(json);
    return records;
}

static void wait_for_node(leat_app_t *app, const char *name, json_int_t wanted)
{
    for (int i = 0; i < 6000 && node_records(app, name) != wanted; i++)
        usleep(10000);
    assert_int_equal(node_records(app, name), wanted);
}

static void test_nodes_tell_their_records(void **state)
{
    rig_world_t w;
    leat_app_t *app;

    (void)state;
    open_world(&w, "memory");
    app = start(&w);
    fill_in(&w);
    wait_for_node(app, "KSTREAM-SOURCE-0000000000", KEYS + KEYS / 3);
    wait_for_node(app, "visits", KEYS + KEYS / 3);
    wait_for_node(app, "KTABLE-SOURCE-0000000005", 0);
    write_keyed(&w, "prices", IN, "a", "1", 1000);
    wait_for_node(app, "KTABLE-SOURCE-0000000005", 1);
    assert_int_equal(node_records(app, "side"), -1); /* of a global table: in no task */
    leat_app_free(app);
    rig_world_close(&w);
}

static void test_tasks_tell_lag(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    json_int_t written = 1;

    (void)state;
    open_world(&w, "memory");
    app = start(&w);
    write_keyed(&w, "in", IN, "a", "x", 1000);
    wait_for_sum(app, "processed", 1);
    wait_for_sum(app, "lag", 0);
    leat_app_pause(app); /* its threads get to know soon: what is written then stays */
    for (; written < 6000 && sum_of(app, "lag") <= 0; written++, usleep(10000))
        write_keyed(&w, "in", IN, "a", "x", 1000);
    assert_true(sum_of(app, "lag") > 0);
    assert_true(leat_app_metric(app, "records-lag") > 0);
    leat_app_resume(app);
    wait_for_sum(app, "lag", 0);
    wait_for_sum(app, "processed", written);
    assert_true(leat_app_metric(app, "records-lag") == 0);
    leat_app_free(app);
    rig_world_close(&w);
}

static void test_reports(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    leat__buf_t text = {0};
    json_t *json, *workers = NULL;
    size_t tasks;

    (void)state;
    open_world(&w, "rocksdb");
    app = start(&w);
    for (int i = 0; i < 500 && leat_app_metric(app, "tasks") < 2 * IN; i++)
        usleep(10000); /* numbers are up to a second old */
    json = report(app, LEAT_REPORT_TASKS);
    assert_string_equal(json_string_value(json_object_get(json, "state")), "RUNNING");
    tasks = json_array_size(json_object_get(json, "tasks"));
    assert_int_equal(tasks, 2 * IN); /* of two sub-topologies; the global one has none */
    json_decref(json);
    json = report(app, LEAT_REPORT_WORKERS);
    workers = json_array_get(json_object_get(json, "workers"), 0);
    assert_int_equal(json_array_size(json_object_get(workers, "tasks")), tasks);
    assert_int_equal(json_array_size(json_object_get(workers, "standbys")), 0);
    assert_true(json_is_true(json_object_get(workers, "leads")));
    json_decref(json);
    json_decref(report(app, LEAT_REPORT_TOPOLOGY));
    leat_app_report(app, LEAT_REPORT_METRICS, keep_text, &text);
    assert_non_null(strstr(leat__buf_text(&text), "# TYPE leat_records_total counter\n"));
    assert_non_null(strstr(text.data, "leat_tasks{application_id=\"app\",thread=\"0\"} 3\n"));
    leat__buf_release(&text);
    assert_true(leat_app_metric(app, "tasks") == (double)tasks);
    assert_true(isnan(leat_app_metric(app, "no-such")));
    leat_app_stop(app, NULL);
    json = report(app, LEAT_REPORT_TASKS);
    assert_int_equal(json_array_size(json_object_get(json, "tasks")), 0);
    json_decref(json);
    json_decref(report(app, LEAT_REPORT_WORKERS));
    json_decref(report(app, LEAT_REPORT_TOPOLOGY));
    leat_app_free(app);
    rig_world_close(&w);
}

/* ---- a topic as a table ---- */

static void test_view(void **state)
{
    rig_world_t w;
    leat_config_t *config = leat_config_new();
    leat_slice_t k = text("apple");
    leat_error_t err;
    leat_app_t *app;
    leat_query_t *q;
    const leat_slice_t *price;

    (void)state;
    open_world(&w, "rocksdb");
    write_keyed(&w, "prices", IN, "apple", "1.25", 1000);
    leat_config_set(config, "bootstrap.servers", "embedded:");
    leat_config_set(config, "state.dir", w.dir);
    app = leat_app_view("prices", leat_serde_string(), leat_serde_string(), config, NULL);
    leat__app_use(app, leat__embedded_client(w.log, config));
    if (leat_app_start(app, &err) || leat_app_wait(app, LEAT_STATE_RUNNING, 30000, &err))
        fail_msg("%s: %s", err.where, err.text);
    q = leat_query_open(app, NULL);
    price = leat_kv_get(leat_query_kv(q, "prices"), &k);
    assert_non_null(price);
    assert_memory_equal(price->data, "1.25", 4);
    closes_well(q);
    leat_app_free(app);
    rig_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_store_rocksdb),
        cmocka_unit_test(test_every_kind_of_store_memory),
        cmocka_unit_test(test_errors_by_name),
        cmocka_unit_test(test_a_busy_thread_is_a_timeout),
        cmocka_unit_test(test_isolation),
        cmocka_unit_test(test_beside_the_stream),
        cmocka_unit_test(test_reports), cmocka_unit_test(test_tasks_tell_lag),
        cmocka_unit_test(test_nodes_tell_their_records),
        cmocka_unit_test(test_view),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
