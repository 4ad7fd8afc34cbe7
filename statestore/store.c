/*
 * statestore/store.c: bytes in, bytes out of one store.
 *
 * A put keeps what must outlive it: the committed version (for an abort) unless the backend has it,
 * and the last forwarded one (the old value of the next forward) where somebody listens. A put that
 * follows another one before the next flush keeps nothing: it writes over the current value in
 * place.
 */
#include "statestore/inside.h"
#include "statestore/shape.h"
#include "statestore/ttl.h"

#include "base/log.h"
#include "base/mem.h"

/* ---- least recently used ---- */

void leat__lru_unlink(leat__store_t *s, leat__entry_t *e)
{
    leat__link_t *link = leat__entry_link(e);
    if (!link->older && !link->newer && s->oldest != e)
        return;
    if (link->older)
        leat__entry_link(link->older)->newer = link->newer;
    else
        s->oldest = link->newer;
    if (link->newer)
        leat__entry_link(link->newer)->older = link->older;
    else
        s->newest = link->older;
    *link = (leat__link_t){0};
}

void leat__lru_use(leat__store_t *s, leat__entry_t *e)
{
    leat__lru_unlink(s, e);
    if (leat__entry_view(e).size == LEAT__ABSENT)
        return;
    leat__entry_link(e)->older = s->newest;
    if (s->newest)
        leat__entry_link(s->newest)->newer = e;
    else
        s->oldest = e;
    s->newest = e;
}

/* ---- reading ---- */

static leat__entry_t *find(leat__store_t *s, leat_slice_t key, uint32_t *hash)
{
    leat__entry_t *e = s->last;
    if (e && e->key_size == key.size && (!key.size || memcmp(e->bytes, key.data, key.size) == 0)) {
        *hash = e->hash;
        return e;
    }
    *hash = leat__entry_hash(key);
    e = leat__entry_find(s, key, *hash);
    if (e)
        s->last = e;
    return e;
}

/* Read through: what the backend says, "nothing" too, is kept as a clean entry. */
static leat__entry_t *fill(leat__store_t *s, leat_slice_t key, uint32_t hash)
{
    leat__view_t beneath;
    bool found = leat__beneath_get(s, key, &beneath);
    if (s->state->failed)
        return NULL;
    leat__entry_t *e = leat__entry_add(s, key, hash, found ? beneath.size : 0);
    if (found)
        leat__entry_set(s, e, &(leat_slice_t){beneath.data, beneath.size}, beneath.time_ms);
    leat__beneath_unpin(s);
    s->barren = false;
    return s->last = e;
}

bool leat__store_get(leat__store_t *s, leat_slice_t key, leat_slice_t *value, int64_t *time_ms)
{
    uint32_t hash;
    if (s->custom)
        return false;
    leat__entry_t *e = find(s, key, &hash);
    if (!e && !s->resident && !s->vacant)
        e = fill(s, key, hash);
    if (!e)
        return false;
    leat__view_t v;
    if (s->as_committed) { /* leaves no trace of use */
        if (!leat__entry_seen(s, e, &v) && !leat__beneath_get(s, key, &v))
            return false;
    } else {
        e->flags |= LEAT__USED;
        if (s->lru)
            leat__lru_use(s, e);
        v = leat__entry_view(e);
    }
    if (v.size == LEAT__ABSENT || leat__ttl_over(s, v.time_ms))
        return false;
    *value = (leat_slice_t){v.data, v.size};
    if (time_ms)
        *time_ms = s->timestamped ? v.time_ms : -1;
    return true;
}

uint64_t leat__store_count(leat__store_t *s)
{
    if (s->custom)
        return 0;
    if (s->resident || s->vacant)
        return s->live;
    uint64_t beneath = leat__beneath_count(s);
    return beneath > s->live ? beneath : s->live;
}

/* ---- writing ---- */

/* Stale places on the list outnumber the live ones: close the gaps. */
static void compact(leat__store_t *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->dirty.count; i++) {
        leat__entry_t *e = s->dirty.at[i];
        if (!(e->flags & LEAT__QUEUED) || e->at != i)
            continue;
        e->at = (uint32_t)kept;
        s->dirty.at[kept++] = e;
    }
    s->dirty.count = kept;
}

void leat__entry_enqueue(leat__store_t *s, leat__entry_t *e)
{
    if (!(e->flags & LEAT__QUEUED))
        s->queued++;
    else if ((size_t)e->at + 1 == s->dirty.count)
        return;
    e->flags |= LEAT__QUEUED;
    leat__list_push(s, &s->dirty, e);
    e->at = (uint32_t)(s->dirty.count - 1);
    if (s->dirty.count > 2 * s->queued + 1024 && !s->flushing)
        compact(s);
}

void leat__entry_open(leat__store_t *s, leat__entry_t *e)
{
    if (e->flags & LEAT__UNCOMMITTED)
        return;
    leat__list_push(s, &s->open, e);
    leat__entry_flags(s, e, 0, LEAT__UNCOMMITTED);
}

/* Before the current value of a known key is written over. */
static void keep_versions(leat__store_t *s, leat__entry_t *e, bool heard)
{
    bool committed = !(e->flags & LEAT__UNCOMMITTED) && (s->resident || e->flags & LEAT__AHEAD);
    bool forwarded = heard && !(e->flags & LEAT__UNFORWARDED);
    if (!committed && !forwarded)
        return;
    leat__versions_t *v = leat__entry_versions(s, e);
    if (committed)
        v->committed = leat__block_of(s, e);
    if (!forwarded)
        return;
    if (!s->wants_old)
        v->forwarded =
            leat__entry_view(e).size == LEAT__ABSENT ? &leat__block_none : &leat__block_some;
    else if (committed)
        v->committed->refs++, v->forwarded = v->committed;
    else
        v->forwarded = leat__block_of(s, e);
}

static void keep_headers(leat__store_t *s, leat__entry_t *e, const leat_headers_t *headers)
{
    if (!headers && !(e->versions && e->versions->headers))
        return;
    leat__versions_t *v = leat__entry_versions(s, e);
    leat__headers_drop(s, &v->headers);
    v->headers = leat__headers_clone(headers);
    leat__headers_charge(s, v->headers);
    leat__entry_tidy(s, e);
}

void leat__put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value, int64_t time_ms,
    const leat_headers_t *headers, bool heard, bool logged)
{
    uint32_t hash;
    leat__entry_t *e = find(s, key, &hash);
    heard = heard && s->flush_fn;
    if (e)
        keep_versions(s, e, heard);
    else
        s->last = e = leat__entry_add(s, key, hash, value ? value->size : 0);
    leat__entry_set(s, e, value, time_ms);
    leat__entry_open(s, e);
    if (s->cached && (heard || logged))
        keep_headers(s, e, headers);
    uint32_t due = (logged && !s->log_each ? LEAT__UNLOGGED : 0U) |
                   (heard ? LEAT__UNFORWARDED : 0U);
    if (due) {
        if ((e->flags & due) != due)
            leat__entry_flags(s, e, 0, due);
        leat__entry_enqueue(s, e);
    }
    e->flags |= LEAT__USED;
    if (s->lru)
        leat__lru_use(s, e);
}

void leat__log_put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value, int64_t time_ms,
    const leat_headers_t *headers)
{
    s->hooks.log(s->hooks.user, s, leat__world_key(s, key, &s->world_room), value, time_ms, headers);
}

static void log_one(leat__store_t *s, leat_slice_t key, const leat_slice_t *value, int64_t time_ms,
    const leat_headers_t *headers, bool logged)
{
    if (logged && s->log_each)
        leat__log_put(s, key, value, time_ms, headers);
}

/* The eldest rows above the limit go, as Kafka's MemoryLRUCache does: a tombstone each, before the
 * record of the put that pushed them out. A timestamped store writes none, as there: a restore
 * trims what it reads. */
static void trim(leat__store_t *s, int64_t time_ms, const leat_headers_t *headers)
{
    bool logged = s->logged && s->kind != LEAT_TIMESTAMPED_KV;

    while (s->live > s->entries_max && s->oldest) {
        leat_slice_t key = leat__entry_key(s->oldest);
        leat__put(s, key, NULL, time_ms, NULL, true, logged);
        log_one(s, key, NULL, time_ms, headers, logged);
    }
}

void leat__store_put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value, int64_t time_ms,
    const leat_headers_t *headers)
{
    if (s->custom) {
        leat__custom_put(s, key, value, time_ms, headers);
        return;
    }
    leat__put(s, key, value, time_ms, headers, true, s->logged);
    if (s->lru && !s->cached)
        trim(s, time_ms, headers);
    log_one(s, key, value, time_ms, headers, s->logged);
}

/* ---- what it is ---- */

int64_t leat__store_saved(const leat__store_t *s)
{
    bool persistent = s->family || (s->backend_self && s->backend->persistent);

    return persistent ? s->written.changelog_next : -1;
}

bool leat__store_cached(const leat__store_t *s)
{
    return s->cached;
}

const char *leat__store_name(const leat__store_t *s)
{
    return s->name;
}

leat_store_kind_t leat__store_kind(const leat__store_t *s)
{
    return s->kind;
}

bool leat__store_dirty(const leat__store_t *s)
{
    return s->custom ? leat__custom_dirty(s) : s->open.count > 0 || s->queued > 0;
}

void leat__store_on_flush(leat__store_t *s,
    void (*fn)(void *user, leat__store_t *s, const leat__change_view_t *change), void *user,
    bool wants_old)
{
    LEAT_ASSERT(!fn || s->cached);
    s->flush_fn = fn;
    s->flush_user = user;
    s->wants_old = wants_old;
}

leat__store_meta_t leat__store_meta(const leat__store_t *s)
{
    return s->meta;
}

void leat__store_set_meta(leat__store_t *s, uint64_t incarnation, int64_t observed_ms)
{
    s->meta.incarnation = incarnation;
    s->meta.observed_ms = s->observed_ms = observed_ms;
}

bool leat__store_failed(const leat__store_t *s, leat_error_t *err)
{
    if (s->state->failed && err)
        *err = s->state->failure;
    return s->state->failed;
}
