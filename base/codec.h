/*
 * base/codec.h: serdes at work. Built-in serdes are recognised by their address and cost no
 * indirect call.
 *
 * leat__encode: a string or bytes value is its own encoding (borrowed, no copy); everything else
 * is written into scratch. leat__decode: a string is a slice into the bytes; room for C types
 * comes from scratch. The value lives as long as scratch and the bytes do.
 */
#ifndef LEAT__BASE_CODEC_H
#define LEAT__BASE_CODEC_H

#include <leat/serde.h>
#include "arena.h"
#include "buf.h"

typedef struct leat__codec_env_t {
    leat__arena_t *scratch;
    const char *topic; /* or the changelog's */
    bool is_key;
    const leat_headers_t *headers;
} leat__codec_env_t;

/** value not NULL. 0, or LEAT_ESERDE with err->text saying why. *bytes is borrowed from value or
 *  scratch; its data is never NULL. */
LEAT_API int leat__encode(const leat_serde_t *s, const void *value, const leat__codec_env_t *env,
    leat_slice_t *bytes, leat_error_t *err);
/** *value borrowed from bytes and scratch. */
LEAT_API int leat__decode(const leat_serde_t *s, leat_slice_t bytes, const leat__codec_env_t *env,
    const void **value, leat_error_t *err);

/** For serdes made of others: what leat__encode and leat__decode of the parts are to be told. */
const leat__codec_env_t *leat__codec_env(const leat_codec_t *c);

/** As text: the serde's print, or a built-in form (bytes: lower-case hex; no print:
 *  "<name: N bytes>"). Never fails; terminated behind its size. value NULL: "null". */
LEAT_API leat_slice_t leat__print(const leat_serde_t *s, const void *value, leat__arena_t *scratch);
bool leat__serde_has_text(const leat_serde_t *s); /* can parse */
LEAT_API int leat__parse(const leat_serde_t *s, leat_slice_t text, leat__arena_t *scratch,
    const void **value, leat_error_t *err);

/** No pointers inside: .size bytes of the value are all of it. True too for the number serdes and
 *  for field tables without a slice. */
bool leat__serde_is_flat(const leat_serde_t *s);

/* Windowed keys (base owns their bytes): parts of a serde made by leat_serde_windowed and its like.
 * The composed serdes below belong to whoever made them (leat__serde_free); NULL without memory. */
const leat_serde_t *leat__serde_inner(const leat_serde_t *s); /* NULL: not a windowed serde */
bool leat__serde_is_session(const leat_serde_t *s);           /* {key}{end 8}{start 8} */
leat_serde_t *leat__serde_windowed_new(const leat_serde_t *key, int64_t size_ms, bool session);
leat_serde_t *leat__serde_list_new(const leat_serde_t *element);
void leat__serde_free(leat_serde_t *s);

/* The release of leat_serde_json() gives the reference back. NULL without memory. */
struct json_t;
struct json_t *leat__json_copy(const struct json_t *value); /* [own] shallow */

#endif
