/*
 * base/headers.c: header lists as values. A changed list is a new one, so that two children of a
 * node never see each other's changes. Every list is one block: the array, then names and
 * values.
 */
#include "headers.h"
#include "mem.h"

#include <string.h>

size_t leat_headers_count(const leat_headers_t *headers)
{
    return headers ? headers->count : 0;
}

const leat_header_t *leat_headers_at(const leat_headers_t *headers, size_t index)
{
    return headers && index < headers->count ? &headers->at[index] : NULL;
}

const leat_slice_t *leat_headers_get(const leat_headers_t *headers, const char *name)
{
    if (!headers || !name)
        return NULL;
    for (size_t i = headers->count; i > 0; i--)
        if (strcmp(headers->at[i - 1].name, name) == 0)
            return &headers->at[i - 1].value;
    return NULL;
}

static size_t bytes_of(const leat_header_t *h)
{
    return strlen(h->name) + 1 + h->value.size;
}

/* Put a copy of h at headers->at[index], its bytes at *bytes, which moves on. */
static void put(leat_headers_t *headers, size_t index, const leat_header_t *h, char **bytes)
{
    size_t name_size = strlen(h->name) + 1;
    leat_header_t *copy = &headers->at[index];

    copy->name = memcpy(*bytes, h->name, name_size);
    *bytes += name_size;
    copy->value = (leat_slice_t){NULL, 0};
    if (!h->value.data)
        return;
    copy->value = (leat_slice_t){*bytes, h->value.size};
    if (h->value.size)
        memcpy(*bytes, h->value.data, h->value.size);
    *bytes += h->value.size;
}

static size_t block_size(const leat_header_t *headers, size_t count)
{
    size_t size = sizeof(leat_headers_t) + count * sizeof *headers;

    for (size_t i = 0; i < count; i++)
        size += bytes_of(&headers[i]);
    return size;
}

static leat_headers_t *fill(void *block, const leat_header_t *headers, size_t count)
{
    leat_headers_t *list = block;
    char *bytes = (char *)&list->at[count];

    list->count = count;
    for (size_t i = 0; i < count; i++)
        put(list, i, &headers[i], &bytes);
    return list;
}

const leat_headers_t *leat__headers_new(
    leat__arena_t *a, const leat_header_t *headers, size_t count)
{
    if (count == 0)
        return NULL;
    return fill(leat__arena_alloc(a, block_size(headers, count)), headers, count);
}

const leat_headers_t *leat__headers_with(
    leat__arena_t *a, const leat_headers_t *h, const char *name, const leat_slice_t *value)
{
    leat_header_t fresh = {name, value ? *value : (leat_slice_t){NULL, 0}};
    size_t count = leat_headers_count(h);
    size_t size = sizeof *h + (count + 1) * sizeof fresh + bytes_of(&fresh);
    leat_headers_t *list = leat__arena_alloc(a, size);
    char *bytes = (char *)&list->at[count + 1];

    /* The old names and values live as long as the old list: as long as this arena's record. */
    if (count)
        memcpy(list->at, h->at, count * sizeof fresh);
    list->count = count + 1;
    put(list, count, &fresh, &bytes);
    return list;
}

const leat_headers_t *leat__headers_without(
    leat__arena_t *a, const leat_headers_t *h, const char *name)
{
    leat_headers_t *list;
    size_t count = leat_headers_count(h);

    if (!leat_headers_get(h, name))
        return h;
    list = leat__arena_alloc(a, sizeof *h + count * sizeof h->at[0]);
    list->count = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(h->at[i].name, name) != 0)
            list->at[list->count++] = h->at[i];
    return list->count ? list : NULL;
}

leat_headers_t *leat__headers_clone(const leat_headers_t *h)
{
    if (leat_headers_count(h) == 0)
        return NULL;
    return fill(leat__must_alloc(block_size(h->at, h->count)), h->at, h->count);
}
