/*
 * dsl/step.c: what every operator's call does.
 *
 * The nil handles of a builder without memory are static: they belong to no builder, and whatever
 * is adopted through them is freed at once.
 */
#include <stdio.h>
#include <string.h>
#include "runtime/ctx.h"
#include "rows.h"
#include "step.h"

static leat_stream_t no_stream = {.nil = true};
static leat_table_t no_table = {.nil = true};
static leat_grouped_t no_grouped = {.nil = true};
static leat_global_t no_global = {.nil = true};

leat_stream_t *leat__nil_stream(leat__graph_t *g)
{
    return g ? g->nil_stream : &no_stream;
}

leat_table_t *leat__nil_table(leat__graph_t *g)
{
    return g ? g->nil_table : &no_table;
}

leat_grouped_t *leat__nil_grouped(leat__graph_t *g)
{
    return g ? g->nil_grouped : &no_grouped;
}

leat_global_t *leat__nil_global(leat__graph_t *g)
{
    return g ? g->nil_global : &no_global;
}

void leat__nil_handles(leat__graph_t *g, leat_stream_t *s, leat_table_t *t, leat_grouped_t *d,
    leat_global_t *w)
{
    *s = (leat_stream_t){.graph = g, .nil = true};
    *t = (leat_table_t){.graph = g, .nil = true};
    *d = (leat_grouped_t){.graph = g, .nil = true};
    *w = (leat_global_t){.graph = g, .nil = true};
    g->nil_stream = s;
    g->nil_table = t;
    g->nil_grouped = d;
    g->nil_global = w;
}

void leat__adopt(leat__graph_t *g, void *user, void (*user_free)(void *user))
{
    if (g)
        leat__builder_adopt_user(g->builder, user, user_free);
    else if (user_free)
        user_free(user);
}

void leat__adopt_node(leat__graph_t *g, const leat_node_opts_t *opts)
{
    if (opts)
        leat__adopt(g, opts->user, opts->user_free);
}

bool leat__reserved_zero(leat__graph_t *g, const char *call, void *const *reserved, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!reserved[i])
            continue;
        leat__builder_error(g->builder, LEAT_EARGUMENT, call,
            "%s: .reserved of its options is not "
            "zero: initialise option structs with `{0}` or by naming fields",
            call);
        return false;
    }
    return true;
}

bool leat__need(leat__graph_t *g, const char *call, const char *name, bool there, const char *what)
{
    if (!there)
        leat__builder_error(
            g->builder, LEAT_ENULL, name ? name : call, "%s: %s is missing (NULL)", call, what);
    return there;
}

static void other_builder(leat__graph_t *g, const char *call)
{
    if (g)
        leat__builder_error(g->builder, LEAT_ETOPOLOGY, call,
            "%s: the other one belongs to another builder: take both from one", call);
}

bool leat__same_builder(leat__graph_t *g, leat__graph_t *other, const char *call)
{
    if (g == other)
        return g != NULL;
    other_builder(g, call);
    other_builder(other, call);
    return false;
}

/* Serdes of windowed keys are made anew by each fold: what counts is how they work. */
bool leat__same_serde(const leat_serde_t *a, const leat_serde_t *b)
{
    return a == b || (a->encode == b->encode && a->decode == b->decode && a->size == b->size &&
                         strcmp(a->name, b->name) == 0);
}

bool leat__same_keys(leat__graph_t *g, const char *call, const char *name, const leat_serde_t *a,
    const leat_serde_t *b)
{
    if (!leat__same_serde(a, b))
        leat__builder_error(g->builder, LEAT_ETYPE, name ? name : call,
            "%s: the keys of the two sides have different serdes, '%s' and '%s': give one side the "
            "other's key first",
            call, a->name, b->name);
    return leat__same_serde(a, b);
}

bool leat__copy_node(
    leat__graph_t *g, const char *call, const leat_node_opts_t *opts, leat_node_opts_t *copy)
{
    *copy = (leat_node_opts_t){0};
    if (!opts)
        return true;
    if (!LEAT__RESERVED_ZERO(g, call, opts))
        return false;
    *copy = *opts;
    copy->user_free = NULL;
    if (opts->stores)
        copy->stores = leat__builder_strdup(g->builder, opts->stores);
    return !opts->stores || copy->stores;
}

static void write_step(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    const leat__step_t *step = (const leat__step_t *)part;
    leat__node_t *node;

    if (step->rows) /* before .stores: the order is seen in describe() */
        leat__rows_write(step->rows, plan, part->name);
    node = leat__plan_processor(plan, part->name, parents, parent_count, step->process, &step->opts);
    if (node)
        node->operator_ = step->operator_;
}

leat__step_t *leat__step_add(leat__graph_t *g, const char *name, leat__part_t *parent,
    leat_map_fn process, const void *operator_, const leat_node_opts_t *opts)
{
    leat__step_t *step = leat__builder_alloc(g->builder, sizeof *step);

    if (!step)
        return NULL;
    *step = (leat__step_t){
        .part = {.name = name, .write = write_step}, .process = process, .operator_ = operator_};
    if (opts)
        step->opts = *opts;
    leat__part_parent(g, &step->part, parent);
    leat__graph_add(g, &step->part);
    return step;
}

leat_stream_t *leat__stream_new(leat__graph_t *g, leat__part_t *part, const leat_serde_t *key,
    const leat_serde_t *value, bool rekeyed)
{
    leat_stream_t *s = leat__builder_alloc(g->builder, sizeof *s);

    if (!s)
        return g->nil_stream;
    part->out_key = key;
    part->out_value = value;
    *s = (leat_stream_t){.graph = g, .part = part, .key = key, .value = value, .rekeyed = rekeyed};
    return s;
}

leat_stream_t *leat__stream_step(leat_stream_t *in, const leat__operator_t *o, const char *name,
    const void *operator_, const leat_serde_t *key, const leat_serde_t *value,
    const leat_node_opts_t *opts)
{
    leat__graph_t *g = in->graph;
    leat_node_opts_t copy;
    const char *made;
    leat__step_t *step;

    if (!operator_ || !leat__copy_node(g, o->call, opts, &copy))
        return g->nil_stream;
    made = leat__graph_name(g, name, o->prefix);
    step = made ? leat__step_add(g, made, in->part, o->process, operator_, &copy) : NULL;
    if (!step)
        return g->nil_stream;
    step->part.rekeys = o->rekeys;
    step->part.revalues = o->revalues;
    return leat__stream_new(g, &step->part, key, value, o->rekeys || in->rekeyed);
}

void leat__pass(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat__forward(ctx, in);
}
