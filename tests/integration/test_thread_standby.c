/*
 * Standby tasks in a stream thread, on the embedded log: they follow the changelogs, are promoted,
 * taken, started again. Goal: a copy never holds what was not committed, never costs the running
 * tasks their turn, and a promotion replays the rest only. Method: two processes stepped by hand; the
 * second keeps copies of the tasks of the first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/state_dir.h"
#include "thread_rig.h"

#define ALO "at_least_once"
#define EOS "exactly_once_v2"
#define CHANGELOG "app-counts-changelog"

static rig_record_t room[40000];

static void write_keys(rig_world_t *w, int32_t partition, const char *key, int count)
{
    for (int i = 0; i < count; i++)
        rig_write(w, "in", partition, key, "x", 1000 + i);
}

/* So many keys, each once. */
static void write_many(rig_world_t *w, int32_t partition, int from, int count)
{
    leat_error_t err = {0};
    leat__out_t *out = w->outside->vt->writer_topic(w->writer, "in", &err);

    for (int i = from; i < from + count; i++) {
        char key[24];

        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(w->outside->vt->produce(w->writer, out, partition, leat_slice(key),
                             leat_slice("x"), 1, NULL, &err),
            0);
    }
    leat__op_free(w->outside->vt->writer_flush(w->writer));
}

static leat__task_view_t view_of(rig_t *r, int32_t partition)
{
    leat__task_view_t *tasks = NULL, found = {.left = 12345};
    size_t size = 0, count;

    r->thread->view_at_ms = 0; /* as of now */
    rig_step(r);
    count = leat__thread_tasks(r->thread, &tasks, &size);
    for (size_t i = 0; i < count; i++)
        if (tasks[i].ref.partition == partition)
            found = tasks[i];
    leat__free(tasks);
    return found;
}

static bool follows(rig_t *r)
{
    for (size_t i = 0; i < r->thread->task_count; i++) {
        leat__owned_t *o = r->thread->tasks[i];

        if (o->phase != LEAT__PHASE_STANDBY || leat__standby_left(o))
            return false;
    }
    return r->thread->task_count > 0;
}

static bool released(rig_t *r)
{
    return r->released > 0;
}

static bool restoring(rig_t *r)
{
    leat__owned_t *o = rig_task(r, "0_0");

    return o && o->phase == LEAT__PHASE_RESTORING && o->stores[0].at > o->stores[0].start + 1000;
}

/* One keeps copies of what the other runs; both are up to date. */
static void pair(rig_world_t *w, rig_t **one, rig_t **other)
{
    *one = rig_start(w, 0);
    rig_settle(*one);
    *other = rig_start_other(w, 2);
    rig_keep_copies(*other);
    assert_true(rig_until(*other, follows, 1000));
}

static void promote(rig_t *r)
{
    rig_join(r);
    rig_give_all(r);
    assert_true(rig_until(r, rig_runs, 20000));
}

/* ---- following ---- */

static void test_standby_follows_and_processes_nothing(void **state)
{
    rig_world_t w;
    rig_t *one, *other;
    leat__thread_view_t view;

    (void)state;
    rig_world_open(&w, rig_build_count, 2, EOS);
    write_keys(&w, 0, "a", 4);
    write_keys(&w, 1, "b", 2);
    pair(&w, &one, &other);
    assert_int_equal(rig_count(other, "0_0", "a"), 4);
    assert_int_equal(rig_count(other, "0_1", "b"), 2);
    write_keys(&w, 0, "a", 3);
    rig_settle(one);
    assert_true(rig_until(other, follows, 100));
    assert_int_equal(rig_count(other, "0_0", "a"), 7);
    assert_true(view_of(other, 0).standby);
    assert_false(view_of(other, 0).running);
    assert_int_equal(view_of(other, 0).left, 0);
    leat__thread_view(other->thread, &view);
    assert_int_equal(view.standby_count, 2);
    assert_int_equal(view.task_count + view.restoring_count, 0);
    assert_int_equal(view.counts.records, 0);
    assert_int_equal(other->events[true][LEAT_RESTORE_START], 2);
    assert_true(other->events[true][LEAT_RESTORE_BATCH] >= 2);
    assert_int_equal(other->events[true][LEAT_RESTORE_END], 0);
    rig_stop(other);
    rig_stop(one);
    assert_int_equal(rig_read(&w, "out", 2, true, room, 100), 9);
    rig_world_close(&w);
}

static void abort_one(rig_world_t *w, rig_t *one)
{
    int before = (int)one->thread->aborts;

    leat__fault_lose(w->log, LEAT__CALL_SEND_OFFSETS, 1, false);
    write_keys(w, 0, "a", 1);
    write_keys(w, 0, "only in the aborted one", 1);
    for (int i = 0; i < 400 && (int)one->thread->aborts == before; i++)
        rig_step(one);
}

static void test_standby_sees_nothing_of_what_was_aborted(void **state)
{
    rig_world_t w;
    rig_t *one, *other;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    write_keys(&w, 0, "a", 4);
    pair(&w, &one, &other);
    /* logged, not committed: an open transaction */
    leat__fault_hold(w.log, LEAT__CALL_COMMIT, LEAT__HOLD_BEFORE);
    write_keys(&w, 0, "a", 3);
    write_keys(&w, 0, "new", 3);
    rig_steps(one, 100);
    rig_steps(other, 100);
    assert_true(rig_offset(&w, CHANGELOG, 0, LEAT__HIGH_WATERMARK) >
                rig_offset(&w, CHANGELOG, 0, LEAT__STABLE_END));
    assert_int_equal(rig_count(other, "0_0", "a"), 4);
    assert_int_equal(rig_count(other, "0_0", "new"), -1);
    leat__fault_hold(w.log, LEAT__CALL_COMMIT, LEAT__HOLD_NOT);
    rig_settle(one);
    abort_one(&w, one);
    rig_settle(one);
    assert_true(rig_until(other, follows, 1000));
    assert_int_equal(rig_count(other, "0_0", "a"), rig_count(one, "0_0", "a"));
    assert_int_equal(rig_count(other, "0_0", "new"), 3);
    rig_stop(other);
    rig_stop(one);
    rig_world_close(&w);
}

static void test_standby_of_a_memory_store_follows(void **state)
{
    rig_world_t w;
    rig_t *one, *other;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    rig_world_set(&w, "dsl.store.backend", "memory");
    write_keys(&w, 0, "a", 4);
    pair(&w, &one, &other);
    assert_int_equal(rig_count(other, "0_0", "a"), 4);
    rig_crash(one);
    promote(other);
    assert_true(other->replayed <= 1);
    write_keys(&w, 0, "a", 1);
    rig_settle(other);
    assert_int_equal(rig_count(other, "0_0", "a"), 5);
    rig_stop(other);
    rig_world_close(&w);
}

static void test_standby_starts_again_where_it_was(void **state)
{
    rig_world_t w;
    rig_t *one, *other;
    leat__local_task_t *tasks;
    int64_t end;
    char dir[96];

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    write_many(&w, 0, 0, 3000);
    pair(&w, &one, &other);
    end = rig_offset(&w, CHANGELOG, 0, LEAT__HIGH_WATERMARK);
    snprintf(dir, sizeof dir, "%s", other->dir);
    rig_stop(other);
    assert_int_equal(leat__state_dir_tasks(dir, &tasks), 1);
    assert_int_equal(tasks[0].offset_sum, end);
    leat__free(tasks);
    write_keys(&w, 0, "a", 1);
    rig_settle(one);
    other = rig_start_other(&w, 2);
    rig_keep_copies(other);
    assert_true(rig_until(other, follows, 1000));
    assert_int_equal(other->began, end);
    assert_int_equal(rig_count(other, "0_0", "a"), 1);
    assert_int_equal(rig_count(other, "0_0", "k2999"), 1);
    /* killed, not stopped */
    write_keys(&w, 0, "a", 1);
    rig_settle(one);
    assert_true(rig_until(other, follows, 1000));
    rig_crash(other);
    other = rig_start_other(&w, 2);
    rig_keep_copies(other);
    assert_true(rig_until(other, follows, 1000));
    assert_true(other->began > end);
    assert_int_equal(rig_count(other, "0_0", "a"), 2);
    rig_stop(other);
    rig_stop(one);
    rig_world_close(&w);
}

/* ---- promotion ---- */

static void promotion(const char *guarantee, bool dies_in_a_transaction)
{
    rig_world_t w;
    rig_t *one, *other;

    rig_world_open(&w, rig_build_count, 2, guarantee);
    write_many(&w, 0, 0, 2000);
    write_keys(&w, 1, "b", 5);
    pair(&w, &one, &other);
    write_keys(&w, 0, "a", 3);
    rig_settle(one);
    if (dies_in_a_transaction) {
        leat__fault_hold(w.log, LEAT__CALL_COMMIT, LEAT__HOLD_BEFORE);
        write_keys(&w, 0, "a", 2);
        rig_steps(one, 100);
        assert_true(one->thread->transaction);
        leat__fault_hold(w.log, LEAT__CALL_COMMIT, LEAT__HOLD_NOT);
    }
    rig_crash(one);
    promote(other);
    assert_true(other->replayed <= 8); /* not the 2000 */
    assert_int_equal(other->events[true][LEAT_RESTORE_END], 2);
    assert_int_equal(other->events[false][LEAT_RESTORE_START], 2);
    assert_int_equal(other->events[false][LEAT_RESTORE_END], 2);
    write_keys(&w, 0, "a", 1);
    write_keys(&w, 0, "k1999", 1);
    rig_settle(other);
    assert_int_equal(rig_count(other, "0_0", "a"), dies_in_a_transaction ? 6 : 4);
    assert_int_equal(rig_count(other, "0_0", "k1999"), 2);
    assert_int_equal(rig_count(other, "0_1", "b"), 5);
    assert_false(view_of(other, 0).standby);
    assert_true(view_of(other, 0).running);
    rig_stop(other);
    rig_world_close(&w);
}

static void test_promotion_replays_the_rest_only(void **state)
{
    (void)state;
    promotion(EOS, false);
    promotion(EOS, true);
    promotion(ALO, false);
}

static void test_promotion_of_a_standby_that_has_just_begun(void **state)
{
    (void)state;
    for (int steps = 0; steps < 6; steps++) {
        rig_world_t w;
        rig_t *one, *other;

        rig_world_open(&w, rig_build_count, 1, EOS);
        write_many(&w, 0, 0, 3000);
        one = rig_start(&w, 0);
        rig_settle(one);
        rig_crash(one);
        other = rig_start_other(&w, 2);
        rig_keep_copies(other);
        rig_steps(other, steps);
        promote(other);
        assert_int_equal(rig_count(other, "0_0", "k2999"), 1);
        write_keys(&w, 0, "k0", 1);
        rig_settle(other);
        assert_int_equal(rig_count(other, "0_0", "k0"), 2);
        rig_stop(other);
        rig_world_close(&w);
    }
}

static void test_promotion_rebuilds_what_does_not_fit(void **state)
{
    rig_world_t w;
    rig_t *one, *other;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    write_keys(&w, 0, "a", 3);
    write_keys(&w, 0, "b", 1);
    pair(&w, &one, &other);
    rig_crash(one);
    other->incarnation = 78; /* the changelog was made anew while it was followed */
    promote(other);
    assert_true(other->replayed >= 2);
    assert_int_equal(rig_count(other, "0_0", "a"), 3);
    rig_stop(other);
    rig_world_close(&w);
}

static void test_standby_rebuilds_itself_when_the_changelog_is_made_anew(void **state)
{
    rig_world_t w;
    rig_t *one, *other;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    write_keys(&w, 0, "a", 3);
    write_keys(&w, 0, "b", 1);
    pair(&w, &one, &other);
    rig_stop(one);
    assert_true(leat__fault_recreate_topic(w.log, CHANGELOG));
    rig_steps(other, 100);
    assert_true(rig_until(other, follows, 1000));
    assert_int_equal(rig_count(other, "0_0", "a"), -1);
    rig_stop(other);
    rig_world_close(&w);
}

/* ---- moving ---- */

static void test_a_task_moves_to_its_standby_and_leaves_one_behind(void **state)
{
    rig_world_t w;
    rig_t *one, *other;
    uint64_t before;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    write_many(&w, 0, 0, 2000);
    pair(&w, &one, &other);
    write_keys(&w, 0, "a", 2);
    rig_steps(one, 2);
    rig_tell(one, LEAT__SAY_TAKE);
    rig_keep_copies(one); /* in one go: it is opened anew as soon as it is released */
    one->given = false;
    assert_true(rig_until(one, released, 1000));
    assert_int_equal(one->released, 1);
    promote(other);
    assert_true(other->replayed <= 8);
    for (int i = 0; i < 400; i++) { /* the group goes through a rebalance */
        rig_step(one);
        rig_step(other);
    }
    assert_true(rig_until(one, follows, 1000));
    assert_true(one->began >= 2000); /* from its own state */
    write_keys(&w, 0, "a", 5);
    rig_settle(other);
    rig_steps(one, 20);
    assert_true(rig_until(one, follows, 1000));
    assert_int_equal(rig_count(other, "0_0", "a"), 7);
    assert_int_equal(rig_count(one, "0_0", "a"), 7);
    /* and back */
    before = one->replayed;
    other->released = 0;
    rig_tell(other, LEAT__SAY_TAKE);
    other->given = false;
    assert_true(rig_until(other, released, 1000));
    rig_give_all(one);
    assert_true(rig_until(one, rig_runs, 2000));
    assert_true(one->replayed - before <= 8);
    assert_int_equal(rig_count(one, "0_0", "a"), 7);
    rig_stop(other);
    rig_stop(one);
    rig_world_close(&w);
}

static void test_take_of_a_standby_is_answered(void **state)
{
    rig_world_t w;
    rig_t *one, *other;

    (void)state;
    rig_world_open(&w, rig_build_count, 2, EOS);
    write_keys(&w, 0, "a", 4);
    pair(&w, &one, &other);
    rig_tell(other, LEAT__SAY_TAKE);
    assert_true(rig_until(other, released, 100));
    assert_int_equal(other->thread->task_count, 0);
    assert_int_equal(other->events[true][LEAT_RESTORE_SUSPEND], 2);
    rig_tell(other, LEAT__SAY_TAKE); /* of what is not there */
    rig_tell(other, LEAT__SAY_GIVE_STANDBY);
    rig_tell(other, LEAT__SAY_TAKE);
    rig_tell(other, LEAT__SAY_GIVE_STANDBY);
    rig_tell(other, LEAT__SAY_GIVE_STANDBY); /* twice is once */
    assert_true(rig_until(other, follows, 1000));
    assert_int_equal(other->released, 3);
    assert_int_equal(other->thread->task_count, 2);
    assert_int_equal(rig_count(other, "0_0", "a"), 4);
    rig_stop(other);
    rig_stop(one);
    rig_world_close(&w);
}

static void test_take_during_a_restore_keeps_what_was_restored(void **state)
{
    rig_world_t w;
    rig_t *r;
    int64_t end;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    rig_world_set(&w, "commit.interval.ms", "1000");
    r = rig_start(&w, 0);
    for (int i = 0; i < 10; i++) {
        write_many(&w, 0, i * 10000, 10000);
        rig_settle(r);
    }
    rig_crash(r);
    end = rig_offset(&w, CHANGELOG, 0, LEAT__HIGH_WATERMARK);
    r = rig_start_other(&w, 2);
    rig_join(r);
    assert_true(rig_until(r, restoring, 20000));
    rig_tell(r, LEAT__SAY_TAKE);
    r->given = false;
    assert_true(rig_until(r, released, 100));
    assert_int_equal(r->events[false][LEAT_RESTORE_SUSPEND], 1);
    assert_int_equal(r->events[false][LEAT_RESTORE_END], 0);
    rig_give_all(r);
    assert_true(rig_until(r, rig_runs, 1000));
    assert_true(r->began > 1000);
    assert_true(r->replayed < (uint64_t)end - 1000);
    assert_int_equal(rig_count(r, "0_0", "k99999"), 1);
    assert_int_equal(rig_count(r, "0_0", "k0"), 1);
    rig_stop(r);
    rig_world_close(&w);
}

static bool lost_done(rig_t *r)
{
    return r->lost > 0;
}

static void test_lost_closes_standbys_and_keeps_their_state(void **state)
{
    rig_world_t w;
    rig_t *one, *other;
    int64_t end;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    write_many(&w, 0, 0, 2000);
    pair(&w, &one, &other);
    end = rig_offset(&w, CHANGELOG, 0, LEAT__HIGH_WATERMARK);
    rig_say(other, leat__message_new(LEAT__SAY_LOST));
    assert_true(rig_until(other, lost_done, 1000));
    assert_int_equal(other->thread->task_count, 0);
    rig_keep_copies(other);
    assert_true(rig_until(other, follows, 1000));
    assert_int_equal(other->began, end);
    rig_stop(other);
    rig_stop(one);
    rig_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_standby_follows_and_processes_nothing),
        cmocka_unit_test(test_standby_sees_nothing_of_what_was_aborted),
        cmocka_unit_test(test_standby_of_a_memory_store_follows),
        cmocka_unit_test(test_standby_starts_again_where_it_was),
        cmocka_unit_test(test_promotion_replays_the_rest_only),
        cmocka_unit_test(test_promotion_of_a_standby_that_has_just_begun),
        cmocka_unit_test(test_promotion_rebuilds_what_does_not_fit),
        cmocka_unit_test(test_standby_rebuilds_itself_when_the_changelog_is_made_anew),
        cmocka_unit_test(test_a_task_moves_to_its_standby_and_leaves_one_behind),
        cmocka_unit_test(test_take_of_a_standby_is_answered),
        cmocka_unit_test(test_take_during_a_restore_keeps_what_was_restored),
        cmocka_unit_test(test_lost_closes_standbys_and_keeps_their_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
