/*
 * dsl/join_table.c: a stream joined with a table: each record meets the row of its key as it is
 * now. Changes of the table emit nothing.
 *
 *   stream ─▶ (a repartition topic, if the key may have changed) ─▶ join (looks up) ─▶
 *
 * The table's node is no parent: the join is connected to the store that has the rows.
 *
 * Counterpart in Kafka Streams: KStreamKTableJoin.
 */
#include "join_table.h"

/* ---- running ---- */

typedef struct joining_t {
    const leat__table_join_t *op;
    const leat_record_t *in;
} joining_t;

static void with_row(leat_ctx_t *ctx, void *data, const void *value, int64_t time_ms)
{
    const joining_t *j = data;

    (void)time_ms;
    if (value || j->op->keeps)
        leat__joiner_run(ctx, &j->op->joiner, j->in, j->in->value, value);
}

void leat__table_join_record(
    leat_ctx_t *ctx, const leat__table_join_t *op, const leat_record_t *in)
{
    joining_t j = {op, in};

    if (in->key)
        leat__rows_view_as_of(ctx, op->right, in, with_row, &j);
    else
        with_row(ctx, &j, NULL, -1);
}

bool leat__table_join_takes(
    leat_ctx_t *ctx, const leat__table_join_t *op, const leat_record_t *in)
{
    bool takes = in->value && (in->key || op->keeps);

    if (!takes)
        leat__drop(ctx, in->value ? "null key" : "null value");
    return takes;
}

static void join_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__table_join_t *op = leat__operator(ctx);

    if (leat__table_join_takes(ctx, op, in))
        leat__table_join_record(ctx, op, in);
}

/* ---- building ---- */

typedef struct part_t {
    leat__part_t part;
    leat__table_join_t op;
    leat__part_t *table;
} part_t;

static void write_buffer(const leat__table_join_t *op, leat__plan_t *plan, const char *node)
{
    leat__store_spec_t *spec = leat__plan_store(plan, op->buffer, LEAT_KV, leat_serde_bytes(),
        leat_serde_bytes(), &op->opts, NULL, false);

    if (!spec)
        return;
    spec->buffer = true;
    leat__plan_connect(plan, node, op->buffer);
}

static leat__node_t *write_node(
    const part_t *j, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    const leat_node_opts_t waiting = {.open = leat__join_buffer_open,
        .close = leat__join_buffer_close,
        .local_size = leat__join_buffer_local_size()};
    bool waits = j->op.buffer != NULL;

    if (waits)
        write_buffer(&j->op, plan, j->part.name);
    return leat__plan_processor(plan, j->part.name, parents, parent_count,
        waits ? leat__join_buffer_process : join_process, waits ? &waiting : NULL);
}

static int64_t history_of(const leat__rows_t *r)
{
    while (!r->materialized)
        r = r->upstream;
    return r->opts.history_ms;
}

static bool fits_history(const part_t *j, leat__plan_t *plan)
{
    if (j->op.grace_ms == 0 || j->op.grace_ms <= history_of(j->op.right))
        return true;
    leat__plan_fail(plan, LEAT_EARGUMENT, j->part.name,
        "leat_stream_join_table: .grace_ms must not be longer than the table's .history_ms, or rows"
        " are forgotten before the stream asks for them");
    return false;
}

static void write_join(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    const part_t *j = (const part_t *)part;
    leat__part_t *both = leat__plan_alloc(plan, sizeof *both);
    leat__node_t *node = write_node(j, plan, parents, parent_count);

    if (!node || !both || !fits_history(j, plan))
        return;
    node->operator_ = &j->op;
    leat__rows_connect(j->op.right, plan, part->name);
    both->from_count = 2;
    both->from = leat__plan_alloc(plan, both->from_count * sizeof(leat__part_t *));
    if (!both->from)
        return;
    both->from[0] = part->from[0];
    both->from[1] = j->table;
    leat__part_copartition(both, plan);
}

static bool fit(leat_stream_t *left, leat_table_t *right, const char *name, leat_combine_fn fn,
    const leat_serde_t *value, const leat_join_opts_t *opts)
{
    static const char call[] = "leat_stream_join_table";
    leat__graph_t *g = left->graph;

    if (!leat__same_builder(g, right->graph, call) || left->nil || right->nil ||
        !leat__join_fits(left, call, name, fn, value, opts) ||
        !leat__same_keys(g, call, name, left->key, right->key))
        return false;
    if (!opts || opts->kind == LEAT_INNER || opts->kind == LEAT_LEFT)
        return true;
    leat__builder_error(g->builder, LEAT_EARGUMENT, name ? name : call,
        "%s: .kind must be inner or left: a table's rows alone emit nothing", call);
    return false;
}

/* .grace_ms; after the rows that the join needs are kept. False: recorded. */
static bool take_grace(leat__graph_t *g, part_t *j, const leat_join_opts_t *opts)
{
    int64_t grace_ms = opts ? opts->grace_ms : 0;
    const char *wrong = NULL;

    if (!grace_ms)
        return true;
    j->op.grace_ms = grace_ms == LEAT_ZERO ? 0 : grace_ms;
    j->op.buffer = leat__graph_join(g, j->part.name, "-Buffer", "");
    if (j->op.grace_ms < 0)
        wrong = ".grace_ms must not be negative";
    else if (!leat__rows_versioned(j->op.right))
        wrong = ".grace_ms needs a versioned table: give its store a .history_ms";
    if (wrong)
        leat__builder_error(g->builder, LEAT_EARGUMENT, j->part.name,
            "leat_stream_join_table: %s", wrong);
    return !wrong && j->op.buffer;
}

leat_stream_t *leat_stream_join_table(leat_stream_t *left, leat_table_t *right, const char *name,
    leat_combine_fn fn, const leat_serde_t *value, const leat_join_opts_t *opts)
{
    leat__graph_t *g = left->graph;
    leat__part_t *side;
    part_t *j;

    if (opts)
        leat__adopt(g, opts->user, opts->user_free);
    if (!fit(left, right, name, fn, value, opts))
        return leat__nil_stream(g);
    side = leat__join_side(left, name);
    j = leat__builder_alloc(g->builder, sizeof *j);
    if (!side || !j)
        return g->nil_stream;
    j->op = (leat__table_join_t){.joiner = {fn, opts ? opts->user : NULL},
        .right = right->rows,
        .keeps = opts && opts->kind == LEAT_LEFT,
        .key = left->key,
        .value = left->value};
    j->table = right->part;
    j->part.name = leat__graph_name(g, name, j->op.keeps ? "KSTREAM-LEFTJOIN-" : "KSTREAM-JOIN-");
    j->part.write = write_join;
    j->part.takes_null_keys = j->op.keeps;
    if (!j->part.name)
        return g->nil_stream;
    leat__rows_enable_view(right->rows);
    if (!take_grace(g, j, opts))
        return g->nil_stream;
    leat__part_parent(g, &j->part, side);
    leat__graph_add(g, &j->part);
    return leat__stream_new(g, &j->part, left->key, value, false);
}
