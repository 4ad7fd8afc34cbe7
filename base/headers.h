/* base/headers.h: the inside of leat_headers_t: an immutable array, allocated as one piece. */
#ifndef LEAT__BASE_HEADERS_H
#define LEAT__BASE_HEADERS_H

#include <leat/record.h>
#include "arena.h"

struct leat_headers_t {
    size_t count;
    leat_header_t at[];
};

/** Headers in arena memory, names and values copied. count 0: NULL. */
LEAT_API const leat_headers_t *leat__headers_new(
    leat__arena_t *a, const leat_header_t *headers, size_t count);
const leat_headers_t *leat__headers_with(
    leat__arena_t *a, const leat_headers_t *h, const char *name, const leat_slice_t *value);
const leat_headers_t *leat__headers_without(
    leat__arena_t *a, const leat_headers_t *h, const char *name);
/** One heap block (leat__free) that holds everything; NULL for none. */
LEAT_API leat_headers_t *leat__headers_clone(const leat_headers_t *h);

#endif
