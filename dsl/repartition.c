/*
 * dsl/repartition.c: repartition topics: asked for, or needed because a key may have changed.
 *
 *   ─▶ filter (drops null keys, uncounted) ─▶ sink ─▶ [<app>-<name>-repartition] ─▶ source ─▶
 *
 * Node names come from the topic's; a topic whose name is a generated node's has generated node
 * names.
 */
#include <stdio.h>
#include <string.h>
#include "repartition.h"
#include "runtime/ctx.h"

static const char suffix[] = "-repartition";

static void filter_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    if (in->key)
        leat__forward(ctx, in);
    else
        leat__drop_uncounted(ctx, "null key");
}

static void write_repartition(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    const leat__repartition_t *r = (const leat__repartition_t *)part;

    leat__plan_repartition_topic(plan, r->topic, r->partitions);
    if (r->generated)
        leat__plan_generated(plan, "repartition topic", r->topic);
    if (r->filter) {
        leat__plan_processor(plan, r->filter, parents, parent_count,
            part->null_keys_pass ? leat__pass : filter_process, NULL);
        leat__plan_sink(plan, r->sink, &r->filter, 1, r->topic, NULL, r->key, r->value, &r->opts);
    } else {
        leat__plan_sink(
            plan, r->sink, parents, parent_count, r->topic, NULL, r->key, r->value, &r->opts);
    }
    leat__plan_source(plan, part->name, r->topic, r->key, r->value, NULL);
}

static const char *topic_of(leat__graph_t *g, const char *prefix)
{
    size_t size = strlen(prefix), tail = sizeof suffix - 1;
    bool has = size >= tail && strcmp(prefix + size - tail, suffix) == 0;

    return leat__graph_join(g, prefix, has ? "" : suffix, "");
}

/* "KSTREAM...-" and ten digits. */
static bool is_generated_node(const char *name)
{
    size_t size = strlen(name);

    return strncmp(name, "KSTREAM", 7) == 0 && size >= 18 && name[size - 11] == '-' &&
           strspn(name + size - 10, "0123456789") == 10;
}

leat__repartition_t *leat__repartition_rows_new(leat__graph_t *g, const char *topic, bool generated,
    const char *sink, const char *source, leat__part_t *parent, const leat_serde_t *key,
    const leat_serde_t *value)
{
    leat__repartition_t *r = leat__builder_alloc(g->builder, sizeof *r);

    if (!r)
        return NULL;
    *r = (leat__repartition_t){
        .part = {.name = source, .write = write_repartition, .reads_topic = true},
        .topic = topic,
        .sink = sink,
        .generated = generated,
        .key = key,
        .value = value};
    leat__part_parent(g, &r->part, parent);
    return r;
}

leat__repartition_t *leat__repartition_new(leat__graph_t *g, const char *prefix, bool generated,
    leat__part_t *parent, const leat_serde_t *key, const leat_serde_t *value)
{
    const char *sink = leat__graph_generate(g, "KSTREAM-SINK-");
    const char *filter = leat__graph_generate(g, "KSTREAM-FILTER-");
    const char *source = leat__graph_generate(g, "KSTREAM-SOURCE-");
    const char *topic = topic_of(g, prefix);
    leat__repartition_t *r;

    if (!sink || !filter || !source || !topic)
        return NULL;
    r = leat__repartition_rows_new(g, topic, generated, sink, source, parent, key, value);
    if (!r)
        return NULL;
    r->filter = filter;
    r->part.optimizable = true;
    if (!is_generated_node(prefix)) {
        r->sink = leat__graph_join(g, r->topic, "-sink", "");
        r->filter = leat__graph_join(g, r->topic, "-filter", "");
        r->part.name = leat__graph_join(g, r->topic, "-source", "");
    }
    return r->sink && r->filter && r->part.name ? r : NULL;
}

static const char *joined(leat__plan_t *plan, const char *a, const char *b)
{
    size_t size = strlen(a) + strlen(b) + 1;
    char *text = leat__plan_alloc(plan, size);

    if (text)
        snprintf(text, size, "%s%s", a, b);
    return text;
}

leat__repartition_t *leat__repartition_merged(leat__plan_t *plan, const leat__repartition_t *first)
{
    leat__repartition_t *r = leat__plan_alloc(plan, sizeof *r);

    if (!r)
        return NULL;
    *r = *first;
    r->part.from = NULL;
    r->part.from_count = 0;
    r->part.written = false;
    r->sink = joined(plan, r->topic, "-sink");
    r->filter = joined(plan, r->topic, "-filter");
    r->part.name = joined(plan, r->topic, "-source");
    return r->sink && r->filter && r->part.name ? r : NULL;
}

/*
 * A name that is no legal topic name is refused where topics are made (LEAT_ETOPIC), as in Kafka
 * Streams.
 */
leat_stream_t *leat_stream_repartition(
    leat_stream_t *in, const char *name, const leat_repartition_opts_t *opts)
{
    leat__graph_t *g = in->graph;
    const char *prefix;
    leat__repartition_t *r;

    if (opts)
        leat__adopt(g, opts->user, opts->user_free);
    if (in->nil || !LEAT__RESERVED_ZERO(g, "leat_stream_repartition", opts))
        return leat__nil_stream(g);
    prefix = name ? leat__builder_strdup(g->builder, name)
                  : leat__graph_generate(g, "KSTREAM-REPARTITION-");
    r = prefix ? leat__repartition_new(g, prefix, !name, in->part, in->key, in->value) : NULL;
    if (!r)
        return g->nil_stream;
    r->part.optimizable = false; /* the program wants this very topic */
    if (opts) {
        r->partitions = opts->partitions;
        r->opts.partition = opts->partition;
        r->opts.user = opts->user;
    }
    leat__graph_add(g, &r->part);
    return leat__stream_new(g, &r->part, in->key, in->value, false);
}
