/*
 * tests/unit/task_rig.h: a task and an owner that notes everything, for the tests of tasks.
 */
#ifndef LEAT__TESTS_TASK_RIG_H
#define LEAT__TESTS_TASK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtime/task.h"

#include <stdio.h>
#include <string.h>

#define UNUSED __attribute__((unused))

/* ---- an owner that notes everything ---- */

enum { BATCH_MAX = 8 };

struct leat__target_t {
    char name[32];
};

typedef struct world_t {
    leat_topology_t *topology;
    leat_config_t *config;
    leat__plan_t *plan;
    leat__task_state_t *state;
    leat__budget_t budget;
    leat__clock_t clock;
    leat__task_t *task;
    struct leat__target_t targets[8];
    int target_count, released, send_errors, sends;
    leat_error_t send_error;
    leat_verdict_t verdict;
    leat_stage_t stage;
    char bad[512];
    char out[2048];
    leat_error_t err;
    int64_t offsets[4];
    leat_headers_t *letter;
} world_t;

typedef struct fed_t {
    leat__raw_t raw[BATCH_MAX];
    char text[BATCH_MAX][2][32];
} fed_t;

UNUSED static leat__target_t *on_target(void *user, const char *topic, leat_error_t *err)
{
    world_t *w = user;

    if (strcmp(topic, "missing") == 0) {
        leat__error(err, LEAT_ETOPIC, 0, NULL, "topic missing does not exist");
        return NULL;
    }
    for (int i = 0; i < w->target_count; i++)
        if (strcmp(w->targets[i].name, topic) == 0)
            return &w->targets[i];
    assert_true(w->target_count < 8);
    snprintf(w->targets[w->target_count].name, 32, "%s", topic);
    return &w->targets[w->target_count++];
}

UNUSED static int32_t on_partitions(void *user, leat__target_t *t)
{
    (void)user, (void)t;
    return 7;
}

UNUSED static int on_send(void *user, leat__target_t *t, int32_t partition, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err)
{
    world_t *w = user;
    size_t used = strlen(w->out);

    w->sends++;
    if (w->send_errors > 0) {
        w->send_errors--;
        *err = w->send_error;
        return err->code;
    }
    leat__error_clear(err);
    snprintf(w->out + used, sizeof w->out - used, "%s/%d:%.*s=%.*s@%lld ", t->name, (int)partition,
        key.data ? (int)key.size : 4, key.data ? key.data : "null",
        value.data ? (int)value.size : 4, value.data ? value.data : "null", (long long)time_ms);
    if (strcmp(t->name, "dlq") == 0) {
        leat__free(w->letter);
        w->letter = leat__headers_clone(headers);
    }
    return LEAT_OK;
}

UNUSED static int on_log(void *user, leat__task_t *task, size_t store, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err)
{
    world_t *w = user;
    size_t used = strlen(w->out);

    assert_null(headers);
    leat__error_clear(err);
    snprintf(w->out + used, sizeof w->out - used, "log %s:%.*s=%.*s@%lld ",
        leat__task_store_spec(task, store)->name, (int)key.size, key.data,
        value.data ? (int)value.size : 4, value.data ? value.data : "null", (long long)time_ms);
    return LEAT_OK;
}

UNUSED static void on_release(void *user, int input, leat__batch_t *batch)
{
    world_t *w = user;

    (void)input;
    w->released++;
    memset(batch->native, 0xEE, sizeof(fed_t));
    leat__free(batch->native);
}

UNUSED static leat_verdict_t on_bad(void *user, const leat_bad_record_t *bad)
{
    world_t *w = user;

    w->stage = bad->stage;
    snprintf(w->bad, sizeof w->bad, "%s %s %s-%d@%lld %.*s=%.*s %s: %s", bad->node, bad->task,
        bad->topic ? bad->topic : "none", (int)bad->partition, (long long)bad->offset,
        bad->key.data ? (int)bad->key.size : 0, bad->key.data ? bad->key.data : "",
        bad->value.data ? (int)bad->value.size : 0, bad->value.data ? bad->value.data : "",
        leat_error_name(bad->error->code), bad->error->text);
    return w->verdict;
}

UNUSED static int32_t seven(void *user, const char *topic)
{
    (void)user;
    return strcmp(topic, "narrow") == 0 ? 2 : 7;
}

/* [adopt] topology. setting: "name=value", at most two; NULL: none. */
UNUSED static void open_world(
    world_t *w, leat_builder_t *b, const char *name, const char *value, bool handler)
{
    leat__task_env_t env = {.clock = &w->clock,
        .user = w,
        .target = on_target,
        .partitions = on_partitions,
        .send = on_send,
        .log = on_log,
        .release = on_release};
    leat__task_state_opts_t state = {.budget = &w->budget};
    const leat__group_t *group;

    w->clock = (leat__clock_t){true, 1000, 1000};
    w->topology = leat_builder_finish(b);
    w->config = leat_config_new();
    leat_config_set(w->config, "application.id", "app");
    if (name)
        leat_config_set(w->config, name, value);
    assert_int_equal(leat__topology_compile(w->topology, w->config, &w->plan, &w->err), LEAT_OK);
    assert_int_equal(leat__plan_resolve(w->plan, seven, NULL, &w->err), LEAT_OK);
    assert_int_equal(leat__task_state_open(&w->state, &state, &w->err), LEAT_OK);
    env.config = w->config;
    env.on_bad_record = handler ? on_bad : NULL;
    group = &w->plan->groups[0];
    w->task = leat__task_new(&(leat__task_opts_t){.plan = w->plan,
                                 .groups = &group,
                                 .group_count = 1,
                                 .partition = 3,
                                 .env = &env,
                                 .state = w->state},
        &w->err);
    if (w->task)
        leat__task_open(w->task, &w->err);
}

UNUSED static void close_world(world_t *w)
{
    leat__task_close(w->task);
    leat__task_state_close(w->state);
    leat__plan_free(w->plan);
    leat_topology_free(w->topology);
    leat_config_free(w->config);
    leat__free(w->letter);
}

/* records: "k=v@5 k2=@6": empty parts are null. */
UNUSED static void feed_to(world_t *w, const char *topic, const char *records, bool at_end)
{
    fed_t *fed = leat__must_alloc(sizeof *fed);
    leat__batch_t batch = {.records = fed->raw, .native = fed, .at_end = at_end};
    int input = leat__task_input_of(w->task, topic), used;
    long long time_ms;

    assert_true(input >= 0);
    while (*records) {
        leat__raw_t *raw = &fed->raw[batch.count];
        char(*text)[32] = fed->text[batch.count];

        assert_true(batch.count < BATCH_MAX);
        if (sscanf(records, "%31[^=@ ]=%31[^=@ ]@%lld%n", text[0], text[1], &time_ms, &used) != 3) {
            text[0][0] = '\0';
            if (sscanf(records, "=%31[^=@ ]@%lld%n", text[1], &time_ms, &used) != 2)
                assert_int_equal(sscanf(records, "%31[^=@ ]=@%lld%n", text[0], &time_ms, &used), 2);
        }
        raw->key = (leat_slice_t){text[0][0] ? text[0] : NULL, strlen(text[0])};
        raw->value = (leat_slice_t){text[1][0] ? text[1] : NULL, strlen(text[1])};
        raw->time_ms = time_ms;
        raw->offset = w->offsets[input]++;
        batch.count++;
        records += used + (records[used] == ' ');
    }
    batch.next = w->offsets[input];
    leat__task_feed(w->task, input, batch);
}

UNUSED static void feed(world_t *w, const char *topic, const char *records)
{
    feed_to(w, topic, records, true);
}

UNUSED static int run(world_t *w)
{
    int rc;

    while ((rc = leat__task_step(w->task, &w->err)) > 0)
        ;
    return rc;
}

/* ---- processors ---- */

UNUSED static void passes(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

UNUSED static void uppers(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;
    char *text = leat_scratch(ctx, value->size);

    for (size_t i = 0; i < value->size; i++)
        text[i] = (char)(value->data[i] - ('a' - 'A') * (value->data[i] >= 'a'));
    leat_emit_value(ctx, &(leat_slice_t){text, value->size});
}

UNUSED static void fails_on_bad(leat_ctx_t *ctx, const leat_record_t *in)
{
    if (leat_slice_is(in->value, "bad"))
        leat_fail(ctx, LEAT_EUSER, "cannot use %.*s", LEAT_P((const leat_slice_t *)in->value));
    leat_emit_value(ctx, in->value);
}

#define S leat_serde_string()

UNUSED static leat_builder_t *one_processor(leat_map_fn fn)
{
    leat_builder_t *b = leat_builder_new();

    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "proc", fn, NULL);
    leat_builder_sink(b, "proc", "sink", "out", S, S, NULL);
    return b;
}

#endif
