/*
 * Restores in a stream thread, on the embedded log: local state that is damaged, too old or of
 * another changelog; restores beside running tasks; what is said of them. Goal: local state is used
 * only where it fits, what does not is rebuilt and said in the log, and nobody waits for a restore but
 * its own task. Method: files of a stopped process are spoilt on disk, then it starts again; the log's
 * lines are caught.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "log_kit.h"
#include "thread_rig.h"

#define ALO "at_least_once"
#define EOS "exactly_once_v2"
#define CHANGELOG "app-counts-changelog"
#define HOUR 3600000

static rig_record_t room[100];

/* ---- a process with a past ---- */

static void write_many(rig_world_t *w, int32_t partition, int from, int count)
{
    leat_error_t err = {0};
    leat__out_t *out = w->outside->vt->writer_topic(w->writer, "in", &err);

    for (int i = from; i < from + count; i++) {
        char key[24];

        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(w->outside->vt->produce(w->writer, out, partition, leat_slice(key),
                             leat_slice("x"), 1, NULL, &err),
            0);
    }
    leat__op_free(w->outside->vt->writer_flush(w->writer));
}

enum { KEYS = 30000 };

/* Stopped, with all of it on disk in files of RocksDB. */
static void open_with_past(rig_world_t *w, const char *guarantee)
{
    rig_t *r;

    rig_world_open(w, rig_build_count, 1, guarantee);
    r = rig_start(w, 0);
    write_many(w, 0, 0, KEYS);
    rig_settle(r);
    rig_stop(r);
    r = rig_start(w, 0); /* what stood in the WAL goes into files when it is opened again */
    assert_true(rig_until(r, rig_runs, 1000));
    assert_true(r->replayed <= 1);
    rig_stop(r);
}

static void check_keys(rig_t *r, int again)
{
    char key[24];

    for (int i = 0; i < KEYS; i += 7) {
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(rig_count(r, "0_0", key), i == again ? 2 : 1);
    }
}

/* ---- damage ---- */

typedef enum damage_t { TRUNCATED, SPOILT, GONE } damage_t;

/* The files of the task's database whose names have that in them. */
static int damage(const rig_world_t *w, const char *which, damage_t how)
{
    char dir[128], path[512], junk[4096];
    struct dirent *e;
    struct stat st;
    int count = 0;
    DIR *d;

    memset(junk, 0x5a, sizeof junk);
    snprintf(dir, sizeof dir, "%s/0_0/rocksdb", w->dir);
    d = opendir(dir);
    assert_non_null(d);
    while ((e = readdir(d))) {
        int f;

        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (!strstr(e->d_name, which) || stat(path, &st) || !S_ISREG(st.st_mode) || !st.st_size)
            continue;
        count++;
        if (how == TRUNCATED)
            assert_int_equal(truncate(path, st.st_size / 2), 0);
        if (how == GONE)
            assert_int_equal(unlink(path), 0);
        if (how != SPOILT)
            continue;
        f = open(path, O_WRONLY);
        for (off_t at = 0; at < st.st_size; at += (off_t)sizeof junk) {
            size_t left = (size_t)(st.st_size - at);

            assert_true(pwrite(f, junk, left < sizeof junk ? left : sizeof junk, at) > 0);
        }
        close(f);
    }
    closedir(d);
    return count;
}

static int set_aside(const rig_world_t *w)
{
    char dir[128];
    int count = 0;
    DIR *d;

    snprintf(dir, sizeof dir, "%s/0_0", w->dir);
    d = opendir(dir);
    for (struct dirent *e; (e = readdir(d));)
        count += strncmp(e->d_name, "rocksdb.bad-", 12) == 0;
    closedir(d);
    return count;
}

static void damaged(const char *which, damage_t how, const char *guarantee)
{
    rig_world_t w;
    rig_t *r;

    open_with_past(&w, guarantee);
    assert_true(damage(&w, which, how) > 0);
    catch_log(LEAT_LOG_WARN);
    r = rig_start(&w, 0);
    rig_until(r, rig_runs, 1000);
    let_log_be();
    assert_true(rig_runs(r));
    assert_said("set aside as");
    assert_int_equal(set_aside(&w), 1);
    assert_true(r->replayed >= KEYS);
    write_many(&w, 0, 14000, 1);
    rig_settle(r);
    check_keys(r, 14000);
    assert_int_equal(r->failed, 0);
    rig_stop(r);
    rig_world_close(&w);
}

static void test_damaged_files_are_set_aside_and_rebuilt(void **state)
{
    (void)state;
    damaged(".sst", TRUNCATED, EOS);
    damaged(".sst", TRUNCATED, ALO);
    damaged(".sst", SPOILT, EOS);
    damaged("MANIFEST", SPOILT, EOS);
    damaged("MANIFEST", TRUNCATED, EOS);
    damaged("MANIFEST", GONE, EOS);
    damaged("CURRENT", SPOILT, EOS);
    damaged("CURRENT", TRUNCATED, EOS);
    damaged("CURRENT", GONE, EOS);
}

/* Only where a record looks: the open finds nothing. */
static int spoil_the_middle(const rig_world_t *w)
{
    char dir[128], path[512], junk[4096];
    struct dirent *e;
    struct stat st;
    int count = 0;
    DIR *d;

    memset(junk, 0x5a, sizeof junk);
    snprintf(dir, sizeof dir, "%s/0_0/rocksdb", w->dir);
    d = opendir(dir);
    while ((e = readdir(d))) {
        int f;

        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (!strstr(e->d_name, ".sst") || stat(path, &st) || st.st_size < 200000)
            continue;
        f = open(path, O_WRONLY);
        for (off_t at = 40000; at < st.st_size - 100000; at += (off_t)sizeof junk)
            count += pwrite(f, junk, sizeof junk, at) > 0;
        close(f);
    }
    closedir(d);
    return count;
}

static void found_at_work(const char *guarantee)
{
    rig_world_t w;
    rig_t *r;
    size_t count;

    open_with_past(&w, guarantee);
    assert_true(spoil_the_middle(&w) > 0);
    catch_log(LEAT_LOG_WARN);
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    assert_true(r->replayed <= 1); /* it looks well */
    write_many(&w, 0, 14000, 1);
    rig_settle(r);
    let_log_be();
    assert_said("damaged");
    assert_said("set aside as");
    assert_int_equal(r->failed, 0);
    check_keys(r, 14000);
    assert_true(r->replayed >= KEYS);
    rig_stop(r);
    count = (size_t)rig_offset(&w, "out", 0, LEAT__HIGH_WATERMARK);
    assert_true(count > KEYS);
    rig_world_close(&w);
}

static void test_damage_found_at_work_rebuilds_the_task_alone(void **state)
{
    (void)state;
    found_at_work(EOS);
    found_at_work(ALO);
}

/* ---- state that does not fit ---- */

static void test_state_that_is_too_old_is_rebuilt_and_said(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    open_with_past(&w, EOS);
    w.clock.wall_ms += 11 * HOUR; /* the half of delete.retention.ms is 12 hours */
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    assert_true(r->replayed <= 1);
    rig_stop(r);
    w.clock.wall_ms += 13 * HOUR;
    catch_log(LEAT_LOG_WARN);
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 1000));
    let_log_be();
    assert_said("too old");
    assert_true(r->replayed >= KEYS);
    check_keys(r, -1);
    rig_stop(r);
    rig_world_close(&w);
}

static void test_state_before_the_log_start_is_rebuilt_and_said(void **state)
{
    rig_world_t w;
    rig_t *r;
    leat__position_t below;
    int64_t end;

    (void)state;
    open_with_past(&w, EOS);
    r = rig_start_other(&w, 2); /* goes on while the first is away */
    rig_join(r);
    write_many(&w, 0, 0, 3000);
    rig_settle(r);
    rig_crash(r);
    end = rig_offset(&w, CHANGELOG, 0, LEAT__HIGH_WATERMARK);
    below = leat__place(CHANGELOG, 0, end - 2000);
    leat__op_free(w.outside->vt->delete_records(w.outside, &below, 1));
    assert_int_equal(rig_offset(&w, CHANGELOG, 0, LEAT__EARLIEST), end - 2000);
    catch_log(LEAT_LOG_WARN);
    r = rig_start(&w, 0);
    assert_true(rig_until(r, rig_runs, 4000));
    let_log_be();
    assert_said("older than the changelog's first record");
    assert_int_equal(r->began, end - 2000);
    assert_int_equal(rig_count(r, "0_0", "k2999"), 2);
    assert_int_equal(rig_count(r, "0_0", "k5000"), -1); /* the changelog is the truth */
    rig_stop(r);
    rig_world_close(&w);
}

static void test_state_of_another_changelog_is_rebuilt_and_said(void **state)
{
    static const char *const said[] = {"deleted and made anew", "ahead of the changelog's end"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        rig_world_t w;
        rig_t *r;

        open_with_past(&w, EOS);
        assert_true(leat__fault_recreate_topic(w.log, CHANGELOG));
        catch_log(LEAT_LOG_WARN);
        r = rig_start(&w, 0);
        r->incarnation = i ? 0 : 78;
        assert_true(rig_until(r, rig_runs, 1000));
        let_log_be();
        assert_said(said[i]);
        assert_int_equal(rig_count(r, "0_0", "k1"), -1);
        rig_stop(r);
        rig_world_close(&w);
    }
}

/* ---- beside running tasks ---- */

static bool one_runs(rig_t *r)
{
    leat__owned_t *o = rig_task(r, "0_1");

    return o && o->phase == LEAT__PHASE_RUNNING;
}

static bool joined(rig_t *r)
{
    return r->thread->membership != NULL;
}

/* Two partitions, the first with much state, in a process that has none of it. */
static rig_t *open_uneven(rig_world_t *w)
{
    rig_t *r;

    rig_world_open(w, rig_build_count, 2, EOS);
    rig_world_set(w, "commit.interval.ms", "50");
    r = rig_start(w, 0);
    for (int i = 0; i < 10; i++) {
        write_many(w, 0, i * 30000, 30000);
        rig_settle(r);
    }
    write_many(w, 1, 0, 10);
    rig_settle(r);
    rig_crash(r);
    r = rig_start_other(w, 2);
    r->copies = true; /* is given nothing by itself */
    rig_join(r);
    assert_true(rig_until(r, joined, 4000));
    return r;
}

static void records_flow_beside(rig_t *r, leat__phase_t phase)
{
    rig_world_t *w = r->world;
    leat__changelog_t *c = &rig_task(r, "0_0")->stores[0];
    int64_t before = rig_committed(w, "in", 1), at = c->at;

    assert_int_equal(rig_task(r, "0_0")->phase, phase);
    for (int i = 0; i < 4; i++) {
        write_many(w, 1, 0, 5);
        rig_steps(r, 14);
        assert_int_equal(rig_count(r, "0_1", "k0"), 2 + i);
    }
    assert_true(rig_committed(w, "in", 1) >= before + 15);
    assert_int_equal(rig_task(r, "0_0")->phase, phase);
    assert_true(c->at > at + 10000); /* and it gets on */
    assert_true(c->at < c->end);     /* the test was one */
}

static void test_running_tasks_go_on_while_another_restores(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    r = open_uneven(&w);
    rig_give_all(r);
    assert_true(rig_until(r, one_runs, 1000));
    records_flow_beside(r, LEAT__PHASE_RESTORING);
    rig_settle(r);
    assert_int_equal(rig_count(r, "0_0", "k299999"), 1);
    assert_int_equal(rig_count(r, "0_0", "k0"), 1);
    rig_stop(r);
    rig_world_close(&w);
}

static void test_running_tasks_go_on_while_a_standby_catches_up(void **state)
{
    rig_world_t w;
    rig_t *r;
    leat__message_t *m;

    (void)state;
    r = open_uneven(&w);
    m = leat__message_new(LEAT__SAY_GIVE);
    m->tasks = leat__must_alloc(sizeof *m->tasks);
    m->tasks[0] = (leat__task_ref_t){0, 1};
    m->task_count = 1;
    m->epoch = r->epoch;
    rig_say(r, m);
    assert_true(rig_until(r, one_runs, 4000));
    rig_keep_copies(r); /* of the one that runs none is made */
    rig_steps(r, 5);
    assert_int_equal(r->thread->task_count, 2);
    records_flow_beside(r, LEAT__PHASE_STANDBY);
    rig_stop(r);
    rig_world_close(&w);
}

static void test_restores_take_turns(void **state)
{
    rig_world_t w;
    rig_t *r;
    int64_t least = INT64_MAX, most = 0;

    (void)state;
    rig_world_open(&w, rig_build_count, 8, EOS);
    rig_world_set(&w, "commit.interval.ms", "1000");
    r = rig_start(&w, 0);
    for (int32_t p = 0; p < 8; p++)
        write_many(&w, p, 0, 20000);
    rig_settle(r);
    rig_crash(r);
    r = rig_start_other(&w, 2);
    rig_join(r);
    r->thread->restore_turn = 5;
    for (int i = 0; i < 4000 && r->thread->task_count < 8; i++)
        rig_step(r);
    for (int i = 0; i < 4000 && most == 0; i++) {
        rig_step(r);
        least = INT64_MAX;
        for (size_t k = 0; k < r->thread->task_count; k++) {
            const leat__changelog_t *c = &r->thread->tasks[k]->stores[0];
            int64_t done = c->spec && r->thread->tasks[k]->phase >= LEAT__PHASE_RESTORING
                               ? c->at - c->start
                               : 0;

            least = done < least ? done : least;
            most = done > most ? done : most;
        }
    }
    assert_true(least > 0); /* the first steps that got anywhere brought all of them on */
    assert_true(rig_until(r, rig_runs, 4000));
    rig_stop(r);
    rig_world_close(&w);
}

/* ---- the client that reads changelogs ---- */

static bool reads_no_changelog(rig_t *r)
{
    return !r->thread->restorer;
}

static void test_restorer_is_closed_when_nothing_restores_and_opened_again(void **state)
{
    rig_world_t w;
    rig_t *r;
    int64_t since_ms;

    (void)state;
    rig_world_open(&w, rig_build_count, 2, EOS);
    r = rig_start(&w, 0);
    write_many(&w, 0, 0, 50);
    rig_settle(r);
    since_ms = w.clock.steady_ms;
    assert_non_null(r->thread->restorer);
    assert_true(rig_until(r, reads_no_changelog, 4000));
    assert_true(w.clock.steady_ms - since_ms > 5000); /* not between two restores */
    write_many(&w, 0, 0, 50); /* the thread works on without it, and is woken without it */
    rig_settle(r);
    assert_null(r->thread->restorer);
    rig_rejoin(r); /* all tasks come anew */
    rig_steps(r, 20);
    assert_true(rig_until(r, rig_runs, 4000));
    assert_non_null(r->thread->restorer);
    assert_int_equal(rig_count(r, "0_0", "k49"), 2);
    rig_stop(r);
    rig_world_close(&w);
}

static void test_restorer_stays_open_for_a_standby(void **state)
{
    rig_world_t w;
    rig_t *r, *copy;

    (void)state;
    rig_world_open(&w, rig_build_count, 1, EOS);
    r = rig_start(&w, 0);
    copy = rig_start_other(&w, 2);
    rig_keep_copies(copy);
    for (int i = 0; i < 4000; i++)
        rig_step(copy);
    write_many(&w, 0, 0, 50);
    rig_settle(r);
    for (int i = 0; i < 1000 && rig_task(copy, "0_0")->stores[0].records < 50; i++)
        rig_step(copy);
    assert_int_equal(rig_task(copy, "0_0")->stores[0].records, 50);
    rig_stop(copy);
    rig_stop(r);
    rig_world_close(&w);
}

/* ---- what is said ---- */

static void test_progress_is_said_and_shown(void **state)
{
    rig_world_t w;
    rig_t *r;
    leat__thread_view_t view;
    leat__task_view_t *tasks = NULL;
    size_t size = 0;

    (void)state;
    r = open_uneven(&w);
    rig_give_all(r);
    assert_true(rig_until(r, one_runs, 1000));
    catch_log(LEAT_LOG_INFO);
    for (int i = 0; i < 4; i++) {
        w.clock.steady_ms += 1000;
        rig_steps(r, 2);
    }
    assert_null(strstr(log_lines, "restore their state"));
    r->thread->progress_at_ms = 0; /* ten seconds later */
    w.clock.steady_ms += 1000;
    rig_steps(r, 2);
    let_log_be();
    assert_said("1 of 2 tasks restore their state: ");
    assert_said(" records left, ");
    assert_said(" s to go");
    leat__thread_view(r->thread, &view);
    assert_int_equal(view.restoring_count, 1);
    assert_int_equal(view.task_count, 2);
    assert_false(view.running);
    assert_true(view.restore_rate > 0);
    assert_true(view.restore_left > 1000 && view.restore_left < 310000);
    assert_int_equal(leat__thread_tasks(r->thread, &tasks, &size), 2);
    for (int i = 0; i < 2; i++) {
        bool runs = tasks[i].ref.partition == 1;

        assert_int_equal(tasks[i].running, runs);
        assert_false(tasks[i].standby);
        assert_true(runs ? tasks[i].left == 0 : tasks[i].left == view.restore_left);
        assert_true(runs || tasks[i].total >= 300000);
    }
    leat__free(tasks);
    rig_settle(r);
    leat__thread_view(r->thread, &view);
    rig_steps(r, 220);
    leat__thread_view(r->thread, &view);
    assert_int_equal(view.restore_left, 0);
    assert_int_equal(view.restoring_count, 0);
    assert_true(view.running);
    rig_stop(r);
    assert_int_equal(rig_read(&w, "out", 2, true, room, 100), 100);
    rig_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_files_are_set_aside_and_rebuilt),
        cmocka_unit_test(test_damage_found_at_work_rebuilds_the_task_alone),
        cmocka_unit_test(test_state_that_is_too_old_is_rebuilt_and_said),
        cmocka_unit_test(test_state_before_the_log_start_is_rebuilt_and_said),
        cmocka_unit_test(test_state_of_another_changelog_is_rebuilt_and_said),
        cmocka_unit_test(test_running_tasks_go_on_while_another_restores),
        cmocka_unit_test(test_running_tasks_go_on_while_a_standby_catches_up),
        cmocka_unit_test(test_restores_take_turns),
        cmocka_unit_test(test_restorer_is_closed_when_nothing_restores_and_opened_again),
        cmocka_unit_test(test_restorer_stays_open_for_a_standby),
        cmocka_unit_test(test_progress_is_said_and_shown),
    };

    if (getenv("LEAT_TEST_ONLY"))
        cmocka_set_test_filter(getenv("LEAT_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
