/*
 * Routed queries: three apps on one embedded log, each with an HTTP server on a port of its own, asked
 * for what the others have. Method: what an app cannot know yet is waited for; then every key asked at
 * every app has the right answer, ranges are whole and in order, and what is wrong is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "routing_rig.h"

enum { APPS = 3 };

typedef struct world_t {
    rig_world_t w;
    leat_app_t *apps[APPS];
} world_t;

static leat_app_t *start(world_t *world, int i, const char *standbys)
{
    return routing_start(&world->w, i,
        (const char *[]){"leat.http.listen", "0", "leat.http.advertised", "127.0.0.1:0",
            "leat.http.token", "secret", "num.standby.replicas", standbys, "leat.restart.delay.ms",
            standbys[0] == '0' ? "0" : "600000", NULL});
}

static bool ask(leat_app_t *app, const leat_query_opts_t *opts, int i, int64_t *count, leat_error_t *err)
{
    char room[16];
    leat_slice_t k = leat_slice(routing_key(i, room));
    leat_query_t *q = leat_query_open(app, opts);
    const int64_t *found = leat_kv_get(leat_query_kv(q, "counts"), &k);

    *count = found ? *found : 0;
    return leat_query_close(q, err) == 0;
}

static int64_t expected(int i)
{
    return i % 3 == 0 ? 2 : 1;
}

/* Every key at every app that is there. */
static bool all_right(void *user)
{
    world_t *world = user;

    for (int a = 0; a < APPS; a++)
        for (int i = 0; world->apps[a] && i < ROUTING_KEYS; i++) {
            int64_t count;
            leat_error_t err;

            if (!ask(world->apps[a], &(leat_query_opts_t){.routed = true}, i, &count, &err) ||
                count != expected(i))
                return false;
        }
    return true;
}

/* Each app has a task of its own: else nobody needs the others. */
static bool all_own(void *user)
{
    world_t *world = user;

    for (int a = 0; a < APPS; a++)
        if (!(leat_app_metric(world->apps[a], "tasks") > 0))
            return false;
    return true;
}

static void open_world(world_t *world, const char *standbys)
{
    memset(world, 0, sizeof *world);
    routing_open(&world->w);
    routing_write(&world->w);
    for (int a = 0; a < APPS; a++)
        world->apps[a] = start(world, a, standbys);
    routing_await(all_own, world, "each app has tasks");
    routing_await(all_right, world, "every key asked at every app gives the right answer");
}

static void close_world(world_t *world)
{
    for (int a = 0; a < APPS; a++)
        leat_app_free(world->apps[a]);
    rig_world_close(&world->w);
}

static void closes_well(leat_query_t *q)
{
    leat_error_t err;

    if (leat_query_close(q, &err))
        fail_msg("%s: %s", err.where, err.text);
}

static void key_value(leat_app_t *app, leat_order_t order)
{
    leat_query_t *q = leat_query_open(app, &(leat_query_opts_t){.routed = true});
    const leat_kv_t *counts = leat_query_kv(q, "counts");
    leat_slice_t nobody = leat_slice("nobody"), from = leat_slice("k0100"), to = leat_slice("k0199");
    char last[16] = "", key[16];
    const leat_row_t *row;
    leat_iter_t *it;
    int rows = 0;

    assert_null(leat_kv_get(counts, &nobody));
    for (it = leat_kv_range(counts, NULL, NULL, order); (row = leat_iter_next(it)); rows++) {
        const leat_slice_t *s = row->key;
        int way;

        snprintf(key, sizeof key, "%.*s", LEAT_P(s));
        way = strcmp(last, key);
        assert_true(rows == 0 || (order == LEAT_ASCENDING ? way < 0 : way > 0));
        strcpy(last, key);
    }
    assert_int_equal(rows, ROUTING_KEYS);
    rows = 0;
    for (it = leat_kv_range(counts, &from, &to, order); leat_iter_next(it);)
        rows++;
    assert_int_equal(rows, 100);
    from = leat_slice("k02");
    rows = 0;
    for (it = leat_kv_prefix(counts, &from, order); leat_iter_next(it);)
        rows++;
    assert_int_equal(rows, 100);
    assert_int_equal(leat_kv_count(counts), ROUTING_KEYS);
    assert_non_null(strstr(leat_query_position(q), "in-5@"));
    closes_well(q);
}

static void windows(leat_app_t *app)
{
    leat_query_t *q = leat_query_open(app, &(leat_query_opts_t){.routed = true});
    const leat_windows_t *minutes = leat_query_windows(q, "per-minute");
    const leat_sessions_t *visits = leat_query_sessions(q, "visits");
    leat_iter_t *it;
    int rows = 0;
    char room[16];

    for (int i = 0; i < ROUTING_KEYS; i++) {
        leat_slice_t k = leat_slice(routing_key(i, room));

        assert_int_equal(*(const int64_t *)leat_windows_get(minutes, &k, 0), expected(i));
        it = leat_sessions_find(visits, &k, &k, INT64_MIN, INT64_MAX, LEAT_ASCENDING);
        assert_int_equal(*(const int64_t *)leat_iter_next(it)->value, expected(i));
        assert_null(leat_iter_next(it));
    }
    for (it = leat_windows_range(minutes, NULL, NULL, INT64_MIN, INT64_MAX, LEAT_ASCENDING);
         leat_iter_next(it);)
        rows++;
    assert_int_equal(rows, ROUTING_KEYS);
    closes_well(q);
}

static void test_every_key_at_every_app(void **state)
{
    world_t world;

    (void)state;
    open_world(&world, "0");
    for (int a = 0; a < APPS; a++) {
        key_value(world.apps[a], LEAT_ASCENDING);
        key_value(world.apps[a], LEAT_DESCENDING);
        windows(world.apps[a]);
    }
    close_world(&world);
}

/* More than a page of each partition: the next one begins behind a mark. */
static void test_ranges_of_many_pages(void **state)
{
    enum { MANY = 6000 };
    world_t world;
    char key[64], last[64] = "";
    const leat_row_t *row;
    leat__buf_t written = {0};
    leat_query_t *q;
    int rows = 0;

    (void)state;
    open_world(&world, "0");
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "a-key-that-is-longer-than-the-others-%06d", i);
        rig_write(&world.w, "in", i % ROUTING_PARTITIONS, key, "x", 1000);
    }
    for (int p = 0; p < ROUTING_PARTITIONS; p++)
        leat__buf_format(&written, "%sin-%d@%lld", p ? "," : "", p,
            (long long)rig_offset(&world.w, "in", p, LEAT__HIGH_WATERMARK));
    q = leat_query_open(world.apps[0],
        &(leat_query_opts_t){.routed = true, .at_least = leat__buf_text(&written),
            .timeout_ms = ROUTING_PATIENCE_MS});
    leat_slice_t prefix = leat_slice("a-key");
    leat_iter_t *it = leat_kv_prefix(leat_query_kv(q, "counts"), &prefix, LEAT_ASCENDING);
    for (; (row = leat_iter_next(it)); rows++) {
        const leat_slice_t *s = row->key;

        snprintf(key, sizeof key, "%.*s", LEAT_P(s));
        assert_true(strcmp(last, key) < 0);
        strcpy(last, key);
    }
    closes_well(q);
    assert_int_equal(rows, MANY);
    leat__buf_release(&written);
    close_world(&world);
}

static void expect(leat_app_t *app, const leat_query_opts_t *opts, int code, const char *text)
{
    leat_error_t err = {0};
    int64_t count;

    for (int i = 0; i < ROUTING_KEYS && err.code == 0; i++) /* until one is not here */
        ask(app, opts, i, &count, &err);
    if (err.code != code || !strstr(err.text, text))
        fail_msg("%d: %s", err.code, err.text);
}

static void test_what_is_wrong_is_said(void **state)
{
    world_t world;
    leat_query_t *q;
    leat_error_t err;
    leat_slice_t k = leat_slice("k0001");

    (void)state;
    open_world(&world, "0");
    expect(world.apps[0], &(leat_query_opts_t){.timeout_ms = 100}, LEAT_EMOVED, "not in this process");
    expect(world.apps[0],
        &(leat_query_opts_t){.routed = true, .timeout_ms = 300, .at_least = "in-0@9999,in-1@9999,"
                                             "in-2@9999,in-3@9999,in-4@9999,in-5@9999"},
        LEAT_EBOUND, "before the wanted");
    q = leat_query_open(world.apps[1], &(leat_query_opts_t){.routed = true});
    assert_null(leat_windows_get(leat_query_windows(q, "counts"), &k, 0));
    assert_int_equal(leat_query_close(q, &err), LEAT_ETYPE);
    close_world(&world);
}

/* The time may be over at any point between two processes. */
static void test_time_that_runs_out_is_said(void **state)
{
    world_t world;

    (void)state;
    open_world(&world, "0");
    for (int i = 0; i < ROUTING_KEYS; i++) {
        leat_error_t err = {0};
        int64_t count;

        ask(world.apps[0],
            &(leat_query_opts_t){.routed = true, .timeout_ms = 1 + i % 15, .at_least =
                "in-0@9999,in-1@9999,in-2@9999,in-3@9999,in-4@9999,in-5@9999"}, i, &count, &err);
        if (err.code != LEAT_EBOUND && err.code != LEAT_ETIMEOUT)
            fail_msg("%d: %s", err.code, err.text);
    }
    close_world(&world);
}

/* One app has another token: it is told what is wrong, and does not hang. */
static void test_another_token_is_refused(void **state)
{
    world_t world;

    (void)state;
    open_world(&world, "0");
    leat_app_free(world.apps[2]);
    world.apps[2] = routing_start(&world.w, 2,
        (const char *[]){"leat.http.listen", "0", "leat.http.advertised", "127.0.0.1:0",
            "leat.http.token", "other", NULL});
    routing_await(all_own, &world, "each app has tasks");
    leat_error_t err;
    assert_int_equal(leat_app_wait(world.apps[2], LEAT_STATE_RUNNING, ROUTING_PATIENCE_MS, &err), 0);
    expect(world.apps[2], &(leat_query_opts_t){.routed = true}, LEAT_EAUTH, "leat.http.token");
    close_world(&world);
}

/* An owner that advertises nothing: the others say so, and who it is. */
static void test_an_owner_without_address(void **state)
{
    world_t world;

    (void)state;
    open_world(&world, "0");
    leat_app_free(world.apps[1]);
    world.apps[1] = routing_start(&world.w, 1, (const char *[]){NULL});
    routing_await(all_own, &world, "each app has tasks");
    expect(world.apps[0], &(leat_query_opts_t){.routed = true, .timeout_ms = 2000}, LEAT_EMOVED,
        "leat.http.advertised");
    close_world(&world);
}

/* ---- an owner that is gone, and comes back ---- */

static bool stale_right(void *user)
{
    world_t *world = user;

    for (int a = 0; a < APPS; a++)
        for (int i = 0; world->apps[a] && i < ROUTING_KEYS; i++) {
            leat_error_t err;
            int64_t count;

            if (!ask(world->apps[a], &(leat_query_opts_t){.routed = true, .stale = true}, i, &count,
                    &err))
                fail_msg("%s: %s", err.where, err.text);
            if (count != expected(i))
                return false;
        }
    return true;
}

static bool all_copied(void *user)
{
    world_t *world = user;
    double copies = 0;

    for (int a = 0; a < APPS; a++)
        copies += leat_app_metric(world->apps[a], "standby-updating-tasks");
    return copies == ROUTING_PARTITIONS;
}

/* Its tasks are kept for it: nobody takes them over, and who has copies answers if that may be. */
static void test_copies_answer_for_an_owner_that_is_gone(void **state)
{
    world_t world;

    (void)state;
    open_world(&world, "1");
    routing_await(all_copied, &world, "each task has a copy");
    routing_await(stale_right, &world, "stale reads see everything");
    leat_app_free(world.apps[1]);
    world.apps[1] = NULL;
    routing_await(stale_right, &world, "copies answer");
    expect(world.apps[0], &(leat_query_opts_t){.routed = true}, LEAT_EMOVED, "restarts");
    expect(world.apps[0], &(leat_query_opts_t){.routed = true}, LEAT_EMOVED, "allow stale reads");
    world.apps[1] = start(&world, 1, "1");
    routing_await(all_right, &world, "every key is right again");
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_at_every_app),
        cmocka_unit_test(test_ranges_of_many_pages),
        cmocka_unit_test(test_what_is_wrong_is_said),
        cmocka_unit_test(test_time_that_runs_out_is_said),
        cmocka_unit_test(test_another_token_is_refused),
        cmocka_unit_test(test_an_owner_without_address),
        cmocka_unit_test(test_copies_answer_for_an_owner_that_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
