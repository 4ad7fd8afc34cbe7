/*
 * runtime/ctx.c: what leat/ctx.h offers besides emitting, failing, stores and timers: memory,
 * place and time, metrics.
 */
#include "task_inside.h"
#include "base/config.h"
#include "base/log.h"

#include <leat/json.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- memory ---- */

void *leat_scratch(leat_ctx_t *ctx, size_t size)
{
    return leat__arena_zalloc(&ctx->scratch, size);
}

static const leat_slice_t *slice_in(leat_ctx_t *ctx, const char *data, size_t size)
{
    leat_slice_t *s = leat__arena_alloc(&ctx->scratch, sizeof *s);

    *s = (leat_slice_t){data, size};
    return s;
}

const leat_slice_t *leat_text(leat_ctx_t *ctx, const char *format, ...)
{
    enum { FIRST = 128 };
    char *room = leat__arena_alloc(&ctx->scratch, FIRST);
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(room, FIRST, format, args);
    va_end(args);
    if (size < 0) {
        leat__ctx_fail(
            ctx, LEAT_EARGUMENT, "leat_text(): the format '%s' cannot be printed", format);
        size = 0;
    }
    if (size >= FIRST) {
        room = leat__arena_alloc(&ctx->scratch, (size_t)size + 1);
        va_start(args, format);
        vsnprintf(room, (size_t)size + 1, format, args);
        va_end(args);
    }
    return slice_in(ctx, room, (size_t)size);
}

const leat_slice_t *leat_lower(leat_ctx_t *ctx, const leat_slice_t *s)
{
    char *room;

    if (!s)
        return NULL;
    room = leat__arena_alloc(&ctx->scratch, s->size + 1);
    for (size_t i = 0; i < s->size; i++)
        room[i] =
            (char)(s->data[i] >= 'A' && s->data[i] <= 'Z' ? s->data[i] + ('a' - 'A') : s->data[i]);
    room[s->size] = '\0';
    return slice_in(ctx, room, s->size);
}

const char *leat_cstr(leat_ctx_t *ctx, const leat_slice_t *s)
{
    return s ? leat__arena_copy(&ctx->scratch, s->data, s->size) : NULL;
}

const leat_headers_t *leat_headers_with(
    leat_ctx_t *ctx, const leat_headers_t *headers, const char *name, const leat_slice_t *value)
{
    return leat__headers_with(&ctx->scratch, headers, name, value);
}

const leat_headers_t *leat_headers_without(
    leat_ctx_t *ctx, const leat_headers_t *headers, const char *name)
{
    return leat__headers_without(&ctx->scratch, headers, name);
}

struct json_t *leat_json(leat_ctx_t *ctx, struct json_t *value)
{
    if (value)
        leat__arena_on_reset(&ctx->scratch, leat_serde_json()->release, value);
    return value;
}

struct json_t *leat_json_copy(leat_ctx_t *ctx, const struct json_t *value)
{
    struct json_t *copy = value ? leat__json_copy(value) : NULL;

    if (value && !copy)
        leat__ctx_fail(ctx, LEAT_ENOMEM, "no memory for the copy of a JSON value");
    return leat_json(ctx, copy);
}

/* ---- yours ---- */

void *leat_user(leat_ctx_t *ctx)
{
    return ctx->call ? ctx->call->user : ctx->node->node->user;
}

void *leat_local(leat_ctx_t *ctx)
{
    return ctx->node->local;
}

/* ---- where and when ---- */

static const leat_record_t *current(const leat_ctx_t *ctx)
{
    return ctx->call && ctx->call->in ? ctx->call->in : &ctx->record->pub;
}

const void *leat_key(const leat_ctx_t *ctx)
{
    return current(ctx)->key;
}

int64_t leat_time_ms(const leat_ctx_t *ctx)
{
    return current(ctx)->time_ms;
}

const leat_headers_t *leat_headers(const leat_ctx_t *ctx)
{
    return current(ctx)->headers;
}

const leat_meta_t *leat_meta(const leat_ctx_t *ctx)
{
    return ctx->meta;
}

const leat_meta_t *leat__record_meta(const leat_ctx_t *ctx)
{
    bool flushing = !ctx->meta && !ctx->timer && ctx->last_meta.topic;

    return flushing ? &ctx->last_meta : ctx->meta;
}

int64_t leat_stream_time_ms(const leat_ctx_t *ctx)
{
    return ctx->stream_time_ms;
}

int64_t leat_partition_time_ms(const leat_ctx_t *ctx)
{
    return ctx->partition_time_ms;
}

int64_t leat_wall_ms(const leat_ctx_t *ctx)
{
    return ctx->wall_ms;
}

int32_t leat_partition_count(const leat_ctx_t *ctx)
{
    return ctx->call ? ctx->call->partition_total : 0;
}

const char *leat_task_id(const leat_ctx_t *ctx)
{
    return ctx->task->id;
}

const char *leat_node(const leat_ctx_t *ctx)
{
    return ctx->node->node->name;
}

const char *leat_setting(const leat_ctx_t *ctx, const char *property)
{
    const leat_config_t *config = ctx->task->env.config;
    const char *text = config ? leat_config_get(config, property) : NULL;

    return text && (text[0] || leat__config_is_set(config, property)) ? text : NULL;
}

const char *leat_state_dir(const leat_ctx_t *ctx)
{
    return ctx->task->state_dir;
}

/* ---- time functions ---- */

static int64_t no_time(leat_ctx_t *ctx, const leat_record_t *in, const char *why)
{
    leat__ctx_fail(ctx, LEAT_ETIME,
        "the record's time is %lld%s: give the source another time function"
        " (leat_timestamp_skip_invalid drops such records), or repair the producer",
        (long long)in->time_ms, why);
    return -1;
}

int64_t leat_timestamp_record(leat_ctx_t *ctx, const leat_record_t *in)
{
    return in->time_ms >= 0 ? in->time_ms : no_time(ctx, in, "");
}

int64_t leat_timestamp_skip_invalid(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)ctx;
    return in->time_ms;
}

int64_t leat_timestamp_partition(leat_ctx_t *ctx, const leat_record_t *in)
{
    if (in->time_ms >= 0)
        return in->time_ms;
    if (ctx->partition_time_ms >= 0)
        return ctx->partition_time_ms;
    return no_time(ctx, in, ", and no earlier record gave the partition a time");
}

int64_t leat_timestamp_wall(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)in;
    return ctx->wall_ms;
}

/* ---- doing ---- */

void leat_commit(leat_ctx_t *ctx)
{
    leat__task_t *t = ctx->task;

    if (t->env.commit_wanted)
        t->env.commit_wanted(t->env.user);
}

leat_metric_t *leat_metric(leat_ctx_t *ctx, const char *name)
{
    leat__task_t *t = ctx->task;
    const char *node = ctx->node->node->name;
    leat_metric_t *m = t->metrics;

    while (m && (m->node != node || strcmp(m->name, name) != 0))
        m = m->next;
    if (m)
        return m;
    m = leat__must_alloc(sizeof *m);
    m->name = leat__must_strdup(name);
    m->node = node;
    m->next = t->metrics;
    t->metrics = m;
    return m;
}

/* Only the task's thread writes; others may read while it does. */
void leat_metric_add(leat_metric_t *m, int64_t n)
{
    int64_t before = __atomic_load_n((int64_t *)&m->value, __ATOMIC_RELAXED);

    __atomic_store_n((int64_t *)&m->value, before + n, __ATOMIC_RELAXED);
}

void leat_metric_set(leat_metric_t *m, int64_t n)
{
    __atomic_store_n((int64_t *)&m->value, n, __ATOMIC_RELAXED);
}

void leat_log(leat_ctx_t *ctx, leat_level_t level, const char *format, ...)
{
    char text[512], fields[160];
    va_list args;

    if (!leat__log_on(level))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(fields, sizeof fields, "task=%s node=%s", ctx->task->id, ctx->node->node->name);
    leat__log(level, "program", fields, "%s", text);
}

/* ---- for operators ---- */

int32_t leat__partition(const leat_ctx_t *ctx)
{
    return ctx->task->partition;
}

leat__live_t *leat__node_with(const leat_ctx_t *ctx, const void *operator_)
{
    const leat__task_t *t = ctx->task;

    for (size_t i = 0; i < t->node_count; i++) {
        if (t->nodes[i].node->operator_ == operator_)
            return &t->nodes[i];
    }
    return ctx->node;
}

bool leat__key_bytes(
    leat_ctx_t *ctx, const leat_record_t *in, const leat_serde_t *s, leat_slice_t *bytes)
{
    const leat__record_t *record = ctx->record;
    leat_error_t err;

    if (in->key == record->pub.key && record->key_serde == s && s) {
        *bytes = record->key_bytes;
        return true;
    }
    if (!in->key) {
        leat__ctx_fail(ctx, LEAT_ENULL, "the key is NULL");
        return false;
    }
    if (leat__encode(s, in->key, &(leat__codec_env_t){&ctx->scratch, NULL, true, in->headers},
            bytes, &err) == LEAT_OK)
        return true;
    leat__ctx_fail(ctx, LEAT_ESERDE, "the key does not encode: %s", err.text);
    return false;
}
