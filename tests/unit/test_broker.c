/*
 * tests/unit/test_broker.c: operations, positions and memberships of the broker seam.
 *
 * Goal: an operation may be dropped by its caller or finished by its worker in either order, and a
 * waiter wakes at once. Run under ASan (nothing leaks, nothing is used after) and TSan.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "runtime/broker.h"

static void *complete_later(void *arg)
{
    leat__op_t *op = arg;
    struct timespec t = {0, 20000000};

    nanosleep(&t, NULL);
    op->positions = leat__positions_copy(
        &(leat__position_t){.topic = (char *)(uintptr_t)"t", .partition = 1, .offset = 5}, 1);
    op->position_count = 1;
    leat__op_complete(op);
    return NULL;
}

static void test_op_wait_ends_with_completion_and_sees_the_result(void **state)
{
    leat__op_t *op = leat__op_new();
    int64_t before_ms = leat__clock_steady_ms(NULL);
    pthread_t worker;

    (void)state;
    assert_false(leat__op_done(op));
    assert_false(leat__op_wait(op, 0));
    assert_false(leat__op_wait(op, 5));
    pthread_create(&worker, NULL, complete_later, op);
    assert_true(leat__op_wait(op, 10000));
    assert_true(leat__clock_steady_ms(NULL) - before_ms < 5000);
    assert_int_equal(op->positions[0].offset, 5);
    leat__op_free(op);
    pthread_join(worker, NULL);
}

static void test_op_dropped_before_it_is_done_is_freed_by_the_worker(void **state)
{
    (void)state;
    leat__op_free(NULL);
    for (int i = 0; i < 20; i++) {
        leat__op_t *op = leat__op_new();
        pthread_t worker;

        pthread_create(&worker, NULL, complete_later, op);
        leat__op_free(op);
        pthread_join(worker, NULL);
    }
}

static void test_op_with_everything_in_it_is_freed_whole(void **state)
{
    leat__op_t *op = leat__op_new();

    (void)state;
    op->topics = leat__must_alloc(sizeof *op->topics);
    op->topic_count = 1;
    op->topics[0].name = leat__must_strdup("topic");
    op->topics[0].error = leat__must_strdup("text");
    op->topics[0].settings = leat__must_alloc(sizeof *op->topics[0].settings);
    op->topics[0].setting_count = 1;
    op->topics[0].settings[0] = (leat__setting_t){leat__must_strdup("k"), leat__must_strdup("v")};
    op->members = leat__must_alloc(sizeof *op->members);
    op->member_count = 1;
    op->members[0].member_id = leat__must_strdup("id");
    leat__op_complete(op);
    assert_true(leat__op_wait(op, 1000));
    leat__op_free(op);
}

static void test_positions_copy_owns_its_texts(void **state)
{
    char topic[] = "topic", metadata[] = "meta";
    leat__position_t p[2] = {{topic, 3, 9, metadata, 0}, {topic, 4, -1, NULL, LEAT_ETOPIC}};
    leat__position_t *copy = leat__positions_copy(p, 2);

    (void)state;
    topic[0] = metadata[0] = 'X';
    assert_string_equal(copy[0].topic, "topic");
    assert_string_equal(copy[0].metadata, "meta");
    assert_int_equal(copy[0].offset, 9);
    assert_null(copy[1].metadata);
    assert_int_equal(copy[1].code, LEAT_ETOPIC);
    leat__positions_free(copy, 2);
    leat__positions_free(leat__positions_copy(NULL, 0), 0);
    leat__positions_free(NULL, 0);
}

static int natives_freed;

static void native_free(void *native)
{
    natives_freed++;
    leat__free(native);
}

static void test_membership_frees_its_native_with_the_last_reference(void **state)
{
    leat__membership_t *m =
        leat__membership_new(7, "member", "instance", leat__must_strdup("native"), native_free);

    (void)state;
    natives_freed = 0;
    assert_ptr_equal(leat__membership_ref(m), m);
    assert_null(leat__membership_ref(NULL));
    assert_int_equal(leat__membership_generation(m), 7);
    assert_string_equal(leat__membership_member_id(m), "member");
    assert_string_equal(leat__membership_instance_id(m), "instance");
    assert_string_equal(leat__membership_native(m), "native");
    leat__membership_unref(m);
    assert_int_equal(natives_freed, 0);
    leat__membership_unref(m);
    leat__membership_unref(NULL);
    assert_int_equal(natives_freed, 1);
    m = leat__membership_new(-1, NULL, NULL, NULL, NULL);
    assert_string_equal(leat__membership_member_id(m), "");
    assert_null(leat__membership_instance_id(m));
    leat__membership_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_op_wait_ends_with_completion_and_sees_the_result),
        cmocka_unit_test(test_op_dropped_before_it_is_done_is_freed_by_the_worker),
        cmocka_unit_test(test_op_with_everything_in_it_is_freed_whole),
        cmocka_unit_test(test_positions_copy_owns_its_texts),
        cmocka_unit_test(test_membership_frees_its_native_with_the_last_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
