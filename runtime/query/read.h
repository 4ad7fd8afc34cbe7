/*
 * runtime/query/read.h: what every read of a store over HTTP has in common.
 *
 *   points.c   one key, several keys, how many there are, one version
 *   ranges.c   keys, windows, sessions, versions: rows, a page at a time
 */
#ifndef LEAT__RUNTIME_QUERY_READ_H
#define LEAT__RUNTIME_QUERY_READ_H

#include "request.h"
#include "statestore/ask.h"

/* of key_format; in the order of its choices */
enum { LEAT__KEY_TEXT, LEAT__KEY_JSON, LEAT__KEY_BASE64 };

typedef struct leat__read_t {
    leat__request_t *r;
    const leat__store_spec_t *spec;
    int key_format;
    leat_query_opts_t opts;
    leat_query_t *q;
} leat__read_t;

/**
 * The store of the path, what all reads may say about how to read, and whether it is of a kind that
 * has this verb. False: refused, and said in the reply. Then parameters; then leat__read_open.
 */
bool leat__read_begin(
    leat__read_t *read, leat__request_t *r, leat__verb_t verb, leat__reply_t *reply);
/** Of any kind of store; of the parameters "key_format" is read only. */
bool leat__read_begin_any(leat__read_t *read, leat__request_t *r, leat__reply_t *reply);
/** The bytes of a key as the path or the parameter `what` has it. [borrow: scratch] */
bool leat__read_key(leat__read_t *read, const char *what, leat_slice_t text, leat_slice_t *bytes,
    leat__reply_t *reply);
/** After all parameters: false when some are left over. */
bool leat__read_open(leat__read_t *read, leat__reply_t *reply);
/** The only row of a point read, until the next one. */
bool leat__read_point(leat__read_t *read, const leat__ask_t *ask, leat__window_row_t *row);
/** "position" and "lag": the last members of the reply's object. */
void leat__read_put_state(const leat__read_t *read, leat__reply_t *reply);
/** A failure of the query goes over whatever was said. */
void leat__read_end(leat__read_t *read, leat__reply_t *reply);

#endif
