/*
 * dsl/fold.c: count, reduce and aggregate, over grouped streams and grouped tables: names, stores,
 * repartition topics, options. The processors are in fold_stream.c and fold_table.c.
 */
#include <string.h>
#include "base/codec.h"
#include "fold.h"
#include "repartition.h"
#include "window.h"

/* ---- running ---- */

const void *leat__fold_init(leat_ctx_t *ctx, const leat__fold_t *op)
{
    leat__codec_env_t env = {.scratch = &ctx->scratch};
    const void *value = op->init;
    leat_error_t err;

    if (op->init_bytes.data && leat__decode(op->rows.value, op->init_bytes, &env, &value, &err))
        leat_fail(ctx, LEAT_ESERDE, ".init: %s", err.text);
    return value;
}

void leat__fold_call(leat_ctx_t *ctx, const leat__fold_t *op, leat_combine_fn fn,
    const leat_record_t *in, const void *a, const void *b, leat__emit_fn then, void *data)
{
    leat__call_t call = {.user = fn == op->merge ? op->merge_user : op->user,
        .in = in,
        .emit = then,
        .allowed = LEAT__EMIT_VALUE,
        .count_max = 1,
        .data = data};

    leat__call_combine(ctx, &call, fn, a, b);
    leat__call_check_one(ctx, &call);
}

/* ---- building: options ---- */

static bool out_of_place(leat__graph_t *g, const leat__wanted_t *w, bool there, const char *what)
{
    if (there)
        leat__builder_error(
            g->builder, LEAT_EARGUMENT, w->name ? w->name : w->call, "%s: %s", w->call, what);
    return there;
}

static bool fit(leat_grouped_t *d, const leat__wanted_t *w)
{
    leat__graph_t *g = d->graph;
    const leat_fold_opts_t *o = w->opts;
    bool functions = w->kind != LEAT__COUNT;

    return LEAT__RESERVED_ZERO(g, w->call, o) &&
           (!functions || leat__need(g, w->call, w->name, w->fn != NULL, "its function")) &&
           leat__need(g, w->call, w->name, w->value != NULL, "the serde of the aggregate") &&
           (!functions || !d->from_table ||
               leat__need(g, w->call, w->name, o && o->subtract, ".subtract of a grouped table")) &&
           !out_of_place(g, w, o && o->subtract && (!functions || !d->from_table),
               functions ? ".subtract is for grouped tables only" : "a count needs no .subtract") &&
           !out_of_place(g, w, d->from_table && o &&
                                   (o->window.type || o->emit || o->merge || o->idle_close_ms),
               ".window, .emit, .merge, .idle_close_ms are for grouped streams only") &&
           !out_of_place(g, w, o && o->init && w->kind != LEAT__AGGREGATE,
               ".init is for leat_grouped_aggregate only");
}

static void *copy_bytes(leat__graph_t *g, const void *bytes, size_t size)
{
    char *copy = leat__builder_alloc(g->builder, size + 1);

    return copy ? memcpy(copy, bytes, size) : NULL;
}

static bool copy_encoded(leat__graph_t *g, const leat__wanted_t *w, leat__fold_t *op, const void *init)
{
    leat__arena_t scratch;
    leat__codec_env_t env = {.scratch = &scratch};
    leat_slice_t bytes;
    leat_error_t err;

    leat__arena_init(&scratch);
    if (leat__encode(w->value, init, &env, &bytes, &err))
        leat__builder_error(g->builder, LEAT_ESERDE, w->name ? w->name : w->call,
            "%s: .init cannot be encoded: %s", w->call, err.text);
    else
        op->init_bytes = (leat_slice_t){copy_bytes(g, bytes.data, bytes.size), bytes.size};
    leat__arena_release(&scratch);
    return op->init_bytes.data != NULL;
}

static bool copy_init(leat__graph_t *g, const leat__wanted_t *w, leat__fold_t *op)
{
    static const int64_t zero = 0;
    const void *init = w->opts ? w->opts->init : NULL;

    if (w->kind == LEAT__COUNT)
        op->init = &zero;
    if (!init)
        return true;
    if (!leat__serde_is_flat(w->value))
        return copy_encoded(g, w, op, init);
    op->init = copy_bytes(g, init, w->value->size);
    return op->init != NULL;
}

/* ---- building: nodes ---- */

static const char *prefix_of(const leat_grouped_t *d, leat__fold_kind_t kind)
{
    if (d->from_table)
        return kind == LEAT__REDUCE ? "KTABLE-REDUCE-" : "KTABLE-AGGREGATE-";
    return kind == LEAT__REDUCE ? "KSTREAM-REDUCE-" : "KSTREAM-AGGREGATE-";
}

/*
 * A named repartition topic serves all folds of the grouping; an unnamed one takes the name of
 * each fold's store.
 */
static leat__part_t *through(leat_grouped_t *d, leat__repartition_t *fresh)
{
    leat__graph_t *g = d->graph;

    if (!fresh)
        return NULL;
    if (d->repartition && d->given) {
        leat__graph_move_last(g, d->repartition);
        return d->repartition;
    }
    leat__graph_add(g, &fresh->part);
    d->repartition = &fresh->part;
    return d->repartition;
}

static leat_table_t *fold_stream(leat_grouped_t *d, const leat__wanted_t *w, leat__fold_t *op)
{
    leat__graph_t *g = d->graph;
    const char *prefix = prefix_of(d, w->kind), *name;
    const leat_store_opts_t *store = w->opts ? &w->opts->store : NULL;
    leat__part_t *parent = d->part;
    leat_node_opts_t node = {0};
    leat_map_fn process;

    if (!leat__window_take(g, w->call, w->name, w->opts, op))
        return g->nil_table;
    if (w->kind == LEAT__COUNT && op->rows.window.type != LEAT_WINDOW_SLIDING &&
        leat__rows_unnamed(store, w->name))
        leat__graph_burn(g); /* Kafka Streams asks for a name twice */
    if (!leat__rows_init(&op->rows, g, w->call, LEAT__ROWS_FOLD, store, w->name, prefix) ||
        !leat__window_store(g, w->call, w->name, op))
        return g->nil_table;
    name = leat__graph_name(g, w->name, prefix);
    if (name && d->rekeyed) {
        bool generated = !d->given && op->rows.generated;
        const char *topic = d->given ? d->given : op->rows.store;

        parent = through(d, leat__repartition_new(g, topic, generated, d->part, d->key, d->value));
    }
    if (!name || !parent)
        return g->nil_table;
    process = leat__fold_stream_node(op, &node);
    return leat__rows_table(g, &op->rows, name, parent, process, &node);
}

static leat_table_t *fold_table(leat_grouped_t *d, const leat__wanted_t *w, leat__fold_t *op)
{
    leat__graph_t *g = d->graph;
    const leat_store_opts_t *store = w->opts ? &w->opts->store : NULL;
    const char *sink, *source, *name, *topic;
    leat__part_t *parent;

    if (!leat__rows_init(
            &op->rows, g, w->call, LEAT__ROWS_FOLD, store, w->name, "KTABLE-AGGREGATE-"))
        return g->nil_table;
    sink = leat__graph_suffixed(g, w->name, "-sink", "KSTREAM-SINK-");
    source = leat__graph_suffixed(g, w->name, "-source", "KSTREAM-SOURCE-");
    name = leat__graph_name(g, w->name, prefix_of(d, w->kind));
    topic = leat__graph_join(g, d->given ? d->given : op->rows.store, "-repartition", "");
    if (!sink || !source || !name || !topic)
        return g->nil_table;
    parent = through(d, leat__repartition_rows_new(g, topic, !d->given && op->rows.generated, sink,
                            source, d->part, d->key, d->change));
    if (!parent)
        return g->nil_table;
    return leat__rows_table(g, &op->rows, name, parent, leat__fold_table_process(w->kind), NULL);
}

leat__fold_t *leat__fold_new(leat_grouped_t *d, const leat__wanted_t *w)
{
    leat__graph_t *g = d->graph;
    leat__fold_t *op;

    if (d->nil || !fit(d, w))
        return NULL;
    op = leat__builder_alloc(g->builder, sizeof *op);
    if (!op)
        return NULL;
    *op = (leat__fold_t){.rows = {.key = d->key, .value = w->value}, .kind = w->kind, .add = w->fn};
    if (w->opts) {
        op->subtract = w->opts->subtract;
        op->user = op->merge_user = w->opts->user;
        op->rows.changes_only = op->rows.send_old = w->opts->changes_only;
    }
    return copy_init(g, w, op) ? op : NULL;
}

static leat_table_t *fold(leat_grouped_t *d, const leat__wanted_t *w)
{
    leat__fold_t *op;

    if (w->opts)
        leat__adopt(d->graph, w->opts->user, w->opts->user_free);
    op = leat__fold_new(d, w);
    if (!op)
        return leat__nil_table(d->graph);
    return d->from_table ? fold_table(d, w, op) : fold_stream(d, w, op);
}

leat_table_t *leat_grouped_count(leat_grouped_t *g, const char *name, const leat_fold_opts_t *opts)
{
    return fold(
        g, &(leat__wanted_t){
               "leat_grouped_count", LEAT__COUNT, name, NULL, leat_serde_int64(), opts});
}

leat_table_t *leat_grouped_reduce(
    leat_grouped_t *g, const char *name, leat_combine_fn fn, const leat_fold_opts_t *opts)
{
    return fold(
        g, &(leat__wanted_t){"leat_grouped_reduce", LEAT__REDUCE, name, fn, g->value, opts});
}

leat_table_t *leat_grouped_aggregate(leat_grouped_t *g, const char *name, leat_combine_fn fn,
    const leat_serde_t *value, const leat_fold_opts_t *opts)
{
    return fold(
        g, &(leat__wanted_t){"leat_grouped_aggregate", LEAT__AGGREGATE, name, fn, value, opts});
}
