/*
 * runtime/ctx.h: the inside of leat_ctx_t: one per task; and how operators call functions of the
 * program.
 *
 * A ctx always knows the node that runs and the record it runs on. A *call* says what leat_emit*()
 * means right now: users' processors forward to their children; an operator of the DSL pushes a
 * call of its own before it runs a function of the program, so that `emit one value` can mean `put
 * it into the store and forward the change`. Calls live on the C stack.
 */
#ifndef LEAT__RUNTIME_CTX_H
#define LEAT__RUNTIME_CTX_H

#include <leat/ctx.h>
#include <leat/app.h>
#include "statestore/typed.h"
#include "topology.h"

typedef struct leat__task_t leat__task_t;
typedef struct leat__live_t leat__live_t; /* a node in a task */

/** A record on its way: the public one first, and its bytes where they are known, so that what was
 *  not touched is not encoded again. */
typedef struct leat__record_t {
    leat_record_t pub;
    leat_slice_t key_bytes, value_bytes;         /* valid if the serde beside is set */
    const leat_serde_t *key_serde, *value_serde; /* with which the bytes were or would be made */
} leat__record_t;

typedef enum leat__emit_t {
    LEAT__EMIT_BOTH = 1,
    LEAT__EMIT_VALUE = 2,
    LEAT__EMIT_KEY = 4,
    LEAT__EMIT_RECORD = 8,
    LEAT__EMIT_TO = 16,
    LEAT__EMIT_TOPIC = 32,
    LEAT__EMIT_PARTITION = 64
} leat__emit_t;

typedef struct leat__call_t leat__call_t;
/** out: the complete record as emitted; what was not given rides along from call->in. */
typedef void (*leat__emit_fn)(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child);
struct leat__call_t {
    leat__call_t *up;
    void *user;              /* leat_user() */
    const leat_record_t *in; /* what rides along: leat_key, leat_time_ms, leat_headers */
    leat__emit_fn emit;
    unsigned allowed; /* leat__emit_t's; others fail the record with LEAT_ETYPE and name the node */
    unsigned count, count_max; /* emissions so far, at most (0: any) */
    void *data;                /* the operator's */
    leat_slice_t topic;        /* EMIT_TOPIC, copied into scratch */
    int32_t *partitions;
    size_t partition_count;  /* EMIT_PARTITION, in scratch */
    int32_t partition_total; /* leat_partition_count() */
};

struct leat_ctx_t {
    leat__owner_t owner; /* of every store handle in this task: scratch, time, sticky failure */
    leat__task_t *task;
    leat__live_t *node;           /* that runs */
    const leat__record_t *record; /* it runs on; for a tick: no key, no value */
    leat__call_t *call;
    leat__arena_t scratch;
    leat_error_t failure; /* of the current call; code 0: none */
    bool failed;          /* unwinding to the task: the verdict was to fail; emissions do nothing */
    const leat_meta_t *meta; /* NULL in punctuators */
    leat_meta_t last_meta;   /* of the last record; topic NULL: none yet */
    const int64_t *as_of_ms; /* of the next look-up in versioned rows; NULL: the latest */
    int64_t wall_ms, stream_time_ms, partition_time_ms;
    leat_timer_t *timer; /* whose tick this is */
};

/* ---- for operators ---- */

/** Run a function of the program under `call`: fill user, in, emit, allowed, count_max, data. */
void leat__call_map(leat_ctx_t *ctx, leat__call_t *call, leat_map_fn fn, const leat_record_t *in);
void leat__call_combine(
    leat_ctx_t *ctx, leat__call_t *call, leat_combine_fn fn, const void *a, const void *b);
bool leat__call_predicate(
    leat_ctx_t *ctx, void *user, leat_predicate_fn fn, const leat_record_t *in);
/** Exactly one emission was due: else, if nothing failed, the record fails with LEAT_ETYPE. */
void leat__call_check_one(leat_ctx_t *ctx, const leat__call_t *call);
bool leat__ok(const leat_ctx_t *ctx); /* nothing failed so far */

/** To all children; bytes ride along where the pointers are the current record's. */
void leat__forward(leat_ctx_t *ctx, const leat_record_t *out);
/* unknown: LEAT_ECHILD */
void leat__forward_to(leat_ctx_t *ctx, const leat_record_t *out, const char *child);
/* by position: split */
void leat__forward_at(leat_ctx_t *ctx, const leat_record_t *out, size_t child);
const void *leat__operator(const leat_ctx_t *ctx); /* node->operator_ */
int32_t leat__partition(const leat_ctx_t *ctx); /* the task's */
/** The node of this task with that operator data; the one that runs if there is none. */
leat__live_t *leat__node_with(const leat_ctx_t *ctx, const void *operator_);
/** dropped-records +1; one WARN per node and reason now and then; and a dead letter, if that is
 * asked for (errors.dead.letter.queue.drops). why: a literal. */
void leat__drop(leat_ctx_t *ctx, const char *why);
/** The same without a letter: nothing is lost that somebody wants. */
void leat__drop_wanted(leat_ctx_t *ctx, const char *why);
/** The letter alone: left out by a rule of Kafka Streams that does not count it. */
void leat__drop_uncounted(leat_ctx_t *ctx, const char *why);
/** in's key under serde s: the known bytes, or encoded into scratch. False: failed. */
bool leat__key_bytes(
    leat_ctx_t *ctx, const leat_record_t *in, const leat_serde_t *s, leat_slice_t *bytes);

/** A store that the node is connected to, as bytes; NULL: failed. spec may be NULL. */
leat__store_t *leat__store_of(
    leat_ctx_t *ctx, const char *name, const leat__store_spec_t **spec);
/** As leat_meta(); during a flush: of the last record before it. NULL: there was none. */
const leat_meta_t *leat__record_meta(const leat_ctx_t *ctx);
/** A number of the node's that is committed with the input's offsets (task.h: progress). False:
 *  none. */
bool leat__progress_get(leat_ctx_t *ctx, const char *name, int64_t *value);
void leat__progress_set(leat_ctx_t *ctx, const char *name, int64_t value);
int64_t leat__setting_int(const leat_ctx_t *ctx, const char *property); /* of the configuration */
/** Cached stores: what to do with each change at flush, on behalf of the node being opened. change
 *  and old are decoded; old NULL: none. */
typedef void (*leat__flush_fn)(leat_ctx_t *ctx, const leat_record_t *change, const void *old);
/* in open */
void leat__on_flush(leat_ctx_t *ctx, const char *store, leat__flush_fn fn, bool wants_old);
bool leat__is_cached(leat_ctx_t *ctx, const char *store); /* forwards at flush, not at put */

#endif
