/*
 * dsl/emit.c: windows that go on once, when they have closed.
 *
 *      closed before      closes now
 *   ──────────────────┤ windows that end here ┤──────────── the operator's time minus grace
 *
 * Behind each record, at most once in emit.interval.ms on the clock: the store is read in order of
 * time for what has closed since the last look. How far that was is kept beside the committed
 * offset, as Kafka Streams does, so that a window goes on once also across restarts.
 *
 * A window that a late record may still be put into is not closed; one that its store has already
 * forgotten is lost: as in Kafka Streams, if time jumps further than the retention.
 */
#include "base/config.h"
#include "window.h"

typedef struct range_t { /* window starts, of sessions ends; inclusive */
    int64_t from_ms, to_ms;
} range_t;

void leat__window_emit_open(leat_ctx_t *ctx, const leat__rows_t *r, leat__window_local_t *local)
{
    local->emit_interval_ms = leat__setting_int(ctx, "emit.interval.ms");
    leat__progress_get(ctx, r->store, &local->closed_ms);
}

static range_t range_of(const leat__windowing_t *w, int64_t closed_ms)
{
    const leat_window_t *window = &w->op->rows.window;
    int64_t before_ms = w->local->closed_ms;

    if (window->type == LEAT_WINDOW_SESSION)
        return (range_t){leat__later(0, before_ms), closed_ms - 1};
    if (window->type == LEAT_WINDOW_SLIDING)
        return (range_t){before_ms < 0 ? 0 : leat__later(0, before_ms - window->size_ms),
            closed_ms - window->size_ms - 1};
    return (range_t){before_ms < 0 ? 0 : leat__later(0, before_ms - window->size_ms) + 1,
        closed_ms - window->size_ms};
}

/* Time windows: both times lie in the same windows, so none has closed between them. */
static bool same_windows(const leat_window_t *w, int64_t a_ms, int64_t b_ms)
{
    return leat__window_first(w, a_ms) == leat__window_first(w, b_ms) &&
           a_ms / w->advance_ms == b_ms / w->advance_ms;
}

static bool is_worth_a_look(const leat__windowing_t *w, range_t range)
{
    const leat_window_t *window = &w->op->rows.window;

    if (range.to_ms < 0)
        return false;
    if (window->type == LEAT_WINDOW_SESSION)
        return range.to_ms >= range.from_ms;
    return window->type == LEAT_WINDOW_SLIDING || w->local->closed_ms < 0 ||
           !same_windows(window, range.to_ms, range.from_ms - 1);
}

static void emit_row(leat_ctx_t *ctx, const leat__windowing_t *w, const leat__window_row_t *row)
{
    const leat__rows_t *r = &w->op->rows;
    leat__mark_t mark = leat__arena_mark(&ctx->scratch);
    leat_windowed_t window = {NULL, row->start_ms, row->end_ms};
    leat__change_t change = {.now = leat__windowing_decode(ctx, w, row->value), .old = NULL};
    leat_record_t out = {&window, &change, row->time_ms, w->in->headers};
    leat__codec_env_t env = {&ctx->scratch, w->rows->topic, true, NULL};
    leat_slice_t key = {leat__arena_copy(&ctx->scratch, row->key.data, row->key.size),
        row->key.size};
    leat_error_t err;

    if (r->window.type == LEAT_WINDOW_SESSION)
        out.time_ms = row->end_ms;
    if (leat__decode(leat__serde_inner(r->key), key, &env, &window.key, &err) != LEAT_OK)
        leat_fail(ctx, LEAT_ESERDE, "store %s: key: %s", r->store, err.text);
    else
        leat__forward(ctx, &out);
    leat__arena_rewind(&ctx->scratch, mark);
}

static void emit_range(leat_ctx_t *ctx, const leat__windowing_t *w, range_t range)
{
    const leat_slice_t open = {NULL, 0};
    leat__store_t *store = w->rows->windows;
    leat__window_row_t row;
    leat__window_cursor_t *c =
        w->op->rows.window.type == LEAT_WINDOW_SESSION
            ? leat__session_ended(store, range.from_ms, range.to_ms)
            : leat__window_range(store, open, open, range.from_ms, range.to_ms, LEAT_ASCENDING);

    while (leat__ok(ctx) && leat__window_next(c, &row))
        emit_row(ctx, w, &row);
    leat__window_close(c);
}

void leat__window_emit(leat_ctx_t *ctx, const leat__windowing_t *w)
{
    leat__window_local_t *local = w->local;
    int64_t now_ms = leat_wall_ms(ctx);
    range_t range;

    if (local->emit_interval_ms < 0 || !leat__ok(ctx) || now_ms < local->next_emit_ms)
        return;
    local->next_emit_ms = now_ms + local->emit_interval_ms;
    if (local->closed_ms >= 0 && local->closed_ms >= w->closed_ms)
        return;
    range = range_of(w, w->closed_ms);
    if (!is_worth_a_look(w, range))
        return;
    emit_range(ctx, w, range);
    if (!leat__ok(ctx))
        return;
    local->closed_ms = w->closed_ms;
    leat__progress_set(ctx, w->op->rows.store, local->closed_ms);
}
