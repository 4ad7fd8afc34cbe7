/*
 * dsl/foreign.h: two tables joined by a foreign key: what the files of that join share.
 *
 *   left ─▶ send ─▶ [registration topic] ─▶ receive ─▶ join-foreign ─┐
 *                                            (subscriptions)         ├▶ [response topic] ─▶ resolve
 *                                  right ─▶ foreign-join ────────────┘                        │
 *                                                                                   result ◀──┘
 *
 * The left task tells the task that owns the foreign key about each of its rows; that one keeps
 * {foreign key}{primary key} as a subscription, and answers with the right row, at once and on each
 * change of it. An answer counts only while the left row is still the one it was asked for: both
 * messages carry a hash of it.
 *
 *   foreign.c       the call, names, nodes
 *   foreign_wire.c  the bytes of keys and messages
 *   foreign_run.c   the processors
 *
 * Keys and messages go through nodes and stores as bytes; decoded is only what a function of the
 * program is to see. Counterpart in Kafka Streams: KTableImpl.doJoinOnForeignKey and the package
 * foreignkeyjoin.
 */
#ifndef LEAT__DSL_FOREIGN_H
#define LEAT__DSL_FOREIGN_H

#include "rows.h"

enum { LEAT__HASH_SIZE = 16 };

typedef enum leat__subscribe_t { /* what a left row's message asks for */
    LEAT__UNSUBSCRIBE = 0,       /* no answer */
    LEAT__UNSUBSCRIBE_ANSWER = 1,
    LEAT__SUBSCRIBE_ANSWER = 2,  /* also if there is no right row */
    LEAT__SUBSCRIBE_IF_THERE = 3 /* only if there is one */
} leat__subscribe_t;

typedef struct leat__subscription_t {
    bool has_hash;
    unsigned char hash[LEAT__HASH_SIZE]; /* of the left value; none: it was deleted */
    leat__subscribe_t what;
    leat_slice_t primary; /* key */
    int32_t partition;    /* of the left row; -1: an old version does not say */
} leat__subscription_t;

/** As the sink of the response topic gets it: its bytes first, as the bytes serde wants them. */
typedef struct leat__answer_t {
    leat_slice_t bytes;
    int32_t partition;
} leat__answer_t;

typedef struct leat__response_t {
    bool has_hash;
    const unsigned char *hash;
    leat_slice_t value; /* .size 0: none */
} leat__response_t;

/** The operator's data, of all nodes but the result. */
typedef struct leat__foreign_t {
    leat_map_fn key;
    leat_combine_fn fn;
    void *user;
    bool left_join;
    const leat__rows_t *left, *right;
    const char *subscriptions; /* store */
    leat_map_fn partition, other_partition;
} leat__foreign_t;

/* ---- foreign_wire.c: into scratch ---- */

leat_slice_t leat__subscription_key(
    leat__arena_t *scratch, leat_slice_t foreign, leat_slice_t primary);
leat_slice_t leat__subscription_prefix(leat__arena_t *scratch, leat_slice_t foreign);
/** The primary key in a subscription's key. False: not one. */
bool leat__subscription_primary(leat_slice_t key, leat_slice_t *primary);
leat_slice_t leat__subscription_put(leat__arena_t *scratch, const leat__subscription_t *s);
/** False: not a message, or of an unknown version. */
bool leat__subscription_take(leat_slice_t bytes, leat__subscription_t *s);
/** hash NULL: none; value NULL: none. */
leat_slice_t leat__response_put(
    leat__arena_t *scratch, const unsigned char *hash, const leat_slice_t *value);
bool leat__response_take(leat_slice_t bytes, leat__response_t *r);

/* ---- foreign_run.c ---- */

void leat__foreign_send(leat_ctx_t *ctx, const leat_record_t *in);
void leat__foreign_receive(leat_ctx_t *ctx, const leat_record_t *in);
void leat__foreign_join(leat_ctx_t *ctx, const leat_record_t *in);
void leat__foreign_right(leat_ctx_t *ctx, const leat_record_t *in);
void leat__foreign_resolve(leat_ctx_t *ctx, const leat_record_t *in);
/** Partitioners of the two topics; leat_user() is the leat__foreign_t. */
void leat__foreign_to_right(leat_ctx_t *ctx, const leat_record_t *in);
void leat__foreign_to_left(leat_ctx_t *ctx, const leat_record_t *in);

#endif
