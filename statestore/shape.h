/*
 * statestore/shape.h: how keys of window, session and versioned stores lie in the table and the backend.
 *
 *   LEAT__SEGMENTS   {segment 8}{key}{start 8}{seq 4}      {segment 8}{key}{end 8}{start 8}
 *     its index      0xfe {TIMES}                        0xfe {end ^ 8}{start ^ 8}{key}
 *   LEAT__TIMES      {start ^ 8}{key}{seq 4}               {end ^ 8}{key}{~start ^ 8}
 *   LEAT__HISTORY    {segment of valid to 8}{key}{valid to 8}    the latest: 0xfd {key}
 *
 * ^: the sign bit turned round, so that bytes sort as numbers do. Segments are numbers >= 0, so nothing
 * of them meets 0xfd or 0xfe. What is forgotten lies below one point of this order (leat__shape_dead),
 * in an index below another. The world's form of a key is Kafka Streams' (windows.h).
 */
#ifndef LEAT__STATESTORE_SHAPE_H
#define LEAT__STATESTORE_SHAPE_H

#include "statestore/inside.h"
#include "statestore/windows.h"

enum { LEAT__INDEX = 0xfe, LEAT__LATEST = 0xfd };

typedef struct leat__window_at_t { /* which row of a key */
    int64_t start_ms;
    int64_t end_ms; /* sessions */
    uint32_t seq;
} leat__window_at_t;

int leat__shape_open(leat__store_t *s, const leat__store_def_t *def, leat_error_t *err);
void leat__shape_close(leat__store_t *s);

/* The key of a row; in room until its next use. */
leat_slice_t leat__shape_key(
    const leat__store_t *s, leat_slice_t key, const leat__window_at_t *at, leat__buf_t *room);
leat_slice_t leat__shape_index(
    const leat__store_t *s, leat_slice_t key, const leat__window_at_t *at, leat__buf_t *room);
/* False: damaged. */
bool leat__shape_split(
    const leat__store_t *s, leat_slice_t row_key, leat_slice_t *key, leat__window_at_t *at);
bool leat__shape_split_index(
    const leat__store_t *s, leat_slice_t row_key, leat_slice_t *key, leat__window_at_t *at);
/* From and to the world's form. */
bool leat__shape_parse(
    const leat__store_t *s, leat_slice_t world, leat_slice_t *key, leat__window_at_t *at);
leat_slice_t leat__world_key(const leat__store_t *s, leat_slice_t row_key, leat__buf_t *room);

/* A cursor of windows.h, to be filled by versioned.c: with rows of `key` (NULL: none), or with a part. */
leat__window_cursor_t *leat__window_cursor_new(leat__store_t *s, leat_slice_t key);
void leat__window_cursor_add(leat__window_cursor_t *c, const leat__window_at_t *at,
    leat_slice_t value, int64_t time_ms);
void leat__window_cursor_free(leat__window_cursor_t *c); /* one that is closed */
void leat__window_cursor_turn(leat__window_cursor_t *c);
void leat__window_cursor_cut(leat__window_cursor_t *c); /* rows up to the mark of a question */
void leat__window_cursor_part(leat__window_cursor_t *c, leat_slice_t from, leat_slice_t until);
/* A row of such a part. False: nothing to show. */
bool leat__versioned_row(
    const leat__store_t *s, leat_slice_t row_key, leat_slice_t row, int64_t time_ms, leat__window_row_t *out);

/* Rows whose key is below this are forgotten when the store's time is observed_ms. NULL: none are. */
leat_slice_t leat__shape_dead(const leat__store_t *s, int64_t observed_ms, char room[8]);

/* Made, if they are not there yet. */
leat__order_t *leat__shape_order(leat__store_t *s);
leat__runs_t *leat__shape_runs(leat__store_t *s);
void leat__shape_observe(leat__store_t *s, int64_t time_ms);
void leat__shape_committed(leat__store_t *s);
void leat__shape_forget(leat__store_t *s); /* after a commit: dead rows in memory go */
void leat__shape_aborted(leat__store_t *s);
/** After an abort or a restore: the cache shows no forgotten rows any more. */
void leat__shape_drop_dead(leat__store_t *s);
/** A cached entry is about to be flushed. False: the store beneath refuses it. */
bool leat__shape_flushed(leat__store_t *s, const leat__entry_t *e);
/** A cache holds the row: then it is seen however old, as in Kafka Streams, until it is evicted. */
bool leat__shape_held(const leat__store_t *s, leat_slice_t row_key);
bool leat__shape_entry_hidden(const leat__store_t *s, const leat__entry_t *e);
/** LEAT__SEGMENTS: no reader looks for it any more, unless a cache shows it: checkpoints leave it out. */
bool leat__shape_entry_gone(const leat__store_t *s, const leat__entry_t *e);
bool leat__shape_entry_before(const leat__store_t *s, const leat__entry_t *e, int64_t time_ms);
/** A read from time_ms on: such rows stay in the table, as far as there is room. */
static inline void leat__shape_looks_back(leat__store_t *s, int64_t time_ms)
{
    int64_t back_ms = s->observed_ms - (time_ms > 0 ? time_ms : 0);
    if (back_ms > s->back_ms && !s->as_committed)
        s->back_ms = back_ms;
}

/** With each checkpoint: how far back reads have gone of late, and a quarter more. */
void leat__shape_cool(leat__store_t *s);
/** It leaves the table, although the backend may have a row of its key. */
void leat__shape_leaves(leat__store_t *s, const leat__entry_t *e);

static inline int64_t leat__shape_time(const leat__store_t *s, const leat__window_at_t *at)
{
    return s->sessions ? at->end_ms : at->start_ms;
}

static inline uint64_t leat__shape_segment(const leat__store_t *s, int64_t time_ms)
{
    return time_ms < 0 ? 0 : (uint64_t)(time_ms / s->segment_ms);
}

/* The start of the oldest segment that lives. */
static inline int64_t leat__shape_live(const leat__store_t *s, int64_t observed_ms)
{
    int64_t gone_ms = observed_ms - s->retention_ms;
    return gone_ms < 0 ? INT64_MIN : gone_ms / s->segment_ms * s->segment_ms;
}

/* The first time that reads still see. Of windows that go on when they close, one more, as in Kafka
 * Streams: the window that the newest one has just closed is of this age. */
static inline int64_t leat__shape_bound(const leat__store_t *s)
{
    return s->observed_ms - s->retention_ms + (s->indexed && !s->sessions ? 0 : 1);
}

static inline bool leat__shape_hidden(const leat__store_t *s, int64_t time_ms)
{
    return time_ms < leat__shape_bound(s);
}

/* Nobody looks for rows of an earlier time, but for what a cache still holds. */
static inline int64_t leat__shape_gone(const leat__store_t *s, int64_t observed_ms)
{
    return s->indexed ? leat__shape_live(s, observed_ms) : observed_ms - s->retention_ms + 1;
}

/* Kafka Streams' segments live as a whole, its windows in memory each for itself. */
static inline bool leat__shape_refuses(const leat__store_t *s, int64_t time_ms)
{
    if (s->shape == LEAT__TIMES)
        return leat__shape_hidden(s, time_ms);
    return time_ms / s->segment_ms < (s->observed_ms - s->retention_ms) / s->segment_ms;
}

static inline uint64_t leat__turned(int64_t n)
{
    return (uint64_t)n ^ (UINT64_C(1) << 63);
}

#endif
