/*
 * statestore/queue.c: a binary heap over the rows of a store, by time, then by key.
 *
 * A heap is enough since rows leave from the front only and never change their place.
 */
#include "statestore/queue.h"

#include "base/log.h"
#include "base/mem.h"
#include "statestore/inside.h"

typedef struct node_t {
    int64_t time_ms;
    uint32_t key_size;
    char key[];
} node_t;

struct leat__queue_t {
    leat__store_t *s;
    leat__queue_read_fn read;
    leat__pool_t pool;
    node_t **heap;
    size_t count, room;
    size_t bytes;
};

static bool before(const node_t *a, const node_t *b)
{
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms;
    return leat__bytes_compare(
               (leat_slice_t){a->key, a->key_size}, (leat_slice_t){b->key, b->key_size}) < 0;
}

static void up(leat__queue_t *q, size_t at)
{
    node_t *n = q->heap[at];
    for (; at > 0 && before(n, q->heap[(at - 1) / 2]); at = (at - 1) / 2)
        q->heap[at] = q->heap[(at - 1) / 2];
    q->heap[at] = n;
}

static void down(leat__queue_t *q)
{
    node_t *n = q->heap[0];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= q->count)
            break;
        if (child + 1 < q->count && before(q->heap[child + 1], q->heap[child]))
            child++;
        if (!before(q->heap[child], n))
            break;
        q->heap[at] = q->heap[child];
        at = child;
    }
    q->heap[at] = n;
}

static void add(leat__queue_t *q, leat_slice_t key, int64_t time_ms)
{
    node_t *n = leat__pool_take(&q->pool, sizeof *n + key.size);
    n->time_ms = time_ms;
    n->key_size = (uint32_t)key.size;
    if (key.size)
        memcpy(n->key, key.data, key.size);
    LEAT__GROW(q->heap, q->count, q->room);
    q->heap[q->count++] = n;
    up(q, q->count - 1);
}

leat__queue_t *leat__queue_new(leat__store_t *s, leat__queue_read_fn read)
{
    leat__queue_t *q = leat__must_alloc(sizeof *q);
    const leat_slice_t open = {NULL, 0};
    leat_slice_t key, value;
    q->s = s;
    q->read = read;
    leat__cursor_t *c = leat__store_range(s, open, open, LEAT_ASCENDING);
    while (leat__cursor_next(c, &key, &value, NULL)) {
        int64_t time_ms;
        size_t bytes;
        read(key, value, &time_ms, &bytes);
        q->bytes += bytes;
        add(q, key, time_ms);
    }
    leat__cursor_close(c);
    return q;
}

static void give(leat__queue_t *q, node_t *n)
{
    leat__pool_give(&q->pool, n, sizeof *n + n->key_size);
}

void leat__queue_free(leat__queue_t *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < q->count; i++)
        give(q, q->heap[i]);
    leat__pool_release(&q->pool);
    leat__free(q->heap);
    leat__free(q);
}

bool leat__queue_find(leat__queue_t *q, leat_slice_t key, leat_slice_t *value)
{
    return leat__store_get(q->s, key, value, NULL);
}

void leat__queue_put(leat__queue_t *q, leat_slice_t key, leat_slice_t value, int64_t time_ms,
    const leat_headers_t *headers)
{
    leat_slice_t old;
    int64_t since_ms, new_since_ms;
    size_t bytes;
    bool waits = leat__store_get(q->s, key, &old, NULL);
    if (waits) {
        q->read(key, old, &since_ms, &bytes);
        q->bytes -= bytes;
    }
    q->read(key, value, &new_since_ms, &bytes);
    q->bytes += bytes;
    LEAT_ASSERT(!waits || since_ms == new_since_ms);
    if (!waits)
        add(q, key, new_since_ms);
    leat__store_put(q->s, key, &value, time_ms, headers);
}

bool leat__queue_first(leat__queue_t *q, int64_t *time_ms, leat_slice_t *key, leat_slice_t *value)
{
    if (!q->count)
        return false;
    const node_t *n = q->heap[0];
    *time_ms = n->time_ms;
    *key = (leat_slice_t){n->key, n->key_size};
    return leat__store_get(q->s, *key, value, NULL); /* false: the backend failed, and says so */
}

void leat__queue_pop(leat__queue_t *q, int64_t time_ms)
{
    node_t *n = q->heap[0];
    leat_slice_t key = {n->key, n->key_size}, value;
    int64_t since_ms;
    size_t bytes;
    if (leat__store_get(q->s, key, &value, NULL)) {
        q->read(key, value, &since_ms, &bytes);
        q->bytes -= bytes;
        leat__store_put(q->s, key, NULL, time_ms, NULL);
    }
    q->heap[0] = q->heap[--q->count];
    if (q->count)
        down(q);
    give(q, n);
}

size_t leat__queue_count(const leat__queue_t *q)
{
    return q->count;
}

size_t leat__queue_bytes(const leat__queue_t *q)
{
    return q->bytes;
}
