/*
 * The rules of PROTOCOLS.md that live in a stream thread, each by its scenario, under exactly once.
 * Method: one thread stepped by hand on the embedded log (thread_rig.h); the log's faults make the
 * scenario happen. Test names carry the finding's number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "thread_rig.h"

#define EOS "exactly_once_v2"
#define CHANGELOG "app-counts-changelog"

static rig_record_t room[20000];

static void write_keys(rig_world_t *w, int32_t partition, const char *key, int count)
{
    for (int i = 0; i < count; i++)
        rig_write(w, "in", partition, key, "x", 1000 + i);
}

/* Outputs are 1, 2 ... n for each key, of which there is one per partition. */
static void assert_counts_to(rig_world_t *w, int32_t partitions, int n)
{
    size_t count = rig_read(w, "out", partitions, true, room, 20000);
    int64_t last[256] = {0};

    assert_int_equal(count, n * partitions);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(room[i].number, ++last[(unsigned char)room[i].key[0]]);
}

static void run_alone(rig_t *r, int steps) /* the thread wakes, its control thread does not */
{
    for (int i = 0; i < steps; i++) {
        leat__thread_step(r->thread);
        r->world->clock.steady_ms += 5;
        r->world->clock.wall_ms += 5;
    }
}

static void test_finding_01_restore_waits_for_the_high_watermark(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 3);
    rig_settle(r);
    leat__fault_delay_markers(w.log, CHANGELOG, 0, true);
    write_keys(&w, 0, "a", 4);
    rig_settle(r);
    rig_crash(r);
    assert_int_equal(rig_committed(&w, "in", 0), 7);
    assert_true(rig_offset(&w, CHANGELOG, 0, LEAT__STABLE_END) <
                rig_offset(&w, CHANGELOG, 0, LEAT__HIGH_WATERMARK));

    r = rig_start(&w, 1); /* another process: its own ids */
    rig_steps(r, 400);
    /* committed() has answered, the changelog's marker is missing */
    assert_int_equal(r->restored, 0);
    assert_int_equal(rig_task(r, "0_0")->phase, LEAT__PHASE_RESTORING);
    leat__fault_delay_markers(w.log, CHANGELOG, 0, false);
    write_keys(&w, 0, "a", 1);
    rig_settle(r);
    assert_int_equal(rig_count(r, "0_0", "a"), 8);
    rig_stop(r);
    assert_counts_to(&w, 1, 8);
    rig_world_close(&w);
}

/* r1 sleeps with an open transaction, loses the group, r2 takes over and commits; r1 wakes. */
static void zombie(leat_build_fn build, bool control_wakes_too)
{
    rig_world_t w;
    rig_t *r1, *r2;
    uint64_t commits;

    rig_world_open(&w, build, 1, EOS);
    rig_world_set(&w, "commit.interval.ms", "1000");
    w.static_member = false;
    r1 = rig_start(&w, 0);
    rig_write(&w, "in", 0, "a", "1", 1);
    rig_settle(r1);
    rig_write(&w, "in", 0, "a", "2", 2);
    rig_steps(r1, 20);
    assert_true(r1->thread->transaction);
    commits = r1->thread->commits;
    leat__fault_end_session(w.log, RIG_APP, NULL);
    r2 = rig_start(&w, 1);
    assert_true(rig_until(r2, rig_runs, 4000));
    rig_write(&w, "in", 0, "a", "3", 3);
    rig_settle(r2);
    if (control_wakes_too)
        rig_steps(r1, 300);
    else
        run_alone(r1, 300);
    assert_int_equal(r1->thread->commits, commits); /* the generation it adopted is over */
    assert_true(r1->thread->aborts > 0);
    rig_settle(r2);
    rig_crash(r1);
    rig_stop(r2);
    rig_world_close(&w);
}

static void test_finding_02_a_zombie_commits_nothing(void **state)
{
    (void)state;
    zombie(rig_build_copy, false);
    zombie(rig_build_copy, true);
}

static void test_finding_02_lost_aborts_first(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    rig_world_set(&w, "commit.interval.ms", "2000");
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    write_keys(&w, 0, "a", 5);
    rig_steps(r, 10);
    assert_true(r->thread->transaction);
    rig_rejoin(r);
    rig_settle(r);
    assert_int_equal(r->lost, 1);
    assert_true(r->thread->aborts >= 1);
    rig_stop(r);
    assert_counts_to(&w, 1, 5);
    rig_world_close(&w);
}

static void on_tick(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_slice_t key = leat_slice("tick"), value = leat_slice("tock");

    (void)in;
    leat_emit(ctx, &key, &value);
}

static void schedule_tick(leat_ctx_t *ctx)
{
    leat_schedule(ctx, 20, LEAT_WALL_TIME, on_tick);
}

static void pass(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

static void build_ticks(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_processor(b, "source", "ticks", pass, &(leat_node_opts_t){.open = schedule_tick});
    leat_builder_sink(b, "ticks", "sink", "out", str, str, NULL);
}

static void test_finding_03_a_transaction_of_ticks_alone_has_a_fence(void **state)
{
    rig_world_t w;
    rig_t *r;
    uint64_t commits;
    size_t before;

    (void)state;
    rig_world_open(&w, build_ticks, 1, EOS);
    w.static_member = false;
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    rig_steps(r, 100); /* nothing is consumed, ticks are committed */
    commits = r->thread->commits;
    assert_true(commits > 2);
    before = rig_read(&w, "out", 1, true, room, 20000);
    assert_true(before > 2);
    leat__fault_end_session(w.log, RIG_APP, NULL);
    run_alone(r, 200);
    assert_true(r->thread->commits <= commits + 1); /* one may have been under way */
    assert_true(r->thread->aborts > 0);
    rig_crash(r);
    rig_world_close(&w);
}

static void test_finding_04_start_is_committed_before_the_first_record(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    rig_world_set(&w, "auto.offset.reset", "latest");
    rig_world_set(&w, "commit.interval.ms", "1000");
    write_keys(&w, 0, "old", 5);
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    assert_int_equal(rig_committed(&w, "in", 0), 5);
    write_keys(&w, 0, "a", 10);
    rig_steps(r, 10);
    assert_true(r->thread->transaction);
    leat__commit_abort(r->thread); /* back to 5, not to "latest" */
    rig_settle(r);
    rig_stop(r);
    assert_counts_to(&w, 1, 10);
    rig_world_close(&w);
}

static void test_finding_04_gone_offsets_fail_instead_of_counting_twice(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    rig_world_set(&w, "task.timeout.ms", "5000");
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 4);
    rig_settle(r);
    rig_stop(r);
    leat__fault_expire_offsets(w.log, RIG_APP);
    r = rig_start(&w, 0);
    rig_steps(r, 500);
    assert_int_equal(r->failed, 0); /* asked again for task.timeout.ms */
    assert_int_equal(r->restored, 0);
    assert_true(rig_until(r, rig_failed, 2000));
    assert_int_equal(r->failure.code, LEAT_EFAILED);
    assert_non_null(strstr(r->failure.text, "committed offsets of group app are gone"));
    assert_non_null(strstr(r->failure.text, "reset"));
    rig_crash(r);
    assert_counts_to(&w, 1, 4);
    rig_world_close(&w);
}

static void test_finding_04_a_passing_answer_of_none_is_asked_again(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 4);
    rig_settle(r);
    rig_crash(r);
    leat__fault_no_offsets(w.log, RIG_APP, 3);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 2);
    rig_settle(r);
    rig_stop(r);
    assert_counts_to(&w, 1, 6);
    rig_world_close(&w);
}

static void test_finding_04_reset_none_names_the_topic(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    rig_world_set(&w, "auto.offset.reset", "none");
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_failed, 1000));
    assert_int_equal(r->failure.code, LEAT_ETOPIC);
    assert_non_null(strstr(r->failure.where, "in-0"));
    rig_crash(r);
    rig_world_close(&w);
}

/* ---- finding 5: two stores, one of which does not survive the process ---- */

static void count_twice(leat_ctx_t *ctx, const leat_record_t *in)
{
    static const char *const names[] = {"counts", "volatile"};

    for (int i = 0; i < 2; i++) {
        leat_kv_t *counts = leat_kv(ctx, names[i]);
        const int64_t *before = leat_kv_get(counts, in->key);
        int64_t now = before ? *before + 1 : 1;

        leat_kv_put(counts, in->key, &now);
        if (i)
            leat_emit_value(ctx, &now);
    }
}

static void build_two_stores(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *number = leat_serde_int64();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_processor(
        b, "source", "count", count_twice, &(leat_node_opts_t){.stores = "counts,volatile"});
    leat_builder_store(b, "counts", LEAT_TIMESTAMPED_KV, str, number, NULL);
    leat_builder_store(b, "volatile", LEAT_TIMESTAMPED_KV, str, number,
        &(leat_store_opts_t){.backend = leat_backend_memory()});
    leat_builder_sink(b, "count", "sink", "out", str, number, NULL);
}

static void test_finding_05_a_memory_store_is_replayed_from_the_beginning(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, build_two_stores, 1, EOS);
    rig_world_set(&w, "statestore.checkpoint.interval.ms", "100");
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 3);
    write_keys(&w, 0, "b", 2);
    rig_settle(r);
    rig_steps(r, 100); /* a checkpoint of both */
    write_keys(&w, 0, "b", 1);
    rig_settle(r);
    rig_crash(r);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 1);
    write_keys(&w, 0, "b", 1);
    rig_settle(r);
    for (size_t i = 0; i < 2; i++) {
        leat_slice_t value;

        assert_true(leat__store_get(
            leat__task_store(rig_task(r, "0_0")->task, i), leat_slice("a"), &value, NULL));
        assert_int_equal(leat__load_be64(value.data), 4);
    }
    rig_stop(r);
    rig_world_close(&w);
}

/* ---- finding 6 ---- */

static int opened, closed;

typedef struct local_t {
    int64_t seen;
} local_t;

static void on_open(leat_ctx_t *ctx)
{
    assert_int_equal(((local_t *)leat_local(ctx))->seen, 0);
    opened++;
}

static void on_close(leat_ctx_t *ctx)
{
    (void)ctx;
    closed++;
}

static void count_in_local(leat_ctx_t *ctx, const leat_record_t *in)
{
    local_t *local = leat_local(ctx);

    (void)in;
    local->seen++;
    leat_emit_value(ctx, &local->seen);
}

static void build_local(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *number = leat_serde_int64();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_processor(b, "source", "local", count_in_local,
        &(leat_node_opts_t){.local_size = sizeof(local_t), .open = on_open, .close = on_close});
    leat_builder_sink(b, "local", "sink", "out", str, number, NULL);
}

static void test_finding_06_an_abort_starts_processors_anew(void **state)
{
    rig_world_t w;
    rig_t *r;
    leat__owned_t *o;

    (void)state;
    opened = closed = 0;
    rig_world_open(&w, build_local, 1, EOS);
    rig_world_set(&w, "commit.interval.ms", "1000");
    r = rig_start(&w, 0);
    rig_write(&w, "in", 0, "a", "x", 5000);
    rig_settle(r);
    o = rig_task(r, "0_0");
    assert_int_equal(leat__task_partition_time(o->task, 0), 5000);
    rig_write(&w, "in", 0, "a", "x", 90000000); /* from a clock gone wrong */
    rig_steps(r, 10);
    assert_int_equal(leat__task_partition_time(o->task, 0), 90000000);
    r->thread->paused = true; /* so that nothing is processed again before we look */
    leat__commit_abort(r->thread);
    run_alone(r, 3);
    assert_int_equal(opened, 2);
    assert_int_equal(closed, 1);
    assert_int_equal(leat__task_partition_time(o->task, 0), 5000); /* of the committed metadata */
    r->thread->paused = false;
    rig_settle(r);
    rig_stop(r);
    assert_int_equal(rig_read(&w, "out", 1, true, room, 100), 2);
    assert_int_equal(room[1].number, 1); /* its memory was of the aborted transaction */
    rig_world_close(&w);
}

static void test_finding_06_partition_time_survives_a_restart(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    r = rig_start(&w, 0);
    rig_write(&w, "in", 0, "a", "x", 123456);
    rig_settle(r);
    rig_crash(r);
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    assert_int_equal(leat__task_partition_time(rig_task(r, "0_0")->task, 0), 123456);
    rig_stop(r);
    rig_world_close(&w);
}

/* ---- finding 9 ---- */

static void test_finding_09_state_of_another_incarnation_is_rebuilt(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 3);
    write_keys(&w, 0, "b", 1);
    rig_settle(r);
    rig_stop(r);
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    assert_true(r->replayed <= 2);
    rig_stop(r);
    r = rig_start(&w, 0);
    r->incarnation = 78;
    assert_true(rig_until(r, rig_runs, 1000));
    assert_true(r->replayed >= 2); /* from the beginning, into an emptied store */
    assert_int_equal(rig_count(r, "0_0", "a"), 3);
    rig_stop(r);
    rig_world_close(&w);
}

static void test_finding_09_state_beyond_the_end_is_rebuilt(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 3);
    rig_settle(r);
    rig_stop(r);
    assert_true(leat__fault_recreate_topic(w.log, CHANGELOG));
    r = rig_start(&w, 0);
    r->incarnation = 0; /* not known */
    write_keys(&w, 0, "a", 1);
    rig_settle(r);
    assert_int_equal(rig_count(r, "0_0", "a"), 1); /* the changelog is the truth */
    rig_stop(r);
    rig_world_close(&w);
}

/* ---- finding 12 ---- */

static void test_finding_12_a_fenced_thread_that_still_owns_goes_on(void **state)
{
    static const char *const ids[] = {"app-process-1-0-a"};
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    rig_world_set(&w, "commit.interval.ms", "1000");
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 2);
    rig_settle(r);
    write_keys(&w, 0, "a", 3);
    rig_steps(r, 10);
    assert_true(r->thread->transaction);
    leat__op_free(w.outside->vt->fence(w.outside, ids, 1)); /* a leader that took it for dead */
    rig_settle(r);
    assert_int_equal(r->failed, 0);
    assert_int_equal(rig_count(r, "0_0", "a"), 5);
    rig_stop(r);
    assert_counts_to(&w, 1, 5);
    rig_world_close(&w);
}

/* ---- finding 14 ---- */

static void test_finding_14_a_twin_is_named(void **state)
{
    rig_world_t w;
    rig_t *r[2];
    int round = 0;

    (void)state;
    rig_world_open(&w, rig_build_copy, 1, EOS);
    w.static_member = false;
    r[0] = rig_start(&w, 0);
    assert_true(rig_until(r[0], rig_runs, 1000));
    snprintf(w.dir + strlen(w.dir), 2, "2"); /* a copied directory: same process id, other lock */
    r[1] = rig_start(&w, 0);
    for (; round < 4000 && !r[0]->failed && !r[1]->failed; round++) {
        if (round % 20 == 0)
            rig_write(&w, "in", 0, "a", "x", round);
        rig_step(r[round % 2]);
    }
    assert_true(r[0]->failed || r[1]->failed);
    assert_int_equal(r[r[0]->failed ? 0 : 1]->failure.code, LEAT_EFENCED);
    assert_non_null(strstr(r[r[0]->failed ? 0 : 1]->failure.text, "another live process"));
    rig_crash(r[0]);
    rig_crash(r[1]);
    w.dir[strlen(w.dir) - 1] = '\0';
    rig_world_close(&w);
}

/* ---- finding 15 ---- */

static bool answered_barrier(rig_t *r)
{
    return r->barriers > 0;
}

static void test_finding_15_a_pause_does_not_outlive_half_a_transaction(void **state)
{
    rig_world_t w;
    rig_t *r;
    leat__message_t *m;
    uint64_t commits;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 2);
    rig_settle(r);
    m = leat__message_new(LEAT__SAY_BARRIER);
    m->number = 41;
    rig_say(r, m);
    assert_true(rig_until(r, answered_barrier, 100));
    assert_int_equal(r->last_barrier, 41);
    commits = r->thread->commits;
    write_keys(&w, 0, "a", 3);
    rig_steps(r, 100); /* 500 ms: goes on processing, commits nothing */
    assert_true(r->thread->transaction);
    assert_int_equal(r->thread->commits, commits);
    rig_steps(r, 1000); /* 5 s: given up */
    assert_false(r->thread->transaction);
    assert_int_equal(r->thread->aborts, 1);
    rig_steps(r, 400);
    assert_int_equal(r->thread->aborts, 1); /* and waits */
    m = leat__message_new(LEAT__SAY_MEMBERSHIP);
    m->membership = leat__membership_ref(r->membership);
    m->epoch = r->epoch;
    m->tasks = leat__must_alloc(sizeof *m->tasks);
    m->task_count = 1;
    rig_say(r, m);
    rig_settle(r);
    rig_stop(r);
    assert_counts_to(&w, 1, 5);
    rig_world_close(&w);
}

/* ---- finding 21 ---- */

static void test_finding_21_the_second_writer_waits_for_the_first_ones_commit(void **state)
{
    rig_world_t w;
    rig_t *r;
    int64_t end;
    int active;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    rig_world_set(&w, "commit.interval.ms", "10");
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    assert_int_equal(r->thread->writer_count, 2);
    rig_settle(r);
    active = r->thread->active;
    write_keys(&w, 0, "a", 1);
    rig_settle(r);
    assert_int_equal(r->thread->active, !active);
    leat__fault_hold(w.log, LEAT__CALL_COMMIT, LEAT__HOLD_BEFORE);
    write_keys(&w, 0, "a", 1);
    rig_steps(r, 20);
    assert_int_equal(r->thread->commit.state, LEAT__COMMIT_END);
    end = rig_offset(&w, "out", 0, LEAT__HIGH_WATERMARK);
    active = r->thread->active;
    write_keys(&w, 0, "a", 1);
    rig_steps(r, 50);
    /* nothing begun behind it */
    assert_int_equal(rig_offset(&w, "out", 0, LEAT__HIGH_WATERMARK), end);
    assert_int_equal(r->thread->active, active);
    leat__fault_hold(w.log, LEAT__CALL_COMMIT, LEAT__HOLD_NOT);
    rig_settle(r);
    rig_stop(r);
    assert_counts_to(&w, 1, 3);
    rig_world_close(&w);
}

/* ---- findings 24, 25 ---- */

static void as_repartition(leat__plan_t *plan)
{
    plan->groups[0].sources[0]->internal = true;
}

static void test_finding_24_purges_only_what_is_committed(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_copy, 1, EOS);
    rig_world_set(&w, "repartition.purge.interval.ms", "200");
    w.adjust = as_repartition;
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 5);
    rig_settle(r);
    rig_steps(r, 60);
    write_keys(&w, 0, "a", 1);
    rig_settle(r);
    rig_steps(r, 60);
    assert_int_equal(rig_offset(&w, "in", 0, LEAT__EARLIEST), 6);
    leat__fault_hold(w.log, LEAT__CALL_COMMIT, LEAT__HOLD_BEFORE);
    write_keys(&w, 0, "a", 3);
    rig_steps(r, 200);
    assert_int_equal(rig_offset(&w, "in", 0, LEAT__EARLIEST), 6); /* not known to be committed */
    leat__fault_hold(w.log, LEAT__CALL_COMMIT, LEAT__HOLD_NOT);
    rig_settle(r);
    rig_stop(r);
    assert_int_equal(rig_read(&w, "out", 1, true, room, 100), 9);
    rig_world_close(&w);
}

static bool lost_done(rig_t *r)
{
    return r->lost > 0;
}

static void test_finding_25_mail_is_answered_while_a_commit_is_pending(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    leat__fault_hold(w.log, LEAT__CALL_SEND_OFFSETS, LEAT__HOLD_BEFORE);
    write_keys(&w, 0, "a", 3);
    rig_steps(r, 50);
    assert_int_equal(r->thread->commit.state, LEAT__COMMIT_OFFSETS);
    rig_say(r, leat__message_new(LEAT__SAY_PAUSE));
    rig_rejoin(r);
    rig_steps(r, 10);
    assert_true(r->thread->paused && r->thread->lost); /* heard, though the commit is still open */
    leat__fault_hold(w.log, LEAT__CALL_SEND_OFFSETS, LEAT__HOLD_NOT);
    assert_true(rig_until(r, lost_done, 200));
    assert_int_equal(rig_read(&w, "out", 1, true, room, 100), 0); /* aborted, not committed */
    rig_say(r, leat__message_new(LEAT__SAY_RESUME));
    rig_settle(r);
    rig_stop(r);
    assert_counts_to(&w, 1, 3);
    rig_world_close(&w);
}

/* The producer's client never answers again; the thread makes a new one, and the counts are right. */
static void test_a_call_that_never_comes_back_is_given_up(void **state)
{
    rig_world_t w;
    rig_t *r;
    const leat__writer_t *before;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 2);
    rig_settle(r);
    before = r->thread->writers[0];
    leat__fault_hold(w.log, LEAT__CALL_SEND_OFFSETS, LEAT__HOLD_BEFORE);
    write_keys(&w, 0, "a", 3);
    rig_steps(r, (int)(r->thread->call_max_ms / 5) - 100);
    assert_ptr_equal(r->thread->writers[0], before); /* patient, not for ever */
    assert_int_equal(r->thread->commit.state, LEAT__COMMIT_OFFSETS);
    rig_steps(r, 400);
    assert_true(r->thread->trouble_since_ms >= 0);
    leat__fault_hold(w.log, LEAT__CALL_SEND_OFFSETS, LEAT__HOLD_NOT);
    rig_settle(r);
    assert_int_equal(r->failed, 0);
    rig_stop(r);
    assert_counts_to(&w, 1, 5);
    rig_world_close(&w);
}

/* An outcome that is not known: carried out or not, every count is right. */
static void unknown_outcome(leat__fault_call_t call, bool effect)
{
    rig_world_t w;
    rig_t *r;

    rig_world_open(&w, rig_build_count, 2, EOS);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 2);
    write_keys(&w, 1, "b", 2);
    rig_settle(r);
    write_keys(&w, 0, "a", 3);
    write_keys(&w, 1, "b", 3);
    leat__fault_lose(w.log, call, 1, effect);
    rig_settle(r);
    assert_int_equal(rig_count(r, "0_0", "a"), 5);
    assert_int_equal(rig_count(r, "0_1", "b"), 5);
    rig_stop(r);
    assert_counts_to(&w, 2, 5);
    rig_world_close(&w);
}

static void test_unknown_outcomes_stay_exact(void **state)
{
    static const leat__fault_call_t calls[] = {
        LEAT__CALL_SEND_OFFSETS, LEAT__CALL_COMMIT, LEAT__CALL_PRODUCE, LEAT__CALL_FLUSH};

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        unknown_outcome(calls[i], true);
        unknown_outcome(calls[i], false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finding_01_restore_waits_for_the_high_watermark),
        cmocka_unit_test(test_finding_02_a_zombie_commits_nothing),
        cmocka_unit_test(test_finding_02_lost_aborts_first),
        cmocka_unit_test(test_finding_03_a_transaction_of_ticks_alone_has_a_fence),
        cmocka_unit_test(test_finding_04_start_is_committed_before_the_first_record),
        cmocka_unit_test(test_finding_04_gone_offsets_fail_instead_of_counting_twice),
        cmocka_unit_test(test_finding_04_a_passing_answer_of_none_is_asked_again),
        cmocka_unit_test(test_finding_04_reset_none_names_the_topic),
        cmocka_unit_test(test_finding_05_a_memory_store_is_replayed_from_the_beginning),
        cmocka_unit_test(test_finding_06_an_abort_starts_processors_anew),
        cmocka_unit_test(test_finding_06_partition_time_survives_a_restart),
        cmocka_unit_test(test_finding_09_state_of_another_incarnation_is_rebuilt),
        cmocka_unit_test(test_finding_09_state_beyond_the_end_is_rebuilt),
        cmocka_unit_test(test_finding_12_a_fenced_thread_that_still_owns_goes_on),
        cmocka_unit_test(test_finding_14_a_twin_is_named),
        cmocka_unit_test(test_finding_15_a_pause_does_not_outlive_half_a_transaction),
        cmocka_unit_test(test_finding_21_the_second_writer_waits_for_the_first_ones_commit),
        cmocka_unit_test(test_finding_24_purges_only_what_is_committed),
        cmocka_unit_test(test_finding_25_mail_is_answered_while_a_commit_is_pending),
        cmocka_unit_test(test_a_call_that_never_comes_back_is_given_up),
        cmocka_unit_test(test_unknown_outcomes_stay_exact),
    };

    if (getenv("LEAT_TEST_ONLY"))
        cmocka_set_test_filter(getenv("LEAT_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
