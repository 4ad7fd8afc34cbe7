/*
 * Standby tasks at their edges: every kind of store, a source topic as changelog, copies that grow
 * old, crashes after any step, a broker that is away, a folder that another thread still holds, real
 * threads. Goal: whoever is promoted whenever, the output is what one process alone would have
 * written. Method as in test_thread_standby.c; the output is read from outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "runtime/state_dir.h"
#include "thread_rig.h"

#define ALO "at_least_once"
#define EOS "exactly_once_v2"
#define CHANGELOG "app-counts-changelog"
#define HOUR 3600000

static rig_record_t room[2000];

static void write_keys(rig_world_t *w, int32_t partition, const char *key, int count)
{
    static int64_t time_ms = 1000;

    for (int i = 0; i < count; i++)
        rig_write(w, "in", partition, key, "x", time_ms++);
}

static bool follows(rig_t *r)
{
    for (size_t i = 0; i < r->thread->task_count; i++) {
        leat__owned_t *o = r->thread->tasks[i];

        if (o->phase != LEAT__PHASE_STANDBY || leat__standby_left(o))
            return false;
    }
    return r->thread->task_count > 0;
}

static void pair(rig_world_t *w, rig_t **one, rig_t **other)
{
    *one = rig_start(w, 0);
    rig_settle(*one);
    *other = rig_start_other(w, 2);
    rig_keep_copies(*other);
    assert_true(rig_until(*other, follows, 1000));
}

/* As the leader does it: nothing of the first process can be committed any more. */
static void promote(rig_t *r)
{
    static const char *const ids[] = {"app-process-1-0-a"};
    const leat__broker_vt_t *vt = r->world->outside->vt;

    if (r->worker.exactly_once)
        leat__op_free(vt->fence(r->world->outside, ids, 1));
    rig_join(r);
    rig_give_all(r);
    assert_true(rig_until(r, rig_runs, 20000));
}

/* Each key's numbers in the output count up from one, without a gap. */
static void check_output(rig_world_t *w, size_t wanted)
{
    size_t count = rig_read(w, "out", w->partitions, true, room, sizeof room / sizeof *room);

    assert_int_equal(count, wanted);
    for (size_t i = 0; i < count; i++) {
        int64_t before = 0;

        for (size_t k = 0; k < i; k++)
            if (!strcmp(room[k].key, room[i].key) && room[k].partition == room[i].partition)
                before = room[k].number;
        assert_int_equal(room[i].number, before + 1);
    }
}

/* ---- kinds of stores ---- */

static const leat_backend_t *backend;

static void count_window(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_windows_t *counts = leat_windows(ctx, "counts");
    const int64_t *before = leat_windows_get(counts, in->key, 0);
    int64_t now = before ? *before + 1 : 1;

    leat_windows_put(counts, in->key, &now, 0);
    leat_emit_value(ctx, &now);
}

static void build_windows(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *number = leat_serde_int64();
    leat_store_opts_t opts = {.retention_ms = HOUR, .window_size_ms = HOUR, .backend = backend};

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_processor(
        b, "source", "count", count_window, &(leat_node_opts_t){.stores = "counts"});
    leat_builder_store(b, "counts", LEAT_TIMESTAMPED_WINDOWS, str, number, &opts);
    leat_builder_sink(b, "count", "sink", "out", str, number, NULL);
}

static void count_version(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_versions_t *counts = leat_versions(ctx, "counts");
    const leat_row_t *before = leat_versions_get(counts, in->key);
    int64_t now = before ? *(const int64_t *)before->value + 1 : 1;

    leat_versions_put(counts, in->key, &now, in->time_ms);
    leat_emit_value(ctx, &now);
}

static void build_versions(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *number = leat_serde_int64();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_processor(
        b, "source", "count", count_version, &(leat_node_opts_t){.stores = "counts"});
    leat_builder_store(b, "counts", LEAT_VERSIONS, str, number,
        &(leat_store_opts_t){.history_ms = HOUR, .backend = backend});
    leat_builder_sink(b, "count", "sink", "out", str, number, NULL);
}

static void every_kind(leat_build_fn build)
{
    rig_world_t w;
    rig_t *one, *other;

    rig_world_open(&w, build, 1, EOS);
    write_keys(&w, 0, "a", 5);
    write_keys(&w, 0, "b", 1);
    pair(&w, &one, &other);
    write_keys(&w, 0, "a", 2);
    rig_settle(one);
    assert_true(rig_until(other, follows, 100));
    rig_crash(one);
    promote(other);
    write_keys(&w, 0, "a", 1);
    write_keys(&w, 0, "b", 1);
    rig_settle(other);
    rig_stop(other);
    other = rig_start_other(&w, 2); /* and what was written is there again */
    rig_join(other);
    write_keys(&w, 0, "a", 1);
    rig_settle(other);
    rig_stop(other);
    check_output(&w, 11);
    rig_world_close(&w);
}

static void test_every_kind_of_store_is_followed(void **state)
{
    static const leat_build_fn builds[] = {build_windows, build_versions};

    (void)state;
    every_kind(rig_build_count);
    for (int i = 0; i < 4; i++) {
        backend = i < 2 ? leat_backend_rocksdb() : leat_backend_memory();
        every_kind(builds[i % 2]);
    }
}

/* ---- a source topic as changelog (PROTOCOLS.md 23) ---- */

static void mark_source_topic(leat__plan_t *plan)
{
    leat__store_spec_t *s = plan->groups[0].stores[0];

    s->source_topic = plan->groups[0].topics[0];
    s->logged = true;
}

static void keep_last(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *before = leat_kv_get(leat_kv(ctx, "counts"), in->key);
    leat_slice_t none = leat_slice("none");

    leat_kv_put(leat_kv(ctx, "counts"), in->key, in->value);
    leat_emit_value(ctx, before ? before : &none);
}

static void build_table(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_processor(
        b, "source", "count", keep_last, &(leat_node_opts_t){.stores = "counts"});
    leat_builder_store(
        b, "counts", LEAT_TIMESTAMPED_KV, str, str, &(leat_store_opts_t){.changelog = LEAT_OFF});
    leat_builder_sink(b, "count", "sink", "out", str, str, NULL);
}

static const char *text_of(rig_t *r, const char *key)
{
    static char text[32];
    leat_slice_t value;

    if (!leat__store_get(
            leat__task_store(rig_task(r, "0_0")->task, 0), leat_slice(key), &value, NULL))
        return "none";
    leat_slice_copy(&value, text, sizeof text);
    return text;
}

static void test_finding_23_a_standby_stops_at_the_committed_offset(void **state)
{
    static const char *const values[] = {"1", "2", "3", "4", "5"};
    rig_world_t w;
    rig_t *one, *other;

    (void)state;
    rig_world_open(&w, build_table, 1, EOS);
    w.adjust = mark_source_topic;
    rig_write(&w, "in", 0, "a", values[0], 1);
    pair(&w, &one, &other);
    assert_string_equal(text_of(other, "a"), "1");
    rig_write(&w, "in", 0, "a", values[1], 2);
    rig_write(&w, "in", 0, "a", values[2], 3);
    rig_steps(other, 500); /* the owner sleeps: nothing more is committed */
    assert_string_equal(text_of(other, "a"), "1");
    assert_int_equal(leat__standby_left(rig_task(other, "0_0")), 0);
    rig_settle(one);
    rig_steps(other, 500);
    assert_string_equal(text_of(other, "a"), "3");
    rig_write(&w, "in", 0, "a", values[3], 4); /* input, not state */
    rig_write(&w, "in", 0, "a", values[4], 5);
    rig_crash(one);
    promote(other);
    rig_settle(other);
    rig_stop(other);
    assert_int_equal(rig_read(&w, "out", 1, true, room, 100), 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(room[i].value, i ? values[i - 1] : "none");
    rig_world_close(&w);
}

/* ---- growing old ---- */

static void write_number(rig_world_t *w, const char *topic, const char *key, int64_t number)
{
    leat_error_t err = {0};
    leat__out_t *out = w->outside->vt->writer_topic(w->writer, topic, &err);
    char bytes[8];

    leat__store_be64(bytes, (uint64_t)number);
    assert_int_equal(w->outside->vt->produce(w->writer, out, 0, leat_slice(key),
                         (leat_slice_t){bytes, 8}, 1, NULL, &err),
        0);
    leat__op_free(w->outside->vt->writer_flush(w->writer));
}

static void test_a_copy_that_is_kept_up_never_grows_old(void **state)
{
    rig_world_t w;
    rig_t *one, *other;
    int64_t end;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    write_keys(&w, 0, "a", 5);
    pair(&w, &one, &other);
    rig_stop(one);
    end = rig_offset(&w, CHANGELOG, 0, LEAT__HIGH_WATERMARK);
    for (int i = 0; i < 30; i++) { /* two days, almost silent ones */
        if (i % 4 == 0) {
            write_number(&w, CHANGELOG, "b", i);
            end++;
        }
        w.clock.wall_ms += 16 * HOUR / 10;
        w.clock.steady_ms += 16 * HOUR / 10;
        rig_steps(other, 20);
    }
    rig_crash(other);
    other = rig_start_other(&w, 2);
    rig_keep_copies(other);
    assert_true(rig_until(other, follows, 1000));
    assert_int_equal(other->began, end);
    rig_stop(other);
    w.clock.wall_ms += 13 * HOUR; /* nobody kept it up: tombstones may have come and gone */
    other = rig_start_other(&w, 2);
    rig_keep_copies(other);
    assert_true(rig_until(other, follows, 1000));
    assert_int_equal(other->began, 0);
    assert_int_equal(rig_count(other, "0_0", "a"), 5);
    rig_stop(other);
    rig_world_close(&w);
}

/* A copy that could not follow does not claim to be young. */
static void test_a_copy_that_cannot_follow_grows_old(void **state)
{
    rig_world_t w;
    rig_t *one, *other;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    write_keys(&w, 0, "a", 5);
    pair(&w, &one, &other);
    leat__fault_down(w.log, other->broker, true);
    for (int i = 0; i < 10; i++) {
        w.clock.wall_ms += 16 * HOUR / 10;
        w.clock.steady_ms += 16 * HOUR / 10;
        rig_steps(other, 20);
    }
    leat__fault_down(w.log, other->broker, false);
    rig_crash(other);
    other = rig_start_other(&w, 2);
    rig_keep_copies(other);
    assert_true(rig_until(other, follows, 1000));
    assert_int_equal(other->began, 0);
    rig_stop(other);
    rig_crash(one);
    rig_world_close(&w);
}

/* ---- crashes, and a broker that is away ---- */

static bool crash_at(int step, const char *guarantee)
{
    rig_world_t w;
    rig_t *one, *other;
    int steps = 0, written = 0;

    rig_world_open(&w, rig_build_count, 1, guarantee);
    rig_world_set(&w, "statestore.checkpoint.interval.ms", "100");
    one = rig_start(&w, 0);
    other = rig_start_other(&w, 2);
    rig_keep_copies(other);
    for (; steps < step && steps < 130; steps++) {
        if (steps % 30 == 0 && ++written)
            write_keys(&w, 0, "a", 3);
        rig_step(one);
        if (steps % 3)
            rig_step(other);
        if (steps == step / 2) { /* the copy too, now and then */
            rig_crash(other);
            other = rig_start_other(&w, 2);
            rig_keep_copies(other);
        }
    }
    rig_crash(one);
    promote(other);
    for (; written < 5; written++)
        write_keys(&w, 0, "a", 3);
    rig_settle(other);
    if (!strcmp(guarantee, EOS))
        assert_int_equal(rig_count(other, "0_0", "a"), 15);
    else
        assert_true(rig_count(other, "0_0", "a") >= 15);
    rig_stop(other);
    if (!strcmp(guarantee, EOS))
        check_output(&w, 15);
    rig_world_close(&w);
    return steps < 130;
}

static void test_crash_after_any_few_steps_and_promotion(void **state)
{
    (void)state;
    for (int step = 0; crash_at(step, EOS); step += 3) /* each opens databases: not every one */
        continue;
    for (int step = 1; crash_at(step, ALO); step += 10)
        continue;
}

static void test_a_broker_that_is_away_is_waited_for(void **state)
{
    rig_world_t w;
    rig_t *one, *other;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    rig_world_set(&w, "task.timeout.ms", "1000");
    write_keys(&w, 0, "a", 5);
    one = rig_start(&w, 0);
    rig_settle(one);
    other = rig_start_other(&w, 2);
    leat__fault_lose(w.log, LEAT__CALL_OFFSETS, 20, false);
    rig_keep_copies(other);
    rig_steps(other, 800); /* longer than a running task would be waited for */
    assert_int_equal(other->failed, 0);
    assert_true(rig_until(other, follows, 2000));
    assert_int_equal(rig_count(other, "0_0", "a"), 5);
    leat__fault_down(w.log, other->broker, true);
    write_keys(&w, 0, "a", 1);
    rig_settle(one);
    rig_steps(other, 800);
    assert_int_equal(rig_count(other, "0_0", "a"), 5);
    leat__fault_down(w.log, other->broker, false);
    rig_steps(other, 100);
    assert_true(rig_until(other, follows, 1000));
    assert_int_equal(rig_count(other, "0_0", "a"), 6);
    assert_int_equal(other->failed, 0);
    rig_stop(other);
    rig_stop(one);
    rig_world_close(&w);
}

/* ---- the folder ---- */

/* Two threads of one process share its folder; a task moves from one to the other. */
static void test_a_folder_that_is_held_is_waited_for(void **state)
{
    rig_world_t w;
    rig_t *one, *other;
    leat__owned_t *o;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    write_keys(&w, 0, "a", 5);
    one = rig_start(&w, 0);
    rig_settle(one);
    other = rig_start_other(&w, 2);
    snprintf(other->dir, sizeof other->dir, "%s", one->dir);
    rig_keep_copies(other);
    rig_steps(other, 100);
    o = rig_task(other, "0_0");
    assert_int_equal(o->phase, LEAT__PHASE_CREATED);
    assert_int_equal(other->failed, 0);
    rig_stop(one);
    assert_true(rig_until(other, follows, 1000));
    assert_true(other->began > 0); /* it found what the other had left */
    assert_int_equal(rig_count(other, "0_0", "a"), 5);
    assert_int_equal(leat__state_dir_expire(other->dir, INT64_MAX), 0); /* held: never deleted */
    rig_stop(other);
    assert_int_equal(leat__state_dir_expire(w.dir, INT64_MAX), 1);
    rig_world_close(&w);
}

/* ---- threads ---- */

static bool view_follows(rig_t *r)
{
    leat__task_view_t *tasks = NULL;
    size_t size = 0, count = leat__thread_tasks(r->thread, &tasks, &size);
    bool all = count > 0;

    for (size_t i = 0; i < count; i++)
        all = all && tasks[i].standby && tasks[i].left == 0;
    leat__free(tasks);
    return all;
}

static int64_t wanted;

static bool committed(rig_t *r)
{
    return rig_committed(r->world, "in", 0) + rig_committed(r->world, "in", 1) >= wanted;
}

static bool stopped(rig_t *r)
{
    return r->stopped > 0;
}

static void stop_thread(rig_t *r)
{
    rig_say(r, leat__message_new(LEAT__SAY_STOP));
    assert_true(rig_until(r, stopped, 20000));
    rig_crash(r); /* stopped before: only freed */
}

static void test_threads_follow_and_are_promoted(void **state)
{
    rig_world_t w;
    rig_t *one, *other;

    (void)state;
    rig_world_open_real(&w, rig_build_count, 2, EOS);
    rig_world_set(&w, "statestore.checkpoint.interval.ms", "100");
    one = rig_start(&w, 0);
    other = rig_start_other(&w, 2);
    rig_keep_copies(other);
    for (int i = 0; i < 5; i++) {
        write_keys(&w, 0, "a", 20);
        write_keys(&w, 1, "b", 20);
        wanted += 40;
        assert_true(rig_until(one, committed, 20000));
    }
    stop_thread(one);
    assert_true(rig_until(other, view_follows, 20000));
    rig_join(other);
    rig_give_all(other);
    write_keys(&w, 0, "a", 20);
    wanted += 20;
    assert_true(rig_until(other, committed, 20000));
    stop_thread(other);
    check_output(&w, 220);
    rig_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_store_is_followed),
        cmocka_unit_test(test_finding_23_a_standby_stops_at_the_committed_offset),
        cmocka_unit_test(test_a_copy_that_is_kept_up_never_grows_old),
        cmocka_unit_test(test_a_copy_that_cannot_follow_grows_old),
        cmocka_unit_test(test_crash_after_any_few_steps_and_promotion),
        cmocka_unit_test(test_a_broker_that_is_away_is_waited_for),
        cmocka_unit_test(test_a_folder_that_is_held_is_waited_for),
        cmocka_unit_test(test_threads_follow_and_are_promoted),
    };

    if (getenv("LEAT_TEST_ONLY"))
        cmocka_set_test_filter(getenv("LEAT_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
