/*
 * Folds over streams, tables, and folds over grouped tables, over the test driver: values, times,
 * what is sent on with and without the record cache, where rows are kept.
 */
#include "base/mem.h"
#include "dsl_kit.h"

/* ---- folds over streams ---- */

static void counting(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_table_to(
        leat_grouped_count(leat_stream_group_by_key(in, NULL, NULL), "counts", NULL), "out", NULL);
}

static void count_three(leat_test_t *t)
{
    leat_slice_t a = leat_slice("a");
    const int64_t *count;

    pipe_text(t, "in", "a", "x", 5);
    pipe_text(t, "in", "a", "y", 3);
    pipe_text(t, "in", "b", "x", 9);
    pipe_text(t, "in", NULL, "x", 9);
    pipe_text(t, "in", "a", NULL, 9);
    expect_text(t, "out", "a=1@5");
    expect_text(t, "out", "a=2@5");
    expect_text(t, "out", "b=1@9");
    expect_text(t, "out", NULL);
    assert_int_equal(leat_test_pending(t, "app-counts-changelog"), 3);
    count = leat_kv_get(leat_test_kv(t, "counts"), &a);
    assert_int_equal(*count, 2);
    assert_true(leat_test_metric(t, "dropped-records-total") == 2.0);
    leat_test_free(t);
}

static void test_count_is_the_same_with_and_without_cache(void **state)
{
    (void)state;
    count_three(drive(counting, "0"));
    count_three(drive(counting, "1000000"));
}

static void five(leat_ctx_t *ctx, const leat_record_t *in)
{
    for (int i = 0; i < 5; i++)
        leat_emit_value(ctx, in->value);
}

static void counting_many(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    in = leat_stream_flat_map_values(in, NULL, five, str(), NULL);
    leat_table_to(
        leat_grouped_count(leat_stream_group_by_key(in, NULL, NULL), "counts", NULL), "out", NULL);
}

static void test_cache_sends_the_last_value_only(void **state)
{
    leat_test_t *t = drive(counting_many, "1000000");

    (void)state;
    pipe_text(t, "in", "a", "x", 1);
    expect_text(t, "out", "a=5@1");
    expect_text(t, "out", NULL);
    expect_text(t, "app-counts-changelog", "a=5@1");
    expect_text(t, "app-counts-changelog", NULL);
    leat_test_free(t);
    t = drive(counting_many, "0");
    pipe_text(t, "in", "a", "x", 1);
    assert_int_equal(leat_test_pending(t, "out"), 5);
    leat_test_free(t);
}

static size_t allocated;

/* Measures while it runs, so that only what is behind it counts. */
static void many_times(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_value(ctx, in->value);
    allocated = leat__allocations();
    for (int i = 0; i < 20000; i++)
        leat_emit_value(ctx, in->value);
    allocated = leat__allocations() - allocated;
}

static void counting_many_times(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    in = leat_stream_filter(in, NULL, yes, NULL);
    in = leat_stream_flat_map_values(in, NULL, many_times, str(), NULL);
    in = leat_stream_map_values(in, NULL, same_value, str(), NULL);
    in = leat_stream_filter_not(in, NULL, no, NULL);
    in = leat_stream_peek(in, NULL, nothing, NULL);
    in = leat_stream_process_values(in, NULL, same_value, str(), NULL);
    leat_grouped_count(leat_stream_group_by_key(in, NULL, NULL), "counts", NULL);
}

/* But for chunks of the scratch arena of the one long record. */
static void test_counting_allocates_nothing_per_record(void **state)
{
    leat_test_t *t = drive(counting_many_times, "1000000");
    leat_slice_t k = leat_slice("k");
    const int64_t *count;

    (void)state;
    pipe_text(t, "in", "k", "v", 1);
    assert_true(allocated < 8);
    count = leat_kv_get(leat_test_kv(t, "counts"), &k);
    assert_int_equal(*count, 20001);
    leat_test_free(t);
}

/* NULL when both are equal: deletes. */
static void join_or_delete(leat_ctx_t *ctx, const void *a, const void *b)
{
    if (leat_slice_equal(a, b))
        leat_emit_value(ctx, NULL);
    else
        join_plus(ctx, a, b);
}

static void reducing(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_table_to(
        leat_grouped_reduce(leat_stream_group_by_key(in, NULL, NULL), NULL, join_or_delete, NULL),
        "out", NULL);
}

static void test_reduce_starts_with_the_first_value_and_may_delete(void **state)
{
    leat_test_t *t = drive(reducing, "0");

    (void)state;
    pipe_text(t, "in", "k", "x", 9);
    pipe_text(t, "in", "k", "x", 5);
    pipe_text(t, "in", "k", "y", 1);
    pipe_text(t, "in", "k", "z", 2);
    expect_text(t, "out", "k=x@9");
    expect_text(t, "out", "k=null@9");
    expect_text(t, "out", "k=y@1");
    expect_text(t, "out", "k=y+z@2");
    leat_test_free(t);
}

static void test_store_of_a_fold_without_names_is_generated(void **state)
{
    leat_test_t *t = drive(reducing, "0");

    (void)state;
    pipe_text(t, "in", "k", "x", 1);
    expect_text(t, "app-KSTREAM-REDUCE-STATE-STORE-0000000001-changelog", "k=x@1");
    leat_test_free(t);
}

struct pair {
    int64_t count, bytes;
};

static const leat_field_t pair_fields[] = {
    LEAT_FIELD(struct pair, count, INT64), LEAT_FIELD(struct pair, bytes, INT64), LEAT_FIELDS_END};
static const leat_serde_t pair_serde = LEAT_SERDE_BINARY("pair", struct pair, pair_fields);

static void add_pair(leat_ctx_t *ctx, const void *a, const void *b)
{
    struct pair pair = a ? *(const struct pair *)a : (struct pair){0};
    const leat_slice_t *text = b;

    pair.count++;
    pair.bytes += (int64_t)text->size;
    leat_emit_value(ctx, &pair);
}

static void aggregating(leat_builder_t *b)
{
    const struct pair pair = {10, 100};
    const leat_slice_t start = leat_slice(">");
    leat_grouped_t *g =
        leat_stream_group_by_key(leat_builder_stream(b, "in", str(), str(), NULL), NULL, NULL);

    leat_table_to(leat_grouped_aggregate(
                      g, "pairs", add_pair, &pair_serde, &(leat_fold_opts_t){.init = &pair}),
        "pairs", NULL);
    leat_table_to(
        leat_grouped_aggregate(g, "texts", join_plus, str(), &(leat_fold_opts_t){.init = &start}),
        "texts", NULL);
    leat_table_to(leat_grouped_aggregate(g, "bare", join_plus, str(), NULL), "bare", NULL);
}

static void test_aggregate_starts_with_a_copy_of_init(void **state)
{
    leat_test_t *t = drive(aggregating, "0");
    const leat_record_t *out;
    const struct pair *pair;

    (void)state;
    pipe_text(t, "in", "k", "xyz", 1);
    pipe_text(t, "in", "k", "v", 2);
    leat_test_read(t, "pairs");
    out = leat_test_read(t, "pairs");
    pair = out->value;
    assert_int_equal(pair->count, 12);
    assert_int_equal(pair->bytes, 104);
    expect_text(t, "texts", "k=>+xyz@1");
    expect_text(t, "texts", "k=>+xyz+v@2");
    expect_text(t, "bare", "k=+xyz@1");
    leat_test_free(t);
}

/* ---- tables ---- */

static bool has_x(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;

    (void)ctx;
    return memchr(value->data, 'x', value->size) != NULL;
}

static void bang(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;

    if (value)
        leat_emit_value(ctx, leat_text(ctx, "%.*s!", LEAT_P(value)));
    else
        leat_emit_value(ctx, NULL);
}

static const char *store_names[3];

static void tables(leat_builder_t *b)
{
    leat_table_opts_t kept = {.store = {.name = "kept"}};
    leat_table_t *rows = leat_builder_table(b, "rows", str(), str(), NULL);
    leat_table_t *some = leat_table_filter(rows, NULL, has_x, &kept);

    leat_table_to(leat_table_filter(rows, NULL, has_x, NULL), "with-x", NULL);
    leat_table_to(leat_table_filter_not(rows, NULL, has_x, NULL), "without-x", NULL);
    leat_table_to(leat_table_map_values(rows, NULL, bang, str(), NULL), "loud", NULL);
    leat_table_to(some, "kept", NULL);
    store_names[0] = leat_table_store(rows);
    store_names[1] = leat_table_store(some);
}

static void test_table_operators_send_changes_and_tombstones(void **state)
{
    leat_test_t *t = drive(tables, "0");

    (void)state;
    assert_null(store_names[0]);
    assert_string_equal(store_names[1], "kept");
    pipe_text(t, "rows", "k", "x1", 1);
    pipe_text(t, "rows", "k", "y", 2);
    pipe_text(t, "rows", "k", NULL, 3);
    pipe_text(t, "rows", NULL, "x", 4);
    expect_text(t, "with-x", "k=x1@1");
    expect_text(t, "with-x", "k=null@2");
    expect_text(t, "with-x", "k=null@3");
    expect_text(t, "with-x", NULL);
    expect_text(t, "without-x", "k=null@1");
    expect_text(t, "without-x", "k=y@2");
    expect_text(t, "loud", "k=x1!@1");
    expect_text(t, "loud", "k=y!@2");
    expect_text(t, "loud", "k=null@3");
    expect_text(t, "app-kept-changelog", "k=x1@1");
    assert_true(leat_test_metric(t, "dropped-records-total") == 1.0);
    leat_test_free(t);
}

/* A counter of calls in memory of its own, beside the rows that the operator keeps. */
static void number(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;
    int64_t *calls = leat_local(ctx);

    ++*calls;
    leat_emit_value(
        ctx, leat_text(ctx, "%s#%lld", value ? leat_cstr(ctx, value) : "gone", (long long)*calls));
}

static void start_at_ten(leat_ctx_t *ctx)
{
    int64_t *calls = leat_local(ctx);

    *calls = 10;
}

static void transforming(leat_builder_t *b)
{
    leat_table_opts_t o = {
        .store = {.materialize = true}, .local_size = sizeof(int64_t), .open = start_at_ten};
    leat_table_t *rows = leat_builder_table(b, "rows", str(), str(), NULL);

    leat_table_to(leat_table_transform_values(rows, "numbered", number, str(), &o), "out", NULL);
}

static void test_transform_values_has_memory_and_sees_deleted_rows(void **state)
{
    leat_test_t *t = drive(transforming, "0");

    (void)state;
    pipe_text(t, "rows", "a", "v", 1);
    pipe_text(t, "rows", "a", NULL, 2);
    expect_text(t, "out", "a=v#11@1");
    expect_text(t, "out", "a=gone#12@2");
    expect_text(t, "app-numbered-changelog", "a=v#11@1");
    leat_test_free(t);
}

static void around(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);
    leat_table_t *t;

    in = leat_stream_select_key(in, NULL, value_as_key, str(), NULL);
    t = leat_stream_to_table(in, "again", &(leat_store_opts_t){.materialize = true});
    leat_stream_to(
        leat_table_to_stream(t, NULL, &(leat_to_stream_opts_t){.key = value_as_key}), "out", NULL);
}

static void test_stream_to_table_and_back(void **state)
{
    leat_test_t *t = drive(around, "0");
    leat_slice_t v = leat_slice("v");

    (void)state;
    pipe_text(t, "in", "k", "v", 7);
    expect_text(t, "app-again-repartition", "v=v@7");
    expect_text(t, "out", "v=v@7");
    assert_non_null(leat_kv_get(leat_test_kv(t, "again"), &v));
    leat_test_free(t);
}

/* ---- grouped tables ---- */

/* "group,value": NULL for a missing part. */
static void by_first_part(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_slice_t rest = *(const leat_slice_t *)in->value, group, value;
    bool has_group = leat_slice_token(&rest, ",", &group);
    bool has_value = leat_slice_token(&rest, ",", &value);

    leat_emit(ctx, has_group ? &group : NULL, has_value ? &value : NULL);
}

static void grouping(leat_builder_t *b)
{
    leat_slice_t empty = leat_slice("");
    leat_table_t *rows = leat_builder_table(b, "rows", str(), str(), NULL);
    leat_grouped_t *g = leat_table_group_by(rows, "by-first", by_first_part, str(), str(), NULL);

    leat_table_to(leat_grouped_aggregate(g, "agg", join_plus, str(),
                      &(leat_fold_opts_t){.subtract = join_minus, .init = &empty}),
        "agg", NULL);
    leat_table_to(leat_grouped_count(g, "counts", NULL), "counts", NULL);
    leat_table_to(
        leat_grouped_reduce(g, "last", join_plus, &(leat_fold_opts_t){.subtract = join_minus}),
        "reduced", NULL);
    store_names[2] = leat_table_store(rows);
}

static void test_grouped_table_subtracts_what_goes_and_adds_what_comes(void **state)
{
    leat_test_t *t = drive(grouping, "0");

    (void)state;
    assert_string_equal(store_names[2], "rows-STATE-STORE-0000000000");
    pipe_text(t, "rows", "k", "a,1", 1);
    pipe_text(t, "rows", "k", "a,2", 2);
    pipe_text(t, "rows", "k", "b,3", 3);
    pipe_text(t, "rows", "k", NULL, 4);
    pipe_text(t, "rows", "k", "c", 5);
    expect_text(t, "agg", "a=+1@1");
    expect_text(t, "agg", "a=+1-1+2@2");
    expect_text(t, "agg", "a=+1-1+2-2@3");
    expect_text(t, "agg", "b=+3@3");
    expect_text(t, "agg", "b=+3-3@4");
    expect_text(t, "agg", NULL);
    expect_text(t, "counts", "a=1@1");
    expect_text(t, "counts", "a=1@2");
    expect_text(t, "counts", "a=0@3");
    expect_text(t, "counts", "b=1@3");
    expect_text(t, "counts", "b=0@4");
    expect_text(t, "reduced", "a=1@1");
    expect_text(t, "reduced", "a=1-1+2@2");
    leat_test_free(t);
}

static void test_one_named_repartition_topic_serves_all_folds(void **state)
{
    leat_test_t *t = drive(grouping, "0");

    (void)state;
    pipe_text(t, "rows", "k", "a,1", 1);
    pipe_text(t, "rows", "k", "a,2", 2);
    assert_int_equal(leat_test_pending(t, "app-by-first-repartition"), 2);
    leat_test_free(t);
}

static void test_grouped_bytes_are_those_of_kafka_streams(void **state)
{
    leat_test_t *t = drive(grouping, "0");
    const char *expected[] = {"1\1", "\002\0621\2", "2\0", "3\1"}; /* \062: "2" */
    const size_t sizes[] = {2, 4, 2, 2};

    (void)state;
    pipe_text(t, "rows", "k", "a,1", 1);
    pipe_text(t, "rows", "k", "a,2", 2);
    pipe_text(t, "rows", "k", "b,3", 3);
    for (size_t i = 0; i < 4; i++) {
        const leat_record_t *record = leat_test_read_bytes(t, "app-by-first-repartition");
        const leat_slice_t *value = record->value;

        assert_int_equal(value->size, sizes[i]);
        assert_memory_equal(value->data, expected[i], sizes[i]);
    }
    leat_test_free(t);
}

/* Old values have to come through operators that keep no rows. */
static void grouping_mapped(leat_builder_t *b)
{
    leat_table_t *rows = leat_builder_table(b, "rows", str(), str(), NULL);
    leat_table_t *loud =
        leat_table_map_values(leat_table_filter(rows, NULL, has_x, NULL), NULL, bang, str(), NULL);
    leat_grouped_t *g = leat_table_group_by(loud, NULL, same, str(), str(), NULL);

    leat_table_to(
        leat_grouped_reduce(g, "r", join_plus, &(leat_fold_opts_t){.subtract = join_minus}), "out",
        NULL);
}

static void group_mapped(leat_test_t *t)
{
    pipe_text(t, "rows", "k", "x", 1);
    pipe_text(t, "rows", "k", "xx", 2);
    pipe_text(t, "rows", "k", "y", 3);
    pipe_text(t, "rows", "k", "z", 4);
    expect_text(t, "out", "k=x!@1");
    expect_text(t, "out", "k=x!-x!+xx!@2");
    expect_text(t, "out", "k=x!-x!+xx!-xx!@3");
    expect_text(t, "out", NULL);
    leat_test_free(t);
}

static void test_old_values_pass_through_filter_and_map(void **state)
{
    (void)state;
    group_mapped(drive(grouping_mapped, "0"));
    group_mapped(drive(grouping_mapped, "1000000"));
}

static void failing_fold(leat_ctx_t *ctx, const void *a, const void *b)
{
    (void)a;
    (void)b;
    leat_fail(ctx, LEAT_EUSER, "no");
}

static void failing(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_table_to(leat_grouped_aggregate(
                      leat_stream_group_by_key(in, NULL, NULL), "agg", failing_fold, str(), NULL),
        "out", NULL);
}

static void test_failing_fold_names_its_node_and_stores_nothing(void **state)
{
    leat_test_t *t = drive(failing, "0");

    (void)state;
    assert_int_equal(leat_test_pipe_text(t, "in", "k", "v", 1), LEAT_EUSER);
    expect_failure(t, LEAT_EUSER, "agg");
    assert_int_equal(leat_test_pending(t, "app-agg-changelog"), 0);
    leat_test_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_is_the_same_with_and_without_cache),
        cmocka_unit_test(test_cache_sends_the_last_value_only),
        cmocka_unit_test(test_counting_allocates_nothing_per_record),
        cmocka_unit_test(test_reduce_starts_with_the_first_value_and_may_delete),
        cmocka_unit_test(test_store_of_a_fold_without_names_is_generated),
        cmocka_unit_test(test_aggregate_starts_with_a_copy_of_init),
        cmocka_unit_test(test_table_operators_send_changes_and_tombstones),
        cmocka_unit_test(test_transform_values_has_memory_and_sees_deleted_rows),
        cmocka_unit_test(test_stream_to_table_and_back),
        cmocka_unit_test(test_grouped_table_subtracts_what_goes_and_adds_what_comes),
        cmocka_unit_test(test_one_named_repartition_topic_serves_all_folds),
        cmocka_unit_test(test_grouped_bytes_are_those_of_kafka_streams),
        cmocka_unit_test(test_old_values_pass_through_filter_and_map),
        cmocka_unit_test(test_failing_fold_names_its_node_and_stores_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
