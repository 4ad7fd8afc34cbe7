/*
 * runtime/query/place.h: where a page of rows ended, as the text that goes on there: the token "next" of
 * a reply and "page" of a request.
 *
 * Nothing is kept here between two pages, so a page may be asked for at any worker, at any time. A token
 * carries a check over the read that it belongs to: of another read, or damaged, it is refused.
 */
#ifndef LEAT__RUNTIME_QUERY_PLACE_H
#define LEAT__RUNTIME_QUERY_PLACE_H

#include "base/arena.h"
#include "base/buf.h"
#include "statestore/ask.h"

typedef struct leat__place_t { /* of the last row of a page */
    leat_slice_t key;
    int64_t start_ms, end_ms;
    int32_t partition;
    uint32_t same; /* rows alike that were given, it included */
} leat__place_t;

/** store: whose rows; ask: of the first page. */
void leat__place_put(
    leat__buf_t *out, const char *store, const leat__ask_t *ask, const leat__place_t *place);
/** place->key: [borrow: scratch]. False: no token of this read. */
bool leat__place_take(leat_slice_t token, const char *store, const leat__ask_t *ask,
    leat__arena_t *scratch, leat__place_t *place);

#endif
