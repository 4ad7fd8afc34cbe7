/*
 * aggregate: keep the number, sum and largest of each customer's orders, in a struct.
 *
 *   customer-stats HOST:PORT     the records of "orders" (string, int64) fold into "customer-stats"
 *
 * No leat_main here: configuration, start and stop by hand.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <stdlib.h>

struct stats {
    int64_t orders, cents, largest_cents;
};

/* Written by hand, to show how; LEAT_SERDE_BINARY would do. */
static void stats_encode(leat_codec_t *c, const void *value)
{
    const struct stats *stats = value;

    leat_codec_put_int64(c, stats->orders);
    leat_codec_put_int64(c, stats->cents);
    leat_codec_put_int64(c, stats->largest_cents);
}

static void stats_decode(leat_codec_t *c, void *room)
{
    struct stats *stats = room;

    stats->orders = leat_codec_take_int64(c);
    stats->cents = leat_codec_take_int64(c);
    stats->largest_cents = leat_codec_take_int64(c);
}

static const leat_serde_t stats_serde = {
    .name = "stats",
    .size = sizeof(struct stats),
    .flat = true,
    .encode = stats_encode,
    .decode = stats_decode,
};

static void add_order(leat_ctx_t *ctx, const void *a, const void *b)
{
    const struct stats *old = a;
    const int64_t *cents = b;
    struct stats stats = old ? *old : (struct stats){0};

    stats.orders++;
    stats.cents += *cents;
    if (*cents > stats.largest_cents)
        stats.largest_cents = *cents;
    leat_emit_value(ctx, &stats);
}

static leat_topology_t *customer_stats(void)
{
    leat_builder_t *b = leat_builder_new();

    leat_stream_t *orders =
        leat_builder_stream(b, "orders", leat_serde_string(), leat_serde_int64(), NULL);
    leat_grouped_t *by_customer = leat_stream_group_by_key(orders, "by-customer", NULL);
    leat_table_t *stats =
        leat_grouped_aggregate(by_customer, "stats", add_order, &stats_serde, NULL);
    leat_table_to(stats, "customer-stats", NULL);

    return leat_builder_finish(b); /* frees b; carries any error onward */
}

int main(int argc, char **argv)
{
    leat_error_t err;
    leat_config_t *config = leat_config_new();

    leat_config_set(config, "application.id", "customer-stats");
    leat_config_set(config, "bootstrap.servers", argc > 1 ? argv[1] : "localhost:9092");

    leat_app_t *app = leat_app_new(customer_stats(), config, NULL); /* adopts both, always */
    int rc = leat_app_run_until_signal(app, &err);                  /* the one check */
    if (rc != LEAT_OK)
        fprintf(stderr, "customer-stats: %s: %s\n", err.where, err.text);
    leat_app_free(app);
    return rc == LEAT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
