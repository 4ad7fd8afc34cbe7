/*
 * Goal: the test driver: loop over topics, commit after each record, reads, stores, errors.
 * Method: small topologies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <leat/testing.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S leat_serde_string()
#define I64 leat_serde_int64()

static void passes(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

static void counts(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_t *seen = leat_kv(ctx, "seen");
    const int64_t *before = leat_kv_get(seen, in->key);
    int64_t now = before ? *before + 1 : 1;

    leat_kv_put(seen, in->key, &now);
    leat_metric_add(leat_metric(ctx, "counted"), 2);
    leat_emit_value(ctx, &now);
}

static void tells_where(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_meta_t *meta = leat_meta(ctx);

    (void)in;
    leat_emit_value(
        ctx, leat_text(ctx, "%s/%d/%lld/%lld/%lld/%s", meta->topic, (int)meta->partition,
                 (long long)meta->offset, (long long)leat_stream_time_ms(ctx),
                 (long long)leat_wall_ms(ctx), leat_task_id(ctx)));
}

static leat_config_t *config(const char *name, const char *value)
{
    leat_config_t *c = leat_config_new();

    if (name)
        leat_config_set(c, name, value);
    return c;
}

static leat_topology_t *counting(const leat_backend_t *backend, leat_store_kind_t kind)
{
    leat_builder_t *b = leat_builder_new();

    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "proc", counts, NULL);
    leat_builder_sink(b, "proc", "sink", "out", S, I64, NULL);
    leat_builder_store(
        b, "seen", kind, S, I64, &(leat_store_opts_t){.backend = backend, .processors = "proc"});
    return leat_builder_finish(b);
}

static void test_count_with(const leat_backend_t *backend, leat_store_kind_t kind)
{
    leat_test_t *t = leat_test_new(counting(backend, kind), NULL, NULL);
    const leat_record_t *out;
    leat_slice_t key, value;
    int64_t time_ms, seven = 7;
    size_t at = 0;

    assert_int_equal(leat_test_failure(t, NULL), 0);
    assert_int_equal(leat_test_pipe_text(t, "in", "a", "x", 5), 0);
    assert_int_equal(leat_test_pipe_text(t, "in", "b", "x", 6), 0);
    assert_int_equal(leat_test_pipe(t, "in", &(leat_slice_t){"a", 1}, NULL, 7), 0);
    assert_string_equal(leat_test_topics(t), "app-seen-changelog,out");
    assert_int_equal(leat_test_pending(t, "out"), 3);
    assert_string_equal(leat_test_read_text(t, "out"), "a=1@5");
    out = leat_test_read(t, "out");
    assert_true(leat_slice_is(out->key, "b"));
    assert_int_equal(*(const int64_t *)out->value, 1);
    out = leat_test_read_bytes(t, "out");
    assert_int_equal(((const leat_slice_t *)out->value)->size, 8);
    assert_null(leat_test_read(t, "out"));
    assert_string_equal(leat_test_read_text(t, "app-seen-changelog"), "a=1@5");
    assert_string_equal(leat_test_read_text(t, "app-seen-changelog"), "b=1@6");
    assert_string_equal(leat_test_read_text(t, "app-seen-changelog"), "a=2@7");

    assert_int_equal(
        *(const int64_t *)leat_kv_get(leat_test_kv(t, "seen"), &(leat_slice_t){"a", 1}), 2);
    leat_kv_put(leat_test_kv(t, "seen"), &(leat_slice_t){"c", 1}, &seven);
    assert_int_equal(leat_test_pipe_text(t, "in", "c", "x", 9), 0);
    assert_string_equal(leat_test_read_text(t, "out"), "c=8@9");
    assert_true(leat_test_store_bytes(t, "seen", &at, &key, &value, &time_ms));
    assert_true(leat_slice_is(&key, "a"));
    assert_int_equal(value.data[7], 2);
    assert_int_equal(time_ms, kind == LEAT_KV ? -1 : 7);
    assert_true(leat_test_store_bytes(t, "seen", &at, &key, &value, &time_ms));
    assert_true(leat_test_store_bytes(t, "seen", &at, &key, &value, &time_ms));
    assert_true(leat_slice_is(&key, "c"));
    assert_false(leat_test_store_bytes(t, "seen", &at, &key, &value, &time_ms));
    assert_true(leat_test_metric(t, "counted") == 8);
    assert_true(leat_test_metric(t, "dropped-records-total") == 0);
    assert_true(isnan(leat_test_metric(t, "nonsense")));
    leat_test_free(t);
}

static void test_count_in_memory(void **state)
{
    (void)state;
    test_count_with(leat_backend_memory(), LEAT_KV);
    test_count_with(leat_backend_memory(), LEAT_TIMESTAMPED_KV);
}

static void test_count_in_rocksdb(void **state)
{
    (void)state;
    test_count_with(leat_backend_rocksdb(), LEAT_KV);
    test_count_with(NULL, LEAT_TIMESTAMPED_KV);
}

static void test_many_records_reach_the_backend_and_come_back(void **state)
{
    leat_test_t *t = leat_test_new(counting(leat_backend_rocksdb(), LEAT_KV), NULL, NULL);
    char key[16];

    (void)state;
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof key, "k%d", i % 500);
        assert_int_equal(leat_test_pipe_text(t, "in", key, "x", i), 0);
    }
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(*(const int64_t *)leat_kv_get(
                             leat_test_kv(t, "seen"), &(leat_slice_t){key, strlen(key)}),
            4);
    }
    leat_test_free(t);
}

static void test_topics_that_are_written_and_read_go_round(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_test_t *t;

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_sink(b, "source", "mid", "middle", S, S, NULL);
    leat_builder_source(b, "middle", "source2", S, S, NULL);
    leat_builder_processor(b, "source2", "proc", tells_where, NULL);
    leat_builder_sink(b, "proc", "sink", "out", S, S, NULL);
    t = leat_test_new(leat_builder_finish(b), NULL, &(leat_test_opts_t){.start_wall_ms = 40});
    leat_test_pipe_text(t, "in", "a", "x", 10);
    leat_test_advance_ms(t, 2);
    leat_test_pipe_text(t, "in", "a", "x", 5);
    assert_string_equal(leat_test_read_text(t, "out"), "a=middle/0/0/10/40/0_0@10");
    assert_string_equal(leat_test_read_text(t, "out"), "a=middle/0/1/10/42/0_0@5");
    assert_string_equal(leat_test_read_text(t, "middle"), "a=x@10");
    assert_string_equal(leat_test_topics(t), "middle,out");
    leat_test_free(t);
}

static void test_topics_of_a_pattern_share_a_queue(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_test_t *t;

    (void)state;
    leat_builder_source(b, "^in-[0-9]+", "source", S, S, NULL);
    leat_builder_processor(b, "source", "proc", tells_where, NULL);
    leat_builder_sink(b, "proc", "sink", "out", S, S, NULL);
    t = leat_test_new(leat_builder_finish(b), NULL, NULL);
    assert_int_equal(leat_test_pipe_text(t, "in-1", "a", "x", 0), 0);
    assert_int_equal(leat_test_pipe_text(t, "in-22", "b", "y", 1), 0);
    assert_string_equal(leat_test_read_text(t, "out"), "a=in-1/0/0/0/0/0_0@0");
    assert_string_equal(leat_test_read_text(t, "out"), "b=in-22/0/1/1/0/0_0@1");
    assert_int_equal(leat_test_pipe_text(t, "in-x", "b", "y", 1), LEAT_ETOPIC);
    leat_test_free(t);
}

static void test_headers_ride_along(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_header_t headers[] = {{"trace", {"1", 1}}, {"none", {NULL, 0}}};
    leat_slice_t key = {"a", 1}, value = {"x", 1};
    const leat_record_t *out;
    leat_test_t *t;

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "proc", passes, NULL);
    leat_builder_sink(b, "proc", "sink", "out", S, S, NULL);
    t = leat_test_new(leat_builder_finish(b), NULL, NULL);
    leat_test_pipe_bytes(t, "in", &key, &value, 3, headers, 2);
    out = leat_test_read(t, "out");
    assert_int_equal(leat_headers_count(out->headers), 2);
    assert_true(leat_slice_is(leat_headers_get(out->headers, "trace"), "1"));
    assert_null(leat_headers_at(out->headers, 1)->value.data);
    leat_test_free(t);
}

static void fails(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)in;
    leat_fail(ctx, LEAT_EUSER, "no");
}

static void test_first_failure_is_kept(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_error_t err;
    leat_test_t *t;

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "proc", fails, NULL);
    t = leat_test_new(leat_builder_finish(b), NULL, NULL);
    assert_int_equal(leat_test_pipe_text(t, "in", "a", "x", 1), LEAT_EUSER);
    assert_int_equal(leat_test_pipe_text(t, "nowhere", "a", "x", 1), LEAT_EUSER);
    assert_int_equal(leat_test_advance_ms(t, 1), LEAT_EUSER);
    leat_test_failure(t, &err);
    assert_string_equal(err.where, "proc, task 0_0, in-0@0");
    leat_test_free(t);
}

static void test_bad_topology_and_bad_config_are_reported(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_test_t *t;

    (void)state;
    leat_builder_processor(b, "nobody", "proc", passes, NULL);
    t = leat_test_new(leat_builder_finish(b), NULL, NULL);
    assert_int_equal(leat_test_failure(t, NULL), LEAT_ETOPOLOGY);
    assert_int_equal(leat_test_pipe_text(t, "in", "a", "x", 1), LEAT_ETOPOLOGY);
    assert_null(leat_test_read(t, "out"));
    assert_null(leat_kv_get(leat_test_kv(t, "seen"), &(leat_slice_t){"a", 1}));
    leat_test_free(t);
    t = leat_test_new(counting(NULL, LEAT_KV), config("comit.interval.ms", "1"), NULL);
    assert_int_equal(leat_test_failure(t, NULL), LEAT_ECONFIG);
    leat_test_free(t);
}

static void opens_store(leat_ctx_t *ctx)
{
    leat_kv(ctx, "other");
}

static void test_unconnected_store_fails_the_start(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_test_t *t;

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "one", passes, &(leat_node_opts_t){.open = opens_store});
    leat_builder_processor(b, "source", "two", passes, &(leat_node_opts_t){.stores = "other"});
    leat_builder_store(b, "other", LEAT_KV, S, S, NULL);
    t = leat_test_new(leat_builder_finish(b), NULL, NULL);
    assert_int_equal(leat_test_failure(t, NULL), LEAT_ECONNECT);
    leat_test_free(t);
}

static void test_undecodable_records_go_on_when_told(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_slice_t key = {"a", 1}, value = {"x", 1}, number = {"\0\0\0\0\0\0\0\7", 8};
    leat_test_t *t;

    (void)state;
    leat_builder_source(b, "in", "source", S, I64, NULL);
    leat_builder_sink(b, "source", "sink", "out", S, I64, NULL);
    t = leat_test_new(
        leat_builder_finish(b), config("deserialization.exception.handler", "continue"), NULL);
    assert_int_equal(leat_test_pipe_bytes(t, "in", &key, &value, 1, NULL, 0), 0);
    assert_int_equal(leat_test_pipe_bytes(t, "in", &key, &number, 2, NULL, 0), 0);
    assert_true(leat_test_metric(t, "dropped-records-total") == 1);
    assert_string_equal(leat_test_read_text(t, "out"), "a=7@2");
    leat_test_free(t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_in_memory),
        cmocka_unit_test(test_count_in_rocksdb),
        cmocka_unit_test(test_many_records_reach_the_backend_and_come_back),
        cmocka_unit_test(test_topics_that_are_written_and_read_go_round),
        cmocka_unit_test(test_topics_of_a_pattern_share_a_queue),
        cmocka_unit_test(test_headers_ride_along),
        cmocka_unit_test(test_first_failure_is_kept),
        cmocka_unit_test(test_bad_topology_and_bad_config_are_reported),
        cmocka_unit_test(test_unconnected_store_fails_the_start),
        cmocka_unit_test(test_undecodable_records_go_on_when_told),
    };

    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
