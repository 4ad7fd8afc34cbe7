/*
 * dsl/group.c: streams grouped by a key, ready to fold. Grouping by the key that is there adds
 * nothing to the graph.
 */
#include "map.h"
#include "step.h"

static leat_grouped_t *grouped_new(leat_stream_t *in, const char *name)
{
    leat__graph_t *g = in->graph;
    leat_grouped_t *d = leat__builder_alloc(g->builder, sizeof *d);
    const char *given = name ? leat__graph_given(g, name) : NULL;

    if (!d || (name && !given))
        return g->nil_grouped;
    *d = (leat_grouped_t){.graph = g,
        .part = in->part,
        .key = in->key,
        .value = in->value,
        .rekeyed = in->rekeyed,
        .given = given};
    return d;
}

leat_grouped_t *leat_stream_group_by(leat_stream_t *in, const char *name, leat_map_fn fn,
    const leat_serde_t *key, const leat_node_opts_t *opts)
{
    leat_stream_t *selected;

    leat__adopt_node(in->graph, opts);
    selected = leat__select_key(in, "leat_stream_group_by", name, fn, key, opts);
    return selected->nil ? leat__nil_grouped(in->graph) : grouped_new(selected, name);
}

leat_grouped_t *leat_stream_group_by_key(
    leat_stream_t *in, const char *name, const leat_node_opts_t *opts)
{
    leat__adopt_node(in->graph, opts);
    if (in->nil || !LEAT__RESERVED_ZERO(in->graph, "leat_stream_group_by_key", opts))
        return leat__nil_grouped(in->graph);
    return grouped_new(in, name);
}
