/*
 * suppress: a running balance per account, passed on at most once in ten seconds.
 *
 * The first change of a row starts its ten seconds of stream time; what comes meanwhile replaces
 * it. Rows that wait are bounded: above 100 000 the oldest go early. They may lie on disk. With no
 * more input time stands still, so after a minute the clock takes over (.idle_close_ms).
 */
#include <leat/leat.h>

static void add(leat_ctx_t *ctx, const void *a, const void *b)
{
    const int64_t *balance = a, *change = b;
    int64_t sum = (balance ? *balance : 0) + *change;

    leat_emit_value(ctx, &sum);
}

static void balances(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *cents = leat_serde_int64();

    leat_stream_t *bookings = leat_builder_stream(b, "bookings", str, cents, NULL);
    leat_grouped_t *by_account = leat_stream_group_by_key(bookings, NULL, NULL);
    leat_table_t *balance = leat_grouped_aggregate(by_account, "balance", add, cents, NULL);
    leat_table_t *calm = leat_table_suppress(balance, "calm", LEAT_SECONDS(10),
        &(leat_suppress_opts_t){
            .records_max = 100000, .on_disk = true, .idle_close_ms = LEAT_MINUTES(1)});
    leat_table_to(calm, "balances", NULL);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "balances", balances, NULL);
}
