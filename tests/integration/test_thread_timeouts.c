/*
 * Goal: task.timeout.ms as Kafka has it (0: nothing is tried again; within it what fails is tried
 * again while other tasks run; past it the thread fails and says what, where and by which property),
 * waits that grow between tries, and a line for who reads the log when offsets are pending.
 * Method: a thread on the embedded log with a clock of ours; calls that get no answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "log_kit.h"
#include "thread_rig.h"

#define ALO "at_least_once"
#define EOS "exactly_once_v2"

static void write_keys(rig_world_t *w, int32_t partition, int count)
{
    for (int i = 0; i < count; i++)
        rig_write(w, "in", partition, "a", "x", 1000 + i);
}

static rig_t *start_with(rig_world_t *w, const char *guarantee, const char *timeout_ms,
    leat__fault_call_t lost, unsigned times)
{
    rig_world_open(w, rig_build_count, 2, guarantee);
    rig_world_set(w, "task.timeout.ms", timeout_ms);
    write_keys(w, 0, 5);
    write_keys(w, 1, 5);
    leat__fault_lose(w->log, lost, times, false);
    return rig_start(w, 0);
}

static void says(const char *text, const char *word)
{
    if (!strstr(text, word))
        fail_msg("'%s' does not say '%s'", text, word);
}

static void test_zero_fails_at_the_first_error(void **state)
{
    rig_world_t w;
    rig_t *r = start_with(&w, EOS, "0", LEAT__CALL_COMMITTED, 1);

    (void)state;
    assert_true(rig_until(r, rig_failed, 100));
    says(r->failure.text, "asking for committed offsets");
    says(r->failure.text, "task.timeout.ms");
    says(r->failure.where, "0_");
    rig_crash(r);
    rig_world_close(&w);
}

static void test_zero_fails_at_the_first_commit_that_is_lost(void **state)
{
    rig_world_t w;
    rig_t *r = start_with(&w, ALO, "0", LEAT__CALL_MEMBER_COMMIT, 0);

    (void)state;
    assert_true(rig_until(r, rig_runs, 1000));
    rig_settle(r);
    leat__fault_lose(w.log, LEAT__CALL_MEMBER_COMMIT, 1, false);
    write_keys(&w, 0, 1);
    assert_true(rig_until(r, rig_failed, 2000));
    says(r->failure.text, "task.timeout.ms");
    rig_crash(r);
    rig_world_close(&w);
}

static void test_zero_is_not_about_fences(void **state)
{
    rig_world_t w;
    rig_t *r = start_with(&w, EOS, "0", LEAT__CALL_COMMITTED, 0);

    (void)state;
    rig_settle(r);
    write_keys(&w, 0, 1);
    leat__commit_abort(r->thread);
    rig_settle(r);
    assert_int_equal(r->failed, 0);
    assert_int_equal(rig_count(r, "0_0", "a"), 6);
    rig_stop(r);
    rig_world_close(&w);
}

static bool one_runs(rig_t *r)
{
    leat__owned_t *a = rig_task(r, "0_0"), *b = rig_task(r, "0_1");

    return a && b && (a->phase == LEAT__PHASE_RUNNING) != (b->phase == LEAT__PHASE_RUNNING);
}

static void test_within_it_the_other_task_goes_on(void **state)
{
    rig_world_t w;
    rig_t *r = start_with(&w, EOS, "60000", LEAT__CALL_COMMITTED, 9);

    (void)state;
    assert_true(rig_until(r, one_runs, 4000));
    assert_int_equal(r->failed, 0);
    rig_settle(r);
    assert_int_equal(rig_count(r, "0_0", "a"), 5);
    assert_int_equal(rig_count(r, "0_1", "a"), 5);
    rig_stop(r);
    rig_world_close(&w);
}

static void past(leat__fault_call_t call, const char *what)
{
    rig_world_t w;
    rig_t *r = start_with(&w, EOS, "3000", call, 1000000);
    int64_t began_ms = r->thread->now_ms, took_ms;

    assert_true(rig_until(r, rig_failed, 6000));
    took_ms = r->thread->now_ms - began_ms;
    assert_in_range(took_ms, 3000, 3000 + 1500); /* a wait of up to 1.2 s may be under way */
    says(r->failure.text, what);
    says(r->failure.text, "task.timeout.ms");
    rig_crash(r);
    rig_world_close(&w);
}

static void test_past_it_the_thread_fails_and_says_why(void **state)
{
    (void)state;
    past(LEAT__CALL_COMMITTED, "asking for committed offsets");
    past(LEAT__CALL_INIT, "writers of thread 0");
    past(LEAT__CALL_OFFSETS, "asking for the changelogs'"); /* though committed offsets are told */

}

/* 20 lost answers: 0.1 + 0.2 + 0.4 + 0.8 + 16 times 1 s, give or take a fifth. */
static int64_t time_of_20(void)
{
    rig_world_t w;
    rig_t *r;
    int64_t began_ms, took_ms;

    rig_world_open(&w, rig_build_count, 1, EOS);
    write_keys(&w, 0, 5);
    leat__fault_lose(w.log, LEAT__CALL_COMMITTED, 20, false);
    r = rig_start(&w, 0);
    began_ms = r->thread->now_ms;
    assert_true(rig_until(r, rig_runs, 6000));
    took_ms = r->thread->now_ms - began_ms;
    assert_in_range(took_ms, 17500 * 4 / 5, 17500 * 6 / 5 + 1000);
    rig_settle(r);
    rig_stop(r);
    rig_world_close(&w);
    return took_ms;
}

static void test_waits_grow_and_repeat_under_a_clock_of_ours(void **state)
{
    (void)state;
    assert_int_equal(time_of_20(), time_of_20());
}

/* ---- committed offsets that are pending ---- */

static void must(rig_world_t *w, leat__op_t *op)
{
    for (int i = 0; i < 10000 && !leat__op_done(op); i++) {
        w->clock.steady_ms += 5;
        leat__log_tick(w->log);
    }
    assert_true(leat__op_done(op));
    assert_int_equal(op->err.code, 0);
    leat__op_free(op);
}

/* Of somebody who is gone, over in-0: what it committed there cannot be told before it ends. */
static leat__writer_t *hanging_transaction(rig_world_t *w)
{
    const leat__broker_vt_t *vt = w->outside->vt;
    leat__writer_opts_t o = {
        .client_id = "gone", .transactional_id = "gone", .transaction_timeout_ms = 900000};
    leat__position_t p = {.topic = "in", .partition = 0, .offset = 3};
    leat__membership_t *none = leat__fault_membership(w->log, RIG_APP, -1, "");
    leat_error_t err = {0};
    leat__writer_t *writer = vt->writer_open(w->outside, &o, &err);

    must(w, vt->writer_init(writer));
    assert_int_equal(vt->writer_begin(writer, &err), 0);
    must(w, vt->writer_send_offsets(writer, &p, 1, none));
    leat__membership_unref(none);
    return writer;
}

static int times_said(const char *text)
{
    int times = 0;

    for (const char *at = log_lines; (at = strstr(at, text)); at++)
        times++;
    return times;
}

static void test_offsets_that_stay_pending_are_said(void **state)
{
    static const char line[] = "does not tell the committed offsets of in-0 for ";
    rig_world_t w;
    leat__writer_t *writer;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 2, EOS);
    write_keys(&w, 0, 5);
    write_keys(&w, 1, 5);
    writer = hanging_transaction(&w);
    catch_log(LEAT_LOG_INFO);
    r = rig_start(&w, 0);
    rig_steps(r, 9000 / 5);
    assert_null(strstr(log_lines, line));
    rig_steps(r, 2000 / 5);
    assert_int_equal(times_said(line), 1);
    assert_said("find-hanging");
    rig_steps(r, 60000 / 5);
    assert_int_equal(times_said(line), 3);
    assert_null(strstr(log_lines, "offsets of in-1"));
    r->heard_ms = 20000; /* a broker that is away is another matter */
    rig_steps(r, 60000 / 5);
    assert_int_equal(times_said(line), 3);
    r->heard_ms = 0;
    must(&w, w.outside->vt->writer_commit(writer));
    rig_settle(r);
    assert_int_equal(rig_count(r, "0_0", "a"), 2); /* of five, three were committed by the other */
    let_log_be();
    must(&w, w.outside->vt->writer_close(writer));
    rig_stop(r);
    rig_world_close(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_fails_at_the_first_error),
        cmocka_unit_test(test_zero_fails_at_the_first_commit_that_is_lost),
        cmocka_unit_test(test_zero_is_not_about_fences),
        cmocka_unit_test(test_within_it_the_other_task_goes_on),
        cmocka_unit_test(test_past_it_the_thread_fails_and_says_why),
        cmocka_unit_test(test_waits_grow_and_repeat_under_a_clock_of_ours),
        cmocka_unit_test(test_offsets_that_stay_pending_are_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
