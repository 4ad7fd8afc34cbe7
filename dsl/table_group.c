/*
 * dsl/table_group.c: rows grouped by another key: each change becomes what leaves one group and
 * what comes to another, through a repartition topic.
 *
 * One record with both values if the group stays the same (KIP-904), so that a fold behind never
 * shows the state between; else the old row first. A NULL key or value leaves that half out.
 */
#include "table.h"

typedef struct group_t {
    leat_map_fn fn;
    void *user;
    const leat_serde_t *key;
} group_t;

typedef struct half_t {
    const void *key, *value;
} half_t;

typedef struct regroup_t {
    const group_t *op;
    const leat_record_t *in;
    half_t now;
} regroup_t;

static bool is_there(half_t half)
{
    return half.key && half.value;
}

static void send(
    leat_ctx_t *ctx, const regroup_t *g, const void *key, const void *now, const void *old)
{
    const leat__change_t change = {.now = now, .old = old};
    const leat_record_t out = {key, &change, g->in->time_ms, g->in->headers};

    leat__forward(ctx, &out);
}

static bool same_key(leat_ctx_t *ctx, const group_t *op, const void *a, const void *b)
{
    const leat__codec_env_t env = {.scratch = &ctx->scratch, .is_key = true};
    leat_slice_t x, y;
    leat_error_t err;

    if (a == b)
        return true;
    if (leat__encode(op->key, a, &env, &x, &err) || leat__encode(op->key, b, &env, &y, &err)) {
        leat_fail(ctx, LEAT_ESERDE, "%s", err.text);
        return false;
    }
    return leat_slice_equal(&x, &y);
}

static void finish(leat_ctx_t *ctx, const regroup_t *g, half_t old)
{
    if (is_there(g->now) && is_there(old) && same_key(ctx, g->op, g->now.key, old.key)) {
        send(ctx, g, old.key, g->now.value, old.value);
        return;
    }
    if (is_there(old))
        send(ctx, g, old.key, NULL, old.value);
    if (is_there(g->now))
        send(ctx, g, g->now.key, g->now.value, NULL);
}

static void map_half(leat_ctx_t *ctx, regroup_t *g, const void *value, leat__emit_fn then)
{
    const leat_record_t row = {g->in->key, value, g->in->time_ms, g->in->headers};
    leat__call_t call = {.user = g->op->user,
        .in = &row,
        .emit = then,
        .count_max = 1,
        .data = g,
        .allowed = LEAT__EMIT_BOTH | LEAT__EMIT_RECORD | LEAT__EMIT_KEY | LEAT__EMIT_VALUE};

    leat__call_map(ctx, &call, g->op->fn, &row);
    leat__call_check_one(ctx, &call);
}

static void emit_old(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    (void)how;
    (void)child;
    finish(ctx, call->data, (half_t){out->key, out->value});
}

static void find_old(leat_ctx_t *ctx, regroup_t *g)
{
    const leat__change_t *change = g->in->value;

    if (change->old)
        map_half(ctx, g, change->old, emit_old);
    else
        finish(ctx, g, (half_t){NULL, NULL});
}

static void emit_now(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    regroup_t *g = call->data;

    (void)how;
    (void)child;
    g->now = (half_t){out->key, out->value};
    find_old(ctx, g);
}

static void group_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__change_t *change = in->value;
    regroup_t g = {.op = leat__operator(ctx), .in = in};

    if (change->outdated)
        return; /* groups have the latest rows only */
    if (change->now)
        map_half(ctx, &g, change->now, emit_now);
    else
        find_old(ctx, &g);
}

/* ---- building ---- */

static leat_grouped_t *grouped_new(leat_table_t *in, leat__part_t *part, const char *given,
    const leat_serde_t *key, const leat_serde_t *value)
{
    leat__graph_t *g = in->graph;
    leat_grouped_t *d = leat__builder_alloc(g->builder, sizeof *d);
    const leat_serde_t *change = leat__change_serde(g->builder, value);

    if (!d || !change)
        return g->nil_grouped;
    *d = (leat_grouped_t){.graph = g,
        .part = part,
        .key = key,
        .value = value,
        .from_table = true,
        .change = change,
        .given = given};
    leat__rows_enable_old(in->rows, true);
    return d;
}

static leat_grouped_t *add(leat_table_t *in, const char *name, const group_t *op,
    const leat_serde_t *value, const leat_node_opts_t *opts)
{
    leat__graph_t *g = in->graph;
    leat_node_opts_t copy;
    const char *made;
    leat__step_t *step;

    if (!op || !leat__copy_node(g, "leat_table_group_by", opts, &copy))
        return g->nil_grouped;
    made = leat__graph_name(g, name, "KTABLE-SELECT-");
    step = made ? leat__step_add(g, made, in->part, group_process, op, &copy) : NULL;
    return step ? grouped_new(in, &step->part, name ? made : NULL, op->key, value) : g->nil_grouped;
}

leat_grouped_t *leat_table_group_by(leat_table_t *in, const char *name, leat_map_fn fn,
    const leat_serde_t *key, const leat_serde_t *value, const leat_node_opts_t *opts)
{
    static const char call[] = "leat_table_group_by";
    leat__graph_t *g = in->graph;
    group_t *op;

    leat__adopt_node(g, opts);
    if (in->nil || !leat__need(g, call, name, fn != NULL, "its function") ||
        !leat__need(g, call, name, key != NULL, "the serde of its keys") ||
        !leat__need(g, call, name, value != NULL, "the serde of its values"))
        return leat__nil_grouped(g);
    op = leat__builder_alloc(g->builder, sizeof *op);
    if (op)
        *op = (group_t){fn, opts ? opts->user : NULL, key};
    return add(in, name, op, value, opts);
}
