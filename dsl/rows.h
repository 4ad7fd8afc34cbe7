/*
 * dsl/rows.h: what every operator that makes a table has in common: its store, if it keeps one,
 * and how a change goes on.
 *
 * A table keeps its rows (is "materialized") if the program says so, if it is a fold, or, for
 * tables read from a topic or stream, if an operator behind it needs them. Old values are sent
 * only where an operator behind asked for them; a filter or map without rows of its own then
 * passes the question on upstream.
 *
 * With the record cache on, puts forward nothing: the flush does, with the last value and the one
 * that was forwarded before it.
 */
#ifndef LEAT__DSL_ROWS_H
#define LEAT__DSL_ROWS_H

#include "change.h"
#include "runtime/ctx.h"
#include "step.h"

typedef enum leat__rows_kind_t {
    LEAT__ROWS_SOURCE,
    LEAT__ROWS_FOLD,
    LEAT__ROWS_DERIVED
} leat__rows_kind_t;

/** What to do with a row that was looked up; value NULL: there is none, time_ms is then -1. */
typedef void (*leat__row_fn)(leat_ctx_t *ctx, void *data, const void *value, int64_t time_ms);
/** Make the row of in->key from the rows of the tables it comes from, and call then() with it. */
typedef void (*leat__derive_fn)(leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in,
    leat__row_fn then, void *data);

/** First member of the operator's data. Constant once the builder is finished. */
struct leat__rows_t {
    leat__rows_kind_t kind;
    leat__derive_fn derive; /* derived ones: while they keep no rows */
    leat__rows_t *other;    /* joins: the right table; upstream is the left one */
    leat__rows_t *next;     /* of the same store, kept by another node too (cogroup.c) */
    leat__rows_t *upstream; /* derived: of the table it is made from */
    const char *store;      /* NULL: derived, and never kept */
    bool generated;         /* the store's name */
    bool materialized;
    bool send_old;
    const leat_serde_t *key, *value;
    leat_window_t window; /* .type NONE: plain keys; else keys are leat_windowed_t (window.h) */
    bool on_close;        /* windows go on when they have closed */
    bool changes_only;    /* equal values do not go on; send_old is set then */
    int64_t idle_close_ms; /* windows; 0: time goes by records only */
    bool buffers;         /* the store holds what waits, no rows (suppress.h) */
    leat_store_opts_t opts;
    size_t local_offset; /* of leat__rows_local_t in the node's memory per task */
    leat_task_fn open;   /* the program's; NULL: none */
};

typedef struct leat__rows_local_t {
    leat_kv_t *kv; /* NULL: not materialized, or something of the following */
    leat_versions_t *versions;
    leat__store_t *windows;
    const char *topic; /* of windows: what serdes are told */
    bool cached;
} leat__rows_local_t;

/* ---- building ---- */

/**
 * Decide name and keeping of the store. operator_name: as given, NULL: generated. prefix:
 * "KTABLE-FILTER-". False: recorded.
 */
bool leat__rows_init(leat__rows_t *r, leat__graph_t *g, const char *call, leat__rows_kind_t kind,
    const leat_store_opts_t *opts, const char *operator_name, const char *prefix);
/** The store's name will be a generated one. */
bool leat__rows_unnamed(const leat_store_opts_t *opts, const char *operator_name);
/** force: keep rows if that is what it takes. False: old values will not be there. */
bool leat__rows_enable_old(leat__rows_t *r, bool force);
/** A node of another operator will look rows up (leat__rows_view): keep what that takes. */
void leat__rows_enable_view(leat__rows_t *r);
/** Rows that are looked up have a history: .history_ms of the store they stand in. */
bool leat__rows_versioned(const leat__rows_t *r);
/** While compiling: let a node look rows up. */
void leat__rows_connect(const leat__rows_t *r, leat__plan_t *plan, const char *node);
/** Options of the node that keeps the rows: their memory and open behind the program's own. */
void leat__rows_node(leat__rows_t *r, leat_node_opts_t *node);
/** Add the node and give a handle. r is operator_'s first member; opts NULL: none. */
leat_table_t *leat__rows_table(leat__graph_t *g, leat__rows_t *r, const char *name,
    leat__part_t *parent, leat_map_fn process, const leat_node_opts_t *opts);
void leat__rows_write(const leat__rows_t *r, leat__plan_t *plan, const char *node);

/* ---- running ---- */

/** Nothing to send on: the rows send changes only, and this is none. */
bool leat__rows_unchanged(leat_ctx_t *ctx, const leat__rows_t *r, const leat__change_t *change);

static inline leat__rows_local_t *leat__rows_local(leat_ctx_t *ctx, const leat__rows_t *r)
{
    return (leat__rows_local_t *)(void *)((char *)leat_local(ctx) + r->local_offset);
}

/** The value kept under in->key; NULL: none. */
const void *leat__rows_get(leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in);
/**
 * Look up the row of in->key of another operator's table, and call then() with it, exactly once if
 * nothing fails. A value that a function of the program makes lives on that function's stack only:
 * hence the call. The node that runs was connected by leat__rows_connect().
 */
void leat__rows_view(leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in,
    leat__row_fn then, void *data);
/** The same, but of versioned rows the one that was valid at in's time. */
void leat__rows_view_as_of(leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in,
    leat__row_fn then, void *data);
/** The value kept under a key, by the node that keeps the rows; *time_ms -1: none. */
const void *leat__rows_get_bytes(
    const leat__rows_local_t *local, leat_slice_t key, int64_t *time_ms);
/** Keep (if it keeps) and forward (if the cache does not) a change of the row in->key. */
void leat__rows_put(leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in,
    const void *now, const void *old, int64_t time_ms);
/** The same for rows that keep, with what the caller knows already. */
void leat__rows_put_bytes(leat_ctx_t *ctx, const leat__rows_t *r, const leat__rows_local_t *local,
    const leat_record_t *in, leat_slice_t key, const leat__change_t *change, int64_t time_ms);

#endif
