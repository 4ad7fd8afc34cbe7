/*
 * dsl/table_map.c: rows with other values: map_values and transform_values.
 *
 *   change ─▶ fn(now) ─emits▶ fn(old), if asked for and not kept ─emits▶ keep and forward
 *
 * What a function emits stands on its stack; so the next step runs inside the emission.
 */
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

static leat_table_t *add(leat_table_t *in, const char *call, const char *prefix, const char *name,
    leat_map_fn fn, bool nulls, const leat_serde_t *value, const leat_table_opts_t *opts)
{
    leat__row_fn_t *op = leat__row_fn_new(in, call, name, fn != NULL, value, opts);

    if (!op)
        return leat__nil_table(in->graph);
    op->map = fn;
    op->nulls = nulls;
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
    return add(
        in, "leat_table_transform_values", "KTABLE-TRANSFORMVALUES-", name, fn, true, value, opts);
}
