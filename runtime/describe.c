/*
 * runtime/describe.c: a plan as the text that Kafka Streams' TopologyDescription prints, to the
 * byte.
 *
 * Java orders the nodes of a sub-topology, and the neighbours of each node, by "size": the number
 * of paths that start at the node, the empty one included; then by name. Neighbours are kept in
 * tree sets that are filled while sizes still grow (java_tree.h), node by node in the order of a
 * hash map (java_order.h). All of that is played through here.
 */
#include <stdlib.h>
#include <string.h>
#include "describe.h"
#include "java_order.h"
#include "java_tree.h"

typedef struct shown_t { /* a node being described */
    const leat__node_t *node;
    int32_t size;
    uint32_t paths; /* scratch of grow() */
    leat__tree_t before, after;
} shown_t;

typedef struct describing_t {
    const leat__plan_t *plan;
    shown_t *shown; /* by index of the node */
    leat__tree_entry_t *entries;
    size_t entry_count;
    leat__named_t *order; /* nodes of the sub-topology at hand */
    leat__text_t *out;
} describing_t;

static int compare(const void *a, const void *b)
{
    const shown_t *x = a, *y = b;

    if (x == y)
        return 0;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return strcmp(x->node->name, y->node->name);
}

static int compare_order(const void *a, const void *b)
{
    return compare(((const leat__named_t *)a)->item, ((const leat__named_t *)b)->item);
}

/*
 * `size` more paths begin at `from`, and so at all nodes known to lead to it, as often as they lead
 * there. Java walks each path; counting them from the back comes to the same and does not take a
 * time exponential in stacked diamonds.
 */
static void grow(describing_t *d, const shown_t *from, int32_t size)
{
    d->shown[from->node->index].paths = 1;
    for (size_t i = from->node->index + 1; i-- > 0;) {
        shown_t *s = &d->shown[i];
        uint32_t paths = s->paths;

        if (paths == 0)
            continue;
        s->paths = 0;
        s->size = (int32_t)((uint32_t)s->size + paths * (uint32_t)size);
        for (leat__tree_entry_t *e = NULL; (e = leat__tree_next(&s->before, e));)
            ((shown_t *)e->item)->paths += paths;
    }
}

static void link_parents(describing_t *d, shown_t *s)
{
    for (size_t i = 0; i < s->node->parent_count; i++) {
        shown_t *parent = &d->shown[s->node->parents[i]->index];

        leat__tree_add(&s->before, &d->entries[d->entry_count++], parent, compare);
        leat__tree_add(&parent->after, &d->entries[d->entry_count++], s, compare);
        grow(d, parent, s->size);
    }
}

static void put_neighbours(leat__text_t *out, const char *arrow, const leat__tree_t *tree)
{
    const char *separator = "";

    leat__text_format(out, "\n      %s ", arrow);
    for (leat__tree_entry_t *e = NULL; (e = leat__tree_next(tree, e)); separator = ", ")
        leat__text_format(out, "%s%s", separator, ((shown_t *)e->item)->node->name);
    if (tree->count == 0)
        leat__text_put(out, "none");
}

/* Names as a Java set prints itself. */
static void put_set(leat__text_t *out, leat__named_t *named, size_t count)
{
    leat__java_copy_order(named, count);
    leat__text_put(out, "[");
    for (size_t i = 0; i < count; i++)
        leat__text_format(out, "%s%s", i ? ", " : "", named[i].name);
    leat__text_put(out, "]");
}

static void put_topics(const describing_t *d, const leat__node_t *node)
{
    leat__named_t *named;

    if (node->pattern) {
        leat__text_put(d->out, node->pattern);
        return;
    }
    named = leat__alloc((node->topic_count + 1) * sizeof *named);
    if (!named) {
        d->out->failed = true;
        return;
    }
    for (size_t i = 0; i < node->topic_count; i++)
        named[i].name = node->topics[i];
    put_set(d->out, named, node->topic_count);
    leat__free(named);
}

static void put_stores(const describing_t *d, const leat__node_t *node)
{
    leat__named_t *named = leat__alloc((node->store_count + 1) * sizeof *named);

    if (!named) {
        d->out->failed = true;
        return;
    }
    for (size_t i = 0; i < node->store_count; i++)
        named[i].name = node->stores[i]->name;
    put_set(d->out, named, node->store_count);
    leat__free(named);
}

static void put_node(const describing_t *d, const shown_t *s)
{
    const leat__node_t *node = s->node;

    switch (node->kind) {
    case LEAT__SOURCE:
        leat__text_format(d->out, "    Source: %s (topics: ", node->name);
        put_topics(d, node);
        break;
    case LEAT__PROCESSOR:
        leat__text_format(d->out, "    Processor: %s (stores: ", node->name);
        put_stores(d, node);
        break;
    case LEAT__SINK:
        if (node->topic_count)
            leat__text_format(d->out, "    Sink: %s (topic: %s", node->name, node->topics[0]);
        else
            leat__text_format(
                d->out, "    Sink: %s (extractor class: %s", node->name, node->chooser);
        break;
    }
    leat__text_put(d->out, ")");
    if (node->kind != LEAT__SINK)
        put_neighbours(d->out, "-->", &s->after);
    if (node->kind != LEAT__SOURCE)
        put_neighbours(d->out, "<--", &s->before);
    leat__text_put(d->out, "\n");
}

/* Java prints these by themselves: source, then processor, and no empty line behind. */
static void put_global(describing_t *d, const leat__group_t *group)
{
    for (size_t i = 0; i < group->node_count; i++)
        d->shown[group->nodes[i]->index] = (shown_t){.node = group->nodes[i], .size = 1};
    for (size_t i = 0; i < group->node_count; i++)
        link_parents(d, &d->shown[group->nodes[i]->index]);
    leat__text_format(
        d->out, "  Sub-topology: %d for global store (will not generate tasks)\n", group->id);
    for (size_t i = 0; i < group->node_count; i++)
        put_node(d, &d->shown[group->nodes[i]->index]);
}

static void put_group(describing_t *d, const leat__group_t *group)
{
    for (size_t i = 0; i < group->node_count; i++) {
        shown_t *s = &d->shown[group->nodes[i]->index];

        *s = (shown_t){.node = group->nodes[i], .size = 1};
        d->order[i] = (leat__named_t){.name = group->nodes[i]->name, .item = s};
    }
    leat__java_hash_order(d->order, group->node_count);
    for (size_t i = 0; i < group->node_count; i++)
        link_parents(d, d->order[i].item);
    qsort(d->order, group->node_count, sizeof *d->order, compare_order);
    leat__text_format(d->out, "  Sub-topology: %d\n", group->id);
    for (size_t i = 0; i < group->node_count; i++)
        put_node(d, d->order[i].item);
    leat__text_put(d->out, "\n");
}

void leat__describe_java(const leat__plan_t *p, leat__text_t *out)
{
    describing_t d = {.plan = p, .out = out};
    size_t edges = 0;

    for (size_t i = 0; i < p->node_count; i++)
        edges += p->nodes[i]->parent_count;
    d.shown = leat__alloc((p->node_count + 1) * sizeof *d.shown);
    d.order = leat__alloc((p->node_count + 1) * sizeof *d.order);
    d.entries = leat__alloc((2 * edges + 1) * sizeof *d.entries);
    if (d.shown && d.order && d.entries) {
        leat__text_put(out, "Topologies:\n ");
        for (size_t g = 0; g < p->group_count; g++)
            (p->groups[g].global ? put_global : put_group)(&d, &p->groups[g]);
    } else {
        out->failed = true;
    }
    leat__free(d.shown);
    leat__free(d.order);
    leat__free(d.entries);
}

char *leat__plan_text(const leat__plan_t *p, leat_format_t format)
{
    leat__text_t out = {0};

    switch (format) {
    case LEAT_FORMAT_JSON:
        leat__describe_json(p, &out);
        break;
    case LEAT_FORMAT_DOT:
        leat__describe_dot(p, &out);
        break;
    case LEAT_FORMAT_TEXT:
    default:
        leat__describe_java(p, &out);
        break;
    }
    return leat__text_finish(&out);
}

