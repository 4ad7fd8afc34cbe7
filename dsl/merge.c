/*
 * dsl/merge.c: two streams as one. A stream merged with itself yields each record once, as in
 * Kafka Streams.
 */
#include "runtime/ctx.h"
#include "step.h"

static bool same_types(leat_stream_t *a, leat_stream_t *b, const char *name)
{
    bool keys = leat__same_serde(a->key, b->key);
    const char *what = keys ? "value" : "key";
    const leat_serde_t *x = keys ? a->value : a->key, *y = keys ? b->value : b->key;

    if (keys && x == y)
        return true;
    leat__builder_error(a->graph->builder, LEAT_ETYPE, name ? name : "leat_stream_merge",
        "leat_stream_merge: the streams '%s' and '%s' have different %s serdes, '%s' and '%s': map "
        "one "
        "of them first",
        a->part->name, b->part->name, what, x->name, y->name);
    return false;
}

leat_stream_t *leat_stream_merge(
    leat_stream_t *a, leat_stream_t *b, const char *name, const leat_node_opts_t *opts)
{
    static const leat__operator_t o = {
        "leat_stream_merge", "KSTREAM-MERGE-", leat__pass, false, false};
    leat_stream_t *merged;

    leat__adopt_node(a->graph, opts);
    if (!leat__same_builder(a->graph, b->graph, o.call) || a->nil || b->nil ||
        !same_types(a, b, name))
        return leat__nil_stream(a->graph);
    merged = leat__stream_step(a, &o, name, &o, a->key, a->value, opts);
    if (merged->nil)
        return merged;
    leat__part_parent(a->graph, merged->part, b->part);
    merged->part->merges = true;
    merged->rekeyed = a->rekeyed || b->rekeyed;
    return merged;
}
