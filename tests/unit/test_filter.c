/*
 * Goal: a filter never denies a key that was added, over several of its levels, and rarely admits one that was not.
 * Method: a million keys in, each asked for; as many others asked for and counted.
 */
#include "statestore/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static leat_slice_t key_of(char room[32], const char *kind, int n)
{
    int size = snprintf(room, 32, "%s%015d", kind, n);
    return (leat_slice_t){ room, (size_t)size };
}

static void test_filter_never_denies_what_was_added(void **state)
{
    leat__filter_t *f = leat__filter_new();
    char room[32];
    (void)state;

    for (int i = 0; i < 1000000; i++) {
        leat__filter_add(f, key_of(room, "k", i));
        assert_true(leat__filter_may_hold(f, key_of(room, "k", i / 2)));
    }
    for (int i = 0; i < 1000000; i++)
        assert_true(leat__filter_may_hold(f, key_of(room, "k", i)));
    leat__filter_free(f);
}

static void test_filter_rarely_admits_what_was_not(void **state)
{
    leat__filter_t *f = leat__filter_new();
    char room[32];
    int wrong = 0;
    (void)state;

    assert_false(leat__filter_may_hold(f, key_of(room, "x", 1)));
    for (int i = 0; i < 1000000; i++)
        leat__filter_add(f, key_of(room, "k", i));
    for (int i = 0; i < 100000; i++)
        wrong += leat__filter_may_hold(f, key_of(room, "x", i));
    assert_in_range(wrong, 0, 5000);
    leat__filter_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_never_denies_what_was_added),
        cmocka_unit_test(test_filter_rarely_admits_what_was_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
