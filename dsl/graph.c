/*
 * dsl/graph.c: keeping the parts of a graph, naming them, writing them into a plan.
 *
 * The order of writing decides the order of a plan's nodes, and with it describe() and the numbers
 * of sub-topologies. Kafka Streams takes parts from a queue by priority, the number of the call,
 * and skips those whose parents are not written; that comes to "always the first one that can be
 * written".
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/config.h"
#include "base/log.h"
#include "graph.h"
#include "step.h"

/* ---- keeping ---- */

static void append(leat__graph_t *g, leat__part_t *part)
{
    part->next = NULL;
    part->previous = g->last;
    if (g->last)
        g->last->next = part;
    else
        g->first = part;
    g->last = part;
}

void leat__graph_add(leat__graph_t *g, leat__part_t *part)
{
    append(g, part);
}

void leat__graph_move_last(leat__graph_t *g, leat__part_t *part)
{
    if (part == g->last)
        return;
    part->next->previous = part->previous;
    if (part->previous)
        part->previous->next = part->next;
    else
        g->first = part->next;
    append(g, part);
}

void leat__part_parent(leat__part_t *part, leat__part_t *parent)
{
    for (size_t i = 0; i < part->parent_count; i++) {
        if (part->parents[i] == parent)
            return;
    }
    LEAT_ASSERT(part->parent_count < LEAT__PARENTS_MAX);
    part->parents[part->parent_count++] = parent;
}

/* ---- naming ---- */

void leat__graph_burn(leat__graph_t *g)
{
    g->next_index++;
}

const char *leat__graph_generate(leat__graph_t *g, const char *prefix)
{
    size_t size = strlen(prefix) + 21;
    char *name = leat__builder_alloc(g->builder, size);

    if (name)
        snprintf(name, size, "%s%010" PRIu64, prefix, g->next_index);
    g->next_index++;
    return name;
}

const char *leat__graph_given(leat__graph_t *g, const char *given)
{
    leat_error_t err;

    if (!leat__name_check(given, &err)) {
        leat__builder_error(g->builder, LEAT_ETOPOLOGY, given, "%s", err.text);
        return NULL;
    }
    return leat__builder_strdup(g->builder, given);
}

const char *leat__graph_join(leat__graph_t *g, const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = leat__builder_alloc(g->builder, size);

    if (text)
        snprintf(text, size, "%s%s%s", a, b, c);
    return text;
}

const char *leat__graph_suffixed(
    leat__graph_t *g, const char *given, const char *suffix, const char *prefix)
{
    const char *name;

    if (!given)
        return leat__graph_generate(g, prefix);
    leat__graph_burn(g);
    name = leat__graph_join(g, given, suffix, "");
    return name ? leat__graph_given(g, name) : NULL;
}

const char *leat__graph_name(leat__graph_t *g, const char *given, const char *prefix)
{
    return leat__graph_suffixed(g, given, "", prefix);
}

/* ---- compiling: one topic read by several streams is read once ---- */

/* The next name of "a,b"; as topology.c reads it, blanks around it left out. */
static leat_slice_t next_topic(const char **at)
{
    const char *start = *at + strspn(*at, " ,"), *end = start + strcspn(start, ",");

    *at = end;
    while (end > start && end[-1] == ' ')
        end--;
    return (leat_slice_t){start, (size_t)(end - start)};
}

static bool has_topic(const char *topics, leat_slice_t wanted)
{
    for (leat_slice_t topic = next_topic(&topics); topic.size; topic = next_topic(&topics)) {
        if (leat_slice_equal(&topic, &wanted))
            return true;
    }
    return false;
}

static bool has_all(const char *topics, const char *wanted)
{
    for (leat_slice_t topic = next_topic(&wanted); topic.size; topic = next_topic(&wanted)) {
        if (!has_topic(topics, topic))
            return false;
    }
    return true;
}

static bool has_any(const char *topics, const char *wanted)
{
    for (leat_slice_t topic = next_topic(&wanted); topic.size; topic = next_topic(&wanted)) {
        if (has_topic(topics, topic))
            return true;
    }
    return false;
}

/* The second way to read a topic has to be the first way: there is one source node for both. */
static void check_same_way(leat__plan_t *plan, const leat__part_t *a, const leat__part_t *b)
{
    const leat_source_opts_t *x = a->source, *y = b->source;

    if (x->reset != y->reset || x->reset_back_ms != y->reset_back_ms)
        leat__plan_fail(plan, LEAT_ETOPOLOGY, b->name,
            "topic '%s' is read twice, by '%s' and '%s', "
            "with different .reset: give both the same",
            b->topics, a->name, b->name);
    else if (a->key != b->key || a->value != b->value)
        leat__plan_fail(plan, LEAT_ETOPOLOGY, b->name,
            "topic '%s' is read twice, by '%s' and '%s', "
            "with different serdes: read it once and map it",
            b->topics, a->name, b->name);
    else if (x->timestamp != y->timestamp || x->user != y->user)
        leat__plan_fail(plan, LEAT_ETOPOLOGY, b->name,
            "topic '%s' is read twice, by '%s' and '%s', "
            "with different .timestamp: give both the same",
            b->topics, a->name, b->name);
}

static leat__part_t *read_before(leat__plan_t *plan, const leat__graph_t *g, leat__part_t *part)
{
    for (leat__part_t *other = g->first; other != part; other = other->next) {
        bool pattern = part->topics[0] == '^';

        if (!other->source || other->merged_into || (other->topics[0] == '^') != pattern)
            continue;
        if (pattern ? strcmp(other->topics, part->topics) != 0
                    : !has_any(other->topics, part->topics))
            continue;
        if (pattern ||
            (has_all(other->topics, part->topics) && has_all(part->topics, other->topics)))
            return other;
        leat__plan_fail(plan, LEAT_ETOPOLOGY, part->name,
            "sources '%s' (%s) and '%s' (%s) share a "
            "topic, but not all of them: read the shared topic by a source of its own",
            other->name, other->topics, part->name, part->topics);
    }
    return NULL;
}

static void merge_sources(leat__plan_t *plan, leat__graph_t *g)
{
    for (leat__part_t *part = g->first; part; part = part->next) {
        part->merged_into = NULL;
        part->origin_of = NULL;
        part->written = false;
    }
    for (leat__part_t *part = g->first; part; part = part->next) {
        if (!part->source)
            continue;
        part->merged_into = read_before(plan, g, part);
        part->written = part->merged_into != NULL;
        if (part->merged_into)
            check_same_way(plan, part->merged_into, part);
    }
}

static const leat__part_t *parent_at(const leat__part_t *part, size_t i)
{
    const leat__part_t *parent = part->parents[i];

    return parent->merged_into ? parent->merged_into : parent;
}

/* ---- compiling: co-partitioning ---- */

typedef struct origins_t { /* the parts whose topics a part's records come from, as a list */
    const leat__part_t *of;
    leat__part_t *first;
    size_t count;
} origins_t;

static void find_origins(origins_t *o, const leat__part_t *part)
{
    for (size_t i = 0; i < part->parent_count; i++) {
        leat__part_t *parent = part->parents[i];

        if (parent->merged_into)
            parent = parent->merged_into;
        if (parent->origin_of == o->of)
            continue;
        parent->origin_of = o->of;
        if (!parent->reads_topic) {
            find_origins(o, parent);
            continue;
        }
        parent->next_origin = o->first;
        o->first = parent;
        o->count++;
    }
}

void leat__part_copartition(const leat__part_t *part, leat__plan_t *plan)
{
    origins_t o = {.of = part};
    const char **names;
    size_t count = 0;

    find_origins(&o, part);
    names = o.count > 1 ? leat__plan_alloc(plan, o.count * sizeof *names) : NULL;
    if (!names)
        return;
    for (const leat__part_t *origin = o.first; origin; origin = origin->next_origin)
        names[count++] = origin->name;
    leat__plan_copartition(plan, names, count);
}

/* ---- compiling: writing ---- */

static bool can_be_written(const leat__part_t *part)
{
    for (size_t i = 0; i < part->parent_count; i++) {
        if (!parent_at(part, i)->written)
            return false;
    }
    return true;
}

/* A merge of two readers of one topic has one parent, once they are one. */
static void write_part(leat__part_t *part, leat__plan_t *plan)
{
    const char *parents[LEAT__PARENTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < part->parent_count; i++) {
        const char *name = parent_at(part, i)->name;

        if (count == 0 || strcmp(parents[0], name) != 0)
            parents[count++] = name;
    }
    part->write(part, plan, parents, count);
    part->written = true;
}

/* A topology that is not the one asked for would have other internal topics. */
static void refuse_optimizer(leat__plan_t *plan, const leat_config_t *config)
{
    const char *wanted = config ? leat__config_text(config, "topology.optimization") : "";

    if (wanted[0] && strcmp(wanted, "none") != 0)
        leat__plan_fail(plan, LEAT_EUNSUPPORTED, "topology.optimization",
            "topology.optimization is "
            "'%s', but this version has no optimizer: leave the property out, or set it to none",
            wanted);
}

static void compile(void *dsl, leat__plan_t *plan, const leat_config_t *config)
{
    leat__graph_t *g = dsl;
    leat__part_t *part = NULL;

    refuse_optimizer(plan, config);
    merge_sources(plan, g);
    part = g->first;
    for (bool skipped = false; part && plan->error.code == LEAT_OK;) {
        bool write = !part->written && can_be_written(part);

        if (write)
            write_part(part, plan);
        else
            skipped = skipped || !part->written;
        part = write && skipped ? g->first : part->next;
        skipped = skipped && !write;
    }
}

/* ---- making ---- */

/* All of it is the builder's memory. */
static void free_nothing(void *dsl)
{
    (void)dsl;
}

static const leat__dsl_hooks_t hooks = {compile, free_nothing};

typedef struct made_t { /* a graph and its nil handles in one piece */
    leat__graph_t graph;
    leat_stream_t stream;
    leat_table_t table;
    leat_grouped_t grouped;
} made_t;

static void *make(leat_builder_t *b)
{
    made_t *made = leat__builder_alloc(b, sizeof *made);

    if (!made)
        return NULL;
    made->graph.builder = b;
    leat__nil_handles(&made->graph, &made->stream, &made->table, &made->grouped);
    return &made->graph;
}

leat__graph_t *leat__graph_of(leat_builder_t *b)
{
    return leat__builder_dsl(b, make, &hooks);
}
