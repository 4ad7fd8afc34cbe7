/*
 * Goal: a task by itself: order of inputs, decoding, time, forwarding, failures, positions, abort. Method: topologies of the
 * Processor API, compiled for real; records are fed as batches; what leaves the task is noted as text.
 */
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

static leat__target_t *on_target(void *user, const char *topic, leat_error_t *err)
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

static int32_t on_partitions(void *user, leat__target_t *t)
{
    (void)user, (void)t;
    return 7;
}

static int on_send(void *user, leat__target_t *t, int32_t partition, leat_slice_t key,
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

static int on_log(void *user, leat__task_t *task, size_t store, leat_slice_t key,
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

static void on_release(void *user, int input, leat__batch_t *batch)
{
    world_t *w = user;

    (void)input;
    w->released++;
    memset(batch->native, 0xEE, sizeof(fed_t));
    leat__free(batch->native);
}

static leat_verdict_t on_bad(void *user, const leat_bad_record_t *bad)
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

static int32_t seven(void *user, const char *topic)
{
    (void)user;
    return strcmp(topic, "narrow") == 0 ? 2 : 7;
}

/* [adopt] topology. setting: "name=value", at most two; NULL: none. */
static void open_world(
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

static void close_world(world_t *w)
{
    leat__task_close(w->task);
    leat__task_state_close(w->state);
    leat__plan_free(w->plan);
    leat_topology_free(w->topology);
    leat_config_free(w->config);
    leat__free(w->letter);
}

/* records: "k=v@5 k2=@6": empty parts are null. */
static void feed_to(world_t *w, const char *topic, const char *records, bool at_end)
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

static void feed(world_t *w, const char *topic, const char *records)
{
    feed_to(w, topic, records, true);
}

static int run(world_t *w)
{
    int rc;

    while ((rc = leat__task_step(w->task, &w->err)) > 0)
        ;
    return rc;
}

/* ---- processors ---- */

static void passes(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

static void uppers(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;
    char *text = leat_scratch(ctx, value->size);

    for (size_t i = 0; i < value->size; i++)
        text[i] = (char)(value->data[i] - ('a' - 'A') * (value->data[i] >= 'a'));
    leat_emit_value(ctx, &(leat_slice_t){text, value->size});
}

static void fails_on_bad(leat_ctx_t *ctx, const leat_record_t *in)
{
    if (leat_slice_is(in->value, "bad"))
        leat_fail(ctx, LEAT_EUSER, "cannot use %.*s", LEAT_P((const leat_slice_t *)in->value));
    leat_emit_value(ctx, in->value);
}

#define S leat_serde_string()

static leat_builder_t *one_processor(leat_map_fn fn)
{
    leat_builder_t *b = leat_builder_new();

    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "proc", fn, NULL);
    leat_builder_sink(b, "proc", "sink", "out", S, S, NULL);
    return b;
}

static void test_record_goes_through_and_batch_is_released(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, one_processor(uppers), NULL, NULL, false);
    feed(&w, "in", "a=x@5 key=yz@4");
    assert_int_equal(leat__task_queued(w.task, 0), 2);
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=X@5 out/4:key=YZ@4 ");
    assert_int_equal(w.released, 1);
    assert_int_equal(leat__task_position(w.task, 0), 2);
    assert_int_equal(leat__task_partition_time(w.task, 0), 5);
    assert_int_equal(leat__task_stream_time(w.task), 5);
    assert_true(leat__task_touched(w.task));
    leat__task_committed(w.task, NULL);
    assert_false(leat__task_touched(w.task));
    close_world(&w);
}

static void test_nulls_pass_and_null_key_has_no_partition(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, one_processor(passes), NULL, NULL, false);
    feed(&w, "in", "=x@1 a=@2");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/-1:null=x@1 out/5:a=null@2 ");
    close_world(&w);
}

static leat_builder_t *two_sources(void)
{
    leat_builder_t *b = leat_builder_new();

    leat_builder_source(b, "left", "s1", S, S, NULL);
    leat_builder_source(b, "right", "s2", S, S, NULL);
    leat_builder_processor(b, "s1,s2", "proc", passes, NULL);
    leat_builder_sink(b, "proc", "sink", "out", S, S, NULL);
    return b;
}

static void test_smallest_time_goes_first_ties_by_heap(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, two_sources(), NULL, NULL, false);
    feed(&w, "right", "key=r1@3 key=r2@10");
    feed(&w, "left", "a=l1@3 a=l2@4");
    assert_int_equal(run(&w), 0);
    /* right entered first; after its record it enters again behind left */
    assert_string_equal(w.out, "out/4:key=r1@3 out/5:a=l1@3 out/5:a=l2@4 out/4:key=r2@10 ");
    close_world(&w);
}

static void test_waits_for_an_input_not_known_empty(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, two_sources(), NULL, NULL, false);
    feed(&w, "left", "a=l1@3");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "");
    leat__task_set_at_end(w.task, leat__task_input_of(w.task, "right"), true);
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=l1@3 ");
    assert_int_equal(leat__task_counts(w.task)->forced, 1);
    close_world(&w);
}

static void test_idle_time_is_waited(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, two_sources(), "max.task.idle.ms", "100", false);
    feed(&w, "left", "a=l1@3");
    leat__task_set_at_end(w.task, leat__task_input_of(w.task, "right"), true);
    assert_int_equal(run(&w), 0);
    leat__task_set_wall(w.task, 1099);
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "");
    leat__task_set_wall(w.task, 1100);
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=l1@3 ");
    feed(&w, "left", "a=l2@4");
    feed(&w, "right", "a=r1@5"); /* ends the waiting: the next wait is a new one */
    assert_int_equal(run(&w), 0);
    feed(&w, "left", "a=l3@6");
    assert_int_equal(run(&w), 0);
    assert_null(strstr(w.out, "a=l3"));
    close_world(&w);
}

static void test_topic_with_fewer_partitions_is_not_waited_for(void **state)
{
    world_t w = {0};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", "s1", S, S, NULL);
    leat_builder_source(b, "narrow", "s2", S, S, NULL);
    leat_builder_processor(b, "s1,s2", "proc", passes, NULL);
    leat_builder_sink(b, "proc", "sink", "out", S, S, NULL);
    open_world(&w, b, NULL, NULL, false);
    feed(&w, "in", "a=x@3");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=x@3 ");
    assert_int_equal(leat__task_counts(w.task)->forced, 0);
    close_world(&w);
}

static void test_idle_minus_one_does_not_wait(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, two_sources(), "max.task.idle.ms", "-1", false);
    feed(&w, "left", "a=l1@3");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=l1@3 ");
    close_world(&w);
}

/* ---- time ---- */

static leat_builder_t *timed(leat_timestamp_fn fn)
{
    leat_builder_t *b = leat_builder_new();

    leat_builder_source(b, "in", "source", S, S, &(leat_source_opts_t){.timestamp = fn});
    leat_builder_sink(b, "source", "sink", "out", S, S, NULL);
    return b;
}

static void test_negative_time_fails_and_says_where(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, timed(NULL), NULL, NULL, false);
    feed(&w, "in", "a=x@1 a=y@-1");
    assert_int_equal(run(&w), LEAT_ETIME);
    assert_string_equal(w.err.where, "source, task 0_3, in-3@1");
    assert_string_equal(w.out, "out/5:a=x@1 ");
    close_world(&w);
}

static void test_time_functions(void **state)
{
    world_t skip = {0}, partition = {0}, wall = {0};

    (void)state;
    open_world(&skip, timed(leat_timestamp_skip_invalid), NULL, NULL, false);
    feed(&skip, "in", "a=x@-5 a=y@7");
    assert_int_equal(run(&skip), 0);
    assert_string_equal(skip.out, "out/5:a=y@7 ");
    assert_int_equal(leat__task_counts(skip.task)->dropped, 1);
    close_world(&skip);

    open_world(&partition, timed(leat_timestamp_partition), NULL, NULL, false);
    feed(&partition, "in", "a=x@9 a=y@-1 a=z@4");
    assert_int_equal(run(&partition), 0);
    assert_string_equal(partition.out, "out/5:a=x@9 out/5:a=y@9 out/5:a=z@4 ");
    close_world(&partition);

    open_world(&wall, timed(leat_timestamp_wall), NULL, NULL, false);
    feed(&wall, "in", "a=x@9");
    assert_int_equal(run(&wall), 0);
    assert_string_equal(wall.out, "out/5:a=x@1000 ");
    close_world(&wall);
}

static int64_t from_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    int64_t time_ms = -1;

    assert_int_equal(leat_meta(ctx)->partition, 3);
    if (!leat_slice_int64(in->value, &time_ms))
        leat_fail(ctx, LEAT_EUSER, "no number in %.*s", LEAT_P((const leat_slice_t *)in->value));
    return time_ms;
}

static void test_time_from_value(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, timed(from_value), "processing.exception.handler", "continue", false);
    feed(&w, "in", "a=70@1 a=x@2");
    assert_int_equal(run(&w), LEAT_EUSER); /* a time function's failure is final */
    assert_string_equal(w.out, "out/5:a=70@70 ");
    close_world(&w);
}

/* ---- failures ---- */

static void test_failure_stops_the_task(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, one_processor(fails_on_bad), NULL, NULL, false);
    feed(&w, "in", "a=x@1 a=bad@2 a=y@3");
    assert_int_equal(run(&w), LEAT_EUSER);
    assert_string_equal(w.err.where, "proc, task 0_3, in-3@1");
    assert_string_equal(w.err.text, "cannot use bad");
    assert_string_equal(w.out, "out/5:a=x@1 ");
    assert_int_equal(leat__task_position(w.task, 0), 1);
    assert_int_equal(leat__task_step(w.task, &w.err), LEAT_EUSER);
    assert_int_equal(leat__task_flush(w.task, &w.err), LEAT_EUSER);
    close_world(&w);
}

static void test_continue_drops_at_the_failing_node_only(void **state)
{
    world_t w = {.verdict = LEAT_VERDICT_CONTINUE};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "bad", fails_on_bad, NULL);
    leat_builder_processor(b, "source", "good", uppers, NULL);
    leat_builder_sink(b, "bad", "s1", "one", S, S, NULL);
    leat_builder_sink(b, "good", "s2", "two", S, S, NULL);
    open_world(&w, b, NULL, NULL, true);
    feed(&w, "in", "a=bad@1");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "two/5:a=BAD@1 ");
    assert_int_equal(w.stage, LEAT_STAGE_PROCESS);
    assert_string_equal(w.bad, "bad 0_3 in-3@0 a=bad user_error: cannot use bad");
    assert_int_equal(leat__task_counts(w.task)->dropped, 1);
    close_world(&w);
}

static void test_undecodable_record(void **state)
{
    world_t w = {0}, lenient = {0};
    leat_builder_t *b[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        b[i] = leat_builder_new();
        leat_builder_source(b[i], "in", "source", S, leat_serde_int64(), NULL);
        leat_builder_sink(b[i], "source", "sink", "out", S, leat_serde_int64(), NULL);
    }
    open_world(&w, b[0], NULL, NULL, false);
    feed(&w, "in", "a=12345678@1 a=short@-1");
    assert_int_equal(run(&w), LEAT_ESERDE); /* before its time is looked at */
    assert_string_equal(w.out, "out/5:a=12345678@1 ");
    close_world(&w);

    open_world(&lenient, b[1], "deserialization.exception.handler", "continue", false);
    feed(&lenient, "in", "a=short@50 a=12345678@2 a=x@60");
    assert_int_equal(run(&lenient), 0);
    assert_string_equal(lenient.out, "out/5:a=12345678@2 ");
    assert_int_equal(leat__task_counts(lenient.task)->dropped, 2);
    assert_int_equal(leat__task_stream_time(lenient.task), 2);
    assert_int_equal(leat__task_position(lenient.task, 0), 3);
    assert_int_equal(lenient.released, 1);
    close_world(&lenient);
}

static void test_dead_letter_holds_the_input_record(void **state)
{
    world_t w = {.verdict = LEAT_VERDICT_DEAD_LETTER};

    (void)state;
    open_world(&w, one_processor(fails_on_bad), "errors.dead.letter.queue.topic.name", "dlq", true);
    feed(&w, "in", "a=bad@7");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "dlq/5:a=bad@7 ");
    assert_true(
        leat_slice_is(leat_headers_get(w.letter, "__streams.errors.exception"), "user_error"));
    assert_true(
        leat_slice_is(leat_headers_get(w.letter, "__streams.errors.message"), "cannot use bad"));
    assert_true(leat_slice_is(leat_headers_get(w.letter, "__streams.errors.topic"), "in"));
    assert_true(leat_slice_is(leat_headers_get(w.letter, "__streams.errors.partition"), "3"));
    assert_true(leat_slice_is(leat_headers_get(w.letter, "__streams.errors.offset"), "0"));
    assert_int_equal(leat__task_counts(w.task)->dropped, 1);
    close_world(&w);
}

static void test_dead_letter_without_topic_fails(void **state)
{
    world_t w = {.verdict = LEAT_VERDICT_DEAD_LETTER};

    (void)state;
    open_world(&w, one_processor(fails_on_bad), NULL, NULL, true);
    feed(&w, "in", "a=bad@7");
    assert_int_equal(run(&w), LEAT_EUSER);
    assert_non_null(strstr(w.err.text, "errors.dead.letter.queue.topic.name"));
    close_world(&w);
}

static void test_send_error_retry_continue_and_abort(void **state)
{
    world_t w = {.verdict = LEAT_VERDICT_RETRY};

    (void)state;
    open_world(&w, one_processor(passes), NULL, NULL, true);
    w.send_error = (leat_error_t){.code = LEAT_EBROKER, .flags = LEAT_RETRIABLE, .text = "away"};
    w.send_errors = 3;
    feed(&w, "in", "a=x@1");
    assert_int_equal(run(&w), 0);
    assert_int_equal(w.sends, 4);
    assert_int_equal(w.stage, LEAT_STAGE_SEND);
    assert_string_equal(w.out, "out/5:a=x@1 ");

    w.verdict = LEAT_VERDICT_CONTINUE;
    w.send_errors = 1;
    feed(&w, "in", "a=y@2");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=x@1 ");
    assert_int_equal(leat__task_counts(w.task)->dropped, 1);

    w.send_error.flags = LEAT_ABORT; /* nobody is asked */
    w.send_errors = 1;
    feed(&w, "in", "a=z@3");
    assert_int_equal(run(&w), LEAT_EBROKER);
    assert_int_equal(w.err.flags, LEAT_ABORT);
    close_world(&w);
}

static void test_retry_of_a_final_error_fails(void **state)
{
    world_t w = {.verdict = LEAT_VERDICT_RETRY};

    (void)state;
    open_world(&w, one_processor(passes), NULL, NULL, true);
    w.send_error = (leat_error_t){.code = LEAT_EBROKER, .text = "record too large"};
    w.send_errors = 1;
    feed(&w, "in", "a=x@1");
    assert_int_equal(run(&w), LEAT_EBROKER);
    assert_int_equal(w.sends, 1);
    close_world(&w);
}

static void to_nobody(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_to(ctx, "nobody", in);
}

static void back_in_time(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_record_t out = *in;

    out.time_ms -= 5;
    leat_emit_record(ctx, &out);
}

static void asks_for_a_store(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_put(leat_kv(ctx, "elsewhere"), in->key, in->value);
    leat_emit_record(ctx, in);
}

static void emits_topic(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_topic(ctx, in->value);
}

static void test_misuse_is_named(void **state)
{
    static const struct {
        leat_map_fn fn;
        int code;
        const char *says;
    } cases[] = {
        {to_nobody, LEAT_ECHILD, "'nobody'"},
        {back_in_time, LEAT_EARGUMENT, "-4"},
        {asks_for_a_store, LEAT_ECONNECT, "'elsewhere'"},
        {emits_topic, LEAT_ETYPE, "leat_emit_topic"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world_t w = {0};

        open_world(&w, one_processor(cases[i].fn), NULL, NULL, false);
        feed(&w, "in", "a=x@1");
        assert_int_equal(run(&w), cases[i].code);
        assert_non_null(strstr(w.err.text, cases[i].says));
        assert_string_equal(w.err.where, "proc, task 0_3, in-3@0");
        assert_string_equal(w.out, "");
        close_world(&w);
    }
}

/* ---- sinks ---- */

static void by_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    if (!leat_slice_is(in->value, "nowhere"))
        leat_emit_topic(ctx, in->value);
}

static void test_topic_chosen_per_record(void **state)
{
    world_t w = {0};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_route(b, "source", "sink", by_value, S, S, NULL);
    open_world(&w, b, NULL, NULL, false);
    feed(&w, "in", "a=t1@1 a=t2@2 a=t1@3");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "t1/5:a=t1@1 t2/5:a=t2@2 t1/5:a=t1@3 ");
    feed(&w, "in", "a=nowhere@4");
    assert_int_equal(run(&w), LEAT_EARGUMENT);
    close_world(&w);
}

static void test_missing_topic_is_named(void **state)
{
    world_t w = {0};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_sink(b, "source", "sink", "missing", S, S, NULL);
    open_world(&w, b, NULL, NULL, false);
    feed(&w, "in", "a=x@1");
    assert_int_equal(run(&w), LEAT_ETOPIC);
    assert_string_equal(w.err.where, "sink, task 0_3, in-3@0");
    close_world(&w);
}

static void first_digit_times(leat_ctx_t *ctx, const leat_record_t *in)
{
    int count = ((const leat_slice_t *)in->value)->data[0] - '0';

    assert_int_equal(leat_partition_count(ctx), 7);
    for (int i = 0; i < count; i++)
        leat_emit_partition(ctx, i == 2 ? LEAT_PARTITION_BY_KEY : i);
}

static void test_partitioner_drops_and_multiplies(void **state)
{
    world_t w = {0};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_sink(
        b, "source", "sink", "out", S, S, &(leat_sink_opts_t){.partition = first_digit_times});
    open_world(&w, b, NULL, NULL, false);
    feed(&w, "in", "a=0@1 a=3@2");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/0:a=3@2 out/1:a=3@2 out/5:a=3@2 ");
    assert_int_equal(leat__task_counts(w.task)->dropped, 1);
    feed(&w, "in", "a=9@3");
    assert_int_equal(run(&w), LEAT_EARGUMENT);
    close_world(&w);
}

static int custom_runs;
static void custom_encode(leat_codec_t *c, const void *value)
{
    custom_runs++;
    leat_codec_put(c, value, 1);
}
static void custom_decode(leat_codec_t *c, void *room)
{
    custom_runs++;
    *(char *)room = *leat_codec_take(c, 1).data;
}
static const leat_serde_t custom = {
    .name = "letter", .size = 1, .encode = custom_encode, .decode = custom_decode};

static void test_bytes_ride_along(void **state)
{
    world_t w = {0}, seen = {0};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    custom_runs = 0;
    leat_builder_source(b, "in", "source", S, &custom, NULL);
    leat_builder_sink(b, "source", "sink", "out", S, &custom, NULL);
    open_world(&w, b, NULL, NULL, false);
    feed(&w, "in", "a=x@1");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=x@1 ");
    assert_int_equal(custom_runs, 0); /* nobody looks at the value */
    close_world(&w);

    b = leat_builder_new();
    leat_builder_source(b, "in", "source", S, &custom, NULL);
    leat_builder_processor(b, "source", "proc", passes, NULL);
    leat_builder_sink(b, "proc", "sink", "out", S, &custom, NULL);
    open_world(&seen, b, NULL, NULL, false);
    feed(&seen, "in", "a=x@1");
    assert_int_equal(run(&seen), 0);
    assert_string_equal(seen.out, "out/5:a=x@1 ");
    assert_int_equal(custom_runs, 1); /* decoded for the processor, not encoded again */
    close_world(&seen);
}

/* ---- positions and abort ---- */

static void test_records_below_position_are_skipped(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, one_processor(passes), NULL, NULL, false);
    leat__task_set_position(w.task, 0, 2, 40);
    assert_int_equal(leat__task_stream_time(w.task), 40);
    feed(&w, "in", "a=0@1");
    assert_int_equal(w.released, 1);
    feed(&w, "in", "a=1@1 a=2@2");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=2@2 ");
    assert_int_equal(leat__task_position(w.task, 0), 3);
    assert_int_equal(leat__task_partition_time(w.task, 0), 40);
    close_world(&w);
}

static void test_markers_move_the_position(void **state)
{
    world_t w = {0};

    (void)state;
    open_world(&w, one_processor(passes), NULL, NULL, false);
    feed(&w, "in", "a=0@1");
    leat__task_feed(w.task, 0,
        (leat__batch_t){.native = leat__must_alloc(sizeof(fed_t)), .next = 5, .at_end = true});
    assert_int_equal(leat__task_position(w.task, 0), 0);
    assert_int_equal(run(&w), 0);
    assert_int_equal(leat__task_position(w.task, 0), 5);
    assert_int_equal(w.released, 2);
    close_world(&w);
}

static int opened, closed;
static void note_open(leat_ctx_t *ctx)
{
    opened++;
    assert_int_equal(*(int *)leat_local(ctx), 0);
}
static void note_close(leat_ctx_t *ctx)
{
    closed++;
    leat_emit(ctx, NULL, NULL); /* not heard */
}
static void counts_locally(leat_ctx_t *ctx, const leat_record_t *in)
{
    int *local = leat_local(ctx);

    (*local)++;
    assert_string_equal(leat_user(ctx), "mine");
    if (leat_slice_is(in->value, "bad"))
        leat_fail(ctx, LEAT_EUSER, "after %d", *local);
    leat_emit_value(ctx, leat_text(ctx, "%.*s%d", LEAT_P((const leat_slice_t *)in->value), *local));
}

static void test_abort_starts_anew(void **state)
{
    world_t w = {0};
    leat_builder_t *b = leat_builder_new();
    static char mine[] = "mine";

    (void)state;
    opened = closed = 0;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "proc", counts_locally,
        &(leat_node_opts_t){
            .open = note_open, .close = note_close, .local_size = sizeof(int), .user = mine});
    leat_builder_sink(b, "proc", "sink", "out", S, S, NULL);
    open_world(&w, b, NULL, NULL, false);
    feed(&w, "in", "a=x@5 a=bad@6 a=y@7");
    assert_int_equal(run(&w), LEAT_EUSER);
    assert_string_equal(w.err.text, "after 2");
    assert_int_equal(leat__task_abort(w.task, &w.err), LEAT_OK);
    assert_int_equal(w.released, 1);
    assert_int_equal(opened, 2);
    assert_int_equal(closed, 1);
    assert_int_equal(leat__task_stream_time(w.task), -1);
    leat__task_set_position(w.task, 0, 0, -1);
    w.offsets[0] = 0;
    w.out[0] = '\0';
    feed(&w, "in", "a=x@5");
    assert_int_equal(run(&w), 0);
    assert_string_equal(w.out, "out/5:a=x1@5 ");
    close_world(&w);
    assert_int_equal(closed, 2);
}

static void emits_in_open(leat_ctx_t *ctx)
{
    leat_emit(ctx, NULL, NULL);
}

static void test_open_may_not_emit(void **state)
{
    world_t w = {0};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", "source", S, S, NULL);
    leat_builder_processor(b, "source", "proc", passes, &(leat_node_opts_t){.open = emits_in_open});
    open_world(&w, b, NULL, NULL, false);
    assert_int_equal(w.err.code, LEAT_ETYPE);
    assert_string_equal(w.err.where, "proc, task 0_3");
    close_world(&w);
}

static void test_commit_metadata(void **state)
{
    static const struct {
        int64_t time_ms;
        const char *text;
    } cases[] = {
        {-1, "Av//////////"},
        {0, "AgAAAAAAAAAA"},
        {1700000000000, "AgAAAYvP5WgA"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = leat__commit_metadata(cases[i].time_ms);

        assert_string_equal(text, cases[i].text);
        assert_int_equal(leat__commit_metadata_time(text), cases[i].time_ms);
        leat__free(text);
    }
    assert_int_equal(
        leat__commit_metadata_time(
            "AgAAAAAAAAAeAAAAAQAAACFub2RlLUtTVFJFQU0tQUdHUkVHQVRFLTAwMDAwMDAwMDEAAAAAAAAAGQ=="),
        30);
    assert_int_equal(leat__commit_metadata_time(NULL), -1);
    assert_int_equal(leat__commit_metadata_time(""), -1);
    assert_int_equal(leat__commit_metadata_time("AgAAAAAAAAA"), -1);
    assert_int_equal(leat__commit_metadata_time("BwAAAAAAAAAA"), -1);
    assert_int_equal(leat__commit_metadata_time("A!AAAAAAAAAA"), -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_goes_through_and_batch_is_released),
        cmocka_unit_test(test_nulls_pass_and_null_key_has_no_partition),
        cmocka_unit_test(test_smallest_time_goes_first_ties_by_heap),
        cmocka_unit_test(test_waits_for_an_input_not_known_empty),
        cmocka_unit_test(test_idle_time_is_waited),
        cmocka_unit_test(test_topic_with_fewer_partitions_is_not_waited_for),
        cmocka_unit_test(test_idle_minus_one_does_not_wait),
        cmocka_unit_test(test_negative_time_fails_and_says_where),
        cmocka_unit_test(test_time_functions),
        cmocka_unit_test(test_time_from_value),
        cmocka_unit_test(test_failure_stops_the_task),
        cmocka_unit_test(test_continue_drops_at_the_failing_node_only),
        cmocka_unit_test(test_undecodable_record),
        cmocka_unit_test(test_dead_letter_holds_the_input_record),
        cmocka_unit_test(test_dead_letter_without_topic_fails),
        cmocka_unit_test(test_send_error_retry_continue_and_abort),
        cmocka_unit_test(test_retry_of_a_final_error_fails),
        cmocka_unit_test(test_misuse_is_named),
        cmocka_unit_test(test_topic_chosen_per_record),
        cmocka_unit_test(test_missing_topic_is_named),
        cmocka_unit_test(test_partitioner_drops_and_multiplies),
        cmocka_unit_test(test_bytes_ride_along),
        cmocka_unit_test(test_records_below_position_are_skipped),
        cmocka_unit_test(test_markers_move_the_position),
        cmocka_unit_test(test_abort_starts_anew),
        cmocka_unit_test(test_open_may_not_emit),
        cmocka_unit_test(test_commit_metadata),
    };

    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
