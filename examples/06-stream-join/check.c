/* check: the topology of stream_join.c under the test driver. */
#define main stream_join_main
#include "stream_join.c"
#undef main

#include <leat/testing.h>
#include <stdio.h>

static void place(leat_test_t *t, const char *id, int64_t placed_ms, int64_t cents)
{
    const leat_slice_t key = leat_slice(id);
    const order_t order = {placed_ms, cents};

    leat_test_pipe(t, "orders", &key, &order, 0);
}

static void pay(leat_test_t *t, const char *id, int64_t time_ms, int64_t cents)
{
    const leat_slice_t key = leat_slice(id);
    const payment_t payment = {cents, "card"};

    leat_test_pipe(t, "payments", &key, &payment, time_ms);
}

static int expect(leat_test_t *t, const char *id, int64_t owed_cents, int64_t time_ms)
{
    const leat_record_t *out = leat_test_read(t, "receipts");
    const leat_slice_t wanted = leat_slice(id);
    const receipt_t *receipt = out ? out->value : NULL;

    if (receipt && leat_slice_equal(out->key, &wanted) && receipt->owed_cents == owed_cents &&
        strcmp(receipt->method, "card") == 0 && out->time_ms == time_ms)
        return 0;
    fprintf(stderr, "%s: expected a receipt over %lld cents owed\n", id, (long long)owed_cents);
    return 1;
}

static int expect_nothing(leat_test_t *t)
{
    if (leat_test_pending(t, "receipts") == 0)
        return 0;
    fprintf(stderr, "a receipt that is not expected\n");
    return 1;
}

int main(void)
{
    leat_config_t *config = leat_config_new();
    leat_test_t *t;
    leat_error_t err;
    int failed = 0;

    leat_config_set(config, "application.id", "receipts");
    leat_config_set(config, "program.max-owed-cents", "100");
    t = leat_test_new(leat_topology_build(build_receipts, config), config, NULL);
    place(t, "a", 1000, 500);
    pay(t, "a", LEAT_MINUTES(5), 450);
    failed += expect(t, "a", 50, LEAT_MINUTES(5));
    pay(t, "b", LEAT_MINUTES(5) + 1, 70); /* the payment may come first */
    place(t, "b", LEAT_MINUTES(5), 70);
    failed += expect(t, "b", 0, LEAT_MINUTES(5) + 1);
    place(t, "c", LEAT_MINUTES(6), 10);
    pay(t, "c", LEAT_MINUTES(11) + 1, 10); /* more than five minutes later */
    failed += expect_nothing(t);
    if (leat_test_failure(t, &err) != LEAT_OK) {
        fprintf(stderr, "%s: %s\n", err.where, err.text);
        failed++;
    }
    pay(t, "c", LEAT_MINUTES(11), -200); /* owes more than it may */
    failed += leat_test_failure(t, &err) == LEAT_EUSER ? 0 : 1;
    leat_test_free(t);
    return failed;
}
