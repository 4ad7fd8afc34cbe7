/*
 * dsl/stream_join_inside.h: two streams joined: what building (stream_join.c), the two sides
 * (stream_join_run.c), what stays unmatched (stream_join_rest.c) and the self-join
 * (stream_join_self.c) share.
 *
 *   left  ─▶ window (keeps left)  ─▶ join-this  (looks into right) ─┐
 *                                                                   ├▶ merge ─▶
 *   right ─▶ window (keeps right) ─▶ join-other (looks into left)  ─┘
 *
 * Both joining nodes share one clock per task, the highest time that either has seen, and, if a
 * side stays without a match, one store of what has none yet.
 */
#ifndef LEAT__DSL_STREAM_JOIN_INSIDE_H
#define LEAT__DSL_STREAM_JOIN_INSIDE_H

#include "base/codec.h"
#include "statestore/windows.h"
#include "stream_join.h"

typedef struct leat__stream_join_t leat__stream_join_t;

typedef struct leat__join_side_t { /* the data of a node; index 0: left */
    const leat__stream_join_t *join;
    int index;
} leat__join_side_t;

struct leat__stream_join_t {
    leat__joiner_t joiner;
    leat_join_window_t window;
    bool keeps[2];   /* records of this side go on without a match */
    bool wait_grace; /* those wait for the grace too, when their window has passed already */
    const leat_serde_t *key, *values[2];
    const char *stores[2], *rest; /* rest: of what has no match yet; NULL: an inner join */
    bool generated;               /* the stores' names */
    leat_store_opts_t opts[2], rest_opts;
    leat__join_side_t windows[2], sides[2];
};

typedef struct leat__join_clock_t {
    int64_t time_ms;      /* highest of both sides; -1 */
    int64_t min_ms;       /* no rest is older; INT64_MAX: not known */
    int64_t next_look_ms; /* on the wall clock */
    int64_t interval_ms;
} leat__join_clock_t;

typedef struct leat__join_local_t {
    leat__join_clock_t own; /* used by the left side and by self-joins only */
    leat__join_clock_t *clock;
    leat__store_t *windows; /* that the node puts into or looks into */
    leat__store_t *rest;
    const char *topic, *rest_topic; /* what serdes are told */
} leat__join_local_t;

/** How far a record of a side looks back and ahead. */
static inline int64_t leat__join_before(const leat__join_side_t *side)
{
    return side->index ? side->join->window.after_ms : side->join->window.before_ms;
}

static inline int64_t leat__join_after(const leat__join_side_t *side)
{
    return side->index ? side->join->window.before_ms : side->join->window.after_ms;
}

/** a_ms, which is not negative, plus something. */
static inline int64_t leat__join_add(int64_t a_ms, int64_t plus_ms)
{
    int64_t sum_ms;

    return __builtin_add_overflow(a_ms, plus_ms, &sum_ms) ? INT64_MAX : sum_ms;
}

/** The same within the times that a record may have. */
static inline int64_t leat__join_time(int64_t a_ms, int64_t plus_ms)
{
    int64_t sum_ms = leat__join_add(a_ms, plus_ms);

    return sum_ms < 0 ? 0 : sum_ms;
}

/* ---- processors, and what opens their nodes ---- */

void leat__join_window_open(leat_ctx_t *ctx);
void leat__join_window_process(leat_ctx_t *ctx, const leat_record_t *in);
void leat__join_open(leat_ctx_t *ctx);
void leat__join_process(leat_ctx_t *ctx, const leat_record_t *in);
void leat__self_join_open(leat_ctx_t *ctx);
void leat__self_join_process(leat_ctx_t *ctx, const leat_record_t *in);

/* ---- shared by them ---- */

/** Key and value are there; else the record is dropped. */
bool leat__join_takes(leat_ctx_t *ctx, const leat_record_t *in);
/** A value kept by a side; bytes need not outlive the call. */
const void *leat__join_decode(leat_ctx_t *ctx, const leat__stream_join_t *join, int index,
    const char *topic, leat_slice_t bytes);
bool leat__join_encode(leat_ctx_t *ctx, const leat__stream_join_t *join, int index,
    const char *topic, const leat_record_t *in, leat_slice_t *bytes);
/** What is kept of one side meets the record: mine is of side `index`. */
void leat__join_pair(leat_ctx_t *ctx, const leat__stream_join_t *join, int index,
    const leat_record_t *in, const void *mine, const void *other, int64_t time_ms);

/* ---- what has no match (yet) ---- */

void leat__join_rest_add(leat_ctx_t *ctx, const leat__join_side_t *side,
    const leat__join_local_t *local, const leat_record_t *in, leat_slice_t key);
/** A record of the other side at other_ms has a match now. */
void leat__join_rest_remove(leat_ctx_t *ctx, const leat__join_side_t *side,
    const leat__join_local_t *local, const leat_record_t *in, leat_slice_t key, int64_t other_ms);
/** Send on what can have no match any more, if it is time to look. */
void leat__join_rest_emit(leat_ctx_t *ctx, const leat__join_side_t *side,
    const leat__join_local_t *local, const leat_record_t *in);

#endif
