/*
 * base/map.c: text -> pointer, and the hashes.
 *
 *   index: open addressing, 0 = free, else slot number + 1        slots: keys in order of insertion
 *
 * A removed key leaves a hole in slots that its index entry still points at (a tombstone for the
 * probes); both go at the next growth, which happens when slots are full, at load 1/2 at most.
 */
#include "map.h"
#include "log.h"
#include "mem.h"

#include <string.h>

static uint32_t *index_find(const leat__map_t *m, const char *key, uint64_t hash)
{
    size_t at = (size_t)hash & m->mask;

    for (;; at = (at + 1) & m->mask) {
        uint32_t number = m->index[at];
        const struct leat__map_slot_t *slot;

        if (number == 0)
            return &m->index[at];
        slot = &m->slots[number - 1];
        if (slot->key && slot->hash == hash && strcmp(slot->key, key) == 0)
            return &m->index[at];
    }
}

/* The slot of key, or NULL. */
static struct leat__map_slot_t *find(const leat__map_t *m, const char *key)
{
    uint32_t number;

    if (m->count == 0)
        return NULL;
    number = *index_find(m, key, leat__hash(key, strlen(key)));
    return number ? &m->slots[number - 1] : NULL;
}

/* Room for at least one more slot: holes leave, the index is made anew. */
static bool grow(leat__map_t *m)
{
    size_t room = m->count < 4 ? 8 : m->count * 2, used = 0;
    struct leat__map_slot_t *slots;
    uint32_t *index;
    size_t places = 1;

    while (places < room * 2)
        places *= 2;
    if (room >= UINT32_MAX)
        return false;
    slots = leat__alloc(room * sizeof *slots);
    index = leat__alloc(places * sizeof *index);
    if (!slots || !index) {
        leat__free(slots);
        leat__free(index);
        return false;
    }
    for (size_t i = 0; i < m->used; i++)
        if (m->slots[i].key)
            slots[used++] = m->slots[i];
    leat__free(m->slots);
    leat__free(m->index);
    *m = (leat__map_t){slots, index, m->count, used, room, places - 1};
    for (size_t i = 0; i < used; i++) {
        size_t at = (size_t)slots[i].hash & m->mask;

        while (index[at])
            at = (at + 1) & m->mask;
        index[at] = (uint32_t)(i + 1);
    }
    return true;
}

void leat__map_release(leat__map_t *m, void (*value_free)(void *))
{
    for (size_t i = 0; i < m->used; i++) {
        if (m->slots[i].key && value_free)
            value_free(m->slots[i].value);
        leat__free(m->slots[i].key);
    }
    leat__free(m->slots);
    leat__free(m->index);
    *m = (leat__map_t){0};
}

void *leat__map_get(const leat__map_t *m, const char *key)
{
    const struct leat__map_slot_t *slot = find(m, key);

    return slot ? slot->value : NULL;
}

bool leat__map_put(leat__map_t *m, const char *key, void *value)
{
    struct leat__map_slot_t *slot = find(m, key);
    uint64_t hash;
    char *copy;

    if (slot) {
        slot->value = value;
        return true;
    }
    if (m->used == m->room && !grow(m))
        return false;
    copy = leat__strdup(key);
    if (!copy)
        return false;
    hash = leat__hash(key, strlen(key));
    m->slots[m->used] = (struct leat__map_slot_t){copy, value, hash};
    *index_find(m, key, hash) = (uint32_t)++m->used;
    m->count++;
    return true;
}

void *leat__map_remove(leat__map_t *m, const char *key)
{
    struct leat__map_slot_t *slot = find(m, key);

    if (!slot)
        return NULL;
    leat__free(slot->key);
    slot->key = NULL;
    m->count--;
    return slot->value;
}

bool leat__map_next(const leat__map_t *m, size_t *at, const char **key, void **value)
{
    while (*at < m->used && !m->slots[*at].key)
        (*at)++;
    if (*at >= m->used)
        return false;
    if (key)
        *key = m->slots[*at].key;
    if (value)
        *value = m->slots[*at].value;
    (*at)++;
    return true;
}

static uint64_t mixed(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * Eight bytes a step, folded by 64 x 64 -> 128 bit multiplication. Not for hostile keys, not
 * stored.
 */
uint64_t leat__hash(const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    uint64_t hash = 0x9e3779b97f4a7c15u ^ size, word;
    size_t left = size;

    for (; left >= 8; p += 8, left -= 8) {
        memcpy(&word, p, 8);
        hash = mixed(hash ^ word, 0xa0761d6478bd642fu);
    }
    if (left) {
        word = 0;
        memcpy(&word, p, left);
        hash = mixed(hash ^ word, 0xe7037ed1a0b428dbu);
    }
    return mixed(hash ^ 0x8ebc6af09c88c6e3u, 0x589965cc75374cc3u);
}

/* Kafka's variant (clients Utils.murmur2): little-endian words, this seed. */
uint32_t leat__murmur2(const void *bytes, size_t size)
{
    const uint32_t m = 0x5bd1e995;
    const unsigned char *p = bytes;
    uint32_t hash = 0x9747b28cu ^ (uint32_t)size;
    size_t left = size;

    for (; left >= 4; p += 4, left -= 4) {
        uint32_t k =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;

        k *= m;
        k ^= k >> 24;
        hash = hash * m ^ k * m;
    }
    if (left >= 3)
        hash ^= (uint32_t)p[2] << 16;
    if (left >= 2)
        hash ^= (uint32_t)p[1] << 8;
    if (left >= 1)
        hash = (hash ^ p[0]) * m;
    hash ^= hash >> 13;
    hash *= m;
    return hash ^ hash >> 15;
}

int32_t leat__partition_of(leat_slice_t key, int32_t count)
{
    LEAT_ASSERT(count > 0);
    return (int32_t)((leat__murmur2(key.data, key.size) & 0x7fffffffu) % (uint32_t)count);
}
