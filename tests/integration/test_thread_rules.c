/*
 * A stream thread under at least once, its budgets, and the messages that give and take tasks, on
 * the embedded log. Method as in test_thread_findings.c; findings 8, 17 and 20 of PROTOCOLS.md by
 * name.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "base/buf.h"
#include "thread_rig.h"

#define ALO "at_least_once"
#define EOS "exactly_once_v2"
#define CHANGELOG "app-counts-changelog"

static rig_record_t room[40000];

static void write_keys(rig_world_t *w, int32_t partition, const char *key, int count)
{
    for (int i = 0; i < count; i++)
        rig_write(w, "in", partition, key, "x", 1000 + i);
}

/* ---- at least once ---- */

static void test_at_least_once_commits_and_resumes(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 2, ALO);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 5);
    write_keys(&w, 1, "b", 3);
    rig_settle(r);
    assert_int_equal(rig_committed(&w, "in", 0), 5);
    rig_stop(r);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 1);
    rig_settle(r);
    assert_int_equal(rig_count(r, "0_0", "a"), 6);
    assert_int_equal(rig_count(r, "0_1", "b"), 3);
    rig_stop(r);
    assert_int_equal(rig_read(&w, "out", 2, true, room, 100), 9);
    rig_world_close(&w);
}

static bool crash_at(int step)
{
    rig_world_t w;
    rig_t *r;
    int steps = 0, round = 0;
    bool crashed = false;

    rig_world_open(&w, rig_build_count, 1, ALO);
    rig_world_set(&w, "statestore.checkpoint.interval.ms", "100");
    r = rig_start(&w, 0);
    for (; round < 4 && !crashed; round++) {
        write_keys(&w, 0, "a", 3);
        for (int i = 0; i < 25 && !crashed; i++) {
            rig_step(r);
            crashed = steps++ >= step;
        }
    }
    rig_crash(r);
    r = rig_start(&w, 0);
    for (; round < 4; round++)
        write_keys(&w, 0, "a", 3);
    rig_settle(r);
    assert_true(rig_count(r, "0_0", "a") >= 12); /* nothing is lost */
    assert_true(rig_count(r, "0_0", "a") <= 12 + 3);
    rig_stop(r);
    assert_true(rig_read(&w, "out", 1, true, room, 100) >= 12);
    rig_world_close(&w);
    return crashed;
}

static void test_at_least_once_crash_after_any_step_loses_nothing(void **state)
{
    int step = 0;

    (void)state;
    while (crash_at(step))
        step++;
    assert_true(step > 50);
}

static void test_finding_08_i_not_heard_nothing_is_logged(void **state)
{
    rig_world_t w;
    rig_t *r;
    int64_t end;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, ALO);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 1);
    rig_settle(r);
    end = rig_offset(&w, CHANGELOG, 0, LEAT__HIGH_WATERMARK);
    r->heard_ms = 20000; /* longer than session.timeout.ms */
    write_keys(&w, 0, "a", 3);
    rig_steps(r, 200);
    assert_int_equal(rig_count(r, "0_0", "a"), 4); /* processed */
    assert_int_equal(rig_offset(&w, CHANGELOG, 0, LEAT__HIGH_WATERMARK), end);
    assert_int_equal(rig_committed(&w, "in", 0), 1);
    r->heard_ms = 10;
    rig_settle(r);
    assert_true(rig_offset(&w, CHANGELOG, 0, LEAT__HIGH_WATERMARK) > end);
    assert_int_equal(rig_committed(&w, "in", 0), 4);
    rig_stop(r);
    rig_world_close(&w);
}

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

static int64_t last_in_changelog(rig_world_t *w, const char *key)
{
    size_t count = rig_read(w, CHANGELOG, 1, false, room, 20000);
    int64_t last = -1;

    for (size_t i = 0; i < count; i++)
        if (!strcmp(room[i].key, key))
            last = room[i].number;
    return last;
}

static void test_finding_08_ii_a_strangers_record_is_logged_over(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, ALO);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 7);
    write_keys(&w, 0, "b", 2);
    rig_settle(r);
    assert_int_equal(last_in_changelog(&w, "a"), 7);
    /* who slept through the loss of this task flushes its buffers */
    write_number(&w, CHANGELOG, "a", 5);
    write_number(&w, CHANGELOG, "gone", 1);
    assert_int_equal(last_in_changelog(&w, "a"), 5);
    write_keys(&w, 0, "b", 1);
    rig_settle(r);
    assert_int_equal(last_in_changelog(&w, "a"), 7);
    rig_crash(r);
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    assert_int_equal(rig_count(r, "0_0", "a"), 7);
    assert_int_equal(rig_count(r, "0_0", "b"), 3);
    assert_int_equal(rig_count(r, "0_0", "gone"), -1);
    rig_stop(r);
    rig_world_close(&w);
}

static void failed_flush(leat__fault_call_t call, bool effect)
{
    rig_world_t w;
    rig_t *r;
    size_t count;
    int64_t most = 0;

    rig_world_open(&w, rig_build_count, 1, ALO);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 4);
    rig_settle(r);
    write_keys(&w, 0, "a", 4);
    leat__fault_lose(w.log, call, 1, effect);
    rig_settle(r);
    assert_true(rig_count(r, "0_0", "a") >= 8);
    write_keys(&w, 0, "b", 1);
    rig_settle(r);
    count = rig_read(&w, CHANGELOG, 1, false, room, 20000);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(room[i].key, "a"))
            most = room[i].number;
    assert_int_equal(most, rig_count(r, "0_0", "a")); /* local state and changelog say the same */
    rig_stop(r);
    rig_world_close(&w);
}

static void test_finding_08_iii_a_failed_flush_is_replayed(void **state)
{
    (void)state;
    failed_flush(LEAT__CALL_FLUSH, true);
    failed_flush(LEAT__CALL_FLUSH, false);
    failed_flush(LEAT__CALL_PRODUCE, true);
    failed_flush(LEAT__CALL_PRODUCE, false);
    failed_flush(LEAT__CALL_MEMBER_COMMIT, true);
    failed_flush(LEAT__CALL_MEMBER_COMMIT, false);
}

static bool asked(rig_t *r)
{
    return r->kept != NULL;
}

static void test_finding_02_a_commit_of_another_epoch_is_dropped(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, ALO);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 2);
    rig_settle(r);
    r->hold_commits = true;
    write_keys(&w, 0, "a", 2);
    assert_true(rig_until(r, asked, 200));
    rig_rejoin(r); /* the epoch goes up; the request is of the old one */
    r->hold_commits = false;
    assert_int_equal(r->kept->epoch, r->epoch - 1);
    rig_say(r, leat__message_new(LEAT__SAY_COMMITTING)); /* op NULL */
    rig_settle(r);
    assert_true(rig_count(r, "0_0", "a") >= 4);
    assert_int_equal(rig_committed(&w, "in", 0), 4);
    rig_stop(r);
    rig_world_close(&w);
}

/* ---- budgets ---- */

static void write_many(rig_world_t *w, int from, int count)
{
    leat_error_t err = {0};
    leat__out_t *out = w->outside->vt->writer_topic(w->writer, "in", &err);

    for (int i = from; i < from + count; i++) {
        char key[64];

        snprintf(key, sizeof key, "key-%024d-%024d", i, i);
        assert_int_equal(w->outside->vt->produce(
                             w->writer, out, 0, leat_slice(key), leat_slice("x"), 1, NULL, &err),
            0);
    }
    leat__op_free(w->outside->vt->writer_flush(w->writer));
}

static void budget(const char *guarantee, leat_build_fn build)
{
    rig_world_t w;
    rig_t *r;
    size_t most = 0;
    int64_t wall;

    rig_world_open(&w, build, 1, guarantee);
    rig_world_set(&w, "statestore.buffer.max.bytes", "1048576");
    rig_world_set(&w, "commit.interval.ms", "9000");
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    write_many(&w, 0, 30000); /* several times what fits */
    wall = w.clock.wall_ms;
    for (int i = 0; i < 20000 && leat__task_counts(rig_task(r, "0_0")->task)->records < 30000;
         i++) {
        rig_step(r);
        if (r->thread->budget.entry_bytes > most)
            most = r->thread->budget.entry_bytes;
    }
    assert_true(w.clock.wall_ms - wall < 9000); /* commits came early, by the budget */
    assert_true(r->thread->commits > 3);
    assert_in_range(most, 500000, 1048576 * 5 / 4);
    rig_settle(r);
    assert_int_equal(
        rig_count(r, "0_0", "key-000000000000000000000007-000000000000000000000007"), 1);
    rig_stop(r);
    rig_world_close(&w);
}

static void build_cached(leat_builder_t *b);

static void test_finding_17_the_budget_is_kept(void **state)
{
    (void)state;
    budget(ALO, rig_build_count);
    budget(EOS, rig_build_count);
    budget(EOS, build_cached);
}

static void count_quietly(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_t *counts = leat_kv(ctx, "counts");
    const int64_t *before = leat_kv_get(counts, in->key);
    int64_t now = before ? *before + 1 : 1;

    leat_kv_put(counts, in->key, &now);
}

static void build_cached(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *number = leat_serde_int64();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_processor(
        b, "source", "count", count_quietly, &(leat_node_opts_t){.stores = "counts"});
    leat_builder_store(
        b, "counts", LEAT_TIMESTAMPED_KV, str, number, &(leat_store_opts_t){.cache = LEAT_ON});
}

static void test_finding_17_over_the_cache_is_logged_early(void **state)
{
    rig_world_t w;
    rig_t *r;
    uint64_t commits;

    (void)state;
    rig_world_open(&w, build_cached, 1, EOS);
    rig_world_set(&w, "statestore.cache.max.bytes", "20000");
    rig_world_set(&w, "commit.interval.ms", "9000");
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    commits = r->thread->commits;
    write_many(&w, 0, 2000);
    rig_steps(r, 100);
    assert_int_equal(r->thread->commits, commits);
    assert_true(r->thread->transaction); /* logged, not committed */
    assert_true(r->thread->budget.cached_dirty_bytes < 25000);
    rig_settle(r);
    rig_stop(r);
    assert_int_equal(rig_read(&w, CHANGELOG, 1, true, room, 20000), 2000);
    rig_world_close(&w);
}

static void drop_line(
    void *user, leat_level_t level, const char *area, const char *text, const char *fields)
{
    (void)user, (void)level, (void)area, (void)text, (void)fields;
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_finding_18_a_full_disk_is_waited_for(void **state)
{
    rig_world_t w;
    rig_t *r;
    uint64_t records;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    rig_world_open(&w, rig_build_count, 1, EOS);
    rig_world_set(&w, "statestore.buffer.max.bytes", "1048576");
    rig_world_set(&w, "statestore.checkpoint.interval.ms", "100");
    r = rig_start(&w, 0);
    write_many(&w, 0, 100);
    rig_settle(r);
    leat_log_to(drop_line, NULL, LEAT_LOG_ERROR);
    limit_files(
        100000); /* a file that would get larger cannot be written; RocksDB writes its own log first */
    write_many(&w, 100, 30000);
    rig_steps(r, 3000); /* 15 s */
    assert_int_equal(r->failed, 0);
    records = leat__task_counts(rig_task(r, "0_0")->task)->records;
    assert_in_range(records, 1000, 20000); /* until the budget is used up */
    assert_true(r->thread->full);
    assert_false(
        r->thread->transaction); /* what was done is committed; it waits with nothing open */
    assert_in_range(r->thread->budget.entry_bytes, 1, 1048576 * 5 / 4);
    limit_files(RLIM_INFINITY);
    rig_settle(r);
    assert_false(r->thread->full);
    assert_int_equal(
        rig_count(r, "0_0", "key-000000000000000000000007-000000000000000000000007"), 1);
    rig_stop(r);
    assert_int_equal(rig_read(&w, "out", 1, true, room, 40000), 30100);
    rig_world_close(&w);
}

/* ---- stores without changelog ---- */

static void count_alone(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_t *counts = leat_kv(ctx, "counts");
    const int64_t *before = leat_kv_get(counts, in->key);
    int64_t now = before ? *before + 1 : 1;

    leat_kv_put(counts, in->key, &now);
    leat_emit_value(ctx, &now);
}

static void build_unlogged(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string(), *number = leat_serde_int64();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_processor(
        b, "source", "count", count_alone, &(leat_node_opts_t){.stores = "counts"});
    leat_builder_store(
        b, "counts", LEAT_TIMESTAMPED_KV, str, number, &(leat_store_opts_t){.changelog = LEAT_OFF});
    leat_builder_sink(b, "count", "sink", "out", str, number, NULL);
}

static bool unlogged_crash_at(int step, leat__fault_when_t when)
{
    rig_world_t w;
    rig_t *r;
    int steps = 0, round = 0;
    bool crashed = false;
    size_t count;

    rig_world_open(&w, build_unlogged, 1, EOS);
    rig_world_set(&w, "statestore.checkpoint.interval.ms", "400");
    r = rig_start(&w, 0);
    for (; round < 4 && !crashed; round++) {
        write_keys(&w, 0, "a", 2);
        for (int i = 0; i < 25 && !crashed; i++) {
            if (steps == step && when != LEAT__HOLD_NOT)
                leat__fault_hold(w.log, LEAT__CALL_COMMIT, when);
            rig_step(r);
            crashed = steps++ >= step + (when != LEAT__HOLD_NOT ? 30 : 0);
        }
    }
    rig_crash(r);
    if (when != LEAT__HOLD_NOT)
        leat__fault_hold(w.log, LEAT__CALL_COMMIT, LEAT__HOLD_NOT);
    r = rig_start(&w, 0);
    for (; round < 4; round++)
        write_keys(&w, 0, "a", 2);
    rig_settle(r);
    assert_int_equal(rig_count(r, "0_0", "a"), 8);
    rig_stop(r);
    count = rig_read(&w, "out", 1, true, room, 100);
    assert_int_equal(count, 8);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(room[i].number, i + 1);
    rig_world_close(&w);
    return crashed;
}

static void test_finding_20_unlogged_stores_survive_any_crash(void **state)
{
    (void)state;
    for (int step = 0; unlogged_crash_at(step, LEAT__HOLD_NOT); step++)
        continue;
    for (int step = 0; step < 60; step += 5) {
        unlogged_crash_at(step, LEAT__HOLD_BEFORE);
        unlogged_crash_at(step, LEAT__HOLD_ANSWER);
    }
}

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

static void test_finding_23_a_source_topic_is_replayed_to_the_committed_offset(void **state)
{
    static const char *const olds[] = {"none", "1", "2"};
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, build_table, 1, EOS);
    w.adjust = mark_source_topic;
    r = rig_start(&w, 0);
    rig_write(&w, "in", 0, "a", "1", 1);
    rig_settle(r);
    rig_crash(r);
    rig_write(&w, "in", 0, "a", "2", 2); /* after the committed offset: not state yet, but input */
    rig_write(&w, "in", 0, "a", "3", 3);
    r = rig_start(&w, 0);
    rig_settle(r);
    rig_stop(r);
    assert_int_equal(rig_read(&w, "out", 1, true, room, 100), 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(room[i].value, olds[i]);
    rig_world_close(&w);
}

/* ---- give, take, fail ---- */

static bool has_released(rig_t *r)
{
    return r->released > 0;
}

static void test_take_commits_first_and_give_goes_on(void **state)
{
    rig_world_t w;
    rig_t *r;
    leat__message_t *m;
    int64_t committed;

    (void)state;
    rig_world_open(&w, rig_build_count, 2, EOS);
    rig_world_set(&w, "commit.interval.ms", "5000");
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    write_keys(&w, 0, "a", 2);
    write_keys(&w, 1, "b", 2);
    rig_steps(r, 10);
    m = leat__message_new(LEAT__SAY_TAKE);
    m->tasks = leat__must_alloc(sizeof *m->tasks);
    m->tasks[0] = (leat__task_ref_t){0, 1};
    m->task_count = 1;
    m->number = 9;
    rig_say(r, m);
    assert_true(rig_until(r, has_released, 100));
    assert_null(rig_task(r, "0_1"));
    committed = rig_committed(&w, "in", 1);
    assert_int_equal(committed, 2); /* before RELEASED */
    write_keys(&w, 0, "a", 1);
    write_keys(&w, 1, "b", 1);
    rig_steps(r, 1100);
    assert_int_equal(rig_committed(&w, "in", 1), 2);
    assert_int_equal(rig_committed(&w, "in", 0), 3); /* the other one goes on */
    r->replayed = 0;
    rig_give_all(r);
    rig_steps(r, 2);
    rig_settle(r);
    assert_true(r->replayed <= 2); /* its last checkpoint was at the release */
    assert_int_equal(rig_count(r, "0_1", "b"), 3);
    rig_stop(r);
    rig_world_close(&w);
}

static void fail_on_bad(leat_ctx_t *ctx, const leat_record_t *in)
{
    if (leat_slice_is(in->value, "bad"))
        leat_fail(ctx, LEAT_EUSER, "a bad value");
    else
        leat_emit_record(ctx, in);
}

static void build_failing(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_processor(b, "source", "check", fail_on_bad, NULL);
    leat_builder_sink(b, "check", "sink", "out", str, str, NULL);
}

static void test_a_failing_record_aborts_and_is_named(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, build_failing, 1, EOS);
    rig_world_set(&w, "commit.interval.ms", "5000");
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    rig_write(&w, "in", 0, "a", "good", 1);
    rig_write(&w, "in", 0, "a", "bad", 2);
    assert_true(rig_until(r, rig_failed, 1000));
    assert_int_equal(r->failure.code, LEAT_EUSER);
    assert_non_null(strstr(r->failure.where, "check"));
    assert_non_null(strstr(r->failure.where, "0_0"));
    assert_int_equal(leat__thread_step(r->thread), -1);
    assert_int_equal(rig_read(&w, "out", 1, true, room, 100), 0);
    assert_int_equal(rig_read(&w, "out", 1, false, room, 100), 1); /* aborted, not left open */
    assert_int_equal(
        rig_offset(&w, "out", 0, LEAT__STABLE_END), rig_offset(&w, "out", 0, LEAT__HIGH_WATERMARK));
    rig_crash(r);
    rig_world_close(&w);
}

static void test_out_of_range_follows_the_reset_policy(void **state)
{
    rig_world_t w;
    rig_t *r;
    leat__position_t below;

    (void)state;
    rig_world_open(&w, rig_build_copy, 1, EOS);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 3);
    rig_settle(r);
    rig_stop(r);
    write_keys(&w, 0, "a", 6);
    below = leat__place("in", 0, 7); /* retention took 3 to 6 while nobody ran */
    leat__op_free(w.outside->vt->delete_records(w.outside, &below, 1));
    r = rig_start(&w, 0);
    rig_settle(r);
    rig_stop(r);
    assert_int_equal(rig_read(&w, "out", 1, true, room, 100), 3 + 2);
    rig_world_set(&w, "auto.offset.reset", "none");
    write_keys(&w, 0, "a", 5);
    below.offset = 12;
    leat__op_free(w.outside->vt->delete_records(w.outside, &below, 1));
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_failed, 2000));
    assert_int_equal(r->failure.code, LEAT_ETOPIC);
    assert_non_null(strstr(r->failure.text, "out of range"));
    rig_crash(r);
    rig_world_close(&w);
}

static void test_a_broker_that_is_away_is_waited_for(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    r = rig_start(&w, 0);
    write_keys(&w, 0, "a", 3);
    rig_settle(r);
    write_keys(&w, 0, "a", 3);
    rig_step(r);
    leat__fault_down(w.log, NULL, true);
    rig_steps(r, 4000); /* 20 s */
    assert_int_equal(r->failed, 0);
    leat__fault_down(w.log, NULL, false);
    rig_settle(r);
    assert_int_equal(rig_count(r, "0_0", "a"), 6);
    rig_stop(r);
    assert_int_equal(rig_read(&w, "out", 1, true, room, 100), 6);
    rig_world_close(&w);
}

static void test_pause_stops_processing_only(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    rig_world_open(&w, rig_build_copy, 1, EOS);
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    rig_say(r, leat__message_new(LEAT__SAY_PAUSE));
    rig_step(r);
    write_keys(&w, 0, "a", 3);
    rig_steps(r, 100);
    assert_int_equal(rig_read(&w, "out", 1, false, room, 100), 0);
    rig_say(r, leat__message_new(LEAT__SAY_RESUME));
    rig_settle(r);
    assert_int_equal(rig_read(&w, "out", 1, true, room, 100), 3);
    rig_stop(r);
    rig_world_close(&w);
}

static rig_world_t *slow_world;

static void take_a_second(leat_ctx_t *ctx, const leat_record_t *in)
{
    slow_world->clock.steady_ms += 1000;
    slow_world->clock.wall_ms += 1000;
    leat_emit_record(ctx, in);
}

static void build_slow(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_processor(b, "source", "slow", take_a_second, NULL);
    leat_builder_sink(b, "slow", "sink", "out", str, str, NULL);
}

static void test_slow_records_end_a_step_early(void **state)
{
    rig_world_t w;
    rig_t *r;
    uint64_t before;

    (void)state;
    rig_world_open(&w, build_slow, 1, EOS);
    slow_world = &w;
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    write_keys(&w, 0, "a", 30);
    for (int i = 0; i < 30; i++) {
        before = r->thread->processed;
        rig_step(r); /* mail, commits and the clock are looked at after each */
        assert_true(r->thread->processed - before <= 1);
    }
    leat__fault_keep_session(w.log, RIG_APP, NULL, true);
    rig_settle(r);
    rig_stop(r);
    assert_int_equal(rig_read(&w, "out", 1, true, room, 100), 30);
    rig_world_close(&w);
}

static void build_to_compacted(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_builder_source(b, "in", "source", str, str, NULL);
    leat_builder_sink(b, "source", "sink", "compacted", str, str, NULL);
}

/* "compacted": the broker refuses records without key. */
static void refused(const char *handler, bool fails)
{
    rig_world_t w;
    rig_t *r;

    rig_world_open(&w, rig_build_copy, 1, ALO);
    rig_topic(&w, "compacted", 1, "compact");
    w.build = build_to_compacted;
    rig_world_set(&w, "production.exception.handler", handler);
    r = rig_start(&w, 0);
    rig_write(&w, "in", 0, "a", "1", 1);
    rig_write(&w, "in", 0, NULL, "2", 2);
    rig_write(&w, "in", 0, "a", "3", 3);
    if (fails) {
        assert_true(rig_until(r, rig_failed, 2000));
        assert_int_equal(rig_committed(&w, "in", 0), 0);
        rig_crash(r);
    } else {
        rig_settle(r);
        rig_stop(r);
        assert_int_equal(rig_read(&w, "compacted", 1, true, room, 100), 2);
    }
    rig_world_close(&w);
}

static void test_a_refused_record_is_the_handlers_matter(void **state)
{
    (void)state;
    refused("continue", false);
    refused("fail", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_least_once_commits_and_resumes),
        cmocka_unit_test(test_at_least_once_crash_after_any_step_loses_nothing),
        cmocka_unit_test(test_finding_08_i_not_heard_nothing_is_logged),
        cmocka_unit_test(test_finding_08_ii_a_strangers_record_is_logged_over),
        cmocka_unit_test(test_finding_08_iii_a_failed_flush_is_replayed),
        cmocka_unit_test(test_finding_02_a_commit_of_another_epoch_is_dropped),
        cmocka_unit_test(test_finding_17_the_budget_is_kept),
        cmocka_unit_test(test_finding_17_over_the_cache_is_logged_early),
        cmocka_unit_test(test_finding_18_a_full_disk_is_waited_for),
        cmocka_unit_test(test_finding_20_unlogged_stores_survive_any_crash),
        cmocka_unit_test(test_finding_23_a_source_topic_is_replayed_to_the_committed_offset),
        cmocka_unit_test(test_take_commits_first_and_give_goes_on),
        cmocka_unit_test(test_a_failing_record_aborts_and_is_named),
        cmocka_unit_test(test_out_of_range_follows_the_reset_policy),
        cmocka_unit_test(test_a_broker_that_is_away_is_waited_for),
        cmocka_unit_test(test_pause_stops_processing_only),
        cmocka_unit_test(test_slow_records_end_a_step_early),
        cmocka_unit_test(test_a_refused_record_is_the_handlers_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
