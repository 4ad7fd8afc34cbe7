/*
 * dsl/fold_stream.c: the processors of folds over grouped streams.
 *
 *   record ─▶ its key's bytes ─▶ get ─▶ fn(a, b) ─▶ put, forward
 *
 * The key is encoded once, or not at all where its bytes came along; a count costs one get and one
 * put. The time of the result is the latest one of the aggregate and the record. What the
 * program's function emits is put while it still stands on that function's stack.
 *
 * To a table operator behind it, the first old value of a key is what the aggregate started from
 * (count: 0), as in Kafka Streams; with the cache on it is none.
 */
#include "window.h"

typedef struct update_t {
    const leat__fold_t *op;
    const leat__rows_local_t *local;
    const leat_record_t *in;
    leat_slice_t key;
    const void *old; /* as it is, or what the aggregate starts from */
    bool fresh;      /* there was none */
    int64_t time_ms; /* of the result */
} update_t;

/* Read the row that the record is for. False: dropped or failed. */
static bool start(leat_ctx_t *ctx, const leat_record_t *in, update_t *u)
{
    const leat__fold_t *op = leat__operator(ctx);
    int64_t time_ms;

    if (!in->key || !in->value) {
        leat__drop(ctx, in->key ? "null value" : "null key");
        return false;
    }
    u->op = op;
    u->local = leat__rows_local(ctx, &op->rows);
    u->in = in;
    if (!leat__key_bytes(ctx, in, op->rows.key, &u->key))
        return false;
    u->old = leat__rows_get_bytes(u->local, u->key, &time_ms);
    u->fresh = !u->old;
    u->time_ms = u->old ? leat__later(time_ms, in->time_ms) : in->time_ms;
    return leat__ok(ctx);
}

static void finish(leat_ctx_t *ctx, const update_t *u, const void *now)
{
    const leat__change_t change = {.now = now, .old = u->old, .fresh = u->fresh};

    leat__rows_put_bytes(ctx, &u->op->rows, u->local, u->in, u->key, &change, u->time_ms);
}

static void emit_aggregate(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    (void)how;
    (void)child;
    finish(ctx, call->data, out->value);
}

static void count_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    static const int64_t zero = 0;
    update_t u;
    int64_t count;

    if (!start(ctx, in, &u))
        return;
    if (!u.old)
        u.old = &zero;
    count = *(const int64_t *)u.old + 1;
    finish(ctx, &u, &count);
}

static void reduce_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    update_t u;

    if (!start(ctx, in, &u))
        return;
    if (u.old)
        leat__fold_call(ctx, u.op, u.op->add, in, u.old, in->value, emit_aggregate, &u);
    else
        finish(ctx, &u, in->value);
}

static void aggregate_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    update_t u;

    if (!start(ctx, in, &u))
        return;
    if (!u.old)
        u.old = leat__fold_init(ctx, u.op);
    leat__fold_call(ctx, u.op, u.op->add, in, u.old, in->value, emit_aggregate, &u);
}

leat_map_fn leat__fold_stream_node(const leat__fold_t *op, leat_node_opts_t *node)
{
    static const leat_map_fn processes[] = {count_process, reduce_process, aggregate_process};

    return op->rows.window.type ? leat__window_node(op, node) : processes[op->kind];
}
