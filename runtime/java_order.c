/*
 * runtime/java_order.c: the order of a java.util.HashSet of strings.
 *
 * A HashMap has a power of two of buckets: 16 at first, doubled when it holds more than three
 * quarters; a copy starts with as many as the source's size asks for. It walks bucket by bucket,
 * and within a bucket in the order of insertion, which doubling keeps. (Buckets of eight and more
 * become trees in Java; with a String's hash over names that does not happen.)
 */
#include <stdint.h>
#include <stdlib.h>
#include "java_order.h"

static uint32_t java_hash(const char *text)
{
    uint32_t hash = 0;

    for (; *text; text++)
        hash = hash * 31 + (unsigned char)*text;
    return hash ^ (hash >> 16);
}

static size_t buckets_for(size_t count, size_t buckets)
{
    while (count > buckets / 4 * 3)
        buckets *= 2;
    return buckets;
}

static int compare(const void *a, const void *b)
{
    const leat__named_t *x = a, *y = b;

    if (x->bucket != y->bucket)
        return x->bucket < y->bucket ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void order(leat__named_t *items, size_t count, size_t buckets)
{
    for (size_t i = 0; i < count; i++) {
        items[i].bucket = java_hash(items[i].name) & (buckets - 1);
        items[i].at = i;
    }
    qsort(items, count, sizeof *items, compare);
}

void leat__java_hash_order(leat__named_t *items, size_t count)
{
    order(items, count, buckets_for(count, 16));
}

void leat__java_copy_order(leat__named_t *items, size_t count)
{
    size_t wanted = (size_t)((float)count / 0.75f) + 1, buckets = 16;

    while (buckets < wanted)
        buckets *= 2;
    order(items, count, buckets_for(count, buckets));
}
