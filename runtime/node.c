/*
 * runtime/node.c: running nodes: a record goes to the children of a node depth first, each a plain
 * call on the C stack.
 *
 * What a function of the program may emit, and what that means, is said by the innermost
 * leat__call_t: processors of users get one that forwards; operators of the DSL run without one
 * (leat_emit* then forwards) until they push their own.
 *
 * The bytes of a key or value ride along as long as its pointer is the one of the current record,
 * so that a sink behind a filter sends the very bytes that came in.
 */
#include "task_inside.h"
#include "base/log.h"

#include <string.h>

const leat__record_t leat__no_record = {.pub = {.time_ms = -1}};

/* ---- forwarding ---- */

typedef struct place_t { /* where the ctx stood */
    leat__live_t *node;
    const leat__record_t *record;
    leat__call_t *call;
    int64_t time_ms;
    const leat_headers_t *headers;
} place_t;

static inline place_t enter(leat_ctx_t *ctx, const leat__record_t *record)
{
    place_t before = {ctx->node, ctx->record, ctx->call, ctx->owner.time_ms, ctx->owner.headers};

    ctx->record = record;
    ctx->owner.time_ms = record->pub.time_ms;
    ctx->owner.headers = record->pub.headers;
    return before;
}

static inline void leave(leat_ctx_t *ctx, const place_t *before)
{
    ctx->node = before->node;
    ctx->record = before->record;
    ctx->call = before->call;
    ctx->owner.time_ms = before->time_ms;
    ctx->owner.headers = before->headers;
}

static inline void ride_along(
    const leat__record_t *from, const leat_record_t *out, leat__record_t *record)
{
    record->pub = *out;
    record->key_serde = NULL;
    record->value_serde = NULL;
    if (out->key == from->pub.key) {
        record->key_bytes = from->key_bytes;
        record->key_serde = from->key_serde;
    }
    if (out->value == from->pub.value) {
        record->value_bytes = from->value_bytes;
        record->value_serde = from->value_serde;
    }
}

static inline void to_children(leat_ctx_t *ctx, leat__live_t *node, leat__record_t *record)
{
    ctx->task->counts.forwarded++;
    for (size_t i = 0; i < node->child_count; i++) {
        leat__live_t *child = node->children[i];

        ctx->node = child;
        child->records++;
        child->run(ctx, child, record);
        if (!leat__going(ctx))
            return;
    }
}

void leat__forward(leat_ctx_t *ctx, const leat_record_t *out)
{
    leat__record_t record;
    place_t before;

    if (!leat__going(ctx))
        return;
    ride_along(ctx->record, out, &record);
    before = enter(ctx, &record);
    to_children(ctx, before.node, &record);
    leave(ctx, &before);
}

void leat__forward_at(leat_ctx_t *ctx, const leat_record_t *out, size_t child)
{
    leat__record_t record;
    place_t before;

    if (!leat__going(ctx))
        return;
    if (child >= ctx->node->child_count) {
        leat__ctx_fail(ctx, LEAT_ECHILD, "there is no child number %zu: the node has %zu", child,
            ctx->node->child_count);
        return;
    }
    ride_along(ctx->record, out, &record);
    before = enter(ctx, &record);
    ctx->task->counts.forwarded++;
    ctx->node = before.node->children[child];
    ctx->node->records++;
    ctx->node->run(ctx, ctx->node, &record);
    leave(ctx, &before);
}

void leat__forward_to(leat_ctx_t *ctx, const leat_record_t *out, const char *child)
{
    const leat__live_t *node = ctx->node;

    if (!leat__going(ctx))
        return;
    for (size_t i = 0; child && i < node->child_count; i++) {
        if (strcmp(node->children[i]->node->name, child) == 0) {
            leat__forward_at(ctx, out, i);
            return;
        }
    }
    leat__ctx_fail(ctx, LEAT_ECHILD,
        "no child is named '%s': it does not exist, or it is not connected"
        " to this processor (name it as a parent of that node)",
        child ? child : "(null)");
}

/* ---- running ---- */

static void emit_forwards(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    (void)call;
    if (how == LEAT__EMIT_TO)
        leat__forward_to(ctx, out, child);
    else
        leat__forward(ctx, out);
}

static void emit_nothing(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    (void)ctx, (void)call, (void)how, (void)out, (void)child;
}

enum {
    FORWARDS =
        LEAT__EMIT_BOTH | LEAT__EMIT_VALUE | LEAT__EMIT_KEY | LEAT__EMIT_RECORD | LEAT__EMIT_TO
};

static inline void call_that_forwards(
    leat__call_t *call, leat__live_t *live, const leat_record_t *in)
{
    call->up = NULL;
    call->user = live->node->user;
    call->in = in;
    call->emit = emit_forwards;
    call->allowed = FORWARDS;
    call->count = 0;
    call->count_max = 0;
}

void leat__run_processor(leat_ctx_t *ctx, leat__live_t *live, leat__record_t *record)
{
    leat__call_t call;

    if (live->node->operator_) {
        ctx->call = NULL;
    } else {
        call_that_forwards(&call, live, &record->pub);
        ctx->call = &call;
    }
    live->node->process(ctx, &record->pub);
    if (!leat__going(ctx) && !ctx->failed)
        leat__judge(ctx, LEAT_STAGE_PROCESS);
}

void leat__run_source(leat_ctx_t *ctx, leat__live_t *live, leat__record_t *record)
{
    place_t before;

    ctx->node = live;
    live->records++;
    before = enter(ctx, record);
    ctx->call = NULL;
    to_children(ctx, live, record);
    leave(ctx, &before);
}

void leat__run_tick(leat_ctx_t *ctx, leat__live_t *live, leat_map_fn fn, leat__record_t *tick)
{
    leat__call_t call;
    place_t before = enter(ctx, tick);

    call_that_forwards(&call, live, &tick->pub);
    ctx->node = live;
    ctx->call = &call;
    fn(ctx, &tick->pub);
    if (!leat__going(ctx) && !ctx->failed)
        leat__judge(ctx, LEAT_STAGE_PUNCTUATE);
    leave(ctx, &before);
}

void leat__run_task_fn(leat_ctx_t *ctx, leat__live_t *live, leat_task_fn fn, bool closing)
{
    leat__call_t call = {.user = live->node->user,
        .in = &leat__no_record.pub,
        .emit = emit_nothing,
        .allowed = closing ? ~0U : 0};
    place_t before = enter(ctx, &leat__no_record);

    ctx->node = live;
    ctx->call = &call;
    fn(ctx);
    leave(ctx, &before);
}

/* ---- calling functions of the program ---- */

bool leat__ok(const leat_ctx_t *ctx)
{
    return leat__going(ctx);
}

void leat__call_map(leat_ctx_t *ctx, leat__call_t *call, leat_map_fn fn, const leat_record_t *in)
{
    if (!leat__going(ctx))
        return;
    call->up = ctx->call;
    if (!call->in)
        call->in = in;
    ctx->call = call;
    fn(ctx, in);
    ctx->call = call->up;
}

void leat__call_combine(
    leat_ctx_t *ctx, leat__call_t *call, leat_combine_fn fn, const void *a, const void *b)
{
    if (!leat__going(ctx))
        return;
    call->up = ctx->call;
    if (!call->in)
        call->in = &ctx->record->pub;
    ctx->call = call;
    fn(ctx, a, b);
    ctx->call = call->up;
}

bool leat__call_predicate(
    leat_ctx_t *ctx, void *user, leat_predicate_fn fn, const leat_record_t *in)
{
    leat__call_t call = {.up = ctx->call, .user = user, .in = in};
    bool yes;

    if (!leat__going(ctx))
        return false;
    ctx->call = &call;
    yes = fn(ctx, in);
    ctx->call = call.up;
    return yes && leat__going(ctx);
}

void leat__call_check_one(leat_ctx_t *ctx, const leat__call_t *call)
{
    if (leat__going(ctx) && call->count != 1)
        leat__ctx_fail(ctx, LEAT_ETYPE,
            "the function of this operator emitted %u times: it must"
            " emit exactly once",
            call->count);
}

const void *leat__operator(const leat_ctx_t *ctx)
{
    return ctx->node->node->operator_;
}

/* ---- emitting ---- */

static const char *how_text(leat__emit_t how)
{
    switch (how) {
    case LEAT__EMIT_BOTH:
        return "leat_emit";
    case LEAT__EMIT_VALUE:
        return "leat_emit_value";
    case LEAT__EMIT_KEY:
        return "leat_emit_key";
    case LEAT__EMIT_RECORD:
        return "leat_emit_record";
    case LEAT__EMIT_TO:
        return "leat_emit_to";
    case LEAT__EMIT_TOPIC:
        return "leat_emit_topic";
    case LEAT__EMIT_PARTITION:
        return "leat_emit_partition";
    }
    return "leat_emit";
}

/* True: this emission may be; it is counted. */
static inline bool may_emit(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how)
{
    if (!leat__going(ctx))
        return false;
    if (!(call->allowed & how)) {
        leat__ctx_fail(ctx, LEAT_ETYPE, "%s() is not allowed in this function", how_text(how));
        return false;
    }
    if (call->count_max && call->count >= call->count_max) {
        leat__ctx_fail(ctx, LEAT_ETYPE, "the function of this operator emitted more than %u time%s",
            call->count_max, call->count_max == 1 ? "" : "s");
        return false;
    }
    call->count++;
    return true;
}

static inline void emit(
    leat_ctx_t *ctx, leat__emit_t how, const leat_record_t *out, const char *child)
{
    leat__call_t *call = ctx->call;

    if (!call)
        emit_forwards(ctx, NULL, how, out, child);
    else if (may_emit(ctx, call, how))
        call->emit(ctx, call, how, out, child);
}

static inline const leat_record_t *riding(const leat_ctx_t *ctx)
{
    return ctx->call && ctx->call->in ? ctx->call->in : &ctx->record->pub;
}

void leat_emit(leat_ctx_t *ctx, const void *key, const void *value)
{
    const leat_record_t *in = riding(ctx);

    emit(ctx, LEAT__EMIT_BOTH, &(leat_record_t){key, value, in->time_ms, in->headers}, NULL);
}

void leat_emit_value(leat_ctx_t *ctx, const void *value)
{
    const leat_record_t *in = riding(ctx);

    emit(ctx, LEAT__EMIT_VALUE, &(leat_record_t){in->key, value, in->time_ms, in->headers}, NULL);
}

void leat_emit_key(leat_ctx_t *ctx, const void *key)
{
    const leat_record_t *in = riding(ctx);

    emit(ctx, LEAT__EMIT_KEY, &(leat_record_t){key, in->value, in->time_ms, in->headers}, NULL);
}

static bool legal(leat_ctx_t *ctx, const leat_record_t *out)
{
    if (!out) {
        leat__ctx_fail(ctx, LEAT_ENULL, "the record to emit is NULL");
        return false;
    }
    if (out->time_ms >= 0)
        return true;
    leat__ctx_fail(ctx, LEAT_EARGUMENT,
        "a record was emitted with the negative time %lld: a record's"
        " time must be 0 or later",
        (long long)out->time_ms);
    return false;
}

void leat_emit_record(leat_ctx_t *ctx, const leat_record_t *out)
{
    if (leat__going(ctx) && legal(ctx, out))
        emit(ctx, LEAT__EMIT_RECORD, out, NULL);
}

void leat_emit_to(leat_ctx_t *ctx, const char *child, const leat_record_t *out)
{
    if (leat__going(ctx) && legal(ctx, out))
        emit(ctx, LEAT__EMIT_TO, out, child);
}

/* These two answer a question of a sink, so only a call that asks it allows them. */
static leat__call_t *asked(leat_ctx_t *ctx, leat__emit_t how)
{
    static leat__call_t nobody;

    return may_emit(ctx, ctx->call ? ctx->call : &nobody, how) ? ctx->call : NULL;
}

void leat_emit_topic(leat_ctx_t *ctx, const leat_slice_t *topic)
{
    leat__call_t *call = asked(ctx, LEAT__EMIT_TOPIC);

    if (!call)
        return;
    if (!topic || topic->size == 0) {
        leat__ctx_fail(
            ctx, LEAT_EARGUMENT, "the topic chosen for a record is %s", topic ? "empty" : "NULL");
        return;
    }
    call->topic.data = leat__arena_copy(&ctx->scratch, topic->data, topic->size);
    call->topic.size = topic->size;
}

void leat_emit_partition(leat_ctx_t *ctx, int32_t partition)
{
    leat__call_t *call = asked(ctx, LEAT__EMIT_PARTITION);
    size_t size;

    if (!call)
        return;
    if (partition < LEAT_PARTITION_BY_KEY || partition >= call->partition_total) {
        leat__ctx_fail(ctx, LEAT_EARGUMENT,
            "the partition chosen for a record is %d: the topic has 0"
            " to %d",
            (int)partition, (int)call->partition_total - 1);
        return;
    }
    size = call->partition_count * sizeof *call->partitions;
    call->partitions =
        leat__arena_grow(&ctx->scratch, call->partitions, size, size + sizeof *call->partitions);
    call->partitions[call->partition_count++] = partition;
}
