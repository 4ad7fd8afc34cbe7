/*
 * The records of the control topic as text: what is written is read back, what a later version adds is
 * skipped, and what is damaged is refused or read without harm.
 * Method: each record cut at every byte, and with every byte changed; run it with LEAT_SANITIZER=address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "runtime/placement.h"

static leat__placed_member_t members[] = {{"member-1", "process-1", 2}, {"member-2", "process-2", 1}};
static leat__placed_task_t tasks[] = {{{0, 0}, 0, false, 0, 1}, {{0, 1}, 1, true, 1, 2}, {{1, 0}, -1, false, 3, 0}};
static leat__assigned_copy_t copies[] = {{1, false}, {0, false}, {1, true}};
static leat__tag_t tags[] = {{"zone", "eu west\n1%"}, {"rack", "r1"}};
static leat__status_copy_t state_of_others[] = {{{1, 4}, 0}, {{1, 5}, 8192}, {{1, 6}, LEAT__LAG_UNKNOWN}};
static leat__task_ref_t held[] = {{0, 0}, {1, 3}}, released[] = {{0, 1}};

static const leat__claim_t claim = {7, "member-1"};
static const leat__placement_t placement = {.generation = 7, .revision = 3, .leader = "member-1",
    .members = members, .member_count = 2, .tasks = tasks, .task_count = 3, .copies = copies, .copy_count = 3};
static const leat__status_t status = {.process_id = "process-2", .member_id = "member-2",
    .host = "https://eu-1.example:8443", .threads = 4,
    .state = LEAT__PROCESS_RESTARTING, .restart_ms = 60000, .tags = tags, .tag_count = 2, .held = held,
    .held_count = 2, .given_up = &held[1], .given_up_count = 1, .seats = 5, .copies = state_of_others,
    .copy_count = 3, .released_generation = 7, .released_revision = 2, .released = released,
    .released_count = 1};

static leat_slice_t slice_of(const leat__buf_t *b)
{
    return (leat_slice_t){b->data, b->size};
}

static void test_claim_is_read_back(void **state)
{
    leat__buf_t text = {0};
    leat__claim_t c;

    (void)state;
    leat__claim_encode(&claim, &text);
    assert_true(leat__claim_decode(slice_of(&text), &c));
    assert_int_equal(c.generation, 7);
    assert_string_equal(c.member_id, "member-1");
    leat__claim_release(&c);
    leat__buf_release(&text);
}

static void test_placement_is_read_back(void **state)
{
    leat__buf_t text = {0};
    leat__placement_t p;

    (void)state;
    leat__placement_encode(&placement, &text);
    assert_true(leat__placement_decode(slice_of(&text), &p));
    assert_int_equal(p.generation, 7);
    assert_int_equal(p.revision, 3);
    assert_string_equal(p.leader, "member-1");
    assert_int_equal(p.member_count, 2);
    assert_string_equal(p.members[1].process_id, "process-2");
    assert_int_equal(p.members[0].threads, 2);
    assert_int_equal(p.task_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const leat__placed_task_t *t = leat__placement_find(&p, tasks[i].ref);

        assert_non_null(t);
        assert_int_equal(t->owner, tasks[i].owner);
        assert_int_equal(t->release, tasks[i].release);
        assert_int_equal(t->copy_count, tasks[i].copy_count);
        for (size_t k = 0; k < t->copy_count; k++) {
            assert_int_equal(p.copies[t->first_copy + k].member, copies[tasks[i].first_copy + k].member);
            assert_int_equal(p.copies[t->first_copy + k].warming, copies[tasks[i].first_copy + k].warming);
        }
    }
    assert_int_equal(leat__placement_member(&p, "member-2"), 1);
    assert_int_equal(leat__placement_member(&p, "member-3"), -1);
    leat__placement_release(&p);
    leat__buf_release(&text);
}

static void test_status_is_read_back(void **state)
{
    leat__buf_t text = {0};
    leat__status_t s;

    (void)state;
    leat__status_encode(&status, &text);
    assert_true(leat__status_decode(slice_of(&text), "process-2", &s));
    assert_string_equal(s.process_id, "process-2");
    assert_string_equal(s.member_id, "member-2");
    assert_string_equal(s.host, "https://eu-1.example:8443");
    assert_int_equal(s.threads, 4);
    assert_int_equal(s.state, LEAT__PROCESS_RESTARTING);
    assert_int_equal(s.restart_ms, 60000);
    assert_int_equal(s.tag_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(s.tags[i].name, tags[i].name);
        assert_string_equal(s.tags[i].value, tags[i].value);
    }
    assert_int_equal(s.copy_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(leat__task_ref_compare(&s.copies[i].ref, &state_of_others[i].ref), 0);
        assert_int_equal(s.copies[i].lag, state_of_others[i].lag);
    }
    assert_int_equal(s.held_count, 2);
    assert_int_equal(s.threads, 4);
    assert_int_equal(s.seats, 5);
    assert_int_equal(s.given_up_count, 1);
    assert_int_equal(s.given_up[0].partition, 3);
    assert_int_equal(s.held[1].partition, 3);
    assert_int_equal(s.released_revision, 2);
    assert_int_equal(s.released_count, 1);
    leat__status_release(&s);
    leat__buf_release(&text);
}

static void test_later_versions_lines_are_skipped_and_other_versions_refused(void **state)
{
    const char *more = "leat-claim 1\nweather sunny and warm\ngeneration 9\nmember m mm mmm\n\n";
    leat__claim_t c;

    (void)state;
    assert_true(leat__claim_decode(leat_slice(more), &c));
    assert_int_equal(c.generation, 9);
    assert_string_equal(c.member_id, "m");
    leat__claim_release(&c);
    assert_false(leat__claim_decode(leat_slice("leat-claim 2\ngeneration 9\nmember m\n"), &c));
    assert_false(leat__claim_decode(leat_slice("leat-status 1\ngeneration 9\nmember m\n"), &c));
    assert_false(leat__claim_decode(leat_slice(""), &c));
}

/* A task without an owner in the list has none, whatever number stands there. */
static void test_placement_owner_out_of_range_is_nobody(void **state)
{
    const char *text = "leat-placement 1\ngeneration 1\nrevision 1\nleader m\nmember m p 1\n"
                       "task 0_0 1\ntask 0_1 4294967296\ntask 0_2 0 +0 +1 ~-3 +\ntask x 0\ntask 0_3x 0\n";
    leat__placement_t p;

    (void)state;
    assert_true(leat__placement_decode(leat_slice(text), &p));
    assert_int_equal(p.task_count, 3);
    assert_int_equal(p.tasks[0].owner, -1);
    assert_true(p.tasks[1].owner < 1);
    assert_int_equal(p.tasks[2].owner, 0);
    assert_int_equal(p.tasks[2].copy_count, 4);
    assert_int_equal(p.copies[0].member, 0);
    assert_int_equal(p.copies[1].member, -1);
    assert_int_equal(p.copies[2].member, -1);
    leat__placement_release(&p);
}

static void read_all(const char *bytes, size_t size)
{
    char *exact = leat__must_alloc(size + 1); /* so that a read behind the end is one behind the block */
    leat_slice_t text = {exact + 1, size};
    leat__claim_t c;
    leat__placement_t p;
    leat__status_t s;

    memcpy(exact + 1, bytes, size);
    if (leat__claim_decode(text, &c))
        leat__claim_release(&c);
    if (leat__placement_decode(text, &p)) {
        for (size_t i = 0; i < p.task_count; i++) {
            assert_in_range(p.tasks[i].owner + 1, 0, p.member_count);
            assert_true(p.tasks[i].first_copy + p.tasks[i].copy_count <= p.copy_count);
        }
        for (size_t i = 0; i < p.copy_count; i++)
            assert_in_range(p.copies[i].member + 1, 0, p.member_count);
        leat__placement_release(&p);
    }
    if (leat__status_decode(text, "process", &s))
        leat__status_release(&s);
    leat__free(exact);
}

static void test_damaged_records_do_no_harm(void **state)
{
    leat__buf_t texts[3] = {{0}, {0}, {0}};

    (void)state;
    leat__claim_encode(&claim, &texts[0]);
    leat__placement_encode(&placement, &texts[1]);
    leat__status_encode(&status, &texts[2]);
    for (size_t k = 0; k < 3; k++) {
        for (size_t size = 0; size <= texts[k].size; size++)
            read_all(texts[k].data, size);
        for (size_t at = 0; at < texts[k].size; at++) {
            static const char other[] = {0, ' ', '\n', '-', '9', '\x80'};
            char kept = texts[k].data[at];

            for (size_t i = 0; i < sizeof other; i++) {
                texts[k].data[at] = other[i];
                read_all(texts[k].data, texts[k].size);
            }
            texts[k].data[at] = kept;
        }
        leat__buf_release(&texts[k]);
    }
}

/* 10 000 tasks, 200 members, two copies each: a record of the usual size, read in a moment. */
static void test_large_placement_stays_below_a_megabyte(void **state)
{
    enum { TASKS = 10000, MEMBERS = 200 };
    leat__placement_t p = {.generation = 7, .revision = 3, .leader = "member-1", .member_count = MEMBERS,
        .task_count = TASKS, .copy_count = 2 * TASKS};
    leat__placement_t back;
    leat__buf_t text = {0};

    (void)state;
    p.members = leat__must_alloc(MEMBERS * sizeof *p.members);
    p.tasks = leat__must_alloc(TASKS * sizeof *p.tasks);
    p.copies = leat__must_alloc(2 * TASKS * sizeof *p.copies);
    for (int i = 0; i < MEMBERS; i++)
        p.members[i] = (leat__placed_member_t){
            "application-4dbb1d3f-9f1e-4a53-93b7-36f8c0f8a6b1-9f1e4a53-93b7-36f8-c0f8-a6b136f8c0f8",
            "4dbb1d3f-9f1e-4a53-93b7-36f8c0f8a6b1", 16};
    for (int i = 0; i < TASKS; i++) {
        p.tasks[i] = (leat__placed_task_t){{i / 100, i % 100}, i % MEMBERS, true, 2 * (size_t)i, 2};
        p.copies[2 * i] = (leat__assigned_copy_t){(i + 1) % MEMBERS, false};
        p.copies[2 * i + 1] = (leat__assigned_copy_t){(i + 2) % MEMBERS, true};
    }
    leat__placement_encode(&p, &text);
    print_message("placement of 10 000 tasks: %zu bytes\n", text.size);
    assert_true(text.size < 1000000);
    assert_true(leat__placement_decode(slice_of(&text), &back));
    assert_int_equal(back.task_count, TASKS);
    assert_int_equal(back.copies[back.tasks[TASKS - 1].first_copy + 1].member, (TASKS + 1) % MEMBERS);
    leat__placement_release(&back);
    leat__buf_release(&text);
    leat__free(p.members);
    leat__free(p.tasks);
    leat__free(p.copies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claim_is_read_back),
        cmocka_unit_test(test_placement_is_read_back),
        cmocka_unit_test(test_status_is_read_back),
        cmocka_unit_test(test_later_versions_lines_are_skipped_and_other_versions_refused),
        cmocka_unit_test(test_placement_owner_out_of_range_is_nobody),
        cmocka_unit_test(test_damaged_records_do_no_harm),
        cmocka_unit_test(test_large_placement_stays_below_a_megabyte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
