/*
 * dsl/table_source.c: tables read from a topic (leat_builder_table) or from a stream
 * (leat_stream_to_table).
 *
 * Rows change in the order in which records arrive, older times included. Rows are kept only if the
 * program names a store, or an operator behind needs them; else the table is no more than its
 * changes.
 */
#include "repartition.h"
#include "table.h"

void leat__table_source_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__rows_t *r = leat__operator(ctx);
    const void *old = NULL;

    if (!in->key) {
        leat__drop(ctx, "null key");
        return;
    }
    if (r->send_old && !leat__rows_local(ctx, r)->cached)
        old = leat__rows_get(ctx, r, in);
    leat__rows_put(ctx, r, in, in->value, old, in->time_ms);
}

static leat__rows_t *rows_new(leat__graph_t *g, const leat_serde_t *key, const leat_serde_t *value)
{
    leat__rows_t *r = leat__builder_alloc(g->builder, sizeof *r);

    if (r)
        *r = (leat__rows_t){.key = key, .value = value};
    return r;
}

/* ---- from a topic ---- */

typedef struct source_t { /* of a table: never merged with another */
    leat__part_t part;
    leat_source_opts_t opts;
} source_t;

static void write_source(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    const source_t *source = (const source_t *)part;

    (void)parents;
    (void)parent_count;
    leat__plan_source(plan, part->name, part->topics, part->key, part->value, &source->opts);
}

static leat__part_t *source_new(leat__graph_t *g, const char *topic, const char *name,
    const leat_serde_t *key, const leat_serde_t *value, const leat_source_opts_t *opts)
{
    source_t *source = leat__builder_alloc(g->builder, sizeof *source);

    if (!source)
        return NULL;
    if (opts)
        source->opts = *opts;
    source->opts.name = NULL;
    source->opts.user_free = NULL;
    source->part = (leat__part_t){.name = name,
        .write = write_source,
        .reads_topic = true,
        .key = key,
        .value = value,
        .topics = leat__builder_strdup(g->builder, topic)};
    if (!source->part.topics)
        return NULL;
    leat__graph_add(g, &source->part);
    return &source->part;
}

static bool one_topic(leat__graph_t *g, const char *topic)
{
    for (const char *at = topic; *at; at++) {
        if (*at != ',' && topic[0] != '^')
            continue;
        leat__builder_error(g->builder, LEAT_EARGUMENT, topic,
            "leat_builder_table: a table is read "
            "from exactly one topic, not from '%s': read several as a stream, and make that a "
            "table",
            topic);
        return false;
    }
    return true;
}

static leat_table_t *read_table(
    leat__graph_t *g, const char *topic, leat__rows_t *r, const leat_source_opts_t *opts)
{
    const char *given = opts ? opts->name : NULL, *prefix = leat__graph_join(g, topic, "-", "");
    const char *source_name, *name;
    leat__part_t *source;

    if (!prefix || !leat__rows_init(r, g, "leat_builder_table", LEAT__ROWS_SOURCE,
                       opts ? &opts->store : NULL, given, prefix))
        return g->nil_table;
    source_name = leat__graph_suffixed(g, given, "-source", "KSTREAM-SOURCE-");
    name = leat__graph_name(g, given, "KTABLE-SOURCE-");
    if (!source_name || !name)
        return g->nil_table;
    source = source_new(g, topic, source_name, r->key, r->value, opts);
    if (!source)
        return g->nil_table;
    source->source_rows = r;
    return leat__rows_table(g, r, name, source, leat__table_source_process, NULL);
}

leat_table_t *leat_builder_table(leat_builder_t *b, const char *topic, const leat_serde_t *key,
    const leat_serde_t *value, const leat_source_opts_t *opts)
{
    static const char call[] = "leat_builder_table";
    leat__graph_t *g = leat__graph_of(b);
    leat__rows_t *r;

    if (opts)
        leat__adopt(g, opts->user, opts->user_free);
    if (!g || !leat__need(g, call, topic, topic != NULL, "the topic") ||
        !leat__need(g, call, topic, key != NULL, "the serde of its keys") ||
        !leat__need(g, call, topic, value != NULL, "the serde of its values") ||
        !LEAT__RESERVED_ZERO(g, call, opts) || !one_topic(g, topic))
        return leat__nil_table(g);
    r = rows_new(g, key, value);
    return r ? read_table(g, topic, r, opts) : g->nil_table;
}

/* ---- from a stream ---- */

leat_table_t *leat_stream_to_table(
    leat_stream_t *in, const char *name, const leat_store_opts_t *opts)
{
    static const char prefix[] = "KSTREAM-TOTABLE-";
    leat__graph_t *g = in->graph;
    leat__part_t *parent = in->part;
    leat__rows_t *r;
    const char *made;

    if (in->nil)
        return leat__nil_table(g);
    r = rows_new(g, in->key, in->value);
    made = leat__graph_name(g, name, prefix);
    if (!r || !made ||
        !leat__rows_init(r, g, "leat_stream_to_table", LEAT__ROWS_SOURCE, opts, name, prefix))
        return g->nil_table;
    if (in->rekeyed) {
        leat__repartition_t *through =
            leat__repartition_new(g, made, !name, parent, in->key, in->value);

        if (!through)
            return g->nil_table;
        leat__graph_add(g, &through->part);
        parent = &through->part;
    }
    return leat__rows_table(g, r, made, parent, leat__table_source_process, NULL);
}
