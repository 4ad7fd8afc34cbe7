/*
 * statestore/ttl.h: rows that are over: .ttl_ms of a timestamped key-value store.
 *
 * A row is over when its time is more than ttl_ms before the task's stream time. Stream time never
 * goes back, and is committed with the offsets of the input; so what a restart restores agrees with
 * what went before, without a word about it in the changelog. Reads leave such rows out (a
 * compare); nothing is written for them.
 *
 * Room is made beside the path of records, in proportion to what is written: a commit looks at a
 * few entries of a table in memory for each one it commits, a checkpoint at a few rows of the
 * backend for each one it writes, each going on where the last one stopped. In a steady state there
 * are at most about as many rows over as alive. Only committed time deletes (PROTOCOLS.md 10).
 * The changelog forgets by its retention.ms (runtime/internal_topics.c).
 */
#ifndef LEAT__STATESTORE_TTL_H
#define LEAT__STATESTORE_TTL_H

#include "statestore/inside.h"

static inline int64_t leat__ttl_before(const leat__store_t *s, int64_t clock_ms)
{
    return s->ttl_ms && clock_ms >= 0 ? clock_ms - s->ttl_ms : INT64_MIN;
}

/** Rows with an earlier time are over. */
static inline int64_t leat__ttl_alive(const leat__store_t *s)
{
    if (!s->ttl_ms)
        return INT64_MIN;
    return leat__ttl_before(
        s, s->as_committed && s->clock_committed_ms >= 0 ? s->clock_committed_ms : *s->clock_ms);
}

static inline int64_t leat__ttl_alive_committed(const leat__store_t *s)
{
    return leat__ttl_before(s, s->clock_committed_ms);
}

static inline bool leat__ttl_over(const leat__store_t *s, int64_t time_ms)
{
    return s->ttl_ms && time_ms < leat__ttl_alive(s);
}

/** Of a version of which only presence is known there is no time: not over. */
static inline bool leat__ttl_block_over(const leat__store_t *s, const leat__block_t *b)
{
    return b != &leat__block_some && leat__ttl_over(s, b->time_ms);
}

static inline void leat__ttl_committed(leat__store_t *s)
{
    if (s->ttl_ms)
        s->clock_committed_ms = *s->clock_ms;
}

/** How many rows are looked at for so many that are written. */
static inline size_t leat__ttl_rows(size_t written)
{
    return 2 * written + 64;
}

/** After a commit of so many entries: some that are over leave the table of a store in memory. */
void leat__ttl_forget(leat__store_t *s, size_t committed);

#endif
