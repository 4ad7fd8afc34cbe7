/*
 * tests/unit/test_ttl.c: rows of key-value stores that are over: .ttl_ms.
 * Method: one store under a clock of the test, in memory and on RocksDB, with and without a cache;
 * then random puts, commits, aborts, checkpoints and reopenings against a plain model; then whole
 * tables in the driver.
 */
#include <inttypes.h>

#include "rows_backend.h"
#include "store_kit.h"
#include "statestore/ttl.h"
#include "dsl_kit.h"

enum { TTL_MS = 100 };

static int64_t clock_ms;

static void start(kit_t *kit, const leat_backend_t *backend, bool cached)
{
    kit_init(kit);
    clock_ms = -1;
    kit->def.kind = LEAT_TIMESTAMPED_KV;
    kit->def.backend = backend;
    kit->def.cached = cached;
    kit->def.opts.ttl_ms = TTL_MS;
    kit->def.clock_ms = &clock_ms;
    kit_open(kit);
}

static void put_at(kit_t *kit, const char *key, const char *value, int64_t time_ms)
{
    leat_slice_t v = leat_slice(value);

    if (time_ms > clock_ms)
        clock_ms = time_ms;
    leat__store_put(kit->store, leat_slice(key), &v, time_ms, NULL);
}

/* ---- what is over ---- */

static void rows_go(const leat_backend_t *backend, bool cached)
{
    kit_t kit;

    start(&kit, backend, cached);
    put_at(&kit, "a", "1", 1000);
    put_at(&kit, "b", "2", 1050);
    clock_ms = 1100;
    kit_expect(&kit, "a", "1"); /* just as old as allowed */
    kit_expect_rows(kit_all(&kit), "a=1 b=2");
    clock_ms = 1101;
    kit_expect(&kit, "a", NULL);
    kit_expect_rows(kit_all(&kit), "b=2");
    put_at(&kit, "a", "3", 1090); /* a younger value: there again */
    kit_expect(&kit, "a", "3");
    put_at(&kit, "a", "4", 900); /* the last put counts, and it is over at once */
    kit_expect(&kit, "a", NULL);
    kit_commit(&kit);
    kit_checkpoint(&kit);
    kit_expect(&kit, "a", NULL);
    kit_expect_rows(kit_all(&kit), "b=2");
    kit_release(&kit);
}

static void test_old_rows_are_not_there(void **state)
{
    (void)state;
    rows_go(leat_backend_memory(), false);
    rows_go(leat_backend_memory(), true);
    rows_go(leat_backend_rocksdb(), false);
    rows_go(leat_backend_rocksdb(), true);
    rows_go(&passing_backend, true);
}

static void test_a_store_without_clock_or_ttl_keeps_all(void **state)
{
    kit_t kit;

    (void)state;
    start(&kit, leat_backend_rocksdb(), false);
    kit_close(&kit);
    kit.def.opts.ttl_ms = 0;
    kit_open(&kit);
    put_at(&kit, "a", "1", 0);
    clock_ms = 1000000;
    kit_expect(&kit, "a", "1");
    kit_release(&kit);
}

/* ---- listeners of a cached store see no old value that is over ---- */

static char heard[256];

static void hear(void *user, leat__store_t *s, const leat__change_view_t *change)
{
    size_t at = strlen(heard);

    (void)user;
    (void)s;
    snprintf(heard + at, sizeof heard - at, "%s%.*s:%.*s>%.*s", at ? " " : "",
        (int)change->key.size, change->key.data,
        change->old_value ? (int)change->old_value->size : 4,
        change->old_value ? change->old_value->data : "none",
        change->value ? (int)change->value->size : 4, change->value ? change->value->data : "none");
}

static void test_a_listener_gets_no_old_value_that_is_over(void **state)
{
    kit_t kit;
    size_t logged;

    (void)state;
    start(&kit, leat_backend_rocksdb(), true);
    leat__store_on_flush(kit.store, hear, NULL, true);
    heard[0] = '\0';
    put_at(&kit, "a", "1", 10);
    put_at(&kit, "b", "1", 90);
    kit_commit(&kit);
    put_at(&kit, "a", "2", 150);
    put_at(&kit, "b", "2", 150);
    kit_commit(&kit);
    assert_string_equal(heard, "a:none>1 b:none>1 a:none>2 b:1>2");
    logged = kit.count;
    clock_ms = 1000;
    leat__store_put(kit.store, leat_slice("a"), NULL, 1000, NULL);
    kit_commit(&kit);
    assert_string_equal(heard, "a:none>1 b:none>1 a:none>2 b:1>2"); /* it was not there */
    assert_int_equal(kit.count, logged);
    kit_release(&kit);
}

/* ---- room ---- */

static size_t rows_beneath(kit_t *kit)
{
    leat_slice_t open = {NULL, 0}, key;
    leat__scan_t *scan = leat__beneath_scan(kit->store, open, open, LEAT_ASCENDING);
    leat__view_t value;
    size_t count = 0;

    while (scan && leat__beneath_next(scan, &key, &value))
        count++;
    leat__beneath_end(scan);
    return count;
}

/* Each key once, one a millisecond: TTL_MS of them live. */
static void bounded(const leat_backend_t *backend)
{
    kit_t kit;
    char key[32];
    size_t most = 0;

    start(&kit, backend, false);
    for (int i = 0; i < 6000; i++) {
        snprintf(key, sizeof key, "%08x", (unsigned)i * 2654435761U);
        put_at(&kit, key, "v", i);
        if (i % 50 != 49)
            continue;
        kit_commit(&kit);
        kit_checkpoint(&kit);
        kit_check(&kit);
        size_t rows = kit.store->resident ? kit.store->count : rows_beneath(&kit);
        most = rows > most ? rows : most;
    }
    assert_true(most >= TTL_MS && most <= 6 * TTL_MS);
    kit_release(&kit);
}

static void test_what_is_over_leaves_memory_and_the_backend(void **state)
{
    (void)state;
    bounded(leat_backend_memory());
    bounded(leat_backend_rocksdb());
    bounded(&passing_backend);
}

static void test_only_committed_time_deletes(void **state)
{
    kit_t kit;

    (void)state;
    start(&kit, leat_backend_rocksdb(), false);
    put_at(&kit, "a", "1", 10);
    kit_commit(&kit);
    kit_checkpoint(&kit);
    put_at(&kit, "b", "1", 5000);
    kit_expect(&kit, "a", NULL);
    kit_checkpoint(&kit);
    kit_abort(&kit);
    clock_ms = 10; /* back to the committed time, as a task's after an abort */
    kit_expect(&kit, "a", "1");
    put_at(&kit, "c", "1", 20);
    kit_commit(&kit);
    kit_checkpoint(&kit);
    kit_expect_rows(kit_all(&kit), "a=1 c=1");
    kit_release(&kit);
}

static void test_a_row_put_anew_survives_the_sweep_of_its_old_version(void **state)
{
    kit_t kit;

    (void)state;
    start(&kit, leat_backend_rocksdb(), false);
    put_at(&kit, "a", "1", 10);
    kit_commit(&kit);
    kit_checkpoint(&kit);
    put_at(&kit, "a", "2", 5000);
    kit_commit(&kit);
    kit_checkpoint(&kit); /* sweeps a=1 and writes a=2 */
    kit_reopen(&kit);
    kit_expect(&kit, "a", "2");
    kit_release(&kit);
}

/* ---- against a model ---- */

enum { KEYS = 40, STEPS = 30000, STEPS_ON_DISK = 5000 };

typedef struct model_t {
    bool there[KEYS];
    int64_t time_ms[KEYS];
    int value[KEYS];
    int64_t clock_ms;
} model_t;

static void check_model(kit_t *kit, const model_t *m)
{
    char want[2048] = "", key[8];
    size_t at = 0;

    for (int k = 0; k < KEYS; k++) {
        char value[16];
        bool alive = m->there[k] && m->time_ms[k] >= m->clock_ms - TTL_MS;

        snprintf(key, sizeof key, "k%02d", k);
        snprintf(value, sizeof value, "%d", m->value[k]);
        kit_expect(kit, key, alive ? value : NULL);
        if (alive)
            at += (size_t)snprintf(
                want + at, sizeof want - at, "%s%s=%s", at ? " " : "", key, value);
    }
    kit_expect_rows(kit_all(kit), want);
}

static void random_steps(const leat_backend_t *backend, bool cached, uint64_t random)
{
    kit_t kit;
    model_t now = {.clock_ms = -1}, committed = now;

    start(&kit, backend, cached);
    for (int step = 0; step < (backend->persistent ? STEPS_ON_DISK : STEPS); step++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        int what = (int)(random % 100), k = (int)(random / 100 % KEYS);
        char key[8], value[16];

        snprintf(key, sizeof key, "k%02d", k);
        if (what < 70) {
            int64_t time_ms = clock_ms + 8 - (int64_t)(random / 10000 % 14);
            snprintf(value, sizeof value, "%d", step);
            put_at(&kit, key, value, time_ms < 0 ? 0 : time_ms);
            now.there[k] = true;
            now.value[k] = step;
            now.time_ms[k] = time_ms < 0 ? 0 : time_ms;
            now.clock_ms = clock_ms;
        } else if (what < 75) {
            leat__store_put(kit.store, leat_slice(key), NULL, clock_ms, NULL);
            now.there[k] = false;
        } else if (what < 85) {
            kit_commit(&kit);
            committed = now;
        } else if (what < 90) {
            kit_checkpoint(&kit);
        } else if (what < 94) {
            kit_abort(&kit);
            now = committed;
            clock_ms = now.clock_ms;
        } else if (what < 95) {
            clock_ms = committed.clock_ms; /* from the offsets of the input */
            now = committed;
            if (random / 7 % 2)
                kit.opts.wall_ms += 1; /* any */
            kit_reopen(&kit);
        } else if (what < 96) {
            leat__task_state_evict(kit.state, SIZE_MAX);
        } else {
            check_model(&kit, &now);
        }
    }
    kit_check(&kit);
    kit_release(&kit);
}

static void test_random_steps_agree_with_a_model(void **state)
{
    (void)state;
    random_steps(leat_backend_memory(), false, 88172645463325252U);
    random_steps(leat_backend_memory(), true, 88172645463325253U);
    random_steps(leat_backend_rocksdb(), false, 88172645463325254U);
    random_steps(leat_backend_rocksdb(), true, 88172645463325255U);
    random_steps(&passing_backend, true, 88172645463325256U);
    random_steps(&kept_backend, false, 88172645463325257U);
    rows_forget(&surviving);
}

/* ---- tables ---- */

static void counting(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);
    leat_fold_opts_t opts = {.store = {.name = "counts", .ttl_ms = TTL_MS}};

    leat_table_to(
        leat_grouped_count(leat_stream_group_by_key(in, NULL, NULL), "count", &opts), "out", NULL);
}

static void count_again(const char *cache_bytes)
{
    leat_test_t *t = drive(counting, cache_bytes);

    pipe_text(t, "in", "a", "x", 10);
    pipe_text(t, "in", "a", "x", 110);
    expect_text(t, "out", "a=1@10");
    expect_text(t, "out", "a=2@110");
    pipe_text(t, "in", "b", "x", 300); /* time goes on; nothing is said of a */
    expect_text(t, "out", "b=1@300");
    pipe_text(t, "in", "a", "x", 301);
    expect_text(t, "out", "a=1@301");
    expect_text(t, "out", NULL);
    leat_test_free(t);
}

static void test_a_fold_begins_anew_when_its_row_is_over(void **state)
{
    (void)state;
    count_again("0");
    count_again("1000000");
}

static leat_fold_opts_t refused;

static void refusing(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_table_to(leat_grouped_count(leat_stream_group_by_key(in, NULL, NULL), "count", &refused),
        "out", NULL);
}

static void refusing_global(leat_builder_t *b)
{
    leat_builder_global(
        b, "in", str(), str(), &(leat_source_opts_t){.store = {.name = "g", .ttl_ms = 1}});
}

static void refusing_plain(leat_builder_t *b)
{
    leat_builder_store(b, "plain", LEAT_KV, str(), str(), &(leat_store_opts_t){.ttl_ms = 1});
    leat_stream_process(leat_builder_stream(b, "in", str(), str(), NULL), "p", same, str(), str(),
        &(leat_node_opts_t){.stores = "plain"});
}

static void expect_refusal(leat_build_fn build, const char *word)
{
    leat_topology_t *t = leat_topology_build(build, NULL);
    leat_error_t err;

    assert_int_equal(leat_topology_check(t, NULL, &err), LEAT_EARGUMENT);
    if (!strstr(err.text, word))
        fail_msg("'%s' does not say '%s'", err.text, word);
    leat_topology_free(t);
}

static void test_ttl_is_refused_where_rows_have_no_time_of_their_own(void **state)
{
    (void)state;
    refused = (leat_fold_opts_t){.store = {.ttl_ms = -1}};
    expect_refusal(refusing, "negative");
    refused = (leat_fold_opts_t){.store = {.ttl_ms = 1}, .window = leat_tumbling(10, 0)};
    expect_refusal(refusing, "retention_ms");
    refused = (leat_fold_opts_t){.store = {.ttl_ms = 1, .history_ms = 10}};
    expect_refusal(refusing, "history_ms");
    expect_refusal(refusing_global, "global");
    expect_refusal(refusing_plain, "timestamped");
}

static void test_the_changelog_forgets_too(void **state)
{
    leat_topology_t *t = leat_topology_build(counting, NULL);
    const char *text = leat_topology_describe(t, NULL, LEAT_FORMAT_JSON);

    (void)state;
    assert_non_null(strstr(text, "compact,delete"));
    assert_non_null(strstr(text, "86400100")); /* ttl and a day */
    leat_topology_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_rows_are_not_there),
        cmocka_unit_test(test_a_store_without_clock_or_ttl_keeps_all),
        cmocka_unit_test(test_a_listener_gets_no_old_value_that_is_over),
        cmocka_unit_test(test_what_is_over_leaves_memory_and_the_backend),
        cmocka_unit_test(test_only_committed_time_deletes),
        cmocka_unit_test(test_a_row_put_anew_survives_the_sweep_of_its_old_version),
        cmocka_unit_test(test_random_steps_agree_with_a_model),
        cmocka_unit_test(test_a_fold_begins_anew_when_its_row_is_over),
        cmocka_unit_test(test_ttl_is_refused_where_rows_have_no_time_of_their_own),
        cmocka_unit_test(test_the_changelog_forgets_too),
    };

    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
