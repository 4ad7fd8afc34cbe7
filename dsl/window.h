/*
 * dsl/window.h: folds over windows: what time windows (window_time.c), sliding windows (sliding.c)
 * and sessions (session.c) share.
 *
 *   record ─▶ the operator's own time ─▶ its windows ─▶ get ─▶ fn(a, b) ─▶ put, forward
 *                                                        (emit on close: put; emit.c forwards)
 *
 * Each operator keeps the highest time that it has seen, not the task's: a window is closed when
 * that time minus the grace has passed its end. Keys are encoded once per record; the store is used
 * as bytes (statestore/windows.h). Rows of windows are found by their leat_windowed_t.
 *
 * Counterpart in Kafka Streams: KStreamWindowAggregate and its two siblings.
 */
#ifndef LEAT__DSL_WINDOW_H
#define LEAT__DSL_WINDOW_H

#include "fold.h"
#include "idle.h"
#include "statestore/windows.h"

/* ---- building ---- */

/** A fold's .window and its companions, checked and copied into op. Before leat__rows_init. False:
 *  recorded. */
bool leat__window_take(leat__graph_t *g, const char *call, const char *name,
    const leat_fold_opts_t *opts, leat__fold_t *op);
/** Retention and size of the store, the windowed serde of the keys; nothing if there are no
 *  windows. After leat__rows_init. False: recorded. */
bool leat__window_store(leat__graph_t *g, const char *call, const char *name, leat__fold_t *op);
/** Processor, memory and open of the node. */
leat_map_fn leat__window_node(const leat__fold_t *op, leat_node_opts_t *node);
/** How long after its end a window of these rows may still change; -1: they are no windows. */
int64_t leat__rows_grace_ms(const leat__rows_t *r);

/* ---- rows.c's way to rows of windows ---- */

void leat__window_rows_write(const leat__rows_t *r, leat__plan_t *plan);
void leat__window_rows_open(leat_ctx_t *ctx, const leat__rows_t *r, leat__rows_local_t *local);
/** key: a leat_windowed_t. NULL: none. From any node that is connected to the store. */
const void *leat__window_rows_get(
    leat_ctx_t *ctx, const leat__rows_t *r, const void *key, int64_t *time_ms);

/* ---- running ---- */

/** Memory of the node per task, before that of its rows. */
typedef struct leat__window_local_t {
    int64_t observed_ms;      /* -1: nothing yet */
    int64_t closed_ms;        /* emit on close: windows up to this time have gone on; -1: none */
    int64_t next_emit_ms;     /* on the clock */
    int64_t emit_interval_ms; /* -1: updates are emitted */
    leat__idle_t idle;
} leat__window_local_t;

/** A record at work. */
typedef struct leat__windowing_t {
    const leat__fold_t *op;
    const leat__rows_local_t *rows;
    leat__window_local_t *local;
    const leat_record_t *in;
    leat_slice_t key;  /* of the record, as bytes */
    int64_t closed_ms; /* windows that end by then are closed: the operator's time minus grace */
} leat__windowing_t;

/** An aggregate as it stands in a window. value NULL: none. */
typedef struct leat__agg_t {
    const void *value;
    int64_t time_ms;
} leat__agg_t;

/** Operator, memory and time, also for a tick: in has no key and no value then. */
void leat__windowing_at(leat_ctx_t *ctx, const leat_record_t *in, leat__windowing_t *w);
/** Key and time of the record. False: dropped (no key) or failed. */
bool leat__windowing_start(leat_ctx_t *ctx, const leat_record_t *in, leat__windowing_t *w);
/** A stored value, independent of the store. */
const void *leat__windowing_decode(
    leat_ctx_t *ctx, const leat__windowing_t *w, leat_slice_t bytes);
bool leat__windowing_encode(
    leat_ctx_t *ctx, const leat__windowing_t *w, const void *value, leat_slice_t *bytes);
/** Fold the record's value into a window whose aggregate is `old`: put and forward. */
void leat__windowing_update(
    leat_ctx_t *ctx, const leat__windowing_t *w, int64_t start_ms, int64_t end_ms, leat__agg_t old);
/** What a fold makes of a (or what it starts from) and the record's value. */
void leat__windowing_fold(leat_ctx_t *ctx, const leat__windowing_t *w, const void *a,
    leat__emit_fn then, void *data);
/** Send a change of a window on, unless windows go on when they close or the cache does it. */
void leat__windowing_forward(leat_ctx_t *ctx, const leat__windowing_t *w,
    const leat_windowed_t *window, const leat__change_t *change, int64_t time_ms,
    const leat_headers_t *headers);
void leat__windowing_late(leat_ctx_t *ctx);

/** After a record: if it is time, send on what has closed (emit.c). */
void leat__window_emit(leat_ctx_t *ctx, const leat__windowing_t *w);
void leat__window_emit_open(leat_ctx_t *ctx, const leat__rows_t *r, leat__window_local_t *local);

void leat__time_window_process(leat_ctx_t *ctx, const leat_record_t *in);
void leat__sliding_process(leat_ctx_t *ctx, const leat_record_t *in);
void leat__session_process(leat_ctx_t *ctx, const leat_record_t *in);

/** First window that holds time_ms; hopping and tumbling. */
static inline int64_t leat__window_first(const leat_window_t *w, int64_t time_ms)
{
    int64_t from_ms = time_ms - w->size_ms + w->advance_ms;

    return (from_ms > 0 ? from_ms : 0) / w->advance_ms * w->advance_ms;
}

static inline int64_t leat__time_add(int64_t a_ms, int64_t b_ms) /* b_ms >= 0 */
{
    return a_ms > INT64_MAX - b_ms ? INT64_MAX : a_ms + b_ms;
}

#endif
