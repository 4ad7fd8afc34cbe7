/* test: a running total under the test driver: values, times, the store, a bad record. */
#include <leat/leat.h>
#include <leat/testing.h>

#include <assert.h>
#include <string.h>

static void add(leat_ctx_t *ctx, const void *a, const void *b)
{
    const int64_t *total = a, *more = b;
    int64_t sum = *total + *more;

    leat_emit_value(ctx, &sum);
}

static void totals(leat_builder_t *b)
{
    leat_stream_t *amounts =
        leat_builder_stream(b, "amounts", leat_serde_string(), leat_serde_int64(), NULL);
    leat_grouped_t *by_key = leat_stream_group_by_key(amounts, NULL, NULL);
    leat_table_to(leat_grouped_reduce(by_key, "totals", add, NULL), "totals", NULL);
}

static void test_totals_add_up(void)
{
    leat_test_t *t = leat_test_new(leat_topology_build(totals, NULL), NULL, NULL);
    leat_slice_t ann = leat_slice("ann");
    int64_t five = 5;

    leat_test_pipe(t, "amounts", &ann, &five, 100);
    leat_test_pipe(t, "amounts", &ann, &five, 90);

    const leat_record_t *out = leat_test_read(t, "totals");
    const int64_t *total = out->value;
    assert(*total == 5 && out->time_ms == 100);

    assert(strcmp(leat_test_read_text(t, "totals"), "ann=10@100") == 0); /* the same, as text */
    assert(leat_test_read(t, "totals") == NULL);

    total = leat_kv_get(leat_test_kv(t, "totals"), &ann);
    assert(*total == 10);
    leat_test_free(t);
}

static void test_null_key_is_dropped(void)
{
    leat_test_t *t = leat_test_new(leat_topology_build(totals, NULL), NULL, NULL);

    leat_test_pipe_text(t, "amounts", NULL, "5", 1);
    assert(leat_test_pending(t, "totals") == 0);
    assert(leat_test_metric(t, "dropped-records-total") == 1.0);
    leat_test_free(t);
}

static void test_short_value_fails(void)
{
    leat_error_t err;
    leat_test_t *t = leat_test_new(leat_topology_build(totals, NULL), NULL, NULL);
    leat_slice_t ann = leat_slice("ann"), three = leat_slice("abc");

    leat_test_pipe_bytes(t, "amounts", &ann, &three, 1, NULL, 0);
    assert(leat_test_failure(t, &err) == LEAT_ESERDE);
    leat_test_free(t);
}

int main(void)
{
    test_totals_add_up();
    test_null_key_is_dropped();
    test_short_value_fails();
    return 0;
}
