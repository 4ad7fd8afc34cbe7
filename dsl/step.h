/*
 * dsl/step.h: handles, and what every operator's call does: adopt, check, name, add a part, give a
 * handle.
 *
 * A call on a nil handle still adopts its .user, and gives a nil handle back. A call that fails
 * records the error in the builder and gives a nil handle back. So no call ever returns NULL.
 */
#ifndef LEAT__DSL_STEP_H
#define LEAT__DSL_STEP_H

#include "graph.h"

typedef struct leat__rows_t leat__rows_t; /* rows.h */

struct leat_stream_t {
    leat__graph_t *graph; /* NULL: of a builder that could not be made */
    bool nil;
    leat__part_t *part;
    const leat_serde_t *key, *value;
    bool rekeyed; /* the key may have changed since the last topic: folds, joins repartition */
    leat__part_t *repartition; /* of the first join: used again by others that name none */
};

struct leat_grouped_t {
    leat__graph_t *graph;
    bool nil;
    leat__part_t *part;
    const leat_serde_t *key, *value;
    bool rekeyed;
    bool from_table;
    const leat_serde_t *change; /* from_table: of what goes through the repartition topic */
    const char *given;          /* names the repartition topic; NULL: the store does */
    leat__part_t
        *repartition; /* of the first fold; used again by others if the topic's name is given */
};

struct leat_global_t {
    leat__graph_t *graph;
    bool nil;
    const leat_serde_t *key, *value;
    leat__rows_t *rows;
};

struct leat_table_t {
    leat__graph_t *graph;
    bool nil;
    leat__part_t *part;
    const leat_serde_t *key, *value;
    leat__rows_t *rows;
};

/** A processor node, with the store it owns if it is a table's. */
typedef struct leat__step_t {
    leat__part_t part;
    leat_map_fn process;
    leat_node_opts_t opts; /* .user, .stores and so on, as the plan wants them; never .user_free */
    const void *operator_;
    const leat__rows_t *rows;
} leat__step_t;

/** An operator, as its calls have it in common. */
typedef struct leat__operator_t {
    const char *call;   /* for texts of errors */
    const char *prefix; /* of generated names */
    leat_map_fn process;
    bool rekeys, revalues; /* a repartition topic behind it cannot be moved in front of it */
} leat__operator_t;

leat_stream_t *leat__nil_stream(leat__graph_t *g);
leat_table_t *leat__nil_table(leat__graph_t *g);
leat_grouped_t *leat__nil_grouped(leat__graph_t *g);
leat_global_t *leat__nil_global(leat__graph_t *g);
void leat__nil_handles(leat__graph_t *g, leat_stream_t *s, leat_table_t *t, leat_grouped_t *d,
    leat_global_t *w);

/** g NULL: the builder has no memory, user is freed at once. */
void leat__adopt(leat__graph_t *g, void *user, void (*user_free)(void *user));
void leat__adopt_node(leat__graph_t *g, const leat_node_opts_t *opts);
/** Options beyond those of this version, or memory that was not zeroed: LEAT_EARGUMENT. */
bool leat__reserved_zero(leat__graph_t *g, const char *call, void *const *reserved, size_t count);
#define LEAT__RESERVED_ZERO(g, call, opts)                                                         \
    (!(opts) || leat__reserved_zero((g), (call), (opts)->reserved,                                 \
                    sizeof(opts)->reserved / sizeof(opts)->reserved[0]))
/** there: else LEAT_ENULL, "call: what is missing". */
bool leat__need(leat__graph_t *g, const char *call, const char *name, bool there, const char *what);

/**
 * Two handles of one builder. False: recorded in both builders, since a handle of another one may
 * be nil for a reason that only its own builder knows.
 */
bool leat__same_builder(leat__graph_t *g, leat__graph_t *other, const char *call);
bool leat__same_serde(const leat_serde_t *a, const leat_serde_t *b);
/** The keys of what is joined have one type. False: recorded. */
bool leat__same_keys(leat__graph_t *g, const char *call, const char *name, const leat_serde_t *a,
    const leat_serde_t *b);

/** Options as a step keeps them; opts may be NULL. False: recorded. */
bool leat__copy_node(
    leat__graph_t *g, const char *call, const leat_node_opts_t *opts, leat_node_opts_t *copy);
/** NULL: recorded. name [keep: builder] */
leat__step_t *leat__step_add(leat__graph_t *g, const char *name, leat__part_t *parent,
    leat_map_fn process, const void *operator_, const leat_node_opts_t *opts);
leat_stream_t *leat__stream_new(leat__graph_t *g, leat__part_t *part, const leat_serde_t *key,
    const leat_serde_t *value, bool rekeyed);
/**
 * All of it for an operator on one stream, once its function was checked. operator_ NULL: no
 * memory, recorded.
 */
leat_stream_t *leat__stream_step(leat_stream_t *in, const leat__operator_t *o, const char *name,
    const void *operator_, const leat_serde_t *key, const leat_serde_t *value,
    const leat_node_opts_t *opts);

/** A processor that sends everything on. */
void leat__pass(leat_ctx_t *ctx, const leat_record_t *in);

#endif
