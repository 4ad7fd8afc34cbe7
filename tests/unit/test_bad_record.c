/*
 * Goal: failures in a task: who is asked, what is dropped, what goes to the dead-letter topic, what
 * stops it, and what the error says. Method: as test_task.c.
 */
#include "task_rig.h"

static void test_failure_stops_the_task(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, one_processor(fails_on_bad), NULL, NULL, false);
    feed(&w, "in", "a=x@1 a=bad@2 a=y@3");
    assert_int_equal(run(&w), LEAT_EUSER);
    assert_string_equal(w.err.where, "proc, task 0_3, in-3@1");
    assert_string_equal(w.err.text, "cannot use bad");
    assert_string_equal(w.out, "out/5:a=x@1 ");
    assert_int_equal(leat__task_position(w.task, 0), 1);
    assert_int_equal(leat__task_step(w.task, &w.err), LEAT_EUSER);
    assert_int_equal(leat__task_flush(w.task, &w.err), LEAT_EUSER);
    close_world(&w);
}

static void test_continue_drops_at_the_failing_node_only(void **state)
{
    world_t w = {.verdict = LEAT_VERDICT_CONTINUE};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "bad", fails_on_bad, NULL);
    leat_builder_processor(b, "source", "good", uppers, NULL);
    leat_builder_sink(b, "bad", "s1", "one", S, S, NULL);
    leat_builder_sink(b, "good", "s2", "two", S, S, NULL);
    open_world(&w, b, NULL, NULL, true);
    feed(&w, "in", "a=bad@1");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "two/5:a=BAD@1 ");
    assert_int_equal(w.stage, LEAT_STAGE_PROCESS);
    assert_string_equal(w.bad, "bad 0_3 in-3@0 a=bad user_error: cannot use bad");
    assert_int_equal(leat__task_counts(w.task)->dropped, 1);
    close_world(&w);
}

static void test_undecodable_record(void **state)
{
    world_t w = {0}, lenient = {0};
    leat_builder_t *b[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        b[i] = leat_builder_new();
        leat_builder_source(b[i], "in", "source", S, leat_serde_int64(), NULL);
        leat_builder_sink(b[i], "source", "sink", "out", S, leat_serde_int64(), NULL);
    }
    open_world(&w, b[0], NULL, NULL, false);
    feed(&w, "in", "a=12345678@1 a=short@-1");
    assert_int_equal(run(&w), LEAT_ESERDE); /* before its time is looked at */
    assert_string_equal(w.out, "out/5:a=12345678@1 ");
    close_world(&w);

    open_world(&lenient, b[1], "deserialization.exception.handler", "continue", false);
    feed(&lenient, "in", "a=short@50 a=12345678@2 a=x@60");
    assert_int_equal(run(&lenient), 0);
    assert_string_equal(lenient.out, "out/5:a=12345678@2 ");
    assert_int_equal(leat__task_counts(lenient.task)->dropped, 2);
    assert_int_equal(leat__task_stream_time(lenient.task), 2);
    assert_int_equal(leat__task_position(lenient.task, 0), 3);
    assert_int_equal(lenient.released, 1);
    close_world(&lenient);
}

static void test_dead_letter_holds_the_input_record(void **state)
{
    world_t w = {.verdict = LEAT_VERDICT_DEAD_LETTER};

    (void)state;
    open_world(&w, one_processor(fails_on_bad), "errors.dead.letter.queue.topic.name", "dlq", true);
    feed(&w, "in", "a=bad@7");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "dlq/5:a=bad@7 ");
    assert_true(
        leat_slice_is(leat_headers_get(w.letter, "__streams.errors.exception"), "user_error"));
    assert_true(
        leat_slice_is(leat_headers_get(w.letter, "__streams.errors.message"), "cannot use bad"));
    assert_true(leat_slice_is(leat_headers_get(w.letter, "__streams.errors.topic"), "in"));
    assert_true(leat_slice_is(leat_headers_get(w.letter, "__streams.errors.partition"), "3"));
    assert_true(leat_slice_is(leat_headers_get(w.letter, "__streams.errors.offset"), "0"));
    assert_int_equal(leat__task_counts(w.task)->dropped, 1);
    close_world(&w);
}

static void test_dead_letter_without_topic_fails(void **state)
{
    world_t w = {.verdict = LEAT_VERDICT_DEAD_LETTER};

    (void)state;
    open_world(&w, one_processor(fails_on_bad), NULL, NULL, true);
    feed(&w, "in", "a=bad@7");
    assert_int_equal(run(&w), LEAT_EUSER);
    assert_non_null(strstr(w.err.text, "errors.dead.letter.queue.topic.name"));
    close_world(&w);
}

static void test_send_error_retry_continue_and_abort(void **state)
{
    world_t w = {.verdict = LEAT_VERDICT_RETRY};

    (void)state;
    open_world(&w, one_processor(passes), NULL, NULL, true);
    w.send_error = (leat_error_t){.code = LEAT_EBROKER, .flags = LEAT_RETRIABLE, .text = "away"};
    w.send_errors = 3;
    feed(&w, "in", "a=x@1");
    assert_int_equal(run(&w), 0);
    assert_int_equal(w.sends, 4);
    assert_int_equal(w.stage, LEAT_STAGE_SEND);
    assert_string_equal(w.out, "out/5:a=x@1 ");

    w.verdict = LEAT_VERDICT_CONTINUE;
    w.send_errors = 1;
    feed(&w, "in", "a=y@2");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=x@1 ");
    assert_int_equal(leat__task_counts(w.task)->dropped, 1);

    w.send_error.flags = LEAT_ABORT; /* nobody is asked */
    w.send_errors = 1;
    feed(&w, "in", "a=z@3");
    assert_int_equal(run(&w), LEAT_EBROKER);
    assert_int_equal(w.err.flags, LEAT_ABORT);
    close_world(&w);
}

static void test_retry_of_a_final_error_fails(void **state)
{
    world_t w = {.verdict = LEAT_VERDICT_RETRY};

    (void)state;
    open_world(&w, one_processor(passes), NULL, NULL, true);
    w.send_error = (leat_error_t){.code = LEAT_EBROKER, .text = "record too large"};
    w.send_errors = 1;
    feed(&w, "in", "a=x@1");
    assert_int_equal(run(&w), LEAT_EBROKER);
    assert_int_equal(w.sends, 1);
    close_world(&w);
}

static void to_nobody(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_to(ctx, "nobody", in);
}

static void back_in_time(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_record_t out = *in;

    out.time_ms -= 5;
    leat_emit_record(ctx, &out);
}

static void asks_for_a_store(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_put(leat_kv(ctx, "elsewhere"), in->key, in->value);
    leat_emit_record(ctx, in);
}

static void emits_topic(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_topic(ctx, in->value);
}

static void test_misuse_is_named(void **state)
{
    static const struct {
        leat_map_fn fn;
        int code;
        const char *says;
    } cases[] = {
        {to_nobody, LEAT_ECHILD, "'nobody'"},
        {back_in_time, LEAT_EARGUMENT, "-4"},
        {asks_for_a_store, LEAT_ECONNECT, "'elsewhere'"},
        {emits_topic, LEAT_ETYPE, "leat_emit_topic"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world_t w = {0};

        open_world(&w, one_processor(cases[i].fn), NULL, NULL, false);
        feed(&w, "in", "a=x@1");
        assert_int_equal(run(&w), cases[i].code);
        assert_non_null(strstr(w.err.text, cases[i].says));
        assert_string_equal(w.err.where, "proc, task 0_3, in-3@0");
        assert_string_equal(w.out, "");
        close_world(&w);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failure_stops_the_task),
        cmocka_unit_test(test_continue_drops_at_the_failing_node_only),
        cmocka_unit_test(test_undecodable_record),
        cmocka_unit_test(test_dead_letter_holds_the_input_record),
        cmocka_unit_test(test_dead_letter_without_topic_fails),
        cmocka_unit_test(test_send_error_retry_continue_and_abort),
        cmocka_unit_test(test_retry_of_a_final_error_fails),
        cmocka_unit_test(test_misuse_is_named),
    };

    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
