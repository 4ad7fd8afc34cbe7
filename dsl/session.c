/*
 * dsl/session.c: the processor of folds over sessions.
 *
 * A session is [first, last] time of records that are at most the gap apart. A record finds the
 * sessions of its key that it touches, and they become one with it:
 *
 *        ├──A──┤      ├──B──┤      the record between them:  A and B are deleted,
 *              ·  t   ·            ├───── A + t + B ─────┤   each with a change of its own
 *
 * The aggregate of the new one is what the fold starts from, merged with A's and B's in the store's
 * order, folded with the record's value. With no .init the first of them is taken as it is, so
 * .merge never sees a NULL that no function emitted. DIFFERS: Kafka Streams calls the merger with
 * what a null initializer gives. Changes carry the session's end as time, and no headers.
 */
#include "window.h"

typedef struct span_t { /* a session that becomes part of another */
    int64_t start_ms, end_ms;
    const void *value;
} span_t;

typedef struct found_t {
    span_t *at; /* in scratch */
    size_t count;
} found_t;

typedef struct join_t {
    const leat__windowing_t *w;
    const void *value; /* merged so far, independent of who made it */
    leat_windowed_t window;
} join_t;

static bool find(leat_ctx_t *ctx, const leat__windowing_t *w, found_t *found)
{
    int64_t gap_ms = w->op->rows.window.size_ms, time_ms = w->in->time_ms;
    leat__window_cursor_t *c = leat__session_find(w->rows->windows, w->key, w->key,
        time_ms - gap_ms, leat__time_add(time_ms, gap_ms), LEAT_ASCENDING);
    leat__window_row_t row;

    while (leat__ok(ctx) && leat__window_next(c, &row)) {
        size_t size = found->count * sizeof *found->at;

        found->at = leat__arena_grow(&ctx->scratch, found->at, size, size + sizeof *found->at);
        found->at[found->count++] = (span_t){
            row.start_ms, row.end_ms, leat__windowing_decode(ctx, w, row.value)};
    }
    leat__window_close(c);
    return leat__ok(ctx);
}

static void keep_merged(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    join_t *j = call->data;
    leat_slice_t bytes;

    (void)how;
    (void)child;
    j->value = out->value;
    if (out->value && leat__windowing_encode(ctx, j->w, out->value, &bytes))
        j->value = leat__windowing_decode(ctx, j->w, bytes);
}

static void merge_counts(leat_ctx_t *ctx, join_t *j, const void *next)
{
    int64_t *sum = leat_scratch(ctx, sizeof *sum);

    *sum = (j->value ? *(const int64_t *)j->value : 0) + *(const int64_t *)next;
    j->value = sum;
}

static void merge(leat_ctx_t *ctx, join_t *j, const void *next, bool first)
{
    const leat__fold_t *op = j->w->op;
    leat_combine_fn fn = op->kind == LEAT__REDUCE ? op->add : op->merge;
    bool from_nothing = !j->value && (op->kind == LEAT__REDUCE || first);

    if (op->kind == LEAT__COUNT)
        merge_counts(ctx, j, next);
    else if (from_nothing)
        j->value = next;
    else
        leat__fold_call(ctx, op, fn, j->w->in, j->value, next, keep_merged, j);
}

static void merge_all(leat_ctx_t *ctx, join_t *j, const found_t *found)
{
    j->value = leat__fold_init(ctx, j->w->op);
    for (size_t i = 0; i < found->count && leat__ok(ctx); i++) {
        merge(ctx, j, found->at[i].value, i == 0);
        if (found->at[i].start_ms < j->window.start_ms)
            j->window.start_ms = found->at[i].start_ms;
        j->window.end_ms = leat__later(j->window.end_ms, found->at[i].end_ms);
    }
}

static void put(leat_ctx_t *ctx, const leat__windowing_t *w, const leat_windowed_t *window,
    const leat__change_t *change)
{
    leat_slice_t bytes;

    if (!leat__ok(ctx) || (change->now && !leat__windowing_encode(ctx, w, change->now, &bytes)))
        return;
    leat__session_put(w->rows->windows, w->key, change->now ? &bytes : NULL, window->start_ms,
        window->end_ms, w->in->time_ms, w->in->headers);
    leat__windowing_forward(ctx, w, window, change, window->end_ms, NULL);
}

static void finish(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how, const leat_record_t *out,
    const char *child)
{
    const join_t *j = call->data;
    const leat__change_t change = {.now = out->value, .old = NULL};

    (void)how;
    (void)child;
    put(ctx, j->w, &j->window, &change);
}

static void join(leat_ctx_t *ctx, join_t *j, const found_t *found)
{
    bool alone = j->window.start_ms == j->w->in->time_ms && j->window.end_ms == j->w->in->time_ms;

    for (size_t i = 0; i < found->count && !alone; i++) {
        const span_t *span = &found->at[i];
        const leat_windowed_t window = {j->w->in->key, span->start_ms, span->end_ms};
        const leat__change_t change = {.now = NULL, .old = span->value};

        put(ctx, j->w, &window, &change);
    }
    if (leat__ok(ctx))
        leat__windowing_fold(ctx, j->w, j->value, finish, j);
}

void leat__session_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat__windowing_t w;
    found_t found = {NULL, 0};
    join_t j = {&w, NULL, {in->key, in->time_ms, in->time_ms}};

    if (!leat__windowing_start(ctx, in, &w))
        return;
    if (!find(ctx, &w, &found))
        return;
    merge_all(ctx, &j, &found);
    if (!leat__ok(ctx))
        return;
    if (j.window.end_ms < w.closed_ms)
        leat__windowing_late(ctx);
    else
        join(ctx, &j, &found);
    leat__window_emit(ctx, &w);
}
