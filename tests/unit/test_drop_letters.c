/*
 * Goal: input records that operators leave out by their rules go to the dead-letter topic when
 * errors.dead.letter.queue.drops asks for it, each with its reason; and not at all by default.
 * Method: topologies in the driver, one rule each.
 */
#include "dsl_kit.h"

static leat_build_fn topology;

static leat_test_t *open_driver(const char *drops)
{
    leat_config_t *config = leat_config_new();
    leat_test_t *t;

    leat_config_set(config, "dsl.store.backend", "memory");
    leat_config_set(config, "statestore.cache.max.bytes", "0");
    leat_config_set(config, "errors.dead.letter.queue.topic.name", "dlq");
    leat_config_set(config, "errors.dead.letter.queue.drops", drops);
    t = leat_test_new(leat_topology_build(topology, config), config, NULL);
    assert_int_equal(leat_test_failure(t, NULL), LEAT_OK);
    return t;
}

static void windows(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_table_to(leat_grouped_count(leat_stream_group_by_key(in, NULL, NULL), "w",
                      &(leat_fold_opts_t){.window = leat_tumbling(10, 0)}),
        "out", NULL);
}

/* The next letter: key, value, and a word of its reason. */
static void expect_letter(leat_test_t *t, const char *key, const char *value, const char *why)
{
    const leat_record_t *letter = leat_test_read_bytes(t, "dlq");

    assert_non_null(letter);
    assert_true(key ? leat_slice_is(letter->key, key) : !letter->key);
    assert_true(value ? leat_slice_is(letter->value, value) : !letter->value);
    assert_true(
        leat_slice_is(leat_headers_get(letter->headers, "__streams.errors.exception"), "dropped"));
    assert_true(leat_slice_is(leat_headers_get(letter->headers, "__streams.errors.message"), why));
    assert_true(leat_slice_is(leat_headers_get(letter->headers, "__streams.errors.topic"), "in"));
}

static void test_late_and_null_keys_go_to_the_dead_letter_topic(void **state)
{
    leat_test_t *t;

    (void)state;
    topology = windows;
    t = open_driver("true");
    pipe_text(t, "in", "a", "1", 25);
    pipe_text(t, "in", "a", "2", 3);
    pipe_text(t, "in", NULL, "3", 26);
    pipe_text(t, "in", "b", "4", 27);
    expect_letter(t, "a", "2", "late: the window has closed");
    expect_letter(t, NULL, "3", "null key");
    assert_int_equal(leat_test_pending(t, "dlq"), 0);
    expect_text(t, "out", "[a@20/30]=1@25");
    expect_text(t, "out", "[b@20/30]=1@27");
    assert_true(leat_test_metric(t, "dropped-records-total") == 2.0);
    leat_test_free(t);
}

static void test_without_being_asked_nothing_is_written(void **state)
{
    leat_test_t *t;

    (void)state;
    topology = windows;
    t = open_driver("false");
    pipe_text(t, "in", "a", "1", 25);
    pipe_text(t, "in", "a", "2", 3);
    pipe_text(t, "in", NULL, "3", 26);
    assert_int_equal(leat_test_pending(t, "dlq"), 0);
    assert_true(leat_test_metric(t, "dropped-records-total") == 2.0);
    leat_test_free(t);
}

static void repartitioned(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_table_to(
        leat_grouped_count(leat_stream_group_by(in, "by", value_as_key, str(), NULL), "c", NULL),
        "out", NULL);
}

static void test_a_null_key_before_a_repartition_topic_is_a_letter_too(void **state)
{
    leat_test_t *t;

    (void)state;
    topology = repartitioned;
    t = open_driver("true");
    pipe_text(t, "in", "a", "x", 1);
    pipe_text(t, "in", "a", NULL, 2);
    expect_letter(t, "a", NULL, "null key");
    assert_int_equal(leat_test_pending(t, "dlq"), 0);
    expect_text(t, "out", "x=1@1");
    assert_true(leat_test_metric(t, "dropped-records-total") == 0.0); /* as in Kafka Streams */
    leat_test_free(t);
}

static void no_partition(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)ctx;
    (void)in;
}

static void partitioned(leat_builder_t *b)
{
    leat_stream_to(leat_builder_stream(b, "in", str(), str(), NULL), "out",
        &(leat_sink_opts_t){.partition = no_partition});
}

static void test_what_the_program_itself_leaves_out_is_no_letter(void **state)
{
    leat_test_t *t;

    (void)state;
    topology = partitioned;
    t = open_driver("true");
    pipe_text(t, "in", "a", "x", 1);
    assert_int_equal(leat_test_pending(t, "dlq"), 0);
    assert_true(leat_test_metric(t, "dropped-records-total") == 1.0);
    leat_test_free(t);
}

static int64_t never(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)ctx;
    (void)in;
    return -1;
}

static void timeless(leat_builder_t *b)
{
    leat_stream_to(leat_builder_stream(b, "in", str(), str(),
                       &(leat_source_opts_t){.timestamp = never}),
        "out", NULL);
}

static void test_a_negative_time_is_a_letter(void **state)
{
    leat_test_t *t;

    (void)state;
    topology = timeless;
    t = open_driver("true");
    pipe_text(t, "in", "a", "x", 1);
    expect_letter(t, "a", "x", "its time is negative");
    leat_test_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_and_null_keys_go_to_the_dead_letter_topic),
        cmocka_unit_test(test_without_being_asked_nothing_is_written),
        cmocka_unit_test(test_a_null_key_before_a_repartition_topic_is_a_letter_too),
        cmocka_unit_test(test_what_the_program_itself_leaves_out_is_no_letter),
        cmocka_unit_test(test_a_negative_time_is_a_letter),
    };

    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
