/*
 * takeover: the topology of Takeover.java, name by name: one of them goes on where the other stopped.
 *
 *   events ──group by value──▶ [by-number-repartition] ─┬─▶ count "counts" ──▶ counts-out
 *                                                       └─▶ count by hour "hours" ──▶ hours-out
 */
#include <leat/leat.h>

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };

static void key_by_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_key(ctx, in->value);
}

static void build(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *events = leat_builder_stream(b, "events", str, str, NULL);
    leat_grouped_t *same = leat_stream_group_by(events, "by-number", key_by_value, str, NULL);
    leat_table_t *counts = leat_grouped_count(same, "counts", NULL);
    leat_table_t *hours = leat_grouped_count(
        same, "hours", &(leat_fold_opts_t){.window = leat_tumbling(HOUR_MS, DAY_MS)});

    leat_table_to(counts, "counts-out", NULL);
    leat_table_to(hours, "hours-out", NULL);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "takeover", build,
        &(leat_main_opts_t){.about = "Goes on where a program of Kafka Streams stopped."});
}
