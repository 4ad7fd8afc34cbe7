/*
 * The placement of whole processes: standbys that take over, copies that warm up before a task
 * moves, processes that leave, come back, or say that they will (PROTOCOLS.md 7, 12, 13, 16), tags,
 * and statuses of the gone. Method: processes stepped by hand on the embedded log (process_rig.h);
 * a count per key whose outputs must be 1, 2, 3 ... exactly, and what each process replayed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "process_rig.h"

enum { PARTITIONS = 6, SESSION_MS = 10000, ROOM = 40000 };

static rig_record_t room[ROOM];
static int64_t written; /* to each partition */

/* What a process said of its restores; of standbys apart. */
typedef struct replay_t {
    int64_t active, standby;
} replay_t;

static void on_restore(void *user, const leat_restore_t *r)
{
    replay_t *sum = user;

    if (r->event == LEAT_RESTORE_END)
        *(r->standby ? &sum->standby : &sum->active) += r->at - r->start;
}

static void open_world(rig_world_t *w, procs_t *all)
{
    rig_world_open(w, rig_build_count, PARTITIONS, "exactly_once_v2");
    *all = (procs_t){.world = w};
    written = 0;
}

static proc_t *start(procs_t *all, const char *name, replay_t *replay)
{
    proc_t *p = proc_start(all, name, 1);

    if (replay != NULL) {
        *replay = (replay_t){0, 0};
        p->opts.on_restore = on_restore;
        p->opts.user = replay;
    }
    return p;
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

static void check_outputs(rig_world_t *w)
{
    size_t count = rig_read(w, "out", w->partitions, true, room, ROOM);
    int64_t last[PARTITIONS][3] = {{0}}, sum = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t *l = &last[room[i].key[0] - 'a'][room[i].key[1] - '0'];

        assert_int_equal(room[i].number, *l + 1);
        *l = room[i].number;
    }
    for (int p = 0; p < PARTITIONS; p++)
        for (int k = 0; k < 3; k++)
            sum += last[p][k];
    assert_int_equal(sum, written * PARTITIONS);
}

static void close_world(rig_world_t *w, procs_t *all)
{
    procs_end(all);
    check_outputs(w);
    rig_world_close(w);
}

/* ---- who has what ---- */

/* A bit for each partition that p runs, or keeps a copy of. */
static unsigned held(const proc_t *p, bool standby)
{
    unsigned bits = 0;

    for (size_t i = 0; i < p->control->owned_count; i++)
        if (p->control->owned[i].standby == standby)
            bits |= 1u << p->control->owned[i].ref.partition;
    return bits;
}

static unsigned bits_of(unsigned set)
{
    unsigned count = 0;

    for (; set != 0; set &= set - 1)
        count++;
    return count;
}

static bool standbys_caught_up(const procs_t *all, unsigned each)
{
    for (size_t i = 0; i < all->count; i++) {
        const proc_t *p = all->of[i];

        if (bits_of(held(p, true)) != each)
            return false;
        for (size_t k = 0; k < p->control->owned_count; k++)
            if (p->control->owned[k].standby && p->control->owned[k].lag != 0)
                return false;
    }
    return true;
}

static unsigned warming(const proc_t *p)
{
    unsigned count = 0;

    for (size_t k = 0; k < p->control->owned_count; k++)
        count += p->control->owned[k].standby && !p->control->owned[k].caught_up;
    return count;
}

static bool balanced(const procs_t *all, unsigned each)
{
    for (size_t i = 0; i < all->count; i++)
        if (bits_of(held(all->of[i], false)) != each)
            return false;
    return procs_all_run(all, PARTITIONS);
}

/* ---- standbys ---- */

static void test_standby_takes_over_from_the_dead_and_replays_only_the_rest(void **state)
{
    rig_world_t w;
    procs_t all;
    replay_t of_b;
    proc_t *a, *b;
    int64_t died_ms;

    (void)state;
    open_world(&w, &all);
    rig_world_set(&w, "num.standby.replicas", "1");
    a = start(&all, "a", NULL);
    b = start(&all, "b", &of_b);
    procs_until(&all, 30000, balanced(&all, 3));
    write_and_settle(&all, 300);
    procs_until(&all, 30000, standbys_caught_up(&all, 3));
    assert_int_equal(held(a, false) & held(a, true), 0); /* never where it runs */
    assert_int_equal(held(a, false), held(b, true));
    of_b = (replay_t){0, 0};

    died_ms = w.clock.steady_ms;
    proc_crash(&all, a);
    procs_until(&all, 60000, proc_tasks(b, -1) == PARTITIONS);
    assert_true(w.clock.steady_ms - died_ms < SESSION_MS + 1500);
    assert_true(of_b.active < 20); /* of 900 */
    write_and_settle(&all, 30);

    start(&all, "a", NULL); /* with what it has on disk */
    procs_until(&all, 60000, balanced(&all, 3));
    write_and_settle(&all, 30);
    procs_until(&all, 30000, standbys_caught_up(&all, 3));
    close_world(&w, &all);
}

static void test_standbys_stand_in_another_zone(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p[4];

    (void)state;
    open_world(&w, &all);
    rig_world_set(&w, "num.standby.replicas", "1");
    rig_world_set(&w, "rack.aware.assignment.tags", "zone");
    rig_world_set(&w, "client.tag.zone", "east");
    p[0] = start(&all, "a", NULL);
    p[1] = start(&all, "b", NULL);
    rig_world_set(&w, "client.tag.zone", "west");
    p[2] = start(&all, "c", NULL);
    p[3] = start(&all, "d", NULL);
    procs_until(&all, 60000,
        procs_all_run(&all, PARTITIONS) && bits_of(held(p[0], true)) + bits_of(held(p[1], true)) +
                                                   bits_of(held(p[2], true)) +
                                                   bits_of(held(p[3], true)) ==
                                               PARTITIONS);
    write_and_settle(&all, 10);
    procs_run(&all, 3000);
    assert_int_equal(held(p[0], false) | held(p[1], false), held(p[2], true) | held(p[3], true));
    assert_int_equal(held(p[2], false) | held(p[3], false), held(p[0], true) | held(p[1], true));
    close_world(&w, &all);
}

/* ---- warm-ups ---- */

static void test_tasks_move_to_a_new_member_only_once_it_is_warm(void **state)
{
    rig_world_t w;
    procs_t all;
    replay_t of_b;
    proc_t *a, *b;
    unsigned most = 0;

    (void)state;
    open_world(&w, &all);
    rig_world_set(&w, "acceptable.recovery.lag", "20");
    a = start(&all, "a", NULL);
    procs_until(&all, 30000, procs_all_run(&all, PARTITIONS));
    write_and_settle(&all, 300);
    b = start(&all, "b", &of_b);
    for (int i = 0; i < 12000 && !balanced(&all, 3); i++) {
        procs_step(&all);
        most = warming(b) > most ? warming(b) : most;
        if (i % 100 == 0)
            write_some(&w, 1); /* somebody always works on every task */
    }
    assert_true(balanced(&all, 3));
    assert_true(most > 0 && most <= 2); /* max.warmup.replicas */
    assert_true(of_b.active < 100);     /* of 900: the rest of what it had warmed up */
    procs_run(&all, 3000);
    assert_int_equal(held(a, true) | held(b, true), 0); /* nothing left over */
    write_and_settle(&all, 10);
    close_world(&w, &all);
}

/* ---- leaving and returning ---- */

static void test_member_that_leaves_and_returns_gets_its_tasks_back(void **state)
{
    rig_world_t w;
    procs_t all;
    replay_t of_b;
    proc_t *b;
    unsigned before;
    int64_t left_ms;

    (void)state;
    open_world(&w, &all);
    start(&all, "a", NULL);
    b = start(&all, "b", NULL);
    start(&all, "c", NULL);
    procs_until(&all, 60000, balanced(&all, 2));
    write_and_settle(&all, 200);
    before = held(b, false);
    proc_stop(&all, b);
    left_ms = w.clock.steady_ms;
    procs_until(&all, 60000, procs_all_run(&all, PARTITIONS));
    assert_true(w.clock.steady_ms - left_ms < 1000); /* at once, without the group */
    write_and_settle(&all, 20);
    b = start(&all, "b", &of_b);
    procs_until(&all, 60000, balanced(&all, 2));
    assert_int_equal(held(b, false), before);
    write_and_settle(&all, 20);
    assert_true(of_b.active <= 60); /* what was written meanwhile, with markers */
    close_world(&w, &all);
}

/* Who stops writes its checkpoints for itself: the others have its tasks as soon as its commit is in. */
static void test_tasks_of_who_stops_go_on_before_its_checkpoints_are_written(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p[2];

    (void)state;
    for (int leader = 0; leader < 2; leader++) { /* it leaves the placement to the other, or makes it */
        open_world(&w, &all);
        p[0] = start(&all, "a", NULL);
        p[1] = start(&all, "b", NULL);
        procs_until(&all, 60000, balanced(&all, 3));
        write_and_settle(&all, 20);
        proc_t *stops = p[0]->control->leads == (leader == 1) ? p[0] : p[1];
        proc_t *stays = stops == p[0] ? p[1] : p[0];
        write_some(&w, 5);
        leat__control_stop(stops->control);
        procs_until(&all, 30000, stops->control->owned_count == 0);
        assert_false(stops->control->seats[0].stopped);
        stops->frozen_threads[0] = true; /* a disk that takes its time */
        procs_until(&all, 30000, proc_tasks(stays, -1) == PARTITIONS);
        procs_until(&all, 30000, procs_have_read(&all, written));
        assert_false(stops->over);
        stops->frozen_threads[0] = false;
        procs_until(&all, 30000, stops->over);
        close_world(&w, &all);
    }
}

static void test_rolling_restart_moves_no_state(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    rig_world_t w;
    procs_t all;
    replay_t replays[3];
    proc_t *p[3];
    unsigned before[3];

    (void)state;
    open_world(&w, &all);
    rig_world_set(&w, "leat.restart.delay.ms", "60000");
    for (int i = 0; i < 3; i++)
        p[i] = start(&all, names[i], &replays[i]);
    procs_until(&all, 60000, balanced(&all, 2));
    write_and_settle(&all, 200);
    for (int i = 0; i < 3; i++) {
        before[i] = held(p[i], false);
        replays[i] = (replay_t){0, 0};
    }
    for (int i = 0; i < 3; i++) {
        proc_stop(&all, p[i]);
        write_some(&w, 5);
        procs_run(&all, i == 0 ? 3000 : 15000); /* also beyond its session */
        for (int k = 0; k < 3; k++)
            assert_true(k == i || held(p[k], false) == before[k]);
        p[i] = start(&all, names[i], &replays[i]);
        procs_until(&all, 30000, balanced(&all, 2));
        assert_int_equal(held(p[i], false), before[i]);
        procs_until(&all, 30000, procs_have_read(&all, written));
    }
    for (int i = 0; i < 3; i++)
        assert_true(replays[i].active <= 2); /* the marker of each task's last transaction */
    close_world(&w, &all);
}

static void test_who_does_not_come_back_in_time_is_waited_for_no_longer(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *a;
    int64_t left_ms;

    (void)state;
    open_world(&w, &all);
    rig_world_set(&w, "leat.restart.delay.ms", "15000");
    a = start(&all, "a", NULL); /* leads, as the first */
    start(&all, "b", NULL);
    procs_until(&all, 60000, balanced(&all, 3));
    write_and_settle(&all, 20);
    proc_stop(&all, a);
    left_ms = w.clock.steady_ms;
    write_some(&w, 5);
    procs_run(&all, 13000);
    assert_false(procs_all_run(&all, PARTITIONS));
    procs_until(&all, 30000, procs_all_run(&all, PARTITIONS));
    assert_true(w.clock.steady_ms - left_ms < 17000);
    write_and_settle(&all, 5);
    close_world(&w, &all);
}

/* ---- records ---- */

static bool knows(const proc_t *p, const char *process)
{
    return leat__control_log_process(&p->control->log, process) != NULL;
}

static void test_status_of_the_gone_is_deleted_and_of_the_living_comes_back(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *a, *b, *c;

    (void)state;
    open_world(&w, &all);
    a = start(&all, "a", NULL);
    b = start(&all, "b", NULL);
    c = start(&all, "c", NULL);
    procs_until(&all, 60000, balanced(&all, 2));
    write_and_settle(&all, 10);
    proc_crash(&all, c);
    procs_run(&all, SESSION_MS - 1000);
    assert_true(knows(a, "c")); /* it may yet be fenced */
    procs_until(&all, 30000, procs_all_run(&all, PARTITIONS));
    procs_until(&all, 5000, !knows(a, "c") && !knows(b, "c"));
    write_and_settle(&all, 10);

    leat__control_log_forget(&a->control->log, "b"); /* as a leader that is wrong would */
    procs_until(&all, 5000, !knows(a, "b"));
    procs_until(&all, 5000, knows(a, "b"));
    procs_run(&all, 1000);
    assert_true(balanced(&all, 3));
    write_and_settle(&all, 10);
    close_world(&w, &all);
}

/*
 * Each of the placements that a leader of a short-lived generation would write is one that all have
 * to read and obey.
 */
static void test_young_generations_are_skipped_while_nobody_lacks_an_owner(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *a;
    int32_t generation;
    int64_t joined_ms;

    (void)state;
    open_world(&w, &all);
    a = start(&all, "a", NULL);
    procs_until(&all, 30000, procs_all_run(&all, PARTITIONS));
    generation = a->control->log.placement.generation;
    start(&all, "b", NULL);
    procs_until(&all, 30000,
        a->control->settled && leat__membership_generation(a->control->membership) > generation);
    joined_ms = w.clock.steady_ms;
    procs_until(&all, 30000, a->control->log.placement.generation > generation);
    assert_true(w.clock.steady_ms - joined_ms >= 190);
    write_and_settle(&all, 10); /* nobody waited for it */
    procs_until(&all, 60000, balanced(&all, 3));
    close_world(&w, &all);
}

/* ---- at random ---- */

enum { NAMES = 3 };
static const char *const names[NAMES] = {"a", "b", "c"};

static void remove_state(const rig_world_t *w, const char *name)
{
    char command[160];

    snprintf(command, sizeof command, "rm -rf %s/%s", w->dir, name);
    assert_int_equal(system(command), 0);
}

/* One of them dies, stops, hangs or wakes up, comes back with its state or without. */
static void random_event(procs_t *all, proc_t **p, unsigned *seed)
{
    int i = rand_r(seed) % NAMES, what = rand_r(seed) % 4;

    if (p[i] == NULL) {
        if (what == 0)
            remove_state(all->world, names[i]);
        p[i] = start(all, names[i], NULL);
    } else if (p[i]->frozen) {
        p[i]->frozen = false;
    } else if (what == 0) {
        proc_crash(all, p[i]);
        p[i] = NULL;
    } else if (what == 1) {
        proc_stop(all, p[i]);
        p[i] = NULL;
    } else if (what == 2) {
        p[i]->frozen = true;
    }
}

static void run_at_random(unsigned seed)
{
    rig_world_t w;
    procs_t all;
    proc_t *p[NAMES];
    unsigned s = seed;

    open_world(&w, &all);
    rig_world_set(&w, "num.standby.replicas", seed % 2 ? "1" : "0");
    rig_world_set(&w, "leat.restart.delay.ms", seed % 3 ? "0" : "20000");
    for (int i = 0; i < NAMES; i++)
        p[i] = start(&all, names[i], NULL);
    for (int i = 0; i < 14; i++) {
        write_some(&w, 5);
        procs_run(&all, rand_r(&s) % 3 ? 500 + rand_r(&s) % 3000 : SESSION_MS + 2000);
        random_event(&all, p, &s);
    }
    for (int i = 0; i < NAMES; i++) {
        if (p[i] == NULL)
            p[i] = start(&all, names[i], NULL);
        p[i]->frozen = false;
    }
    write_some(&w, 5);
    procs_until(&all, 120000, procs_have_read(&all, written));
    procs_until(&all, 120000, balanced(&all, 2));
    close_world(&w, &all);
}

/* LEAT_TEST_SEEDS=from,count tries others. */
static void test_counts_are_exact_whatever_happens_to_processes(void **state)
{
    unsigned from = 1, count = 4;
    const char *seeds = getenv("LEAT_TEST_SEEDS");

    (void)state;
    if (seeds != NULL)
        sscanf(seeds, "%u,%u", &from, &count);
    for (unsigned seed = from; seed < from + count; seed++) {
        if (seeds != NULL)
            print_message("seed %u\n", seed);
        run_at_random(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_standby_takes_over_from_the_dead_and_replays_only_the_rest),
        cmocka_unit_test(test_standbys_stand_in_another_zone),
        cmocka_unit_test(test_tasks_move_to_a_new_member_only_once_it_is_warm),
        cmocka_unit_test(test_member_that_leaves_and_returns_gets_its_tasks_back),
        cmocka_unit_test(test_tasks_of_who_stops_go_on_before_its_checkpoints_are_written),
        cmocka_unit_test(test_rolling_restart_moves_no_state),
        cmocka_unit_test(test_who_does_not_come_back_in_time_is_waited_for_no_longer),
        cmocka_unit_test(test_status_of_the_gone_is_deleted_and_of_the_living_comes_back),
        cmocka_unit_test(test_young_generations_are_skipped_while_nobody_lacks_an_owner),
        cmocka_unit_test(test_counts_are_exact_whatever_happens_to_processes),
    };

    const char *only = getenv("LEAT_TEST_ONLY");
    if (only != NULL)
        cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
