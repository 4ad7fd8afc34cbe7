/* dsl/sink.c: streams written to topics: one topic, or one that a function chooses per record. */
#include "step.h"

typedef struct sink_t {
    leat__part_t part;
    const char *topic;
    leat_map_fn choose_topic;
    const leat_serde_t *key, *value;
    leat_sink_opts_t opts;
} sink_t;

static void write_sink(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    const sink_t *sink = (const sink_t *)part;

    leat__plan_sink(plan, part->name, parents, parent_count, sink->topic, sink->choose_topic,
        sink->key, sink->value, &sink->opts);
}

static bool copy_opts(leat__graph_t *g, sink_t *sink, const leat_sink_opts_t *opts)
{
    if (!opts)
        return true;
    sink->opts = *opts;
    sink->opts.name = NULL;
    sink->opts.user_free = NULL;
    if (opts->label)
        sink->opts.label = leat__builder_strdup(g->builder, opts->label);
    if (opts->key_serde)
        sink->key = opts->key_serde;
    if (opts->value_serde)
        sink->value = opts->value_serde;
    return !opts->label || sink->opts.label;
}

static void add(
    leat_stream_t *in, const char *topic, leat_map_fn choose_topic, const leat_sink_opts_t *opts)
{
    leat__graph_t *g = in->graph;
    sink_t *sink = leat__builder_alloc(g->builder, sizeof *sink);
    const char *name = leat__graph_name(g, opts ? opts->name : NULL, "KSTREAM-SINK-");

    if (!sink || !name)
        return;
    *sink = (sink_t){.part = {.name = name, .write = write_sink},
        .choose_topic = choose_topic,
        .key = in->key,
        .value = in->value};
    sink->topic = topic ? leat__builder_strdup(g->builder, topic) : NULL;
    if (!copy_opts(g, sink, opts) || (topic && !sink->topic))
        return;
    leat__part_parent(g, &sink->part, in->part);
    leat__graph_add(g, &sink->part);
}

static bool fit(leat_stream_t *in, const char *call, const char *topic, bool there,
    const char *what, const leat_sink_opts_t *opts)
{
    if (opts)
        leat__adopt(in->graph, opts->user, opts->user_free);
    return !in->nil && leat__need(in->graph, call, topic, there, what) &&
           LEAT__RESERVED_ZERO(in->graph, call, opts);
}

void leat_stream_to(leat_stream_t *in, const char *topic, const leat_sink_opts_t *opts)
{
    if (fit(in, "leat_stream_to", topic, topic != NULL, "the topic", opts))
        add(in, topic, NULL, opts);
}

void leat_stream_route(leat_stream_t *in, leat_map_fn topic, const leat_sink_opts_t *opts)
{
    if (fit(in, "leat_stream_route", NULL, topic != NULL, "the function that emits the topic",
            opts))
        add(in, NULL, topic, opts);
}
