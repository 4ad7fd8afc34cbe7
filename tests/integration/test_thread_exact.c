/*
 * A stream thread under exactly once, on the embedded log: counts stay exact wherever it is
 * dropped. Method: the thread is stepped by hand and dropped after step k, for every k; a new one
 * goes on with the same state directory. Every output of a key must then be 1, 2, 3 ... n, and so
 * must the store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "thread_rig.h"

enum { KEYS = 5, PARTITIONS = 2, ROUNDS = 6 };

static void write_round(rig_world_t *w, int round)
{
    for (int32_t p = 0; p < PARTITIONS; p++)
        for (int k = 0; k < KEYS; k++) {
            char key[16];

            snprintf(key, sizeof key, "p%d-k%d", (int)p, k);
            rig_write(w, "in", p, key, "x", 1000 + round);
        }
}

/* Every key's outputs are 1, 2 ... each exactly once, in order. */
static void check_outputs(rig_world_t *w, int each)
{
    static rig_record_t room[4096];
    int64_t last[PARTITIONS][KEYS] = {{0}};
    size_t count = rig_read(w, "out", PARTITIONS, true, room, 4096);

    assert_int_equal(count, PARTITIONS * KEYS * each);
    for (size_t i = 0; i < count; i++) {
        int p, k;

        assert_int_equal(sscanf(room[i].key, "p%d-k%d", &p, &k), 2);
        assert_int_equal(room[i].number, last[p][k] + 1);
        last[p][k]++;
    }
}

static void check_store(rig_t *r, int each)
{
    for (int p = 0; p < PARTITIONS; p++)
        for (int k = 0; k < KEYS; k++) {
            char key[16], task[16];

            snprintf(key, sizeof key, "p%d-k%d", p, k);
            snprintf(task, sizeof task, "0_%d", p);
            assert_int_equal(rig_count(r, task, key), each);
        }
}

static void test_clean_run_counts_exactly(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, PARTITIONS, "exactly_once_v2");
    r = rig_start(&w, 0);
    for (int i = 0; i < ROUNDS; i++) {
        write_round(&w, i);
        rig_steps(r, 10);
    }
    rig_settle(r);
    check_store(r, ROUNDS);
    rig_stop(r);
    check_outputs(&w, ROUNDS);

    r = rig_start(&w, 0); /* everything was checkpointed at the stop: nothing is replayed */
    assert_true(rig_until(r, rig_runs, 1000));
    assert_true(r->replayed <= 2 * PARTITIONS); /* markers */
    check_store(r, ROUNDS);
    rig_stop(r);
    rig_world_close(&w);
}

/* One run, dropped after `step` steps; false: it was done before. */
static bool run_with_crash(
    int step, const char *commit_interval, leat__fault_call_t hold, leat__fault_when_t when)
{
    rig_world_t w;
    rig_t *r;
    bool crashed = false;
    int round = 0, steps = 0;

    rig_world_open(&w, rig_build_count, PARTITIONS, "exactly_once_v2");
    rig_world_set(&w, "commit.interval.ms", commit_interval);
    rig_world_set(&w, "statestore.checkpoint.interval.ms", "150");
    r = rig_start(&w, 0);
    for (; round < ROUNDS && !crashed; round++) {
        write_round(&w, round);
        for (int i = 0; i < 12 && !crashed; i++) {
            if (steps == step && when != LEAT__HOLD_NOT)
                leat__fault_hold(w.log, hold, when);
            rig_step(r);
            crashed = steps++ >= step + (when != LEAT__HOLD_NOT ? 30 : 0);
        }
    }
    rig_crash(r);
    if (when != LEAT__HOLD_NOT)
        leat__fault_hold(w.log, hold, LEAT__HOLD_NOT);
    r = rig_start(&w, 0);
    for (; round < ROUNDS; round++)
        write_round(&w, round);
    rig_settle(r);
    check_store(r, ROUNDS);
    rig_stop(r);
    check_outputs(&w, ROUNDS);
    rig_world_close(&w);
    return crashed;
}

static void test_crash_after_any_step_stays_exact(void **state)
{
    int step = 0;

    (void)state;
    while (run_with_crash(step, "100", LEAT__CALL_COMMIT, LEAT__HOLD_NOT))
        step++;
    assert_true(step > 40);
}

static void test_crash_with_two_writers_stays_exact(void **state)
{
    int step = 0;

    (void)state;
    while (run_with_crash(step, "10", LEAT__CALL_COMMIT, LEAT__HOLD_NOT))
        step += 3;
}

static void test_crash_inside_a_commit_stays_exact(void **state)
{
    static const leat__fault_call_t calls[] = {
        LEAT__CALL_INIT, LEAT__CALL_SEND_OFFSETS, LEAT__CALL_COMMIT};

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (int step = 0; step < 40; step += 7) {
            run_with_crash(step, "100", calls[i], LEAT__HOLD_BEFORE);
            run_with_crash(step, "100", calls[i], LEAT__HOLD_ANSWER);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_run_counts_exactly),
        cmocka_unit_test(test_crash_after_any_step_stays_exact),
        cmocka_unit_test(test_crash_with_two_writers_stays_exact),
        cmocka_unit_test(test_crash_inside_a_commit_stays_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
