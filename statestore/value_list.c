/* statestore/value_list.c: lists of byte strings in a key-value store (value_list.h). */
#include "statestore/value_list.h"

#include "base/buf.h"
#include "statestore/inside.h"

enum { HEAD_BYTES = 5 };

static void put32(leat__buf_t *out, uint32_t number)
{
    char bytes[4];
    leat__store_be32(bytes, number);
    leat__buf_put(out, bytes, sizeof bytes);
}

void leat__value_list_append(leat__store_t *s, leat_slice_t key, leat_slice_t item, int64_t time_ms,
    const leat_headers_t *headers)
{
    leat__buf_t *out = &s->value_room;
    leat_slice_t old = {NULL, 0};
    bool there = leat__store_get(s, key, &old, NULL) && old.size >= HEAD_BYTES;
    uint32_t count = there ? leat__load_be32(old.data + 1) : 0;
    out->size = 0;
    leat__buf_put(out, "\1", 1);
    put32(out, count + 1);
    if (there)
        leat__buf_put(out, old.data + HEAD_BYTES, old.size - HEAD_BYTES);
    put32(out, (uint32_t)item.size);
    leat__buf_put(out, item.data, item.size);
    leat_slice_t list = {out->data, out->size};
    leat__store_put(s, key, &list, time_ms, headers);
}

bool leat__value_list_next(leat_slice_t list, size_t *at, leat_slice_t *item)
{
    size_t from = *at ? *at : HEAD_BYTES;
    if (from == list.size)
        return false;
    if (from + 4 <= list.size) {
        item->size = leat__load_be32(list.data + from);
        item->data = list.data + from + 4;
        *at = from + 4 + item->size;
        if (*at <= list.size)
            return true;
    }
    *at = 0;
    return false;
}
