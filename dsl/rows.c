/* dsl/rows.c: stores of table operators: names, keeping, putting, forwarding. */
#include <string.h>
#include "base/codec.h"
#include "rows.h"
#include "suppress.h"
#include "window.h"

enum { ALIGNMENT = 16 };

/* ---- building ---- */

static const char *given_name(const leat_store_opts_t *opts, const char *operator_name)
{
    if (!opts || !opts->name)
        return operator_name;
    return strcmp(opts->name, LEAT_AUTO) == 0 ? NULL : opts->name;
}

bool leat__rows_unnamed(const leat_store_opts_t *opts, const char *operator_name)
{
    return !given_name(opts, operator_name);
}

static bool asked_for(const leat_store_opts_t *opts)
{
    return opts && (opts->materialize || (opts->name && strcmp(opts->name, LEAT_AUTO) != 0));
}

static bool copy_opts(leat__rows_t *r, leat__graph_t *g, const leat_store_opts_t *opts)
{
    if (!opts)
        return true;
    r->opts = *opts;
    r->opts.name = NULL;
    if (opts->changelog_config)
        r->opts.changelog_config = leat__builder_strdup(g->builder, opts->changelog_config);
    if (opts->processors)
        r->opts.processors = leat__builder_strdup(g->builder, opts->processors);
    return (!opts->changelog_config || r->opts.changelog_config) &&
           (!opts->processors || r->opts.processors);
}

static const char *generate_store(leat__graph_t *g, const char *prefix)
{
    const char *whole = leat__graph_join(g, prefix, "STATE-STORE-", "");

    return whole ? leat__graph_generate(g, whole) : NULL;
}

bool leat__rows_init(leat__rows_t *r, leat__graph_t *g, const char *call, leat__rows_kind_t kind,
    const leat_store_opts_t *opts, const char *operator_name, const char *prefix)
{
    const char *given = given_name(opts, operator_name);

    r->kind = kind;
    r->materialized = kind == LEAT__ROWS_FOLD || asked_for(opts);
    if (!LEAT__RESERVED_ZERO(g, call, opts) || !copy_opts(r, g, opts))
        return false;
    if (kind == LEAT__ROWS_DERIVED && !r->materialized) {
        if (opts && opts->name) /* LEAT_AUTO: takes a number, as Materialized without a name */
            leat__graph_burn(g);
        return true;
    }
    r->generated = !given;
    r->store = given ? leat__graph_given(g, given) : generate_store(g, prefix);
    return r->store != NULL;
}

bool leat__rows_enable_old(leat__rows_t *r, bool force)
{
    if (r->send_old)
        return true;
    if (r->other) { /* both sides are kept in any case */
        leat__rows_enable_old(r->upstream, true);
        leat__rows_enable_old(r->other, true);
        r->send_old = true;
    } else if (r->kind == LEAT__ROWS_DERIVED) {
        r->send_old = r->materialized || leat__rows_enable_old(r->upstream, force);
    } else {
        r->materialized = r->materialized || force;
        r->send_old = r->materialized;
        for (leat__rows_t *next = r->next; next; next = next->next)
            next->send_old = true;
    }
    return r->send_old;
}

void leat__rows_enable_view(leat__rows_t *r)
{
    if (r->kind == LEAT__ROWS_SOURCE) {
        r->materialized = true;
    } else if (!r->materialized) {
        leat__rows_enable_view(r->upstream);
        if (r->other)
            leat__rows_enable_view(r->other);
    }
}

bool leat__rows_versioned(const leat__rows_t *r)
{
    if (r->materialized)
        return r->opts.history_ms != 0;
    return r->kind == LEAT__ROWS_DERIVED && !r->other && leat__rows_versioned(r->upstream);
}

void leat__rows_connect(const leat__rows_t *r, leat__plan_t *plan, const char *node)
{
    if (r->materialized) {
        leat__plan_connect(plan, node, r->store);
    } else {
        if (r->buffers)
            leat__plan_connect(plan, node, r->store);
        leat__rows_connect(r->upstream, plan, node);
        if (r->other)
            leat__rows_connect(r->other, plan, node);
    }
}

static void rows_open(leat_ctx_t *ctx);

void leat__rows_node(leat__rows_t *r, leat_node_opts_t *node)
{
    r->open = node->open;
    r->local_offset = (node->local_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    node->local_size = r->local_offset + sizeof(leat__rows_local_t);
    node->open = rows_open;
}

leat_table_t *leat__rows_table(leat__graph_t *g, leat__rows_t *r, const char *name,
    leat__part_t *parent, leat_map_fn process, const leat_node_opts_t *opts)
{
    leat_node_opts_t node = opts ? *opts : (leat_node_opts_t){0};
    leat_table_t *t = leat__builder_alloc(g->builder, sizeof *t);
    leat__step_t *step;

    leat__rows_node(r, &node);
    step = t ? leat__step_add(g, name, parent, process, r, &node) : NULL;
    if (!step)
        return g->nil_table;
    step->rows = r;
    *t = (leat_table_t){
        .graph = g, .part = &step->part, .key = r->key, .value = r->value, .rows = r};
    return t;
}

void leat__rows_write(const leat__rows_t *r, leat__plan_t *plan, const char *node)
{
    bool logged = r->opts.changelog != LEAT_OFF;

    if (!r->materialized && !r->buffers)
        return;
    if (r->buffers)
        leat__suppress_write(r, plan);
    else if (r->window.type)
        leat__window_rows_write(r, plan);
    else
        leat__plan_store(plan, r->store, r->opts.history_ms ? LEAT_VERSIONS : LEAT_TIMESTAMPED_KV,
            r->key, r->value, &r->opts, NULL, !r->opts.history_ms);
    leat__plan_connect(plan, node, r->store);
    if (r->generated)
        leat__plan_generated(plan, logged ? "changelog topic" : "state store", r->store);
}

/* ---- running ---- */

static bool encode(
    leat_ctx_t *ctx, const leat__rows_t *r, const void *value, leat_slice_t *bytes)
{
    leat__codec_env_t env = {.scratch = &ctx->scratch};
    leat_error_t err;

    if (leat__encode(r->value, value, &env, bytes, &err) == LEAT_OK)
        return true;
    leat_fail(ctx, LEAT_ESERDE, "the value does not encode: %s", err.text);
    return false;
}

bool leat__rows_unchanged(leat_ctx_t *ctx, const leat__rows_t *r, const leat__change_t *change)
{
    leat_slice_t now, old;

    if (!r->changes_only || change->fresh)
        return false;
    if (!change->now || !change->old)
        return !change->now && !change->old;
    return encode(ctx, r, change->now, &now) && encode(ctx, r, change->old, &old) &&
           leat_slice_equal(&now, &old);
}

static void forward(
    leat_ctx_t *ctx, const leat_record_t *in, const leat__change_t *change, int64_t time_ms)
{
    const leat__rows_t *r = leat__operator(ctx);
    const leat_record_t out = {in->key, change, time_ms, in->headers};

    if (!leat__rows_unchanged(ctx, r, change))
        leat__forward(ctx, &out);
}

static void flush(leat_ctx_t *ctx, const leat_record_t *in, const void *old)
{
    const leat__rows_t *r = leat__operator(ctx);
    const leat__change_t change = {.now = in->value, .old = r->send_old ? old : NULL};
    int64_t time_ms = in->time_ms;

    if (r->send_old && !change.now && !change.old)
        return; /* a row that came and went between two flushes */
    if (r->window.type == LEAT_WINDOW_SESSION)
        time_ms = ((const leat_windowed_t *)in->key)->end_ms;
    forward(ctx, in, &change, time_ms);
}

static void open_keyed(leat_ctx_t *ctx, const leat__rows_t *r, leat__rows_local_t *local)
{
    if (r->opts.history_ms)
        local->versions = leat_versions(ctx, r->store);
    else
        local->kv = leat_kv(ctx, r->store);
}

static void rows_open(leat_ctx_t *ctx)
{
    const leat__rows_t *r = leat__operator(ctx);
    leat__rows_local_t *local = leat__rows_local(ctx, r);

    if (r->materialized) {
        if (r->window.type)
            leat__window_rows_open(ctx, r, local);
        else
            open_keyed(ctx, r, local);
        local->cached = leat__is_cached(ctx, r->store);
    }
    if (local->cached && !r->on_close)
        leat__on_flush(ctx, r->store, flush, r->send_old);
    if (r->open)
        r->open(ctx);
}

const void *leat__rows_get_bytes(
    const leat__rows_local_t *local, leat_slice_t key, int64_t *time_ms)
{
    return local->versions ? leat__versions_get_bytes(local->versions, key, time_ms)
                           : leat__kv_get_bytes(local->kv, key, time_ms);
}

const void *leat__rows_get(leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in)
{
    leat_slice_t key;
    int64_t time_ms;

    if (r->window.type)
        return leat__window_rows_get(ctx, r, in->key, &time_ms);
    if (!leat__key_bytes(ctx, in, r->key, &key))
        return NULL;
    return leat__rows_get_bytes(leat__rows_local(ctx, r), key, &time_ms);
}

/* From any node that is connected to the store. */
static const void *look_up(
    leat_ctx_t *ctx, const leat__rows_t *r, leat_slice_t key, int64_t *time_ms)
{
    const int64_t *as_of_ms = ctx->as_of_ms;
    leat_versions_t *versions;

    if (!r->opts.history_ms)
        return leat__kv_get_bytes(leat_kv(ctx, r->store), key, time_ms);
    versions = leat_versions(ctx, r->store);
    ctx->as_of_ms = NULL; /* of this look-up only: others may follow from what comes of it */
    return as_of_ms ? leat__versions_as_of_bytes(versions, key, *as_of_ms, time_ms)
                    : leat__versions_get_bytes(versions, key, time_ms);
}

void leat__rows_view_as_of(leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in,
    leat__row_fn then, void *data)
{
    ctx->as_of_ms = leat__rows_versioned(r) ? &in->time_ms : NULL;
    leat__rows_view(ctx, r, in, then, data);
    ctx->as_of_ms = NULL;
}

void leat__rows_view(leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in,
    leat__row_fn then, void *data)
{
    leat_slice_t key;
    const void *value;
    int64_t time_ms;

    if (!r->materialized) {
        r->derive(ctx, r, in, then, data);
        return;
    }
    if (r->window.type) {
        value = leat__window_rows_get(ctx, r, in->key, &time_ms);
    } else {
        if (!leat__key_bytes(ctx, in, r->key, &key))
            return;
        value = look_up(ctx, r, key, &time_ms);
    }
    if (leat__ok(ctx))
        then(ctx, data, value, value ? time_ms : -1);
}

void leat__rows_put_bytes(leat_ctx_t *ctx, const leat__rows_t *r, const leat__rows_local_t *local,
    const leat_record_t *in, leat_slice_t key, const leat__change_t *change, int64_t time_ms)
{
    leat__change_t sent = {
        .now = change->now, .old = r->send_old ? change->old : NULL, .fresh = change->fresh};
    int64_t kept_ms = change->now ? time_ms : in->time_ms; /* a deletion has its record's time */
    int64_t until_ms = INT64_MAX;

    if (local->versions)
        until_ms = leat__versions_put_bytes(local->versions, key, change->now, time_ms);
    else
        leat__kv_put_bytes(local->kv, key, change->now, kept_ms);
    sent.outdated = until_ms != INT64_MAX;
    if (!local->cached && until_ms != LEAT__VERSION_REFUSED)
        forward(ctx, in, &sent, time_ms);
}

void leat__rows_put(leat_ctx_t *ctx, const leat__rows_t *r, const leat_record_t *in,
    const void *now, const void *old, int64_t time_ms)
{
    const leat__change_t *from = r->kind == LEAT__ROWS_DERIVED ? in->value : NULL;
    const leat__change_t change = {
        .now = now, .old = r->send_old ? old : NULL, .outdated = from && from->outdated};
    leat_slice_t key;

    if (!leat__ok(ctx))
        return;
    if (!r->materialized)
        forward(ctx, in, &change, time_ms);
    else if (leat__key_bytes(ctx, in, r->key, &key))
        leat__rows_put_bytes(ctx, r, leat__rows_local(ctx, r), in, key, &change, time_ms);
}
