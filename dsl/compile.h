/* dsl/compile.h: a graph while it is written into a plan; what the optimizer does to it. */
#ifndef LEAT__DSL_COMPILE_H
#define LEAT__DSL_COMPILE_H

#include "graph.h"

typedef struct leat__compiling_t {
    leat__graph_t *graph;
    leat__plan_t *plan;
    const leat_config_t *config;
    leat__part_t **parts; /* in the order of writing; memory of the plan, as all of this */
    size_t count;
} leat__compiling_t;

/** Take `old` out of part's parents, add `parent` behind them; either may be NULL. */
void leat__compiling_replace(
    leat__compiling_t *c, leat__part_t *part, leat__part_t *old, leat__part_t *parent);
void leat__compiling_insert(leat__compiling_t *c, leat__part_t *part, const leat__part_t *behind);

/** By the rules that topology.optimization names: before writing, and behind it. */
void leat__optimize(leat__compiling_t *c);
void leat__optimize_stores(leat__compiling_t *c);

#endif
