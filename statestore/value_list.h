/*
 * statestore/value_list.h: a list of byte strings as one value of a key-value store: what an outer join
 * keeps per key. Kafka Streams' bytes: {1: 1}{items 4}({length 4}{item})…
 */
#ifndef LEAT__STATESTORE_VALUE_LIST_H
#define LEAT__STATESTORE_VALUE_LIST_H

#include "statestore/store.h"

/** Append an item to the list under key; made if it is not there. Logged as the whole list. */
void leat__value_list_append(leat__store_t *s, leat_slice_t key, leat_slice_t item, int64_t time_ms,
    const leat_headers_t *headers);
/** The next item of a list's bytes; *at: 0 at first. False: no more (or damaged: *at is 0 then). */
bool leat__value_list_next(leat_slice_t list, size_t *at, leat_slice_t *item);

#endif
