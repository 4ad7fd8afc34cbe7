/*
 * Goal: on a real Kafka, under exactly once: stream threads come and go while records flow; one thread that fails ends all
 * processes of the application. The same on the embedded log, and more of it: test_app_threads.c.
 * Method: whole apps in this process, each with a state directory of its own; outputs are read as they come, and must be 1, 2, 3
 * ... for each key. Nothing is timed; what never comes ends the test after two minutes.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <leat/leat.h>
#include "seam_kit.h"

#include "base/buf.h"
#include "base/clock.h"
#include "kafka_broker.h"

enum { PARTITIONS = 4, APPS = 3, PATIENCE_MS = 120000 };

static leat_config_t *own;
static char run_id[40], in_topic[60], out_topic[60], dir[] = "/tmp/leat-app-kafka-XXXXXX";
static _Atomic int failures;

/* ---- the program: counts each key; a record can be poison ---- */

static void count(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_t *counts = leat_kv(ctx, "counts");
    const int64_t *before = leat_kv_get(counts, in->key);
    int64_t now = before ? *before + 1 : 1;

    if (strcmp(leat_cstr(ctx, in->value), "poison") == 0)
        leat_fail(ctx, LEAT_EFAILED, "poison");
    leat_kv_put(counts, in->key, &now);
    leat_emit_value(ctx, &now);
}

static void build(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *number = leat_serde_int64();

    leat_builder_source(b, in_topic, "source", str, str, NULL);
    leat_builder_processor(b, "source", "count", count, &(leat_node_opts_t){.stores = "counts"});
    leat_builder_store(b, "counts", LEAT_TIMESTAMPED_KV, str, number, NULL);
    leat_builder_sink(b, "count", "sink", out_topic, str, number, NULL);
}

static leat_rescue_t to_end_all(void *user, const leat_error_t *err)
{
    (void)user;
    (void)err;
    failures++;
    return LEAT_SHUTDOWN_APPLICATION;
}

static leat_app_t *start(const char *name)
{
    leat_config_t *config = leat_config_new();
    leat_app_opts_t opts = {.on_thread_failure = to_end_all};
    char state_dir[100];
    leat_error_t err;
    leat_app_t *app;

    snprintf(state_dir, sizeof state_dir, "%s/%s", dir, name);
    leat_config_set(config, "application.id", run_id);
    leat_config_set(config, "bootstrap.servers", kafka_broker());
    leat_config_set(config, "processing.guarantee", "exactly_once_v2");
    leat_config_set(config, "auto.offset.reset", "earliest");
    leat_config_set(config, "commit.interval.ms", "100");
    leat_config_set(config, "leat.start.timeout.ms", "120000");
    leat_config_set(config, "state.dir", state_dir);
    app = leat_app_new(leat_topology_build(build, config), config, &opts);
    if (leat_app_start(app, &err))
        fail_msg("%s: %s", err.where, err.text);
    return app;
}

/* ---- records in, counts out ---- */

static leat__writer_t *writer;
static int64_t written;
static leat__reader_t *reader;
static int slots[PARTITIONS];
static int64_t last[PARTITIONS], seen; /* of each key */

static void write_some(int each)
{
    leat__out_t *out = seam_out(writer, in_topic);
    char key[8];

    for (int p = 0; p < PARTITIONS; p++)
        for (int i = 0; i < each; i++) {
            snprintf(key, sizeof key, "k%d", p);
            seam_put(writer, out, p, key, "x");
        }
    seam_must(seam_b->vt->writer_flush(writer));
    written += each * PARTITIONS;
}

static void look(int partition)
{
    leat__batch_t batch;

    while (seam_b->vt->reader_take(reader, slots[partition], 100, &batch)) {
        for (size_t i = 0; i < batch.count; i++, seen++) {
            const leat__raw_t *raw = &batch.records[i];
            char key = ((const char *)raw->key.data)[1];

            assert_in_range(key, '0', '0' + PARTITIONS - 1);
            assert_int_equal(leat__load_be64(raw->value.data), ++last[key - '0']);
        }
        seam_b->vt->reader_release(reader, &batch);
    }
}

#define await(condition)                                                                           \
    do {                                                                                           \
        int64_t until_ = seam_now_ms() + PATIENCE_MS;                                              \
        while (!(condition) && seam_now_ms() < until_)                                             \
            seam_sleep(10);                                                                        \
        assert_true(condition);                                                                    \
    } while (0)

static bool all_seen(void)
{
    for (int p = 0; p < PARTITIONS; p++)
        look(p);
    assert_true(seen <= written);
    return seen == written;
}

static bool threads_are(leat_app_t *app, double wanted)
{
    return leat_app_metric(app, "threads") == wanted;
}

static int set_up(void **state)
{
    static const struct seam_fixture fixture = {
        .name = "app_kafka", .patience_ms = PATIENCE_MS, .transaction_timeout_ms = 10000};
    leat_error_t err;

    (void)state;
    if (!kafka_broker())
        return 0;
    assert_non_null(mkdtemp(dir));
    snprintf(run_id, sizeof run_id, "app-%lld", (long long)leat__clock_wall_ms(NULL));
    snprintf(in_topic, sizeof in_topic, "%s-in", run_id);
    snprintf(out_topic, sizeof out_topic, "%s-out", run_id);
    own = leat_config_new();
    leat_config_set(own, "application.id", "outside");
    leat_config_set(own, "bootstrap.servers", kafka_broker());
    seam = &fixture;
    seam_b = leat__kafka_open(own, &err);
    assert_non_null(seam_b);
    seam_topic(in_topic, PARTITIONS, "delete");
    seam_topic(out_topic, PARTITIONS, "delete");
    writer = seam_writer(NULL);
    reader = seam_reader(true);
    for (int p = 0; p < PARTITIONS; p++)
        slots[p] = seam_add(reader, out_topic, p, 0);
    return 0;
}

static int tear_down(void **state)
{
    char command[100];

    (void)state;
    if (!kafka_broker())
        return 0;
    seam_b->vt->reader_close(reader);
    seam_close_writer(writer);
    seam_b->vt->close(seam_b);
    leat_config_free(own);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* ---- what is tried ---- */

static void test_threads_come_and_go_while_records_flow(void **state)
{
    leat_app_t *app;
    leat_error_t err;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    app = start("a");
    for (int round = 0; round < 8; round++) {
        write_some(5);
        assert_int_equal(
            round % 4 < 2 ? leat_app_add_thread(app, &err) : leat_app_remove_thread(app, &err), 0);
        if (round % 2 == 1)
            await(all_seen());
    }
    await(threads_are(app, 1));
    assert_int_equal(leat_app_remove_thread(app, NULL), 0); /* the last one: nothing is processed */
    await(threads_are(app, 0));
    for (int i = 0; i < 3; i++)
        assert_int_equal(leat_app_add_thread(app, NULL), 0);
    write_some(5);
    await(all_seen());
    await(threads_are(app, 3));
    assert_int_equal(leat_app_stop(app, NULL), 0);
    leat_app_free(app);
}

static void test_one_failure_ends_the_application(void **state)
{
    static const char *const names[APPS] = {"a", "b", "c"};
    leat_app_t *apps[APPS];
    leat_error_t err;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    for (int i = 0; i < APPS; i++)
        apps[i] = start(names[i]);
    await(leat_app_metric(apps[0], "tasks") > 0 && leat_app_metric(apps[1], "tasks") > 0 &&
          leat_app_metric(apps[2], "tasks") > 0);
    write_some(5);
    await(all_seen());
    seam_put(writer, seam_out(writer, in_topic), 3, "k3", "poison");
    seam_must(seam_b->vt->writer_flush(writer));
    for (int i = 0; i < APPS; i++) {
        assert_int_not_equal(
            leat_app_wait(apps[i], LEAT_STATE_NOT_RUNNING, PATIENCE_MS, &err), 0);
        assert_int_equal(leat_app_state(apps[i]), LEAT_STATE_ERROR);
        assert_true(strstr(err.text, "poison") || strstr(err.text, "asked all processes to stop"));
    }
    assert_int_equal(failures, 1);
    assert_true(all_seen()); /* nothing of the transaction that failed */
    for (int i = 0; i < APPS; i++)
        leat_app_free(apps[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_come_and_go_while_records_flow),
        cmocka_unit_test(test_one_failure_ends_the_application),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
