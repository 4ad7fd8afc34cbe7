/* tests/chaos/chaos.h: what the worker and the checker agree on: numbers of keys, and how a fold's value looks. */
#ifndef CHAOS_H
#define CHAOS_H

#include <stdint.h>

enum {
    CHAOS_PARTITIONS = 4,
    CHAOS_KEYS = 397, /* record i has key i % CHAOS_KEYS, and is in group i % CHAOS_GROUPS */
    CHAOS_GROUPS = 61,
    CHAOS_HEAD = 8 /* bytes of the count, before the bits */
};

static inline int64_t chaos_count(const char *bytes)
{
    uint64_t number = 0;

    for (int i = 0; i < CHAOS_HEAD; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return (int64_t)number;
}

static inline void chaos_put_count(char *bytes, int64_t count)
{
    for (int i = 0; i < CHAOS_HEAD; i++)
        bytes[i] = (char)((uint64_t)count >> (8 * (CHAOS_HEAD - 1 - i)));
}

#endif
