/* dsl/repartition.h: records through a topic, so that equal keys meet in one task. */
#ifndef LEAT__DSL_REPARTITION_H
#define LEAT__DSL_REPARTITION_H

#include "step.h"

typedef struct leat__repartition_t {
    leat__part_t part;         /* its name is the source's, which children read from */
    const char *topic;         /* without the application id */
    const char *filter, *sink; /* nodes; filter NULL: a grouped table's */
    bool generated;            /* the topic has a name that the program did not give */
    int32_t partitions;
    leat_sink_opts_t opts;
    const leat_serde_t *key, *value;
} leat__repartition_t;

/**
 * Names the topic and its nodes after `prefix`; not added to the graph yet. The optimizer may move
 * it up, as long as the part says so (.optimizable). NULL: recorded.
 */
leat__repartition_t *leat__repartition_new(leat__graph_t *g, const char *prefix, bool generated,
    leat__part_t *parent, const leat_serde_t *key, const leat_serde_t *value);
/** Of a grouped table: sink and source only, with names of their own [keep: builder]. */
leat__repartition_t *leat__repartition_rows_new(leat__graph_t *g, const char *topic, bool generated,
    const char *sink, const char *source, leat__part_t *parent, const leat_serde_t *key,
    const leat_serde_t *value);

/** One in the place of several that read the same: optimize.c. NULL: no memory. */
leat__repartition_t *leat__repartition_merged(leat__plan_t *plan, const leat__repartition_t *first);

#endif
