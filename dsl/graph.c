/* dsl/graph.c: keeping the parts of a graph, naming them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
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
    part->number = g->part_count++;
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

void leat__part_parent(leat__graph_t *g, leat__part_t *part, leat__part_t *parent)
{
    leat__part_t **parents;

    for (size_t i = 0; i < part->parent_count; i++) {
        if (part->parents[i] == parent)
            return;
    }
    parents = leat__builder_alloc(g->builder, (part->parent_count + 1) * sizeof *parents);
    if (!parents)
        return;
    if (part->parent_count)
        memcpy(parents, part->parents, part->parent_count * sizeof *parents);
    parents[part->parent_count++] = parent;
    part->parents = parents;
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

/* ---- making ---- */

/* All of it is the builder's memory. */
static void free_nothing(void *dsl)
{
    (void)dsl;
}

static const leat__dsl_hooks_t hooks = {leat__graph_compile, free_nothing};

typedef struct made_t { /* a graph and its nil handles in one piece */
    leat__graph_t graph;
    leat_stream_t stream;
    leat_table_t table;
    leat_grouped_t grouped;
    leat_global_t global;
} made_t;

static void *make(leat_builder_t *b)
{
    made_t *made = leat__builder_alloc(b, sizeof *made);

    if (!made)
        return NULL;
    made->graph.builder = b;
    leat__nil_handles(&made->graph, &made->stream, &made->table, &made->grouped,
        &made->global);
    return &made->graph;
}

leat__graph_t *leat__graph_of(leat_builder_t *b)
{
    return leat__builder_dsl(b, make, &hooks);
}
