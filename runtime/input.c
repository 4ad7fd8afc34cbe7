/*
 * runtime/input.c: from batches to the next record of a task.
 *
 *   feed ─▶ ring of batches ─▶ head: decoded, with its time ─▶ heap of inputs by that time
 *
 * As Kafka's RecordQueue: a record is decoded when it becomes the head, then its time is asked
 * for; what does not decode or has no time never is a head. An input enters the heap when it gets
 * a head, is taken out with its record and enters again afterwards; the order of entering decides
 * between equal times (conformance/FORMAT.md 7.3), so inputs that wait for their head keep the
 * order of arrival in task->pending.
 *
 * Bytes belong to the batch, which is released when its last record is finished; what decoding
 * made belongs to the arena of the input, reset with each head.
 */
#include "task_inside.h"
#include "base/config.h"
#include "base/log.h"

#include <string.h>

/* ---- the ring ---- */

static inline leat__queued_t *batch_at(const leat__input_t *in, size_t index)
{
    return &in->batches[(in->first + index) & (in->room - 1)];
}

static void ring_grow(leat__input_t *in)
{
    size_t room = in->room ? in->room * 2 : 4;
    leat__queued_t *batches = leat__must_alloc(room * sizeof *batches);

    for (size_t i = 0; i < in->count; i++)
        batches[i] = *batch_at(in, i);
    leat__free(in->batches);
    in->batches = batches;
    in->first = 0;
    in->room = room;
}

static void move_to(leat__task_t *t, leat__input_t *in, int64_t position)
{
    if (position <= in->position)
        return;
    in->position = position;
    t->touched = true;
}

static void release_batch(leat__task_t *t, leat__input_t *in, leat__batch_t *batch)
{
    if (t->env.release)
        t->env.release(t->env.user, in->index, batch);
}

/* The first batch, if all of its records are done. */
static void drop_finished(leat__task_t *t, leat__input_t *in)
{
    while (in->count) {
        leat__queued_t *q = batch_at(in, 0);

        if (q->at < q->batch.count)
            return;
        in->bytes -= q->batch.bytes;
        move_to(t, in, q->batch.next);
        in->first = (in->first + 1) & (in->room - 1);
        in->count--;
        release_batch(t, in, &q->batch);
    }
}

static void set_pending(leat__task_t *t, leat__input_t *in)
{
    if (in->pending || in->has_head)
        return;
    in->pending = true;
    t->pending[t->pending_count++] = in;
}

void leat__task_feed_as(leat__task_t *t, int input, leat__batch_t batch, const char *topic)
{
    leat__input_t *in = &t->inputs[input];
    leat__queued_t *q;

    if (in->count == in->room)
        ring_grow(in);
    q = batch_at(in, in->count++);
    *q = (leat__queued_t){batch, 0, topic ? topic : in->topic};
    while (q->at < batch.count && batch.records[q->at].offset < in->position)
        q->at++;
    in->records += batch.count - q->at;
    in->bytes += batch.bytes;
    in->at_end = batch.at_end;
    if (in->records)
        set_pending(t, in);
    else
        drop_finished(t, in);
}

void leat__task_feed(leat__task_t *t, int input, leat__batch_t batch)
{
    leat__task_feed_as(t, input, batch, NULL);
}

size_t leat__task_queued(const leat__task_t *t, int input)
{
    return t->inputs[input].records;
}

size_t leat__task_queued_bytes(const leat__task_t *t, int input)
{
    return t->inputs[input].bytes;
}

void leat__task_set_at_end(leat__task_t *t, int input, bool at_end)
{
    t->inputs[input].at_end = at_end;
}

/* ---- the head ---- */

/* One record of the first batch is done. */
static void step_over(leat__task_t *t, leat__input_t *in)
{
    leat__queued_t *q = batch_at(in, 0);

    move_to(t, in, q->batch.records[q->at].offset + 1);
    q->at++;
    in->records--;
    in->has_head = false;
    in->raw = NULL;
    leat__arena_reset(&in->arena);
    if (q->at == q->batch.count)
        drop_finished(t, in);
}

/* A part of the head. Strings and bytes are their own slices in the batch. */
static bool decode_part(
    leat_ctx_t *ctx, leat__input_t *in, bool is_key, const leat_slice_t *bytes, const void **part)
{
    const leat_serde_t *serde = is_key ? in->source->node->key : in->source->node->value;
    leat__codec_env_t env = {&in->arena, in->meta.topic, is_key, in->head.pub.headers};
    leat_error_t err;

    *part = bytes->data ? bytes : NULL;
    if (!bytes->data || !(is_key ? in->source->decode_key : in->source->decode_value))
        return true;
    if (leat__decode(serde, *bytes, &env, part, &err) == LEAT_OK)
        return true;
    leat__ctx_fail(ctx, LEAT_ESERDE, "the %s of a record of topic %s does not decode: %s",
        is_key ? "key" : "value", in->meta.topic, err.text);
    return false;
}

static bool decode_head(leat__task_t *t, leat__input_t *in)
{
    const leat__node_t *node = in->source->node;
    leat__record_t *head = &in->head;

    head->pub.time_ms = in->raw->time_ms;
    head->pub.headers =
        t->env.headers ? t->env.headers(t->env.user, in->index, in->raw, &in->arena) : NULL;
    head->key_bytes = in->raw->key;
    head->value_bytes = in->raw->value;
    head->key_serde = in->raw->key.data ? node->key : NULL;
    head->value_serde = in->raw->value.data ? node->value : NULL;
    if (decode_part(&t->ctx, in, true, &in->raw->key, &head->pub.key) &&
        decode_part(&t->ctx, in, false, &in->raw->value, &head->pub.value))
        return true;
    leat__judge(&t->ctx, LEAT_STAGE_DECODE);
    return false;
}

/* False: dropped, or the task fails. An extractor's failure is final, as in Kafka Streams. */
static bool choose_time(leat__task_t *t, leat__input_t *in)
{
    const leat__node_t *node = in->source->node;
    leat_ctx_t *ctx = &t->ctx;
    leat__call_t call = {.user = node->user, .in = &in->head.pub};
    int64_t time_ms;

    if (node->timestamp == leat_timestamp_record && in->head.pub.time_ms >= 0)
        return true;
    ctx->call = &call;
    ctx->partition_time_ms = in->partition_time_ms;
    time_ms = node->timestamp(ctx, &in->head.pub);
    ctx->call = NULL;
    leat__ctx_give_up(ctx);
    if (ctx->failed)
        return false;
    if (time_ms < 0)
        leat__drop(ctx, "its time is negative");
    in->head.pub.time_ms = time_ms;
    return time_ms >= 0;
}

static bool find_head(leat__task_t *t, leat__input_t *in)
{
    leat_ctx_t *ctx = &t->ctx;

    while (in->records) {
        leat__queued_t *q = batch_at(in, 0);

        if (q->at == q->batch.count) {
            drop_finished(t, in);
            continue;
        }
        in->raw = &q->batch.records[q->at];
        in->meta = (leat_meta_t){q->topic, t->partition, in->raw->offset};
        t->raw = in->raw;
        ctx->node = in->source;
        ctx->record = &in->head;
        ctx->meta = &in->meta;
        in->has_head = decode_head(t, in) && choose_time(t, in);
        in->idle_until_ms = -1;
        if (in->has_head || ctx->failed)
            return in->has_head;
        step_over(t, in);
        leat__ctx_finish(ctx);
    }
    drop_finished(t, in);
    return false;
}

void leat__inputs_find_heads(leat__task_t *t)
{
    size_t done = 0;

    for (; done < t->pending_count && !t->ctx.failed; done++) {
        leat__input_t *in = t->pending[done];

        in->pending = false;
        if (find_head(t, in))
            leat__heap_push(&t->ready, in->head.pub.time_ms, in);
    }
    t->pending_count -= done;
    memmove(t->pending, t->pending + done, t->pending_count * sizeof *t->pending);
    t->raw = NULL;
    t->ctx.node = NULL;
    t->ctx.record = &leat__no_record;
    t->ctx.meta = NULL;
}

void leat__input_next(leat__task_t *t, leat__input_t *in)
{
    step_over(t, in);
    if (in->records)
        set_pending(t, in);
    else
        drop_finished(t, in);
}

/* ---- waiting for inputs without a record: max.task.idle.ms (KIP-695) ---- */

/* 1: no need to wait for it. 0: waited long enough. -1: wait. */
static int patience(const leat__task_t *t, leat__input_t *in)
{
    if (in->has_head || in->absent) {
        in->idle_until_ms = -1;
        return 1;
    }
    if (!in->at_end) {
        in->idle_until_ms = -1;
        return -1;
    }
    if (in->idle_until_ms < 0)
        in->idle_until_ms = t->ctx.wall_ms + t->idle_ms;
    return t->ctx.wall_ms < in->idle_until_ms ? -1 : 0;
}

bool leat__inputs_ready(leat__task_t *t)
{
    bool forced = false;

    if (t->ready.count == 0)
        return false;
    if (t->idle_ms < 0 || t->ready.count == t->present_count)
        return true;
    for (size_t i = 0; i < t->input_count; i++) {
        int one = patience(t, &t->inputs[i]);

        if (one < 0)
            return false;
        forced = forced || one == 0;
    }
    t->counts.forced += forced;
    return true;
}

/* ---- positions ---- */

static void drop_queue(leat__task_t *t, leat__input_t *in)
{
    while (in->count) {
        leat__queued_t *q = batch_at(in, 0);

        in->first = (in->first + 1) & (in->room - 1);
        in->count--;
        release_batch(t, in, &q->batch);
    }
    if (in->has_head)
        leat__heap_remove(&t->ready, in);
    for (size_t i = 0; i < t->pending_count && in->pending; i++)
        if (t->pending[i] == in) {
            memmove(
                &t->pending[i], &t->pending[i + 1], (--t->pending_count - i) * sizeof *t->pending);
            in->pending = false;
        }
    in->records = in->bytes = 0;
    in->has_head = in->pending = in->at_end = false;
    in->raw = NULL;
    in->idle_until_ms = -1;
    leat__arena_reset(&in->arena);
}

void leat__inputs_drop(leat__task_t *t)
{
    for (size_t i = 0; i < t->input_count; i++)
        drop_queue(t, &t->inputs[i]);
}

void leat__task_set_position(leat__task_t *t, int input, int64_t offset, int64_t partition_time_ms)
{
    leat__input_t *in = &t->inputs[input];

    drop_queue(t, in);
    in->position = offset;
    in->partition_time_ms = partition_time_ms;
    if (partition_time_ms > t->ctx.stream_time_ms)
        t->ctx.stream_time_ms = partition_time_ms;
}

int64_t leat__task_position(const leat__task_t *t, int input)
{
    return t->inputs[input].position;
}

int64_t leat__task_partition_time(const leat__task_t *t, int input)
{
    return t->inputs[input].partition_time_ms;
}

/* ---- making ---- */

static bool is_plain_time(leat_timestamp_fn fn)
{
    return fn == leat_timestamp_record || fn == leat_timestamp_skip_invalid ||
           fn == leat_timestamp_partition || fn == leat_timestamp_wall;
}

/*
 * A serde of the program need not run if nothing downstream looks at the part: only sinks that
 * write the same bytes. The numbers are always decoded, so that a wrong size is found here.
 */
static bool must_decode(const leat__live_t *source, bool is_key)
{
    const leat_serde_t *serde = is_key ? source->node->key : source->node->value;

    if (serde == leat_serde_string() || serde == leat_serde_bytes())
        return false;
    if (serde == leat_serde_int32() || serde == leat_serde_int64() || serde == leat_serde_float() ||
        serde == leat_serde_double() || !is_plain_time(source->node->timestamp))
        return true;
    for (size_t i = 0; i < source->child_count; i++) {
        const leat__node_t *child = source->children[i]->node;

        if (child->kind != LEAT__SINK || child->choose_topic || child->partition ||
            serde != (is_key ? child->key : child->value))
            return true;
    }
    return false;
}

static void input_init(leat__task_t *t, leat__live_t *source, const char *topic, bool absent)
{
    leat__input_t *in = &t->inputs[t->input_count];

    source->decode_key = must_decode(source, true);
    source->decode_value = must_decode(source, false);
    in->source = source;
    in->topic = topic;
    in->absent = absent;
    t->present_count += !absent;
    in->index = (int)t->input_count++;
    in->partition_time_ms = -1;
    in->idle_until_ms = -1;
    leat__arena_init(&in->arena);
}

static leat__live_t *live_of(leat__task_t *t, const leat__node_t *node)
{
    for (size_t i = 0; i < t->node_count; i++)
        if (t->nodes[i].node == node)
            return &t->nodes[i];
    return NULL;
}

int leat__inputs_new(leat__task_t *t, const leat__task_opts_t *o, leat_error_t *err)
{
    size_t most = 0;

    for (size_t g = 0; g < o->group_count; g++)
        most += o->groups[g]->topic_count + o->groups[g]->node_count;
    t->inputs = leat__must_alloc((most + 1) * sizeof *t->inputs);
    t->pending = leat__must_alloc((most + 1) * sizeof *t->pending);
    for (size_t g = 0; g < o->group_count; g++) {
        const leat__group_t *group = o->groups[g];

        for (size_t i = 0; i < group->topic_count; i++) {
            leat__live_t *source = live_of(t, group->sources[i]);

            if (!source || !source->node->timestamp)
                return leat__error(err, LEAT_ETOPOLOGY, LEAT_FATAL, group->topics[i],
                    "no source node of sub-topology %d reads this topic", group->id);
            if (!(o->pattern_inputs && source->node->pattern))
                input_init(t, source, group->topics[i],
                    group->partition_counts && group->partition_counts[i] <= o->partition);
        }
        for (size_t i = 0; o->pattern_inputs && i < group->node_count; i++)
            if (group->nodes[i]->pattern)
                input_init(t, live_of(t, group->nodes[i]), group->nodes[i]->pattern, false);
    }
    t->idle_ms = o->env->config ? leat__config_int(o->env->config, "max.task.idle.ms") : 0;
    return LEAT_OK;
}

void leat__inputs_release(leat__task_t *t)
{
    leat__inputs_drop(t);
    for (size_t i = 0; i < t->input_count; i++) {
        leat__arena_release(&t->inputs[i].arena);
        leat__free(t->inputs[i].batches);
    }
    leat__free(t->inputs);
    leat__free(t->pending);
    leat__heap_release(&t->ready);
}
