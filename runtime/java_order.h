/*
 * runtime/java_order.h: the orders in which Java's hash sets and tree sets walk, because Kafka's
 * describe() shows them.
 */
#ifndef LEAT__RUNTIME_JAVA_ORDER_H
#define LEAT__RUNTIME_JAVA_ORDER_H

#include <stddef.h>

typedef struct leat__named_t {
    const char *name;
    void *item;
    size_t bucket, at; /* scratch of the sorting */
} leat__named_t;

/**
 * Items in order of insertion → in the order that a java.util.HashSet of their names has, filled by
 * add().
 */
void leat__java_hash_order(leat__named_t *items, size_t count);
/** The same for a HashSet made as a copy of a collection that walks in the given order. */
void leat__java_copy_order(leat__named_t *items, size_t count);

#endif
