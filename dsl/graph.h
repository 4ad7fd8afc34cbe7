/*
 * dsl/graph.h: the DSL's own graph: what each call of stream.h and table.h adds, before there is a
 * plan.
 *
 *   leat_stream_map(...) ──▶ leat__part_t in the graph ──compile(config)──▶ a plan's nodes, stores
 *
 * A part stands for one call, or for a repartition topic that a call needs. It knows its parents
 * and how to write itself into a plan; nothing else. Parts are kept in the order in which they are
 * to be written: that of the calls, and a part that a later call uses again as a whole (the
 * repartition topic of a named grouping) moves to the end. Compiling writes the first part whose
 * parents are all written, again and again (compile.c). Nothing of the graph changes by compiling
 * but what is marked so.
 *
 * Everything lives in the builder's memory (leat__builder_alloc): nothing to free.
 *
 * Counterpart in Kafka Streams: InternalStreamsBuilder and its GraphNodes.
 */
#ifndef LEAT__DSL_GRAPH_H
#define LEAT__DSL_GRAPH_H

#include <leat/stream.h>
#include <leat/table.h>
#include "runtime/topology.h"

typedef struct leat__graph_t leat__graph_t;
typedef struct leat__part_t leat__part_t;

/** Parents by the names of their last nodes; a part merged into another is told that one's. */
typedef void (*leat__write_fn)(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count);

struct leat__part_t {
    const char *name; /* of its last node: what its children name as their parent */
    leat__write_fn write;
    leat__part_t **parents;
    size_t parent_count;
    bool reads_topic; /* its node is a source: what is read behind is partitioned as its topic is */
    const leat_source_opts_t *source;     /* a stream's source: may be merged with others */
    const char *topics;                   /* of source */
    const leat_serde_t *key, *value;      /* of source */
    const leat_serde_t *out_key, *out_value; /* of a stream behind it */
    leat__part_t *next, *previous;
    size_t number; /* order of first adding */

    /* for the optimizer (optimize.c) */
    bool rekeys, revalues, merges;
    bool takes_null_keys; /* left and outer joins: topics in front let null keys pass */
    bool optimizable;                       /* a leat__repartition_t that may be moved up */
    const struct leat__rows_t *source_rows; /* of a table that is read from `topics` */
    leat__part_t *windows[2];               /* a stream join: the parts that keep its two sides */

    /* while compiling */
    leat__part_t **from; /* parents as they are by now */
    size_t from_count;
    leat__part_t *merged_into;
    const leat__part_t *origin_of; /* the part that looked here last for its topics */
    leat__part_t *next_origin;
    bool null_keys_pass; /* takes_null_keys of something behind */
    bool written;   /* or not to be written at all */
    bool self_join; /* a stream join: both sides are windows[0]; windows[1] is not written */
};

struct leat__graph_t {
    leat_builder_t *builder;
    leat__part_t *first, *last;
    size_t part_count;
    uint64_t next_index;       /* of generated names */
    leat_stream_t *nil_stream; /* what calls give back after an error */
    leat_table_t *nil_table;
    leat_grouped_t *nil_grouped;
    leat_global_t *nil_global;
};

/** The builder's graph, made on first use. NULL: a nil builder, or no memory. */
leat__graph_t *leat__graph_of(leat_builder_t *b);
/** Append a part; parents: those it has. */
void leat__graph_add(leat__graph_t *g, leat__part_t *part);
/** A part that is used by one more call: written after everything that was there before. */
void leat__graph_move_last(leat__graph_t *g, leat__part_t *part);
/** Twice the same: once. */
void leat__part_parent(leat__graph_t *g, leat__part_t *part, leat__part_t *parent);
/** The hook of leat__dsl_hooks_t: compile.c. */
void leat__graph_compile(void *dsl, leat__plan_t *plan, const leat_config_t *config);
/**
 * While compiling, of a join or cogroup that is being written: all topics that its parents come
 * from need the same number of partitions.
 */
void leat__part_copartition(const leat__part_t *part, leat__plan_t *plan);
/** The topics that part comes from, and a source node. */
void leat__part_copartition_with(leat__part_t *part, const char *source, leat__plan_t *plan);

/*
 * ---- names: every call takes as many numbers as Kafka Streams does, whether it uses them or not
 * ----
 */

/** prefix and the next number: "KSTREAM-MAP-0000000001". NULL: no memory, recorded. */
const char *leat__graph_generate(leat__graph_t *g, const char *prefix);
void leat__graph_burn(leat__graph_t *g);
/** given, checked and copied, or a generated one; takes a number either way. NULL: recorded. */
const char *leat__graph_name(leat__graph_t *g, const char *given, const char *prefix);
/** The same with a suffix behind a given name. */
const char *leat__graph_suffixed(
    leat__graph_t *g, const char *given, const char *suffix, const char *prefix);
/** Checked and copied; takes no number. NULL: recorded. */
const char *leat__graph_given(leat__graph_t *g, const char *given);
const char *leat__graph_join(leat__graph_t *g, const char *a, const char *b, const char *c);

#endif
