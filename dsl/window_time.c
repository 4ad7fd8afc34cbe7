/*
 * dsl/window_time.c: the processor of folds over tumbling, hopping and unlimited windows.
 *
 * A record belongs to each window [start, end) that holds its time; windows stand at multiples of
 * the advance, none begins before 0. A window that has closed for the operator's own time drops the
 * record, the others take it. A NULL value is passed to the fold like any other.
 */
#include "window.h"

static void update(leat_ctx_t *ctx, const leat__windowing_t *w, int64_t start_ms, int64_t end_ms)
{
    leat__agg_t old = {NULL, -1};
    leat_slice_t bytes;

    if (leat__window_get(w->rows->windows, w->key, start_ms, &bytes, &old.time_ms))
        old.value = leat__windowing_decode(ctx, w, bytes);
    if (leat__ok(ctx))
        leat__windowing_update(ctx, w, start_ms, end_ms, old);
}

void leat__time_window_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat__windowing_t w;
    const leat_window_t *window;

    if (!leat__windowing_start(ctx, in, &w))
        return;
    window = &w.op->rows.window;
    if (window->type == LEAT_WINDOW_UNLIMITED) {
        if (in->time_ms >= window->size_ms) /* its start */
            update(ctx, &w, window->size_ms, INT64_MAX);
        return;
    }
    for (int64_t start_ms = leat__window_first(window, in->time_ms);
         start_ms <= in->time_ms && leat__ok(ctx);
         start_ms = leat__time_add(start_ms, window->advance_ms)) {
        int64_t end_ms = leat__time_add(start_ms, window->size_ms);

        if (end_ms > w.closed_ms)
            update(ctx, &w, start_ms, end_ms);
        else
            leat__windowing_late(ctx);
        if (start_ms == INT64_MAX)
            break;
    }
    leat__window_emit(ctx, &w);
}
