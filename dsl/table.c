/*
 * dsl/table.c: what table operators have in common; and the way from a table to a stream.
 */
#include "map.h"
#include "table.h"

/* ---- operators with a function ---- */

void leat__adopt_table(leat__graph_t *g, const leat_table_opts_t *opts)
{
    if (opts)
        leat__adopt(g, opts->user, opts->user_free);
}

leat__row_fn_t *leat__row_fn_new(leat_table_t *in, const char *call, const char *name, bool there,
    const leat_serde_t *value, const leat_table_opts_t *opts)
{
    leat__graph_t *g = in->graph;
    leat__row_fn_t *op;

    leat__adopt_table(g, opts);
    if (in->nil || !leat__need(g, call, name, there, "its function") ||
        !leat__need(g, call, name, value != NULL, "the serde of its values") ||
        !LEAT__RESERVED_ZERO(g, call, opts))
        return NULL;
    op = leat__builder_alloc(g->builder, sizeof *op);
    if (op)
        *op = (leat__row_fn_t){.rows = {.key = in->key, .value = value, .upstream = in->rows},
            .user = opts ? opts->user : NULL};
    return op;
}

static bool node_opts(leat__graph_t *g, const leat_table_opts_t *opts, leat_node_opts_t *node)
{
    *node = (leat_node_opts_t){0};
    if (!opts)
        return true;
    *node = (leat_node_opts_t){.user = opts->user,
        .local_size = opts->local_size,
        .open = opts->open,
        .close = opts->close,
        .stores = leat__builder_strdup(g->builder, opts->stores)};
    return !opts->stores || node->stores;
}

leat_table_t *leat__row_fn_add(leat_table_t *in, leat__row_fn_t *op, const char *call,
    const char *name, const char *prefix, leat_map_fn process, const leat_table_opts_t *opts)
{
    leat__graph_t *g = in->graph;
    leat_node_opts_t node;
    const char *made;

    if (!leat__rows_init(
            &op->rows, g, call, LEAT__ROWS_DERIVED, opts ? &opts->store : NULL, name, prefix) ||
        !node_opts(g, opts, &node))
        return g->nil_table;
    if (opts && opts->changes_only) {
        op->rows.changes_only = true;
        leat__rows_enable_old(&op->rows, true);
    }
    made = leat__graph_name(g, name, prefix);
    return made ? leat__rows_table(g, &op->rows, made, in->part, process, &node) : g->nil_table;
}

/* ---- out ---- */

static void to_stream_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__change_t *change = in->value;
    const leat_record_t out = {in->key, change->now, in->time_ms, in->headers};

    leat__forward(ctx, &out);
}

static leat_stream_t *to_stream(leat_table_t *in, const char *name)
{
    leat__graph_t *g = in->graph;
    const char *made = leat__graph_name(g, name, "KTABLE-TOSTREAM-");
    leat__step_t *step =
        made ? leat__step_add(g, made, in->part, to_stream_process, g, NULL) : NULL;

    return step ? leat__stream_new(g, &step->part, in->key, in->value, false) : g->nil_stream;
}

leat_stream_t *leat_table_to_stream(
    leat_table_t *in, const char *name, const leat_to_stream_opts_t *opts)
{
    static const char call[] = "leat_table_to_stream";
    leat_stream_t *out;

    if (opts)
        leat__adopt(in->graph, opts->user, opts->user_free);
    if (in->nil || !LEAT__RESERVED_ZERO(in->graph, call, opts))
        return leat__nil_stream(in->graph);
    out = to_stream(in, name);
    if (out->nil || !opts || !opts->key)
        return out;
    return leat__select_key(out, call, NULL, opts->key, opts->key_serde ? opts->key_serde : in->key,
        &(leat_node_opts_t){.user = opts->user});
}

void leat_table_to(leat_table_t *in, const char *topic, const leat_sink_opts_t *opts)
{
    leat_stream_to(leat_table_to_stream(in, NULL, NULL), topic, opts);
}

const char *leat_table_store(const leat_table_t *t)
{
    return !t->nil && t->rows->materialized ? t->rows->store : NULL;
}
