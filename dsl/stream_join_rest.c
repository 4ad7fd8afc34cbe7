/*
 * dsl/stream_join_rest.c: what a left or outer join has found no match for, yet.
 *
 *   key    {time 8}{left 1, right 0}{key}
 *   value  a list of {left 1, right 0}{value} (statestore/value_list.h): records of equal time
 *
 * Time first: what is out of reach is the beginning of the store. Looking for it costs a scan, so
 * that happens only when the oldest rest may be out of reach, and at most once in emit.interval.ms
 * on the clock. A rest carries the headers of the record that made it go, as in Kafka Streams.
 */
#include <string.h>
#include "statestore/value_list.h"
#include "stream_join_inside.h"

enum { TIME_BYTES = 8, HEAD_BYTES = 9 };

/* ---- bytes ---- */

static leat_slice_t rest_key(leat_ctx_t *ctx, int64_t time_ms, bool left, leat_slice_t key)
{
    char *bytes = leat__arena_alloc(&ctx->scratch, HEAD_BYTES + key.size);

    leat__store_be64(bytes, (uint64_t)time_ms);
    bytes[TIME_BYTES] = left;
    if (key.size)
        memcpy(bytes + HEAD_BYTES, key.data, key.size);
    return (leat_slice_t){bytes, HEAD_BYTES + key.size};
}

void leat__join_rest_add(leat_ctx_t *ctx, const leat__join_side_t *side,
    const leat__join_local_t *local, const leat_record_t *in, leat_slice_t key)
{
    bool left = side->index == 0;
    leat_slice_t value;
    char *item;

    if (!leat__join_encode(ctx, side->join, side->index, local->rest_topic, in, &value))
        return;
    item = leat__arena_alloc(&ctx->scratch, 1 + value.size);
    item[0] = left;
    if (value.size)
        memcpy(item + 1, value.data, value.size);
    if (in->time_ms < local->clock->min_ms)
        local->clock->min_ms = in->time_ms;
    leat__value_list_append(local->rest, rest_key(ctx, in->time_ms, left, key),
        (leat_slice_t){item, 1 + value.size}, in->time_ms, in->headers);
}

void leat__join_rest_remove(leat_ctx_t *ctx, const leat__join_side_t *side,
    const leat__join_local_t *local, const leat_record_t *in, leat_slice_t key, int64_t other_ms)
{
    leat_slice_t other = rest_key(ctx, other_ms, side->index != 0, key), list;

    if (leat__store_get(local->rest, other, &list, NULL))
        leat__store_put(local->rest, other, NULL, in->time_ms, in->headers);
}

/* ---- going on ---- */

static void damaged(leat_ctx_t *ctx, const leat__stream_join_t *join)
{
    leat_fail(ctx, LEAT_ESTORE,
        "store %s: an entry is damaged: it is no list of records without a match", join->rest);
}

static void emit_item(leat_ctx_t *ctx, const leat__stream_join_t *join,
    const leat__join_local_t *local, const leat_record_t *rest, leat_slice_t item)
{
    int index;
    const void *value;

    if (!item.size) {
        damaged(ctx, join);
        return;
    }
    index = item.data[0] ? 0 : 1;
    value = leat__join_decode(
        ctx, join, index, local->rest_topic, (leat_slice_t){item.data + 1, item.size - 1});
    if (leat__ok(ctx))
        leat__join_pair(ctx, join, index, rest, value, NULL, rest->time_ms);
}

/* All records of one time, side and key. key, list: in scratch. */
static void emit_list(leat_ctx_t *ctx, const leat__stream_join_t *join,
    const leat__join_local_t *local, const leat_record_t *in, leat_slice_t key, leat_slice_t list)
{
    leat_record_t rest = {NULL, NULL, (int64_t)leat__load_be64(key.data), in->headers};
    leat__codec_env_t env = {&ctx->scratch, local->rest_topic, true, NULL};
    leat_slice_t plain = {key.data + HEAD_BYTES, key.size - HEAD_BYTES}, item;
    leat_error_t err;
    size_t at = 0;

    if (leat__decode(join->key, plain, &env, &rest.key, &err) != LEAT_OK) {
        leat_fail(ctx, LEAT_ESERDE, "store %s: key: %s", join->rest, err.text);
        return;
    }
    while (leat__ok(ctx) && leat__value_list_next(list, &at, &item))
        emit_item(ctx, join, local, &rest, item);
    if (leat__ok(ctx) && at == 0)
        damaged(ctx, join);
}

static bool is_in_reach(const leat__stream_join_t *join, const leat__join_local_t *local,
    int64_t time_ms, bool left)
{
    int64_t ahead_ms = left ? join->window.after_ms : join->window.before_ms;

    return leat__join_add(leat__join_add(time_ms, ahead_ms), join->window.grace_ms) >=
           local->clock->time_ms;
}

static leat_slice_t copied(leat_ctx_t *ctx, leat_slice_t s)
{
    return (leat_slice_t){leat__arena_copy(&ctx->scratch, s.data, s.size), s.size};
}

/* One entry. False: neither it nor what comes behind it is to go. */
static bool visit(leat_ctx_t *ctx, const leat__stream_join_t *join,
    const leat__join_local_t *local, const leat_record_t *in, leat_slice_t key, leat_slice_t list,
    bool in_reach[2])
{
    leat__mark_t mark = leat__arena_mark(&ctx->scratch);
    bool left;

    if (key.size < HEAD_BYTES) {
        damaged(ctx, join);
        return false;
    }
    left = key.data[TIME_BYTES] != 0;
    local->clock->min_ms = (int64_t)leat__load_be64(key.data);
    if (in_reach[0] && in_reach[1])
        return false;
    if (is_in_reach(join, local, local->clock->min_ms, left)) {
        in_reach[left] = true;
        return true;
    }
    key = copied(ctx, key);
    emit_list(ctx, join, local, in, key, copied(ctx, list));
    if (leat__ok(ctx))
        leat__store_put(local->rest, key, NULL, in->time_ms, in->headers);
    leat__arena_rewind(&ctx->scratch, mark);
    return leat__ok(ctx);
}

/* The oldest rest is not known until the first look, which may be too early: as Kafka Streams. */
static bool may_be_due(const leat__join_side_t *side, const leat__join_clock_t *clock)
{
    int64_t ahead_ms = leat__join_after(side), grace_ms = side->join->window.grace_ms;

    if (clock->min_ms == INT64_MAX)
        return leat__join_add(grace_ms, ahead_ms) > 0;
    return leat__join_add(leat__join_add(clock->min_ms, ahead_ms), grace_ms) < clock->time_ms;
}

void leat__join_rest_emit(leat_ctx_t *ctx, const leat__join_side_t *side,
    const leat__join_local_t *local, const leat_record_t *in)
{
    const leat_slice_t open = {NULL, 0};
    leat__join_clock_t *clock = local->clock;
    int64_t now_ms = leat_wall_ms(ctx);
    bool in_reach[2] = {false, false};
    leat_slice_t key, list;
    leat__cursor_t *c;

    if (!may_be_due(side, clock) || now_ms < clock->next_look_ms)
        return;
    clock->next_look_ms = now_ms + clock->interval_ms;
    clock->min_ms = INT64_MAX;
    c = leat__store_range(local->rest, open, open, LEAT_ASCENDING);
    while (leat__cursor_next(c, &key, &list, NULL)) {
        if (!visit(ctx, side->join, local, in, key, list, in_reach))
            break;
    }
    leat__cursor_close(c);
}
