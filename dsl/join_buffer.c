/*
 * dsl/join_buffer.c: a stream joined with a versioned table, whose records wait for the table:
 * .grace_ms of a join.
 *
 *   record ─▶ the buffer, by time ─▶ what is grace older than the newest record meets the table as
 *             it was at its time
 *
 *   key    {0}{time 8}{key}{number 4}   value  a row of suppress.h without old values, waits at 0
 *
 * A record that is older than the grace when it comes does not wait. The number tells records of
 * one time and key apart; it goes on from the highest in the store, so a record that was restored
 * is never overwritten. DIFFERS: Kafka Streams begins again at 1, and may lose such a record.
 *
 * Counterpart in Kafka Streams: RocksDBTimeOrderedKeyValueBuffer.
 */
#include <string.h>
#include "base/codec.h"
#include "join_table.h"
#include "statestore/queue.h"
#include "suppress.h"

enum { HEAD_BYTES = 9, NUMBER_BYTES = 4 }; /* the first byte says: time comes first */

typedef struct local_t {
    leat__store_t *store;
    leat__queue_t *queue;
    int64_t observed_ms; /* of records that waited */
    uint32_t number;     /* of the last record */
    const char *topic;   /* what serdes are told */
} local_t;

/* ---- the node ---- */

static uint32_t number_of(leat_slice_t key)
{
    return leat__load_be32(key.data + key.size - NUMBER_BYTES);
}

static void measure(leat_slice_t key, leat_slice_t row, int64_t *waits_ms, size_t *bytes)
{
    *waits_ms = key.size >= HEAD_BYTES + NUMBER_BYTES ? (int64_t)leat__load_be64(key.data + 1) : 0;
    *bytes = key.size + row.size;
}

static void find_last(local_t *local)
{
    const leat_slice_t open = {NULL, 0};
    leat__cursor_t *c = leat__store_range(local->store, open, open, LEAT_ASCENDING);
    leat_slice_t key, row;

    while (leat__cursor_next(c, &key, &row, NULL)) {
        if (key.size >= HEAD_BYTES + NUMBER_BYTES && number_of(key) > local->number)
            local->number = number_of(key);
    }
    leat__cursor_close(c);
}

void leat__join_buffer_open(leat_ctx_t *ctx)
{
    const leat__table_join_t *op = leat__operator(ctx);
    local_t *local = leat_local(ctx);
    const leat__store_spec_t *spec = NULL;

    *local = (local_t){.store = leat__store_of(ctx, op->buffer, &spec), .observed_ms = -1};
    if (!local->store)
        return;
    local->topic = spec->changelog;
    local->queue = leat__queue_new(local->store, measure);
    find_last(local);
}

void leat__join_buffer_close(leat_ctx_t *ctx)
{
    local_t *local = leat_local(ctx);

    leat__queue_free(local->queue);
    local->queue = NULL;
}

size_t leat__join_buffer_local_size(void)
{
    return sizeof(local_t);
}

/* ---- waiting ---- */

static leat_slice_t buffer_key(
    leat_ctx_t *ctx, int64_t time_ms, leat_slice_t key, uint32_t number)
{
    size_t size = HEAD_BYTES + key.size + NUMBER_BYTES;
    char *bytes = leat__arena_alloc(&ctx->scratch, size);

    bytes[0] = 0;
    leat__store_be64(bytes + 1, (uint64_t)time_ms);
    if (key.size)
        memcpy(bytes + HEAD_BYTES, key.data, key.size);
    leat__store_be32(bytes + HEAD_BYTES + key.size, number);
    return (leat_slice_t){bytes, size};
}

static bool encode_value(leat_ctx_t *ctx, const leat__table_join_t *op, const local_t *local,
    const leat_record_t *in, leat_slice_t *bytes)
{
    leat__codec_env_t env = {&ctx->scratch, local->topic, false, in->headers};
    leat_error_t err;

    if (leat__encode(op->value, in->value, &env, bytes, &err) == LEAT_OK)
        return true;
    leat_fail(ctx, LEAT_ESERDE, "store %s: value: %s", op->buffer, err.text);
    return false;
}

static void wait(
    leat_ctx_t *ctx, const leat__table_join_t *op, local_t *local, const leat_record_t *in)
{
    const leat_meta_t *meta = leat__record_meta(ctx);
    const char *topic = meta && meta->topic ? meta->topic : "";
    leat__waiting_t w = {.time_ms = in->time_ms,
        .offset = meta ? meta->offset : -1,
        .partition = meta ? meta->partition : -1,
        .topic = {topic, strlen(topic)},
        .headers = in->headers};
    leat_slice_t key;

    if (!leat__key_bytes(ctx, in, op->key, &key) || !encode_value(ctx, op, local, in, &w.now))
        return;
    local->number = (local->number + 1) & INT32_MAX;
    leat__queue_put(local->queue, buffer_key(ctx, in->time_ms, key, local->number),
        leat__waiting_write(&w, &ctx->scratch), in->time_ms, in->headers);
}

/* ---- going on ---- */

static const void *decode(leat_ctx_t *ctx, const leat__table_join_t *op, const local_t *local,
    const leat_serde_t *serde, leat_slice_t bytes, bool is_key)
{
    leat__codec_env_t env = {&ctx->scratch, local->topic, is_key, NULL};
    const void *value = NULL;
    leat_error_t err;

    if (leat__decode(serde, bytes, &env, &value, &err) != LEAT_OK)
        leat_fail(ctx, LEAT_ESERDE, "store %s: %s: %s", op->buffer, is_key ? "key" : "value",
            err.text);
    return value;
}

static void join_waiting(leat_ctx_t *ctx, const leat__table_join_t *op, const local_t *local,
    leat_slice_t key, const leat__waiting_t *w)
{
    leat_slice_t plain = {key.data + HEAD_BYTES, key.size - HEAD_BYTES - NUMBER_BYTES};
    leat_meta_t meta = {leat__arena_copy(&ctx->scratch, w->topic.data, w->topic.size),
        w->partition, w->offset};
    const leat_meta_t *meta_before = ctx->meta;
    const leat_record_t in = {decode(ctx, op, local, op->key, plain, true),
        decode(ctx, op, local, op->value, w->now, false), w->time_ms, w->headers};

    ctx->meta = &meta;
    if (leat__ok(ctx))
        leat__table_join_record(ctx, op, &in);
    ctx->meta = meta_before;
}

static leat_slice_t owned(leat_ctx_t *ctx, leat_slice_t bytes)
{
    return (leat_slice_t){leat__arena_copy(&ctx->scratch, bytes.data, bytes.size), bytes.size};
}

/* The first that waits, if its time has come. False: not yet, or failed. */
static bool let_go(
    leat_ctx_t *ctx, const leat__table_join_t *op, local_t *local, int64_t now_ms)
{
    leat__mark_t mark = leat__arena_mark(&ctx->scratch);
    leat_slice_t key, row;
    leat__waiting_t w;
    int64_t waits_ms;

    if (!leat__queue_first(local->queue, &waits_ms, &key, &row) || waits_ms > now_ms)
        return false;
    key = owned(ctx, key);
    if (key.size < HEAD_BYTES + NUMBER_BYTES ||
        !leat__waiting_read(owned(ctx, row), &w, &ctx->scratch) || !w.now.data)
        leat_fail(ctx, LEAT_ESTORE,
            "store %s: an entry is damaged: it is no record of a join buffer", op->buffer);
    else
        join_waiting(ctx, op, local, key, &w);
    if (leat__ok(ctx))
        leat__queue_pop(local->queue, w.time_ms);
    leat__arena_rewind(&ctx->scratch, mark);
    return leat__ok(ctx);
}

void leat__join_buffer_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__table_join_t *op = leat__operator(ctx);
    local_t *local = leat_local(ctx);

    if (!leat__table_join_takes(ctx, op, in))
        return;
    if (!in->key) { /* Kafka Streams fails here; without a key there is no row to wait for */
        leat__table_join_record(ctx, op, in);
        return;
    }
    if (in->time_ms < local->observed_ms - op->grace_ms) {
        leat__table_join_record(ctx, op, in);
        return;
    }
    if (in->time_ms > local->observed_ms)
        local->observed_ms = in->time_ms;
    wait(ctx, op, local, in);
    while (leat__ok(ctx) && let_go(ctx, op, local, local->observed_ms - op->grace_ms))
        continue;
}
