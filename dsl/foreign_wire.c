/*
 * dsl/foreign_wire.c: the bytes of a foreign-key join, as Kafka Streams writes them. Big endian.
 *
 *   subscription key  {length of the foreign key 4}{foreign key}{primary key}
 *   registration      {version 1, bit 7: no hash}{what 1}{hash 16}?{primary key}{partition 4}
 *   response          {version 0, bit 7: no hash}{hash 16}?{value}
 *
 * Version 0 of a registration has no partition. Vectors: tests/conformance/formats/foreign-key-*.
 */
#include <string.h>
#include "foreign.h"

enum { NO_HASH = 0x80, VERSION = 0x7f, REGISTRATION_VERSION = 1, HEAD = 2, PARTITION = 4 };

static char *put_int32(char *to, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        to[i] = (char)(number >> (24 - 8 * i));
    return to + 4;
}

static uint32_t take_int32(const char *from)
{
    uint32_t number = 0;

    for (int i = 0; i < 4; i++)
        number = number << 8 | (unsigned char)from[i];
    return number;
}

static char *put(char *to, const void *bytes, size_t size)
{
    if (size)
        memcpy(to, bytes, size);
    return to + size;
}

leat_slice_t leat__subscription_key(
    leat__arena_t *scratch, leat_slice_t foreign, leat_slice_t primary)
{
    size_t size = 4 + foreign.size + primary.size;
    char *data = leat__arena_alloc(scratch, size), *at = put_int32(data, (uint32_t)foreign.size);

    put(put(at, foreign.data, foreign.size), primary.data, primary.size);
    return (leat_slice_t){data, size};
}

leat_slice_t leat__subscription_prefix(leat__arena_t *scratch, leat_slice_t foreign)
{
    return leat__subscription_key(scratch, foreign, (leat_slice_t){"", 0});
}

bool leat__subscription_primary(leat_slice_t key, leat_slice_t *primary)
{
    size_t foreign = key.size >= 4 ? take_int32(key.data) : 0;

    if (key.size < 4 || foreign > key.size - 4)
        return false;
    *primary = (leat_slice_t){key.data + 4 + foreign, key.size - 4 - foreign};
    return true;
}

leat_slice_t leat__subscription_put(leat__arena_t *scratch, const leat__subscription_t *s)
{
    size_t hash = s->has_hash ? LEAT__HASH_SIZE : 0;
    size_t size = HEAD + hash + s->primary.size + PARTITION;
    char *data = leat__arena_alloc(scratch, size), *at = data + HEAD;

    data[0] = (char)(REGISTRATION_VERSION | (s->has_hash ? 0 : NO_HASH));
    data[1] = (char)s->what;
    at = put(at, s->hash, hash);
    at = put(at, s->primary.data, s->primary.size);
    put_int32(at, (uint32_t)s->partition);
    return (leat_slice_t){data, size};
}

bool leat__subscription_take(leat_slice_t bytes, leat__subscription_t *s)
{
    int first = bytes.size >= HEAD ? (unsigned char)bytes.data[0] : VERSION;
    size_t hash = first & NO_HASH ? 0 : LEAT__HASH_SIZE;
    size_t tail = first & VERSION ? PARTITION : 0;

    if ((first & VERSION) > REGISTRATION_VERSION || bytes.size < HEAD + hash + tail ||
        (unsigned char)bytes.data[1] > LEAT__SUBSCRIBE_IF_THERE)
        return false;
    s->has_hash = hash > 0;
    put((char *)s->hash, bytes.data + HEAD, hash);
    s->what = (leat__subscribe_t)bytes.data[1];
    s->primary = (leat_slice_t){bytes.data + HEAD + hash, bytes.size - HEAD - hash - tail};
    s->partition = tail ? (int32_t)take_int32(bytes.data + bytes.size - PARTITION) : -1;
    return true;
}

leat_slice_t leat__response_put(
    leat__arena_t *scratch, const unsigned char *hash, const leat_slice_t *value)
{
    size_t hash_size = hash ? LEAT__HASH_SIZE : 0;
    size_t size = 1 + hash_size + (value ? value->size : 0);
    char *data = leat__arena_alloc(scratch, size), *at = data + 1;

    data[0] = (char)(hash ? 0 : NO_HASH);
    at = put(at, hash, hash_size);
    if (value)
        put(at, value->data, value->size);
    return (leat_slice_t){data, size};
}

bool leat__response_take(leat_slice_t bytes, leat__response_t *r)
{
    int first = bytes.size ? (unsigned char)bytes.data[0] : VERSION;
    size_t hash = first & NO_HASH ? 0 : LEAT__HASH_SIZE;

    if ((first & VERSION) != 0 || bytes.size < 1 + hash)
        return false;
    r->has_hash = hash > 0;
    r->hash = (const unsigned char *)bytes.data + 1;
    r->value = (leat_slice_t){bytes.data + 1 + hash, bytes.size - 1 - hash};
    return true;
}
