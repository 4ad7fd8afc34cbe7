/*
 * statestore/order.c: the entries of a store in the order of their keys: a skip list.
 *
 * Made at the first range on a store and kept from then on; point stores never pay for it. Each
 * node is one piece of the store's pool: the entry, the first bytes of its key, so that most
 * comparisons touch the node alone, and its next nodes, one per level. Walks go forward only: a cursor copies what it needs and turns the copy round for a descending range.
 */
#include "statestore/inside.h"

#include "base/mem.h"

#include <stdlib.h>

enum { LEVELS = 20, HEAD_BYTES = 24, TAIL_BYTES = 8 };

struct leat__order_node_t {
    leat__entry_t *entry;
    uint32_t levels;
    char head[HEAD_BYTES]; /* of the key, with zeros behind it */
    struct leat__order_node_t *next[];
};

struct leat__order_t {
    leat__store_t *store;
    size_t tail; /* bytes at the end of a key that count only between keys that are else equal */
    uint64_t random;
    leat__order_node_t *head[LEVELS];
};

static size_t node_bytes(uint32_t levels)
{
    return sizeof(leat__order_node_t) + levels * sizeof(leat__order_node_t *);
}

/* One in four nodes reaches the next level. */
static uint32_t draw_levels(leat__order_t *o)
{
    uint64_t r = o->random;
    r ^= r << 13;
    r ^= r >> 7;
    r ^= r << 17;
    o->random = r;
    uint32_t levels = 1;
    for (r >>= 20; levels < LEVELS && (r & 3) == 0; r >>= 2)
        levels++;
    return levels;
}

static void put_head(char head[HEAD_BYTES], leat_slice_t key)
{
    size_t size = key.size < HEAD_BYTES ? key.size : HEAD_BYTES;
    memset(head + size, 0, HEAD_BYTES - size);
    if (size)
        memcpy(head, key.data, size);
}

/* {end 8}{key}{~start 8}: a key comes before one that it is the beginning of, whatever the starts. */
static size_t tail_of(const leat__store_t *s)
{
    return s->sessions && s->shape == LEAT__TIMES ? TAIL_BYTES : 0;
}

/* What is shorter is no key but a place between keys. */
static leat_slice_t body(leat_slice_t key, size_t tail)
{
    return (leat_slice_t){key.data, key.size < 8 + tail ? key.size : key.size - tail};
}

static int compare(leat_slice_t a, leat_slice_t b, size_t tail)
{
    int way = tail ? leat__bytes_compare(body(a, tail), body(b, tail)) : 0;
    return way ? way : leat__bytes_compare(a, b);
}

static leat__order_node_t *node_new(leat__order_t *o, leat__entry_t *e)
{
    uint32_t levels = draw_levels(o);
    leat__order_node_t *n = leat__pool_take(&o->store->pool, node_bytes(levels));
    n->entry = e;
    n->levels = levels;
    put_head(n->head, body(leat__entry_key(e), o->tail));
    leat__charge(o->store, leat__pool_size(node_bytes(levels)));
    return n;
}

static void node_free(leat__order_t *o, leat__order_node_t *n)
{
    leat__uncharge(o->store, leat__pool_size(node_bytes(n->levels)));
    leat__pool_give(&o->store->pool, n, node_bytes(n->levels));
}

static bool below(
    const leat__order_node_t *n, const char head[HEAD_BYTES], leat_slice_t from, size_t tail)
{
    int way = memcmp(n->head, head, HEAD_BYTES);
    return way ? way < 0 : compare(leat__entry_key(n->entry), from, tail) < 0;
}

/* links[level]: the pointer that leads to the first node whose key is not below `from`. */
static void seek(const leat__order_t *o, leat_slice_t from, leat__order_node_t ***links)
{
    leat__order_node_t *const *row = o->head;
    const leat__order_node_t *beyond = NULL; /* known from the level above not to be below */
    char head[HEAD_BYTES];
    put_head(head, body(from, o->tail));
    for (uint32_t level = LEVELS; level-- > 0;) {
        while (row[level] != beyond && row[level] && below(row[level], head, from, o->tail))
            row = row[level]->next;
        beyond = row[level];
        links[level] = (leat__order_node_t **)(uintptr_t)&row[level];
    }
}

void leat__order_add(leat__order_t *o, leat__entry_t *e)
{
    leat__order_node_t **links[LEVELS], *n = node_new(o, e);
    seek(o, leat__entry_key(e), links);
    for (uint32_t level = 0; level < n->levels; level++) {
        n->next[level] = *links[level];
        *links[level] = n;
    }
}

void leat__order_remove(leat__order_t *o, leat__entry_t *e)
{
    leat__order_node_t **links[LEVELS];
    seek(o, leat__entry_key(e), links);
    leat__order_node_t *n = *links[0];
    for (uint32_t level = 0; level < n->levels; level++)
        *links[level] = n->next[level];
    node_free(o, n);
}

static int by_key(const void *a, const void *b)
{
    const leat__entry_t *const *x = a, *const *y = b;
    return leat__bytes_compare(leat__entry_key(*x), leat__entry_key(*y));
}

static int by_body(const void *a, const void *b)
{
    const leat__entry_t *const *x = a, *const *y = b;
    return compare(leat__entry_key(*x), leat__entry_key(*y), TAIL_BYTES);
}

/* Sorted first, then appended: far fewer comparisons than one search per entry. */
leat__order_t *leat__order_new(leat__store_t *s)
{
    leat__order_t *o = leat__must_alloc(sizeof *o);
    leat__entry_t **all = leat__must_alloc((s->count + 1) * sizeof(leat__entry_t *));
    leat__order_node_t **tail[LEVELS];
    size_t count = 0;
    o->store = s;
    o->tail = tail_of(s);
    o->random = UINT64_C(0x9e3779b97f4a7c15);
    leat__charge(s, sizeof *o);
    for (size_t i = 0; s->slots && i <= s->mask; i++)
        if (s->slots[i])
            all[count++] = leat__slot_entry(s->slots[i]);
    qsort(all, count, sizeof(leat__entry_t *), o->tail ? by_body : by_key);
    for (uint32_t level = 0; level < LEVELS; level++)
        tail[level] = &o->head[level];
    for (size_t i = 0; i < count; i++) {
        leat__order_node_t *n = node_new(o, all[i]);
        for (uint32_t level = 0; level < n->levels; level++) {
            n->next[level] = NULL;
            *tail[level] = n;
            tail[level] = &n->next[level];
        }
    }
    leat__free(all);
    return o;
}

void leat__order_free(leat__order_t *o)
{
    if (!o)
        return;
    for (leat__order_node_t *n = o->head[0], *next; n; n = next) {
        next = n->next[0];
        node_free(o, n);
    }
    leat__uncharge(o->store, sizeof *o);
    leat__free(o);
}

const leat__order_node_t *leat__order_seek(const leat__order_t *o, leat_slice_t from)
{
    leat__order_node_t **links[LEVELS];
    seek(o, from, links);
    return *links[0];
}

leat__entry_t *leat__order_entry(const leat__order_node_t *n)
{
    return n->entry;
}

const leat__order_node_t *leat__order_next(const leat__order_node_t *n)
{
    return n->next[0];
}

bool leat__order_below(const leat__order_t *o, const leat__entry_t *e, leat_slice_t place)
{
    return compare(leat__entry_key(e), place, o->tail) < 0;
}

int leat__order_compare(const leat__order_t *o, const leat__entry_t *a, const leat__entry_t *b)
{
    return compare(leat__entry_key(a), leat__entry_key(b), o->tail);
}
