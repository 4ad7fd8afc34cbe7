/*
 * stream-join: orders with their payments, within five minutes.
 *
 *   orders ───┐
 *             ├▶ join on the order's key ─▶ receipts
 *   payments ─┘
 *
 * Shows a window, user data of a join, a time that is read from the value, and a record that fails.
 */
#include <leat/leat.h>

#include <stdlib.h>
#include <string.h>

typedef struct order_t {
    int64_t placed_ms, cents;
} order_t;

typedef struct payment_t {
    int64_t cents;
    char method[16];
} payment_t;

typedef struct receipt_t {
    int64_t owed_cents;
    char method[16];
} receipt_t;

typedef struct policy_t {
    int64_t max_owed_cents;
} policy_t;

static const leat_field_t order_fields[] = {
    LEAT_FIELD(order_t, placed_ms, INT64), LEAT_FIELD(order_t, cents, INT64), LEAT_FIELDS_END};
static const leat_field_t payment_fields[] = {
    LEAT_FIELD(payment_t, cents, INT64), LEAT_FIELD(payment_t, method, CHARS), LEAT_FIELDS_END};
static const leat_field_t receipt_fields[] = {LEAT_FIELD(receipt_t, owed_cents, INT64),
    LEAT_FIELD(receipt_t, method, CHARS), LEAT_FIELDS_END};
static const leat_serde_t order_serde = LEAT_SERDE_BINARY("order", order_t, order_fields);
static const leat_serde_t payment_serde = LEAT_SERDE_BINARY("payment", payment_t, payment_fields);
static const leat_serde_t receipt_serde = LEAT_SERDE_BINARY("receipt", receipt_t, receipt_fields);

static int64_t order_time(leat_ctx_t *ctx, const leat_record_t *in)
{
    const order_t *order = in->value;

    (void)ctx;
    return order->placed_ms;
}

/* Runs once per pair of equal keys; emits the receipt or fails the record. */
static void settle(leat_ctx_t *ctx, const void *left, const void *right)
{
    const policy_t *policy = leat_user(ctx);
    const order_t *order = left;
    const payment_t *payment = right;
    receipt_t receipt = {.owed_cents = order->cents - payment->cents};

    if (receipt.owed_cents > policy->max_owed_cents) {
        leat_fail(ctx, LEAT_EUSER, "underpaid by %lld", (long long)receipt.owed_cents);
        return;
    }
    memcpy(receipt.method, payment->method, sizeof receipt.method);
    leat_emit_value(ctx, &receipt); /* borrowed until the call returns: a local is fine */
}

static void build_receipts(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    policy_t *policy = calloc(1, sizeof *policy);
    leat_slice_t limit = leat_slice(leat_builder_setting(b, "program.max-owed-cents"));
    leat_stream_t *orders, *payments, *receipts;

    if (policy == NULL || !leat_slice_int64(&limit, &policy->max_owed_cents))
        leat_builder_fail(b, LEAT_ECONFIG, "--max-owed-cents: no number, or no memory for it");
    orders = leat_builder_stream(b, "orders", str, &order_serde,
        &(leat_source_opts_t){.timestamp = order_time, .reset = LEAT_RESET_EARLIEST});
    payments = leat_builder_stream(b, "payments", str, &payment_serde, NULL);
    receipts = leat_stream_join(orders, payments, "settle", settle, &receipt_serde,
        leat_within(LEAT_MINUTES(5), LEAT_SECONDS(30)),
        &(leat_join_opts_t){.user = policy, .user_free = free});
    leat_stream_to(receipts, "receipts", NULL);
}

int main(int argc, char **argv)
{
    static const leat_option_t options[] = {
        {"max-owed-cents", "0", "how much may be missing"}, {0}};

    return leat_main(
        argc, argv, "receipts", build_receipts, &(leat_main_opts_t){.options = options});
}
