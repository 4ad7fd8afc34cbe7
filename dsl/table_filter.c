/*
 * dsl/table_filter.c: rows that pass a test. A row that does not pass is sent on as deleted, since
 * it may have passed before: where old values are known, only if it did.
 */
#include "table.h"

static const void *passing(
    leat_ctx_t *ctx, const leat__row_fn_t *op, const leat_record_t *in, const void *value)
{
    const leat_record_t row = {in->key, value, in->time_ms, in->headers};

    if (!value || leat__call_predicate(ctx, op->user, op->test, &row) != op->passes)
        return NULL;
    return value;
}

static void filter_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__row_fn_t *op = leat__operator(ctx);
    const leat__change_t *change = in->value;
    const void *now = passing(ctx, op, in, change->now), *old = NULL;

    if (op->rows.send_old && leat__ok(ctx))
        old = op->rows.materialized ? leat__rows_get(ctx, &op->rows, in)
                                    : passing(ctx, op, in, change->old);
    if (op->rows.send_old && !now && !old && !leat__rows_versioned(op->rows.upstream))
        return; /* a history has deletions too */
    leat__rows_put(ctx, &op->rows, in, now, old, in->time_ms);
}

/* ---- rows looked up by others ---- */

typedef struct lookup_t {
    const leat__row_fn_t *op;
    const leat_record_t *in;
    leat__row_fn then;
    void *data;
} lookup_t;

static void filter_row(leat_ctx_t *ctx, void *data, const void *value, int64_t time_ms)
{
    const lookup_t *l = data;
    const leat_record_t row = {l->in->key, value, time_ms, l->in->headers};
    const void *passed = passing(ctx, l->op, &row, value);

    if (leat__ok(ctx))
        l->then(ctx, l->data, passed, passed ? time_ms : -1);
}

static void filter_derive(leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in,
    leat__row_fn then, void *data)
{
    lookup_t l = {(const leat__row_fn_t *)r, in, then, data};

    leat__rows_view(ctx, r->upstream, in, filter_row, &l);
}

/* ---- building ---- */

static leat_table_t *add(leat_table_t *in, const char *call, const char *name,
    leat_predicate_fn test, bool passes, const leat_table_opts_t *opts)
{
    const leat_serde_t *value = in->nil ? NULL : in->value;
    leat__row_fn_t *op = leat__row_fn_new(in, call, name, test != NULL, value, opts);

    if (!op)
        return leat__nil_table(in->graph);
    op->test = test;
    op->passes = passes;
    op->rows.derive = filter_derive;
    op->rows.send_old = leat__rows_enable_old(in->rows, false);
    return leat__row_fn_add(in, op, call, name, "KTABLE-FILTER-", filter_process, opts);
}

leat_table_t *leat_table_filter(
    leat_table_t *in, const char *name, leat_predicate_fn keep, const leat_table_opts_t *opts)
{
    return add(in, "leat_table_filter", name, keep, true, opts);
}

leat_table_t *leat_table_filter_not(
    leat_table_t *in, const char *name, leat_predicate_fn drop, const leat_table_opts_t *opts)
{
    return add(in, "leat_table_filter_not", name, drop, false, opts);
}
