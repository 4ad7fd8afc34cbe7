/*
 * The stream threads of whole processes: added and removed while records flow (KIP-663), stuck in the program's code
 * (PROTOCOLS.md 15 and 7 c), failed and replaced or not.
 * Method: processes stepped by hand on the embedded log (process_rig.h); a count per key whose outputs must be 1, 2, 3 ... exactly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "process_rig.h"

#define EOS "exactly_once_v2"
#define ALO "at_least_once"

enum { PARTITIONS = 4, MAX_POLL_MS = 20000 };

static rig_record_t room[20000];
static int64_t written; /* to each partition */

static void open_world(rig_world_t *w, procs_t *all, const char *guarantee)
{
    rig_world_open(w, rig_build_count, PARTITIONS, guarantee);
    rig_world_set(w, "max.poll.interval.ms", "20000");
    *all = (procs_t){.world = w};
    written = 0;
}

static void write_some(rig_world_t *w, int count)
{
    for (int32_t p = 0; p < w->partitions; p++)
        for (int i = 0; i < count; i++) {
            char key[8];

            snprintf(key, sizeof key, "%c%d", 'a' + p, i % 3);
            rig_write(w, "in", p, key, "x", 1000 + i);
        }
    written += count;
}

static void write_and_settle(procs_t *all, int count)
{
    write_some(all->world, count);
    procs_until(all, 60000, procs_have_read(all, written));
}

/* Each key's outputs are 1, 2, 3 ... and all of them are there; at_least: some may come again. */
static void check_outputs(rig_world_t *w, bool exactly)
{
    size_t count = rig_read(w, "out", w->partitions, true, room, sizeof room / sizeof *room);
    int64_t last[PARTITIONS][3] = {{0}}, sum = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t *l = &last[room[i].key[0] - 'a'][room[i].key[1] - '0'];

        if (exactly)
            assert_int_equal(room[i].number, *l + 1);
        *l = room[i].number > *l ? room[i].number : *l;
    }
    for (int p = 0; p < PARTITIONS; p++)
        for (int k = 0; k < 3; k++)
            sum += last[p][k];
    assert_int_equal(sum, written * PARTITIONS);
}

static void close_world(rig_world_t *w, procs_t *all, bool exactly)
{
    procs_end(all);
    check_outputs(w, exactly);
    rig_world_close(w);
}

/* ---- added and removed ---- */

static void test_threads_added_and_removed_share_the_tasks(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p;
    size_t cache;

    (void)state;
    open_world(&w, &all, EOS);
    p = proc_start(&all, "p", 1);
    procs_until(&all, 30000, procs_all_run(&all, PARTITIONS));
    cache = p->control->seats[0].thread->cache_bytes;
    write_and_settle(&all, 5);

    leat__control_set_threads(p->control, 2);
    write_some(&w, 5); /* while tasks move */
    procs_until(&all, 30000, proc_tasks(p, 0) == 2 && p->control->seat_count == 2 && proc_tasks(p, 1) == 2);
    assert_int_equal(p->control->seats[0].thread->cache_bytes, cache / 2);
    assert_int_equal(p->control->seats[1].thread->cache_bytes, cache / 2);
    write_and_settle(&all, 5);

    leat__control_set_threads(p->control, 6); /* more than there are tasks */
    procs_until(&all, 30000, p->control->seat_count == 6 && proc_tasks(p, 3) == 1);
    write_and_settle(&all, 5);

    leat__control_set_threads(p->control, 1);
    write_some(&w, 5);
    procs_until(&all, 30000, p->control->seat_count == 1 && proc_tasks(p, 0) == PARTITIONS);
    assert_int_equal(p->control->seats[0].thread->cache_bytes, cache);
    write_and_settle(&all, 5);
    close_world(&w, &all, true);
}

static void test_without_any_thread_nothing_is_processed_until_one_is_added(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p;

    (void)state;
    open_world(&w, &all, EOS);
    p = proc_start(&all, "p", 2);
    procs_until(&all, 30000, procs_all_run(&all, PARTITIONS));
    write_and_settle(&all, 5);
    leat__control_set_threads(p->control, 0);
    procs_until(&all, 30000, p->control->seat_count == 0);
    write_some(&w, 5);
    procs_run(&all, 15000); /* longer than a session: it is still in its group */
    assert_false(procs_have_read(&all, written));
    assert_false(p->running);
    leat__control_set_threads(p->control, 1);
    procs_until(&all, 30000, procs_have_read(&all, written) && p->running);
    close_world(&w, &all, true);
}

static void test_more_threads_mean_a_bigger_share_of_the_group(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *a, *b;

    (void)state;
    open_world(&w, &all, EOS);
    a = proc_start(&all, "a", 1);
    b = proc_start(&all, "b", 1);
    procs_until(&all, 60000, proc_tasks(a, -1) == 2 && proc_tasks(b, -1) == 2);
    write_and_settle(&all, 5);
    leat__control_set_threads(a->control, 3);
    write_some(&w, 5);
    procs_until(&all, 60000, proc_tasks(a, -1) == 3 && proc_tasks(b, -1) == 1);
    procs_until(&all, 60000, proc_tasks(a, 0) == 1 && proc_tasks(a, 1) == 1 && proc_tasks(a, 2) == 1);
    leat__control_set_threads(a->control, 0); /* all of it goes to b */
    procs_until(&all, 60000, proc_tasks(b, -1) == PARTITIONS && a->control->seat_count == 0);
    write_and_settle(&all, 5);
    leat__control_set_threads(a->control, 1);
    procs_until(&all, 60000, proc_tasks(a, -1) == 2 && proc_tasks(b, -1) == 2);
    write_and_settle(&all, 5);
    close_world(&w, &all, true);
}

static void test_seats_change_at_any_moment_of_a_life(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p;
    unsigned seed = 12345;

    (void)state;
    open_world(&w, &all, EOS);
    p = proc_start(&all, "p", 1);
    for (int round = 0; round < 60; round++) {
        seed = seed * 1103515245u + 12345u;
        leat__control_set_threads(p->control, (int)(seed >> 16) % 5);
        if (round % 7 == 3)
            leat__fault_end_session(w.log, RIG_APP, NULL);
        write_some(&w, 1);
        procs_run(&all, 5 * ((seed >> 20) % 60));
    }
    leat__control_set_threads(p->control, 3);
    procs_until(&all, 60000, p->control->seat_count == 3 && procs_all_run(&all, PARTITIONS));
    procs_until(&all, 60000, procs_have_read(&all, written));
    leat__control_set_threads(p->control, 1); /* and a stop in the middle of it */
    procs_run(&all, 10);
    close_world(&w, &all, true);
}

static void test_an_earlier_life_with_more_threads_is_fenced_whole(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p;
    int64_t since;

    (void)state;
    open_world(&w, &all, EOS);
    rig_world_set(&w, "transaction.timeout.ms", "600000");
    rig_world_set(&w, "commit.interval.ms", "60000");
    p = proc_start(&all, "p", 1);
    procs_until(&all, 30000, procs_all_run(&all, PARTITIONS));
    leat__control_set_threads(p->control, 4);
    procs_until(&all, 30000, p->control->seat_count == 4 && proc_tasks(p, 3) == 1);
    write_some(&w, 3);
    procs_run(&all, 200);
    assert_true(p->control->seats[3].thread->transaction);
    proc_crash(&all, p);
    rig_world_set(&w, "commit.interval.ms", "100");
    since = w.clock.steady_ms;
    p = proc_start(&all, "p", 1); /* ids 1 to 3 have open transactions, which no thread of ours renews */
    procs_until(&all, 60000, procs_have_read(&all, written));
    assert_true(w.clock.steady_ms - since < 30000);
    close_world(&w, &all, true);
}

/*
 * PROTOCOLS.md 12: p hangs with an open transaction that the broker would keep for ten minutes. Who
 * takes over fences it first, so nobody waits for that; and p, back again, commits nothing.
 */
static void test_finding_12_a_transaction_of_the_dead_is_ended_by_who_takes_over(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p, *q;
    uint64_t commits;
    int64_t since;

    (void)state;
    open_world(&w, &all, EOS);
    rig_world_set(&w, "transaction.timeout.ms", "600000");
    rig_world_set(&w, "commit.interval.ms", "500");
    p = proc_start(&all, "p", 1);
    q = proc_start(&all, "q", 1);
    procs_until(&all, 60000, proc_tasks(p, -1) == 2 && proc_tasks(q, -1) == 2);
    write_and_settle(&all, 5);
    leat__fault_hold(w.log, LEAT__CALL_SEND_OFFSETS, LEAT__HOLD_ANSWER);
    write_some(&w, 5);
    while (p->control->seats[0].thread->commit.state != LEAT__COMMIT_OFFSETS)
        procs_step(&all);
    procs_run(&all, 50); /* its records are in the log, its offsets pending, it knows of neither */
    p->frozen = true;
    leat__fault_hold(w.log, LEAT__CALL_SEND_OFFSETS, LEAT__HOLD_NOT);
    commits = p->control->seats[0].thread->commits;
    since = w.clock.steady_ms;
    procs_until(&all, 60000, procs_have_read(&all, written));
    assert_true(w.clock.steady_ms - since < 30000);
    p->frozen = false;
    for (int i = 0; i < 20; i++) { /* its thread wakes before its control thread */
        leat__thread_step(p->control->seats[0].thread);
        w.clock.steady_ms += 50;
    }
    assert_int_equal(p->control->seats[0].thread->commits, commits);
    procs_until(&all, 60000, proc_tasks(p, -1) == 2 && proc_tasks(q, -1) == 2);
    write_and_settle(&all, 5);
    close_world(&w, &all, true);
}

/* ---- stuck in the program's code ---- */

static proc_t *two_threads_and_another(procs_t *all, proc_t **other)
{
    proc_t *p = proc_start(all, "p", 2);

    *other = proc_start(all, "q", 2);
    procs_until(all, 60000, proc_tasks(p, 0) == 1 && proc_tasks(p, 1) == 1 && proc_tasks(*other, -1) == 2);
    write_and_settle(all, 5);
    return p;
}

/* Readers of committed records see all that there is. */
static bool nothing_is_open(rig_world_t *w)
{
    for (int32_t p = 0; p < PARTITIONS; p++)
        if (rig_offset(w, "out", p, LEAT__STABLE_END) < rig_offset(w, "out", p, LEAT__HIGH_WATERMARK))
            return false;
    return true;
}

static void test_a_stuck_thread_gives_its_tasks_up_and_the_others_go_on(const char *guarantee)
{
    bool exactly = !strcmp(guarantee, EOS);
    rig_world_t w;
    procs_t all;
    proc_t *p, *q;
    leat__thread_t *stuck;
    uint64_t commits;
    size_t before;

    open_world(&w, &all, guarantee);
    rig_world_set(&w, "transaction.timeout.ms", "600000"); /* nobody waits for that */
    p = two_threads_and_another(&all, &q);
    stuck = p->control->seats[1].thread;
    write_some(&w, 5);
    while (!leat__commit_has_work(stuck)) /* records processed, nothing committed */
        procs_step(&all);
    p->frozen_threads[1] = true;
    commits = stuck->commits;
    procs_run(&all, MAX_POLL_MS - 2000);
    assert_false(p->control->seats[1].stuck);
    assert_false(procs_have_read(&all, written)); /* one partition waits */
    procs_until(&all, 30000, procs_have_read(&all, written)); /* it does not any more */
    procs_until(&all, 30000, nothing_is_open(&w));
    assert_true(p->control->seats[1].stuck);
    assert_int_equal(proc_tasks(p, 0), 1); /* never given away: the process is still a member */
    assert_int_equal(proc_tasks(q, -1), 3);
    assert_false(p->over || p->failure.code || q->failure.code);
    leat__fault_end_session(w.log, RIG_APP, NULL); /* it holds up neither the loss nor the next barrier */
    write_and_settle(&all, 5);
    write_and_settle(&all, 5);

    before = rig_read(&w, "app-counts-changelog", PARTITIONS, true, room, 20000);
    p->frozen_threads[1] = false; /* the program's code comes back: */
    leat__commit_start(stuck);    /* the end of the step that it was in, before any mail is read */
    for (int i = 0; i < 10; i++) {
        leat__commit_step(stuck);
        leat__log_tick(w.log);
    }
    leat__thread_step(stuck);
    leat__thread_step(stuck);
    assert_int_equal(stuck->commits, commits);
    assert_int_equal(rig_read(&w, "app-counts-changelog", PARTITIONS, true, room, 20000), before);
    procs_until(&all, 30000, !p->control->seats[1].stuck && proc_tasks(p, 0) == 1 && proc_tasks(p, 1) == 1);
    assert_int_equal(p->failures, 0);
    write_and_settle(&all, 5);
    close_world(&w, &all, exactly);
}

static void test_stuck_exactly_once(void **state)
{
    (void)state;
    test_a_stuck_thread_gives_its_tasks_up_and_the_others_go_on(EOS);
}

static void test_stuck_at_least_once(void **state)
{
    (void)state;
    test_a_stuck_thread_gives_its_tasks_up_and_the_others_go_on(ALO);
}

/* It comes back just when its tasks have been given up, a little later each time. */
static void test_stuck_and_back_at_once_has_one_owner_always(void **state)
{
    (void)state;
    for (int later = 0; later < 12; later++) {
        rig_world_t w;
        procs_t all;
        proc_t *p, *q;

        open_world(&w, &all, EOS);
        p = two_threads_and_another(&all, &q);
        write_some(&w, 5);
        p->frozen_threads[1] = true;
        procs_until(&all, MAX_POLL_MS + 5000, p->control->seats[1].stuck);
        procs_run(&all, later * 5);
        p->frozen_threads[1] = false;
        for (int i = 0; i < 1000; i++) {
            procs_step(&all);
            assert_false(procs_overlap(&all));
            if (i % 50 == 0)
                write_some(&w, 1);
        }
        procs_until(&all, 60000, procs_have_read(&all, written) && procs_all_run(&all, PARTITIONS));
        assert_int_equal(proc_tasks(p, -1), 2);
        close_world(&w, &all, true);
    }
}

static void test_stuck_alone_its_tasks_wait_until_it_comes_back(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p;

    (void)state;
    open_world(&w, &all, EOS);
    p = proc_start(&all, "p", 2);
    procs_until(&all, 30000, proc_tasks(p, 0) == 2 && proc_tasks(p, 1) == 2);
    write_and_settle(&all, 5);
    write_some(&w, 5);
    p->frozen_threads[0] = true;
    procs_run(&all, MAX_POLL_MS + 10000);
    assert_true(p->control->seats[0].stuck);
    assert_int_equal(proc_tasks(p, -1), 2); /* nobody else opens what it has open */
    p->frozen_threads[0] = false;
    procs_until(&all, 30000, procs_have_read(&all, written) && p->running);
    close_world(&w, &all, true);
}

static void test_stuck_does_not_keep_its_process_in_the_group(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p, *q;

    (void)state;
    open_world(&w, &all, EOS);
    p = two_threads_and_another(&all, &q);
    p->frozen_threads[1] = true;
    procs_run(&all, MAX_POLL_MS + 5000);
    assert_true(p->control->seats[1].stuck);
    leat__control_stop(p->control);
    procs_until(&all, 30000, proc_tasks(q, -1) == PARTITIONS);
    write_and_settle(&all, 5);
    assert_false(p->over); /* a thread still runs the program's code */
    p->frozen_threads[1] = false;
    procs_until(&all, 30000, p->over);
    close_world(&w, &all, true);
}

static void test_time_in_which_the_process_was_stopped_counts_for_no_thread(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p, *q;

    (void)state;
    open_world(&w, &all, EOS);
    p = two_threads_and_another(&all, &q);
    p->frozen = true;
    procs_run(&all, MAX_POLL_MS * 2); /* SIGSTOP: q has all of it meanwhile */
    assert_int_equal(proc_tasks(q, -1), PARTITIONS);
    p->frozen = false;
    p->frozen_threads[0] = p->frozen_threads[1] = true; /* its control thread wakes first */
    procs_run(&all, 1000);
    assert_false(p->control->seats[0].stuck || p->control->seats[1].stuck);
    p->frozen_threads[0] = p->frozen_threads[1] = false;
    procs_until(&all, 60000, proc_tasks(p, -1) == 2 && proc_tasks(q, -1) == 2);
    write_and_settle(&all, 5);
    close_world(&w, &all, true);
}

/* ---- failed ---- */

static leat_error_t poison(void)
{
    leat_error_t err = {0};

    leat__error(&err, LEAT_EFAILED, LEAT_FATAL, "count", "the program's code failed");
    return err;
}

static void test_a_failed_thread_is_replaced_and_the_others_go_on(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p;
    leat_error_t err = poison();

    (void)state;
    open_world(&w, &all, EOS);
    p = proc_start(&all, "p", 2);
    p->rescue = LEAT_REPLACE_THREAD;
    procs_until(&all, 30000, proc_tasks(p, 0) == 2 && proc_tasks(p, 1) == 2);
    write_and_settle(&all, 5);
    for (int i = 0; i < 5; i++) {
        write_some(&w, 3);
        procs_run(&all, 20);
        leat__thread_fail(p->control->seats[i % 2].thread, &err);
        procs_until(&all, 30000, p->failures == i + 1 && procs_all_run(&all, PARTITIONS));
    }
    assert_int_equal(p->failure.code, 0);
    procs_until(&all, 30000, procs_have_read(&all, written));
    close_world(&w, &all, true);
}

static void test_a_failed_thread_ends_its_client_only(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p, *q;
    leat_error_t err = poison();

    (void)state;
    open_world(&w, &all, EOS);
    p = two_threads_and_another(&all, &q);
    write_some(&w, 5);
    leat__thread_fail(p->control->seats[0].thread, &err);
    procs_until(&all, 60000, p->over && proc_tasks(q, -1) == PARTITIONS);
    assert_int_equal(p->failure.code, LEAT_EFAILED);
    assert_int_equal(q->failure.code, 0);
    procs_until(&all, 30000, procs_have_read(&all, written));
    close_world(&w, &all, true);
}

static void test_a_failed_thread_ends_the_application(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p[3];
    leat_error_t err = poison();

    (void)state;
    open_world(&w, &all, EOS);
    for (int i = 0; i < 3; i++) {
        char name[] = {(char)('p' + i), '\0'};

        p[i] = proc_start(&all, name, 1);
        p[i]->rescue = LEAT_SHUTDOWN_APPLICATION;
    }
    procs_until(&all, 60000, procs_all_run(&all, PARTITIONS) && proc_tasks(p[2], -1) > 0);
    write_and_settle(&all, 5);
    leat__thread_fail(p[1]->control->seats[0].thread, &err);
    procs_until(&all, 60000, p[0]->over && p[1]->over && p[2]->over);
    assert_int_equal(p[1]->failure.code, LEAT_EFAILED);
    assert_non_null(strstr(p[0]->failure.text, "asked all processes to stop"));
    assert_non_null(strstr(p[2]->failure.text, "asked all processes to stop"));
    close_world(&w, &all, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_added_and_removed_share_the_tasks),
        cmocka_unit_test(test_without_any_thread_nothing_is_processed_until_one_is_added),
        cmocka_unit_test(test_more_threads_mean_a_bigger_share_of_the_group),
        cmocka_unit_test(test_seats_change_at_any_moment_of_a_life),
        cmocka_unit_test(test_an_earlier_life_with_more_threads_is_fenced_whole),
        cmocka_unit_test(test_finding_12_a_transaction_of_the_dead_is_ended_by_who_takes_over),
        cmocka_unit_test(test_stuck_exactly_once),
        cmocka_unit_test(test_stuck_at_least_once),
        cmocka_unit_test(test_stuck_and_back_at_once_has_one_owner_always),
        cmocka_unit_test(test_stuck_alone_its_tasks_wait_until_it_comes_back),
        cmocka_unit_test(test_stuck_does_not_keep_its_process_in_the_group),
        cmocka_unit_test(test_time_in_which_the_process_was_stopped_counts_for_no_thread),
        cmocka_unit_test(test_a_failed_thread_is_replaced_and_the_others_go_on),
        cmocka_unit_test(test_a_failed_thread_ends_its_client_only),
        cmocka_unit_test(test_a_failed_thread_ends_the_application),
    };

    if (getenv("LEAT_TEST_ONLY"))
        cmocka_set_test_filter(getenv("LEAT_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
