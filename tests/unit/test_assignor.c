/*
 * The assignor by its properties: every task once, never two owners, copies never where the task
 * runs, balance in proportion to threads, tags, few moves, tasks back to who returns, and rest:
 * asked again and again while copies catch up it comes to an end. Method: a model of a group that
 * obeys every answer at once, with members that come, go and return, from seeds; what an answer
 * must have is checked after every one. And the largest sizes by the clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/mem.h"
#include "runtime/assignor.h"

enum { MEMBERS = 200, TASKS = 10000, ACCEPTABLE = 100, FAR = 1000000 };

/* ---- a group that obeys ---- */

struct model {
    int members, groups, standbys, warmups;
    int threads[MEMBERS];
    bool here[MEMBERS];
    const char *tags[MEMBERS][2];
    const char *const *tag_lists[MEMBERS];
    size_t tag_count, task_count;
    leat__assign_task_t tasks[TASKS];
    int owner[TASKS], previous[TASKS];
    int64_t *lag; /* task x member; LEAT__LAG_NONE */
    bool *live;   /* task x member */
    unsigned seed;
    size_t moves,
        losses; /* of the last answer: changed owners, and those that had to start from nothing */
    leat__assignment_t answer;
};

static int64_t *lag_at(struct model *g, size_t t, int m)
{
    return &g->lag[t * MEMBERS + (size_t)m];
}

static bool *live_at(struct model *g, size_t t, int m)
{
    return &g->live[t * MEMBERS + (size_t)m];
}

static void begin(struct model *g, int members, int groups, size_t tasks_each, unsigned seed)
{
    memset(g, 0, sizeof *g);
    g->members = members;
    g->groups = groups;
    g->warmups = 2;
    g->seed = seed;
    for (int m = 0; m < members; m++) {
        g->threads[m] = 1;
        g->here[m] = true;
    }
    for (int k = 0; k < groups; k++)
        for (size_t p = 0; p < tasks_each; p++) {
            leat__assign_task_t *t = &g->tasks[g->task_count];
            t->ref = (leat__task_ref_t){.group = k, .partition = (int32_t)p};
            t->stateful = k % 3 != 2;
            t->barred = -1;
            g->owner[g->task_count] = g->previous[g->task_count] = -1;
            g->task_count++;
        }
    g->lag = leat__must_alloc(g->task_count * MEMBERS * sizeof *g->lag);
    g->live = leat__must_alloc(g->task_count * MEMBERS * sizeof *g->live);
    for (size_t i = 0; i < g->task_count * MEMBERS; i++)
        g->lag[i] = LEAT__LAG_NONE;
}

static void end(struct model *g)
{
    leat__assignment_release(&g->answer);
    leat__free(g->lag);
    leat__free(g->live);
}

static void ask(struct model *g)
{
    leat__assign_member_t members[MEMBERS];
    leat__assign_t in = {.members = members,
        .member_count = (size_t)g->members,
        .tasks = g->tasks,
        .task_count = g->task_count,
        .tag_count = g->tag_count,
        .standbys = g->standbys,
        .warmups = g->warmups,
        .acceptable_lag = ACCEPTABLE};
    leat__assign_copy_t *copies =
        leat__must_alloc((g->task_count * (size_t)g->members + 1) * sizeof *copies);
    size_t count = 0;

    for (int m = 0; m < g->members; m++) {
        g->tag_lists[m] = g->tags[m];
        members[m] =
            (leat__assign_member_t){.threads = g->here[m] ? g->threads[m] : 0, .tags = g->tags[m]};
    }
    for (size_t t = 0; t < g->task_count; t++) {
        leat__assign_task_t *task = &g->tasks[t];
        task->holder = g->owner[t] >= 0 && g->here[g->owner[t]] ? g->owner[t] : -1;
        task->previous = task->holder < 0 ? g->previous[t] : -1;
        task->copies = &copies[count];
        task->copy_count = 0;
        for (int m = 0; m < g->members; m++)
            if (m != task->holder && g->here[m] && *lag_at(g, t, m) != LEAT__LAG_NONE) {
                copies[count++] = (leat__assign_copy_t){
                    .member = m, .live = *live_at(g, t, m), .lag = *lag_at(g, t, m)};
                task->copy_count++;
            }
    }
    leat__assignment_release(&g->answer);
    leat__assign(&in, &g->answer);
    for (size_t t = 0; t < g->task_count; t++)
        g->tasks[t].copies = NULL;
    leat__free(copies);
}

/* Everybody does what the answer says; who was asked for a copy and has none begins one. */
static void obey(struct model *g)
{
    const leat__assignment_t *a = &g->answer;

    g->moves = g->losses = 0;
    for (size_t t = 0; t < g->task_count; t++) {
        bool ready = false;

        for (int m = 0; m < g->members; m++) {
            *live_at(g, t, m) = false;
            ready = ready || (g->here[m] && *lag_at(g, t, m) <= ACCEPTABLE);
        }
        for (size_t i = a->first[t]; i < a->first[t + 1]; i++) {
            *live_at(g, t, a->copies[i].member) = true;
            if (*lag_at(g, t, a->copies[i].member) == LEAT__LAG_NONE)
                *lag_at(g, t, a->copies[i].member) = FAR;
        }
        if (g->owner[t] != a->owners[t]) {
            g->moves++;
            g->losses += g->tasks[t].stateful && ready && *lag_at(g, t, a->owners[t]) > ACCEPTABLE;
        }
        g->owner[t] = g->previous[t] = a->owners[t];
        if (g->tasks[t].stateful)
            *lag_at(g, t, a->owners[t]) = 0;
    }
}

static void catch_up(struct model *g)
{
    for (size_t t = 0; t < g->task_count; t++)
        for (int m = 0; m < g->members; m++)
            if (*live_at(g, t, m))
                *lag_at(g, t, m) = 0;
}

static void leave(struct model *g, int m)
{
    g->here[m] = false;
    for (size_t t = 0; t < g->task_count; t++) {
        *live_at(g, t, m) = false;
        if (g->owner[t] == m)
            g->owner[t] = g->previous[t] = -1;
    }
}

/* ---- what every answer must have ---- */

static void check_answer(struct model *g)
{
    const leat__assignment_t *a = &g->answer;
    size_t warming = 0, here = 0;

    for (int m = 0; m < g->members; m++)
        here += g->here[m];
    for (size_t t = 0; t < g->task_count; t++) {
        size_t copies = a->first[t + 1] - a->first[t], standbys = 0;

        assert_in_range(a->owners[t], 0, g->members - 1);
        assert_true(g->here[a->owners[t]]);
        if (!g->tasks[t].stateful)
            assert_int_equal(copies, 0);
        for (size_t i = a->first[t]; i < a->first[t + 1]; i++) {
            assert_true(g->here[a->copies[i].member]);
            assert_int_not_equal(a->copies[i].member, a->owners[t]);
            for (size_t k = a->first[t]; k < i; k++)
                assert_int_not_equal(a->copies[i].member, a->copies[k].member);
            warming += a->copies[i].warming;
            standbys += !a->copies[i].warming;
        }
        if (g->tasks[t].stateful)
            assert_int_equal(
                standbys, here - 1 < (size_t)g->standbys ? here - 1 : (size_t)g->standbys);
    }
    assert_true(warming <= (size_t)g->warmups);
    assert_int_equal(g->losses, 0);
}

/* No member more than one above or below its exact share; sub-topologies nearly so. */
static void check_balance(struct model *g, size_t slack)
{
    size_t count[MEMBERS] = {0}, all = 0, threads = 0;
    static size_t of_group[MEMBERS][64];

    memset(of_group, 0, sizeof of_group);
    for (int m = 0; m < g->members; m++)
        threads += g->here[m] ? (size_t)g->threads[m] : 0;
    for (size_t t = 0; t < g->task_count; t++, all++) {
        count[g->owner[t]]++;
        of_group[g->owner[t]][g->tasks[t].ref.group]++;
    }
    for (int m = 0; m < g->members; m++) {
        size_t share = g->here[m] ? all * (size_t)g->threads[m] : 0, each;
        assert_true(count[m] * threads < share + threads);
        assert_true(count[m] * threads + threads > share);
        for (int k = 0; k < g->groups; k++) {
            each = g->here[m] ? all / (size_t)g->groups * (size_t)g->threads[m] : 0;
            assert_true(of_group[m][k] * threads < each + (1 + slack) * threads);
            assert_true(of_group[m][k] * threads + (1 + slack) * threads > each);
        }
    }
}

static void check_copies_spread(struct model *g)
{
    size_t count[MEMBERS] = {0}, all = 0, threads = 0;
    const leat__assignment_t *a = &g->answer;

    for (size_t i = 0; i < a->copy_count; i++, all++)
        count[a->copies[i].member]++;
    for (int m = 0; m < g->members; m++)
        threads += g->here[m] ? (size_t)g->threads[m] : 0;
    for (int m = 0; m < g->members; m++)
        assert_true(!g->here[m] || count[m] * threads <= all * (size_t)g->threads[m] + 3 * threads);
}

/* Until nothing moves and nothing warms up; how often it had to be asked. */
static int come_to_rest(struct model *g)
{
    for (int round = 1; round < 3000; round++) {
        bool still = true;
        leat__assignment_t before;

        ask(g);
        obey(g);
        check_answer(g);
        before = g->answer;
        memset(&g->answer, 0, sizeof g->answer);
        catch_up(g);
        ask(g);
        still = !g->answer.probing && before.copy_count == g->answer.copy_count &&
                memcmp(before.owners, g->answer.owners, g->task_count * sizeof(int)) == 0;
        for (size_t i = 0; still && i < before.copy_count; i++)
            still =
                before.copies[i].member == g->answer.copies[i].member && !before.copies[i].warming;
        leat__assignment_release(&before);
        obey(g);
        check_answer(g);
        if (still)
            return round;
    }
    fail_msg("never at rest: seed %u", g->seed);
    return 0;
}

/* ---- properties ---- */

static struct model model;

static void test_first_members_share_evenly_at_once(void **state)
{
    (void)state;
    for (int members = 1; members <= 20; members++) {
        begin(&model, members, 4, 24, 1);
        model.standbys = 1;
        assert_in_range(come_to_rest(&model), 1, 3);
        check_balance(&model, 0);
        check_copies_spread(&model);
        end(&model);
    }
}

static void test_threads_are_the_measure(void **state)
{
    size_t of_first = 0;

    (void)state;
    begin(&model, 3, 2, 40, 1);
    model.threads[0] = 6;
    model.threads[1] = model.threads[2] = 1;
    come_to_rest(&model);
    check_balance(&model, 0);
    for (size_t t = 0; t < model.task_count; t++)
        of_first += model.owner[t] == 0;
    assert_int_equal(of_first, 60);
    end(&model);
}

static void test_joining_moves_only_what_balance_asks_and_only_warm(void **state)
{
    size_t moved = 0;

    (void)state;
    begin(&model, 4, 3, 20, 1);
    model.here[3] = false;
    come_to_rest(&model);
    check_balance(&model, 0);
    model.here[3] = true;
    for (int i = 0; i < 40; i++) {
        ask(&model);
        obey(&model);
        check_answer(&model);
        moved += model.moves;
        catch_up(&model);
    }
    check_balance(&model, 0);
    assert_int_equal(moved, 15); /* a quarter of 60 */
    end(&model);
}

static void check_stateful_where(const struct model *g, const int *where)
{
    for (size_t t = 0; t < g->task_count; t++)
        if (g->tasks[t].stateful)
            assert_int_equal(g->owner[t], where[t]);
}

static void test_member_that_leaves_and_returns_gets_its_tasks_back(void **state)
{
    static int before[TASKS];

    (void)state;
    for (int standbys = 0; standbys <= 1; standbys++) {
        begin(&model, 3, 4, 12, 1);
        model.standbys = standbys;
        come_to_rest(&model);
        memcpy(before, model.owner, sizeof before);
        leave(&model, 1);
        come_to_rest(&model);
        check_balance(&model, 0);
        for (size_t t = 0; t < model.task_count; t++)
            if (before[t] != 1)
                assert_int_equal(model.owner[t], before[t]);
        model.here[1] = true; /* its state is a little old by now */
        for (size_t t = 0; t < model.task_count; t++)
            if (*lag_at(&model, t, 1) != LEAT__LAG_NONE)
                *lag_at(&model, t, 1) = ACCEPTABLE / 2;
        ask(&model);
        obey(&model);
        check_answer(&model);
        check_balance(&model, 0); /* at once */
        if (standbys == 0) /* with standbys its state also fits tasks that it did not run before */
            check_stateful_where(&model, before);
        memcpy(before, model.owner, sizeof before);
        come_to_rest(&model);
        check_stateful_where(&model, before);
        end(&model);
    }
}

static void test_restarted_member_goes_before_the_standby(void **state)
{
    static int before[TASKS];

    (void)state;
    begin(&model, 3, 2, 12, 1);
    model.standbys = 1;
    come_to_rest(&model);
    memcpy(before, model.owner, sizeof before);
    for (size_t t = 0; t < model.task_count; t++) /* all killed, all back at once */
        model.owner[t] = -1;
    ask(&model);
    obey(&model);
    assert_memory_equal(model.owner, before, model.task_count * sizeof *before);
    assert_int_equal(model.losses, 0);
    end(&model);
}

static void test_dead_members_tasks_go_to_their_standbys(void **state)
{
    (void)state;
    begin(&model, 4, 2, 16, 1);
    model.standbys = 1;
    come_to_rest(&model);
    leave(&model, 2);
    ask(&model);
    for (size_t t = 0; t < model.task_count; t++)
        if (model.owner[t] < 0 && model.tasks[t].stateful)
            assert_int_equal(*lag_at(&model, t, model.answer.owners[t]), 0);
    obey(&model);
    check_answer(&model);
    end(&model);
}

/*
 * A task that restores and is far from ready has nothing to lose: it moves at once; with a copy
 * that is ready that one runs.
 */
static void test_far_holder_gives_way(void **state)
{
    leat__assign_member_t members[3] = {{.threads = 1}, {.threads = 1}, {.threads = 1}};
    leat__assign_copy_t ready = {.member = 2, .live = true, .lag = 3};
    leat__assign_task_t tasks[3] = {{.ref = {0, 0},
                                        .stateful = true,
                                        .holder = 0,
                                        .holder_lag = FAR,
                                        .previous = -1,
                                        .barred = -1},
        {.ref = {0, 1},
            .stateful = true,
            .holder = 0,
            .holder_lag = FAR,
            .previous = -1,
            .barred = -1},
        {.ref = {0, 2},
            .stateful = true,
            .holder = 0,
            .holder_lag = FAR,
            .previous = -1,
            .barred = -1,
            .copies = &ready,
            .copy_count = 1}};
    leat__assign_t in = {.members = members,
        .member_count = 3,
        .tasks = tasks,
        .task_count = 3,
        .warmups = 2,
        .acceptable_lag = ACCEPTABLE};
    leat__assignment_t a;

    (void)state;
    leat__assign(&in, &a);
    assert_int_equal(a.owners[2], 2);
    assert_true(a.owners[0] != a.owners[1] && a.owners[0] != 2 && a.owners[1] != 2);
    leat__assignment_release(&a);
}

static void test_kept_tasks_stay_out_of_it(void **state)
{
    leat__assign_member_t members[3] = {{.threads = 0}, {.threads = 1}, {.threads = 1}};
    leat__assign_copy_t standby = {.member = 1, .live = true};
    leat__assign_task_t tasks[4] = {{.ref = {0, 0},
                                        .stateful = true,
                                        .kept = true,
                                        .holder = -1,
                                        .previous = 0,
                                        .barred = -1,
                                        .copies = &standby,
                                        .copy_count = 1},
        {.ref = {0, 1}, .stateful = true, .kept = true, .holder = -1, .previous = 0, .barred = -1},
        {.ref = {0, 2}, .stateful = true, .holder = 1, .previous = -1, .barred = -1},
        {.ref = {0, 3}, .stateful = true, .holder = 2, .previous = -1, .barred = -1}};
    leat__assign_t in = {.members = members,
        .member_count = 3,
        .tasks = tasks,
        .task_count = 4,
        .standbys = 1,
        .warmups = 2,
        .acceptable_lag = ACCEPTABLE};
    leat__assignment_t a;

    (void)state;
    leat__assign(&in, &a);
    assert_int_equal(a.owners[0], -1);
    assert_int_equal(a.owners[1], -1);
    assert_int_equal(a.owners[2], 1);
    assert_int_equal(a.owners[3], 2);
    assert_int_equal(a.copies[a.first[0]].member, 1);
    leat__assignment_release(&a);
}

static void test_barred_member_does_not_get_it_back(void **state)
{
    leat__assign_member_t members[2] = {{.threads = 1}, {.threads = 1}};
    leat__assign_copy_t own = {.member = 0};
    leat__assign_task_t tasks[2] = {{.ref = {0, 0},
                                        .stateful = true,
                                        .holder = -1,
                                        .previous = 0,
                                        .barred = 0,
                                        .copies = &own,
                                        .copy_count = 1},
        {.ref = {0, 1}, .stateful = true, .holder = 1, .previous = -1, .barred = -1}};
    leat__assign_t in = {.members = members,
        .member_count = 2,
        .tasks = tasks,
        .task_count = 2,
        .standbys = 1,
        .warmups = 2,
        .acceptable_lag = ACCEPTABLE};
    leat__assignment_t a;

    (void)state;
    leat__assign(&in, &a);
    assert_int_equal(a.owners[0], 1);
    leat__assignment_release(&a);
    in.member_count = in.task_count = 1; /* nobody else is there */
    leat__assign(&in, &a);
    assert_int_equal(a.owners[0], -1);
    leat__assignment_release(&a);
}

static void test_nobody_takes_any(void **state)
{
    leat__assign_member_t members[1] = {{.threads = 0}};
    leat__assign_task_t task = {
        .ref = {0, 0}, .stateful = true, .holder = 0, .previous = -1, .barred = -1};
    leat__assign_t in = {.members = members,
        .member_count = 1,
        .tasks = &task,
        .task_count = 1,
        .standbys = 1,
        .warmups = 2,
        .acceptable_lag = ACCEPTABLE};
    leat__assignment_t a;

    (void)state;
    leat__assign(&in, &a);
    assert_int_equal(a.owners[0], -1);
    assert_int_equal(a.copy_count, 0);
    leat__assignment_release(&a);
    in.member_count = in.task_count = 0;
    leat__assign(&in, &a);
    leat__assignment_release(&a);
}

/* ---- tags ---- */

static size_t tag_clashes(struct model *g)
{
    size_t sum = 0;

    for (size_t t = 0; t < g->task_count; t++)
        for (size_t i = g->answer.first[t]; i < g->answer.first[t + 1]; i++) {
            sum += g->tags[g->answer.copies[i].member][0] == g->tags[g->owner[t]][0];
            for (size_t k = g->answer.first[t]; k < i; k++)
                sum += g->tags[g->answer.copies[i].member][0] ==
                       g->tags[g->answer.copies[k].member][0];
        }
    return sum;
}

static void test_standbys_stand_in_other_zones(void **state)
{
    static const char *const zones[] = {"a", "b", "c"};

    (void)state;
    begin(&model, 9, 3, 18, 1);
    model.tag_count = 1;
    model.standbys = 2;
    for (int m = 0; m < 9; m++)
        model.tags[m][0] = zones[m / 3];
    come_to_rest(&model);
    assert_int_equal(tag_clashes(&model), 0);
    check_copies_spread(&model);
    leave(&model, 0);
    come_to_rest(&model);
    assert_int_equal(tag_clashes(&model), 0);
    end(&model);
}

static void test_zones_that_do_not_suffice_are_no_obstacle(void **state)
{
    (void)state;
    begin(&model, 3, 2, 9, 1);
    model.tag_count = 1;
    model.standbys = 2;
    for (int m = 0; m < 3; m++)
        model.tags[m][0] = m < 2 ? "a" : NULL;
    come_to_rest(&model); /* check_answer asks for two copies of each */
    end(&model);
}

/* ---- at random ---- */

static int pick(struct model *g, int below)
{
    return rand_r(&g->seed) % below;
}

static void random_event(struct model *g)
{
    int m = pick(g, g->members), here = 0;

    for (int i = 0; i < g->members; i++)
        here += g->here[i];
    if (!g->here[m]) {
        g->here[m] = true;
        for (size_t t = 0; t < g->task_count; t++) /* what it had is somewhat old, or gone */
            if (*lag_at(g, t, m) != LEAT__LAG_NONE)
                *lag_at(g, t, m) = pick(g, 3) ? pick(g, 2 * ACCEPTABLE) : LEAT__LAG_NONE;
    } else if (pick(g, 3) == 0) {
        g->threads[m] = 1 + pick(g, 4);
    } else if (here > 1) {
        leave(g, m);
    }
}

static void test_members_come_and_go_at_random(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++) {
        unsigned s = seed;
        int members = 2 + rand_r(&s) % 12;

        begin(&model, members, 1 + rand_r(&s) % 6, (size_t)(1 + rand_r(&s) % 20), seed);
        model.standbys = rand_r(&s) % 3;
        model.warmups = 1 + rand_r(&s) % 4;
        for (int m = 0; m < members; m++) {
            model.threads[m] = 1 + rand_r(&s) % 3;
            model.here[m] = rand_r(&s) % 3 != 0;
        }
        model.here[0] = true;
        for (int i = 0; i < 12; i++) {
            random_event(&model);
            if (pick(&model, 2)) { /* the next event comes before all have caught up */
                ask(&model);
                obey(&model);
                check_answer(&model);
                continue;
            }
            come_to_rest(&model);
            check_balance(&model, 1);
        }
        end(&model);
    }
}

/* ---- sizes ---- */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double timed(struct model *g)
{
    double began;

    began = seconds();
    ask(g);
    began = seconds() - began;
    obey(g);
    check_answer(g);
    return began;
}

static void test_200_members_and_10000_tasks_take_less_than_a_second(void **state)
{
    double first, again, left, joined;

    (void)state;
    begin(&model, 200, 10, 1000, 1);
    model.standbys = 1;
    model.here[7] = false;
    first = timed(&model);
    catch_up(&model);
    again = timed(&model);
    leave(&model, 3);
    left = timed(&model);
    model.here[7] = true;
    joined = timed(&model);
    check_copies_spread(&model);
    print_message("200 members, 10 000 tasks, 1 standby: %.0f ms first, %.0f ms again, %.0f ms one "
                  "left, %.0f ms one joined\n",
        first * 1e3, again * 1e3, left * 1e3, joined * 1e3);
    assert_true(first < 5 && again < 5 && left < 5 && joined < 5); /* sanitizers, loaded machines */
    end(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_members_share_evenly_at_once),
        cmocka_unit_test(test_threads_are_the_measure),
        cmocka_unit_test(test_joining_moves_only_what_balance_asks_and_only_warm),
        cmocka_unit_test(test_member_that_leaves_and_returns_gets_its_tasks_back),
        cmocka_unit_test(test_restarted_member_goes_before_the_standby),
        cmocka_unit_test(test_dead_members_tasks_go_to_their_standbys),
        cmocka_unit_test(test_far_holder_gives_way),
        cmocka_unit_test(test_kept_tasks_stay_out_of_it),
        cmocka_unit_test(test_barred_member_does_not_get_it_back),
        cmocka_unit_test(test_nobody_takes_any),
        cmocka_unit_test(test_standbys_stand_in_other_zones),
        cmocka_unit_test(test_zones_that_do_not_suffice_are_no_obstacle),
        cmocka_unit_test(test_members_come_and_go_at_random),
        cmocka_unit_test(test_200_members_and_10000_tasks_take_less_than_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
