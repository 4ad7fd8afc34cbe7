/*
 * dsl/foreign_run.c: the processors of a foreign-key join (foreign.h draws them).
 *
 * What the left side asks for (Kafka Streams 4.3.1, with KAFKA-16394 and KAFKA-16407):
 *
 *              row comes        key stays          key changes            row or key goes
 *   inner   IF_THERE(new)   IF_THERE(new)    UNSUBSCRIBE(old),       UNSUBSCRIBE_ANSWER(old)
 *                                            ANSWER(new)
 *   left    ANSWER(new)     ANSWER(new)      UNSUBSCRIBE(old),       UNSUBSCRIBE(old),
 *                                            ANSWER(new)             ANSWER(no key)
 *
 * A message without a foreign key only asks for an answer.
 */
#include <string.h>
#include "base/map.h"
#include "foreign.h"

/* ---- send: the left side ---- */

typedef struct sending_t {
    const leat__foreign_t *op;
    const leat_record_t *in;
    const leat__change_t *change;
    leat_slice_t primary;
    leat_slice_t old_key, new_key; /* .data NULL: none */
    bool has_hash;
    unsigned char hash[LEAT__HASH_SIZE];
} sending_t;

static bool encode(
    leat_ctx_t *ctx, const leat_serde_t *serde, const void *value, bool is_key, leat_slice_t *bytes)
{
    const leat__codec_env_t env = {.scratch = &ctx->scratch, .is_key = is_key};
    leat_error_t err;

    if (leat__encode(serde, value, &env, bytes, &err) == LEAT_OK)
        return true;
    leat_fail(
        ctx, LEAT_ESERDE, "%s of a foreign-key join: %s", is_key ? "a key" : "a value", err.text);
    return false;
}

static bool decode(
    leat_ctx_t *ctx, const leat_serde_t *serde, leat_slice_t bytes, bool is_key, const void **value)
{
    const leat__codec_env_t env = {.scratch = &ctx->scratch, .is_key = is_key};
    leat_error_t err;

    if (leat__decode(serde, bytes, &env, value, &err) == LEAT_OK)
        return true;
    leat_fail(
        ctx, LEAT_ESERDE, "%s of a foreign-key join: %s", is_key ? "a key" : "a value", err.text);
    return false;
}

/* The key lives on the function's stack: its bytes are copied there and then. */
static void emit_key(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    const leat__foreign_t *op = leat__operator(ctx);
    leat_slice_t *key = call->data, bytes;

    (void)how;
    (void)child;
    if (out->key && encode(ctx, op->right->key, out->key, true, &bytes))
        *key = (leat_slice_t){leat__arena_copy(&ctx->scratch, bytes.data, bytes.size), bytes.size};
}

static leat_slice_t foreign_key(leat_ctx_t *ctx, const sending_t *s, const void *value)
{
    leat_slice_t key = {NULL, 0};
    const leat_record_t row = {s->in->key, value, s->in->time_ms, s->in->headers};
    leat__call_t call = {.user = s->op->user,
        .in = &row,
        .emit = emit_key,
        .allowed = LEAT__EMIT_KEY,
        .count_max = 1,
        .data = &key};

    if (value) {
        leat__call_map(ctx, &call, s->op->key, &row);
        leat__call_check_one(ctx, &call);
    }
    return key;
}

static bool hash_value(
    leat_ctx_t *ctx, const leat_serde_t *serde, const void *value, unsigned char *hash)
{
    leat_slice_t bytes;

    if (!value || !encode(ctx, serde, value, false, &bytes))
        return false;
    leat__murmur3_128(bytes.data, bytes.size, hash);
    return true;
}

static void send(
    leat_ctx_t *ctx, const sending_t *s, const leat_slice_t *key, leat__subscribe_t what)
{
    leat__subscription_t message = {.has_hash = s->has_hash,
        .what = what,
        .primary = s->primary,
        .partition = leat__partition(ctx)};
    leat_slice_t bytes;

    memcpy(message.hash, s->hash, sizeof message.hash);
    bytes = leat__subscription_put(&ctx->scratch, &message);
    leat__forward(
        ctx, &(leat_record_t){key->data ? key : NULL, &bytes, s->in->time_ms, s->in->headers});
}

static bool key_changed(const sending_t *s)
{
    return !s->new_key.data || !leat_slice_equal(&s->old_key, &s->new_key);
}

static void send_left(leat_ctx_t *ctx, const sending_t *s)
{
    if (s->old_key.data && key_changed(s))
        send(ctx, s, &s->old_key, LEAT__UNSUBSCRIBE);
    send(ctx, s, &s->new_key, LEAT__SUBSCRIBE_ANSWER);
}

static void send_inner(leat_ctx_t *ctx, const sending_t *s)
{
    if (!s->new_key.data) {
        if (s->change->now)
            leat__drop(ctx, "null foreign key");
        if (s->old_key.data)
            send(ctx, s, &s->old_key, LEAT__UNSUBSCRIBE_ANSWER);
    } else if (s->old_key.data && key_changed(s)) {
        send(ctx, s, &s->old_key, LEAT__UNSUBSCRIBE);
        send(ctx, s, &s->new_key, LEAT__SUBSCRIBE_ANSWER);
    } else {
        send(ctx, s, &s->new_key, LEAT__SUBSCRIBE_IF_THERE);
    }
}

void leat__foreign_send(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__foreign_t *op = leat__operator(ctx);
    sending_t s = {.op = op, .in = in, .change = in->value};

    if (s.change->outdated) {
        leat__drop(ctx, "out of order: the versioned table has a later row");
        return;
    }
    if (!s.change->now && !s.change->old)
        return;
    if (!leat__key_bytes(ctx, in, op->left->key, &s.primary))
        return;
    s.old_key = foreign_key(ctx, &s, s.change->old);
    s.new_key = foreign_key(ctx, &s, s.change->now);
    s.has_hash = hash_value(ctx, op->left->value, s.change->now, s.hash);
    if (!leat__ok(ctx))
        return;
    if (op->left_join)
        send_left(ctx, &s);
    else
        send_inner(ctx, &s);
}

/* ---- receive, join-foreign: a subscription comes to the right side ---- */

static bool take_subscription(
    leat_ctx_t *ctx, const leat_slice_t *bytes, leat__subscription_t *message)
{
    if (bytes && leat__subscription_take(*bytes, message))
        return true;
    leat_fail(ctx, LEAT_ESERDE,
        "a message of the registration topic is none of a foreign-key join, or of a later version: "
        "did something else write to it?");
    return false;
}

void leat__foreign_receive(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__foreign_t *op = leat__operator(ctx);
    leat_kv_t *subscriptions = leat_kv(ctx, op->subscriptions);
    leat__subscription_t message;
    leat_slice_t foreign, key;
    bool keep;

    if (!take_subscription(ctx, in->value, &message))
        return;
    if (!in->key && message.what != LEAT__SUBSCRIBE_ANSWER) {
        leat__drop(ctx, "null foreign key");
        return;
    }
    if (in->key) {
        if (!leat__key_bytes(ctx, in, op->right->key, &foreign))
            return;
        key = leat__subscription_key(&ctx->scratch, foreign, message.primary);
        keep = message.what == LEAT__SUBSCRIBE_ANSWER || message.what == LEAT__SUBSCRIBE_IF_THERE;
        leat__kv_put_bytes(subscriptions, key, keep ? in->value : NULL, in->time_ms);
    }
    if (leat__ok(ctx))
        leat__forward(ctx, in);
}

typedef struct answering_t {
    const leat__foreign_t *op;
    const leat_record_t *in;
    leat__subscription_t message;
} answering_t;

/* right NULL: no row. */
static void answer(leat_ctx_t *ctx, const leat__subscription_t *message, const leat_slice_t *right,
    int64_t time_ms, const leat_headers_t *headers)
{
    const leat__answer_t out = {
        leat__response_put(&ctx->scratch, message->has_hash ? message->hash : NULL, right),
        message->partition};

    leat__forward(ctx, &(leat_record_t){&message->primary, &out, time_ms, headers});
}

static void with_right(leat_ctx_t *ctx, void *data, const void *value, int64_t time_ms)
{
    const answering_t *a = data;
    leat_slice_t bytes;

    if (time_ms < a->in->time_ms)
        time_ms = a->in->time_ms;
    if (a->message.what == LEAT__UNSUBSCRIBE ||
        (a->message.what == LEAT__SUBSCRIBE_IF_THERE && !value))
        return;
    if (a->message.what == LEAT__UNSUBSCRIBE_ANSWER)
        value = NULL;
    if (!value || encode(ctx, a->op->right->value, value, false, &bytes))
        answer(ctx, &a->message, value ? &bytes : NULL, time_ms, a->in->headers);
}

void leat__foreign_join(leat_ctx_t *ctx, const leat_record_t *in)
{
    answering_t a = {.op = leat__operator(ctx), .in = in};

    if (!take_subscription(ctx, in->value, &a.message))
        return;
    if (in->key)
        leat__rows_view(ctx, a.op->right, in, with_right, &a);
    else
        with_right(ctx, &a, NULL, -1);
}

/* ---- foreign-join: a right row changes ---- */

static void answer_row(
    leat_ctx_t *ctx, const leat_row_t *row, const leat_slice_t *right, const leat_record_t *in)
{
    leat__subscription_t message;
    leat_slice_t primary;

    if (!take_subscription(ctx, row->value, &message))
        return;
    if (!leat__subscription_primary(*(const leat_slice_t *)row->key, &primary)) {
        leat_fail(ctx, LEAT_ESTORE, "a key of the subscription store is none of its keys");
        return;
    }
    message.primary = primary;
    answer(ctx, &message, right, in->time_ms, in->headers);
}

void leat__foreign_right(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__foreign_t *op = leat__operator(ctx);
    const leat__change_t *change = in->value;
    leat_slice_t foreign, prefix, right;
    const leat_row_t *row;
    leat_iter_t *rows;

    if (!in->key) {
        leat__drop(ctx, "null key");
        return;
    }
    if (change->outdated) {
        leat__drop(ctx, "out of order: the versioned table has a later row");
        return;
    }
    if (!leat__key_bytes(ctx, in, op->right->key, &foreign) ||
        (change->now && !encode(ctx, op->right->value, change->now, false, &right)))
        return;
    prefix = leat__subscription_prefix(&ctx->scratch, foreign);
    rows = leat_kv_prefix(leat_kv(ctx, op->subscriptions), &prefix, LEAT_ASCENDING);
    while (leat__ok(ctx) && (row = leat_iter_next(rows)))
        answer_row(ctx, row, change->now ? &right : NULL, in);
}

/* ---- resolve: an answer comes back to the left side ---- */

typedef struct resolving_t {
    const leat__foreign_t *op;
    const leat_record_t *in;
    leat__response_t response;
} resolving_t;

static void forward_result(leat_ctx_t *ctx, const resolving_t *r, const void *value)
{
    leat__forward(ctx, &(leat_record_t){r->in->key, value, r->in->time_ms, r->in->headers});
}

static void emit_result(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    (void)how;
    (void)child;
    forward_result(ctx, call->data, out->value);
}

static void combine(leat_ctx_t *ctx, resolving_t *r, const void *left)
{
    leat__call_t call = {.user = r->op->user,
        .in = r->in,
        .emit = emit_result,
        .allowed = LEAT__EMIT_VALUE,
        .count_max = 1,
        .data = r};
    const void *right = NULL;

    if (r->response.value.size &&
        !decode(ctx, r->op->right->value, r->response.value, false, &right))
        return;
    if (!left || (!right && !r->op->left_join)) {
        forward_result(ctx, r, NULL);
        return;
    }
    leat__call_combine(ctx, &call, r->op->fn, left, right);
    leat__call_check_one(ctx, &call);
}

static void with_left(leat_ctx_t *ctx, void *data, const void *value, int64_t time_ms)
{
    resolving_t *r = data;
    unsigned char hash[LEAT__HASH_SIZE];
    bool has_hash = hash_value(ctx, r->op->left->value, value, hash);

    (void)time_ms;
    if (!leat__ok(ctx))
        return;
    if (has_hash != r->response.has_hash ||
        (has_hash && memcmp(hash, r->response.hash, sizeof hash) != 0))
        leat__drop_wanted(ctx, "the left row changed since its answer was asked for");
    else
        combine(ctx, r, value);
}

void leat__foreign_resolve(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *bytes = in->value;
    resolving_t r = {.op = leat__operator(ctx), .in = in};

    if (bytes && leat__response_take(*bytes, &r.response))
        leat__rows_view(ctx, r.op->left, in, with_left, &r);
    else
        leat_fail(ctx, LEAT_ESERDE,
            "a message of the response topic is none of a foreign-key join, or of a later version: "
            "did something else write to it?");
}

/* ---- partitions ---- */

/* The program's function sees a key of its own type, and no value. */
static void as_told(leat_ctx_t *ctx, const leat__foreign_t *op, leat_map_fn fn,
    const leat_serde_t *key, const leat_record_t *in)
{
    leat_record_t row = {NULL, NULL, in->time_ms, in->headers};

    if (in->key && !decode(ctx, key, *(const leat_slice_t *)in->key, true, &row.key))
        return;
    ctx->call->user = op->user;
    ctx->call->in = &row;
    fn(ctx, &row);
}

void leat__foreign_to_right(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__foreign_t *op = leat_user(ctx);

    if (op->other_partition)
        as_told(ctx, op, op->other_partition, op->right->key, in);
    else
        leat_emit_partition(ctx, LEAT_PARTITION_BY_KEY);
}

void leat__foreign_to_left(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__foreign_t *op = leat_user(ctx);
    const leat__answer_t *out = in->value;

    if (op->partition)
        as_told(ctx, op, op->partition, op->left->key, in);
    else
        leat_emit_partition(ctx, out->partition < 0 ? LEAT_PARTITION_BY_KEY : out->partition);
}
