/*
 * statestore/typed_windows.c: the verbs of leat/store.h on window, session and versioned stores.
 *
 * As typed.c: encode the key, work on bytes, decode what comes back into the owner's scratch.
 */
#include "statestore/handle.h"

#include "base/mem.h"

static void release(leat_kv_t *h, void *handle)
{
    if (!h || (!h->store && !h->topic))
        return;
    leat__free((void *)(uintptr_t)h->topic);
    leat__free(handle);
}

leat_row_t *leat__handle_row(const leat_kv_t *h, const void *key, const leat__window_row_t *found)
{
    const void *value = leat__handle_value(h, found->value);
    if (!value)
        return NULL;
    leat_row_t *row = leat__arena_alloc(h->owner->scratch, sizeof *row);
    *row = (leat_row_t){
        .key = key,
        .value = value,
        .time_ms = found->time_ms,
        .start_ms = found->start_ms,
        .end_ms = found->end_ms,
    };
    return row;
}

/* Both ends of a range of keys; NULL: open. */
static bool key_range(const leat_kv_t *h, const void *from, const void *to, leat_slice_t bytes[2])
{
    bytes[0] = bytes[1] = (leat_slice_t){NULL, 0};
    leat__handle_enter(h);
    return !leat__handle_is_nil(h) && (!from || leat__handle_encode(h, from, true, &bytes[0])) &&
           (!to || leat__handle_encode(h, to, true, &bytes[1]));
}

/* The value of the only row; NULL: none. */
static const void *ask_value(const leat_kv_t *h, const leat__ask_t *ask, int64_t *time_ms)
{
    leat__window_row_t row;
    if (!leat__handle_ask(h, ask, &row))
        return NULL;
    *time_ms = row.time_ms;
    return leat__handle_value(h, row.value);
}

static const leat_row_t *ask_row(const leat_kv_t *h, const void *key, const leat__ask_t *ask)
{
    leat__window_row_t row;
    return leat__handle_ask(h, ask, &row) ? leat__handle_row(h, key, &row) : NULL;
}

/* ---- windows ---- */

leat_windows_t *leat__windows_new(leat__store_t *store, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner)
{
    leat_windows_t *w = leat__must_alloc(sizeof *w);
    leat__handle_init(&w->h, store, key, value, topic, owner);
    return w;
}

leat_windows_t *leat__windows_remote(leat__remote_t *remote, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner)
{
    leat_windows_t *w = leat__windows_new(NULL, key, value, topic, owner);
    w->h.remote = remote;
    return w;
}

void leat__windows_free(leat_windows_t *w)
{
    if (w)
        release(&w->h, w);
}

leat_windows_t *leat__windows_nil(leat__owner_t *owner)
{
    static leat_windows_t nil;
    (void)owner;
    return &nil;
}

const void *leat__windows_get_bytes(
    const leat_windows_t *w, leat_slice_t key, int64_t start_ms, int64_t *time_ms)
{
    leat_slice_t value;
    *time_ms = -1;
    if (w->h.remote)
        return ask_value(&w->h,
            &(leat__ask_t){.verb = LEAT__ASK_WINDOW, .from = key, .from_ms = start_ms}, time_ms);
    if (!w->h.store)
        return NULL;
    if (leat__window_get(w->h.store, key, start_ms, &value, time_ms))
        return leat__handle_value(&w->h, value);
    leat__handle_check(&w->h);
    return NULL;
}

bool leat__windows_put_bytes(
    leat_windows_t *w, leat_slice_t key, const void *value, int64_t start_ms, int64_t time_ms)
{
    leat_slice_t bytes;
    if (!w->h.store || !leat__handle_writes(&w->h) ||
        (value && !leat__handle_encode(&w->h, value, false, &bytes)))
        return false;
    return leat__window_put(
        w->h.store, key, value ? &bytes : NULL, start_ms, time_ms, w->h.owner->headers);
}

const void *leat_windows_get(const leat_windows_t *s, const void *key, int64_t start_ms)
{
    leat_slice_t bytes;
    int64_t time_ms;
    return leat__handle_key(&s->h, key, &bytes)
               ? leat__windows_get_bytes(s, bytes, start_ms, &time_ms)
               : NULL;
}

const leat_row_t *leat_windows_row(const leat_windows_t *s, const void *key, int64_t start_ms)
{
    leat_slice_t bytes;
    leat__window_row_t row;
    if (!leat__handle_key(&s->h, key, &bytes))
        return NULL;
    if (s->h.remote)
        return ask_row(&s->h, key,
            &(leat__ask_t){.verb = LEAT__ASK_WINDOW, .from = bytes, .from_ms = start_ms});
    leat__window_cursor_t *c =
        leat__window_fetch(s->h.store, bytes, start_ms, start_ms, LEAT_ASCENDING);
    const leat_row_t *found =
        leat__window_next(c, &row) ? leat__handle_row(&s->h, key, &row) : NULL;
    leat__window_close(c);
    leat__handle_check(&s->h);
    return found;
}

leat_iter_t *leat_windows_fetch(const leat_windows_t *s, const void *key, int64_t from_ms,
    int64_t to_ms, leat_order_t order)
{
    leat_slice_t bytes;
    if (!leat__handle_key(&s->h, key, &bytes))
        return leat__iter_nil();
    if (s->h.remote)
        return leat__iter_remote(&s->h, &(leat__ask_t){.verb = LEAT__ASK_WINDOWS,
                                            .from = bytes,
                                            .to = bytes,
                                            .from_ms = from_ms,
                                            .to_ms = to_ms,
                                            .order = order});
    return leat__iter_windows(
        &s->h, leat__window_fetch(s->h.store, bytes, from_ms, to_ms, order));
}

leat_iter_t *leat_windows_range(const leat_windows_t *s, const void *from, const void *to,
    int64_t from_ms, int64_t to_ms, leat_order_t order)
{
    leat_slice_t keys[2];
    if (!key_range(&s->h, from, to, keys))
        return leat__iter_nil();
    if (s->h.remote)
        return leat__iter_remote(&s->h, &(leat__ask_t){.verb = LEAT__ASK_WINDOWS,
                                            .from = keys[0],
                                            .to = keys[1],
                                            .from_ms = from_ms,
                                            .to_ms = to_ms,
                                            .order = order});
    return leat__iter_windows(
        &s->h, leat__window_range(s->h.store, keys[0], keys[1], from_ms, to_ms, order));
}

void leat_windows_put_at(
    leat_windows_t *s, const void *key, const void *value, int64_t start_ms, int64_t time_ms)
{
    leat_slice_t bytes;
    if (leat__handle_key(&s->h, key, &bytes))
        leat__windows_put_bytes(s, bytes, value, start_ms, value ? time_ms : s->h.owner->time_ms);
}

void leat_windows_put(leat_windows_t *s, const void *key, const void *value, int64_t start_ms)
{
    if (s->h.store)
        leat_windows_put_at(s, key, value, start_ms, s->h.owner->time_ms);
}

/* ---- sessions ---- */

leat_sessions_t *leat__sessions_new(leat__store_t *store, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner)
{
    leat_sessions_t *s = leat__must_alloc(sizeof *s);
    leat__handle_init(&s->h, store, key, value, topic, owner);
    return s;
}

leat_sessions_t *leat__sessions_remote(leat__remote_t *remote, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner)
{
    leat_sessions_t *s = leat__sessions_new(NULL, key, value, topic, owner);
    s->h.remote = remote;
    return s;
}

void leat__sessions_free(leat_sessions_t *s)
{
    if (s)
        release(&s->h, s);
}

leat_sessions_t *leat__sessions_nil(leat__owner_t *owner)
{
    static leat_sessions_t nil;
    (void)owner;
    return &nil;
}

const void *leat__sessions_get_bytes(
    const leat_sessions_t *s, leat_slice_t key, int64_t start_ms, int64_t end_ms)
{
    leat_slice_t value;
    int64_t time_ms;
    if (s->h.remote)
        return ask_value(&s->h,
            &(leat__ask_t){
                .verb = LEAT__ASK_SESSION, .from = key, .from_ms = start_ms, .to_ms = end_ms},
            &time_ms);
    if (!s->h.store)
        return NULL;
    if (leat__session_get(s->h.store, key, start_ms, end_ms, &value))
        return leat__handle_value(&s->h, value);
    leat__handle_check(&s->h);
    return NULL;
}

bool leat__sessions_put_bytes(leat_sessions_t *s, leat_slice_t key, const void *value,
    int64_t start_ms, int64_t end_ms, int64_t time_ms)
{
    leat_slice_t bytes;
    if (!s->h.store || !leat__handle_writes(&s->h) ||
        (value && !leat__handle_encode(&s->h, value, false, &bytes)))
        return false;
    return leat__session_put(
        s->h.store, key, value ? &bytes : NULL, start_ms, end_ms, time_ms, s->h.owner->headers);
}

const void *leat_sessions_get(
    const leat_sessions_t *s, const void *key, int64_t start_ms, int64_t end_ms)
{
    leat_slice_t bytes;
    return leat__handle_key(&s->h, key, &bytes)
               ? leat__sessions_get_bytes(s, bytes, start_ms, end_ms)
               : NULL;
}

leat_iter_t *leat_sessions_find(const leat_sessions_t *s, const void *from, const void *to,
    int64_t end_from_ms, int64_t start_to_ms, leat_order_t order)
{
    leat_slice_t keys[2];
    if (!key_range(&s->h, from, to, keys))
        return leat__iter_nil();
    if (s->h.remote)
        return leat__iter_remote(&s->h, &(leat__ask_t){.verb = LEAT__ASK_SESSIONS,
                                            .from = keys[0],
                                            .to = keys[1],
                                            .from_ms = end_from_ms,
                                            .to_ms = start_to_ms,
                                            .order = order});
    return leat__iter_windows(
        &s->h, leat__session_find(s->h.store, keys[0], keys[1], end_from_ms, start_to_ms, order));
}

void leat_sessions_put(
    leat_sessions_t *s, const void *key, const void *value, int64_t start_ms, int64_t end_ms)
{
    leat_slice_t bytes;
    if (leat__handle_key(&s->h, key, &bytes))
        leat__sessions_put_bytes(s, bytes, value, start_ms, end_ms, s->h.owner->time_ms);
}

/* ---- versions ---- */

leat_versions_t *leat__versions_new(leat__store_t *store, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner)
{
    leat_versions_t *v = leat__must_alloc(sizeof *v);
    leat__handle_init(&v->h, store, key, value, topic, owner);
    return v;
}

leat_versions_t *leat__versions_remote(leat__remote_t *remote, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner)
{
    leat_versions_t *v = leat__versions_new(NULL, key, value, topic, owner);
    v->h.remote = remote;
    return v;
}

void leat__versions_free(leat_versions_t *v)
{
    if (v)
        release(&v->h, v);
}

leat_versions_t *leat__versions_nil(leat__owner_t *owner)
{
    static leat_versions_t nil;
    (void)owner;
    return &nil;
}

static bool find(const leat_kv_t *h, leat_slice_t key, const int64_t *as_of_ms, leat__window_row_t *row)
{
    if (h->remote)
        return leat__handle_ask(h,
            &(leat__ask_t){.verb = as_of_ms ? LEAT__ASK_AS_OF : LEAT__ASK_VERSION,
                .from = key,
                .from_ms = as_of_ms ? *as_of_ms : 0},
            row);
    bool found = as_of_ms ? leat__versioned_as_of(h->store, key, *as_of_ms, row)
                          : leat__versioned_get(h->store, key, row);
    if (!found)
        leat__handle_check(h);
    return found;
}

static const void *find_value(
    const leat_versions_t *v, leat_slice_t key, const int64_t *as_of_ms, int64_t *time_ms)
{
    leat__window_row_t row;
    *time_ms = -1;
    if (leat__handle_is_nil(&v->h) || !find(&v->h, key, as_of_ms, &row))
        return NULL;
    *time_ms = row.time_ms;
    return leat__handle_value(&v->h, row.value);
}

const void *leat__versions_get_bytes(const leat_versions_t *v, leat_slice_t key, int64_t *time_ms)
{
    return find_value(v, key, NULL, time_ms);
}

const void *leat__versions_as_of_bytes(
    const leat_versions_t *v, leat_slice_t key, int64_t as_of_ms, int64_t *time_ms)
{
    return find_value(v, key, &as_of_ms, time_ms);
}

int64_t leat__versions_put_bytes(
    leat_versions_t *v, leat_slice_t key, const void *value, int64_t time_ms)
{
    leat_slice_t bytes;
    if (!v->h.store || !leat__handle_writes(&v->h) ||
        (value && !leat__handle_encode(&v->h, value, false, &bytes)))
        return LEAT__VERSION_REFUSED;
    return leat__versioned_put(v->h.store, key, value ? &bytes : NULL, time_ms, v->h.owner->headers);
}

static const leat_row_t *find_row(
    const leat_versions_t *v, const void *key, const int64_t *as_of_ms)
{
    leat_slice_t bytes;
    leat__window_row_t row;
    if (!leat__handle_key(&v->h, key, &bytes) || !find(&v->h, bytes, as_of_ms, &row))
        return NULL;
    return leat__handle_row(&v->h, key, &row);
}

const leat_row_t *leat_versions_get(const leat_versions_t *s, const void *key)
{
    return find_row(s, key, NULL);
}

const leat_row_t *leat_versions_as_of(const leat_versions_t *s, const void *key, int64_t time_ms)
{
    return find_row(s, key, &time_ms);
}

leat_iter_t *leat_versions_history(const leat_versions_t *s, const void *key, int64_t from_ms,
    int64_t to_ms, leat_order_t order)
{
    leat_slice_t bytes;
    if (!leat__handle_key(&s->h, key, &bytes))
        return leat__iter_nil();
    if (s->h.remote)
        return leat__iter_remote(&s->h, &(leat__ask_t){.verb = LEAT__ASK_HISTORY,
                                            .from = bytes,
                                            .from_ms = from_ms,
                                            .to_ms = to_ms,
                                            .order = order});
    return leat__iter_windows(
        &s->h, leat__versioned_history(s->h.store, bytes, from_ms, to_ms, order));
}

bool leat_versions_put(leat_versions_t *s, const void *key, const void *value, int64_t time_ms)
{
    leat_slice_t bytes;
    return leat__handle_key(&s->h, key, &bytes) &&
           leat__versions_put_bytes(s, bytes, value, time_ms) != LEAT__VERSION_REFUSED;
}

const leat_row_t *leat_versions_delete(leat_versions_t *s, const void *key, int64_t time_ms)
{
    leat_slice_t bytes;
    leat__window_row_t row;
    if (!leat__handle_key(&s->h, key, &bytes))
        return NULL;
    const leat_row_t *old =
        find(&s->h, bytes, &time_ms, &row) ? leat__handle_row(&s->h, key, &row) : NULL;
    if (leat__versions_put_bytes(s, bytes, NULL, time_ms) == LEAT__VERSION_REFUSED)
        return NULL;
    return old;
}
