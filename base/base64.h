/* base/base64.h: bytes as base64 text (RFC 4648) and back. */
#ifndef LEAT__BASE_BASE64_H
#define LEAT__BASE_BASE64_H

#include "arena.h"
#include "buf.h"

void leat__base64_put(leat__buf_t *out, leat_slice_t bytes);     /* with padding */
void leat__base64_put_url(leat__buf_t *out, leat_slice_t bytes); /* -_ and no padding */

/**
 * The bytes [borrow: scratch] of a text: of either alphabet (+/ or, for URLs, -_), with its padding
 * or without. False: it is no base64.
 */
bool leat__base64_take(leat_slice_t text, leat__arena_t *scratch, leat_slice_t *bytes);

#endif
