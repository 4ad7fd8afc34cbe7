/*
 * statestore/queue.h: the rows of a key-value store in order of time: what waits in a buffer (suppress).
 *
 * The store holds everything and is logged, committed, aborted and restored as any other; the queue is
 * only an order over it, made anew when its node is opened. Each key waits once, at the time of its
 * first put: a later put changes the value, not the place. Rows go from the front only.
 */
#ifndef LEAT__STATESTORE_QUEUE_H
#define LEAT__STATESTORE_QUEUE_H

#include "statestore/store.h"

typedef struct leat__queue_t leat__queue_t;

/** What a row says of itself: since when it waits, and what it counts towards a limit. */
typedef void (*leat__queue_read_fn)(
    leat_slice_t key, leat_slice_t value, int64_t *time_ms, size_t *bytes);

/** [own: leat__queue_free] Of all rows that the store has now. */
leat__queue_t *leat__queue_new(leat__store_t *s, leat__queue_read_fn read);
void leat__queue_free(leat__queue_t *q);

/** The row of a key, borrowed until the next call on the store. False: it does not wait. */
bool leat__queue_find(leat__queue_t *q, leat_slice_t key, leat_slice_t *value);
/** Of a key that waits already, the new value must give the time of the old one. */
void leat__queue_put(leat__queue_t *q, leat_slice_t key, leat_slice_t value, int64_t time_ms,
    const leat_headers_t *headers);
/** The first by time, then by key. key: until pop; value: until the next call on the store. */
bool leat__queue_first(
    leat__queue_t *q, int64_t *time_ms, leat_slice_t *key, leat_slice_t *value);
void leat__queue_pop(leat__queue_t *q, int64_t time_ms); /* the first goes, from the store too */
size_t leat__queue_count(const leat__queue_t *q);
size_t leat__queue_bytes(const leat__queue_t *q);

#endif
