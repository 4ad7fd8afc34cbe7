/* dsl/stream_join.h: what the joins of streams share: repartitioning, calling the function. */
#ifndef LEAT__DSL_STREAM_JOIN_H
#define LEAT__DSL_STREAM_JOIN_H

#include "runtime/ctx.h"
#include "repartition.h"

/** Function and user data of a join; first member of the operator's data. */
typedef struct leat__joiner_t {
    leat_combine_fn fn;
    void *user;
} leat__joiner_t;

/** Call it for the record in; what it emits goes to the children, with the time of in. */
void leat__joiner_run(leat_ctx_t *ctx, const leat__joiner_t *j, const leat_record_t *in,
    const void *left, const void *right);

/**
 * The part behind which equal keys meet in one task: a repartition topic's if the key may have
 * changed, else the stream's own. given: names the topic; NULL: the stream's node does, and its
 * topic serves all joins that name none. NULL: recorded.
 */
leat__part_t *leat__join_side(leat_stream_t *in, const char *given);

/** What all stream joins check. */
bool leat__join_fits(leat_stream_t *left, const char *call, const char *name, leat_combine_fn fn,
    const leat_serde_t *value, const leat_join_opts_t *opts);

#endif
