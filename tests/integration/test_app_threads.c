/*
 * Whole apps with real threads on the embedded log: threads added and removed from anywhere, code of the program that does not come
 * back, failures that end a client or the application, and a stop that keeps to its limit.
 * Method: records are written and read from outside; ThreadSanitizer is the second judge. Every step by hand: test_process_threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "runtime/app.h"
#include "thread_rig.h"

enum { PARTITIONS = 4, MAX = 20000 };

static rig_record_t room[MAX];
static _Atomic bool stuck_wanted, poison_wanted;
static _Atomic int in_code, states[8];

/* ---- a program that can be told to be stuck, or to fail ---- */

static void count(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_t *counts = leat_kv(ctx, "counts");
    const int64_t *before = leat_kv_get(counts, in->key);
    int64_t now = before ? *before + 1 : 1;
    const leat_slice_t *value = in->value;

    if (value->size == 5 && memcmp(value->data, "stuck", 5) == 0) {
        in_code++;
        while (stuck_wanted)
            usleep(5000);
        in_code--;
    }
    if (value->size == 6 && memcmp(value->data, "poison", 6) == 0 && poison_wanted)
        leat_fail(ctx, LEAT_EFAILED, "poison");
    leat_kv_put(counts, in->key, &now);
    leat_emit_value(ctx, &now);
}

static void build(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *number = leat_serde_int64();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_processor(b, "source", "count", count, &(leat_node_opts_t){.stores = "counts"});
    leat_builder_store(b, "counts", LEAT_TIMESTAMPED_KV, str, number, NULL);
    leat_builder_sink(b, "count", "sink", "out", str, number, NULL);
}

static leat_app_t *start(
    rig_world_t *w, const char *name, const char *threads, const leat_app_opts_t *opts)
{
    leat_config_t *config = leat_config_new();
    char dir[128];
    leat_error_t err;
    leat_app_t *app;

    snprintf(dir, sizeof dir, "%s/%s", w->dir, name);
    for (size_t i = 0; i < w->setting_count; i++)
        leat_config_set(config, w->settings[i][0], w->settings[i][1]);
    leat_config_set(config, "state.dir", dir);
    leat_config_set(config, "num.stream.threads", threads);
    app = leat_app_new(leat_topology_build(build, config), config, opts);
    leat__app_use(app, leat__embedded_client(w->log, config));
    if (leat_app_start(app, &err))
        fail_msg("%s: %s", err.where, err.text);
    return app;
}

static int64_t written;

static void write_some(rig_world_t *w, int each)
{
    for (int32_t p = 0; p < PARTITIONS; p++)
        for (int i = 0; i < each; i++) {
            char key[8];

            snprintf(key, sizeof key, "k%d", p);
            rig_write(w, "in", p, key, "x", 1);
        }
    written += each * PARTITIONS;
}

/* Committed outputs are all there, and 1, 2, 3 ... per key. */
static void await_counts(rig_world_t *w, int64_t wanted)
{
    int64_t last[PARTITIONS] = {0};
    size_t n = 0;

    for (int i = 0; i < 2500 && (int64_t)n < wanted; i++) {
        usleep(10000);
        n = rig_read(w, "out", PARTITIONS, true, room, MAX);
    }
    assert_int_equal(n, wanted);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(room[i].number, ++last[room[i].key[1] - '0']);
}

#define await(condition)                                                                           \
    do {                                                                                           \
        for (int i_ = 0; i_ < 2500 && !(condition); i_++)                                          \
            usleep(10000);                                                                         \
        assert_true(condition);                                                                    \
    } while (0)

/* ---- added and removed ---- */

static leat_app_t *of_callback;

static void on_state(void *user, leat_state_t now, leat_state_t before)
{
    (void)user;
    (void)before;
    states[now]++;
    if (now == LEAT_STATE_RUNNING && of_callback && states[now] == 1)
        leat_app_add_thread(of_callback, NULL); /* from within */
}

static void test_threads_come_and_go_while_records_flow(void **state)
{
    leat_app_opts_t opts = {.on_state = on_state};
    rig_world_t w;
    leat_app_t *app;
    leat_error_t err;

    (void)state;
    written = 0;
    rig_world_open_real(&w, build, PARTITIONS, "exactly_once_v2");
    app = start(&w, "a", "1", &opts);
    for (int round = 0; round < 12; round++) {
        write_some(&w, 5);
        assert_int_equal(round % 4 < 2 ? leat_app_add_thread(app, &err) : leat_app_remove_thread(app, &err), 0);
        usleep(60000);
    }
    await_counts(&w, written);
    await(leat_app_metric(app, "threads") == 1.0);
    assert_int_equal(leat_app_remove_thread(app, &err), 0);
    assert_int_equal(leat_app_remove_thread(app, &err), LEAT_ESTATE);
    assert_non_null(strstr(err.text, "no thread left"));
    await(leat_app_metric(app, "threads") == 0.0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(leat_app_add_thread(app, NULL), 0);
    write_some(&w, 5);
    await_counts(&w, written);
    await(leat_app_metric(app, "threads") == 3.0);
    assert_int_equal(leat_app_add_thread(app, NULL), 0); /* and a stop on its heels */
    assert_int_equal(leat_app_stop(app, NULL), 0);
    assert_int_equal(leat_app_add_thread(app, &err), LEAT_ESTATE);
    assert_int_equal(leat_app_remove_thread(app, &err), LEAT_ESTATE);
    leat_app_free(app);
    rig_world_close(&w);
}

static void test_a_thread_is_added_from_within_a_callback(void **state)
{
    leat_app_opts_t opts = {.on_state = on_state};
    rig_world_t w;

    (void)state;
    written = 0;
    states[LEAT_STATE_RUNNING] = 100; /* not before of_callback is known */
    rig_world_open_real(&w, build, PARTITIONS, "at_least_once");
    of_callback = start(&w, "a", "1", &opts);
    assert_int_equal(leat_app_wait(of_callback, LEAT_STATE_RUNNING, 20000, NULL), 0);
    states[LEAT_STATE_RUNNING] = 0;
    assert_int_equal(leat_app_add_thread(of_callback, NULL), 0); /* moves tasks: RUNNING again, and one more */
    await(leat_app_metric(of_callback, "threads") == 3.0);
    write_some(&w, 5);
    await_counts(&w, written);
    leat_app_free(of_callback);
    of_callback = NULL;
    rig_world_close(&w);
}

/* ---- stuck ---- */

static void test_code_that_does_not_come_back_loses_its_tasks_only(void **state)
{
    rig_world_t w;
    leat_app_t *a, *b;

    (void)state;
    written = 0;
    rig_world_open_real(&w, build, PARTITIONS, "exactly_once_v2");
    rig_world_set(&w, "max.poll.interval.ms", "10000");
    rig_world_set(&w, "session.timeout.ms", "6000");
    a = start(&w, "a", "2", NULL);
    assert_int_equal(leat_app_wait(a, LEAT_STATE_RUNNING, 20000, NULL), 0);
    stuck_wanted = true;
    rig_write(&w, "in", 1, "k1", "stuck", 1);
    written++;
    await(in_code == 1);
    b = start(&w, "b", "2", NULL);
    write_some(&w, 5);
    await(leat_app_metric(a, "threads") == 1.0);
    stuck_wanted = false; /* it would be stuck there too: the same record goes to the other process */
    await(in_code == 0);
    await_counts(&w, written);
    await(leat_app_metric(a, "threads") == 2.0);
    write_some(&w, 5);
    await_counts(&w, written);
    assert_true(leat_app_state(a) == LEAT_STATE_RUNNING || leat_app_state(a) == LEAT_STATE_REBALANCING);
    leat_app_free(a);
    leat_app_free(b);
    rig_world_close(&w);
}

/* ---- failed ---- */

static leat_rescue_t to_replace(void *user, const leat_error_t *err)
{
    (void)err;
    if (++*(_Atomic int *)user == 3)
        poison_wanted = false;
    return LEAT_REPLACE_THREAD;
}

static int64_t failed_at_ms[6];

static leat_rescue_t to_replace_six(void *user, const leat_error_t *err)
{
    _Atomic int *failures = user;

    (void)err;
    failed_at_ms[*failures] = leat__clock_steady_ms(NULL);
    if (++*failures == 6)
        poison_wanted = false;
    return LEAT_REPLACE_THREAD;
}

static leat_rescue_t to_end_all(void *user, const leat_error_t *err)
{
    (void)err;
    ++*(_Atomic int *)user;
    return LEAT_SHUTDOWN_APPLICATION;
}

static void test_a_panic_of_one_thread_leaves_the_others_running(void **state)
{
    _Atomic int failures = 0;
    leat_app_opts_t opts = {.on_thread_failure = to_replace, .user = (void *)&failures};
    rig_world_t w;
    leat_app_t *app;

    (void)state;
    written = 0;
    rig_world_open_real(&w, build, PARTITIONS, "exactly_once_v2");
    app = start(&w, "a", "4", &opts);
    poison_wanted = true;
    rig_write(&w, "in", 2, "k2", "poison", 1);
    written++;
    write_some(&w, 20);
    await_counts(&w, written); /* after three tries the record is no poison any more */
    assert_int_equal(failures, 3);
    assert_int_equal(leat_app_stop(app, NULL), 0);
    assert_int_equal(leat_app_state(app), LEAT_STATE_NOT_RUNNING);
    leat_app_free(app);
    rig_world_close(&w);
}

static void test_a_thread_that_fails_again_and_again_does_not_spin(void **state)
{
    _Atomic int failures = 0;
    leat_app_opts_t opts = {.on_thread_failure = to_replace_six, .user = (void *)&failures};
    rig_world_t w;
    leat_app_t *app;

    (void)state;
    written = 0;
    rig_world_open_real(&w, build, PARTITIONS, "exactly_once_v2");
    app = start(&w, "a", "1", &opts);
    poison_wanted = true;
    rig_write(&w, "in", 2, "k2", "poison", 1);
    written++;
    write_some(&w, 5);
    await_counts(&w, written);
    assert_int_equal(failures, 6);
    assert_true(failed_at_ms[3] - failed_at_ms[2] >= 160); /* 0, 100, 200, 400, 800 ms, less a fifth */
    assert_true(failed_at_ms[5] - failed_at_ms[4] >= 640);
    leat_app_free(app);
    rig_world_close(&w);
}

static void test_one_of_three_ends_the_application(void **state)
{
    _Atomic int failures = 0;
    leat_app_opts_t opts = {.on_thread_failure = to_end_all, .user = (void *)&failures};
    static const char *const names[] = {"a", "b", "c"};
    rig_world_t w;
    leat_app_t *apps[3];
    leat_error_t err;

    (void)state;
    written = 0;
    rig_world_open_real(&w, build, PARTITIONS, "exactly_once_v2");
    for (int i = 0; i < 3; i++)
        apps[i] = start(&w, names[i], "1", &opts);
    await(leat_app_metric(apps[0], "tasks") > 0 && leat_app_metric(apps[1], "tasks") > 0 &&
          leat_app_metric(apps[2], "tasks") > 0);
    write_some(&w, 5);
    await_counts(&w, written);
    poison_wanted = true;
    rig_write(&w, "in", 3, "k3", "poison", 1);
    for (int i = 0; i < 3; i++) {
        assert_int_not_equal(leat_app_wait(apps[i], LEAT_STATE_NOT_RUNNING, 25000, &err), 0);
        assert_int_equal(leat_app_state(apps[i]), LEAT_STATE_ERROR);
        assert_true(strstr(err.text, "poison") || strstr(err.text, "asked all processes to stop"));
    }
    assert_int_equal(failures, 1);
    poison_wanted = false;
    for (int i = 0; i < 3; i++)
        leat_app_free(apps[i]);
    rig_world_close(&w);
}

/* ---- a stop keeps to its limit ---- */

static void test_a_stop_with_a_limit_returns_by_then(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    int64_t began;

    (void)state;
    written = 0;
    rig_world_open_real(&w, build, PARTITIONS, "exactly_once_v2");
    app = start(&w, "a", "2", NULL);
    write_some(&w, 5);
    await_counts(&w, written);
    leat__fault_down(w.log, NULL, true);
    began = leat__clock_steady_ms(NULL);
    assert_int_equal(leat_app_stop(app, &(leat_stop_opts_t){.timeout_ms = 300}), LEAT_ETIMEOUT);
    assert_true(leat__clock_steady_ms(NULL) - began < 2000);
    assert_int_equal(leat_app_state(app), LEAT_STATE_PENDING_SHUTDOWN);
    leat__fault_down(w.log, NULL, false);
    assert_int_equal(leat_app_stop(app, &(leat_stop_opts_t){.timeout_ms = 30000}), 0);
    assert_int_equal(leat_app_state(app), LEAT_STATE_NOT_RUNNING);
    leat_app_free(app);
    rig_world_close(&w);
}

static void test_a_stop_does_not_wait_for_code_that_does_not_come_back(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    int64_t began;

    (void)state;
    written = 0;
    rig_world_open_real(&w, build, PARTITIONS, "exactly_once_v2");
    app = start(&w, "a", "2", NULL);
    stuck_wanted = true;
    rig_write(&w, "in", 1, "k1", "stuck", 1);
    written++;
    await(in_code == 1);
    began = leat__clock_steady_ms(NULL);
    assert_int_equal(leat_app_stop(app, &(leat_stop_opts_t){.timeout_ms = 300}), LEAT_ETIMEOUT);
    assert_true(leat__clock_steady_ms(NULL) - began < 2000);
    stuck_wanted = false;
    assert_int_equal(leat_app_stop(app, NULL), 0);
    leat_app_free(app);
    await_counts(&w, written); /* it came back in time for its commit */
    rig_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_come_and_go_while_records_flow),
        cmocka_unit_test(test_a_thread_is_added_from_within_a_callback),
        cmocka_unit_test(test_code_that_does_not_come_back_loses_its_tasks_only),
        cmocka_unit_test(test_a_panic_of_one_thread_leaves_the_others_running),
        cmocka_unit_test(test_a_thread_that_fails_again_and_again_does_not_spin),
        cmocka_unit_test(test_one_of_three_ends_the_application),
        cmocka_unit_test(test_a_stop_with_a_limit_returns_by_then),
        cmocka_unit_test(test_a_stop_does_not_wait_for_code_that_does_not_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
