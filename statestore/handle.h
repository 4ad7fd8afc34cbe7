/*
 * statestore/handle.h: what the typed handles of a store have in common (typed.h).
 *
 * The handles of windows, sessions and versions are a leat_kv_t inside: the same serdes, owner and life;
 * only their verbs differ. An iterator walks either a cursor of keys or one of windows.
 */
#ifndef LEAT__STATESTORE_HANDLE_H
#define LEAT__STATESTORE_HANDLE_H

#include "statestore/ask.h"
#include "statestore/typed.h"

struct leat_kv_t {
    leat__store_t *store;   /* NULL: nil, unless there is a remote */
    leat__remote_t *remote; /* [keep: owner] reads go to the store's thread; NULL: it is ours */
    const leat_serde_t *key, *value;
    const char *topic; /* [own] */
    leat__owner_t *owner;
    bool value_flat; /* decoded values do not point into the bytes */
};

struct leat_windows_t {
    leat_kv_t h;
};

struct leat_sessions_t {
    leat_kv_t h;
};

struct leat_versions_t {
    leat_kv_t h;
};

static inline bool leat__handle_is_nil(const leat_kv_t *h)
{
    return !h->store && !h->remote;
}

void leat__handle_fail(const leat_kv_t *h, int code, const char *what, const char *text);
/* Before a verb: a store that other threads use is entered. */
static inline void leat__handle_enter(const leat_kv_t *h)
{
    if (h->owner && h->owner->enter)
        h->owner->enter(h->owner);
}
/* False: the owner only reads; said to it. */
bool leat__handle_writes(const leat_kv_t *h);
/* False: failed, or a nil store. */
bool leat__handle_key(const leat_kv_t *h, const void *key, leat_slice_t *bytes);
bool leat__handle_encode(const leat_kv_t *h, const void *value, bool is_key, leat_slice_t *bytes);
/* As the owner may keep it until its record is finished. */
const void *leat__handle_value(const leat_kv_t *h, leat_slice_t bytes);
void leat__handle_check(const leat_kv_t *h); /* says a failure of the backend */
void leat__handle_init(leat_kv_t *h, leat__store_t *store, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner);
leat_row_t *leat__handle_row(
    const leat_kv_t *h, const void *key, const leat__window_row_t *row); /* in the owner's scratch */
leat_iter_t *leat__iter_windows(const leat_kv_t *h, leat__window_cursor_t *cursor); /* adopts it */
leat_iter_t *leat__iter_nil(void);
/* Over a remote: the only row of a question, its value in the owner's scratch; all of them. */
bool leat__handle_ask(const leat_kv_t *h, const leat__ask_t *ask, leat__window_row_t *row);
leat_iter_t *leat__iter_remote(const leat_kv_t *h, const leat__ask_t *ask);

#endif
