/*
 * time-to-live: each event once, though its sender may repeat it for up to ten minutes.
 *
 * The store remembers the ids that were seen. A row that is older than .ttl_ms in the time of the
 * records is not there any more: nobody has to clean up, and the store stays as large as ten
 * minutes of ids, in memory, on disk and in its changelog.
 */
#include <leat/leat.h>

static void first_time_only(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_t *seen = leat_kv(ctx, "seen");

    if (!leat_kv_put_if_absent(seen, in->key, in->value))
        leat_emit_value(ctx, in->value);
}

static void unique_events(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_builder_store(
        b, "seen", LEAT_TIMESTAMPED_KV, str, str, &(leat_store_opts_t){.ttl_ms = LEAT_MINUTES(10)});
    leat_stream_t *events = leat_builder_stream(b, "events", str, str, NULL);
    leat_stream_t *unique = leat_stream_process_values(
        events, "first-time-only", first_time_only, str, &(leat_node_opts_t){.stores = "seen"});
    leat_stream_to(unique, "unique-events", NULL);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "unique-events", unique_events, NULL);
}
