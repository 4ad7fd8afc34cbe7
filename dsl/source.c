/*
 * dsl/source.c: topics read as a stream. Several streams of one topic become one source when the
 * topology is compiled (graph.c).
 */
#include "step.h"

static void write_source(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    (void)parents;
    (void)parent_count;
    leat__plan_source(plan, part->name, part->topics, part->key, part->value, part->source);
}

static leat__part_t *source_new(leat__graph_t *g, const char *topic, const leat_serde_t *key,
    const leat_serde_t *value, const leat_source_opts_t *opts)
{
    struct {
        leat__part_t part;
        leat_source_opts_t opts;
    } *made = leat__builder_alloc(g->builder, sizeof *made);
    const char *name = leat__graph_name(g, opts ? opts->name : NULL, "KSTREAM-SOURCE-");

    if (!made || !name)
        return NULL;
    if (opts)
        made->opts = *opts;
    made->opts.name = NULL;
    made->opts.user_free = NULL;
    made->part = (leat__part_t){.name = name,
        .write = write_source,
        .reads_topic = true,
        .source = &made->opts,
        .topics = leat__builder_strdup(g->builder, topic),
        .key = key,
        .value = value};
    if (!made->part.topics)
        return NULL;
    leat__graph_add(g, &made->part);
    return &made->part;
}

leat_stream_t *leat_builder_stream(leat_builder_t *b, const char *topic, const leat_serde_t *key,
    const leat_serde_t *value, const leat_source_opts_t *opts)
{
    static const char call[] = "leat_builder_stream";
    leat__graph_t *g = leat__graph_of(b);
    leat__part_t *part;

    if (opts)
        leat__adopt(g, opts->user, opts->user_free);
    if (!g || !leat__need(g, call, topic, topic != NULL, "the topic") ||
        !leat__need(g, call, topic, key != NULL, "the serde of its keys") ||
        !leat__need(g, call, topic, value != NULL, "the serde of its values") ||
        !LEAT__RESERVED_ZERO(g, call, opts))
        return leat__nil_stream(g);
    part = source_new(g, topic, key, value, opts);
    return part ? leat__stream_new(g, part, key, value, false) : g->nil_stream;
}
