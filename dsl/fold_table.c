/*
 * dsl/fold_table.c: the processors of folds over grouped tables: rows that go are subtracted, then
 * rows that come are added.
 *
 * A function's emission lives only as long as the function stands on the stack; so adding runs
 * inside the emission of subtracting, and putting inside the emission of adding.
 */
#include "fold.h"

typedef struct update_t {
    const leat__fold_t *op;
    const leat_record_t *in;
    const leat__change_t *change; /* of the group's rows */
    const void *old;              /* the aggregate as it is; NULL: none */
    int64_t old_time_ms;
} update_t;

static void finish(leat_ctx_t *ctx, const update_t *u, const void *now, int64_t time_ms)
{
    leat__rows_put(ctx, &u->op->rows, u->in, now, u->old, time_ms);
}

static int64_t later_than_old(const update_t *u)
{
    return leat__later(u->in->time_ms, u->old_time_ms);
}

static void emit_added(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    const update_t *u = call->data;

    (void)how;
    (void)child;
    finish(ctx, u, out->value, later_than_old(u));
}

/* between: the aggregate without what went; subtracted: something did. */
static void add(leat_ctx_t *ctx, update_t *u, const void *between, bool subtracted)
{
    if (!u->change->now) {
        finish(ctx, u, between, subtracted ? later_than_old(u) : u->in->time_ms);
    } else if (!between && u->op->kind == LEAT__REDUCE) {
        finish(ctx, u, u->change->now, subtracted ? later_than_old(u) : u->in->time_ms);
    } else {
        if (!between)
            between = leat__fold_init(ctx, u->op);
        leat__fold_call(ctx, u->op, u->op->add, u->in, between, u->change->now, emit_added, u);
    }
}

static void emit_subtracted(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    (void)how;
    (void)child;
    add(ctx, call->data, out->value, true);
}

static bool start(leat_ctx_t *ctx, const leat_record_t *in, update_t *u)
{
    const leat__fold_t *op = leat__operator(ctx);
    leat_slice_t key;

    if (!in->key || !in->value) {
        leat_fail(
            ctx, LEAT_ENULL, "a record of a grouped table has no %s", in->key ? "value" : "key");
        return false;
    }
    *u = (update_t){.op = op, .in = in, .change = in->value, .old_time_ms = -1};
    if (!leat__key_bytes(ctx, in, op->rows.key, &key))
        return false;
    u->old = leat__rows_get_bytes(leat__rows_local(ctx, &op->rows), key, &u->old_time_ms);
    return leat__ok(ctx);
}

static void fold_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    update_t u;

    if (!start(ctx, in, &u))
        return;
    if (u.change->old && u.old)
        leat__fold_call(ctx, u.op, u.op->subtract, in, u.old, u.change->old, emit_subtracted, &u);
    else
        add(ctx, &u, u.old, false);
}

static void count_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    update_t u;
    int64_t count;
    bool touches;

    if (!start(ctx, in, &u))
        return;
    touches = u.old && (u.change->old || u.change->now);
    count = u.old ? *(const int64_t *)u.old : 0;
    count -= u.old && u.change->old;
    count += u.change->now != NULL;
    finish(ctx, &u, u.old || u.change->now ? &count : NULL,
        touches ? later_than_old(&u) : in->time_ms);
}

leat_map_fn leat__fold_table_process(leat__fold_kind_t kind)
{
    return kind == LEAT__COUNT ? count_process : fold_process;
}
