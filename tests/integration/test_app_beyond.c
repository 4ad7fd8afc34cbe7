/*
 * What leat does beyond Kafka Streams, over a restart: rows with a time to live, changes held back
 * on disk, records that wait for a versioned table, outer joins whose unmatched records wait for
 * the grace, windows closed by the clock, updates that change nothing. Method: an app on the
 * embedded log is stopped in the middle and started again, with its state directory and without it
 * (then all comes from the changelogs); the outputs must be the same.
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

enum { MAX = 200 };

static rig_record_t room[MAX];

typedef struct run_t {
    rig_world_t w;
    leat_build_fn build;
    leat_app_t *app;
    bool wipe; /* the state directory, over a restart */
} run_t;

static void start(run_t *r)
{
    leat_config_t *config = leat_config_new();
    leat_error_t err;

    for (size_t i = 0; i < r->w.setting_count; i++)
        leat_config_set(config, r->w.settings[i][0], r->w.settings[i][1]);
    leat_config_set(config, "state.dir", r->w.dir);
    leat_config_set(config, "emit.interval.ms", "0");
    r->app = leat_app_new(leat_topology_build(r->build, config), config, NULL);
    leat__app_use(r->app, leat__embedded_client(r->w.log, config));
    if (leat_app_start(r->app, &err))
        fail_msg("%s: %s", err.where, err.text);
}

static void stop(run_t *r)
{
    leat_app_stop(r->app, NULL);
    leat_app_free(r->app);
    r->app = NULL;
}

/* Records of "out", of any: "key=value key=value". Waits until there are so many. */
static const char *await(run_t *r, size_t count)
{
    static char text[4096];
    size_t found = 0, at = 0;

    for (int i = 0; i < 1000 && found < count; i++) {
        usleep(20000);
        found = rig_read(&r->w, "out", 1, true, room, MAX);
        assert_int_not_equal(leat_app_state(r->app), LEAT_STATE_ERROR);
    }
    text[0] = '\0';
    for (size_t i = 0; i < found; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s=%s", i ? " " : "", room[i].key,
            room[i].null_value ? "null" : room[i].value);
    return text;
}

/* All that was written is processed: its positions are committed. */
static void settle(run_t *r)
{
    assert_int_equal(leat_app_wait(r->app, LEAT_STATE_RUNNING, 20000, NULL), 0);
    usleep(700000);
    assert_int_equal(leat_app_state(r->app), LEAT_STATE_RUNNING);
}

static void again(run_t *r)
{
    char command[160];

    stop(r);
    if (r->wipe) {
        snprintf(command, sizeof command, "rm -rf '%s'/*", r->w.dir);
        assert_int_equal(system(command), 0);
    }
    start(r);
}

static void open_run(run_t *r, leat_build_fn build, bool wipe)
{
    *r = (run_t){.build = build, .wipe = wipe};
    rig_world_open_real(&r->w, build, 1, "exactly_once_v2");
    rig_world_set(&r->w, "group.membership", "dynamic"); /* a wiped folder is nobody known */
    rig_topic(&r->w, "side", 1, "delete");
}

static void close_run(run_t *r)
{
    stop(r);
    rig_world_close(&r->w);
}

static void both_ways(void (*scenario)(run_t *r), leat_build_fn build)
{
    run_t r;

    for (int wipe = 0; wipe < 2; wipe++) {
        open_run(&r, build, wipe);
        start(&r);
        scenario(&r);
        close_run(&r);
    }
}

static void in(run_t *r, const char *key, const char *value, int64_t time_ms)
{
    rig_write(&r->w, "in", 0, key, value, time_ms);
}

static void side(run_t *r, const char *key, const char *value, int64_t time_ms)
{
    rig_write(&r->w, "side", 0, key, value, time_ms);
}

static void append(leat_ctx_t *ctx, const void *a, const void *b)
{
    const leat_slice_t none = {"", 0}, *left = a ? a : &none, *right = b ? b : &none;

    leat_emit_value(ctx, leat_text(ctx, "%.*s+%.*s", LEAT_P(left), LEAT_P(right)));
}

static void last(leat_ctx_t *ctx, const void *a, const void *b)
{
    (void)a;
    leat_emit_value(ctx, b);
}

/* ---- .ttl_ms ---- */

static void aging(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *all = leat_builder_stream(b, "in", str, str, NULL);

    leat_builder_stream(b, "side", str, str, NULL);
    leat_table_to(leat_grouped_aggregate(leat_stream_group_by_key(all, NULL, NULL), "rows", append,
                      str, &(leat_fold_opts_t){.store = {.ttl_ms = 100, .cache = LEAT_OFF}}),
        "out", NULL);
}

static void rows_age(run_t *r)
{
    in(r, "a", "1", 1000);
    in(r, "b", "2", 1060);
    in(r, "t", "3", 1150); /* a is over now: more than 100 older */
    await(r, 3);
    settle(r);
    again(r);
    in(r, "a", "4", 1060); /* late itself: stream time is known from before the restart */
    in(r, "b", "5", 1150);
    assert_string_equal(await(r, 5), "a=+1 b=+2 t=+3 a=+4 b=+2+5");
    again(r);
    in(r, "b", "6", 1240);
    in(r, "t", "7", 1251);
    assert_string_equal(await(r, 7), "a=+1 b=+2 t=+3 a=+4 b=+2+5 b=+2+5+6 t=+7");
}

static void test_rows_age_the_same_over_a_restart(void **state)
{
    (void)state;
    both_ways(rows_age, aging);
}

/* ---- suppress on disk ---- */

static void holding(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_table_t *rows = leat_builder_table( /* each change for itself, whatever a commit is */
        b, "in", str, str, &(leat_source_opts_t){.store = {.cache = LEAT_OFF}});

    leat_builder_stream(b, "side", str, str, NULL);
    leat_table_to(leat_table_suppress(rows, "held", 100, &(leat_suppress_opts_t){.on_disk = true}),
        "out", NULL);
}

static void changes_wait(run_t *r)
{
    in(r, "a", "1", 1000);
    in(r, "b", "1", 1050);
    in(r, "a", "2", 1060); /* waits since 1000 */
    settle(r);
    again(r);
    in(r, "c", "1", 1100);
    assert_string_equal(await(r, 1), "a=2");
    in(r, "c", "2", 1150);
    assert_string_equal(await(r, 2), "a=2 b=1");
}

static void test_changes_held_back_on_disk_wait_over_a_restart(void **state)
{
    (void)state;
    both_ways(changes_wait, holding);
}

/* ---- a stream that waits for a versioned table ---- */

static void waiting(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *left = leat_builder_stream(b, "in", str, str, NULL);
    leat_table_t *right = leat_builder_table(
        b, "side", str, str, &(leat_source_opts_t){.store = {.name = "v", .history_ms = 10000}});

    leat_stream_to(leat_stream_join_table(left, right, "joined", append, str,
                       &(leat_join_opts_t){.kind = LEAT_LEFT, .grace_ms = 100}),
        "out", NULL);
}

static void records_wait(run_t *r)
{
    side(r, "a", "old", 900);
    settle(r);
    in(r, "a", "1", 1000);
    in(r, "a", "2", 1050);
    settle(r);
    again(r);
    side(r, "a", "new", 1020); /* comes late, and still meets the second */
    settle(r);
    in(r, "a", "3", 1101);
    assert_string_equal(await(r, 1), "a=1+old");
    in(r, "a", "4", 1151);
    assert_string_equal(await(r, 2), "a=1+old a=2+new");
}

static void test_records_wait_for_the_table_over_a_restart(void **state)
{
    (void)state;
    both_ways(records_wait, waiting);
}

/* ---- an outer join whose unmatched records wait for the grace ---- */

static void outer(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_stream_to(leat_stream_join(leat_builder_stream(b, "in", str, str, NULL),
                       leat_builder_stream(b, "side", str, str, NULL), "pair", append, str,
                       leat_within(10, 100),
                       &(leat_join_opts_t){.kind = LEAT_OUTER, .unmatched_wait_grace = true}),
        "out", NULL);
}

static void unmatched_wait(run_t *r)
{
    in(r, "t", "x", 1050);
    in(r, "a", "late", 1000); /* its window is over at 1010, its grace at 1110 */
    settle(r);
    again(r);
    side(r, "a", "match", 1005);
    assert_string_equal(await(r, 1), "a=late+match");
    in(r, "b", "late", 1041);
    settle(r);
    again(r);
    in(r, "t", "y", 1300);
    assert_string_equal(await(r, 3), "a=late+match b=late+ t=x+");
}

static void test_unmatched_records_wait_for_the_grace_over_a_restart(void **state)
{
    (void)state;
    both_ways(unmatched_wait, outer);
}

/* ---- windows closed by the clock ---- */

static void idling(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *all = leat_builder_stream(b, "in", str, str, NULL);
    leat_fold_opts_t fold = {.window = leat_tumbling(100, 0),
        .emit = LEAT_EMIT_ON_CLOSE,
        .idle_close_ms = 300};

    leat_builder_stream(b, "side", str, str, NULL);
    leat_table_to(
        leat_grouped_reduce(leat_stream_group_by_key(all, NULL, NULL), "w", last, &fold), "out",
        NULL);
}

static const char *value_at(run_t *r, size_t i)
{
    await(r, i + 1);
    return room[i].value;
}

static void windows_close(run_t *r)
{
    in(r, "a", "1", 1000);
    in(r, "a", "2", 1050);
    again(r);
    in(r, "a", "3", 1060);
    assert_string_equal(value_at(r, 0), "3"); /* no later record: the clock closes it */
    again(r);
    in(r, "b", "4", 2000);
    assert_string_equal(value_at(r, 1), "4");
    settle(r);
    assert_int_equal(rig_read(&r->w, "out", 1, true, room, MAX), 2); /* each once */
}

static void test_windows_close_by_the_clock_over_a_restart(void **state)
{
    (void)state;
    both_ways(windows_close, idling);
}

/* ---- updates that change nothing ---- */

static void changing(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *all = leat_builder_stream(b, "in", str, str, NULL);

    leat_builder_stream(b, "side", str, str, NULL);
    leat_table_to(leat_grouped_aggregate(leat_stream_group_by_key(all, NULL, NULL), "rows", last,
                      str, &(leat_fold_opts_t){.changes_only = true}),
        "out", NULL);
}

static void changes_only(run_t *r)
{
    in(r, "a", "1", 1000);
    await(r, 1);
    settle(r);
    again(r);
    in(r, "a", "1", 1001); /* as before the restart */
    settle(r);
    in(r, "a", "2", 1002);
    assert_string_equal(await(r, 2), "a=1 a=2");
}

static void test_equal_updates_are_known_over_a_restart(void **state)
{
    (void)state;
    both_ways(changes_only, changing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_age_the_same_over_a_restart),
        cmocka_unit_test(test_changes_held_back_on_disk_wait_over_a_restart),
        cmocka_unit_test(test_records_wait_for_the_table_over_a_restart),
        cmocka_unit_test(test_unmatched_records_wait_for_the_grace_over_a_restart),
        cmocka_unit_test(test_windows_close_by_the_clock_over_a_restart),
        cmocka_unit_test(test_equal_updates_are_known_over_a_restart),
    };

    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
