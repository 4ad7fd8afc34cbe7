/*
 * Is there room? Goal: a disk without it is named before anything is begun there, and a path that
 * is not there yet is asked for by its parent. Method: demands that no disk meets.
 */
#include "statestore/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

static void test_disk_room_that_is_there_is_found(void **state)
{
    (void)state;
    leat_error_t err;
    assert_int_equal(leat__disk_room("/tmp", 1, &err), 0);
    assert_int_equal(leat__disk_room("/tmp/leat-is-not-there-yet", 1, &err), 0);
    assert_int_equal(leat__disk_room("/leat/neither/is/this", 1, &err), 0); /* nobody can say */
}

static void test_disk_room_that_is_not_there_is_said_and_passes(void **state)
{
    (void)state;
    const char *paths[] = {"/tmp", "/tmp/leat-is-not-there-yet"};
    for (size_t i = 0; i < 2; i++) {
        leat_error_t err = {0};
        assert_int_equal(leat__disk_room(paths[i], SIZE_MAX / 2, &err), LEAT_ESTORE);
        assert_int_equal(err.code, LEAT_ESTORE);
        assert_true(err.flags & LEAT_RETRIABLE);
        assert_non_null(strstr(err.text, "full"));
        assert_string_equal(err.where, paths[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_room_that_is_there_is_found),
        cmocka_unit_test(test_disk_room_that_is_not_there_is_said_and_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
