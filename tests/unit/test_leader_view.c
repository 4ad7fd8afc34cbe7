/*
 * From what a leader knows to a placement: from whom a task may be taken (PROTOCOLS.md 7, 12, 13),
 * in which steps it moves, who keeps a copy meanwhile; and the largest sizes by the clock. Method:
 * a control thread made by hand that knows just statuses, a group and the placement before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/mem.h"
#include "runtime/control_inside.h"

enum { A, B, C, GENERATION = 5, REVISION = 3 };

static leat__store_spec_t store;
static leat__store_spec_t *stores[] = {&store};
static leat__group_t groups[20];
static leat__plan_t plan;
static leat__worker_t worker;
static leat__control_t *c;
static leat__placement_t p; /* the answer */

static void open_with(size_t group_count, int32_t tasks_each)
{
    store.logged = true;
    for (size_t g = 0; g < group_count; g++)
        groups[g] = (leat__group_t){
            .id = (int)g, .stores = stores, .store_count = 1, .task_count = tasks_each};
    plan = (leat__plan_t){.groups = groups, .group_count = group_count};
    worker = (leat__worker_t){.config = leat_config_new(), .plan = &plan, .exactly_once = true};
    c = leat__must_alloc(sizeof *c);
    c->w = &worker;
    c->now_ms = 1000000;
    c->membership = leat__membership_new(GENERATION, "a-1", NULL, NULL, NULL);
    c->log.placement_offset = -1;
    c->log.placement.generation = GENERATION;
    c->log.placement.revision = REVISION;
}

static int open_small(void **state)
{
    (void)state;
    open_with(1, 4);
    return 0;
}

static void free_status(void *status)
{
    leat__status_release(status);
    leat__free(status);
}

static int close_it(void **state)
{
    (void)state;
    leat__placement_release(&p);
    leat__placement_release(&c->log.placement);
    leat__map_release(&c->log.statuses, free_status);
    leat__map_release(&c->lead.fenced, NULL);
    for (size_t i = 0; i < c->lead.member_count; i++) {
        leat__free(c->lead.members[i].member_id);
        leat__free(c->lead.members[i].instance_id);
    }
    leat__free(c->lead.members);
    leat__membership_unref(c->membership);
    leat__free(c);
    leat_config_free((leat_config_t *)(uintptr_t)worker.config);
    return 0;
}

/* Process `name` with member id `name`-`life`, as the group knows it. */
static void in_group(const char *name, int life)
{
    leat__lead_t *d = &c->lead;

    d->members = leat__must_realloc(d->members, (d->member_count + 1) * sizeof *d->members);
    d->members[d->member_count++] =
        (leat__group_member_t){.member_id = leat__must_format("%s-%d", name, life),
            .instance_id = leat__must_strdup(name)};
}

static leat__status_t *says(const char *name, int life)
{
    leat__status_t *s = leat__must_alloc(sizeof *s);

    s->process_id = leat__must_strdup(name);
    s->member_id = leat__must_format("%s-%d", name, life);
    s->threads = 1;
    leat__map_put(&c->log.statuses, name, s);
    return s;
}

static void holds(leat__status_t *s, leat__task_ref_t ref)
{
    s->held = leat__must_realloc(s->held, (s->held_count + 1) * sizeof *s->held);
    s->held[s->held_count++] = ref;
}

static void has_copy(leat__status_t *s, leat__task_ref_t ref, int64_t lag)
{
    s->copies = leat__must_realloc(s->copies, (s->copy_count + 1) * sizeof *s->copies);
    s->copies[s->copy_count++] = (leat__status_copy_t){ref, lag};
}

static leat__status_t *present(const char *name, int life)
{
    in_group(name, life);
    return says(name, life);
}

/* The placement before: members a-1, b-1, c-1; the owner of each task. */
static void placed(const int *owners, size_t members, size_t tasks)
{
    leat__placement_t *b = &c->log.placement;

    b->members = leat__must_alloc(members * sizeof *b->members);
    for (size_t i = 0; i < members; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        b->members[i] = (leat__placed_member_t){.member_id = leat__must_format("%s-1", name),
            .process_id = leat__must_strdup(name),
            .threads = 1};
    }
    b->member_count = members;
    b->tasks = leat__must_alloc(tasks * sizeof *b->tasks);
    for (size_t t = 0; t < tasks; t++)
        b->tasks[t] = (leat__placed_task_t){.ref = {0, (int32_t)t}, .owner = owners[t]};
    b->task_count = tasks;
    c->log.placement_offset = 7;
}

static void copy_was_asked(size_t t, int member)
{
    leat__placement_t *b = &c->log.placement;

    b->copies = leat__must_realloc(b->copies, (b->copy_count + 1) * sizeof *b->copies);
    b->tasks[t].first_copy = b->copy_count;
    b->tasks[t].copy_count = 1;
    b->copies[b->copy_count++] = (leat__assigned_copy_t){.member = member};
}

static bool compute(void)
{
    leat__placement_release(&p);
    return leat__lead_compute(c, &p, NULL);
}

static const char *owner_of(size_t t)
{
    return p.tasks[t].owner < 0 ? "" : p.members[p.tasks[t].owner].member_id;
}

static bool keeps_copy(size_t t, const char *member)
{
    for (size_t i = p.tasks[t].first_copy; i < p.tasks[t].first_copy + p.tasks[t].copy_count; i++)
        if (strcmp(p.members[p.copies[i].member].member_id, member) == 0)
            return true;
    return false;
}

/* ---- cases ---- */

static void test_first_placement_gives_each_task_once(void **state)
{
    size_t of_a = 0;

    (void)state;
    present("a", 1);
    present("b", 1);
    in_group("c", 1); /* has not said who it is */
    assert_false(compute());
    assert_int_equal(p.task_count, 4);
    assert_int_equal(p.member_count, 2);
    for (size_t t = 0; t < 4; t++) {
        assert_false(p.tasks[t].release);
        of_a += strcmp(owner_of(t), "a-1") == 0;
    }
    assert_int_equal(of_a, 2);
}

static void test_live_task_moves_in_two_steps_and_its_copy_stays(void **state)
{
    static const int owners[] = {A, A, A, A};
    leat__status_t *a, *b;

    (void)state;
    a = present("a", 1);
    b = present("b", 1);
    for (int32_t t = 0; t < 4; t++)
        holds(a, (leat__task_ref_t){0, t});
    placed(owners, 2, 4);
    copy_was_asked(1, B);
    copy_was_asked(2, B);
    has_copy(b, (leat__task_ref_t){0, 1}, 0);
    has_copy(b, (leat__task_ref_t){0, 2}, 1000000);
    assert_true(compute());
    assert_true(p.tasks[1].release);
    assert_string_equal(owner_of(1), "a-1");
    assert_true(keeps_copy(1, "b-1"));
    assert_false(p.tasks[2].release); /* still far */
    assert_true(keeps_copy(2, "b-1"));

    a->held[1] = a->held[2]; /* 1 is released, but as an answer to another revision */
    a->held[2] = a->held[3];
    a->held_count = 3;
    a->released = leat__must_alloc(sizeof *a->released);
    a->released[0] = (leat__task_ref_t){0, 1};
    a->released_count = 1;
    a->released_generation = GENERATION;
    a->released_revision = REVISION - 1;
    compute();
    assert_string_equal(owner_of(1), "a-1");
    a->released_revision = REVISION;
    compute();
    assert_string_equal(owner_of(1), "b-1");
    assert_false(p.tasks[1].release);
}

static void test_absent_process_is_fenced_before_its_tasks_go_to_the_standby(void **state)
{
    static const int owners[] = {C, A, B, A};
    leat__status_t *a, *b;

    (void)state;
    a = present("a", 1);
    b = present("b", 1);
    says("c", 1);
    holds(a, (leat__task_ref_t){0, 1});
    holds(a, (leat__task_ref_t){0, 3});
    holds(b, (leat__task_ref_t){0, 2});
    placed(owners, 3, 4);
    copy_was_asked(0, B);
    has_copy(b, (leat__task_ref_t){0, 0}, 0);
    assert_false(compute());
    assert_string_equal(owner_of(0), "c-1");
    assert_true(keeps_copy(0, "b-1"));
    leat__map_put(&c->lead.fenced, "c", c);
    compute();
    assert_string_equal(owner_of(0), "b-1");

    leat__map_remove(&c->lead.fenced, "c");
    worker.exactly_once = false; /* nothing to fence */
    compute();
    assert_string_equal(owner_of(0), "b-1");
}

static void test_new_life_of_a_process_gets_its_tasks(void **state)
{
    static const int owners[] = {A, A, B, B};
    leat__status_t *a, *b;

    (void)state;
    a = present("a", 1);
    b = present("b", 2);
    holds(a, (leat__task_ref_t){0, 0});
    holds(a, (leat__task_ref_t){0, 1});
    has_copy(b, (leat__task_ref_t){0, 2}, 0);
    has_copy(b, (leat__task_ref_t){0, 3}, 500);
    placed(owners, 2, 4);
    assert_false(compute());
    assert_string_equal(owner_of(2), "b-2");
    assert_string_equal(owner_of(3), "b-2");

    free_status(leat__map_remove(
        &c->log.statuses, "b")); /* in the group, but its new life has not said that all let go */
    says("b", 1);
    compute();
    assert_string_equal(owner_of(2), "b-1");
    assert_int_equal(p.members[p.tasks[2].owner].threads, 0);
}

static void test_who_will_be_back_keeps_its_tasks_for_a_time(void **state)
{
    static const int owners[] = {A, B, C, A};
    leat__status_t *a, *b, *gone;

    (void)state;
    a = present("a", 1);
    b = present("b", 1);
    gone = says("c", 1);
    gone->state = LEAT__PROCESS_RESTARTING;
    gone->kept_until_ms = c->now_ms + 5000;
    holds(a, (leat__task_ref_t){0, 0});
    holds(a, (leat__task_ref_t){0, 3});
    holds(b, (leat__task_ref_t){0, 1});
    placed(owners, 3, 4);
    assert_true(compute()); /* absent from the group, or in it: the same */
    assert_string_equal(owner_of(2), "c-1");
    assert_int_equal(c->lead.wake_ms, gone->kept_until_ms);
    for (size_t t = 0; t < 4; t++)
        assert_false(p.tasks[t].release); /* nobody else has too many */
    in_group("c", 1);
    assert_true(compute());
    assert_string_equal(owner_of(2), "c-1");
    c->now_ms += 5000;
    compute();
    assert_string_equal(owner_of(2), "b-1");
}

static void test_tags_come_from_the_statuses(void **state)
{
    static const char *const zones[] = {"east", "east", "west"};
    static const char *const names[] = {"a", "b", "c"};

    (void)state;
    leat_config_set(
        (leat_config_t *)(uintptr_t)worker.config, "rack.aware.assignment.tags", "rack, zone");
    leat_config_set((leat_config_t *)(uintptr_t)worker.config, "num.standby.replicas", "1");
    for (int i = 0; i < 3; i++) {
        leat__status_t *s = present(names[i], 1);
        s->tags = leat__must_alloc(sizeof *s->tags);
        s->tags[s->tag_count++] =
            (leat__tag_t){leat__must_strdup("zone"), leat__must_strdup(zones[i])};
    }
    compute();
    for (size_t t = 0; t < 4; t++)
        if (strcmp(owner_of(t), "c-1") != 0)
            assert_true(keeps_copy(t, "c-1"));
}

/* ---- sizes ---- */

static void test_largest_group_takes_less_than_a_second(void **state)
{
    enum { MEMBERS = 200, GROUPS = 20, EACH = 500, AGAIN = 3 };
    leat__status_t *statuses[MEMBERS];
    double best = 1e9;
    char name[20];

    (void)state;
    close_it(NULL);
    open_with(GROUPS, EACH);
    leat_config_set((leat_config_t *)(uintptr_t)worker.config, "num.standby.replicas", "1");
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(name, sizeof name, "process-%d", i);
        statuses[i] = present(name, 1);
    }
    compute();
    for (size_t t = 0; t < p.task_count; t++) {
        holds(statuses[p.tasks[t].owner], p.tasks[t].ref);
        has_copy(statuses[p.copies[p.tasks[t].first_copy].member], p.tasks[t].ref, 0);
    }
    for (int i = 0; i < AGAIN; i++) {
        struct timespec from, to;
        leat__placement_release(&c->log.placement);
        c->log.placement = p;
        c->log.placement_offset = i;
        memset(&p, 0, sizeof p);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        compute();
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
        double ms =
            (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
        best = ms < best ? ms : best;
    }
    for (size_t t = 0; t < p.task_count; t++)
        assert_false(p.tasks[t].release);
    print_message("a leader of 200 members and 10 000 tasks computes for %.0f ms\n", best);
    assert_true(best < 5000); /* sanitizers, loaded machines */
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_small, close_it)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_first_placement_gives_each_task_once),
        CASE(test_live_task_moves_in_two_steps_and_its_copy_stays),
        CASE(test_absent_process_is_fenced_before_its_tasks_go_to_the_standby),
        CASE(test_new_life_of_a_process_gets_its_tasks),
        CASE(test_who_will_be_back_keeps_its_tasks_for_a_time),
        CASE(test_tags_come_from_the_statuses),
        CASE(test_largest_group_takes_less_than_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
