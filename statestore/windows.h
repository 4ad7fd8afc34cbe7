/*
 * statestore/windows.h: window, session and versioned stores of one task, as bytes: what store.h is for
 * key-value ones. They are leat__store_t too: opened, flushed, committed, aborted, checkpointed and
 * restored by the verbs of store.h.
 *
 *   what the world sees:  {key}{start 8}{seq 4}    {key}{end 8}{start 8}    {key}   (changelog, listener)
 *   rows, by segment:     {segment 8} before it: time comes first in pieces of Kafka's segment length
 *   rows, by time:        {start 8}{key}{seq 4}    {end 8}{key}{start 8}    (memory; emit on close:
 *                                                  sessions by end, start, key there)
 *
 * Time first makes forgetting cheap: what a store no longer retains is one range from its beginning,
 * deleted with a checkpoint, from committed time (PROTOCOLS.md 10); no tombstone per window. Reads hide
 * it at once, with Kafka Streams' bounds; but what a cached store still holds in its buffer is seen, however old,
 * as in Kafka Streams. A store's time is the greatest start (session: end; versions:
 * valid from) ever put, refused ones included; it survives in the metadata, an abort takes it back.
 */
#ifndef LEAT__STATESTORE_WINDOWS_H
#define LEAT__STATESTORE_WINDOWS_H

#include "statestore/store.h"
#include "base/codec.h"

typedef struct leat__window_cursor_t leat__window_cursor_t;

typedef struct leat__window_row_t {
    leat_slice_t key;   /* the plain key */
    int64_t start_ms;   /* versions: valid from */
    int64_t end_ms;     /* windows: start + size (saturated); versions: valid to, INT64_MAX: the latest */
    uint32_t seq;       /* stores with duplicates; else 0 */
    leat_slice_t value; /* without its time; .data NULL: a version that says "deleted" */
    int64_t time_ms;    /* timestamped stores: the value's; versions: valid from; else -1 */
} leat__window_row_t;

/** Windows and sessions: kept for .retention_ms. */
static inline bool leat__store_has_retention(leat_store_kind_t kind)
{
    return kind == LEAT_WINDOWS || kind == LEAT_TIMESTAMPED_WINDOWS || kind == LEAT_SESSIONS;
}

/** The time of the store: greatest start (end) put so far; -1: none. */
int64_t leat__window_observed(const leat__store_t *s);

/* ---- windows: LEAT_WINDOWS, LEAT_TIMESTAMPED_WINDOWS ---- */

/** False: none, or no longer retained. Borrowed as by leat__store_get. With duplicates: of the first. */
bool leat__window_get(leat__store_t *s, leat_slice_t key, int64_t start_ms, leat_slice_t *value,
    int64_t *time_ms);
/**
 * value NULL deletes (with duplicates: stores nothing, but takes a number and writes a tombstone).
 * Logged and forwarded even when refused, as Kafka Streams does.
 * @return false: refused, the window is no longer retained (counted through hooks.dropped; cached
 *         stores are refused and counted at the flush, and return true)
 */
bool leat__window_put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value,
    int64_t start_ms, int64_t time_ms, const leat_headers_t *headers);
/** One key, by start and seq; both ends inclusive. Sees the store as it is now. */
leat__window_cursor_t *leat__window_fetch(
    leat__store_t *s, leat_slice_t key, int64_t from_ms, int64_t to_ms, leat_order_t order);
/** Keys of [from, to], .data NULL: open. In the order Kafka Streams has: by segment then key (RocksDB),
 *  by start then key (memory, and stores opened with .by_time). */
LEAT_API leat__window_cursor_t *leat__window_range(leat__store_t *s, leat_slice_t from, leat_slice_t to,
    int64_t from_ms, int64_t to_ms, leat_order_t order);
LEAT_API bool leat__window_next(leat__window_cursor_t *c, leat__window_row_t *row); /* row: until the next call */
/** The place of the last row in the order of the cursor, as bytes: what leat__store_t.behind takes. */
void leat__window_mark(const leat__window_cursor_t *c, leat__buf_t *mark);
LEAT_API void leat__window_close(leat__window_cursor_t *c);                         /* NULL: nothing */

/* ---- sessions: LEAT_SESSIONS ---- */

bool leat__session_get(leat__store_t *s, leat_slice_t key, int64_t start_ms, int64_t end_ms,
    leat_slice_t *value);
/** As leat__window_put; the session's end decides whether it is retained. */
bool leat__session_put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value,
    int64_t start_ms, int64_t end_ms, int64_t time_ms, const leat_headers_t *headers);
/** Sessions of keys [from, to] that end at end_from or later and start at start_to or earlier. One key
 *  (from equal to to): by end, then start, as Kafka Streams: RocksDB ascending starts, memory descending. */
LEAT_API leat__window_cursor_t *leat__session_find(leat__store_t *s, leat_slice_t from, leat_slice_t to,
    int64_t end_from_ms, int64_t start_to_ms, leat_order_t order);
/** All sessions whose end is in [from_ms, to_ms], by end (stores opened with .by_time, and memory). */
leat__window_cursor_t *leat__session_ended(leat__store_t *s, int64_t from_ms, int64_t to_ms);

/* ---- versions: LEAT_VERSIONS ---- */

/** The latest; false: none, or deleted. */
bool leat__versioned_get(leat__store_t *s, leat_slice_t key, leat__window_row_t *row);
/** The one that was valid at as_of_ms; false: none, deleted then, or out of the history. */
bool leat__versioned_as_of(
    leat__store_t *s, leat_slice_t key, int64_t as_of_ms, leat__window_row_t *row);
/**
 * value NULL: deleted from time_ms on. Logged even when refused.
 * @return valid to: INT64_MAX when it is the latest now; LEAT__VERSION_REFUSED: too old for the history
 */
#define LEAT__VERSION_REFUSED INT64_MIN
int64_t leat__versioned_put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value,
    int64_t time_ms, const leat_headers_t *headers);
/** Versions valid at some time of [from_ms, to_ms]; tombstones are left out. */
leat__window_cursor_t *leat__versioned_history(
    leat__store_t *s, leat_slice_t key, int64_t from_ms, int64_t to_ms, leat_order_t order);
/** The latest version of each key, in the order of keys. */
leat__window_cursor_t *leat__versioned_all(leat__store_t *s);
/** Every version that reads still see, in no useful order: for tests. */
LEAT_API leat__window_cursor_t *leat__versioned_rows(leat__store_t *s);

/**
 * What the store says to a record of its changelog: the value under that key, whatever the kind; of
 * versions the one valid at the record's time. False: none.
 */
bool leat__store_get_logged(leat__store_t *s, leat_slice_t key, int64_t record_ms,
    leat_slice_t *value, int64_t *time_ms);

/* ---- keys as changelog, flush listener (change->key) and topics have them ---- */

static inline bool leat__window_key_split(
    leat_slice_t bytes, leat_slice_t *key, int64_t *start_ms, uint32_t *seq)
{
    if (bytes.size < 12)
        return false;
    *key = (leat_slice_t){bytes.data, bytes.size - 12};
    *start_ms = (int64_t)leat__load_be64(bytes.data + key->size);
    if (seq)
        *seq = leat__load_be32(bytes.data + key->size + 8);
    return true;
}

static inline bool leat__session_key_split(
    leat_slice_t bytes, leat_slice_t *key, int64_t *start_ms, int64_t *end_ms)
{
    if (bytes.size < 16)
        return false;
    *key = (leat_slice_t){bytes.data, bytes.size - 16};
    *end_ms = (int64_t)leat__load_be64(bytes.data + key->size);
    *start_ms = (int64_t)leat__load_be64(bytes.data + key->size + 8);
    return true;
}

#endif
