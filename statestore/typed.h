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
#include "windows.h"
#include "base/codec.h"

typedef struct leat__owner_t leat__owner_t;
struct leat__owner_t {
    void (*fail)(leat__owner_t *o, int code, const char *text); /* sticky at the owner's */
    leat__arena_t *scratch;
    int64_t time_ms;                /* of writes: the record's, or the tick's */
    const leat_headers_t *headers;
    leat_iter_t *iterators;         /* open ones; closed by leat__owner_finish */
    void (*enter)(leat__owner_t *o); /* before each use of a store that other threads use; NULL */
    bool read_only;                 /* writing fails with LEAT_EUNSUPPORTED */
};
LEAT_API void leat__owner_finish(leat__owner_t *o); /* the record is finished: closes iterators */

/**
 * [own: leat__kv_free] store NULL: a nil store that absorbs calls. topic: what serdes are told, the
 * changelog's.
 */
LEAT_API leat_kv_t *leat__kv_new(leat__store_t *store, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner);
LEAT_API void leat__kv_free(leat_kv_t *kv);
LEAT_API leat_kv_t *leat__kv_nil(leat__owner_t *owner); /* static storage */

/** get + time in one, for folds: value decoded into scratch, *time_ms -1 when there is none. */
const void *leat__kv_get_timed(const leat_kv_t *kv, const void *key, int64_t *time_ms);
/* The same three with the key's bytes known already: no encoding. */
const void *leat__kv_get_bytes(const leat_kv_t *kv, leat_slice_t key, int64_t *time_ms);
void leat__kv_put_bytes(leat_kv_t *kv, leat_slice_t key, const void *value, int64_t time_ms);

/**
 * Handles whose reads are carried over by a remote (ask.h) [keep]; freed as their own kinds are.
 * Writes through them do nothing.
 */
struct leat__remote_t;
leat_kv_t *leat__kv_remote(struct leat__remote_t *remote, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner);
leat_windows_t *leat__windows_remote(struct leat__remote_t *remote, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner);
leat_sessions_t *leat__sessions_remote(struct leat__remote_t *remote, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner);
leat_versions_t *leat__versions_remote(struct leat__remote_t *remote, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner);

/* ---- windows, sessions, versions: handles with the same life as a leat_kv_t ----
 *
 * The _bytes verbs take the plain key's bytes; values are the C type of the value serde. */

LEAT_API leat_windows_t *leat__windows_new(leat__store_t *store, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner);
void leat__windows_free(leat_windows_t *w);
LEAT_API leat_windows_t *leat__windows_nil(leat__owner_t *owner);
const void *leat__windows_get_bytes(
    const leat_windows_t *w, leat_slice_t key, int64_t start_ms, int64_t *time_ms);
/* False: refused (leat__window_put). */
bool leat__windows_put_bytes(
    leat_windows_t *w, leat_slice_t key, const void *value, int64_t start_ms, int64_t time_ms);

LEAT_API leat_sessions_t *leat__sessions_new(leat__store_t *store, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner);
void leat__sessions_free(leat_sessions_t *s);
LEAT_API leat_sessions_t *leat__sessions_nil(leat__owner_t *owner);
const void *leat__sessions_get_bytes(
    const leat_sessions_t *s, leat_slice_t key, int64_t start_ms, int64_t end_ms);
bool leat__sessions_put_bytes(leat_sessions_t *s, leat_slice_t key, const void *value,
    int64_t start_ms, int64_t end_ms, int64_t time_ms);

LEAT_API leat_versions_t *leat__versions_new(leat__store_t *store, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner);
void leat__versions_free(leat_versions_t *v);
LEAT_API leat_versions_t *leat__versions_nil(leat__owner_t *owner);
/* *time_ms: valid from; -1: none. */
const void *leat__versions_get_bytes(const leat_versions_t *v, leat_slice_t key, int64_t *time_ms);
const void *leat__versions_as_of_bytes(
    const leat_versions_t *v, leat_slice_t key, int64_t as_of_ms, int64_t *time_ms);
/* Valid to; INT64_MAX: the latest; LEAT__VERSION_REFUSED. */
int64_t leat__versions_put_bytes(
    leat_versions_t *v, leat_slice_t key, const void *value, int64_t time_ms);

#endif
