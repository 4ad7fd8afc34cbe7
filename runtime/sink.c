/*
 * runtime/sink.c: a record leaves the task: topic, bytes, partition.
 *
 * Bytes that rode along are sent as they are. Partition: the program's partitioner, else murmur2
 * of the key's bytes as Kafka's clients do (of the inner key where a windowed key goes to a topic
 * of the program), else the writer's choice.
 */
#include "task_inside.h"
#include "base/log.h"
#include "base/map.h"

#include <string.h>

/* Bytes of a part; .data NULL for null. False: failed or dropped. */
static bool part_bytes(leat_ctx_t *ctx, const leat__live_t *live, bool is_key,
    leat__record_t *record, const char *topic, leat_slice_t *bytes)
{
    const void *part = is_key ? record->pub.key : record->pub.value;
    const leat_serde_t *serde = is_key ? live->node->key : live->node->value;
    leat_error_t err;

    if (!part) {
        *bytes = (leat_slice_t){NULL, 0};
        return true;
    }
    if (is_key && record->key_serde == serde) {
        *bytes = record->key_bytes;
        return true;
    }
    if (!is_key && record->value_serde == serde) {
        *bytes = record->value_bytes;
        return true;
    }
    if (leat__encode(serde, part,
            &(leat__codec_env_t){&ctx->scratch, topic, is_key, record->pub.headers}, bytes,
            &err) == LEAT_OK)
        return true;
    leat__ctx_fail(ctx, LEAT_ESERDE, "the %s does not encode for topic %s: %s",
        is_key ? "key" : "value", topic, err.text);
    leat__judge(ctx, LEAT_STAGE_ENCODE);
    return false;
}

static int32_t partition_by_key(const leat__node_t *node, leat_slice_t key, int32_t partitions)
{
    if (!key.data)
        return -1;
    if (!node->internal && leat__serde_inner(node->key)) {
        size_t suffix = leat__serde_is_session(node->key) ? 16 : 8;

        if (key.size >= suffix)
            key.size -= suffix;
    }
    return leat__partition_of(key, partitions);
}

static bool patient(const leat_ctx_t *ctx, int64_t since_ms)
{
    return leat__clock_steady_ms(ctx->task->env.clock) - since_ms < ctx->task->patience_ms;
}

/* A record that was not taken. True: try again. */
static bool send_again(leat_ctx_t *ctx, const leat_error_t *err, int64_t *since_ms)
{
    leat_verdict_t verdict;

    leat__ctx_fail_error(ctx, err);
    if ((err->flags & (LEAT_FATAL | LEAT_ABORT)) || err->code == LEAT_EFENCED) {
        leat__ctx_give_up(ctx);
        return false;
    }
    if (*since_ms < 0)
        *since_ms = leat__clock_steady_ms(ctx->task->env.clock);
    verdict = leat__verdict(ctx, LEAT_STAGE_SEND);
    if (verdict != LEAT_VERDICT_RETRY)
        return false;
    if (!patient(ctx, *since_ms)) {
        leat__ctx_give_up(ctx);
        return false;
    }
    leat__error_clear(&ctx->failure);
    return true;
}

void leat__send(leat_ctx_t *ctx, leat__target_t *target, int32_t partition, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers)
{
    leat__task_t *t = ctx->task;
    int64_t since_ms = -1;
    leat_error_t err;

    while (
        t->env.send(t->env.user, target, partition, key, value, time_ms, headers, &err) != LEAT_OK)
        if (!send_again(ctx, &err, &since_ms))
            return;
    t->counts.sent++;
}

static void send_to(leat_ctx_t *ctx, leat__live_t *live, leat__record_t *record, leat_slice_t key,
    leat_slice_t value, int32_t partition)
{
    if (partition == LEAT_PARTITION_BY_KEY)
        partition = partition_by_key(live->node, key, live->outlet->partitions);
    leat__send(
        ctx, live->outlet->target, partition, key, value, record->pub.time_ms, record->pub.headers);
}

/* The program's partitioner: none drops the record, several multiply it. */
static void send_as_told(leat_ctx_t *ctx, leat__live_t *live, leat__record_t *record,
    leat_slice_t key, leat_slice_t value)
{
    leat__call_t call = {.up = ctx->call,
        .user = live->node->user,
        .in = &record->pub,
        .allowed = LEAT__EMIT_PARTITION,
        .partition_total = live->outlet->partitions};

    leat__call_map(ctx, &call, live->node->partition, &record->pub);
    if (!leat__going(ctx))
        return;
    if (call.partition_count == 0)
        leat__drop_wanted(ctx, "the partitioner chose no partition");
    for (size_t i = 0; i < call.partition_count && leat__going(ctx); i++)
        send_to(ctx, live, record, key, value, call.partitions[i]);
}

/* ---- topics ---- */

/* NULL: failed. */
static leat__outlet_t *outlet_new(leat_ctx_t *ctx, const char *topic)
{
    leat__task_t *t = ctx->task;
    leat_error_t err;
    leat__target_t *target = t->env.target(t->env.user, topic, &err);
    leat__outlet_t *outlet;
    int32_t partitions;

    if (!target) {
        leat__ctx_fail_error(ctx, &err);
        return NULL;
    }
    partitions = t->env.partitions(t->env.user, target);
    if (partitions <= 0) {
        leat__ctx_fail(ctx, LEAT_ETOPIC, "topic %s has no partitions: create it first", topic);
        return NULL;
    }
    outlet = leat__must_alloc(sizeof *outlet);
    *outlet = (leat__outlet_t){leat__must_strdup(topic), target, partitions};
    return outlet;
}

static bool find_outlet(leat_ctx_t *ctx, leat__live_t *live, const char *topic)
{
    leat__outlet_t *outlet;

    if (live->outlet && strcmp(live->outlet->topic, topic) == 0)
        return true;
    outlet = leat__map_get(&live->outlets, topic);
    if (!outlet) {
        outlet = outlet_new(ctx, topic);
        if (!outlet)
            return false;
        LEAT_ASSERT(leat__map_put(&live->outlets, topic, outlet));
    }
    live->outlet = outlet;
    return true;
}

static void outlet_free(void *value)
{
    leat__outlet_t *outlet = value;

    leat__free(outlet->topic);
    leat__free(outlet);
}

void leat__sink_release(leat__live_t *live)
{
    leat__map_release(&live->outlets, outlet_free);
}

/* leat_emit_topic() put a terminator behind the name. */
static bool chosen_outlet(leat_ctx_t *ctx, leat__live_t *live, leat__record_t *record)
{
    leat__call_t call = {.up = ctx->call,
        .user = live->node->user,
        .in = &record->pub,
        .allowed = LEAT__EMIT_TOPIC,
        .count_max = 1};

    leat__call_map(ctx, &call, live->node->choose_topic, &record->pub);
    if (!leat__going(ctx))
        return false;
    if (!call.topic.data) {
        leat__ctx_fail(ctx, LEAT_EARGUMENT,
            "no topic was chosen for a record: the function must call leat_emit_topic() once");
        return false;
    }
    return find_outlet(ctx, live, call.topic.data);
}

static bool fixed_outlet(leat_ctx_t *ctx, leat__live_t *live)
{
    const leat__node_t *node = live->node;
    char *name;
    bool found;

    if (LEAT__LIKELY(live->outlet != NULL))
        return true;
    if (!node->internal)
        return find_outlet(ctx, live, node->topics[0]);
    name = leat__must_format("%s-%s", ctx->task->plan->application_id, node->topics[0]);
    found = find_outlet(ctx, live, name);
    leat__free(name);
    return found;
}

void leat__run_sink(leat_ctx_t *ctx, leat__live_t *live, leat__record_t *record)
{
    leat_slice_t key, value;

    ctx->call = NULL;
    if (live->node->choose_topic ? !chosen_outlet(ctx, live, record) : !fixed_outlet(ctx, live))
        return;
    if (!part_bytes(ctx, live, true, record, live->outlet->topic, &key) ||
        !part_bytes(ctx, live, false, record, live->outlet->topic, &value))
        return;
    if (live->node->partition)
        send_as_told(ctx, live, record, key, value);
    else
        send_to(ctx, live, record, key, value, LEAT_PARTITION_BY_KEY);
}
