/* Goal: a reset deletes exactly the topics that Kafka's tool deletes, and stays within a topic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/leat/reset.h"

static void test_internal_topics(void **state)
{
    static const char *const yes[] = {"app-counts-changelog", "app-by-word-repartition",
        "app-leat-control-changelog", "app-KSTREAM-AGGREGATE-STATE-STORE-0000000003-changelog",
        "app-x-subscription-registration-topic", "app-x-subscription-response-topic",
        "app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000007-topic",
        "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-0000000012-topic"};
    static const char *const no[] = {"app", "app-", "app-out", "app-changelogs", "app-changelog-x",
        "apps-counts-changelog", "other-app-counts-changelog", "counts-changelog", "",
        "app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION--topic",
        "app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-7-topics", "app.counts-changelog"};

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!cli_is_internal(yes[i], "app"))
            fail_msg("%s is internal", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (cli_is_internal(no[i], "app"))
            fail_msg("%s is not internal", no[i]);
    assert_true(cli_is_internal("app-changelog", "app")); /* as in Kafka's tool */
    assert_true(cli_is_internal("a.b-c-d-repartition", "a.b-c"));
}

static void test_clamp_stays_inside(void **state)
{
    (void)state;
    assert_int_equal(cli_clamp(5, 0, 10), 5);
    assert_int_equal(cli_clamp(-5, 2, 10), 2);
    assert_int_equal(cli_clamp(99, 2, 10), 10);
    assert_int_equal(cli_clamp(10, 2, 10), 10);
    assert_int_equal(cli_clamp(0, 7, 7), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_internal_topics), cmocka_unit_test(test_clamp_stays_inside)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
