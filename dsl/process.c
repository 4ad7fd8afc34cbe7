/*
 * dsl/process.c: the program's own processors in a stream.
 *
 * process is the program's function itself: it forwards as a processor of the Processor API does.
 * process_values lets no other key than the input's pass, so that nothing behind it has to
 * repartition.
 */
#include "runtime/ctx.h"
#include "step.h"

typedef struct process_t {
    leat_map_fn fn;
    void *user;
} process_t;

static void emit_values(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    if (out->key != call->in->key) {
        leat_fail(ctx, LEAT_ETYPE,
            "leat_stream_process_values keeps the key: emit in->key with the "
            "value, or use leat_stream_process");
        return;
    }
    if (how == LEAT__EMIT_TO)
        leat__forward_to(ctx, out, child);
    else
        leat__forward(ctx, out);
}

static void process_values(leat_ctx_t *ctx, const leat_record_t *in)
{
    const process_t *op = leat__operator(ctx);
    leat__call_t call = {.user = op->user,
        .in = in,
        .emit = emit_values,
        .allowed = LEAT__EMIT_VALUE | LEAT__EMIT_BOTH | LEAT__EMIT_RECORD | LEAT__EMIT_TO};

    leat__call_map(ctx, &call, op->fn, in);
}

/*
 * Unlike all other operators, these take a number only for a name that is generated. As in Kafka
 * Streams, topics behind a process are not merged; DIFFERS: none is moved in front of it either, for
 * it may change keys.
 */
static leat_stream_t *add(leat_stream_t *in, const leat__operator_t *o, const char *name,
    const process_t *op, const leat_serde_t *key, const leat_serde_t *value,
    const leat_node_opts_t *opts)
{
    leat__graph_t *g = in->graph;
    leat_node_opts_t copy;
    const char *made;
    leat__step_t *step;

    if (!op || !leat__copy_node(g, o->call, opts, &copy))
        return g->nil_stream;
    made = name ? leat__graph_given(g, name) : leat__graph_generate(g, o->prefix);
    step = made ? leat__step_add(g, made, in->part, o->process, op, &copy) : NULL;
    if (!step)
        return g->nil_stream;
    step->part.revalues = o->rekeys;
    return leat__stream_new(g, &step->part, key, value, o->rekeys || in->rekeyed);
}

static process_t *process_new(leat__graph_t *g, leat_map_fn fn, const leat_node_opts_t *opts)
{
    process_t *op = leat__builder_alloc(g->builder, sizeof *op);

    if (op)
        *op = (process_t){fn, opts ? opts->user : NULL};
    return op;
}

leat_stream_t *leat_stream_process(leat_stream_t *in, const char *name, leat_map_fn fn,
    const leat_serde_t *key, const leat_serde_t *value, const leat_node_opts_t *opts)
{
    const leat__operator_t o = {"leat_stream_process", "KSTREAM-PROCESSOR-", fn, true, false};
    leat__graph_t *g = in->graph;

    leat__adopt_node(g, opts);
    if (in->nil || !leat__need(g, o.call, name, fn != NULL, "its function") ||
        !leat__need(g, o.call, name, key != NULL, "the serde of its keys") ||
        !leat__need(g, o.call, name, value != NULL, "the serde of its values"))
        return leat__nil_stream(g);
    return add(in, &o, name, process_new(g, fn, opts), key, value, opts);
}

leat_stream_t *leat_stream_process_values(leat_stream_t *in, const char *name, leat_map_fn fn,
    const leat_serde_t *value, const leat_node_opts_t *opts)
{
    const leat__operator_t o = {
        "leat_stream_process_values", "KSTREAM-PROCESSVALUES-", process_values, false, false};
    leat__graph_t *g = in->graph;

    leat__adopt_node(g, opts);
    if (in->nil || !leat__need(g, o.call, name, fn != NULL, "its function") ||
        !leat__need(g, o.call, name, value != NULL, "the serde of its values"))
        return leat__nil_stream(g);
    return add(in, &o, name, process_new(g, fn, opts), in->key, value, opts);
}
