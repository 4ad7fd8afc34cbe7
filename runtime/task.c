/*
 * runtime/task.c: making, opening and closing a task; one step; abort. The parts are listed in
 * task_inside.h.
 *
 * Life: new (stores are open, for restore) → open (nodes run their open) → step, punctuate, flush,
 * committed, abort ... → close. After a failure that was judged to fail, step and flush answer
 * with it until abort or close.
 */
#include "task_inside.h"
#include "base/config.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

static void on_owner_fail(leat__owner_t *o, int code, const char *text)
{
    leat__ctx_fail((leat_ctx_t *)(void *)o, code, "%s", text);
}

static void ctx_init(leat__task_t *t)
{
    leat_ctx_t *ctx = &t->ctx;

    _Static_assert(offsetof(leat_ctx_t, owner) == 0, "on_owner_fail finds the ctx by this");
    ctx->task = t;
    leat__arena_init(&ctx->scratch);
    ctx->owner.fail = on_owner_fail;
    ctx->owner.scratch = &ctx->scratch;
    ctx->record = &leat__no_record;
    ctx->stream_time_ms = -1;
    ctx->partition_time_ms = -1;
    ctx->wall_ms = leat__clock_wall_ms(t->env.clock);
}

/* Children and stores of a node are in the node's own sub-topology. */
static leat__live_t *live_of(leat__task_t *t, const leat__node_t *node)
{
    size_t i = 0;

    while (i < t->node_count && t->nodes[i].node != node)
        i++;
    LEAT_ASSERT(i < t->node_count);
    return &t->nodes[i];
}

static leat__task_store_t *store_of(leat__task_t *t, const leat__store_spec_t *spec)
{
    size_t i = 0;

    while (i < t->store_count && t->stores[i].spec != spec)
        i++;
    LEAT_ASSERT(i < t->store_count);
    return &t->stores[i];
}

/* Of a task of several groups (the test driver's) Kafka Streams opens nodes, and so calls their
 * punctuators, as they were added, whatever group they are of. */
static int by_addition(const void *a, const void *b)
{
    const leat__live_t *x = a, *y = b;

    return (x->node->index > y->node->index) - (x->node->index < y->node->index);
}

static void nodes_new(leat__task_t *t, const leat__task_opts_t *o)
{
    size_t links = 0, stores = 0, most = 0;

    for (size_t g = 0; g < o->group_count; g++)
        most += o->groups[g]->node_count;
    t->nodes = leat__must_alloc((most + 1) * sizeof *t->nodes);
    for (size_t g = 0; g < o->group_count; g++) {
        for (size_t i = 0; i < o->groups[g]->node_count; i++) {
            const leat__node_t *node = o->groups[g]->nodes[i];

            t->nodes[t->node_count++].node = node;
            links += node->child_count;
            stores += node->store_count;
        }
    }
    qsort(t->nodes, t->node_count, sizeof *t->nodes, by_addition);
    t->links = leat__must_alloc((links + 1) * sizeof *t->links);
    t->store_links = leat__must_alloc((stores + 1) * sizeof *t->store_links);
}

static void nodes_link(leat__task_t *t)
{
    leat__live_t **link = t->links;
    leat__task_store_t **store = t->store_links;

    for (size_t i = 0; i < t->node_count; i++) {
        leat__live_t *live = &t->nodes[i];
        const leat__node_t *node = live->node;

        live->run = node->kind == LEAT__PROCESSOR ? leat__run_processor
                    : node->kind == LEAT__SINK    ? leat__run_sink
                                                  : NULL;
        live->children = link;
        live->child_count = node->child_count;
        for (size_t c = 0; c < node->child_count; c++)
            *link++ = live_of(t, node->children[c]);
        live->stores = store;
        live->store_count = node->store_count;
        for (size_t s = 0; s < node->store_count; s++)
            *store++ = store_of(t, node->stores[s]);
        live->local = node->local_size ? leat__must_alloc(node->local_size) : NULL;
    }
}

static void set_id(leat__task_t *t, const leat__task_opts_t *o)
{
    int group = o->group_count ? o->groups[0]->id : 0;

    snprintf(t->id, sizeof t->id, "%d_%d", group, (int)o->partition);
}

leat__task_t *leat__task_new(const leat__task_opts_t *o, leat_error_t *err)
{
    leat__task_t *t = leat__must_alloc(sizeof *t);

    leat__error_clear(err);
    t->env = *o->env;
    t->plan = o->plan;
    t->partition = o->partition;
    t->globals = o->globals;
    t->state_dir = leat__must_strdup(o->state_dir);
    t->patience_ms = 300000;
    if (t->env.config)
        t->patience_ms = leat__config_int(t->env.config, "task.timeout.ms");
    set_id(t, o);
    ctx_init(t);
    t->global = o->group_count && o->groups[0]->global;
    leat__policy_init(t);
    nodes_new(t, o);
    if (leat__task_stores_open(t, o, err) == LEAT_OK) {
        nodes_link(t);
        if (leat__inputs_new(t, o, err) == LEAT_OK)
            return t;
    }
    leat__task_close(t);
    return NULL;
}

/* ---- opening and closing nodes ---- */

static int failure_of(leat__task_t *t, leat_error_t *err)
{
    if (err)
        *err = t->ctx.failure;
    return t->ctx.failure.code;
}

int leat__task_open(leat__task_t *t, leat_error_t *err)
{
    leat_ctx_t *ctx = &t->ctx;

    leat__error_clear(err);
    t->opened = true;
    for (size_t i = 0; i < t->node_count; i++) {
        leat__live_t *live = &t->nodes[i];

        live->opened = true;
        if (live->node->open)
            leat__run_task_fn(ctx, live, live->node->open, false);
        leat__ctx_give_up(ctx);
        leat__ctx_finish(ctx);
        if (ctx->failed)
            return failure_of(t, err);
    }
    return LEAT_OK;
}

/* What close says or emits is not heard: there is no record that could fail. */
static void close_nodes(leat__task_t *t)
{
    leat_ctx_t *ctx = &t->ctx;
    leat_error_t kept = ctx->failure;
    bool failed = ctx->failed;

    for (size_t i = 0; i < t->node_count; i++) {
        leat__live_t *live = &t->nodes[i];

        leat__error_clear(&ctx->failure);
        ctx->failed = false;
        if (live->opened && live->node->close)
            leat__run_task_fn(ctx, live, live->node->close, true);
        live->opened = false;
        leat__ctx_finish(ctx);
    }
    ctx->failure = kept;
    ctx->failed = failed;
    t->opened = false;
}

static void metrics_free(leat_metric_t *m)
{
    while (m) {
        leat_metric_t *next = m->next;

        leat__free(m->name);
        leat__free(m);
        m = next;
    }
}

void leat__task_close(leat__task_t *t)
{
    if (!t)
        return;
    if (t->opened)
        close_nodes(t);
    if (t->inputs)
        leat__inputs_release(t);
    leat__timers_release(t);
    for (size_t i = 0; i < t->store_count; i++)
        if (t->stores[i].flush_node)
            leat__store_on_flush(t->stores[i].store, NULL, NULL, false);
    for (size_t i = 0; i < t->node_count; i++) {
        leat__free(t->nodes[i].local);
        leat__sink_release(&t->nodes[i]);
    }
    leat__task_stores_release(t);
    metrics_free(t->metrics);
    leat__progress_release(&t->progress);
    leat__progress_release(&t->committed_progress);
    leat__arena_release(&t->ctx.scratch);
    leat__free(t->nodes);
    leat__free(t->links);
    leat__free(t->store_links);
    leat__free(t->state_dir);
    leat__free(t);
}

/*
 * Whatever the aborted transaction left in memory must be gone: emission times, timers, fields in
 * processors (PROTOCOLS.md 6). So every node is closed and opened again; stores and their clean
 * entries stay.
 */
int leat__task_abort(leat__task_t *t, leat_error_t *err)
{
    bool opened = t->opened;

    leat__inputs_drop(t);
    for (size_t i = 0; i < t->store_count; i++)
        leat__store_abort(t->stores[i].store);
    if (opened)
        close_nodes(t);
    leat__progress_abort(t);
    leat__timers_release(t);
    for (size_t i = 0; i < t->input_count; i++)
        t->inputs[i].partition_time_ms = -1;
    for (size_t i = 0; i < t->node_count; i++)
        if (t->nodes[i].local)
            memset(t->nodes[i].local, 0, t->nodes[i].node->local_size);
    leat__error_clear(&t->ctx.failure);
    t->ctx.failed = false;
    t->ctx.stream_time_ms = -1;
    t->ctx.partition_time_ms = -1;
    t->touched = false;
    return opened ? leat__task_open(t, err) : LEAT_OK;
}

/* ---- one record ---- */

static void run_head(leat__task_t *t, leat__input_t *in)
{
    leat_ctx_t *ctx = &t->ctx;
    int64_t time_ms = in->head.pub.time_ms;

    if (time_ms > in->partition_time_ms)
        in->partition_time_ms = time_ms;
    if (time_ms > ctx->stream_time_ms)
        ctx->stream_time_ms = time_ms;
    ctx->partition_time_ms = in->partition_time_ms;
    ctx->meta = &in->meta;
    t->raw = in->raw;
    t->touched = true;
    t->counts.records++;
    leat__run_source(ctx, in->source, &in->head);
    leat__ctx_give_up(ctx);
    t->raw = NULL;
    ctx->last_meta = in->meta;
    ctx->meta = NULL;
    ctx->node = NULL;
    leat__ctx_finish(ctx);
}

int leat__task_step(leat__task_t *t, leat_error_t *err)
{
    leat__input_t *in;

    if (t->ctx.failed)
        return failure_of(t, err);
    if (t->pending_count)
        leat__inputs_find_heads(t);
    if (t->ctx.failed)
        return failure_of(t, err);
    if (!leat__inputs_ready(t))
        return 0;
    in = leat__heap_pop(&t->ready);
    run_head(t, in);
    if (t->ctx.failed)
        return failure_of(t, err);
    leat__input_next(t, in);
    if (t->due[LEAT_STREAM_TIME].count)
        leat__timers_run(t, LEAT_STREAM_TIME, t->ctx.stream_time_ms);
    return t->ctx.failed ? failure_of(t, err) : 1;
}

int leat__task_punctuate(leat__task_t *t, leat_clock_t clock, leat_error_t *err)
{
    int count = 0;

    if (t->ctx.failed)
        return failure_of(t, err);
    if (clock == LEAT_WALL_TIME)
        count = leat__timers_run(t, clock, t->ctx.wall_ms);
    else if (t->ctx.stream_time_ms >= 0)
        count = leat__timers_run(t, clock, t->ctx.stream_time_ms);
    return t->ctx.failed ? failure_of(t, err) : count;
}

void leat__task_set_wall(leat__task_t *t, int64_t wall_ms)
{
    t->ctx.wall_ms = wall_ms;
}

/* ---- for owners ---- */

size_t leat__task_input_count(const leat__task_t *t)
{
    return t->input_count;
}

const char *leat__task_input_topic(const leat__task_t *t, int input)
{
    return t->inputs[input].topic;
}

int leat__task_input_of(const leat__task_t *t, const char *topic)
{
    for (size_t i = 0; i < t->input_count; i++)
        if (strcmp(t->inputs[i].topic, topic) == 0)
            return (int)i;
    return -1;
}

const leat__node_t *leat__task_input_source(const leat__task_t *t, int input)
{
    return t->inputs[input].source->node;
}

const leat__node_t *leat__task_node(const leat__task_t *t)
{
    return t->ctx.node ? t->ctx.node->node : NULL;
}

void leat__task_counts_add(leat__task_counts_t *sum, const leat__task_counts_t *more)
{
    sum->records += more->records;
    sum->dropped += more->dropped;
    sum->forwarded += more->forwarded;
    sum->sent += more->sent;
    sum->punctuations += more->punctuations;
    sum->forced += more->forced;
}

void leat__task_node_counts_add(uint64_t *sum, const leat__task_t *t)
{
    for (size_t i = 0; i < t->node_count; i++)
        sum[t->nodes[i].node->index] += t->nodes[i].records;
}

const leat__task_counts_t *leat__task_counts(const leat__task_t *t)
{
    return &t->counts;
}

int64_t leat__task_stream_time(const leat__task_t *t)
{
    return t->ctx.stream_time_ms;
}

bool leat__task_touched(const leat__task_t *t)
{
    for (size_t i = 0; i < t->store_count && !t->touched; i++)
        if (leat__store_dirty(t->stores[i].store))
            return true;
    return t->touched;
}

bool leat__task_metric(
    const leat__task_t *t, size_t index, const char **node, const char **name, int64_t *value)
{
    const leat_metric_t *m = t->metrics;

    while (m && index--)
        m = m->next;
    if (!m)
        return false;
    *node = m->node;
    *name = m->name;
    *value = m->value;
    return true;
}
