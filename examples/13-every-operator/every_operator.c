/*
 * every-operator: each operator once. It makes no sense as a program; it shows the grammar whole:
 * (upstream, name, function, serdes, window, options), leaving out what an operator has not.
 *
 *   every-operator --describe
 */
#include <leat/leat.h>

static bool yes(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)ctx;
    return in->value != NULL;
}

static void pass(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

static void same_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_value(ctx, in->value);
}

static void same_key(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_key(ctx, in->key);
}

static void see(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_log(ctx, LEAT_LOG_INFO, "at %lld", (long long)in->time_ms);
}

static void name_topic(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_topic(ctx, in->value);
}

static void pick(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_partition(ctx, in->key ? LEAT_PARTITION_BY_KEY : 0);
}

static void second(leat_ctx_t *ctx, const void *a, const void *b)
{
    (void)a;
    leat_emit_value(ctx, b);
}

static void first(leat_ctx_t *ctx, const void *a, const void *b)
{
    (void)b;
    leat_emit_value(ctx, a);
}

static void fill(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_put(leat_kv(ctx, "rates"), in->key, in->value);
}

static void fill_limits(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_put(leat_kv(ctx, "limits-store"), in->key, in->value);
}

/* Change the time and the headers: copy the record, change the copy. */
static void later(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_record_t out = *in;
    leat_slice_t yes_text = leat_slice("yes");

    out.time_ms += LEAT_SECONDS(1);
    out.headers = leat_headers_with(ctx, out.headers, "late", &yes_text);
    leat_emit_to(ctx, "sink", &out);
}

static void streams(leat_builder_t *b, const leat_serde_t *str)
{
    leat_branch_t branches[] = {{.name = "some", .when = yes}, {.name = "rest"}};

    leat_stream_t *s = leat_builder_stream(b, "a,b", str, str,
        &(leat_source_opts_t){.name = "in", .timestamp = leat_timestamp_skip_invalid});
    leat_stream_t *p = leat_builder_stream(b, "^in-.*", str, str, NULL);
    s = leat_stream_filter(s, NULL, yes, NULL);
    s = leat_stream_filter_not(s, NULL, yes, NULL);
    s = leat_stream_select_key(s, NULL, same_key, str, NULL);
    s = leat_stream_map(s, NULL, pass, str, str, NULL);
    s = leat_stream_map_values(s, NULL, same_value, str, NULL);
    s = leat_stream_flat_map(s, NULL, pass, str, str, NULL);
    s = leat_stream_flat_map_values(s, NULL, same_value, str, NULL);
    s = leat_stream_peek(s, NULL, see, NULL);
    leat_stream_for_each(s, NULL, see, NULL);
    leat_stream_print(s, NULL, NULL);
    leat_stream_split(s, "split-", branches, 2, NULL);
    s = leat_stream_merge(branches[0].stream, branches[1].stream, NULL, NULL);
    s = leat_stream_merge(s, p, NULL, NULL);
    s = leat_stream_process(s, NULL, pass, str, str, &(leat_node_opts_t){.stores = "seen"});
    s = leat_stream_process_values(s, NULL, same_value, str, NULL);
    s = leat_stream_repartition(
        s, "wide", &(leat_repartition_opts_t){.partitions = 12, .partition = pick});
    leat_stream_to(s, "out", &(leat_sink_opts_t){.partition = pick});
    leat_stream_route(s, name_topic, NULL);
}

static void folds(leat_builder_t *b, const leat_serde_t *str)
{
    leat_stream_t *s = leat_builder_stream(b, "events", str, str, NULL);
    leat_grouped_t *g = leat_stream_group_by_key(s, "g", NULL);
    leat_grouped_t *h = leat_stream_group_by(s, "h", same_key, str, NULL);
    leat_part_t parts[] = {{.grouped = g, .fn = second}, {.grouped = h, .fn = first}};

    leat_table_t *t =
        leat_grouped_count(g, "counts", &(leat_fold_opts_t){.store = {.cache = LEAT_OFF}});
    leat_grouped_reduce(g, NULL, second,
        &(leat_fold_opts_t){.window = leat_hopping(LEAT_MINUTES(5), LEAT_MINUTES(1), 0)});
    leat_grouped_aggregate(
        g, "agg", second, str, &(leat_fold_opts_t){.store = {.name = LEAT_AUTO}});
    leat_grouped_aggregate(g, NULL, second, str,
        &(leat_fold_opts_t){.window = leat_session(LEAT_MINUTES(5), 0), .merge = first});
    leat_grouped_count(g, NULL,
        &(leat_fold_opts_t){
            .window = leat_sliding(LEAT_MINUTES(5), 0), .emit = LEAT_EMIT_ON_CLOSE});
    leat_grouped_count(g, NULL, &(leat_fold_opts_t){.window = leat_unlimited(0)});
    leat_grouped_cogroup(parts, 2, "both", str, NULL);

    leat_table_t *u = leat_builder_table(
        b, "rows", str, str, &(leat_source_opts_t){.store = {.history_ms = LEAT_HOURS(1)}});
    u = leat_table_filter(u, NULL, yes, NULL);
    u = leat_table_filter_not(u, NULL, yes, &(leat_table_opts_t){.store = {.materialize = true}});
    u = leat_table_map_values(
        u, "mapped", same_value, str, &(leat_table_opts_t){.store = {.name = "mapped"}});
    u = leat_table_transform_values(
        u, NULL, same_value, str, &(leat_table_opts_t){.stores = "seen"});
    u = leat_table_suppress(u, NULL, LEAT_SECONDS(5),
        &(leat_suppress_opts_t){.records_max = 1000, .fail_when_full = true});
    leat_grouped_t *k = leat_table_group_by(u, NULL, pass, str, str, NULL);
    leat_grouped_count(k, NULL, NULL);
    leat_grouped_reduce(k, NULL, second, &(leat_fold_opts_t){.subtract = first});
    leat_grouped_aggregate(k, NULL, second, str,
        &(leat_fold_opts_t){.subtract = first, .init = &(leat_slice_t){"", 0}});
    leat_table_to(t, "counts", NULL);
    leat_stream_to_table(leat_table_to_stream(u, NULL, NULL), "again",
        &(leat_store_opts_t){.backend = leat_backend_memory()});
}

static void joins(leat_builder_t *b, const leat_serde_t *str)
{
    leat_stream_t *l = leat_builder_stream(b, "left", str, str, NULL),
                  *r = leat_builder_stream(b, "right", str, str, NULL);
    leat_table_t *t = leat_builder_table(b, "one", str, str, NULL),
                 *v = leat_builder_table(b, "prices", str, str,
                     &(leat_source_opts_t){.store = {.history_ms = LEAT_HOURS(1)}}),
                 *u = leat_builder_table(b, "two", str, str, NULL);
    leat_global_t *g = leat_builder_global(b, "everywhere", str, str, NULL);

    leat_stream_join(l, r, NULL, first, str, leat_between(0, LEAT_MINUTES(1), 0),
        &(leat_join_opts_t){.kind = LEAT_OUTER});
    leat_stream_join(l, l, "self", first, str, leat_within(LEAT_MINUTES(1), 0), NULL);
    leat_stream_join_table(l, v, NULL, first, str,
        &(leat_join_opts_t){.kind = LEAT_LEFT, .grace_ms = LEAT_SECONDS(1)});
    leat_stream_join_global(l, g, NULL, same_key, first, str, NULL);
    leat_table_join(t, u, NULL, first, str,
        &(leat_join_opts_t){.kind = LEAT_OUTER, .store = {.name = "joined"}});
    leat_table_join_foreign(
        t, u, NULL, same_key, first, str, &(leat_join_opts_t){.kind = LEAT_LEFT});
}

static void by_names(leat_builder_t *b, const leat_serde_t *str)
{
    leat_builder_source(b, "raw", "source", str, str, NULL);
    leat_builder_processor(b, "source", "shift", later, NULL);
    leat_builder_sink(b, "shift", "sink", "shifted", str, str, NULL);
    leat_builder_route(b, "source,shift", "routed", name_topic, str, str, NULL);
    leat_builder_store(b, "seen", LEAT_KV, str, str,
        &(leat_store_opts_t){.backend = leat_backend_lru(), .entries_max = 100});
    leat_builder_connect(b, "shift", "seen");
    leat_builder_global_store(b, "rates", "fill-rates", fill, LEAT_KV, str, str,
        &(leat_fill_opts_t){.store = {.name = "rates"}});
    leat_builder_read_only_store(b, "limits", "fill-limits", fill_limits, LEAT_KV, str, str,
        &(leat_fill_opts_t){.store = {.name = "limits-store"}});
}

static void every_operator(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    by_names(b, str);
    streams(b, str);
    folds(b, str);
    joins(b, str);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "every-operator", every_operator, NULL);
}
