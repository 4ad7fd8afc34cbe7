/*
 * dsl/suppress.c: changes of a table that wait: for some time, or until their window has closed.
 *
 *   change ─▶ the row in the buffer (the latest value wins, the place stays) ─▶ what is due goes on
 *
 * The buffer is a key-value store in memory, with a queue by time over it (statestore/queue.h), so
 * commits, aborts and restores need nothing of their own. Time is the highest that this operator
 * has seen; the clock moves it only on request (idle.h). A row goes on with its latest value, with time, headers and place of the record that
 * gave it.
 *
 * To a table operator behind it, the table looks as it did before what waits: the prior value.
 *
 * Counterpart in Kafka Streams: KTableSuppressProcessorSupplier.
 */
#include <inttypes.h>
#include <string.h>
#include "base/codec.h"
#include "statestore/queue.h"
#include "idle.h"
#include "suppress.h"
#include "window.h"

typedef struct suppress_t {
    leat__rows_t rows; /* its store is the buffer */
    int64_t wait_ms;
    bool on_close, fail_when_full;
    int64_t records_max, bytes_max, idle_close_ms;
} suppress_t;

typedef struct local_t {
    int64_t observed_ms;
    leat__store_t *store;
    leat__queue_t *queue;
    const char *topic; /* what serdes are told */
    leat__idle_t idle;
} local_t;

/* ---- running ---- */

static void suppress_idle(leat_ctx_t *ctx, const leat_record_t *tick);

static void suppress_open(leat_ctx_t *ctx)
{
    const suppress_t *op = leat__operator(ctx);
    local_t *local = leat_local(ctx);
    const leat__store_spec_t *spec = NULL;

    *local = (local_t){.observed_ms = -1, .store = leat__store_of(ctx, op->rows.store, &spec)};
    if (!local->store)
        return;
    local->topic = spec->changelog;
    local->queue = leat__queue_new(local->store, leat__waiting_measure);
    leat__idle_open(ctx, &local->idle, op->idle_close_ms, suppress_idle);
}

static void suppress_close(leat_ctx_t *ctx)
{
    local_t *local = leat_local(ctx);

    leat__queue_free(local->queue);
    local->queue = NULL;
}

static bool encode(leat_ctx_t *ctx, const suppress_t *op, const char *topic, const void *value,
    leat_slice_t *bytes)
{
    leat__codec_env_t env = {&ctx->scratch, topic, false, NULL};
    leat_error_t err;

    *bytes = (leat_slice_t){NULL, 0};
    if (!value || leat__encode(op->rows.value, value, &env, bytes, &err) == LEAT_OK)
        return true;
    leat_fail(ctx, LEAT_ESERDE, "store %s: value: %s", op->rows.store, err.text);
    return false;
}

static const void *decode(leat_ctx_t *ctx, const suppress_t *op, const char *topic,
    const leat_serde_t *serde, leat_slice_t bytes)
{
    leat__codec_env_t env = {&ctx->scratch, topic, serde == op->rows.key, NULL};
    const void *value = NULL;
    leat_error_t err;

    if (bytes.data && leat__decode(serde, bytes, &env, &value, &err) != LEAT_OK)
        leat_fail(ctx, LEAT_ESERDE, "store %s: %s: %s", op->rows.store,
            serde == op->rows.key ? "key" : "value", err.text);
    return value;
}

static leat_slice_t owned(leat_ctx_t *ctx, leat_slice_t bytes)
{
    return (leat_slice_t){leat__arena_copy(&ctx->scratch, bytes.data, bytes.size), bytes.size};
}

static void damaged(leat_ctx_t *ctx, const suppress_t *op)
{
    leat_fail(ctx, LEAT_ESTORE, "store %s: a row is damaged: it is no record of a suppress buffer",
        op->rows.store);
}

/* A row that waits already keeps its place and its prior value. */
static bool wait(leat_ctx_t *ctx, const suppress_t *op, local_t *local, const leat_record_t *in)
{
    const leat__change_t *change = in->value;
    const leat_meta_t *meta = leat__record_meta(ctx);
    leat_slice_t key, row;
    leat__waiting_t before, w = {.time_ms = in->time_ms,
                                .offset = meta ? meta->offset : -1,
                                .partition = meta ? meta->partition : -1,
                                .headers = in->headers,
                                .topic = {meta ? meta->topic : "", 0},
                                .waits_ms = in->time_ms};

    w.topic.size = strlen(w.topic.data);
    if (op->on_close)
        w.waits_ms = ((const leat_windowed_t *)in->key)->end_ms;
    if (!leat__key_bytes(ctx, in, op->rows.key, &key) ||
        !encode(ctx, op, local->topic, change->old, &w.old) ||
        !encode(ctx, op, local->topic, change->now, &w.now))
        return false;
    w.prior = w.old;
    if (leat__queue_find(local->queue, key, &row)) {
        if (!leat__waiting_read(row, &before, NULL)) {
            damaged(ctx, op);
            return false;
        }
        w.waits_ms = before.waits_ms;
        w.prior = before.prior.data ? owned(ctx, before.prior) : before.prior;
    }
    leat__queue_put(
        local->queue, key, leat__waiting_write(&w, &ctx->scratch), in->time_ms, in->headers);
    return leat__ok(ctx);
}

static void forward(leat_ctx_t *ctx, const suppress_t *op, const local_t *local,
    leat_slice_t key, const leat__waiting_t *w)
{
    leat_slice_t topic = owned(ctx, w->topic);
    leat_meta_t meta = {topic.data, w->partition, w->offset};
    const leat_meta_t *meta_before = ctx->meta;
    leat__change_t change = {.now = decode(ctx, op, local->topic, op->rows.value, w->now)};
    leat_record_t out = {decode(ctx, op, local->topic, op->rows.key, key), &change, w->time_ms,
        w->headers};

    if (op->rows.send_old)
        change.old = decode(ctx, op, local->topic, op->rows.value, w->old);
    ctx->meta = &meta;
    leat__forward(ctx, &out);
    ctx->meta = meta_before;
}

/* The first row goes. False: failed. */
static bool let_go(leat_ctx_t *ctx, const suppress_t *op, local_t *local)
{
    leat__mark_t mark = leat__arena_mark(&ctx->scratch);
    leat_slice_t key, row;
    leat__waiting_t w;
    int64_t waits_ms;

    if (!leat__queue_first(local->queue, &waits_ms, &key, &row))
        return false;
    if (!leat__waiting_read(owned(ctx, row), &w, &ctx->scratch))
        damaged(ctx, op);
    else if (w.now.data || !op->on_close)
        forward(ctx, op, local, owned(ctx, key), &w);
    if (leat__ok(ctx))
        leat__queue_pop(local->queue, w.time_ms);
    leat__arena_rewind(&ctx->scratch, mark);
    return leat__ok(ctx);
}

static bool is_due(const suppress_t *op, const local_t *local)
{
    int64_t waits_ms;
    leat_slice_t key, row;

    return leat__queue_first(local->queue, &waits_ms, &key, &row) &&
           waits_ms <= local->observed_ms - op->wait_ms;
}

static bool let_due_go(leat_ctx_t *ctx, const suppress_t *op, local_t *local)
{
    while (is_due(op, local)) {
        if (!let_go(ctx, op, local))
            return false;
    }
    return true;
}

static void suppress_idle(leat_ctx_t *ctx, const leat_record_t *tick)
{
    local_t *local = leat_local(ctx);

    (void)tick;
    if (leat__idle_moves(ctx, &local->idle, &local->observed_ms))
        let_due_go(ctx, leat__operator(ctx), local);
}

static bool is_full(const suppress_t *op, const local_t *local)
{
    return leat__queue_count(local->queue) > (uint64_t)op->records_max ||
           leat__queue_bytes(local->queue) > (uint64_t)op->bytes_max;
}

static void suppress_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const suppress_t *op = leat__operator(ctx);
    local_t *local = leat_local(ctx);

    local->observed_ms = leat__later(local->observed_ms, in->time_ms);
    leat__idle_record(ctx, &local->idle, local->observed_ms);
    if (!wait(ctx, op, local, in))
        return;
    if (!let_due_go(ctx, op, local))
        return;
    if (op->fail_when_full && is_full(op, local)) {
        leat_fail(ctx, LEAT_EFULL,
            "the buffer is full: %zu rows (at most %" PRId64 "), %zu bytes (at most %" PRId64 "): "
            "give it more room, or shorter windows and less grace",
            leat__queue_count(local->queue), op->records_max, leat__queue_bytes(local->queue),
            op->bytes_max);
        return;
    }
    while (is_full(op, local)) {
        if (!let_go(ctx, op, local))
            return;
    }
}

/* As the table was before what waits now. */
static void derive(leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in,
    leat__row_fn then, void *data)
{
    const suppress_t *op = (const suppress_t *)r;
    const leat__store_spec_t *spec = NULL;
    leat__store_t *store = leat__store_of(ctx, r->store, &spec);
    leat__waiting_t w;
    leat_slice_t key, row;
    const void *value;

    if (!store || !leat__key_bytes(ctx, in, r->key, &key))
        return;
    if (!leat__store_get(store, key, &row, NULL)) {
        leat__rows_view(ctx, r->upstream, in, then, data);
        return;
    }
    if (!leat__waiting_read(row, &w, NULL)) {
        damaged(ctx, op);
        return;
    }
    value = w.prior.data ? decode(ctx, op, spec->changelog, r->value, owned(ctx, w.prior)) : NULL;
    if (leat__ok(ctx))
        then(ctx, data, value, -1);
}

/* ---- building ---- */

void leat__suppress_write(const leat__rows_t *r, leat__plan_t *plan)
{
    leat__store_spec_t *spec =
        leat__plan_store(plan, r->store, LEAT_KV, r->key, r->value, &r->opts, NULL, false);

    if (!spec)
        return;
    spec->buffer = true;
    spec->log_batched = true;
    spec->log_version = 3;
    spec->log_upgrade = leat__waiting_upgrade;
}

static bool bound(leat__graph_t *g, const char *call, int64_t given, const char *what, int64_t *max)
{
    *max = given == LEAT_ZERO ? 0 : given == 0 ? INT64_MAX : given;
    if (*max >= 0)
        return true;
    leat__builder_error(
        g->builder, LEAT_EARGUMENT, call, "%s: %s must not be negative", call, what);
    return false;
}

static bool take_wait(leat__graph_t *g, const char *call, const char *name, int64_t until_ms,
    suppress_t *op)
{
    if (leat__rows_versioned(op->rows.upstream)) {
        leat__builder_error(g->builder, LEAT_ETOPOLOGY, name ? name : call,
            "%s: rows of a versioned table cannot wait: take .history_ms off that table", call);
        return false;
    }
    op->on_close = until_ms == LEAT_UNTIL_WINDOW_CLOSES;
    op->wait_ms = op->on_close ? leat__rows_grace_ms(op->rows.upstream) : until_ms;
    if (!op->on_close || op->wait_ms >= 0)
        return true;
    leat__builder_error(g->builder, LEAT_ETOPOLOGY, name ? name : call,
        "%s: only windows close: this table is no fold over windows, nor made from one", call);
    return false;
}

static bool take_opts(leat__graph_t *g, const char *call, const leat_suppress_opts_t *opts,
    suppress_t *op)
{
    static const leat_suppress_opts_t none;

    if (!LEAT__RESERVED_ZERO(g, call, opts))
        return false;
    if (!opts)
        opts = &none;
    if (!bound(g, call, opts->records_max, ".records_max", &op->records_max) ||
        !bound(g, call, opts->bytes_max, ".bytes_max", &op->bytes_max))
        return false;
    if (opts->idle_close_ms < 0) {
        leat__builder_error(g->builder, LEAT_EARGUMENT, call,
            "%s: .idle_close_ms must not be negative", call);
        return false;
    }
    op->fail_when_full = opts->fail_when_full;
    if (op->on_close && !op->fail_when_full && (opts->records_max || opts->bytes_max)) {
        leat__builder_error(g->builder, LEAT_EARGUMENT, call,
            "%s: a window that leaves a full buffer early gives no final result: set "
            ".fail_when_full, or no bounds",
            call);
        return false;
    }
    op->rows.opts.changelog = opts->changelog;
    op->rows.opts.cache = LEAT_OFF;
    op->rows.opts.backend = opts->on_disk ? leat_backend_rocksdb() : leat_backend_memory();
    op->idle_close_ms = opts->idle_close_ms;
    if (!opts->changelog_config)
        return true;
    op->rows.opts.changelog_config = leat__builder_strdup(g->builder, opts->changelog_config);
    return op->rows.opts.changelog_config != NULL;
}

/* A given name takes no number, as in Kafka Streams. */
static const char *take_names(leat__graph_t *g, const char *given, suppress_t *op)
{
    const char *name =
        given ? leat__graph_given(g, given) : leat__graph_generate(g, "KTABLE-SUPPRESS-");

    op->rows.generated = !given;
    op->rows.store = given ? leat__graph_join(g, given, "-store", "")
                           : leat__graph_generate(g, "KTABLE-SUPPRESS-STATE-STORE-");
    return op->rows.store ? name : NULL;
}

/* A history is in order by itself; rows of it that come late must not wait behind later ones. */
static bool unversioned(leat__graph_t *g, const leat_table_t *in, const char *name)
{
    if (leat__rows_versioned(in->rows))
        leat__builder_error(g->builder, LEAT_ETOPOLOGY, name ? name : "leat_table_suppress",
            "leat_table_suppress: the table is versioned, or made from one that is: only others can "
            "wait");
    return !leat__rows_versioned(in->rows);
}

leat_table_t *leat_table_suppress(
    leat_table_t *in, const char *name, int64_t until_ms, const leat_suppress_opts_t *opts)
{
    static const char call[] = "leat_table_suppress";
    leat__graph_t *g = in->graph;
    const leat_node_opts_t node = {
        .local_size = sizeof(local_t), .open = suppress_open, .close = suppress_close};
    const char *made;
    suppress_t *op;

    if (in->nil || !unversioned(g, in, name))
        return leat__nil_table(g);
    op = leat__builder_alloc(g->builder, sizeof *op);
    if (!op)
        return g->nil_table;
    op->rows = (leat__rows_t){.kind = LEAT__ROWS_DERIVED,
        .derive = derive,
        .upstream = in->rows,
        .buffers = true,
        .key = in->key,
        .value = in->value};
    if (!take_wait(g, call, name, until_ms, op) || !take_opts(g, call, opts, op))
        return g->nil_table;
    made = take_names(g, name, op);
    if (!made)
        return g->nil_table;
    leat__rows_enable_old(in->rows, true);
    return leat__rows_table(g, &op->rows, made, in->part, suppress_process, &node);
}
