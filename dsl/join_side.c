/*
 * dsl/join_side.c: what the joins of streams share.
 *
 * A side whose key may have changed goes through a topic first. Joins that name no topic share the
 * one of the first of them: it is the stream's, and stays with its handle.
 */
#include <string.h>
#include "stream_join.h"

static void emit_joined(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    (void)call;
    (void)how;
    (void)child;
    leat__forward(ctx, out);
}

void leat__joiner_run(leat_ctx_t *ctx, const leat__joiner_t *j, const leat_record_t *in,
    const void *left, const void *right)
{
    leat__call_t call = {
        .user = j->user, .in = in, .emit = emit_joined, .allowed = LEAT__EMIT_VALUE};

    leat__call_combine(ctx, &call, j->fn, left, right);
}

leat__part_t *leat__join_side(leat_stream_t *in, const char *given)
{
    leat__graph_t *g = in->graph;
    const char *prefix = given ? given : in->part->name;
    leat__repartition_t *fresh;

    if (!in->rekeyed)
        return in->part;
    fresh = leat__repartition_new(g, prefix, !given, in->part, in->key, in->value);
    if (!fresh)
        return NULL;
    if (!in->repartition || strcmp(in->part->name, prefix) != 0) {
        leat__graph_add(g, &fresh->part);
        in->repartition = &fresh->part;
    }
    return in->repartition;
}

/* Rows of a join of streams go with its window and grace, a stream joined with a table keeps none. */
static bool has_no_ttl(
    leat__graph_t *g, const char *call, const char *name, const leat_join_opts_t *opts)
{
    if (!opts || !opts->store.ttl_ms)
        return true;
    leat__builder_error(g->builder, LEAT_EARGUMENT, name ? name : call,
        "%s: .store.ttl_ms is for rows of tables: what a join of streams keeps goes with its window"
        " and grace; leave it out",
        call);
    return false;
}

bool leat__join_fits(leat_stream_t *left, const char *call, const char *name, leat_combine_fn fn,
    const leat_serde_t *value, const leat_join_opts_t *opts)
{
    leat__graph_t *g = left->graph;

    return leat__need(g, call, name, fn != NULL, "its function") &&
           leat__need(g, call, name, value != NULL, "the serde of its values") &&
           LEAT__RESERVED_ZERO(g, call, opts) && has_no_ttl(g, call, name, opts);
}
