/*
 * dsl/stream_join_self.c: a stream joined with itself, kept once (single.store.self.join): the
 * same results, in the same order, as from two stores.
 *
 *   1. the record as the left side meets what is kept       2. what is kept, as left, meets it
 *   3. the record meets itself: in 2, in front of the first pair that is later than it
 *
 * Counterpart in Kafka Streams: KStreamKStreamSelfJoin.
 */
#include "stream_join_inside.h"

typedef struct selfing_t {
    const leat__stream_join_t *join;
    const leat__join_local_t *local;
    const leat_record_t *in;
    leat_slice_t key;
    bool with_self; /* still to be emitted */
} selfing_t;

void leat__self_join_open(leat_ctx_t *ctx)
{
    const leat__stream_join_t *join = leat__operator(ctx);
    leat__join_local_t *local = leat_local(ctx);
    const leat__store_spec_t *spec = NULL;

    *local = (leat__join_local_t){.own = {.time_ms = -1}};
    local->windows = leat__store_of(ctx, join->stores[0], &spec);
    local->topic = spec ? spec->changelog : NULL;
}

static void emit_self(leat_ctx_t *ctx, selfing_t *s)
{
    s->with_self = false;
    leat__join_pair(ctx, s->join, 0, s->in, s->in->value, s->in->value, s->in->time_ms);
}

static void emit_side(leat_ctx_t *ctx, selfing_t *s, const leat__join_side_t *side)
{
    const leat_record_t *in = s->in;
    leat__window_cursor_t *c = leat__window_fetch(s->local->windows, s->key,
        leat__join_time(in->time_ms, -leat__join_before(side)),
        leat__join_time(in->time_ms, leat__join_after(side)), LEAT_ASCENDING);
    leat__mark_t mark = leat__arena_mark(&ctx->scratch);
    leat__window_row_t row;

    while (leat__ok(ctx) && leat__window_next(c, &row)) {
        const void *other = leat__join_decode(ctx, s->join, 0, s->local->topic, row.value);
        bool later = row.start_ms > in->time_ms;

        if (leat__ok(ctx) && side->index == 1 && later && s->with_self)
            emit_self(ctx, s);
        if (leat__ok(ctx))
            leat__join_pair(ctx, s->join, side->index, in, in->value, other,
                later ? row.start_ms : in->time_ms);
        leat__arena_rewind(&ctx->scratch, mark);
    }
    leat__window_close(c);
}

void leat__self_join_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat__stream_join_t *join = leat__operator(ctx);
    leat__join_local_t *local = leat_local(ctx);
    selfing_t s = {.join = join, .local = local, .in = in};

    if (!leat__join_takes(ctx, in) || !leat__key_bytes(ctx, in, join->key, &s.key))
        return;
    if (in->time_ms > local->own.time_ms)
        local->own.time_ms = in->time_ms;
    s.with_self = in->time_ms > local->own.time_ms - join->opts[0].retention_ms + 1;
    emit_side(ctx, &s, &join->sides[0]);
    emit_side(ctx, &s, &join->sides[1]);
    if (s.with_self && leat__ok(ctx))
        emit_self(ctx, &s);
}
