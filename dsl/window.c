/*
 * dsl/window.c: folds over windows: options, stores, rows, and what happens to one window.
 *
 * How long a store keeps its windows follows from the window: size and grace, at least. Sliding
 * windows look two differences back, so theirs is longer. A row is found by key and window: the
 * key's bytes come first, then the store is asked for the start (sessions: start and end).
 */
#include <inttypes.h>
#include "base/codec.h"
#include "window.h"

/* ---- building ---- */

static bool refuse(leat__graph_t *g, const char *call, const char *name, const char *what)
{
    leat__builder_error(g->builder, LEAT_EARGUMENT, name ? name : call, "%s: %s", call, what);
    return false;
}

/* NULL: nothing wrong. */
static const char *wrong_with(const leat_window_t *w)
{
    switch (w->type) {
    case LEAT_WINDOW_TUMBLING:
    case LEAT_WINDOW_HOPPING:
        if (w->size_ms <= 0)
            return "the size of a window must be at least 1 ms";
        if (w->advance_ms <= 0 || w->advance_ms > w->size_ms)
            return "hopping windows must advance by at least 1 ms and at most their size";
        break;
    case LEAT_WINDOW_SLIDING:
        if (w->size_ms <= 0)
            return "the time difference of sliding windows must be at least 1 ms";
        break;
    case LEAT_WINDOW_SESSION:
        if (w->size_ms < 0)
            return "the gap between sessions must not be negative";
        break;
    case LEAT_WINDOW_UNLIMITED:
        if (w->size_ms < 0)
            return "the start of an unlimited window must not be negative";
        break;
    default:
        return ".window is of no known type: make it with leat_tumbling() and its like";
    }
    return w->grace_ms < 0 ? "the grace of a window must not be negative" : NULL;
}

static bool fit(leat__graph_t *g, const char *call, const char *name, const leat_fold_opts_t *opts,
    leat__fold_kind_t kind)
{
    const leat_window_t *w = &opts->window;
    bool merges = w->type == LEAT_WINDOW_SESSION && kind == LEAT__AGGREGATE;
    const char *wrong = wrong_with(w);

    if (wrong)
        return refuse(g, call, name, wrong);
    if (opts->emit == LEAT_EMIT_ON_CLOSE && w->type == LEAT_WINDOW_UNLIMITED)
        return refuse(g, call, name, "an unlimited window never closes: .emit must be updates");
    if (opts->emit != LEAT_EMIT_ON_CLOSE && opts->emit != LEAT_EMIT_UPDATES)
        return refuse(g, call, name, ".emit has no such value");
    if (merges)
        return leat__need(g, call, name, opts->merge != NULL, ".merge of a session window");
    return !opts->merge ||
           refuse(g, call, name, ".merge is for aggregates of session windows only");
}

bool leat__window_take(leat__graph_t *g, const char *call, const char *name,
    const leat_fold_opts_t *opts, leat__fold_t *op)
{
    if (opts && opts->idle_close_ms < 0)
        return refuse(g, call, name, ".idle_close_ms must not be negative");
    if (!opts || !opts->window.type) {
        if (opts && opts->idle_close_ms)
            return refuse(g, call, name, ".idle_close_ms needs a .window");
        if (opts && opts->emit)
            return refuse(g, call, name, ".emit on close needs a .window");
        return !opts || !opts->merge || refuse(g, call, name, ".merge needs a session .window");
    }
    if (!fit(g, call, name, opts, op->kind))
        return false;
    op->rows.window = opts->window;
    op->rows.on_close = opts->emit == LEAT_EMIT_ON_CLOSE;
    op->rows.idle_close_ms = opts->idle_close_ms;
    op->merge = opts->merge;
    return true;
}

/* The length that stands in the serde of the keys; sessions have none. */
static int64_t length_of(const leat_window_t *w)
{
    return w->type == LEAT_WINDOW_UNLIMITED ? INT64_MAX
           : w->type == LEAT_WINDOW_SESSION ? 0
                                            : w->size_ms;
}

static int64_t least_retention(const leat_window_t *w)
{
    int64_t span_ms = w->size_ms;

    if (w->type == LEAT_WINDOW_UNLIMITED)
        return INT64_MAX;
    if (w->type == LEAT_WINDOW_SLIDING)
        span_ms = leat__time_add(span_ms, span_ms);
    return leat__time_add(span_ms, w->grace_ms);
}

bool leat__window_store(leat__graph_t *g, const char *call, const char *name, leat__fold_t *op)
{
    leat__rows_t *r = &op->rows;
    const leat_window_t *w = &r->window;
    int64_t least_ms = w->type ? least_retention(w) : 0;

    if (!w->type)
        return true;
    if (r->opts.history_ms)
        return refuse(g, call, name, ".history_ms is for tables without windows");
    if (r->opts.ttl_ms)
        return refuse(g, call, name, ".ttl_ms is for tables without windows: these have .retention_ms");
    if (!r->opts.retention_ms)
        r->opts.retention_ms = least_ms;
    if (r->opts.retention_ms < least_ms) {
        leat__builder_error(g->builder, LEAT_EARGUMENT, name ? name : call,
            "%s: store '%s' would forget windows that may still change: its .retention_ms is "
            "%" PRId64 ", but must be at least %s plus grace, %" PRId64,
            call, r->store, r->opts.retention_ms,
            w->type == LEAT_WINDOW_SLIDING   ? "twice the difference"
            : w->type == LEAT_WINDOW_SESSION ? "the gap"
                                             : "the size",
            least_ms);
        return false;
    }
    r->opts.window_size_ms = length_of(w);
    if (r->on_close && (w->type == LEAT_WINDOW_SLIDING || w->type == LEAT_WINDOW_SESSION))
        r->opts.cache = LEAT_OFF;
    r->key = w->type == LEAT_WINDOW_SESSION
                 ? leat_serde_session_windowed(g->builder, r->key)
                 : leat_serde_windowed(g->builder, r->key, length_of(w));
    return !leat__builder_failed(g->builder);
}

static void window_idle(leat_ctx_t *ctx, const leat_record_t *tick)
{
    leat__window_local_t *local = leat_local(ctx);
    leat__windowing_t w;

    if (!leat__idle_moves(ctx, &local->idle, &local->observed_ms))
        return;
    leat__windowing_at(ctx, tick, &w);
    leat__window_emit(ctx, &w);
}

static void window_open(leat_ctx_t *ctx)
{
    const leat__rows_t *r = leat__operator(ctx);
    leat__window_local_t *local = leat_local(ctx);

    *local = (leat__window_local_t){.observed_ms = -1, .closed_ms = -1, .emit_interval_ms = -1};
    if (r->on_close)
        leat__window_emit_open(ctx, r, local);
    leat__idle_open(ctx, &local->idle, r->idle_close_ms, window_idle);
}

leat_map_fn leat__window_node(const leat__fold_t *op, leat_node_opts_t *node)
{
    leat_window_type_t type = op->rows.window.type;

    node->local_size = sizeof(leat__window_local_t);
    node->open = window_open;
    return type == LEAT_WINDOW_SLIDING   ? leat__sliding_process
           : type == LEAT_WINDOW_SESSION ? leat__session_process
                                         : leat__time_window_process;
}

int64_t leat__rows_grace_ms(const leat__rows_t *r)
{
    int64_t grace_ms, other_ms;

    if (r->kind == LEAT__ROWS_FOLD && r->window.type)
        return r->window.type == LEAT_WINDOW_SESSION
                   ? leat__time_add(r->window.grace_ms, r->window.size_ms)
                   : r->window.grace_ms;
    if (r->kind != LEAT__ROWS_DERIVED || !r->upstream)
        return -1;
    grace_ms = leat__rows_grace_ms(r->upstream);
    if (!r->other || grace_ms < 0)
        return grace_ms;
    other_ms = leat__rows_grace_ms(r->other);
    return other_ms < 0 ? -1 : leat__later(grace_ms, other_ms);
}

/* ---- rows ---- */

void leat__window_rows_write(const leat__rows_t *r, leat__plan_t *plan)
{
    bool session = r->window.type == LEAT_WINDOW_SESSION;
    leat__store_spec_t *spec =
        leat__plan_store(plan, r->store, session ? LEAT_SESSIONS : LEAT_TIMESTAMPED_WINDOWS,
            leat__serde_inner(r->key), r->value, &r->opts, NULL, true);

    if (spec)
        spec->by_time = r->on_close;
}

void leat__window_rows_open(leat_ctx_t *ctx, const leat__rows_t *r, leat__rows_local_t *local)
{
    const leat__store_spec_t *spec = NULL;

    local->windows = leat__store_of(ctx, r->store, &spec);
    local->topic = spec ? spec->changelog : NULL;
}

static const void *decode(leat_ctx_t *ctx, const leat__rows_t *r, const char *topic,
    leat_slice_t bytes)
{
    leat__codec_env_t env = {&ctx->scratch, topic, false, NULL};
    const void *value = NULL;
    leat_error_t err;

    if (!leat__serde_is_flat(r->value))
        bytes.data = leat__arena_copy(&ctx->scratch, bytes.data, bytes.size);
    if (leat__decode(r->value, bytes, &env, &value, &err) != LEAT_OK)
        leat_fail(ctx, LEAT_ESERDE, "store %s: %s", r->store, err.text);
    return value;
}

const void *leat__window_rows_get(
    leat_ctx_t *ctx, const leat__rows_t *r, const void *key, int64_t *time_ms)
{
    const leat_windowed_t *window = key;
    const leat__store_spec_t *spec = NULL;
    leat__store_t *store = leat__store_of(ctx, r->store, &spec);
    leat_slice_t bytes, value;
    leat_error_t err;
    bool found;

    *time_ms = -1;
    if (!store)
        return NULL;
    if (!window || leat__encode(leat__serde_inner(r->key), window->key,
                       &(leat__codec_env_t){&ctx->scratch, spec->changelog, true, NULL}, &bytes,
                       &err) != LEAT_OK) {
        leat_fail(ctx, window ? LEAT_ESERDE : LEAT_ENULL, "store %s: %s", r->store,
            window ? err.text : "the key is NULL");
        return NULL;
    }
    if (r->window.type == LEAT_WINDOW_SESSION) {
        found = leat__session_get(store, bytes, window->start_ms, window->end_ms, &value);
        *time_ms = found ? window->end_ms : -1;
    } else {
        found = leat__window_get(store, bytes, window->start_ms, &value, time_ms);
    }
    return found ? decode(ctx, r, spec->changelog, value) : NULL;
}

/* ---- running ---- */

void leat__windowing_at(leat_ctx_t *ctx, const leat_record_t *in, leat__windowing_t *w)
{
    const leat__fold_t *op = leat__operator(ctx);
    const leat_window_t *window = &op->rows.window;

    *w = (leat__windowing_t){
        .op = op, .rows = leat__rows_local(ctx, &op->rows), .local = leat_local(ctx), .in = in};
    w->closed_ms = w->local->observed_ms - window->grace_ms;
    if (window->type == LEAT_WINDOW_SESSION)
        w->closed_ms -= window->size_ms;
}

bool leat__windowing_start(leat_ctx_t *ctx, const leat_record_t *in, leat__windowing_t *w)
{
    leat__window_local_t *local = leat_local(ctx);

    if (!in->key) {
        leat__drop(ctx, "null key");
        return false;
    }
    local->observed_ms = leat__later(local->observed_ms, in->time_ms);
    leat__idle_record(ctx, &local->idle, local->observed_ms);
    leat__windowing_at(ctx, in, w);
    return leat__key_bytes(ctx, in, leat__serde_inner(w->op->rows.key), &w->key);
}

const void *leat__windowing_decode(leat_ctx_t *ctx, const leat__windowing_t *w, leat_slice_t bytes)
{
    return decode(ctx, &w->op->rows, w->rows->topic, bytes);
}

bool leat__windowing_encode(
    leat_ctx_t *ctx, const leat__windowing_t *w, const void *value, leat_slice_t *bytes)
{
    leat__codec_env_t env = {&ctx->scratch, w->rows->topic, false, w->in->headers};
    leat_error_t err;

    if (leat__encode(w->op->rows.value, value, &env, bytes, &err) == LEAT_OK)
        return true;
    leat_fail(ctx, LEAT_ESERDE, "store %s: value: %s", w->op->rows.store, err.text);
    return false;
}

void leat__windowing_late(leat_ctx_t *ctx)
{
    leat__drop(ctx, "late: the window has closed");
}

void leat__windowing_forward(leat_ctx_t *ctx, const leat__windowing_t *w,
    const leat_windowed_t *window, const leat__change_t *change, int64_t time_ms,
    const leat_headers_t *headers)
{
    const leat__rows_t *r = &w->op->rows;
    const leat__change_t sent = {
        .now = change->now, .old = r->send_old ? change->old : NULL, .fresh = change->fresh};
    const leat_record_t out = {window, &sent, time_ms, headers};

    if (!r->on_close && !w->rows->cached && !leat__rows_unchanged(ctx, r, &sent))
        leat__forward(ctx, &out);
}

void leat__windowing_fold(leat_ctx_t *ctx, const leat__windowing_t *w, const void *a,
    leat__emit_fn then, void *data)
{
    const leat__fold_t *op = w->op;
    leat__call_t call = {.data = data};
    leat_record_t out = *w->in;
    int64_t count;

    if (op->kind == LEAT__COUNT) {
        count = a ? *(const int64_t *)a + 1 : 1;
        out.value = &count;
        then(ctx, &call, LEAT__EMIT_VALUE, &out, NULL);
    } else if (op->kind == LEAT__REDUCE && !a) {
        then(ctx, &call, LEAT__EMIT_VALUE, &out, NULL);
    } else {
        leat__fold_call(ctx, op, op->add, w->in, a, w->in->value, then, data);
    }
}

typedef struct update_t {
    const leat__windowing_t *w;
    leat_windowed_t window;
    const void *old;
    int64_t time_ms;
    bool fresh;
} update_t;

static void finish(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how, const leat_record_t *out,
    const char *child)
{
    const update_t *u = call->data;
    const leat__windowing_t *w = u->w;
    const leat__change_t change = {.now = out->value, .old = u->old, .fresh = u->fresh};
    leat_slice_t bytes;

    (void)how;
    (void)child;
    if (!leat__ok(ctx) || (change.now && !leat__windowing_encode(ctx, w, change.now, &bytes)))
        return;
    leat__window_put(w->rows->windows, w->key, change.now ? &bytes : NULL, u->window.start_ms,
        change.now ? u->time_ms : w->in->time_ms, w->in->headers);
    leat__windowing_forward(ctx, w, &u->window, &change, u->time_ms, w->in->headers);
}

void leat__windowing_update(
    leat_ctx_t *ctx, const leat__windowing_t *w, int64_t start_ms, int64_t end_ms, leat__agg_t old)
{
    update_t u = {w, {w->in->key, start_ms, end_ms}, old.value, w->in->time_ms, !old.value};

    if (old.value)
        u.time_ms = leat__later(old.time_ms, w->in->time_ms);
    else
        u.old = leat__fold_init(ctx, w->op);
    if (leat__ok(ctx))
        leat__windowing_fold(ctx, w, u.old, finish, &u);
}
