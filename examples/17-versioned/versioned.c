/*
 * versioned: orders at the price that was valid when they were placed, though prices and orders
 * come late and out of order.
 *
 * A versioned table keeps the prices of the last hour, each with the time from which it was valid.
 * The join asks for the price at the order's time; and it waits: an order meets the table when
 * stream time is a minute past its own, so that prices of that minute may still arrive.
 */
#include <leat/leat.h>

static void priced(leat_ctx_t *ctx, const void *left, const void *right)
{
    const int64_t *pieces = left, *cents = right;
    int64_t sum = *pieces * *cents;

    leat_emit_value(ctx, &sum);
}

static void price_orders(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *number = leat_serde_int64();

    leat_table_t *prices = leat_builder_table(b, "prices", str, number,
        &(leat_source_opts_t){.store = {.name = "prices", .history_ms = LEAT_HOURS(1)}});
    leat_stream_t *orders = leat_builder_stream(b, "orders", str, number, NULL);
    leat_stream_t *sums = leat_stream_join_table(
        orders, prices, "priced", priced, number, &(leat_join_opts_t){.grace_ms = LEAT_MINUTES(1)});
    leat_stream_to(sums, "sums", NULL);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "price-orders", price_orders, NULL);
}
