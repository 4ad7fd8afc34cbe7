/*
 * statestore/typed.c: the verbs of leat/store.h on key-value stores.
 *
 * A call is: encode the key, work on bytes, decode what comes back. Decoded values may point into
 * the bytes they come from, so those are copied into the owner's scratch first, unless the serde is
 * one of the fixed-size numbers, which never do. Whatever fails is said to the owner, once per
 * call.
 */
#include "statestore/handle.h"

#include "statestore/inside.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

struct leat_iter_t {
    leat_iter_t *next; /* of the owner's */
    const leat_kv_t *kv;
    leat__cursor_t *cursor; /* all three NULL: at its end */
    leat__window_cursor_t *windows;
    leat__rows_t *rows;     /* of a remote */
    leat__arena_t scratch;  /* one row */
    leat_row_t row;
};

void leat__handle_fail(const leat_kv_t *kv, int code, const char *what, const char *text)
{
    char line[512];
    snprintf(line, sizeof line, "store %s: %s%s%s",
        kv->remote ? kv->remote->name : leat__store_name(kv->store), what, *what ? ": " : "", text);
    kv->owner->fail(kv->owner, code, line);
}

/* ---- making ---- */

static bool is_number(const leat_serde_t *s)
{
    return s == leat_serde_int64() || s == leat_serde_int32() || s == leat_serde_double() ||
           s == leat_serde_float();
}

void leat__handle_init(leat_kv_t *h, leat__store_t *store, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner)
{
    *h = (leat_kv_t){.store = store,
        .key = key,
        .value = value,
        .topic = leat__must_strdup(topic),
        .owner = owner,
        .value_flat = is_number(value)};
}

leat_kv_t *leat__kv_new(leat__store_t *store, const leat_serde_t *key, const leat_serde_t *value,
    const char *topic, leat__owner_t *owner)
{
    leat_kv_t *kv = leat__must_alloc(sizeof *kv);
    leat__handle_init(kv, store, key, value, topic, owner);
    return kv;
}

leat_kv_t *leat__kv_remote(leat__remote_t *remote, const leat_serde_t *key,
    const leat_serde_t *value, const char *topic, leat__owner_t *owner)
{
    leat_kv_t *kv = leat__kv_new(NULL, key, value, topic, owner);
    kv->remote = remote;
    return kv;
}

void leat__kv_free(leat_kv_t *kv)
{
    if (!kv || (!kv->store && !kv->topic))
        return;
    leat__free((void *)(uintptr_t)kv->topic);
    leat__free(kv);
}

leat_kv_t *leat__kv_nil(leat__owner_t *owner)
{
    static leat_kv_t nil;
    (void)owner; /* a nil store never speaks to it */
    return &nil;
}

/* ---- to and from bytes ---- */

bool leat__handle_encode(const leat_kv_t *kv, const void *value, bool is_key, leat_slice_t *bytes)
{
    leat_error_t err;
    leat__codec_env_t env = {kv->owner->scratch, kv->topic, is_key, kv->owner->headers};
    int code = leat__encode(is_key ? kv->key : kv->value, value, &env, bytes, &err);
    if (code)
        leat__handle_fail(kv, code, is_key ? "key" : "value", err.text);
    return code == 0;
}

bool leat__handle_writes(const leat_kv_t *kv)
{
    if (kv->owner && kv->owner->read_only)
        leat__handle_fail(kv, LEAT_EUNSUPPORTED, "",
            "a global store is written by the processor that fills it only");
    return !kv->owner || !kv->owner->read_only;
}

bool leat__handle_key(const leat_kv_t *kv, const void *key, leat_slice_t *bytes)
{
    if (leat__handle_is_nil(kv))
        return false;
    leat__handle_enter(kv);
    if (!key) {
        leat__handle_fail(kv, LEAT_ENULL, "", "the key must not be NULL");
        return false;
    }
    return leat__handle_encode(kv, key, true, bytes);
}

static const void *decode(const leat_kv_t *kv, const leat_serde_t *serde, leat_slice_t bytes,
    leat__arena_t *scratch, bool is_key)
{
    leat_error_t err;
    const void *value = NULL;
    leat__codec_env_t env = {scratch, kv->topic, is_key, NULL};
    int code = leat__decode(serde, bytes, &env, &value, &err);
    if (code)
        leat__handle_fail(kv, code, is_key ? "key" : "value", err.text);
    return code ? NULL : value;
}

/* A value of the store, as the owner may keep it until its record is finished. */
const void *leat__handle_value(const leat_kv_t *kv, leat_slice_t bytes)
{
    leat__arena_t *scratch = kv->owner->scratch;
    if (!kv->value_flat)
        bytes.data = leat__arena_copy(scratch, bytes.data, bytes.size);
    return decode(kv, kv->value, bytes, scratch, false);
}

void leat__handle_check(const leat_kv_t *kv)
{
    leat_error_t err;
    if (kv->store && leat__store_failed(kv->store, &err))
        leat__handle_fail(kv, LEAT_ESTORE, err.where, err.text);
}

/* ---- reading ---- */

bool leat__handle_ask(const leat_kv_t *h, const leat__ask_t *ask, leat__window_row_t *row)
{
    leat__rows_t *rows = h->remote->open(h->remote, ask);
    bool found = h->remote->next(rows, row);
    if (found)
        row->value.data = leat__arena_copy(h->owner->scratch, row->value.data, row->value.size);
    h->remote->close(rows);
    return found;
}

static const void *ask_value(const leat_kv_t *kv, leat_slice_t key, int64_t *time_ms)
{
    leat__ask_t ask = {.verb = LEAT__ASK_GET, .from = key};
    leat__window_row_t row;
    if (!leat__handle_ask(kv, &ask, &row))
        return NULL;
    *time_ms = row.time_ms;
    return leat__handle_value(kv, row.value);
}

const void *leat__kv_get_bytes(const leat_kv_t *kv, leat_slice_t key, int64_t *time_ms)
{
    leat_slice_t bytes;
    *time_ms = -1;
    if (kv->remote)
        return ask_value(kv, key, time_ms);
    if (!kv->store)
        return NULL;
    leat__handle_enter(kv);
    if (leat__store_get(kv->store, key, &bytes, time_ms))
        return leat__handle_value(kv, bytes);
    leat__handle_check(kv);
    return NULL;
}

const void *leat__kv_get_timed(const leat_kv_t *kv, const void *key, int64_t *time_ms)
{
    leat_slice_t bytes;
    *time_ms = -1;
    return leat__handle_key(kv, key, &bytes) ? leat__kv_get_bytes(kv, bytes, time_ms) : NULL;
}

const void *leat_kv_get(const leat_kv_t *s, const void *key)
{
    int64_t time_ms;
    return leat__kv_get_timed(s, key, &time_ms);
}

const leat_row_t *leat_kv_row(const leat_kv_t *s, const void *key)
{
    int64_t time_ms;
    const void *value = leat__kv_get_timed(s, key, &time_ms);
    if (!value)
        return NULL;
    leat_row_t *row = leat__arena_alloc(s->owner->scratch, sizeof *row);
    *row = (leat_row_t){.key = key, .value = value, .time_ms = time_ms};
    return row;
}

size_t leat_kv_get_many(
    const leat_kv_t *s, const void *const *keys, const void **values, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        values[i] = leat_kv_get(s, keys[i]);
        found += values[i] != NULL;
    }
    return found;
}

uint64_t leat_kv_count(const leat_kv_t *s)
{
    leat__ask_t ask = {.verb = LEAT__ASK_COUNT};
    leat__window_row_t row;
    if (s->remote)
        return leat__handle_ask(s, &ask, &row) ? (uint64_t)row.start_ms : 0;
    if (!s->store)
        return 0;
    leat__handle_enter(s);
    return leat__store_count(s->store);
}

/* ---- writing ---- */

void leat__kv_put_bytes(leat_kv_t *kv, leat_slice_t key, const void *value, int64_t time_ms)
{
    leat_slice_t bytes;
    if (!kv->store || !leat__handle_writes(kv) ||
        (value && !leat__handle_encode(kv, value, false, &bytes)))
        return;
    leat__store_put(kv->store, key, value ? &bytes : NULL, time_ms, kv->owner->headers);
}

/* A deletion happens at the record's time, whatever time was asked for: there is no value to have
 * one. */
void leat_kv_put_at(leat_kv_t *s, const void *key, const void *value, int64_t time_ms)
{
    leat_slice_t bytes;
    if (leat__handle_key(s, key, &bytes))
        leat__kv_put_bytes(s, bytes, value, value ? time_ms : s->owner->time_ms);
}

void leat_kv_put(leat_kv_t *s, const void *key, const void *value)
{
    leat_slice_t bytes;
    if (leat__handle_key(s, key, &bytes))
        leat__kv_put_bytes(s, bytes, value, s->owner->time_ms);
}

const void *leat_kv_put_if_absent(leat_kv_t *s, const void *key, const void *value)
{
    leat_slice_t bytes;
    int64_t time_ms;
    if (!leat__handle_key(s, key, &bytes))
        return NULL;
    const void *old = leat__kv_get_bytes(s, bytes, &time_ms);
    if (!old)
        leat__kv_put_bytes(s, bytes, value, s->owner->time_ms);
    return old;
}

const void *leat_kv_delete(leat_kv_t *s, const void *key)
{
    leat_slice_t bytes;
    int64_t time_ms;
    if (!leat__handle_key(s, key, &bytes))
        return NULL;
    const void *old = leat__kv_get_bytes(s, bytes, &time_ms);
    leat__kv_put_bytes(s, bytes, NULL, s->owner->time_ms);
    return old;
}

/* ---- iterators ---- */

static leat_iter_t *iter_new(
    const leat_kv_t *kv, leat__cursor_t *cursor, leat__window_cursor_t *windows)
{
    leat_iter_t *it = leat__must_alloc(sizeof *it);
    it->kv = kv;
    it->cursor = cursor;
    it->windows = windows;
    leat__arena_init(&it->scratch);
    it->next = kv->owner->iterators;
    kv->owner->iterators = it;
    return it;
}

/* After an error, and of a nil store: no rows, nothing to free. */
leat_iter_t *leat__iter_nil(void)
{
    static leat_iter_t nil;
    return &nil;
}

leat_iter_t *leat_kv_range(const leat_kv_t *s, const void *from, const void *to, leat_order_t order)
{
    leat_slice_t first = {NULL, 0}, last = {NULL, 0};
    if (leat__handle_is_nil(s) || (from && !leat__handle_encode(s, from, true, &first)) ||
        (to && !leat__handle_encode(s, to, true, &last)))
        return leat__iter_nil();
    if (from && to && leat__bytes_compare(first, last) > 0)
        leat__log(LEAT_LOG_WARN, "store", NULL,
            "store %s: a range from a key that lies after its end has no rows; keys are compared "
            "as unsigned bytes, in which negative numbers come after positive ones",
            s->remote ? s->remote->name : leat__store_name(s->store));
    if (s->remote)
        return leat__iter_remote(s,
            &(leat__ask_t){
                .verb = LEAT__ASK_RANGE, .from = first, .to = last, .order = order});
    leat__handle_enter(s);
    leat__cursor_t *cursor = leat__store_range(s->store, first, last, order);
    leat__handle_check(s);
    return iter_new(s, cursor, NULL);
}

leat_iter_t *leat_kv_prefix(const leat_kv_t *s, const void *prefix, leat_order_t order)
{
    leat_slice_t bytes;
    if (!leat__handle_key(s, prefix, &bytes))
        return leat__iter_nil();
    if (s->remote)
        return leat__iter_remote(
            s, &(leat__ask_t){.verb = LEAT__ASK_PREFIX, .from = bytes, .order = order});
    leat__cursor_t *cursor = leat__store_prefix(s->store, bytes, order);
    leat__handle_check(s);
    return iter_new(s, cursor, NULL);
}

leat_iter_t *leat__iter_windows(const leat_kv_t *h, leat__window_cursor_t *cursor)
{
    leat__handle_check(h);
    return iter_new(h, NULL, cursor);
}

leat_iter_t *leat__iter_remote(const leat_kv_t *h, const leat__ask_t *ask)
{
    leat_iter_t *it = iter_new(h, NULL, NULL);
    it->rows = h->remote->open(h->remote, ask);
    return it;
}

static bool next_row(leat_iter_t *it, leat_slice_t *key, leat_slice_t *value)
{
    leat__window_row_t row;
    if (it->cursor)
        return leat__cursor_next(it->cursor, key, value, &it->row.time_ms);
    if (it->rows ? !it->kv->remote->next(it->rows, &row) : !leat__window_next(it->windows, &row))
        return false;
    *key = row.key;
    *value = row.value;
    it->row.time_ms = row.time_ms;
    it->row.start_ms = row.start_ms;
    it->row.end_ms = row.end_ms;
    return true;
}

const leat_row_t *leat_iter_next(leat_iter_t *it)
{
    leat_slice_t key, value;
    if (!it->cursor && !it->windows && !it->rows)
        return NULL;
    leat__arena_reset(&it->scratch);
    if (!next_row(it, &key, &value)) {
        leat__handle_check(it->kv);
        leat_iter_close(it);
        return NULL;
    }
    it->row.key = decode(it->kv, it->kv->key, key, &it->scratch, true);
    it->row.value = decode(it->kv, it->kv->value, value, &it->scratch, false);
    if (it->row.key && it->row.value)
        return &it->row;
    leat_iter_close(it); /* the record has failed */
    return NULL;
}

/* The handle itself stays until the owner's record is finished, so that a close after the end is
 * fine. */
void leat_iter_close(leat_iter_t *it)
{
    leat__cursor_close(it->cursor);
    leat__window_close(it->windows);
    if (it->rows)
        it->kv->remote->close(it->rows);
    it->cursor = NULL;
    it->windows = NULL;
    it->rows = NULL;
}

void leat__owner_finish(leat__owner_t *o)
{
    while (o->iterators) {
        leat_iter_t *it = o->iterators;
        o->iterators = it->next;
        leat_iter_close(it);
        leat__arena_release(&it->scratch);
        leat__free(it);
    }
}
