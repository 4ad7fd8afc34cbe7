/*
 * For live.py and kafka.py: a worker with a store of each kind. A value is its record's time in
 * milliseconds; keys are counted, values kept.
 */
#include <leat/leat.h>

static int64_t value_as_time(leat_ctx_t *ctx, const leat_record_t *in)
{
    int64_t time_ms = 0;

    (void)ctx;
    leat_slice_int64(in->value, &time_ms);
    return time_ms;
}

static void build(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *in =
        leat_builder_stream(b, "in", str, str, &(leat_source_opts_t){.timestamp = value_as_time});
    leat_grouped_t *same = leat_stream_group_by_key(in, NULL, NULL);

    leat_table_to(leat_grouped_count(same, "counts", NULL), "out", NULL);
    leat_grouped_count(same, "per-minute",
        &(leat_fold_opts_t){.window = leat_tumbling(LEAT_MINUTES(1), LEAT_HOURS(1))});
    leat_grouped_count(same, "visits",
        &(leat_fold_opts_t){.window = leat_session(1000, LEAT_HOURS(1))});
    leat_stream_to_table(
        in, NULL, &(leat_store_opts_t){.name = "values", .history_ms = LEAT_HOURS(1)});
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "live", build, NULL);
}
