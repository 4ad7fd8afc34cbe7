/*
 * dsl/table_join.c: two tables joined on their key: a table whose rows change when either side
 * does.
 *
 *   left  ─▶ join-this  (looks up right) ─┐
 *                                         ├▶ merge (keeps the rows, if asked to) ─▶
 *   right ─▶ join-other (looks up left)  ─┘
 *
 * Each side joins its new and, if somebody behind asked, its old value with the row that the other
 * side has now. What the function emits lives on its stack, so forwarding runs inside the
 * emission. The function sees the left value first, whichever side changed.
 *
 * Counterparts in Kafka Streams: KTableKTable{Inner,Left,Right,Outer}Join, -JoinMerger.
 */
#include "fold.h"
#include "rows.h"

typedef struct side_t { /* the data of join-this and join-other */
    const struct join_t *join;
    const leat__rows_t *other;
    bool right;     /* this side is the right table */
    bool preserved; /* its rows stay when the other side has none */
    bool other_preserved;
} side_t;

typedef struct join_t {
    leat__rows_t rows;
    leat_combine_fn fn;
    void *user;
    side_t sides[2];
} join_t;

typedef struct update_t {
    const side_t *side;
    const leat_record_t *in;
    const leat__change_t *change; /* of this side */
    const void *other;            /* value of the other side's row */
    int64_t time_ms;
    const void *now; /* of the result */
} update_t;

/* ---- running ---- */

static void combine(leat_ctx_t *ctx, const side_t *side, const leat_record_t *in, const void *mine,
    const void *other, leat__emit_fn then, void *data)
{
    leat__call_t call = {.user = side->join->user,
        .in = in,
        .emit = then,
        .allowed = LEAT__EMIT_VALUE,
        .count_max = 1,
        .data = data};

    leat__call_combine(
        ctx, &call, side->join->fn, side->right ? other : mine, side->right ? mine : other);
    leat__call_check_one(ctx, &call);
}

/* Is there a row of the result for these two? */
static bool joined(const side_t *side, const void *mine, const void *other)
{
    return (mine && (other || side->preserved)) || (other && side->other_preserved);
}

static void finish(leat_ctx_t *ctx, const update_t *u, const void *old)
{
    const leat__change_t change = {.now = u->now, .old = old};
    const leat_record_t out = {u->in->key, &change, u->time_ms, u->in->headers};

    leat__forward(ctx, &out);
}

static void emit_old(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    (void)how;
    (void)child;
    finish(ctx, call->data, out->value);
}

static void join_old(leat_ctx_t *ctx, update_t *u)
{
    const side_t *side = u->side;

    if (side->join->rows.send_old && joined(side, u->change->old, u->other))
        combine(ctx, side, u->in, u->change->old, u->other, emit_old, u);
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
    join_old(ctx, u);
}

static void with_other(leat_ctx_t *ctx, void *data, const void *value, int64_t time_ms)
{
    update_t *u = data;
    const side_t *side = u->side;

    if (!value && (!side->preserved || (!u->change->now && !u->change->old)))
        return; /* this side's row is part of no result, and was of none */
    u->other = value;
    u->time_ms = leat__later(u->in->time_ms, time_ms);
    if (joined(side, u->change->now, value))
        combine(ctx, side, u->in, u->change->now, value, emit_now, u);
    else
        join_old(ctx, u);
}

static void join_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const side_t *side = leat__operator(ctx);
    update_t u = {.side = side, .in = in, .change = in->value};

    if (!in->key)
        leat__drop(ctx, "null key");
    else if (u.change->outdated)
        leat__drop(ctx, "out of order: the versioned table has a later row");
    else
        leat__rows_view(ctx, side->other, in, with_other, &u);
}

static void merge_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const join_t *op = leat__operator(ctx);
    const leat__change_t *change = in->value;

    leat__rows_put(ctx, &op->rows, in, change->now, change->old, in->time_ms);
}

/* ---- rows looked up by others ---- */

typedef struct lookup_t {
    const join_t *op;
    const leat_record_t *in;
    leat__row_fn then;
    void *data;
    const void *left;
    int64_t time_ms;
} lookup_t;

static void emit_row(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    const lookup_t *l = call->data;

    (void)how;
    (void)child;
    l->then(ctx, l->data, out->value, out->value ? l->time_ms : -1);
}

static void with_right(leat_ctx_t *ctx, void *data, const void *value, int64_t time_ms)
{
    lookup_t *l = data;
    const side_t *left = &l->op->sides[0];

    l->time_ms = leat__later(l->time_ms, time_ms);
    if (joined(left, l->left, value))
        combine(ctx, left, l->in, l->left, value, emit_row, l);
    else
        l->then(ctx, l->data, NULL, -1);
}

static void with_left(leat_ctx_t *ctx, void *data, const void *value, int64_t time_ms)
{
    lookup_t *l = data;

    l->left = value;
    l->time_ms = time_ms;
    if (value || l->op->sides[0].other_preserved)
        leat__rows_view(ctx, l->op->rows.other, l->in, with_right, l);
    else
        l->then(ctx, l->data, NULL, -1);
}

static void join_derive(
    leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in, leat__row_fn then, void *data)
{
    lookup_t l = {.op = (const join_t *)r, .in = in, .then = then, .data = data};

    leat__rows_view(ctx, r->upstream, in, with_left, &l);
}

/* ---- building ---- */

typedef struct part_t {
    leat__step_t merge; /* its part stands for all three nodes */
    const char *names[2];
    const join_t *op;
} part_t;

static void write_side(
    const part_t *j, int i, leat__plan_t *plan, const char *const *parent, leat_map_fn process)
{
    leat__node_t *node = leat__plan_processor(plan, j->names[i], parent, 1, process, NULL);

    if (node)
        node->operator_ = &j->op->sides[i];
}

static void write_join(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    const part_t *j = (const part_t *)part;
    leat__node_t *node;

    write_side(j, 0, plan, parents, join_process);
    write_side(j, 1, plan, parents + parent_count - 1, join_process);
    node = leat__plan_processor(plan, part->name, j->names, 2, merge_process, &j->merge.opts);
    if (node)
        node->operator_ = j->op;
    for (int i = 0; i < 2; i++)
        leat__rows_connect(j->op->sides[i].other, plan, j->names[i]);
    leat__rows_write(&j->op->rows, plan, part->name);
    leat__part_copartition(part, plan);
}

static bool fit(leat_table_t *left, leat_table_t *right, const char *name, leat_combine_fn fn,
    const leat_serde_t *value, const leat_join_opts_t *opts)
{
    static const char call[] = "leat_table_join";
    leat__graph_t *g = left->graph;

    if (!leat__same_builder(g, right->graph, call) || left->nil || right->nil)
        return false;
    return leat__need(g, call, name, fn != NULL, "its function") &&
           leat__need(g, call, name, value != NULL, "the serde of its values") &&
           LEAT__RESERVED_ZERO(g, call, opts) &&
           leat__same_keys(g, call, name, left->key, right->key);
}

static void make_sides(join_t *op, leat_join_kind_t kind)
{
    bool left = kind != LEAT_INNER, right = kind == LEAT_OUTER;

    op->sides[0] = (side_t){op, op->rows.other, false, left, right};
    op->sides[1] = (side_t){op, op->rows.upstream, true, right, left};
    if (left)
        leat__rows_enable_old(op->rows.upstream, true);
    if (right)
        leat__rows_enable_old(op->rows.other, true);
    leat__rows_enable_view(op->rows.upstream);
    leat__rows_enable_view(op->rows.other);
}

static part_t *part_new(leat__graph_t *g, const char *name, join_t *op)
{
    part_t *j = leat__builder_alloc(g->builder, sizeof *j);
    const char *merge = leat__graph_name(g, name, "KTABLE-MERGE-");

    if (!j || !merge)
        return NULL;
    j->merge.part.name = merge;
    j->merge.part.write = write_join;
    j->op = op;
    j->names[0] = leat__graph_suffixed(g, name, "-join-this", "KTABLE-JOINTHIS-");
    j->names[1] = leat__graph_suffixed(g, name, "-join-other", "KTABLE-JOINOTHER-");
    return j->names[0] && j->names[1] ? j : NULL;
}

leat_table_t *leat_table_join(leat_table_t *left, leat_table_t *right, const char *name,
    leat_combine_fn fn, const leat_serde_t *value, const leat_join_opts_t *opts)
{
    leat__graph_t *g = left->graph;
    leat_table_t *t;
    join_t *op;
    part_t *j;

    if (opts)
        leat__adopt(g, opts->user, opts->user_free);
    if (!fit(left, right, name, fn, value, opts))
        return leat__nil_table(g);
    op = leat__builder_alloc(g->builder, sizeof *op);
    t = leat__builder_alloc(g->builder, sizeof *t);
    if (!op || !t)
        return g->nil_table;
    *op = (join_t){.rows = {.key = left->key,
                       .value = value,
                       .upstream = left->rows,
                       .other = right->rows,
                       .derive = join_derive},
        .fn = fn,
        .user = opts ? opts->user : NULL};
    if (!leat__rows_init(&op->rows, g, "leat_table_join", LEAT__ROWS_DERIVED,
            opts ? &opts->store : NULL, name, "KTABLE-MERGE-"))
        return g->nil_table;
    j = part_new(g, name, op);
    if (!j)
        return g->nil_table;
    make_sides(op, opts ? opts->kind : LEAT_INNER);
    j->merge.rows = &op->rows;
    leat__rows_node(&op->rows, &j->merge.opts);
    leat__part_parent(g, &j->merge.part, left->part);
    leat__part_parent(g, &j->merge.part, right->part);
    leat__graph_add(g, &j->merge.part);
    *t = (leat_table_t){
        .graph = g, .part = &j->merge.part, .key = left->key, .value = value, .rows = &op->rows};
    return t;
}
