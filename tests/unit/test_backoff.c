/*
 * Goal: waits between tries: they double, end at the maximum, differ between those who wait, and
 * repeat for one seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/backoff.h"

static void test_waits_double_up_to_the_maximum(void **state)
{
    leat_config_t *c = leat_config_new();
    int64_t middle_ms = 50;
    leat__backoff_t b;

    (void)state;
    leat_config_set(c, "retry.backoff.ms", "50");
    leat_config_set(c, "retry.backoff.max.ms", "700");
    b = leat__backoff(c, "process", 1);
    for (int i = 0; i < 40; i++) {
        int64_t ms = leat__backoff_next_ms(&b);

        assert_in_range(ms, middle_ms - middle_ms / 5, middle_ms + middle_ms / 5);
        middle_ms = middle_ms * 2 < 700 ? middle_ms * 2 : 700;
    }
    leat__backoff_reset(&b);
    assert_in_range(leat__backoff_next_ms(&b), 40, 60);
    leat_config_free(c);
}

static void test_defaults_are_kafkas(void **state)
{
    leat__backoff_t b = leat__backoff(NULL, "process", 0);

    (void)state;
    assert_int_equal(b.first_ms, 100);
    assert_int_equal(b.max_ms, 1000);
}

static void test_the_smallest_and_an_upside_down_setting(void **state)
{
    leat_config_t *c = leat_config_new();
    leat__backoff_t b;

    (void)state;
    leat_config_set(c, "retry.backoff.ms", "5000");
    leat_config_set(c, "retry.backoff.max.ms", "1");
    b = leat__backoff(c, "process", 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(leat__backoff_next_ms(&b), 1); /* never 0: that would spin */
    leat_config_free(c);
}

static void test_jitter_repeats_for_one_and_differs_between_two(void **state)
{
    leat__backoff_t a = leat__backoff(NULL, "p", 1), same = a, b = leat__backoff(NULL, "p", 2),
                    other = leat__backoff(NULL, "q", 1);
    int like_b = 0, like_other = 0;

    (void)state;
    for (int i = 0; i < 50; i++) {
        int64_t ms = leat__backoff_next_ms(&a);

        assert_int_equal(ms, leat__backoff_next_ms(&same));
        like_b += ms == leat__backoff_next_ms(&b);
        like_other += ms == leat__backoff_next_ms(&other);
    }
    assert_true(like_b < 10 && like_other < 10);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_double_up_to_the_maximum),
        cmocka_unit_test(test_defaults_are_kafkas),
        cmocka_unit_test(test_the_smallest_and_an_upside_down_setting),
        cmocka_unit_test(test_jitter_repeats_for_one_and_differs_between_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
