/*
 * Joins that need a whole app: global tables (filled before the first record, all partitions in
 * every process, kept over a restart) and foreign-key joins between tables of different numbers of
 * partitions.
 * Method: an app with two stream threads on the embedded log, written to and read from outside;
 * it is stopped and started again on the same state directory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/app.h"
#include "thread_rig.h"

enum { MAX = 4000, IN = 2, SIDE = 3, KEYS = 40 };

static rig_record_t room[MAX];

/* ---- an app on the world's log ---- */

static leat_app_t *start(rig_world_t *w, leat_build_fn build)
{
    leat_config_t *config = leat_config_new();
    leat_error_t err;
    leat_app_t *app;

    for (size_t i = 0; i < w->setting_count; i++)
        leat_config_set(config, w->settings[i][0], w->settings[i][1]);
    leat_config_set(config, "state.dir", w->dir);
    leat_config_set(config, "num.stream.threads", "2");
    app = leat_app_new(leat_topology_build(build, config), config, NULL);
    leat__app_use(app, leat__embedded_client(w->log, config));
    if (leat_app_start(app, &err))
        fail_msg("%s: %s", err.where, err.text);
    return app;
}

/* Committed records of "out", once there are so many of them; no others come in a while. */
static size_t await(rig_world_t *w, leat_app_t *app, int32_t partitions, size_t count)
{
    leat_error_t err = {0};
    size_t found = 0;

    for (int i = 0; i < 1000 && found < count; i++) {
        usleep(20000);
        found = rig_read(w, "out", partitions, true, room, MAX);
        if (leat_app_state(app) == LEAT_STATE_ERROR) {
            leat_app_wait(app, LEAT_STATE_RUNNING, 0, &err);
            fail_msg("the app ended: %s: %s", err.where, err.text);
        }
    }
    assert_int_equal(found, count);
    return found;
}

static const char *last_of(size_t count, const char *key)
{
    const char *value = NULL;

    for (size_t i = 0; i < count; i++)
        if (strcmp(room[i].key, key) == 0)
            value = room[i].null_value ? "null" : room[i].value;
    return value;
}

static void join_text(leat_ctx_t *ctx, const void *a, const void *b)
{
    const leat_slice_t none = {"none", 4}, *left = a, *right = b ? b : &none;

    leat_emit_value(ctx, leat_text(ctx, "%.*s+%.*s", LEAT_P(left), LEAT_P(right)));
}

static void key_is_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_key(ctx, in->value);
}

/* ---- global tables ---- */

static void build_global(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_global_t *names =
        leat_builder_global(b, "side", str, str, &(leat_source_opts_t){.store.name = "names"});
    leat_stream_t *in = leat_builder_stream(b, "in", str, str, NULL);

    leat_stream_to(leat_stream_join_global(in, names, NULL, key_is_value, join_text, str,
                       &(leat_join_opts_t){.kind = LEAT_LEFT}),
        "out", NULL);
}

static void write_side(rig_world_t *w, const char *prefix)
{
    char key[16], value[32];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "g%d", i);
        snprintf(value, sizeof value, "%s%d", prefix, i);
        rig_write(w, "side", i % SIDE, key, value, 1000 + i);
    }
}

static void write_in(rig_world_t *w, const char *prefix)
{
    char key[16], value[16];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "%s%d", prefix, i);
        snprintf(value, sizeof value, "g%d", i);
        rig_write(w, "in", i % IN, key, value, 2000 + i);
    }
}

static void check_in(size_t count, const char *prefix, const char *side)
{
    char key[16], value[64];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "%s%d", prefix, i);
        snprintf(value, sizeof value, "g%d+%s%d", i, side, i);
        assert_string_equal(last_of(count, key), value);
    }
}

static void global(const char *backend)
{
    rig_world_t w;
    leat_app_t *app;

    rig_world_open_real(&w, build_global, IN, "exactly_once_v2");
    rig_world_set(&w, "dsl.store.backend", backend);
    rig_topic(&w, "side", SIDE, "compact");
    write_side(&w, "one");
    write_in(&w, "a"); /* all there before the start: yet each finds its row */
    app = start(&w, build_global);
    check_in(await(&w, app, IN, KEYS), "a", "one");
    leat_app_free(app);

    rig_write(&w, "side", 0, "g0", NULL, 3000); /* while nobody runs */
    write_in(&w, "b");
    app = start(&w, build_global);
    assert_string_equal(last_of(await(&w, app, IN, 2 * KEYS), "b0"), "g0+none");
    assert_string_equal(last_of(2 * KEYS, "b1"), "g1+one1");

    write_side(&w, "two"); /* while it runs: visible soon, not at once */
    usleep(1500000);
    write_in(&w, "c");
    check_in(await(&w, app, IN, 3 * KEYS), "c", "two");
    leat_app_free(app);
    rig_world_close(&w);
}

static void test_global_table_is_filled_before_the_first_record_and_followed(void **state)
{
    (void)state;
    global("rocksdb");
}

static void test_global_table_in_memory_is_filled_again_at_each_start(void **state)
{
    (void)state;
    global("memory");
}

static void write_global(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_put(leat_kv(ctx, "names"), in->key, in->value);
}

static void build_writer(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_builder_global(b, "side", str, str, &(leat_source_opts_t){.store.name = "names"});
    leat_stream_process(
        leat_builder_stream(b, "in", str, str, NULL), NULL, write_global, str, str, NULL);
}

static void test_global_store_written_by_another_processor_fails(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    leat_error_t err;

    (void)state;
    rig_world_open_real(&w, build_writer, IN, "at_least_once");
    rig_topic(&w, "side", SIDE, "compact");
    rig_write(&w, "in", 0, "k", "v", 1);
    app = start(&w, build_writer);
    assert_int_equal(leat_app_wait(app, LEAT_STATE_NOT_RUNNING, 20000, &err), LEAT_EUNSUPPORTED);
    assert_int_equal(leat_app_state(app), LEAT_STATE_ERROR);
    leat_app_free(app);
    rig_world_close(&w);
}

/* ---- foreign keys ---- */

static void build_foreign(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_table_t *left = leat_builder_table(b, "in", str, str, NULL);
    leat_table_t *right = leat_builder_table(b, "side", str, str, NULL);

    leat_table_to(leat_table_join_foreign(left, right, "fk", key_is_value, join_text, str, NULL),
        "out", NULL);
}

/* A record where Kafka's clients would put it. */
static void put(rig_world_t *w, const char *topic, int32_t partitions, const char *key,
    const char *value, int64_t time_ms)
{
    rig_write(w, topic, leat__partition_of(leat_slice(key), partitions), key, value, time_ms);
}

static void test_foreign_key_join_of_tables_with_other_partition_counts(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    char key[16], value[64], wanted[96];
    size_t count;

    (void)state;
    rig_world_open_real(&w, build_foreign, IN, "exactly_once_v2");
    rig_topic(&w, "side", SIDE, "delete");
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "g%d", i);
        snprintf(value, sizeof value, "r%d", i);
        put(&w, "side", SIDE, key, value, 1);
    }
    app = start(&w, build_foreign);
    assert_int_equal(leat_app_wait(app, LEAT_STATE_RUNNING, 20000, NULL), 0);
    usleep(1000000); /* the right side is in: one result per left row, then */
    for (int i = 0; i < 2 * KEYS; i++) {
        snprintf(key, sizeof key, "p%d", i);
        snprintf(value, sizeof value, "g%d", i % KEYS);
        put(&w, "in", IN, key, value, 10);
    }
    count = await(&w, app, IN, 2 * KEYS);
    for (int i = 0; i < 2 * KEYS; i++) {
        snprintf(key, sizeof key, "p%d", i);
        snprintf(wanted, sizeof wanted, "g%d+r%d", i % KEYS, i % KEYS);
        assert_string_equal(last_of(count, key), wanted);
    }
    put(&w, "side", SIDE, "g3", "new", 20); /* two left rows name it */
    count = await(&w, app, IN, 2 * KEYS + 2);
    assert_string_equal(last_of(count, "p3"), "g3+new");
    assert_string_equal(last_of(count, "p43"), "g3+new");
    leat_app_free(app);

    app = start(&w, build_foreign); /* subscriptions and rows are still known */
    put(&w, "side", SIDE, "g3", NULL, 30);
    count = await(&w, app, IN, 2 * KEYS + 4);
    assert_string_equal(last_of(count, "p3"), "null");
    assert_string_equal(last_of(count, "p43"), "null");
    leat_app_free(app);
    rig_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_global_table_is_filled_before_the_first_record_and_followed),
        cmocka_unit_test(test_global_table_in_memory_is_filled_again_at_each_start),
        cmocka_unit_test(test_global_store_written_by_another_processor_fails),
        cmocka_unit_test(test_foreign_key_join_of_tables_with_other_partition_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
