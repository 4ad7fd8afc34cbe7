/* runtime/query/place.c: see place.h. A token is base64 of {check 8}{start 8}{end 8}{partition 4}{same 4}{key}. */
#include "place.h"

#include "base/base64.h"
#include "base/map.h"

#include <string.h>

enum { CHECK_SIZE = 8, HEAD_SIZE = CHECK_SIZE + 24 };

static void put_number(leat__buf_t *out, uint64_t number)
{
    char bytes[8];

    leat__store_be64(bytes, number);
    leat__buf_put(out, bytes, sizeof bytes);
}

static void put_bytes(leat__buf_t *out, leat_slice_t bytes)
{
    put_number(out, bytes.data ? bytes.size : UINT64_MAX);
    leat__buf_put(out, bytes.data ? bytes.data : "", bytes.size);
}

static void check_of(
    const char *store, const leat__ask_t *ask, leat_slice_t rest, char check[CHECK_SIZE])
{
    leat__buf_t all = {0};
    unsigned char hash[16];

    put_bytes(&all, leat_slice(store));
    put_number(&all, (uint64_t)ask->verb << 1 | (ask->order == LEAT_DESCENDING));
    put_bytes(&all, ask->from);
    put_bytes(&all, ask->to);
    put_number(&all, (uint64_t)ask->from_ms);
    put_number(&all, (uint64_t)ask->to_ms);
    leat__buf_put(&all, rest.data, rest.size);
    leat__murmur3_128(all.data, all.size, hash);
    memcpy(check, hash, CHECK_SIZE);
    leat__buf_release(&all);
}

void leat__place_put(
    leat__buf_t *out, const char *store, const leat__ask_t *ask, const leat__place_t *place)
{
    char head[HEAD_SIZE] = {0};
    leat__buf_t token = {0};

    leat__store_be64(head + CHECK_SIZE, (uint64_t)place->start_ms);
    leat__store_be64(head + CHECK_SIZE + 8, (uint64_t)place->end_ms);
    leat__store_be32(head + CHECK_SIZE + 16, (uint32_t)place->partition);
    leat__store_be32(head + CHECK_SIZE + 20, place->same);
    leat__buf_put(&token, head, sizeof head);
    leat__buf_put(&token, place->key.data, place->key.size);
    check_of(store, ask, (leat_slice_t){token.data + CHECK_SIZE, token.size - CHECK_SIZE}, token.data);
    leat__base64_put_url(out, (leat_slice_t){token.data, token.size});
    leat__buf_release(&token);
}

bool leat__place_take(leat_slice_t token, const char *store, const leat__ask_t *ask,
    leat__arena_t *scratch, leat__place_t *place)
{
    char check[CHECK_SIZE];
    leat_slice_t bytes;
    const char *head;

    if (!leat__base64_take(token, scratch, &bytes) || bytes.size < HEAD_SIZE)
        return false;
    check_of(
        store, ask, (leat_slice_t){bytes.data + CHECK_SIZE, bytes.size - CHECK_SIZE}, check);
    if (memcmp(check, bytes.data, CHECK_SIZE) != 0)
        return false;
    head = bytes.data + CHECK_SIZE;
    *place = (leat__place_t){.key = {bytes.data + HEAD_SIZE, bytes.size - HEAD_SIZE},
        .start_ms = (int64_t)leat__load_be64(head),
        .end_ms = (int64_t)leat__load_be64(head + 8),
        .partition = (int32_t)leat__load_be32(head + 16),
        .same = leat__load_be32(head + 20)};
    return true;
}
