/*
 * statestore/buffer.c: the table of a store and the versions of an entry.
 *
 * One open-addressing table per store: a slot is a pointer with 16 bits of the hash on top, so a
 * miss seldom touches an entry. An entry is one piece of memory, key and value included; a get and
 * a put of a known key cost one or two cache lines each. Removal shifts backwards, so there are no
 * tombstones.
 *
 * The invariants stand in inside.h and in leat__store_check below, which the tests run at every
 * step.
 */
#include "statestore/inside.h"

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

enum { FIRST_SLOTS = 64 };

leat__block_t leat__block_none = {.refs = 1, .size = LEAT__ABSENT};
leat__block_t leat__block_some = {.refs = 1, .size = 0};

/* ---- bytes held ---- */

static size_t block_bytes(uint32_t room)
{
    return leat__pool_size(sizeof(leat__block_t) + room);
}

static size_t entry_bytes(const leat__store_t *s, const leat__entry_t *e)
{
    return leat__pool_size(
        (s->lru ? sizeof(leat__link_t) : 0) + sizeof *e + e->key_size + e->room);
}

/* What a commit or a checkpoint would set free: the entry with its current value. */
static size_t cost(const leat__store_t *s, const leat__entry_t *e)
{
    return entry_bytes(s, e) +
           (e->flags & LEAT__MOVED ? block_bytes(e->versions->current->room) : 0);
}

typedef struct account_t {
    size_t cost;
    uint32_t flags;
} account_t;

static account_t account(const leat__store_t *s, const leat__entry_t *e)
{
    return (account_t){cost(s, e), e->flags};
}

static void count(const leat__store_t *s, account_t a, size_t sign, leat__budget_t *b)
{
    size_t bytes = a.cost * sign; /* sign is 1 or SIZE_MAX: unsigned arithmetic wraps */
    if (a.flags & LEAT__UNCOMMITTED) {
        b->dirty_bytes += bytes;
        if (s->resident)
            b->entry_bytes += bytes;
    } else if (a.flags & LEAT__AHEAD) {
        b->frozen_bytes += bytes;
    }
    if (s->cached && a.flags & (LEAT__UNFORWARDED | LEAT__UNLOGGED))
        b->cached_dirty_bytes += bytes;
}

static void recount(leat__store_t *s, account_t before, const leat__entry_t *e)
{
    account_t after = account(s, e);
    uint32_t counted = LEAT__UNCOMMITTED | LEAT__AHEAD | LEAT__UNFORWARDED | LEAT__UNLOGGED;
    if (after.cost == before.cost && !((after.flags ^ before.flags) & counted))
        return;
    count(s, before, SIZE_MAX, s->state->budget);
    count(s, after, 1, s->state->budget);
}

/* ---- blocks ---- */

static bool counted(const leat__block_t *b)
{
    return b != &leat__block_none && b != &leat__block_some;
}

leat__block_t *leat__block_new(leat__store_t *s, leat__view_t value)
{
    uint32_t size = value.size == LEAT__ABSENT ? 0 : value.size;
    size_t bytes = block_bytes(size);
    leat__block_t *b = leat__pool_take(&s->pool, bytes);
    b->refs = 1;
    b->size = value.size;
    b->room = bytes > UINT32_MAX ? size : (uint32_t)(bytes - sizeof *b);
    b->time_ms = value.time_ms;
    if (size)
        memcpy(b->bytes, value.data, size);
    leat__charge(s, block_bytes(b->room));
    return b;
}

void leat__block_drop(leat__store_t *s, leat__block_t **block)
{
    leat__block_t *b = *block;
    *block = NULL;
    if (!b || !counted(b) || --b->refs)
        return;
    leat__uncharge(s, block_bytes(b->room));
    leat__pool_give(&s->pool, b, block_bytes(b->room));
}

leat__block_t *leat__block_of(leat__store_t *s, leat__entry_t *e)
{
    if (!(e->flags & LEAT__MOVED))
        return leat__block_new(s, leat__entry_inline(e));
    e->versions->current->refs++;
    return e->versions->current;
}

static size_t headers_bytes(const leat_headers_t *h)
{
    size_t bytes = sizeof *h;
    for (size_t i = 0; h && i < h->count; i++)
        bytes += sizeof h->at[i] + strlen(h->at[i].name) + 1 + h->at[i].value.size;
    return h ? bytes : 0;
}

void leat__headers_charge(leat__store_t *s, const leat_headers_t *headers)
{
    leat__charge(s, headers_bytes(headers));
}

void leat__headers_drop(leat__store_t *s, leat_headers_t **headers)
{
    leat__uncharge(s, headers_bytes(*headers));
    leat__free(*headers);
    *headers = NULL;
}

/* ---- versions ---- */

leat__versions_t *leat__entry_versions(leat__store_t *s, leat__entry_t *e)
{
    if (!e->versions) {
        e->versions = leat__pool_take(&s->pool, sizeof *e->versions);
        *e->versions = (leat__versions_t){0};
        leat__charge(s, leat__pool_size(sizeof *e->versions));
    }
    return e->versions;
}

void leat__entry_tidy(leat__store_t *s, leat__entry_t *e)
{
    leat__versions_t *v = e->versions;
    if (!v || v->current || v->forwarded || v->committed || v->headers)
        return;
    e->versions = NULL;
    leat__uncharge(s, leat__pool_size(sizeof *v));
    leat__pool_give(&s->pool, v, sizeof *v);
}

static void forget_versions(leat__store_t *s, leat__entry_t *e)
{
    leat__versions_t *v = e->versions;
    if (!v)
        return;
    leat__block_drop(s, &v->current);
    leat__block_drop(s, &v->forwarded);
    leat__block_drop(s, &v->committed);
    leat__headers_drop(s, &v->headers);
    leat__entry_tidy(s, e);
}

void leat__entry_flags(leat__store_t *s, leat__entry_t *e, uint32_t clear, uint32_t set)
{
    account_t before = account(s, e);
    e->flags = (e->flags & ~clear) | set;
    recount(s, before, e);
}

static void stop_moved(leat__store_t *s, leat__entry_t *e)
{
    if (!(e->flags & LEAT__MOVED))
        return;
    e->flags &= ~(uint32_t)LEAT__MOVED;
    leat__block_drop(s, &e->versions->current);
}

static void count_live(leat__store_t *s, uint32_t before, uint32_t after)
{
    s->live += (size_t)(before == LEAT__ABSENT) - (size_t)(after == LEAT__ABSENT);
}

static void set_block(leat__store_t *s, leat__entry_t *e, leat__view_t value)
{
    leat__versions_t *v = leat__entry_versions(s, e);
    uint32_t size = value.size == LEAT__ABSENT ? 0 : value.size;
    if (v->current && v->current->refs == 1 && size <= v->current->room) {
        v->current->size = value.size;
        v->current->time_ms = value.time_ms;
        if (size)
            memmove(v->current->bytes, value.data, size);
        return;
    }
    /* before the drop: value may lie in the old one */
    leat__block_t *b = leat__block_new(s, value);
    leat__block_drop(s, &v->current);
    v->current = b;
    e->flags |= LEAT__MOVED;
}

static void set_view(leat__store_t *s, leat__entry_t *e, leat__view_t value)
{
    uint32_t size = value.size == LEAT__ABSENT ? 0 : value.size;
    count_live(s, leat__entry_view(e).size, value.size);
    if (e->flags & LEAT__LOCKED || size > e->room) {
        set_block(s, e, value);
        return;
    }
    e->size = value.size;
    e->time_ms = value.time_ms;
    if (size)
        memmove(e->bytes + e->key_size, value.data, size);
    stop_moved(s, e);
}

void leat__entry_set(leat__store_t *s, leat__entry_t *e, const leat_slice_t *value, int64_t time_ms)
{
    LEAT_ASSERT(!value || value->size < LEAT__ABSENT);
    account_t before = account(s, e);
    set_view(s, e,
        value ? (leat__view_t){value->data, (uint32_t)value->size, time_ms}
              : (leat__view_t){NULL, LEAT__ABSENT, time_ms});
    recount(s, before, e);
}

void leat__entry_take(leat__store_t *s, leat__entry_t *e, leat__block_t *block)
{
    account_t before = account(s, e);
    uint32_t size = block->size == LEAT__ABSENT ? 0 : block->size;
    if (e->flags & LEAT__LOCKED || size > e->room) {
        count_live(s, leat__entry_view(e).size, block->size);
        leat__versions_t *v = leat__entry_versions(s, e);
        leat__block_drop(s, &v->current);
        v->current = counted(block) ? block : leat__block_new(s, leat__block_view(block));
        e->flags |= LEAT__MOVED;
    } else {
        set_view(s, e, leat__block_view(block));
        leat__block_drop(s, &block);
    }
    recount(s, before, e);
}

/* Nobody reads the inline value any more: the current one may move back home. */
void leat__entry_unlock(leat__store_t *s, leat__entry_t *e)
{
    account_t before = account(s, e);
    e->flags &= ~(uint32_t)LEAT__LOCKED;
    if (e->flags & LEAT__MOVED)
        set_view(s, e, leat__entry_view(e));
    recount(s, before, e);
    leat__entry_tidy(s, e);
}

void leat__list_push(leat__store_t *s, leat__list_t *list, leat__entry_t *e)
{
    if (list->count == list->room) {
        leat__uncharge(s, list->room * sizeof *list->at);
        LEAT__GROW(list->at, list->count, list->room);
        leat__charge(s, list->room * sizeof *list->at);
    }
    list->at[list->count++] = e;
}

static void list_release(leat__store_t *s, leat__list_t *list)
{
    leat__uncharge(s, list->room * sizeof *list->at);
    leat__free(list->at);
    *list = (leat__list_t){0};
}

/* ---- the table ---- */

uint32_t leat__entry_hash(leat_slice_t key)
{
    uint64_t hash = leat__hash(key.data, key.size);
    return (uint32_t)(hash ^ hash >> 32);
}

static uint64_t slot_of(leat__entry_t *e)
{
    return (uint64_t)(uintptr_t)e | (uint64_t)(e->hash >> 16) << 48;
}

leat__entry_t *leat__entry_find(const leat__store_t *s, leat_slice_t key, uint32_t hash)
{
    if (!s->slots)
        return NULL;
    for (size_t i = hash & s->mask;; i = (i + 1) & s->mask) {
        uint64_t slot = s->slots[i];
        if (!slot)
            return NULL;
        if (slot >> 48 != hash >> 16)
            continue;
        leat__entry_t *e = leat__slot_entry(slot);
        if (e->hash == hash && e->key_size == key.size &&
            (!key.size || memcmp(e->bytes, key.data, key.size) == 0))
            return e;
    }
}

static void place(leat__store_t *s, leat__entry_t *e)
{
    size_t i = e->hash & s->mask;
    while (s->slots[i])
        i = (i + 1) & s->mask;
    s->slots[i] = slot_of(e);
}

/* All entries are touched once: they are fetched some steps ahead, or each would be a wait for
 * memory. */
static void grow(leat__store_t *s)
{
    enum { AHEAD = 12 };
    uint64_t *old = s->slots;
    size_t old_count = old ? s->mask + 1 : 0, places = old ? old_count * 2 : FIRST_SLOTS;
    s->slots = leat__pages_new(places * sizeof *s->slots);
    s->mask = places - 1;
    for (size_t i = 0; i < old_count; i++) {
        if (i + AHEAD < old_count)
            __builtin_prefetch(leat__slot_entry(old[i + AHEAD]));
        if (old[i])
            place(s, leat__slot_entry(old[i]));
    }
    leat__charge(s, (places - old_count) * sizeof *s->slots);
    if (old)
        leat__pages_free(old, old_count * sizeof *old);
    s->hand = 0;
}

leat__entry_t *leat__entry_add(leat__store_t *s, leat_slice_t key, uint32_t hash, size_t value_size)
{
    LEAT_ASSERT(key.size < LEAT__ABSENT && value_size < LEAT__ABSENT);
    if (!s->slots || (s->count + 1) * 5 > (s->mask + 1) * 4)
        grow(s);
    size_t link = s->lru ? sizeof(leat__link_t) : 0;
    size_t used = link + sizeof(leat__entry_t) + key.size;
    size_t bytes = leat__pool_size(used + value_size);
    char *piece = leat__pool_take(&s->pool, bytes);
    leat__entry_t *e = (leat__entry_t *)(void *)(piece + link);
    size_t room = bytes - used;
    *e = (leat__entry_t){
        .time_ms = -1,
        .hash = hash,
        .key_size = (uint32_t)key.size,
        .size = LEAT__ABSENT,
        .room = room < LEAT__ABSENT ? (uint32_t)room : (uint32_t)value_size,
    };
    if (key.size)
        memcpy(e->bytes, key.data, key.size);
    if (s->lru)
        *leat__entry_link(e) = (leat__link_t){0};
    leat__charge(s, entry_bytes(s, e));
    place(s, e);
    s->count++;
    if (s->order)
        leat__order_add(s->order, e);
    if (s->runs)
        leat__runs_add(s->runs, e);
    return e;
}

static void unplace(leat__store_t *s, leat__entry_t *e)
{
    size_t hole = e->hash & s->mask;
    while (leat__slot_entry(s->slots[hole]) != e)
        hole = (hole + 1) & s->mask;
    for (size_t i = (hole + 1) & s->mask; s->slots[i]; i = (i + 1) & s->mask) {
        size_t home = leat__slot_entry(s->slots[i])->hash & s->mask;
        if (((i - home) & s->mask) >= ((i - hole) & s->mask)) {
            s->slots[hole] = s->slots[i];
            hole = i;
        }
    }
    s->slots[hole] = 0;
}

static void entry_free(leat__store_t *s, leat__entry_t *e)
{
    forget_versions(s, e);
    size_t link = s->lru ? sizeof(leat__link_t) : 0, bytes = entry_bytes(s, e);
    leat__uncharge(s, bytes);
    leat__pool_give(&s->pool, (char *)e - link, bytes);
}

void leat__entry_remove(leat__store_t *s, leat__entry_t *e)
{
    LEAT_ASSERT(!(e->flags & (LEAT__FROZEN | LEAT__LOCKED | LEAT__LISTED)));
    if (s->last == e)
        s->last = NULL;
    if (s->order)
        leat__order_remove(s->order, e);
    if (s->runs)
        leat__runs_remove(s->runs, e);
    if (s->lru)
        leat__lru_unlink(s, e);
    count(s, account(s, e), SIZE_MAX, s->state->budget);
    s->live -= leat__entry_view(e).size != LEAT__ABSENT;
    unplace(s, e);
    s->count--;
    entry_free(s, e);
}

void leat__buffer_drop(leat__store_t *s)
{
    for (size_t i = 0; s->slots && i <= s->mask; i++)
        if (s->slots[i]) {
            leat__entry_t *e = leat__slot_entry(s->slots[i]);
            count(s, account(s, e), SIZE_MAX, s->state->budget);
            entry_free(s, e);
        }
    if (s->slots) {
        leat__uncharge(s, (s->mask + 1) * sizeof *s->slots);
        leat__pages_free(s->slots, (s->mask + 1) * sizeof *s->slots);
    }
    s->slots = NULL;
    s->mask = s->count = s->live = s->hand = s->queued = 0;
    s->last = s->oldest = s->newest = NULL;
    list_release(s, &s->dirty);
    list_release(s, &s->open);
    list_release(s, &s->committed);
    leat__order_free(s->order);
    s->order = NULL;
    leat__runs_free(s->runs);
    s->runs = NULL;
    leat__pool_release(&s->pool);
}

/* ---- for tests ---- */

static void check_entry(const leat__store_t *s, const leat__entry_t *e)
{
    const leat__versions_t *v = e->versions;
    LEAT_ASSERT(leat__entry_find(s, leat__entry_key(e), e->hash) == e);
    LEAT_ASSERT(!(e->flags & LEAT__MOVED) == !(v && v->current));
    bool arrives = s->cached && s->shape != LEAT__PLAIN;
    LEAT_ASSERT(!(e->flags & LEAT__UNLOGGED) || s->logged || arrives);
    LEAT_ASSERT(!(e->flags & LEAT__UNFORWARDED) || s->cached);
    LEAT_ASSERT(!(e->flags & (LEAT__AHEAD | LEAT__LISTED | LEAT__FROZEN)) || !s->resident);
    LEAT_ASSERT(!(e->flags & LEAT__AHEAD) || e->flags & (LEAT__LISTED | LEAT__FROZEN));
    LEAT_ASSERT(
        !(e->flags & LEAT__UNCOMMITTED) || !(e->flags & LEAT__AHEAD) || (v && v->committed));
    LEAT_ASSERT(!(v && v->committed) || e->flags & LEAT__UNCOMMITTED);
    LEAT_ASSERT(!(e->flags & LEAT__QUEUED) ||
                (e->at < s->dirty.count && s->dirty.at[e->at] == e));
    LEAT_ASSERT(!(e->flags & (LEAT__UNLOGGED | LEAT__UNFORWARDED)) == !(e->flags & LEAT__QUEUED));
    LEAT_ASSERT(!(e->flags & LEAT__FROZEN) || s->state->frozen);
}

void leat__store_check(const leat__store_t *s)
{
    size_t entries = 0, live = 0, queued = 0, open = 0, listed = 0;
    for (size_t i = 0; s->slots && i <= s->mask; i++) {
        if (!s->slots[i])
            continue;
        const leat__entry_t *e = leat__slot_entry(s->slots[i]);
        check_entry(s, e);
        entries++;
        live += leat__entry_view(e).size != LEAT__ABSENT;
        queued += (e->flags & LEAT__QUEUED) != 0;
        open += (e->flags & LEAT__UNCOMMITTED) != 0;
        listed += (e->flags & LEAT__LISTED) != 0;
    }
    LEAT_ASSERT(entries == s->count && live == s->live && queued == s->queued);
    LEAT_ASSERT(open == s->open.count && listed == s->committed.count);
    if (s->runs)
        leat__runs_check(s->runs);
    if (s->order) {
        const leat__entry_t *last = NULL;
        const leat__order_node_t *n = leat__order_seek(s->order, (leat_slice_t){"", 0});
        for (; n; n = leat__order_next(n), entries--) {
            const leat__entry_t *e = leat__order_entry(n);
            LEAT_ASSERT(!last || leat__order_compare(s->order, last, e) < 0);
            last = e;
        }
        LEAT_ASSERT(entries == 0);
    }
}

void leat__store_account(const leat__store_t *s, leat__budget_t *budget)
{
    for (size_t i = 0; s->slots && i <= s->mask; i++)
        if (s->slots[i])
            count(s, account(s, leat__slot_entry(s->slots[i])), 1, budget);
}
