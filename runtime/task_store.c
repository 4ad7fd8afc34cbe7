/*
 * runtime/task_store.c: the stores of a task: who may reach them, what flush forwards, changelog
 * records.
 *
 * A flush stands on the node that registered itself with leat__on_flush: the time and headers are
 * the entry's, there is no input record. Scratch is given back after each entry, so that a flush
 * of a million entries needs the room of one.
 */
#include "task_inside.h"
#include "base/config.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

static leat__task_store_t *find(leat_ctx_t *ctx, const char *name)
{
    const leat__live_t *live = ctx->node;

    for (size_t i = 0; i < live->store_count; i++)
        if (live->stores[i]->spec->name == name)
            return live->stores[i];
    for (size_t i = 0; i < live->store_count; i++)
        if (name && strcmp(live->stores[i]->spec->name, name) == 0)
            return live->stores[i];
    return NULL;
}

/* NULL: none of that name that is global. */
static leat__task_store_t *global_store(leat_ctx_t *ctx, const char *name)
{
    leat__task_t *t = ctx->task;
    const leat__store_spec_t *spec = name ? leat__plan_find_store(t->plan, name) : NULL;

    if (!spec || !spec->global)
        return NULL;
    for (size_t i = 0; i < t->store_count; i++)
        if (t->stores[i].spec == spec)
            return &t->stores[i];
    return t->globals ? leat__globals_seen(t, spec) : NULL;
}

/* NULL: the call failed. */
static leat__task_store_t *connected(leat_ctx_t *ctx, const char *name)
{
    leat__task_store_t *s = find(ctx, name);

    if (!s)
        s = global_store(ctx, name);
    if (s)
        return s;
    if (!name || !leat__plan_find_store(ctx->task->plan, name))
        leat__ctx_fail(
            ctx, LEAT_ECONNECT, "the topology has no store named '%s'", name ? name : "(null)");
    else
        leat__ctx_fail(ctx, LEAT_ECONNECT,
            "store '%s' is not connected to this processor: name it in"
            " its .stores, or call leat_builder_connect()",
            name);
    return NULL;
}

leat_kv_t *leat_kv(leat_ctx_t *ctx, const char *name)
{
    leat__task_store_t *s = connected(ctx, name);

    if (s && s->kv)
        return s->kv;
    if (s)
        leat__ctx_fail(ctx, LEAT_ETYPE, "store '%s' is not a key-value store", name);
    return leat__kv_nil(&ctx->owner);
}

leat_windows_t *leat_windows(leat_ctx_t *ctx, const char *name)
{
    leat__task_store_t *s = connected(ctx, name);

    if (s && s->windows)
        return s->windows;
    if (s)
        leat__ctx_fail(ctx, LEAT_ETYPE, "store '%s' is not a window store", name);
    return leat__windows_nil(&ctx->owner);
}

leat_sessions_t *leat_sessions(leat_ctx_t *ctx, const char *name)
{
    leat__task_store_t *s = connected(ctx, name);

    if (s && s->sessions)
        return s->sessions;
    if (s)
        leat__ctx_fail(ctx, LEAT_ETYPE, "store '%s' is not a session store", name);
    return leat__sessions_nil(&ctx->owner);
}

leat_versions_t *leat_versions(leat_ctx_t *ctx, const char *name)
{
    leat__task_store_t *s = connected(ctx, name);

    if (s && s->versions)
        return s->versions;
    if (s)
        leat__ctx_fail(ctx, LEAT_ETYPE, "store '%s' is not a versioned store", name);
    return leat__versions_nil(&ctx->owner);
}

static leat__task_store_t *custom_store(leat_ctx_t *ctx, const char *name)
{
    leat__task_store_t *s = connected(ctx, name);

    if (s && s->spec->kind != LEAT_CUSTOM) {
        leat__ctx_fail(ctx, LEAT_ETYPE, "store '%s' is not a custom store", name);
        return NULL;
    }
    return s;
}

void *leat_custom(leat_ctx_t *ctx, const char *name)
{
    leat__task_store_t *s = custom_store(ctx, name);

    return s ? leat__store_custom_self(s->store) : NULL;
}

void leat_custom_log(leat_ctx_t *ctx, const char *name, leat_slice_t key, leat_slice_t value)
{
    leat__task_store_t *s = custom_store(ctx, name);

    if (s && !key.data)
        leat__ctx_fail(ctx, LEAT_ENULL, "the key of a change of store '%s' is NULL", name);
    else if (s)
        leat__store_put(
            s->store, key, value.data ? &value : NULL, ctx->owner.time_ms, ctx->owner.headers);
}

leat__store_t *leat__store_of(leat_ctx_t *ctx, const char *name, const leat__store_spec_t **spec)
{
    leat__task_store_t *s = connected(ctx, name);

    if (s && spec)
        *spec = s->spec;
    return s ? s->store : NULL;
}

bool leat__is_cached(leat_ctx_t *ctx, const char *name)
{
    leat__task_store_t *s = connected(ctx, name);

    return s && s->cached;
}

/* ---- flush ---- */

/* The listener's key of a window: a leat_windowed_t, of which no bytes are known yet. */
static bool decode_windowed(
    leat__task_store_t *s, leat_slice_t bytes, leat__codec_env_t *env, leat__record_t *record)
{
    leat_windowed_t *windowed = leat__arena_alloc(&s->task->ctx.scratch, sizeof *windowed);
    int64_t size_ms = s->spec->opts.window_size_ms;
    leat_slice_t key = {NULL, 0};
    leat_error_t err;
    bool whole = s->spec->kind == LEAT_SESSIONS
                     ? leat__session_key_split(bytes, &key, &windowed->start_ms, &windowed->end_ms)
                     : leat__window_key_split(bytes, &key, &windowed->start_ms, NULL);

    if (whole && s->spec->kind != LEAT_SESSIONS)
        windowed->end_ms = windowed->start_ms > INT64_MAX - size_ms ? INT64_MAX
                                                                   : windowed->start_ms + size_ms;
    record->key_bytes = (leat_slice_t){NULL, 0};
    record->key_serde = NULL;
    record->pub.key = windowed;
    if (!whole || leat__decode(s->spec->key, key, env, &windowed->key, &err) != LEAT_OK) {
        leat__ctx_fail(&s->task->ctx, LEAT_ESERDE, "a key of store '%s' does not decode: %s",
            s->spec->name, whole ? err.text : "it is too short to hold a window");
        return false;
    }
    return true;
}

static bool decode_change(leat__task_store_t *s, const leat__change_view_t *change,
    leat__record_t *record, const void **old)
{
    leat_ctx_t *ctx = &s->task->ctx;
    leat__codec_env_t env = {&ctx->scratch, s->spec->changelog, true, change->headers};
    leat_error_t err;
    int rc;

    if (leat__store_has_retention(s->spec->kind))
        rc = decode_windowed(s, change->key, &env, record) ? LEAT_OK : LEAT_ESERDE;
    else
        rc = leat__decode(record->key_serde, change->key, &env, &record->pub.key, &err);
    if (ctx->failed)
        return false;
    env.is_key = false;
    if (rc == LEAT_OK && change->value)
        rc = leat__decode(s->spec->value, *change->value, &env, &record->pub.value, &err);
    if (rc == LEAT_OK && change->old_value)
        rc = leat__decode(s->spec->value, *change->old_value, &env, old, &err);
    if (rc != LEAT_OK)
        leat__ctx_fail(ctx, LEAT_ESERDE, "an entry of store '%s' does not decode: %s",
            s->spec->name, err.text);
    return rc == LEAT_OK;
}

static void on_flush(void *user, leat__store_t *store, const leat__change_view_t *change)
{
    leat__task_store_t *s = user;
    leat_ctx_t *ctx = &s->task->ctx;
    leat__mark_t mark = leat__arena_mark(&ctx->scratch);
    const void *old = NULL;
    leat__record_t record = {
        .pub = {.time_ms = change->time_ms, .headers = change->headers},
        .key_bytes = change->key,
        .key_serde = s->spec->key,
    };

    (void)store;
    if (!leat__going(ctx))
        return;
    if (change->value) {
        record.value_bytes = *change->value;
        record.value_serde = s->spec->value;
    }
    ctx->node = s->flush_node;
    ctx->call = NULL;
    ctx->record = &record;
    ctx->owner.time_ms = change->time_ms;
    ctx->owner.headers = change->headers;
    if (decode_change(s, change, &record, &old))
        s->flush(ctx, &record.pub, old);
    leat__ctx_give_up(ctx);
    if (ctx->owner.iterators)
        leat__owner_finish(&ctx->owner);
    leat__arena_rewind(&ctx->scratch, mark);
}

void leat__on_flush(leat_ctx_t *ctx, const char *store, leat__flush_fn fn, bool wants_old)
{
    leat__task_store_t *s = connected(ctx, store);

    if (!s)
        return;
    s->flush_node = ctx->node;
    s->flush = fn;
    leat__store_on_flush(s->store, on_flush, s, wants_old);
}

static void on_log(void *user, leat__store_t *store, leat_slice_t key, const leat_slice_t *value,
    int64_t time_ms, const leat_headers_t *headers)
{
    leat__task_store_t *s = user;
    leat__task_t *t = s->task;
    leat_error_t err;

    (void)store;
    if (t->ctx.failed)
        return;
    t->touched = true;
    if (t->env.log(t->env.user, t, s->index, key, value ? *value : (leat_slice_t){NULL, 0},
            s->spec->buffer ? -1 : time_ms,
            s->spec->keeps_headers ? headers : value ? s->log_headers : NULL, &err) == LEAT_OK)
        return;
    leat__error_clear(&t->ctx.failure);
    leat__ctx_fail_error(&t->ctx, &err);
    leat__ctx_give_up(&t->ctx);
}

/* A flush has no node of its own: the one that listens, if there is one. */
static void on_dropped(void *user, leat__store_t *store)
{
    leat__task_store_t *s = user;
    leat_ctx_t *ctx = &s->task->ctx;
    leat__live_t *node = ctx->node;

    (void)store;
    if (!ctx->node)
        ctx->node = s->flush_node;
    if (ctx->node)
        leat__drop(ctx, "the store no longer keeps what is as old");
    else
        s->task->counts.dropped++;
    ctx->node = node;
}

static int failure_of(leat__task_t *t, leat_error_t *err)
{
    if (err)
        *err = t->ctx.failure;
    return t->ctx.failure.code;
}

/* A store that could not be read has given wrong answers: nothing made of them may be committed. */
static void check_stores(leat__task_t *t)
{
    leat_error_t err;

    for (size_t i = 0; i < t->store_count && !t->ctx.failed; i++) {
        if (!leat__store_failed(t->stores[i].store, &err))
            continue;
        leat__error_clear(&t->ctx.failure);
        leat__ctx_fail_error(&t->ctx, &err);
        leat__ctx_give_up(&t->ctx);
    }
}

/*
 * Each store once, in topological order. What a processor behind a later store puts into an
 * earlier one (a shared store) is only logged in a second pass; the next commit forwards it. Going
 * on until nothing is left may never end (PROTOCOLS.md 22).
 */
int leat__task_flush(leat__task_t *t, leat_error_t *err)
{
    if (t->ctx.failed)
        return failure_of(t, err);
    t->raw = NULL;
    t->ctx.meta = NULL;
    for (size_t i = 0; i < t->store_count && !t->ctx.failed; i++)
        leat__store_flush(t->stores[i].store);
    for (size_t i = 0; i < t->store_count && !t->ctx.failed; i++)
        leat__store_flush_rest(t->stores[i].store);
    check_stores(t);
    t->ctx.node = NULL;
    t->ctx.record = &leat__no_record;
    leat__ctx_finish(&t->ctx);
    return t->ctx.failed ? failure_of(t, err) : LEAT_OK;
}

void leat__task_committed(leat__task_t *t, const int64_t *next)
{
    for (size_t i = 0; i < t->store_count; i++)
        leat__store_committed(t->stores[i].store, next ? next[i] : -1);
    leat__progress_committed(t);
    t->touched = false;
}

/* ---- opening ---- */

static const leat_backend_t *backend_of(const leat__task_t *t, const leat__store_spec_t *spec)
{
    const char *name;

    if (spec->opts.backend)
        return spec->opts.backend;
    name = t->env.config ? leat__config_text(t->env.config, "dsl.store.backend") : "";
    return strcmp(name, "memory") == 0 ? leat_backend_memory() : leat_backend_rocksdb();
}

void leat__task_store_handle(leat__task_store_t *s, leat__owner_t *owner)
{
    const leat__store_spec_t *spec = s->spec;

    if (leat__store_has_retention(spec->kind) && spec->kind != LEAT_SESSIONS)
        s->windows =
            leat__windows_new(s->store, spec->key, spec->value, spec->changelog, owner);
    else if (spec->kind == LEAT_SESSIONS)
        s->sessions =
            leat__sessions_new(s->store, spec->key, spec->value, spec->changelog, owner);
    else if (spec->kind == LEAT_VERSIONS)
        s->versions =
            leat__versions_new(s->store, spec->key, spec->value, spec->changelog, owner);
    else if (spec->kind != LEAT_CUSTOM)
        s->kv = leat__kv_new(s->store, spec->key, spec->value, spec->changelog, owner);
}

static int open_store(
    leat__task_t *t, const leat__task_opts_t *o, leat__task_store_t *s, leat_error_t *err)
{
    const leat__store_spec_t *spec = s->spec;
    bool cache = t->env.config && leat__config_int(t->env.config, "statestore.cache.max.bytes") > 0;
    leat__store_def_t def = {
        .name = spec->name,
        .kind = spec->kind,
        .backend = backend_of(t, spec),
        .custom = spec->custom,
        .cached = spec->cached && cache,
        .logged = spec->logged,
        .source_logged = spec->source_topic != NULL,
        .log_each = o->log_each && !spec->log_batched,
        .entries_max = spec->opts.entries_max,
        .by_time = spec->by_time,
        .opts = spec->opts,
        .clock_ms = &t->ctx.stream_time_ms,
        .hooks = {.log = spec->logged && !spec->source_topic ? on_log : NULL,
            .dropped = on_dropped,
            .user = s},
    };

    s->cached = def.cached;
    s->store = leat__store_open(o->state, &def, err);
    if (!s->store)
        return err->code != LEAT_OK ? err->code : LEAT_ESTORE;
    leat__task_store_handle(s, &t->ctx.owner);
    if (spec->log_version > 0) {
        leat_header_t version = {"v", {&spec->log_version, 1}};
        leat__mark_t mark = leat__arena_mark(&t->ctx.scratch);

        s->log_headers = leat__headers_clone(leat__headers_new(&t->ctx.scratch, &version, 1));
        leat__arena_rewind(&t->ctx.scratch, mark);
    }
    return LEAT_OK;
}

/* Across groups too: flushes go by this order. */
static int by_order(const void *a, const void *b)
{
    const leat__task_store_t *x = a, *y = b;

    return (x->spec->order > y->spec->order) - (x->spec->order < y->spec->order);
}

int leat__task_stores_open(leat__task_t *t, const leat__task_opts_t *o, leat_error_t *err)
{
    size_t count = 0, listed = 0;
    leat_error_t room;

    for (size_t g = 0; g < o->group_count; g++)
        count += o->groups[g]->store_count;
    t->stores = leat__must_alloc((count + 1) * sizeof *t->stores);
    for (size_t g = 0; g < o->group_count; g++)
        for (size_t i = 0; i < o->groups[g]->store_count; i++)
            t->stores[listed++].spec = o->groups[g]->stores[i];
    qsort(t->stores, count, sizeof *t->stores, by_order);
    for (size_t i = 0; i < count; i++) {
        leat__task_store_t *s = &t->stores[i];

        s->task = t;
        s->index = t->store_count++;
        if (open_store(t, o, s, err ? err : &room) != LEAT_OK)
            return err ? err->code : room.code;
    }
    if (o->state)
        leat__task_state_opened(o->state);
    return LEAT_OK;
}

void leat__task_store_release(leat__task_store_t *s)
{
    leat__kv_free(s->kv);
    leat__windows_free(s->windows);
    leat__sessions_free(s->sessions);
    leat__versions_free(s->versions);
    leat__free(s->log_headers);
}

void leat__task_stores_release(leat__task_t *t)
{
    for (size_t i = 0; i < t->store_count; i++)
        leat__task_store_release(&t->stores[i]);
    leat__globals_forget(t);
    leat__free(t->stores);
}

/* ---- for owners ---- */

size_t leat__task_store_count(const leat__task_t *t)
{
    return t->store_count;
}

const leat__store_spec_t *leat__task_store_spec(const leat__task_t *t, size_t i)
{
    return t->stores[i].spec;
}

leat__store_t *leat__task_store(const leat__task_t *t, size_t i)
{
    return t->stores[i].store;
}

