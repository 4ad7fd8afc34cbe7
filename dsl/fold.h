/* dsl/fold.h: what folds over streams (fold_stream.c) and over tables (fold_table.c) share. */
#ifndef LEAT__DSL_FOLD_H
#define LEAT__DSL_FOLD_H

#include "rows.h"

typedef enum leat__fold_kind_t { LEAT__COUNT, LEAT__REDUCE, LEAT__AGGREGATE } leat__fold_kind_t;

typedef struct leat__fold_t {
    leat__rows_t rows;
    leat__fold_kind_t kind;
    leat_combine_fn add, subtract;
    leat_combine_fn merge; /* of sessions */
    void *user, *merge_user;
    const void *init;        /* flat values: in their C type */
    leat_slice_t init_bytes; /* others, encoded; .data NULL: none */
} leat__fold_t;

typedef struct leat__wanted_t { /* a call's arguments */
    const char *call;
    leat__fold_kind_t kind;
    const char *name;
    leat_combine_fn fn;
    const leat_serde_t *value;
    const leat_fold_opts_t *opts;
} leat__wanted_t;

/** Checks, functions, .init; no windows, no store yet. Does not adopt. NULL: nil, or recorded. */
leat__fold_t *leat__fold_new(leat_grouped_t *d, const leat__wanted_t *w);

/**
 * Over streams, windowed or not: the processor, and memory and open of its node. The record's
 * operator is op, or a struct that begins with it.
 */
leat_map_fn leat__fold_stream_node(const leat__fold_t *op, leat_node_opts_t *node);
/** Over tables. */
leat_map_fn leat__fold_table_process(leat__fold_kind_t kind);

/** What an aggregate starts from; NULL: nothing, or failed. */
const void *leat__fold_init(leat_ctx_t *ctx, const leat__fold_t *op);
/** fn(a, b) for the record in; `then` is the emission of its one value. */
void leat__fold_call(leat_ctx_t *ctx, const leat__fold_t *op, leat_combine_fn fn,
    const leat_record_t *in, const void *a, const void *b, leat__emit_fn then, void *data);

static inline int64_t leat__later(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

#endif
