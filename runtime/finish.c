/*
 * runtime/finish.c: what a filled plan is made into: connections, sub-topologies, internal topics;
 * and the rules that can be checked only when everything is there.
 *
 * Nodes belong together when one is the other's child, or when they share a store. Sub-topologies
 * are numbered in the order in which their first nodes were added, as Kafka Streams does: the
 * numbers are part of task ids.
 */
#include <string.h>
#include "java_order.h"
#include "plan.h"

static bool failed(const leat__plan_t *p)
{
    return p->error.code != LEAT_OK;
}

/* ---- connections ---- */

static bool has_store(const leat__node_t *node, const leat__store_spec_t *s)
{
    for (size_t i = 0; i < node->store_count; i++) {
        if (node->stores[i] == s)
            return true;
    }
    return false;
}

static void connect(leat__plan_t *p, const leat__connection_t *c)
{
    leat__store_spec_t *s = leat__plan_find_store(p, c->store);
    leat__node_t *node = leat__plan_find_node(p, c->processor);

    if (!s)
        leat__plan_fail(p, LEAT_ETOPOLOGY, c->processor,
            "processor '%s' wants store '%s', which nobody "
            "added",
            c->processor, c->store);
    else if (!node)
        leat__plan_fail(p, LEAT_ETOPOLOGY, c->store,
            "store '%s' is to be connected to processor '%s', "
            "which nobody added",
            c->store, c->processor);
    else if (node->kind != LEAT__PROCESSOR)
        leat__plan_fail(p, LEAT_ETOPOLOGY, c->processor,
            "store '%s' cannot be connected to '%s': only "
            "processors have stores, not sources and sinks",
            c->store, c->processor);
    if (!failed(p) && s->global && !node->global)
        leat__plan_fail(p, LEAT_ETOPOLOGY, c->processor,
            "store '%s' is a global one: every processor may read it, none is connected to it; leave "
            "it out of the stores of '%s'",
            c->store, c->processor);
    if (failed(p) || has_store(node, s))
        return;
    if (s->owner)
        leat__plan_unite(p, s->owner->index, node->index);
    else
        s->owner = node;
    LEAT__PLAN_PUSH(p, node->stores, node->store_count, s);
}

/* ---- internal nodes ---- */

static void mark_internal(leat__plan_t *p)
{
    for (size_t i = 0; i < p->node_count; i++) {
        leat__node_t *node = p->nodes[i];

        node->internal = node->topic_count == 1 && !node->pattern &&
                         leat__map_get(&p->private_->repartition_of, node->topics[0]);
    }
}

/* ---- sub-topologies ---- */

static leat__group_t *group_of(leat__plan_t *p, leat__node_t *node)
{
    leat__node_t *first = p->nodes[leat__plan_root(p, node->index)];

    if (first->group < 0) {
        leat__group_t group = {.id = (int)p->group_count};

        first->group = group.id;
        LEAT__PLAN_PUSH(p, p->groups, p->group_count, group);
    }
    node->group = first->group;
    return failed(p) ? NULL : &p->groups[node->group];
}

/* A node's stores in the order in which Kafka Streams opens, and so flushes, them. */
static void order_stores(leat__plan_t *p, leat__node_t *node)
{
    leat__named_t *named = leat__plan_alloc(p, (node->store_count + 1) * sizeof *named);

    if (!named)
        return;
    for (size_t i = 0; i < node->store_count; i++)
        named[i] = (leat__named_t){.name = node->stores[i]->name, .item = node->stores[i]};
    leat__java_hash_order(named, node->store_count);
    for (size_t i = 0; i < node->store_count; i++)
        node->stores[i] = named[i].item;
}

static void add_stores(leat__plan_t *p, leat__group_t *group, leat__node_t *node, size_t *order)
{
    order_stores(p, node);
    for (size_t i = 0; i < node->store_count && !failed(p); i++) {
        leat__store_spec_t *s = node->stores[i];

        if (s->group >= 0)
            continue;
        s->group = group->id;
        s->order = (*order)++;
        LEAT__PLAN_PUSH(p, group->stores, group->store_count, s);
    }
}

static void make_groups(leat__plan_t *p)
{
    size_t order = 0;

    for (size_t i = 0; i < p->node_count && !failed(p); i++) {
        leat__group_t *group = group_of(p, p->nodes[i]);

        if (!group)
            return;
        LEAT__PLAN_PUSH(p, group->nodes, group->node_count, p->nodes[i]);
        group->global = group->global || p->nodes[i]->global;
        add_stores(p, group, p->nodes[i], &order);
    }
}

static void add_topic(leat__plan_t *p, leat__group_t *group, leat__node_t *source, char *topic)
{
    size_t sources = group->topic_count;

    if (source->internal)
        topic = leat__plan_join(p, p->application_id, "-", topic);
    LEAT__PLAN_PUSH(p, group->topics, group->topic_count, topic);
    LEAT__PLAN_PUSH(p, group->sources, sources, source);
}

void leat__plan_group_topics(leat__plan_t *p)
{
    for (size_t g = 0; g < p->group_count; g++) {
        leat__group_t *group = &p->groups[g];

        group->topic_count = 0;
        for (size_t n = 0; n < group->node_count; n++) {
            leat__node_t *node = group->nodes[n];

            for (size_t t = 0; node->kind == LEAT__SOURCE && t < node->topic_count; t++)
                add_topic(p, group, node, node->topics[t]);
        }
    }
}

/* ---- rules over the whole ---- */

/*
 * Fixed counts of repartition topics that are joined must agree: known without asking any broker.
 */
static void find_sources(leat__plan_t *p, leat__copartition_t *group)
{
    size_t found = 0;

    while (found < group->count && !failed(p)) {
        leat__node_t *node = leat__map_get(&p->private_->node_of, group->names[found]);

        LEAT_ASSERT(node && node->kind == LEAT__SOURCE);
        LEAT__PLAN_PUSH(p, group->sources, found, node);
    }
}

static void check_fixed_counts(leat__plan_t *p, const leat__copartition_t *group)
{
    const leat__internal_topic_t *first = NULL;
    const char *first_name = NULL;

    for (size_t i = 0; i < group->count; i++) {
        const leat__node_t *node = group->sources[i];
        const leat__internal_topic_t *topic =
            node->internal ? leat__map_get(&p->private_->repartition_of, node->topics[0]) : NULL;

        if (!topic || topic->fixed == 0)
            return; /* resolve.c decides */
        if (first && topic->fixed != first->fixed) {
            leat__plan_fail(p, LEAT_ETOPOLOGY, node->name,
                "topics that are joined must have the same "
                "number of partitions: '%s' is given %d, '%s' %d",
                first_name, first->fixed, node->topics[0], topic->fixed);
            return;
        }
        if (!first) {
            first = topic;
            first_name = node->topics[0];
        }
    }
}

static void check_generated(leat__plan_t *p, const char *what)
{
    const struct leat__plan_private_t *in = p->private_;
    char *names = NULL;

    for (size_t i = 0; i < in->generated_count && !failed(p); i++) {
        if (strcmp(in->generated[i].what, what) == 0)
            names = names ? leat__plan_join(p, names, ", ", in->generated[i].name)
                          : leat__plan_strdup(p, in->generated[i].name);
    }
    if (names)
        leat__plan_fail(p, LEAT_ETOPOLOGY, "ensure.explicit.internal.resource.naming",
            "each %s needs a "
            "name of the program's own, and these have a generated one: %s",
            what, names);
}

static void check_names(leat__plan_t *p)
{
    static const char *const property = "ensure.explicit.internal.resource.naming";
    const leat_config_t *config = p->private_->config;

    if (!config || !leat__config_int(config, property))
        return;
    check_generated(p, "repartition topic");
    check_generated(p, "changelog topic");
    check_generated(p, "state store");
}

void leat__plan_finish(leat__plan_t *p)
{
    struct leat__plan_private_t *in = p->private_;

    for (size_t i = 0; i < in->connection_count && !failed(p); i++)
        connect(p, &in->connections[i]);
    if (failed(p))
        return;
    for (size_t i = 0; i < in->copartition_count; i++)
        find_sources(p, &in->copartitions[i]);
    mark_internal(p);
    make_groups(p);
    if (!failed(p))
        leat__plan_group_topics(p);
    if (!failed(p))
        leat__plan_internal_topics(p);
    for (size_t i = 0; i < in->copartition_count && !failed(p); i++)
        check_fixed_counts(p, &in->copartitions[i]);
    if (!failed(p))
        check_names(p);
    in->config = NULL;
}
