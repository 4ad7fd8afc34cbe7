/*
 * statestore/commit.c: flush, committed, abort: how entries travel from DIRTY to COMMITTED and
 * back.
 *
 * Flush walks the list `dirty` as it stands at its start. A listener may put to the same store
 * again: such an entry moves behind the walk's end and waits for the next flush (PROTOCOLS.md 22),
 * or for leat__store_flush_rest, which only logs it. What a listener sees stays still while it
 * looks (LOCKED). The order and the rules of what is forwarded are those of Kafka's
 * CachingKeyValueStore and NamedCache.
 */
#include "statestore/inside.h"
#include "statestore/shape.h"
#include "statestore/ttl.h"

#include "base/log.h"
#include "base/mem.h"

/* ---- one entry ---- */

typedef struct held_t {
    leat__view_t view;
    leat__block_t *block; /* counted; NULL: inline */
    bool locked;          /* by us */
} held_t;

/* The current value stays where it is until release. */
static held_t hold(leat__entry_t *e)
{
    held_t h = {leat__entry_view(e), NULL, false};
    if (e->flags & LEAT__MOVED) {
        h.block = e->versions->current;
        h.block->refs++;
    } else if (!(e->flags & LEAT__LOCKED)) {
        h.locked = true;
        e->flags |= LEAT__LOCKED;
    }
    return h;
}

static void release(leat__store_t *s, leat__entry_t *e, held_t *h)
{
    leat__block_drop(s, &h->block);
    if (h->locked)
        leat__entry_unlock(s, e);
}

/* Old values come from the entry; if it has never seen one, from beneath. Counted. */
static leat__block_t *take_forwarded(leat__store_t *s, leat__entry_t *e)
{
    leat__block_t *old = e->versions ? e->versions->forwarded : NULL;
    if (old) {
        e->versions->forwarded = NULL;
        return old;
    }
    leat__view_t beneath;
    if (s->resident || s->vacant || !leat__beneath_get(s, leat__entry_key(e), &beneath))
        return &leat__block_none;
    old = leat__block_new(s, beneath);
    leat__beneath_unpin(s);
    return old;
}

static void forward(leat__store_t *s, leat__entry_t *e, leat__view_t now, const leat__block_t *old,
    const leat_headers_t *headers)
{
    leat_slice_t value = {now.data, now.size}, old_value = {NULL, 0};
    bool has_old = s->wants_old && old && old->size != LEAT__ABSENT;
    if (has_old)
        old_value = (leat_slice_t){old->bytes, old->size};
    leat__change_view_t change = {
        .key = leat__world_key(s, leat__entry_key(e), &s->flush_room),
        .value = now.size == LEAT__ABSENT ? NULL : &value,
        .old_value = has_old ? &old_value : NULL,
        .time_ms = now.time_ms,
        .old_time_ms = has_old && s->timestamped ? old->time_ms : -1,
        .headers = headers,
    };
    s->flush_fn(s->flush_user, s, &change);
}

static void log_entry(
    leat__store_t *s, leat__entry_t *e, leat__view_t now, const leat_headers_t *headers)
{
    leat_slice_t value = {now.data, now.size};
    if (!s->logged)
        return;
    leat__log_put(s, leat__entry_key(e), now.size == LEAT__ABSENT ? NULL : &value, now.time_ms, headers);
}

/* A cached window reaches the store beneath, which has its own idea of time and may refuse it. */
static void arrive(leat__store_t *s, const leat__entry_t *e)
{
    if (s->shape == LEAT__PLAIN || !s->cached)
        return;
    if (!leat__shape_flushed(s, e) && s->hooks.dropped)
        s->hooks.dropped(s->hooks.user, s);
}

static void unqueue(leat__store_t *s, leat__entry_t *e, uint32_t done)
{
    leat__entry_flags(s, e, done | LEAT__QUEUED, 0);
    s->queued--;
}

/* Uncached, or cached with nobody who listens: always written. */
static void flush_plain(leat__store_t *s, leat__entry_t *e)
{
    held_t h = hold(e);
    leat_headers_t *headers = e->versions ? e->versions->headers : NULL;
    unqueue(s, e, LEAT__UNLOGGED | LEAT__UNFORWARDED);
    arrive(s, e);
    log_entry(s, e, h.view, headers);
    if (e->versions)
        leat__headers_drop(s, &e->versions->headers);
    release(s, e, &h);
    leat__entry_tidy(s, e);
}

/* A key that was not there for the listener and is not there now: neither logged nor forwarded. */
static void flush_heard(leat__store_t *s, leat__entry_t *e)
{
    held_t h = hold(e);
    bool gone = h.view.size == LEAT__ABSENT, log = (e->flags & LEAT__UNLOGGED) != 0;
    leat__block_t *old = gone || s->wants_old ? take_forwarded(s, e) : NULL;
    bool hidden = s->shape != LEAT__PLAIN ? old && leat__shape_entry_hidden(s, e)
                                          : old && leat__ttl_block_over(s, old);
    if (hidden) {
        leat__block_drop(s, &old);
        old = &leat__block_none;
    }
    leat_headers_t *headers = e->versions ? e->versions->headers : NULL;
    if (e->versions) {
        e->versions->headers = NULL;
        leat__block_drop(s, &e->versions->forwarded);
    }
    unqueue(s, e, LEAT__UNLOGGED | LEAT__UNFORWARDED);
    if (!gone || old->size != LEAT__ABSENT) {
        arrive(s, e);
        if (log)
            log_entry(s, e, h.view, headers);
        forward(s, e, h.view, old, headers);
    }
    leat__block_drop(s, &old);
    leat__headers_drop(s, &headers);
    release(s, e, &h);
    leat__entry_tidy(s, e);
    if (gone && s->resident && !(e->flags & (LEAT__UNCOMMITTED | LEAT__QUEUED)))
        leat__entry_remove(s, e); /* it was owed */
}

/* Logged now, forwarded by the next commit: stays in the queue. */
static void flush_rest(leat__store_t *s, leat__entry_t *e)
{
    held_t h = hold(e);
    arrive(s, e);
    if (e->flags & LEAT__UNLOGGED)
        log_entry(s, e, h.view, e->versions ? e->versions->headers : NULL);
    leat__entry_flags(s, e, LEAT__UNLOGGED, 0);
    leat__list_push(s, &s->dirty, e);
    e->at = (uint32_t)(s->dirty.count - 1);
    release(s, e, &h);
}

/* Rows of a cached least-recently-used store go when it is flushed: only then they are counted. */
static void trim(leat__store_t *s)
{
    while (s->live > s->entries_max && s->oldest) {
        leat__entry_t *e = s->oldest;
        int64_t time_ms = leat__entry_view(e).time_ms;
        if (!(e->flags & LEAT__UNCOMMITTED))
            leat__entry_versions(s, e)->committed = leat__block_of(s, e);
        leat__entry_set(s, e, NULL, time_ms);
        leat__entry_open(s, e);
        leat__lru_use(s, e);
        if (s->logged && s->kind != LEAT_TIMESTAMPED_KV) /* as store.c's trim */
            log_entry(s, e, leat__entry_view(e), NULL);
    }
}

/* ---- flush ---- */

static void flush(leat__store_t *s, bool rest)
{
    if (s->custom || s->flushing)
        return;
    size_t count = s->dirty.count;
    s->flushing = true;
    for (size_t i = 0; i < count; i++) {
        leat__entry_t *e = s->dirty.at[i];
        if (!(e->flags & LEAT__QUEUED) || e->at != i)
            continue;
        if (!(e->flags & LEAT__UNFORWARDED))
            flush_plain(s, e);
        else if (rest)
            flush_rest(s, e);
        else
            flush_heard(s, e);
    }
    s->flushing = false;
    s->dirty.count -= count;
    if (s->dirty.count)
        memmove(s->dirty.at, s->dirty.at + count, s->dirty.count * sizeof *s->dirty.at);
    for (size_t i = 0; i < s->dirty.count; i++)
        if (s->dirty.at[i]->flags & LEAT__QUEUED && s->dirty.at[i]->at == count + i)
            s->dirty.at[i]->at = (uint32_t)i;
    if (s->lru && s->cached)
        trim(s);
}

void leat__store_flush(leat__store_t *s)
{
    flush(s, false);
}

void leat__store_flush_rest(leat__store_t *s)
{
    flush(s, true);
}

/* ---- committed ---- */

/* Nothing is beneath and nothing is here: the entry says no more than its absence would. */
static bool says_nothing(const leat__store_t *s, const leat__entry_t *e)
{
    return leat__entry_view(e).size == LEAT__ABSENT && !(e->flags & LEAT__QUEUED) &&
           (s->resident ||
               (s->vacant && !(e->flags & (LEAT__AHEAD | LEAT__LISTED | LEAT__FROZEN))));
}

static void entry_committed(leat__store_t *s, leat__entry_t *e)
{
    if (e->versions)
        leat__block_drop(s, &e->versions->committed);
    if (says_nothing(s, e)) {
        leat__entry_remove(s, e);
        return;
    }
    uint32_t set = e->flags & LEAT__UNFORWARDED ? LEAT__OWED : 0U;
    if (!s->resident) {
        set |= LEAT__AHEAD | LEAT__LISTED;
        if (!(e->flags & LEAT__LISTED))
            leat__list_push(s, &s->committed, e);
    }
    leat__entry_flags(s, e, LEAT__UNCOMMITTED | LEAT__OWED, set);
    leat__entry_tidy(s, e);
}

/* What a logged store has not logged is not in the transaction either: it stays dirty. */
void leat__store_committed(leat__store_t *s, int64_t changelog_next)
{
    if (changelog_next >= 0)
        s->meta.changelog_next = changelog_next;
    if (s->custom) {
        leat__custom_committed(s);
        return;
    }
    leat__shape_committed(s);
    leat__ttl_committed(s);
    size_t kept = 0, count = s->open.count;
    for (size_t i = 0; i < count; i++) {
        leat__entry_t *e = s->open.at[i];
        if (e->flags & LEAT__UNLOGGED)
            s->open.at[kept++] = e;
        else
            entry_committed(s, e);
    }
    s->open.count = kept;
    s->logged_count += count - kept;
    leat__shape_forget(s);
    leat__ttl_forget(s, count - kept);
}

/* ---- abort ---- */

static void entry_abort(leat__store_t *s, leat__entry_t *e)
{
    leat__block_t *back = e->versions ? e->versions->committed : NULL;
    bool owed = (e->flags & LEAT__OWED) != 0;
    uint32_t undone = LEAT__UNCOMMITTED | LEAT__UNLOGGED | (owed ? 0U : LEAT__UNFORWARDED);
    if (!back) { /* the backend has it, or nobody ever had */
        leat__shape_leaves(s, e);
        leat__entry_remove(s, e);
        return;
    }
    e->versions->committed = NULL;
    leat__entry_take(s, e, back);
    if (!owed)
        leat__block_drop(s, &e->versions->forwarded);
    leat__headers_drop(s, &e->versions->headers);
    leat__entry_flags(s, e, undone, owed ? LEAT__UNFORWARDED : 0U);
    if (s->lru)
        leat__lru_use(s, e);
    leat__entry_tidy(s, e);
}

void leat__store_abort(leat__store_t *s)
{
    leat__prepare_aborted(s);
    if (s->custom) {
        leat__custom_abort(s);
        return;
    }
    LEAT_ASSERT(!s->flushing);
    size_t kept = 0;
    for (size_t i = 0; i < s->dirty.count; i++) {
        leat__entry_t *e = s->dirty.at[i];
        if (!(e->flags & LEAT__QUEUED) || e->at != i)
            continue;
        if (e->flags & LEAT__OWED) {
            e->at = (uint32_t)kept;
            s->dirty.at[kept++] = e;
        } else {
            e->flags &= ~(uint32_t)LEAT__QUEUED;
        }
    }
    s->dirty.count = s->queued = kept;
    for (size_t i = 0; i < s->open.count; i++)
        entry_abort(s, s->open.at[i]);
    s->open.count = 0;
    leat__shape_aborted(s);
}
