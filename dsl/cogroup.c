/*
 * dsl/cogroup.c: several grouped streams folded into one table: each by a function of its own, all
 * in one store.
 *
 *   grouped 0 ─▶ fold 0 ─┐
 *   grouped 1 ─▶ fold 1 ─┼▶ merge (sends everything on) ─▶
 *   ...                  ┘
 *
 * The folds are those of fold_stream.c and window.c, one node each; only the first one brings the
 * store. With the record cache on, the node that was opened last forwards what is flushed, whoever
 * changed it.
 */
#include <stdio.h>
#include "repartition.h"
#include "window.h"

static const char call[] = "leat_grouped_cogroup";

typedef struct cogroup_t {
    leat__graph_t *g;
    const char *name;
    const leat_serde_t *value;
    const leat_fold_opts_t *opts;
    const leat_part_t *parts;
    size_t count;
    leat__fold_t **ops;  /* NULL: the grouping comes again */
    leat__fold_t *first; /* with the store */
} cogroup_t;

/* ---- the merge ---- */

static void write_merge(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    leat__plan_processor(plan, part->name, parents, parent_count, leat__pass, NULL);
    leat__part_copartition(part, plan);
}

/* ---- building ---- */

/* The last function of a grouping counts, in the place of the first. */
static const leat_part_t *last_of(const cogroup_t *c, size_t i)
{
    const leat_part_t *last = &c->parts[i];

    for (size_t later = i + 1; later < c->count; later++) {
        if (c->parts[later].grouped == last->grouped)
            last = &c->parts[later];
    }
    return last;
}

static bool came_before(const cogroup_t *c, size_t i)
{
    for (size_t before = 0; before < i; before++) {
        if (c->parts[before].grouped == c->parts[i].grouped)
            return true;
    }
    return false;
}

static bool fit_part(const cogroup_t *c, leat_grouped_t *d)
{
    if (!leat__same_builder(c->g, d->graph, call) || d->nil)
        return false;
    if (d->from_table) {
        leat__builder_error(c->g->builder, LEAT_EARGUMENT, c->name ? c->name : call,
            "%s: a grouping of a table cannot be part of it: fold the table by itself", call);
        return false;
    }
    return leat__same_keys(c->g, call, c->name, c->parts[0].grouped->key, d->key);
}

static bool make_op(cogroup_t *c, size_t i)
{
    const leat_part_t *part = last_of(c, i);
    leat__wanted_t wanted = {call, LEAT__AGGREGATE, c->name, part->fn, c->value, c->opts};
    leat__fold_t *op;

    if (!fit_part(c, part->grouped))
        return false;
    if (came_before(c, i))
        return true;
    op = leat__fold_new(part->grouped, &wanted);
    if (!op || !leat__window_take(c->g, call, c->name, c->opts, op))
        return false;
    if (part->user)
        op->user = part->user;
    c->ops[i] = op;
    return true;
}

static bool make_store(cogroup_t *c)
{
    leat__fold_t *first = c->ops[0];
    const leat_store_opts_t *store = c->opts ? &c->opts->store : NULL;
    leat__rows_t **next = &first->rows.next;

    if (first->rows.on_close) {
        leat__builder_error(c->g->builder, LEAT_EARGUMENT, c->name ? c->name : call,
            "%s: .emit LEAT_EMIT_ON_CLOSE does not go with several streams, each has its own time: "
            "suppress the table until its windows close",
            call);
        return false;
    }
    if (!leat__rows_init(&first->rows, c->g, call, LEAT__ROWS_FOLD, store, c->name,
            "COGROUPKSTREAM-AGGREGATE-") ||
        !leat__window_store(c->g, call, c->name, first))
        return false;
    c->first = first;
    for (size_t i = 1; i < c->count; i++) {
        if (!c->ops[i])
            continue;
        c->ops[i]->rows = first->rows;
        c->ops[i]->rows.next = NULL;
        *next = &c->ops[i]->rows;
        next = &c->ops[i]->rows.next;
    }
    return true;
}

/* The part that a fold reads from: behind a repartition topic, if the key may have changed. */
static leat__part_t *input_of(const cogroup_t *c, const leat_grouped_t *d)
{
    bool generated = !d->given && c->first->rows.generated;
    leat__repartition_t *through;

    if (!d->rekeyed)
        return d->part;
    through = leat__repartition_new(
        c->g, d->given ? d->given : c->first->rows.store, generated, d->part, d->key, d->value);
    if (!through)
        return NULL;
    leat__graph_add(c->g, &through->part);
    return &through->part;
}

static leat__part_t *add_fold(const cogroup_t *c, size_t i, size_t number, leat__part_t *input)
{
    leat__fold_t *op = c->ops[i];
    leat_node_opts_t node = {0};
    leat_map_fn process = leat__fold_stream_node(op, &node);
    char suffix[40];
    const char *name;
    leat__step_t *step;

    snprintf(suffix, sizeof suffix, "-cogroup-agg-%zu", number);
    name = leat__graph_suffixed(c->g, c->name, suffix, "COGROUPKSTREAM-AGGREGATE-");
    leat__rows_node(&op->rows, &node);
    if (op != c->first)
        node.stores = c->first->rows.store;
    step = name ? leat__step_add(c->g, name, input, process, op, &node) : NULL;
    if (!step)
        return NULL;
    if (op == c->first)
        step->rows = &op->rows;
    return &step->part;
}

static leat__part_t *add_nodes(const cogroup_t *c, leat__part_t **inputs)
{
    leat__part_t *merge = leat__builder_alloc(c->g->builder, sizeof *merge);
    size_t number = 0;

    for (size_t i = 0; i < c->count; i++) {
        inputs[i] = c->ops[i] ? input_of(c, c->parts[i].grouped) : NULL;
        if (c->ops[i] && !inputs[i])
            return NULL;
    }
    for (size_t i = 0; merge && i < c->count; i++) {
        leat__part_t *fold = inputs[i] ? add_fold(c, i, number++, inputs[i]) : NULL;

        if (inputs[i] && !fold)
            return NULL;
        if (fold)
            leat__part_parent(c->g, merge, fold);
    }
    if (!merge)
        return NULL;
    merge->name = leat__graph_suffixed(c->g, c->name, "-cogroup-merge", "COGROUPKSTREAM-MERGE-");
    merge->write = write_merge;
    if (!merge->name)
        return NULL;
    leat__graph_add(c->g, merge);
    return merge;
}

static leat_table_t *cogroup(cogroup_t *c)
{
    leat__part_t **inputs = leat__builder_alloc(c->g->builder, c->count * sizeof *inputs);
    leat_table_t *t = leat__builder_alloc(c->g->builder, sizeof *t);
    leat__part_t *merge;

    c->ops = leat__builder_alloc(c->g->builder, c->count * sizeof(leat__fold_t *));
    if (!inputs || !t || !c->ops)
        return c->g->nil_table;
    for (size_t i = 0; i < c->count; i++) {
        if (!make_op(c, i))
            return c->g->nil_table;
    }
    merge = make_store(c) ? add_nodes(c, inputs) : NULL;
    if (!merge)
        return c->g->nil_table;
    *t = (leat_table_t){.graph = c->g,
        .part = merge,
        .key = c->first->rows.key,
        .value = c->value,
        .rows = &c->first->rows};
    return t;
}

leat_table_t *leat_grouped_cogroup(const leat_part_t *parts, size_t count, const char *name,
    const leat_serde_t *value, const leat_fold_opts_t *opts)
{
    leat__graph_t *g = count && parts ? parts[0].grouped->graph : NULL;
    cogroup_t c = {
        .g = g, .name = name, .value = value, .opts = opts, .parts = parts, .count = count};

    for (size_t i = 0; parts && i < count; i++)
        leat__adopt(g, parts[i].user, parts[i].user_free);
    if (opts)
        leat__adopt(g, opts->user, opts->user_free);
    return g ? cogroup(&c) : leat__nil_table(NULL);
}
