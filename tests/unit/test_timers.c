/*
 * Goal: punctuation: when ticks come, which order, what they see and may do. Method: the test
 * driver and its clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <leat/testing.h>

#include <stdio.h>
#include <string.h>

#define S leat_serde_string()

static char ticks[512];
static leat_timer_t *first_timer;

static void note(const char *format, long long number)
{
    size_t used = strlen(ticks);

    snprintf(ticks + used, sizeof ticks - used, format, number);
}

static void tick_a(leat_ctx_t *ctx, const leat_record_t *in)
{
    assert_null(in->key);
    assert_null(in->value);
    assert_null(in->headers);
    assert_null(leat_meta(ctx));
    note("a%lld ", (long long)in->time_ms);
    leat_emit(ctx, NULL, leat_text(ctx, "tick"));
}

static void tick_b(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)ctx;
    note("b%lld ", (long long)in->time_ms);
}

static void tick_once(leat_ctx_t *ctx, const leat_record_t *in)
{
    note("once%lld ", (long long)in->time_ms);
    leat_cancel(ctx, NULL);
}

static void tick_cancels_first(leat_ctx_t *ctx, const leat_record_t *in)
{
    note("c%lld ", (long long)in->time_ms);
    leat_cancel(ctx, first_timer);
}

static void tick_schedules(leat_ctx_t *ctx, const leat_record_t *in)
{
    note("s%lld ", (long long)in->time_ms);
    leat_cancel(ctx, NULL);
    leat_schedule(ctx, 5, LEAT_WALL_TIME, tick_b);
}

static void tick_fails(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_fail(ctx, LEAT_EUSER, "tick %lld", (long long)in->time_ms);
}

static void passes(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

static void stream_10(leat_ctx_t *ctx)
{
    first_timer = leat_schedule(ctx, 10, LEAT_STREAM_TIME, tick_a);
}

static void stream_two(leat_ctx_t *ctx)
{
    stream_10(ctx);
    leat_schedule(ctx, 5, LEAT_STREAM_TIME, tick_b);
}

static void wall_10(leat_ctx_t *ctx)
{
    first_timer = leat_schedule(ctx, 10, LEAT_WALL_TIME, tick_a);
}

static void wall_once(leat_ctx_t *ctx)
{
    leat_schedule(ctx, 10, LEAT_WALL_TIME, tick_once);
}

static void wall_cancels(leat_ctx_t *ctx)
{
    wall_10(ctx);
    leat_schedule(ctx, 9, LEAT_WALL_TIME, tick_cancels_first);
}

static void wall_schedules(leat_ctx_t *ctx)
{
    leat_schedule(ctx, 10, LEAT_WALL_TIME, tick_schedules);
}

static void wall_fails(leat_ctx_t *ctx)
{
    leat_schedule(ctx, 10, LEAT_WALL_TIME, tick_fails);
}

static void bad_interval(leat_ctx_t *ctx)
{
    leat_schedule(ctx, 0, LEAT_WALL_TIME, tick_a);
}

static leat_test_t *driver(leat_task_fn open, const leat_test_opts_t *opts)
{
    leat_builder_t *b = leat_builder_new();

    ticks[0] = '\0';
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "proc", passes, &(leat_node_opts_t){.open = open});
    leat_builder_sink(b, "proc", "sink", "out", S, S, NULL);
    return leat_test_new(leat_builder_finish(b), NULL, opts);
}

static void test_stream_time_ticks_at_multiples_and_collapses(void **state)
{
    leat_test_t *t = driver(stream_10, NULL);

    (void)state;
    assert_int_equal(leat_test_advance_ms(t, 100), 0);
    assert_string_equal(ticks, "");
    leat_test_pipe_text(t, "in", "k", "v", 3);
    leat_test_pipe_text(t, "in", "k", "v", 9);
    assert_string_equal(ticks, "a3 ");
    leat_test_pipe_text(t, "in", "k", "v", 10);
    leat_test_pipe_text(t, "in", "k", "v", 47);
    leat_test_pipe_text(t, "in", "k", "v", 49);
    leat_test_pipe_text(t, "in", "k", "v", 50);
    assert_string_equal(ticks, "a3 a10 a47 a50 ");
    leat_test_free(t);
}

static void test_stream_tick_is_forwarded_after_the_record(void **state)
{
    leat_test_t *t = driver(stream_10, NULL);

    (void)state;
    leat_test_pipe_text(t, "in", "k", "v", 3);
    assert_string_equal(leat_test_read_text(t, "out"), "k=v@3");
    assert_string_equal(leat_test_read_text(t, "out"), "null=tick@3");
    assert_null(leat_test_read_text(t, "out"));
    leat_test_free(t);
}

static void test_several_due_timers_run_by_time(void **state)
{
    leat_test_t *t = driver(stream_two, NULL);

    (void)state;
    leat_test_pipe_text(t, "in", "k", "v", 0);
    leat_test_pipe_text(t, "in", "k", "v", 20);
    assert_string_equal(ticks, "a0 b0 b20 a20 ");
    leat_test_free(t);
}

static void test_wall_clock(void **state)
{
    leat_test_t *t = driver(wall_10, &(leat_test_opts_t){.start_wall_ms = 1000});

    (void)state;
    leat_test_advance_ms(t, 9);
    assert_string_equal(ticks, "");
    leat_test_advance_ms(t, 1);
    leat_test_advance_ms(t, 35);
    leat_test_advance_ms(t, 4);
    leat_test_advance_ms(t, 1);
    assert_string_equal(ticks, "a1010 a1045 a1050 ");
    assert_int_equal(leat_test_pending(t, "out"), 3);
    leat_test_free(t);
}

static void test_cancel(void **state)
{
    leat_test_t *once = driver(wall_once, NULL), *other;

    (void)state;
    for (int i = 0; i < 5; i++)
        leat_test_advance_ms(once, 10);
    assert_string_equal(ticks, "once10 ");
    leat_test_free(once);
    other = driver(wall_cancels, NULL);
    leat_test_advance_ms(other, 10);
    assert_string_equal(ticks, "c10 ");
    leat_test_advance_ms(other, 10);
    assert_string_equal(ticks, "c10 c20 ");
    leat_test_free(other);
}

static void test_schedule_in_a_tick(void **state)
{
    leat_test_t *t = driver(wall_schedules, NULL);

    (void)state;
    leat_test_advance_ms(t, 10);
    leat_test_advance_ms(t, 5);
    leat_test_advance_ms(t, 5);
    assert_string_equal(ticks, "s10 b15 b20 ");
    leat_test_free(t);
}

static leat_stage_t stage;
static leat_verdict_t goes_on(void *user, const leat_bad_record_t *bad)
{
    (void)user;
    stage = bad->stage;
    assert_null(bad->topic);
    assert_int_equal(bad->offset, -1);
    assert_string_equal(bad->node, "proc");
    return LEAT_VERDICT_CONTINUE;
}

static void test_failing_tick(void **state)
{
    leat_test_t *strict = driver(wall_fails, NULL), *lenient;
    leat_error_t err;

    (void)state;
    assert_int_equal(leat_test_advance_ms(strict, 10), LEAT_EUSER);
    leat_test_failure(strict, &err);
    assert_string_equal(err.where, "proc, task 0_0");
    leat_test_free(strict);
    lenient = driver(wall_fails, &(leat_test_opts_t){.on_bad_record = goes_on});
    assert_int_equal(leat_test_advance_ms(lenient, 10), 0);
    assert_int_equal(leat_test_advance_ms(lenient, 10), 0);
    assert_int_equal(stage, LEAT_STAGE_PUNCTUATE);
    assert_true(leat_test_metric(lenient, "dropped-records-total") == 2);
    leat_test_free(lenient);
}

static void test_interval_below_one_is_refused(void **state)
{
    leat_test_t *t = driver(bad_interval, NULL);

    (void)state;
    assert_int_equal(leat_test_failure(t, NULL), LEAT_EARGUMENT);
    assert_int_equal(leat_test_pipe_text(t, "in", "k", "v", 0), LEAT_EARGUMENT);
    leat_test_free(t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_time_ticks_at_multiples_and_collapses),
        cmocka_unit_test(test_stream_tick_is_forwarded_after_the_record),
        cmocka_unit_test(test_several_due_timers_run_by_time),
        cmocka_unit_test(test_wall_clock),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_schedule_in_a_tick),
        cmocka_unit_test(test_failing_tick),
        cmocka_unit_test(test_interval_below_one_is_refused),
    };

    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
