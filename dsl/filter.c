/* dsl/filter.c: records that pass a test, or do not. What passes keeps its bytes. */
#include "runtime/ctx.h"
#include "step.h"

typedef struct filter_t {
    leat_predicate_fn test;
    bool passes; /* the answer that lets a record pass */
    void *user;
} filter_t;

static void filter_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const filter_t *op = leat__operator(ctx);

    if (leat__call_predicate(ctx, op->user, op->test, in) == op->passes && leat__ok(ctx))
        leat__forward(ctx, in);
}

static leat_stream_t *add(leat_stream_t *in, const char *call, const char *name,
    leat_predicate_fn test, bool passes, const leat_node_opts_t *opts)
{
    const leat__operator_t o = {call, "KSTREAM-FILTER-", filter_process, false, false};
    leat__graph_t *g = in->graph;
    filter_t *op;

    leat__adopt_node(g, opts);
    if (in->nil || !leat__need(g, call, name, test != NULL, "the test"))
        return leat__nil_stream(g);
    op = leat__builder_alloc(g->builder, sizeof *op);
    if (op)
        *op = (filter_t){test, passes, opts ? opts->user : NULL};
    return leat__stream_step(in, &o, name, op, in->key, in->value, opts);
}

leat_stream_t *leat_stream_filter(
    leat_stream_t *in, const char *name, leat_predicate_fn keep, const leat_node_opts_t *opts)
{
    return add(in, "leat_stream_filter", name, keep, true, opts);
}

leat_stream_t *leat_stream_filter_not(
    leat_stream_t *in, const char *name, leat_predicate_fn drop, const leat_node_opts_t *opts)
{
    return add(in, "leat_stream_filter_not", name, drop, false, opts);
}
