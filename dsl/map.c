/*
 * dsl/map.c: records turned into others: map, map_values, flat_map, flat_map_values, select_key,
 * peek, for_each.
 *
 * One processor serves them all; what an operator's function may emit, and how often, is its data.
 * A key that was not emitted anew is the input's pointer and keeps its bytes.
 */
#include "runtime/ctx.h"
#include "map.h"

enum {
    ANY_RECORD = LEAT__EMIT_BOTH | LEAT__EMIT_VALUE | LEAT__EMIT_KEY | LEAT__EMIT_RECORD,
    ANY_NUMBER = 0
};

typedef struct map_t {
    leat_map_fn fn;
    void *user;
    unsigned allowed;
    unsigned count_max; /* ANY_NUMBER; or 1: exactly one */
    bool passes;        /* peek: the input goes on, unchanged */
} map_t;

static void emit(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how, const leat_record_t *out,
    const char *child)
{
    (void)call;
    (void)how;
    (void)child;
    leat__forward(ctx, out);
}

static void map_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const map_t *op = leat__operator(ctx);
    leat__call_t call = {.user = op->user,
        .in = in,
        .emit = emit,
        .allowed = op->allowed,
        .count_max = op->count_max};

    leat__call_map(ctx, &call, op->fn, in);
    if (op->count_max == 1)
        leat__call_check_one(ctx, &call);
    if (op->passes && leat__ok(ctx))
        leat__forward(ctx, in);
}

static map_t *map_new(leat__graph_t *g, leat_map_fn fn, const leat_node_opts_t *opts,
    unsigned allowed, unsigned count_max)
{
    map_t *op = leat__builder_alloc(g->builder, sizeof *op);

    if (op)
        *op = (map_t){
            .fn = fn, .user = opts ? opts->user : NULL, .allowed = allowed, .count_max = count_max};
    return op;
}

static bool fit(leat_stream_t *in, const char *call, const char *name, leat_map_fn fn,
    const leat_serde_t *key, const leat_serde_t *value)
{
    leat__graph_t *g = in->graph;

    return !in->nil && leat__need(g, call, name, fn != NULL, "its function") &&
           leat__need(g, call, name, key != NULL, "the serde of its keys") &&
           leat__need(g, call, name, value != NULL, "the serde of its values");
}

leat_stream_t *leat_stream_map(leat_stream_t *in, const char *name, leat_map_fn fn,
    const leat_serde_t *key, const leat_serde_t *value, const leat_node_opts_t *opts)
{
    static const leat__operator_t o = {"leat_stream_map", "KSTREAM-MAP-", map_process, true, false};

    leat__adopt_node(in->graph, opts);
    if (!fit(in, o.call, name, fn, key, value))
        return leat__nil_stream(in->graph);
    return leat__stream_step(
        in, &o, name, map_new(in->graph, fn, opts, ANY_RECORD, 1), key, value, opts);
}

leat_stream_t *leat_stream_flat_map(leat_stream_t *in, const char *name, leat_map_fn fn,
    const leat_serde_t *key, const leat_serde_t *value, const leat_node_opts_t *opts)
{
    static const leat__operator_t o = {
        "leat_stream_flat_map", "KSTREAM-FLATMAP-", map_process, true, false};

    leat__adopt_node(in->graph, opts);
    if (!fit(in, o.call, name, fn, key, value))
        return leat__nil_stream(in->graph);
    return leat__stream_step(
        in, &o, name, map_new(in->graph, fn, opts, ANY_RECORD, ANY_NUMBER), key, value, opts);
}

leat_stream_t *leat_stream_map_values(leat_stream_t *in, const char *name, leat_map_fn fn,
    const leat_serde_t *value, const leat_node_opts_t *opts)
{
    static const leat__operator_t o = {
        "leat_stream_map_values", "KSTREAM-MAPVALUES-", map_process, false, true};

    leat__adopt_node(in->graph, opts);
    if (!fit(in, o.call, name, fn, in->key, value))
        return leat__nil_stream(in->graph);
    return leat__stream_step(
        in, &o, name, map_new(in->graph, fn, opts, LEAT__EMIT_VALUE, 1), in->key, value, opts);
}

leat_stream_t *leat_stream_flat_map_values(leat_stream_t *in, const char *name, leat_map_fn fn,
    const leat_serde_t *value, const leat_node_opts_t *opts)
{
    static const leat__operator_t o = {
        "leat_stream_flat_map_values", "KSTREAM-FLATMAPVALUES-", map_process, false, true};

    leat__adopt_node(in->graph, opts);
    if (!fit(in, o.call, name, fn, in->key, value))
        return leat__nil_stream(in->graph);
    return leat__stream_step(in, &o, name,
        map_new(in->graph, fn, opts, LEAT__EMIT_VALUE, ANY_NUMBER), in->key, value, opts);
}

leat_stream_t *leat__select_key(leat_stream_t *in, const char *call, const char *name,
    leat_map_fn fn, const leat_serde_t *key, const leat_node_opts_t *opts)
{
    const leat__operator_t o = {call, "KSTREAM-KEY-SELECT-", map_process, true, false};

    if (!fit(in, call, name, fn, key, in->value))
        return leat__nil_stream(in->graph);
    return leat__stream_step(
        in, &o, name, map_new(in->graph, fn, opts, LEAT__EMIT_KEY, 1), key, in->value, opts);
}

leat_stream_t *leat_stream_select_key(leat_stream_t *in, const char *name, leat_map_fn fn,
    const leat_serde_t *key, const leat_node_opts_t *opts)
{
    leat__adopt_node(in->graph, opts);
    return leat__select_key(in, "leat_stream_select_key", name, fn, key, opts);
}

/* ---- looking only ---- */

static leat_stream_t *look(leat_stream_t *in, const leat__operator_t *o, const char *name,
    leat_map_fn fn, bool passes, const leat_node_opts_t *opts)
{
    map_t *op;

    leat__adopt_node(in->graph, opts);
    if (!fit(in, o->call, name, fn, in->key, in->value))
        return leat__nil_stream(in->graph);
    op = map_new(in->graph, fn, opts, 0, ANY_NUMBER);
    if (op)
        op->passes = passes;
    return leat__stream_step(in, o, name, op, in->key, in->value, opts);
}

leat_stream_t *leat_stream_peek(
    leat_stream_t *in, const char *name, leat_map_fn fn, const leat_node_opts_t *opts)
{
    static const leat__operator_t o = {
        "leat_stream_peek", "KSTREAM-PEEK-", map_process, false, false};

    return look(in, &o, name, fn, true, opts);
}

void leat_stream_for_each(
    leat_stream_t *in, const char *name, leat_map_fn fn, const leat_node_opts_t *opts)
{
    static const leat__operator_t o = {
        "leat_stream_for_each", "KSTREAM-FOREACH-", map_process, false, false};

    look(in, &o, name, fn, false, opts);
}
