/*
 * dsl/sliding.c: the processor of folds over sliding windows: one window for each different set of
 * records that lie at most the difference d apart. Both ends of a window belong to it.
 *
 *            t-2d         t-d          t            t+1        d: size of a window
 *    ────────├────────────├────────────┤────────────├──▶
 *                         [  left of t ]            [ right of t ...  only if a record is in it
 *      prev ●[ right of prev, made when t falls into it ]
 *
 * A record updates every window that it falls into, makes its own left window if there is none, the
 * right window of the record before it, and its own right window if a later record is there
 * already. All that is known of the records is the aggregate of each window and the time of its
 * latest one. Windows are looked at from the latest to the earliest, as Kafka Streams does.
 *
 * Records of times before d share the window [0, d]: none begins before 0. As in Kafka Streams such
 * a record, and one that is late for all its windows, lets no closed window go on.
 */
#include "window.h"

typedef struct slide_t {
    leat__windowing_t w;
    int64_t d_ms, time_ms;
    leat__agg_t left, right; /* what the record's own windows start from */
    bool left_made, right_made;
    int64_t previous_ms; /* the latest record before this one; -1: none */
    int64_t *starts;     /* of windows that were there; in scratch */
    size_t start_count;
} slide_t;

static void note_start(leat_ctx_t *ctx, slide_t *s, int64_t start_ms)
{
    size_t size = s->start_count * sizeof *s->starts;

    s->starts = leat__arena_grow(&ctx->scratch, s->starts, size, size + sizeof *s->starts);
    s->starts[s->start_count++] = start_ms;
}

static bool was_there(const slide_t *s, int64_t start_ms)
{
    for (size_t i = 0; i < s->start_count; i++) {
        if (s->starts[i] == start_ms)
            return true;
    }
    return false;
}

static void update(leat_ctx_t *ctx, slide_t *s, int64_t start_ms, leat__agg_t old)
{
    int64_t end_ms = leat__time_add(start_ms, s->d_ms);

    if (end_ms < s->w.closed_ms)
        leat__windowing_late(ctx);
    else
        leat__windowing_update(ctx, &s->w, start_ms, end_ms, old);
}

/* A new window that holds nothing but this record, so far. */
static void make(leat_ctx_t *ctx, slide_t *s, int64_t start_ms)
{
    const leat__agg_t none = {NULL, -1};

    update(ctx, s, start_ms, none);
}

/* The record's own right window: later records only, so its aggregate stands already. */
static void make_right(leat_ctx_t *ctx, slide_t *s)
{
    leat_windowed_t window = {s->w.in->key, s->time_ms + 1, 0};
    const leat__change_t change = {.now = s->right.value, .old = NULL};
    leat_slice_t bytes;

    if (s->right_made || !s->right.value || s->right.time_ms <= s->time_ms || !leat__ok(ctx))
        return;
    window.end_ms = leat__time_add(window.start_ms, s->d_ms);
    if (!leat__windowing_encode(ctx, &s->w, s->right.value, &bytes))
        return;
    leat__window_put(s->w.rows->windows, s->w.key, &bytes, window.start_ms, s->right.time_ms,
        s->w.in->headers);
    leat__windowing_forward(ctx, &s->w, &window, &change, s->right.time_ms, s->w.in->headers);
}

static void make_left(leat_ctx_t *ctx, slide_t *s)
{
    leat__agg_t start = {NULL, -1};

    if (s->left_made || !leat__ok(ctx))
        return;
    if (s->previous_ms >= 0 && s->time_ms - s->d_ms <= s->previous_ms)
        start = (leat__agg_t){s->left.value, s->time_ms};
    update(ctx, s, s->time_ms - s->d_ms, start);
}

static void make_right_of_previous(leat_ctx_t *ctx, slide_t *s)
{
    int64_t start_ms = s->previous_ms + 1;

    if (s->previous_ms < 0 || was_there(s, start_ms) || !leat__ok(ctx))
        return;
    if (leat__time_add(start_ms, s->d_ms) >= s->time_ms)
        make(ctx, s, start_ms);
}

/* ---- one window that is there ---- */

typedef enum step_t { GO_ON, ENOUGH, ALL_DONE } step_t;

static step_t visit(leat_ctx_t *ctx, slide_t *s, int64_t start_ms, leat__agg_t agg)
{
    int64_t end_ms = leat__time_add(start_ms, s->d_ms);

    if (start_ms == s->time_ms + 1) {
        s->right_made = true;
        return GO_ON;
    }
    if (end_ms < s->time_ms) {
        s->left = agg;
        s->previous_ms = agg.time_ms;
        return ENOUGH;
    }
    if (end_ms > s->time_ms) {
        if (!s->right.value)
            s->right = agg;
        update(ctx, s, start_ms, agg);
        return GO_ON;
    }
    s->left_made = true;
    update(ctx, s, start_ms, agg);
    if (agg.time_ms >= s->time_ms)
        return ALL_DONE; /* a record of this very time was here: all windows are made */
    s->previous_ms = agg.time_ms;
    return GO_ON;
}

/* False: nothing more to do, or failed. */
static bool walk(leat_ctx_t *ctx, slide_t *s)
{
    int64_t from_ms = s->time_ms - s->d_ms < s->d_ms ? 0 : s->time_ms - s->d_ms - s->d_ms;
    leat__window_cursor_t *c = leat__window_fetch(s->w.rows->windows, s->w.key, from_ms,
        leat__time_add(s->time_ms, 1), LEAT_DESCENDING);
    leat__window_row_t row;
    step_t step = GO_ON;

    while (step == GO_ON && leat__ok(ctx) && leat__window_next(c, &row)) {
        leat__agg_t agg = {leat__windowing_decode(ctx, &s->w, row.value), row.time_ms};

        note_start(ctx, s, row.start_ms);
        if (leat__ok(ctx))
            step = visit(ctx, s, row.start_ms, agg);
    }
    leat__window_close(c);
    return step != ALL_DONE && leat__ok(ctx);
}

/* ---- records of times before d ---- */

typedef struct early_t {
    leat__agg_t combined; /* of [0, d] */
    bool there;
} early_t;

static void visit_early(leat_ctx_t *ctx, slide_t *s, early_t *e, int64_t start_ms, leat__agg_t agg)
{
    if (start_ms == 0) {
        e->combined = agg;
        e->there = true;
        if (agg.time_ms < s->time_ms)
            s->previous_ms = agg.time_ms;
    } else if (start_ms <= s->time_ms) {
        s->right = agg;
        update(ctx, s, start_ms, agg);
    } else {
        s->right_made = true;
    }
}

static void process_early(leat_ctx_t *ctx, slide_t *s)
{
    early_t e = {{NULL, -1}, false};
    leat__window_row_t row;
    leat__window_cursor_t *c = leat__window_fetch(
        s->w.rows->windows, s->w.key, 0, leat__time_add(s->time_ms, 1), LEAT_ASCENDING);

    while (leat__ok(ctx) && leat__window_next(c, &row)) {
        leat__agg_t agg = {leat__windowing_decode(ctx, &s->w, row.value), row.time_ms};

        note_start(ctx, s, row.start_ms);
        if (leat__ok(ctx))
            visit_early(ctx, s, &e, row.start_ms, agg);
    }
    leat__window_close(c);
    if (!s->right.value && e.there && e.combined.time_ms > s->time_ms)
        s->right = e.combined;
    make_right(ctx, s);
    if (s->previous_ms >= 0 && !was_there(s, s->previous_ms + 1) && leat__ok(ctx))
        make(ctx, s, s->previous_ms + 1);
    if (leat__ok(ctx))
        update(ctx, s, 0, e.combined);
}

void leat__sliding_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    slide_t s = {.time_ms = in->time_ms, .previous_ms = -1};

    if (in->key && !in->value) {
        leat__drop(ctx, "null value");
        return;
    }
    if (!leat__windowing_start(ctx, in, &s.w))
        return;
    s.d_ms = s.w.op->rows.window.size_ms;
    if (leat__time_add(s.time_ms, s.d_ms) < s.w.closed_ms) {
        leat__windowing_late(ctx);
        return;
    }
    if (s.time_ms < s.d_ms) {
        process_early(ctx, &s);
        return;
    }
    if (walk(ctx, &s)) {
        make_right_of_previous(ctx, &s);
        make_left(ctx, &s);
        make_right(ctx, &s);
    }
    if (leat__ok(ctx))
        leat__window_emit(ctx, &s.w);
}
