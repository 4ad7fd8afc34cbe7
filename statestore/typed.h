/*
 * statestore/typed.h: the typed verbs of leat/store.h over a leat__store_t, and whom they answer
 * to.
 *
 * Whoever opens a store is its owner: a processor of a task, a query, the test driver. Values that
 * a verb returns are copied into the owner's scratch, so they outlive later writes to the same
 * store within the record. An iterator decodes each row into an arena of its own, which the next
 * row reuses.
 */
#ifndef LEAT__STATESTORE_TYPED_H
#define LEAT__STATESTORE_TYPED_H

#include "store.h"
#include "base/codec.h"

typedef struct leat__owner_t leat__owner_t;
struct leat__owner_t {
    void (*fail)(leat__owner_t *o, int code, const char *text); /* sticky at the owner's */
    leat__arena_t *scratch;
    int64_t time_ms;                /* of writes: the record's, or the tick's */
    const leat_headers_t *headers;
    leat_iter_t *iterators;         /* open ones; closed by leat__owner_finish */
};
LEAT_API void leat__owner_finish(leat__owner_t *o); /* the record is finished: closes iterators */

/**
 * [own: leat__kv_free] store NULL: a nil store that absorbs calls. topic: what serdes are told, the
 * changelog's.
 */
LEAT_API leat_kv_t *leat__kv_new(leat__store_t *store, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner);
LEAT_API void leat__kv_free(leat_kv_t *kv);
leat__store_t *leat__kv_store(const leat_kv_t *kv);
const leat_serde_t *leat__kv_key_serde(const leat_kv_t *kv);
const leat_serde_t *leat__kv_value_serde(const leat_kv_t *kv);
LEAT_API leat_kv_t *leat__kv_nil(leat__owner_t *owner); /* static storage */

/** get + time in one, for folds: value decoded into scratch, *time_ms -1 when there is none. */
const void *leat__kv_get_timed(const leat_kv_t *kv, const void *key, int64_t *time_ms);
/* The same three with the key's bytes known already: no encoding. */
const void *leat__kv_get_bytes(const leat_kv_t *kv, leat_slice_t key, int64_t *time_ms);
void leat__kv_put_bytes(leat_kv_t *kv, leat_slice_t key, const void *value, int64_t time_ms);

#endif
