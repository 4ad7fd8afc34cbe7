/*
 * dsl/table_map.c: rows with other values: map_values and transform_values.
 *
 *   change ─▶ fn(now) ─emits▶ fn(old), if asked for and not kept ─emits▶ keep and forward
 *
 * What a function emits stands on its stack; so the next step runs inside the emission.
 */
#include <string.h>
#include "table.h"

typedef struct update_t {
    const leat__row_fn_t *op;
    const leat_record_t *in;
    const void *now;
} update_t;

static void map_one(leat_ctx_t *ctx, update_t *u, const void *value, leat__emit_fn then)
{
    const leat_record_t row = {u->in->key, value, u->in->time_ms, u->in->headers};
    leat__call_t call = {.user = u->op->user,
        .in = &row,
        .emit = then,
        .allowed = LEAT__EMIT_VALUE,
        .count_max = 1,
        .data = u};

    leat__call_map(ctx, &call, u->op->map, &row);
    leat__call_check_one(ctx, &call);
}

static void finish(leat_ctx_t *ctx, const update_t *u, const void *old)
{
    leat__rows_put(ctx, &u->op->rows, u->in, u->now, old, u->in->time_ms);
}

static void emit_old(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    (void)how;
    (void)child;
    finish(ctx, call->data, out->value);
}

static void find_old(leat_ctx_t *ctx, update_t *u)
{
    const leat__rows_t *r = &u->op->rows;
    const leat__change_t *change = u->in->value;

    if (!r->send_old)
        finish(ctx, u, NULL);
    else if (r->materialized)
        finish(ctx, u, leat__rows_local(ctx, r)->cached ? NULL : leat__rows_get(ctx, r, u->in));
    else if (change->old || u->op->nulls)
        map_one(ctx, u, change->old, emit_old);
    else
        finish(ctx, u, NULL);
}

static void emit_now(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    update_t *u = call->data;

    (void)how;
    (void)child;
    u->now = out->value;
    find_old(ctx, u);
}

static void map_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__row_fn_t *op = leat__operator(ctx);
    const leat__change_t *change = in->value;
    update_t u = {op, in, NULL};

    if (change->now || op->nulls)
        map_one(ctx, &u, change->now, emit_now);
    else
        find_old(ctx, &u);
}

/* ---- rows looked up by others ---- */

typedef struct lookup_t {
    const leat__row_fn_t *op;
    const leat_record_t *in;
    leat__row_fn then;
    void *data;
    int64_t time_ms;
    leat__live_t *asking; /* the node that looks up */
} lookup_t;

static void emit_row(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    const lookup_t *l = call->data;
    leat__live_t *own = ctx->node;

    (void)how;
    (void)child;
    ctx->node = l->asking;
    l->then(ctx, l->data, out->value, out->value ? l->time_ms : -1);
    ctx->node = own;
}

/* The function runs in its own node: that has its memory and its stores. */
static void map_row(leat_ctx_t *ctx, void *data, const void *value, int64_t time_ms)
{
    lookup_t *l = data;
    const leat_record_t row = {l->in->key, value, time_ms, l->in->headers};
    leat__call_t call = {.user = l->op->user,
        .in = &row,
        .emit = emit_row,
        .allowed = LEAT__EMIT_VALUE,
        .count_max = 1,
        .data = l};

    if (!value && !l->op->nulls) {
        l->then(ctx, l->data, NULL, -1);
        return;
    }
    l->time_ms = time_ms;
    l->asking = ctx->node;
    ctx->node = leat__node_with(ctx, l->op);
    leat__call_map(ctx, &call, l->op->map, &row);
    leat__call_check_one(ctx, &call);
    ctx->node = l->asking;
}

static void map_derive(leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in,
    leat__row_fn then, void *data)
{
    lookup_t l = {.op = (const leat__row_fn_t *)r, .in = in, .then = then, .data = data};

    leat__rows_view(ctx, r->upstream, in, map_row, &l);
}

/* ---- building ---- */

static leat_table_t *add(leat_table_t *in, const char *call, const char *prefix, const char *name,
    leat_map_fn fn, bool nulls, const leat_serde_t *value, const leat_table_opts_t *opts)
{
    leat__row_fn_t *op = leat__row_fn_new(in, call, name, fn != NULL, value, opts);

    if (!op)
        return leat__nil_table(in->graph);
    op->map = fn;
    op->nulls = nulls;
    op->rows.derive = map_derive;
    return leat__row_fn_add(in, op, call, name, prefix, map_process, opts);
}

leat_table_t *leat_table_map_values(leat_table_t *in, const char *name, leat_map_fn fn,
    const leat_serde_t *value, const leat_table_opts_t *opts)
{
    return add(in, "leat_table_map_values", "KTABLE-MAPVALUES-", name, fn, false, value, opts);
}

leat_table_t *leat_table_transform_values(leat_table_t *in, const char *name, leat_map_fn fn,
    const leat_serde_t *value, const leat_table_opts_t *opts)
{
    leat_table_opts_t numberless = opts ? *opts : (leat_table_opts_t){0};

    /* LEAT_AUTO takes no number here, as in Kafka Streams */
    if (opts && !opts->store.materialize && opts->store.name &&
        strcmp(opts->store.name, LEAT_AUTO) == 0) {
        numberless.store.name = NULL;
        opts = &numberless;
    }
    return add(
        in, "leat_table_transform_values", "KTABLE-TRANSFORMVALUES-", name, fn, true, value, opts);
}
