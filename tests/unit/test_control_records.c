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
static leat__placed_task_t tasks[] = {{{0, 0}, 0, false}, {{0, 1}, 1, true}, {{1, 0}, -1, false}};
static leat__task_ref_t held[] = {{0, 0}, {1, 3}}, released[] = {{0, 1}};

static const leat__claim_t claim = {7, "member-1"};
static const leat__placement_t placement = {.generation = 7, .revision = 3, .leader = "member-1",
    .members = members, .member_count = 2, .tasks = tasks, .task_count = 3};
static const leat__status_t status = {.process_id = "process-2", .member_id = "member-2", .threads = 4,
    .state = LEAT__PROCESS_LEAVING, .held = held, .held_count = 2, .released_generation = 7,
    .released_revision = 2, .released = released, .released_count = 1};

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
    assert_int_equal(s.threads, 4);
    assert_int_equal(s.state, LEAT__PROCESS_LEAVING);
    assert_int_equal(s.held_count, 2);
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
                       "task 0_0 1\ntask 0_1 4294967296\ntask 0_2 0\ntask x 0\ntask 0_3x 0\n";
    leat__placement_t p;

    (void)state;
    assert_true(leat__placement_decode(leat_slice(text), &p));
    assert_int_equal(p.task_count, 3);
    assert_int_equal(p.tasks[0].owner, -1);
    assert_true(p.tasks[1].owner < 1);
    assert_int_equal(p.tasks[2].owner, 0);
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
        for (size_t i = 0; i < p.task_count; i++)
            assert_in_range(p.tasks[i].owner + 1, 0, p.member_count);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claim_is_read_back),
        cmocka_unit_test(test_placement_is_read_back),
        cmocka_unit_test(test_status_is_read_back),
        cmocka_unit_test(test_later_versions_lines_are_skipped_and_other_versions_refused),
        cmocka_unit_test(test_placement_owner_out_of_range_is_nobody),
        cmocka_unit_test(test_damaged_records_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
