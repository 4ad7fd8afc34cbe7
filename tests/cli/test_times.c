/* Goal: times and durations are read as Kafka's tools read them, and nothing else is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/leat/cli.h"

#include <string.h>

static void expect_duration(const char *text, int64_t ms)
{
    int64_t got = -1;

    if (!cli_parse_duration(text, &got))
        fail_msg("'%s' was not taken", text);
    if (got != ms)
        fail_msg("'%s' is %lld ms, not %lld", text, (long long)ms, (long long)got);
}

static void test_duration_forms(void **state)
{
    (void)state;
    expect_duration("0", 0);
    expect_duration("1500", 1500);
    expect_duration("1500ms", 1500);
    expect_duration("1.5s", 1500);
    expect_duration("10s", 10000);
    expect_duration("5m", 300000);
    expect_duration("2h", 7200000);
    expect_duration("7d", 604800000);
    expect_duration("P1D", 86400000);
    expect_duration("P1DT2H3M4.5S", 86400000 + 7200000 + 180000 + 4500);
    expect_duration("PT5M", 300000);
}

static void test_duration_refused(void **state)
{
    static const char *const bad[] = {"", "s", "-5s", "5 s", "5x", "1.2.3s", "P", "PT", "PTT5S",
        "P5S", "PT1D", "PT5", "1e3", "99999999999999999d", "0x10", "nan", "inf", "10S"};
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cli_parse_duration(bad[i], &ms))
            fail_msg("'%s' was taken as %lld", bad[i], (long long)ms);
}

static void expect_time(const char *text, int64_t time_ms)
{
    int64_t got = -1;

    if (!cli_parse_time(text, 1000000, &got))
        fail_msg("'%s' was not taken", text);
    if (got != time_ms)
        fail_msg("'%s' is %lld, not %lld", text, (long long)time_ms, (long long)got);
}

static void test_time_forms(void **state)
{
    (void)state;
    expect_time("now", 1000000);
    expect_time("-5m", 700000);
    expect_time("-PT1S", 999000);
    expect_time("0", 0);
    expect_time("1795548099361", 1795548099361);
    expect_time("1970-01-01", 0);
    expect_time("1970-01-01T00:00:01", 1000);
    expect_time("1970-01-01 00:00", 0);
    expect_time("2026-11-24T19:21:39.361Z", 1795548099361);
    expect_time("2026-11-24T19:21:39.361", 1795548099361);
    expect_time("2026-11-24T19:21:39.361000999Z", 1795548099361);
    expect_time("2026-11-24T20:21:39.361+01:00", 1795548099361);
    expect_time("2026-11-24T20:21:39.361+01", 1795548099361);
    expect_time("2026-11-24T14:51:39.361-0430", 1795548099361);
    expect_time("2024-02-29T00:00:00Z", 1709164800000);
}

static void test_time_refused(void **state)
{
    static const char *const bad[] = {"", "yesterday", "2026-13-01", "2026-02-30", "2023-02-29",
        "2026-11-24T", "2026-11-24T25:00", "2026-11-24T10", "2026-11-24T10:61",
        "2026-11-24T10:00:00.Z", "2026-11-24T10:00:00+1", "2026-11-24T10:00:00 Z", "-",
        "2026-11-24T10:00:00+25:00", "24.11.2026", "-99999999999999999d"};
    int64_t time_ms;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cli_parse_time(bad[i], 1000000, &time_ms))
            fail_msg("'%s' was taken as %lld", bad[i], (long long)time_ms);
}

static void test_time_printed(void **state)
{
    char room[32];

    (void)state;
    cli_print_time(1795548099361, room);
    assert_string_equal(room, "2026-11-24T19:21:39.361Z");
    cli_print_time(0, room);
    assert_string_equal(room, "1970-01-01T00:00:00.000Z");
    cli_print_time(-1, room);
    assert_string_equal(room, "-1");
    cli_print_time(INT64_MAX, room);
    assert_string_equal(room, "9223372036854775807");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_duration_forms),
        cmocka_unit_test(test_duration_refused), cmocka_unit_test(test_time_forms),
        cmocka_unit_test(test_time_refused), cmocka_unit_test(test_time_printed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
