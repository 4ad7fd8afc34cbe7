/*
 * runtime/embedded/pack.c: records as bytes.
 *
 *   record   time 8 | delta 4 | key size 4 | value size 4 | headers size 4 | key | value | headers
 *   headers  count 4, then of each: name size 4 | name | 0 | value size 4 | value
 *
 * A size of NONE means null. Numbers are big-endian. `delta` is the distance from the offset of the
 * pack's first record; a writer counts 0, 1, 2 ...; compaction leaves gaps. The same bytes are
 * collected by writers, appended to partitions and written to files. leat__pack_next checks every
 * size against what is left, so damaged bytes end a walk and nothing more.
 */
#include <string.h>

#include "base/mem.h"
#include "runtime/embedded/internal.h"

#define NONE UINT32_MAX
#define HEAD_SIZE 24u

static size_t header_bytes(const leat_headers_t *headers)
{
    size_t size = 4;

    if (!headers || headers->count == 0)
        return 0;
    for (size_t i = 0; i < headers->count; i++)
        size += 4 + strlen(headers->at[i].name) + 1 + 4 + headers->at[i].value.size;
    return size;
}

static char *put_headers(char *at, const leat_headers_t *headers)
{
    leat__store_be32(at, (uint32_t)headers->count);
    at += 4;
    for (size_t i = 0; i < headers->count; i++) {
        const leat_header_t *h = &headers->at[i];
        size_t name_size = strlen(h->name);

        leat__store_be32(at, (uint32_t)name_size);
        memcpy(at + 4, h->name, name_size + 1);
        at += 4 + name_size + 1;
        leat__store_be32(at, h->value.data ? (uint32_t)h->value.size : NONE);
        at += 4;
        if (h->value.data && h->value.size)
            memcpy(at, h->value.data, h->value.size);
        at += h->value.data ? h->value.size : 0;
    }
    return at;
}

/* Room for a record's head, filled, and what follows it; returns where the key goes. */
static char *put_head(leat__pack_t *p, uint32_t delta, leat_slice_t key, leat_slice_t value,
    int64_t time_ms, size_t headers_size)
{
    size_t size =
        HEAD_SIZE + (key.data ? key.size : 0) + (value.data ? value.size : 0) + headers_size;
    char *at;

    leat__buf_reserve(&p->bytes, size);
    at = p->bytes.data + p->bytes.size;
    leat__store_be64(at, (uint64_t)time_ms);
    leat__store_be32(at + 8, delta);
    leat__store_be32(at + 12, key.data ? (uint32_t)key.size : NONE);
    leat__store_be32(at + 16, value.data ? (uint32_t)value.size : NONE);
    leat__store_be32(at + 20, (uint32_t)headers_size);
    p->bytes.size += size;
    p->count++;
    return at + HEAD_SIZE;
}

static char *put_slice(char *at, leat_slice_t s)
{
    if (!s.data || s.size == 0)
        return at;
    memcpy(at, s.data, s.size);
    return at + s.size;
}

void leat__pack_put(leat__pack_t *p, uint32_t delta, leat_slice_t key, leat_slice_t value,
    int64_t time_ms, const leat_headers_t *headers)
{
    size_t headers_size = header_bytes(headers);
    char *at = put_head(p, delta, key, value, time_ms, headers_size);

    at = put_slice(put_slice(at, key), value);
    if (headers_size)
        put_headers(at, headers);
}

void leat__pack_put_raw(leat__pack_t *p, uint32_t delta, const leat__raw_t *raw)
{
    size_t headers_size = leat__raw_headers_size(raw);
    char *at = put_head(p, delta, raw->key, raw->value, raw->time_ms, headers_size);

    at = put_slice(put_slice(at, raw->key), raw->value);
    if (headers_size)
        memcpy(at, raw->native, headers_size);
}

/* Whether the header bytes are whole: every later walk over them trusts that. */
static bool headers_whole(const char *at, size_t size)
{
    const char *end = at + size;
    uint32_t count;

    if (size < 4)
        return false;
    count = leat__load_be32(at);
    at += 4;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t name_size, value_size;

        if ((size_t)(end - at) < 9)
            return false;
        name_size = leat__load_be32(at);
        if (name_size > (size_t)(end - at) - 9 || at[4 + name_size] != 0)
            return false;
        at += 4 + name_size + 1;
        value_size = leat__load_be32(at);
        at += 4;
        if (value_size != NONE && value_size > (size_t)(end - at))
            return false;
        at += value_size == NONE ? 0 : value_size;
    }
    return at == end;
}

static bool take(const char **at, const char *end, uint32_t size, leat_slice_t *s)
{
    if (size == NONE) {
        *s = (leat_slice_t){NULL, 0};
        return true;
    }
    if (size > (size_t)(end - *at))
        return false;
    *s = (leat_slice_t){*at, size};
    *at += size;
    return true;
}

bool leat__pack_next(const char **at, const char *end, int64_t base, leat__raw_t *raw)
{
    const char *p = *at;
    uint32_t key_size, value_size, headers_size;

    if ((size_t)(end - p) < HEAD_SIZE)
        return false;
    raw->time_ms = (int64_t)leat__load_be64(p);
    raw->offset = base + leat__load_be32(p + 8);
    key_size = leat__load_be32(p + 12);
    value_size = leat__load_be32(p + 16);
    headers_size = leat__load_be32(p + 20);
    p += HEAD_SIZE;
    if (!take(&p, end, key_size, &raw->key) || !take(&p, end, value_size, &raw->value))
        return false;
    raw->native = NULL;
    if (headers_size) {
        if (headers_size > (size_t)(end - p) || !headers_whole(p, headers_size))
            return false;
        raw->native = (void *)(uintptr_t)p;
        p += headers_size;
    }
    *at = p;
    return true;
}

size_t leat__raw_headers_size(const leat__raw_t *raw)
{
    const char *start = raw->native, *at = start;
    uint32_t count;

    if (!start)
        return 0;
    count = leat__load_be32(at);
    at += 4;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t value_size;

        at += 4 + leat__load_be32(at) + 1;
        value_size = leat__load_be32(at);
        at += 4 + (value_size == NONE ? 0 : value_size);
    }
    return (size_t)(at - start);
}

size_t leat__raw_bytes(const leat__raw_t *raw)
{
    return raw->key.size + raw->value.size + leat__raw_headers_size(raw);
}

const leat_headers_t *leat__raw_headers(const leat__raw_t *raw, leat__arena_t *scratch)
{
    const char *at = raw->native;
    leat_headers_t *h;
    uint32_t count;

    if (!at)
        return NULL;
    count = leat__load_be32(at);
    at += 4;
    h = leat__arena_alloc(scratch, sizeof *h + count * sizeof h->at[0]);
    h->count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t name_size = leat__load_be32(at), value_size;

        h->at[i].name =
            at + 4; /* terminated in the batch, which outlives the scratch of its records */
        at += 4 + name_size + 1;
        value_size = leat__load_be32(at);
        at += 4;
        h->at[i].value =
            (leat_slice_t){value_size == NONE ? NULL : at, value_size == NONE ? 0 : value_size};
        at += value_size == NONE ? 0 : value_size;
    }
    return h;
}
