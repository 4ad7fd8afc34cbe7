/*
 * dsl/compile.c: writing the parts of a graph into a plan.
 *
 *   working copy of parts and parents ─▶ merge sources ─▶ optimize (optimize.c) ─▶ write
 *
 * The order of writing decides the order of a plan's nodes, and with it describe() and the numbers
 * of sub-topologies. Kafka Streams takes parts from a queue by priority, the number of the call,
 * and skips those whose parents are not written; that comes to "always the first one that can be
 * written".
 */
#include <string.h>
#include "compile.h"
#include "step.h"

/* ---- one topic read by several streams is read once ---- */

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

static leat__part_t *read_before(const leat__compiling_t *c, leat__part_t *part)
{
    for (leat__part_t **at = c->parts; *at != part; at++) {
        leat__part_t *other = *at;
        bool pattern = part->topics[0] == '^';

        if (!other->source || other->merged_into || (other->topics[0] == '^') != pattern)
            continue;
        if (pattern ? strcmp(other->topics, part->topics) != 0
                    : !has_any(other->topics, part->topics))
            continue;
        if (pattern ||
            (has_all(other->topics, part->topics) && has_all(part->topics, other->topics)))
            return other;
        leat__plan_fail(c->plan, LEAT_ETOPOLOGY, part->name,
            "sources '%s' (%s) and '%s' (%s) share a "
            "topic, but not all of them: read the shared topic by a source of its own",
            other->name, other->topics, part->name, part->topics);
    }
    return NULL;
}

static void merge_sources(const leat__compiling_t *c)
{
    for (size_t i = 0; i < c->count; i++) {
        leat__part_t *part = c->parts[i];

        if (!part->source)
            continue;
        part->merged_into = read_before(c, part);
        part->written = part->merged_into != NULL;
        if (part->merged_into)
            check_same_way(c->plan, part->merged_into, part);
    }
}

/* ---- the working copy ---- */

static void add_from(leat__part_t *part, leat__part_t *parent)
{
    for (size_t i = 0; i < part->from_count; i++) {
        if (part->from[i] == parent)
            return;
    }
    part->from[part->from_count++] = parent;
}

/* The parent that became part of an earlier source, with the lowest number above `number`. */
static leat__part_t *next_merged(const leat__part_t *part, const leat__part_t *last)
{
    leat__part_t *next = NULL;

    for (size_t i = 0; i < part->parent_count; i++) {
        leat__part_t *parent = part->parents[i];

        if (parent->merged_into && (!last || parent->number > last->number) &&
            (!next || parent->number < next->number))
            next = parent;
    }
    return next;
}

/*
 * A merge of two readers of one topic has one parent, once they are one. What became part of an
 * earlier source stands last: so Kafka Streams shows it.
 */
static bool copy_parents(leat__plan_t *plan, leat__part_t *part)
{
    part->from = leat__plan_alloc(plan, (part->parent_count + 1) * sizeof *part->from);
    if (!part->from)
        return false;
    part->from_count = 0;
    for (size_t i = 0; i < part->parent_count; i++) {
        if (!part->parents[i]->merged_into)
            add_from(part, part->parents[i]);
    }
    for (leat__part_t *at = next_merged(part, NULL); at; at = next_merged(part, at))
        add_from(part, at->merged_into);
    return true;
}

static bool copy_parts(leat__compiling_t *c)
{
    c->parts = leat__plan_alloc(c->plan, (c->graph->part_count + 1) * sizeof(leat__part_t *));
    if (!c->parts)
        return false;
    for (leat__part_t *part = c->graph->first; part; part = part->next) {
        part->merged_into = NULL;
        part->origin_of = NULL;
        part->written = false;
        part->self_join = false;
        part->null_keys_pass = false;
        c->parts[c->count++] = part;
    }
    return true;
}

void leat__compiling_replace(
    leat__compiling_t *c, leat__part_t *part, leat__part_t *old, leat__part_t *parent)
{
    leat__part_t **from = leat__plan_alloc(c->plan, (part->from_count + 2) * sizeof *from);
    size_t count = part->from_count;

    if (!from)
        return;
    if (count)
        memcpy(from, part->from, count * sizeof *from);
    part->from = from;
    part->from_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (from[i] != old)
            from[part->from_count++] = from[i];
    }
    if (parent)
        add_from(part, parent);
}

void leat__compiling_insert(leat__compiling_t *c, leat__part_t *part, const leat__part_t *behind)
{
    leat__part_t **parts = leat__plan_alloc(c->plan, (c->count + 2) * sizeof(leat__part_t *));
    size_t count = 0;

    if (!parts)
        return;
    for (size_t i = 0; i < c->count; i++) {
        parts[count++] = c->parts[i];
        if (c->parts[i] == behind)
            parts[count++] = part;
    }
    c->parts = parts;
    c->count = count;
}

/* ---- null keys ---- */

static void let_null_keys_pass(leat__part_t *part)
{
    for (size_t i = 0; i < part->from_count; i++) {
        if (part->from[i]->null_keys_pass)
            continue;
        part->from[i]->null_keys_pass = true;
        let_null_keys_pass(part->from[i]);
    }
}

/* Left and outer joins have a result for records without a key: topics in front must keep them. */
static void find_null_keys(const leat__compiling_t *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->parts[i]->takes_null_keys)
            let_null_keys_pass(c->parts[i]);
    }
}

/* ---- co-partitioning ---- */

typedef struct origins_t { /* the parts whose topics a part's records come from, as a list */
    const leat__part_t *of;
    leat__part_t *first;
    size_t count;
} origins_t;

static void find_origins(origins_t *o, const leat__part_t *part)
{
    for (size_t i = 0; i < part->from_count; i++) {
        leat__part_t *parent = part->from[i];

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

static void copartition(const origins_t *o, const char *source, leat__plan_t *plan)
{
    size_t count = 0, all = o->count + (source != NULL);
    const char **names = all > 1 ? leat__plan_alloc(plan, all * sizeof *names) : NULL;

    if (!names)
        return;
    for (const leat__part_t *origin = o->first; origin; origin = origin->next_origin)
        names[count++] = origin->name;
    if (source)
        names[count++] = source;
    leat__plan_copartition(plan, names, count);
}

void leat__part_copartition(const leat__part_t *part, leat__plan_t *plan)
{
    origins_t o = {.of = part};

    find_origins(&o, part);
    copartition(&o, NULL, plan);
}

void leat__part_copartition_with(leat__part_t *part, const char *source, leat__plan_t *plan)
{
    leat__part_t *mark = leat__plan_alloc(plan, sizeof *mark); /* an address of its own */
    origins_t o = {.of = mark};

    if (!mark)
        return;
    mark->from = &part;
    mark->from_count = 1;
    find_origins(&o, mark);
    copartition(&o, source, plan);
}

/* ---- writing ---- */

static bool can_be_written(const leat__part_t *part)
{
    for (size_t i = 0; i < part->from_count; i++) {
        if (!part->from[i]->written)
            return false;
    }
    return true;
}

static void write_part(leat__part_t *part, leat__plan_t *plan)
{
    const char **parents = leat__plan_alloc(plan, (part->from_count + 1) * sizeof *parents);

    if (!parents)
        return;
    for (size_t i = 0; i < part->from_count; i++)
        parents[i] = part->from[i]->name;
    part->write(part, plan, parents, part->from_count);
    part->written = true;
}

static void write_all(const leat__compiling_t *c)
{
    bool skipped = false;

    for (size_t i = 0; i < c->count && c->plan->error.code == LEAT_OK;) {
        leat__part_t *part = c->parts[i];
        bool write = !part->written && can_be_written(part);

        if (write)
            write_part(part, c->plan);
        else
            skipped = skipped || !part->written;
        i = write && skipped ? 0 : i + 1;
        skipped = skipped && !write;
    }
}

void leat__graph_compile(void *dsl, leat__plan_t *plan, const leat_config_t *config)
{
    leat__compiling_t c = {.graph = dsl, .plan = plan, .config = config};

    if (!copy_parts(&c))
        return;
    merge_sources(&c);
    for (size_t i = 0; i < c.count; i++) {
        if (!copy_parents(plan, c.parts[i]))
            return;
    }
    leat__optimize(&c);
    find_null_keys(&c);
    write_all(&c);
    leat__optimize_stores(&c);
}
