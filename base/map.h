/*
 * base/map.h: text → pointer, for names (never on the record path). Keys are copied; order of
 * insertion is kept.
 */
#ifndef LEAT__BASE_MAP_H
#define LEAT__BASE_MAP_H

#include <leat/base.h>

typedef struct leat__map_t {
    struct leat__map_slot_t {
        char *key;
        void *value;
        uint64_t hash;
    } * slots; /* in order of insertion, holes have no key */
    uint32_t *index;
    size_t count, used, room, mask;
} leat__map_t;

LEAT_API void leat__map_release(leat__map_t *m, void (*value_free)(void *));
LEAT_API void *leat__map_get(const leat__map_t *m, const char *key); /* NULL: none */
LEAT_API bool leat__map_put(
    leat__map_t *m, const char *key, void *value);       /* replaces; false: no memory */
void *leat__map_remove(leat__map_t *m, const char *key); /* what was there */
/* for (size_t i = 0; leat__map_next(&m, &i, &key, &value);) */
bool leat__map_next(const leat__map_t *m, size_t *at, const char **key, void **value);

uint64_t leat__hash(const void *bytes, size_t size);    /* fast, for tables in memory */
uint32_t leat__murmur2(const void *bytes, size_t size); /* Kafka's partitioner's */
/** Kafka Streams' 128 bits: both halves big endian, as they stand in messages. */
void leat__murmur3_128(const void *bytes, size_t size, unsigned char hash[16]);
/** The partition Kafka's clients choose for a key: (murmur2 & 0x7fffffff) % count. */
int32_t leat__partition_of(leat_slice_t key, int32_t count);

#endif
