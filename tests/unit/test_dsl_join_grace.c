/*
 * Goal: unmatched records of a stream join that come late, but within the grace: said to be
 * unmatched at once, as in Kafka Streams (KAFKA-19536), or after the grace (.unmatched_wait_grace);
 * and records that wait for a versioned table (.grace_ms). Method: joins in the driver, in memory
 * and on RocksDB.
 */
#include "dsl_kit.h"

static leat_join_opts_t opts;

static leat_test_t *open_driver(leat_build_fn build, const char *backend)
{
    leat_config_t *config = leat_config_new();
    leat_test_t *t;

    leat_config_set(config, "dsl.store.backend", backend);
    leat_config_set(config, "emit.interval.ms", "0");
    t = leat_test_new(leat_topology_build(build, config), config, NULL);
    assert_int_equal(leat_test_failure(t, NULL), LEAT_OK);
    return t;
}

static void values(leat_ctx_t *ctx, const void *a, const void *b)
{
    const leat_slice_t none = {"none", 4}, *left = a ? a : &none, *right = b ? b : &none;

    leat_emit_value(ctx, leat_text(ctx, "%.*s+%.*s", LEAT_P(left), LEAT_P(right)));
}

static void joining(leat_builder_t *b)
{
    leat_stream_to(leat_stream_join(leat_builder_stream(b, "left", str(), str(), NULL),
                       leat_builder_stream(b, "right", str(), str(), NULL), "j", values, str(),
                       leat_within(10, 100), &opts),
        "out", NULL);
}

static leat_test_t *late_left(const char *backend, bool waits)
{
    leat_test_t *t;

    opts = (leat_join_opts_t){.kind = LEAT_OUTER, .unmatched_wait_grace = waits};
    t = open_driver(joining, backend);
    pipe_text(t, "right", "t", "x", 1050);
    pipe_text(t, "left", "a", "1", 1000); /* its window is over at 1010, its grace at 1110 */
    return t;
}

static void late_records(const char *backend)
{
    leat_test_t *t = late_left(backend, false);

    expect_text(t, "out", "a=1+none@1000");
    pipe_text(t, "right", "a", "2", 1005);
    expect_text(t, "out", "a=1+2@1005"); /* and yet there is one */
    expect_text(t, "out", NULL);
    leat_test_free(t);

    t = late_left(backend, true);
    expect_text(t, "out", NULL);
    pipe_text(t, "right", "a", "2", 1005);
    expect_text(t, "out", "a=1+2@1005");
    pipe_text(t, "right", "t", "y", 1300);
    expect_text(t, "out", "t=none+x@1050");
    expect_text(t, "out", NULL);
    leat_test_free(t);

    t = late_left(backend, true);
    pipe_text(t, "right", "t", "y", 1111); /* past the grace: nobody came */
    expect_text(t, "out", "a=1+none@1000");
    expect_text(t, "out", NULL);
    leat_test_free(t);
}

static void test_late_unmatched_records_wait_for_the_grace_on_request(void **state)
{
    (void)state;
    late_records("memory");
    late_records("rocksdb");
}

static void enriching(leat_builder_t *b)
{
    leat_table_t *table = leat_builder_table(b, "right", str(), str(),
        &(leat_source_opts_t){.store = {.name = "v", .history_ms = 10000}});

    leat_stream_to(leat_stream_join_table(leat_builder_stream(b, "left", str(), str(), NULL), table,
                       "j", values, str(), &opts),
        "out", NULL);
}

static void waiting_records(const char *backend)
{
    leat_test_t *t;

    opts = (leat_join_opts_t){.kind = LEAT_LEFT, .grace_ms = 100};
    t = open_driver(enriching, backend);
    pipe_text(t, "left", "a", "1", 1000);
    pipe_text(t, "left", "a", "1", 1000); /* equal ones are two */
    pipe_text(t, "left", "a", "2", 990);
    pipe_text(t, "right", "a", "late", 995);
    expect_text(t, "out", NULL);
    pipe_text(t, "left", "b", "3", 1099);
    expect_text(t, "out", "a=2+none@990");
    pipe_text(t, "left", "b", "4", 1100);
    expect_text(t, "out", "a=1+late@1000");
    expect_text(t, "out", "a=1+late@1000");
    pipe_text(t, "left", "a", "5", 999); /* older than the grace: does not wait */
    expect_text(t, "out", "a=5+late@999");
    expect_text(t, "out", NULL);
    leat_test_free(t);
}

static void test_records_wait_for_a_versioned_table(void **state)
{
    (void)state;
    waiting_records("memory");
    waiting_records("rocksdb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_unmatched_records_wait_for_the_grace_on_request),
        cmocka_unit_test(test_records_wait_for_a_versioned_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
