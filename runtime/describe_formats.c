/*
 * runtime/describe_formats.c: a plan as JSON, for tools and the page, and as DOT, for a drawing.
 *
 * JSON: {"application_id", "sub_topologies": [{"id", "nodes": [...], "stores": [...]}],
 * "unused_stores": [...], "internal_topics": [{"name", "kind", "partitions"?, "settings"}]}. Topics
 * stand as the topology writes them, internal ones without the application id in nodes, and in full
 * in internal_topics.
 */
#include "describe.h"

/* ---- JSON ---- */

static void put_member(leat__text_t *out, const char *name, const char *value)
{
    leat__text_format(out, ",\"%s\":", name);
    leat__text_quote(out, value);
}

static void put_names(leat__text_t *out, const char *name, leat__node_t *const *nodes, size_t count)
{
    leat__text_format(out, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        leat__text_put(out, i ? "," : "");
        leat__text_quote(out, nodes[i]->name);
    }
    leat__text_put(out, "]");
}

static void put_source(leat__text_t *out, const leat__node_t *node)
{
    static const char *const resets[] = {"default", "earliest", "latest", "none"};

    if (node->pattern)
        put_member(out, "pattern", node->pattern);
    if ((unsigned)node->reset < sizeof resets / sizeof *resets && node->reset != LEAT_RESET_DEFAULT)
        put_member(out, "reset", resets[node->reset]);
}

static void put_node(leat__text_t *out, const leat__node_t *node)
{
    static const char *const kinds[] = {"source", "processor", "sink"};

    leat__text_put(out, "{\"name\":");
    leat__text_quote(out, node->name);
    put_member(out, "kind", kinds[node->kind]);
    if (node->key)
        put_member(out, "key", node->key->name);
    if (node->value)
        put_member(out, "value", node->value->name);
    if (node->kind != LEAT__PROCESSOR) {
        leat__text_put(out, ",\"topics\":[");
        for (size_t i = 0; i < node->topic_count; i++) {
            leat__text_put(out, i ? "," : "");
            leat__text_quote(out, node->topics[i]);
        }
        leat__text_format(out, "],\"internal\":%s", node->internal ? "true" : "false");
    }
    if (node->kind == LEAT__SOURCE)
        put_source(out, node);
    if (node->choose_topic)
        put_member(out, "chooser", node->chooser);
    if (node->kind == LEAT__PROCESSOR) {
        leat__text_put(out, ",\"stores\":[");
        for (size_t i = 0; i < node->store_count; i++) {
            leat__text_put(out, i ? "," : "");
            leat__text_quote(out, node->stores[i]->name);
        }
        leat__text_put(out, "]");
    }
    put_names(out, "parents", node->parents, node->parent_count);
    put_names(out, "children", node->children, node->child_count);
    leat__text_put(out, "}");
}

static void put_store(leat__text_t *out, const leat__store_spec_t *s)
{
    static const char *const kinds[] = {"", "kv", "timestamped_kv", "versioned", "window",
        "timestamped_window", "session", "custom"};

    leat__text_put(out, "{\"name\":");
    leat__text_quote(out, s->name);
    put_member(out, "kind", s->buffer ? "buffer" : kinds[s->kind]);
    if (s->key)
        put_member(out, "key", s->key->name);
    if (s->value)
        put_member(out, "value", s->value->name);
    leat__text_format(out, ",\"cached\":%s", s->cached ? "true" : "false");
    if (s->changelog && s->changelog[0])
        put_member(out, "changelog", s->changelog);
    leat__text_put(out, "}");
}

static void put_group(leat__text_t *out, const leat__group_t *group)
{
    leat__text_format(out, "{\"id\":%d,%s\"nodes\":[", group->id,
        group->global ? "\"global\":true," : "");
    for (size_t i = 0; i < group->node_count; i++) {
        leat__text_put(out, i ? "," : "");
        put_node(out, group->nodes[i]);
    }
    leat__text_put(out, "],\"stores\":[");
    for (size_t i = 0; i < group->store_count; i++) {
        leat__text_put(out, i ? "," : "");
        put_store(out, group->stores[i]);
    }
    leat__text_put(out, "]}");
}

static void put_internal(leat__text_t *out, const leat__internal_topic_t *topic)
{
    leat__text_put(out, "{\"name\":");
    leat__text_quote(out, topic->name);
    put_member(out, "kind",
        topic->repartition        ? "repartition"
        : topic->source_changelog ? "source_changelog"
                                  : "changelog");
    if (topic->fixed > 0)
        leat__text_format(out, ",\"partitions\":%d", topic->fixed);
    leat__text_put(out, ",\"settings\":{");
    for (size_t i = 0; i < topic->setting_count; i++) {
        leat__text_put(out, i ? "," : "");
        leat__text_quote(out, topic->settings[i].key);
        leat__text_put(out, ":");
        leat__text_quote(out, topic->settings[i].value);
    }
    leat__text_put(out, "}}");
}

static void put_unused(const leat__plan_t *p, leat__text_t *out)
{
    const char *separator = "";

    leat__text_put(out, ",\"unused_stores\":[");
    for (size_t i = 0; i < p->store_count; i++) {
        if (p->stores[i]->owner)
            continue;
        leat__text_put(out, separator);
        leat__text_quote(out, p->stores[i]->name);
        separator = ",";
    }
    leat__text_put(out, "]");
}

void leat__describe_json(const leat__plan_t *p, leat__text_t *out)
{
    leat__text_put(out, "{\"application_id\":");
    leat__text_quote(out, p->application_id);
    leat__text_put(out, ",\"sub_topologies\":[");
    for (size_t g = 0; g < p->group_count; g++) {
        leat__text_put(out, g ? "," : "");
        put_group(out, &p->groups[g]);
    }
    leat__text_put(out, "]");
    put_unused(p, out);
    leat__text_put(out, ",\"internal_topics\":[");
    for (size_t i = 0; i < p->internal_topic_count; i++) {
        leat__text_put(out, i ? "," : "");
        put_internal(out, &p->internal_topics[i]);
    }
    leat__text_put(out, "]}");
}

/* ---- DOT ---- */

/* prefix keeps topics, stores and nodes of the same name apart. */
static void put_id(leat__text_t *out, char prefix, const char *name)
{
    leat__text_t id = {0};

    leat__text_format(&id, "%c:%s", prefix, name);
    if (id.failed)
        out->failed = true;
    else
        leat__text_quote(out, id.data);
    leat__free(leat__text_finish(&id));
}

static void put_edge(leat__text_t *out, char from_prefix, const char *from, char to_prefix,
    const char *to, const char *style)
{
    leat__text_put(out, "  ");
    put_id(out, from_prefix, from);
    leat__text_put(out, " -> ");
    put_id(out, to_prefix, to);
    leat__text_format(out, "%s;\n", style);
}

static void put_vertex(
    leat__text_t *out, const char *indent, char prefix, const char *name, const char *shape)
{
    leat__text_put(out, indent);
    put_id(out, prefix, name);
    leat__text_put(out, " [label=");
    leat__text_quote(out, name);
    leat__text_format(out, ", shape=%s];\n", shape);
}

static void put_cluster(leat__text_t *out, const leat__group_t *group)
{
    leat__text_format(
        out, "  subgraph cluster_%d {\n    label=\"sub-topology %d\";\n", group->id, group->id);
    for (size_t i = 0; i < group->node_count; i++)
        put_vertex(out, "    ", 'n', group->nodes[i]->name, "box");
    for (size_t i = 0; i < group->store_count; i++)
        put_vertex(out, "    ", 's', group->stores[i]->name, "cylinder");
    leat__text_put(out, "  }\n");
}

static void put_topic_edges(leat__text_t *out, const leat__node_t *node)
{
    const char *pattern = node->pattern;
    size_t count = pattern ? 1 : node->topic_count;

    for (size_t i = 0; i < count; i++) {
        const char *topic = pattern ? pattern : node->topics[i];

        put_vertex(out, "  ", 't', topic, node->internal ? "cds, style=dashed" : "cds");
        if (node->kind == LEAT__SOURCE)
            put_edge(out, 't', topic, 'n', node->name, "");
        else
            put_edge(out, 'n', node->name, 't', topic, "");
    }
}

void leat__describe_dot(const leat__plan_t *p, leat__text_t *out)
{
    leat__text_put(out, "digraph topology {\n  rankdir=LR;\n");
    for (size_t g = 0; g < p->group_count; g++)
        put_cluster(out, &p->groups[g]);
    for (size_t i = 0; i < p->node_count; i++) {
        const leat__node_t *node = p->nodes[i];

        put_topic_edges(out, node);
        for (size_t c = 0; c < node->child_count; c++)
            put_edge(out, 'n', node->name, 'n', node->children[c]->name, "");
        for (size_t s = 0; s < node->store_count; s++)
            put_edge(out, 'n', node->name, 's', node->stores[s]->name, " [style=dotted, dir=both]");
    }
    leat__text_put(out, "}\n");
}
