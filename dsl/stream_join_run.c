/*
 * dsl/stream_join_run.c: the nodes of a stream-stream join at work.
 *
 * A window node sends each record to its joining node and keeps it then; NULL values take a number
 * in the store and its changelog, as in Kafka Streams, though nothing is kept of them. A joining
 * node reads the other side's window around the record's time: what it finds there is emitted in
 * order of time.
 *
 * Counterparts in Kafka Streams: KStreamJoinWindow, KStreamKStreamJoin.
 */
#include "stream_join_inside.h"

/* ---- what they share ---- */

bool leat__join_takes(leat_ctx_t *ctx, const leat_record_t *in)
{
    if (!in->key || !in->value)
        leat__drop(ctx, in->key ? "null value" : "null key");
    return in->key && in->value;
}

const void *leat__join_decode(leat_ctx_t *ctx, const leat__stream_join_t *join, int index,
    const char *topic, leat_slice_t bytes)
{
    leat__codec_env_t env = {&ctx->scratch, topic, false, NULL};
    const void *value = NULL;
    leat_error_t err;

    bytes.data = leat__arena_copy(&ctx->scratch, bytes.data, bytes.size);
    if (leat__decode(join->values[index], bytes, &env, &value, &err) != LEAT_OK)
        leat_fail(ctx, LEAT_ESERDE, "store %s: %s", join->stores[index], err.text);
    return value;
}

bool leat__join_encode(leat_ctx_t *ctx, const leat__stream_join_t *join, int index,
    const char *topic, const leat_record_t *in, leat_slice_t *bytes)
{
    const leat_serde_t *serde = join->values[index];
    const leat__record_t *record = ctx->record;
    leat__codec_env_t env = {&ctx->scratch, topic, false, in->headers};
    leat_error_t err;

    if (record->value_serde == serde && in->value == record->pub.value) {
        *bytes = record->value_bytes;
        return true;
    }
    if (leat__encode(serde, in->value, &env, bytes, &err) == LEAT_OK)
        return true;
    leat_fail(ctx, LEAT_ESERDE, "store %s: value: %s", join->stores[index], err.text);
    return false;
}

void leat__join_pair(leat_ctx_t *ctx, const leat__stream_join_t *join, int index,
    const leat_record_t *in, const void *mine, const void *other, int64_t time_ms)
{
    const leat_record_t out = {in->key, in->value, time_ms, in->headers};

    leat__joiner_run(ctx, &join->joiner, &out, index ? other : mine, index ? mine : other);
}

static void open_windows(leat_ctx_t *ctx, leat__join_local_t *local, const char *name)
{
    const leat__store_spec_t *spec = NULL;

    *local = (leat__join_local_t){.own = {.time_ms = -1, .min_ms = INT64_MAX}};
    local->windows = leat__store_of(ctx, name, &spec);
    local->topic = spec ? spec->changelog : NULL;
}

/* ---- keeping ---- */

void leat__join_window_open(leat_ctx_t *ctx)
{
    const leat__join_side_t *side = leat__operator(ctx);

    open_windows(ctx, leat_local(ctx), side->join->stores[side->index]);
}

void leat__join_window_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__join_side_t *side = leat__operator(ctx);
    const leat__join_local_t *local = leat_local(ctx);
    leat_slice_t key, value;

    leat__forward(ctx, in);
    if (!in->key || !leat__ok(ctx) || !leat__key_bytes(ctx, in, side->join->key, &key))
        return;
    if (in->value && !leat__join_encode(ctx, side->join, side->index, local->topic, in, &value))
        return;
    leat__window_put(local->windows, key, in->value ? &value : NULL, in->time_ms, in->time_ms,
        in->headers);
}

/* ---- joining ---- */

/* The left side's node has the clock of both. */
static leat__join_clock_t *clock_of(leat_ctx_t *ctx, const leat__stream_join_t *join)
{
    leat__live_t *own = ctx->node;
    leat__join_local_t *local;

    ctx->node = leat__node_with(ctx, &join->sides[0]);
    local = leat_local(ctx);
    ctx->node = own;
    return &local->own;
}

void leat__join_open(leat_ctx_t *ctx)
{
    const leat__join_side_t *side = leat__operator(ctx);
    const leat__stream_join_t *join = side->join;
    leat__join_local_t *local = leat_local(ctx);
    const leat__store_spec_t *spec = NULL;

    open_windows(ctx, local, join->stores[!side->index]);
    local->clock = clock_of(ctx, join);
    *local->clock = (leat__join_clock_t){.time_ms = -1,
        .min_ms = INT64_MAX,
        .interval_ms = leat__setting_int(ctx, "emit.interval.ms")};
    if (!join->rest)
        return;
    local->rest = leat__store_of(ctx, join->rest, &spec);
    local->rest_topic = spec ? spec->changelog : NULL;
}

/* False: the other side has nothing in the window. */
static bool emit_matches(leat_ctx_t *ctx, const leat__join_side_t *side,
    const leat__join_local_t *local, const leat_record_t *in, leat_slice_t key)
{
    leat__window_cursor_t *c = leat__window_fetch(local->windows, key,
        leat__join_time(in->time_ms, -leat__join_before(side)),
        leat__join_time(in->time_ms, leat__join_after(side)), LEAT_ASCENDING);
    leat__mark_t mark = leat__arena_mark(&ctx->scratch);
    leat__window_row_t row;
    bool any = false;

    while (leat__ok(ctx) && leat__window_next(c, &row)) {
        const int64_t later_ms = row.start_ms > in->time_ms ? row.start_ms : in->time_ms;
        const void *other =
            leat__join_decode(ctx, side->join, !side->index, local->topic, row.value);

        any = true;
        if (local->rest)
            leat__join_rest_remove(ctx, side, local, in, key, row.start_ms);
        if (leat__ok(ctx))
            leat__join_pair(ctx, side->join, side->index, in, in->value, other, later_ms);
        leat__arena_rewind(&ctx->scratch, mark);
    }
    leat__window_close(c);
    return any;
}

static bool can_match_later(const leat__join_side_t *side, const leat__join_local_t *local,
    const leat_record_t *in)
{
    int64_t to_ms = leat__join_time(in->time_ms, leat__join_after(side));

    if (side->join->wait_grace)
        to_ms = leat__join_time(to_ms, side->join->window.grace_ms);
    return to_ms >= local->clock->time_ms;
}

static void emit_unmatched(
    leat_ctx_t *ctx, const leat__join_side_t *side, const leat_record_t *in)
{
    leat__join_pair(ctx, side->join, side->index, in, in->value, NULL, in->time_ms);
}

void leat__join_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__join_side_t *side = leat__operator(ctx);
    const leat__join_local_t *local = leat_local(ctx);
    bool keeps = side->join->keeps[side->index];
    leat_slice_t key;

    if (in->time_ms > local->clock->time_ms)
        local->clock->time_ms = in->time_ms;
    if (keeps && !in->key && in->value) {
        emit_unmatched(ctx, side, in);
        return;
    }
    if (!leat__join_takes(ctx, in) || !leat__key_bytes(ctx, in, side->join->key, &key))
        return;
    if (local->rest && in->time_ms == local->clock->time_ms)
        leat__join_rest_emit(ctx, side, local, in);
    if (!leat__ok(ctx) || emit_matches(ctx, side, local, in, key) || !keeps)
        return;
    if (can_match_later(side, local, in))
        leat__join_rest_add(ctx, side, local, in, key);
    else
        emit_unmatched(ctx, side, in);
}
