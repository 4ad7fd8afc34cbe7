/*
 * runtime/heap.h: a binary min-heap of (time, item) in an array, with exactly the moves of
 * java.util.PriorityQueue.
 *
 * The exact moves matter: they decide which of several inputs with equal times goes first, and
 * which of several timers, and both must agree with Kafka Streams (conformance/FORMAT.md, 7.3).
 */
#ifndef LEAT__RUNTIME_HEAP_H
#define LEAT__RUNTIME_HEAP_H

#include "base/mem.h"

#include <stdint.h>

typedef struct leat__heap_item_t {
    int64_t time_ms;
    void *item;
} leat__heap_item_t;

typedef struct leat__heap_t {
    leat__heap_item_t *items;
    size_t count, room;
} leat__heap_t;

static inline void leat__heap_push(leat__heap_t *h, int64_t time_ms, void *item)
{
    size_t at = h->count;

    LEAT__GROW(h->items, h->count, h->room);
    h->count++;
    while (at > 0) {
        size_t parent = (at - 1) / 2;

        if (time_ms >= h->items[parent].time_ms)
            break;
        h->items[at] = h->items[parent];
        at = parent;
    }
    h->items[at] = (leat__heap_item_t){time_ms, item};
}

/* Take the smallest; the heap must not be empty. */
static inline void *leat__heap_pop(leat__heap_t *h)
{
    void *first = h->items[0].item;
    leat__heap_item_t last = h->items[--h->count];
    size_t at = 0, half = h->count / 2;

    if (h->count == 0)
        return first;
    while (at < half) {
        size_t child = 2 * at + 1;

        if (child + 1 < h->count && h->items[child].time_ms > h->items[child + 1].time_ms)
            child++;
        if (last.time_ms <= h->items[child].time_ms)
            break;
        h->items[at] = h->items[child];
        at = child;
    }
    h->items[at] = last;
    return first;
}

/* Forget an item, wherever it is. */
static inline void leat__heap_remove(leat__heap_t *h, const void *item)
{
    leat__heap_t rest = {h->items, 0, h->room};
    size_t count = h->count;

    for (size_t i = 0; i < count; i++) {
        leat__heap_item_t one = h->items[i];

        if (one.item != item)
            leat__heap_push(&rest, one.time_ms, one.item);
    }
    *h = rest;
}

static inline void leat__heap_release(leat__heap_t *h)
{
    leat__free(h->items);
    *h = (leat__heap_t){NULL, 0, 0};
}

#endif
