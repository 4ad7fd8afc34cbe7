/*
 * processor: warn about devices that fell silent: a store, two clocks, memory per task.
 *
 *   silent-devices --embedded     lines in: DEVICE<TAB>SIGNAL; out: DEVICE<TAB>silent since TIME
 */
#include <leat/leat.h>

struct watch {
    int64_t warned; /* by this task, since it opened */
};

/* Once a minute of stream time: who was last seen five minutes ago is reported and forgotten. */
static void find_silent(leat_ctx_t *ctx, const leat_record_t *tick)
{
    struct watch *watch = leat_local(ctx);
    leat_kv_t *last_seen = leat_kv(ctx, "last-seen");
    leat_iter_t *all = leat_kv_range(last_seen, NULL, NULL, LEAT_ASCENDING);
    const leat_row_t *row;

    while ((row = leat_iter_next(all)) != NULL) {
        if (tick->time_ms - row->time_ms < LEAT_MINUTES(5))
            continue;
        leat_emit(ctx, row->key, leat_text(ctx, "silent since %lld", (long long)row->time_ms));
        leat_kv_delete(last_seen, row->key);
        watch->warned++;
    }
}

static void say_how_many(leat_ctx_t *ctx, const leat_record_t *tick)
{
    const struct watch *watch = leat_local(ctx);
    (void)tick;
    leat_log(ctx, LEAT_LOG_INFO, "%lld devices reported", (long long)watch->warned);
}

static void open_watch(leat_ctx_t *ctx)
{
    leat_schedule(ctx, LEAT_MINUTES(1), LEAT_STREAM_TIME, find_silent);
    leat_schedule(ctx, LEAT_HOURS(1), LEAT_WALL_TIME, say_how_many);
}

static void remember(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_put(leat_kv(ctx, "last-seen"), in->key, in->value); /* at the record's time */
}

static void silent_devices(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_builder_store(b, "last-seen", LEAT_TIMESTAMPED_KV, str, str, NULL);
    leat_stream_t *signals = leat_builder_stream(b, "signals", str, str, NULL);
    leat_stream_t *warnings = leat_stream_process(signals, "watch", remember, str, str,
        &(leat_node_opts_t){
            .stores = "last-seen", .local_size = sizeof(struct watch), .open = open_watch});
    leat_stream_to(warnings, "silent-devices", NULL);
}

/* The same with the Processor API: nodes tied together by names. */
leat_topology_t *silent_devices_by_names(void)
{
    const leat_serde_t *str = leat_serde_string();
    leat_builder_t *b = leat_builder_new();

    leat_builder_source(b, "signals", "signals", str, str, NULL);
    leat_builder_processor(b, "signals", "watch", remember,
        &(leat_node_opts_t){.local_size = sizeof(struct watch), .open = open_watch});
    leat_builder_store(b, "last-seen", LEAT_TIMESTAMPED_KV, str, str, NULL);
    leat_builder_connect(b, "watch", "last-seen");
    leat_builder_sink(b, "watch", "warnings", "silent-devices", str, str, NULL);

    return leat_builder_finish(b);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "silent-devices", silent_devices, NULL);
}
