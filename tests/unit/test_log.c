/*
 * Goal: errors are kept first wins, texts are whole also when they quote themselves; the log
 * goes to the callback up to its level; the clock can be set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

static struct {
    int lines;
    leat_level_t level;
    char area[32], text[2000], fields[64];
} logged;

static void keep(
    void *user, leat_level_t level, const char *area, const char *text, const char *fields)
{
    assert_ptr_equal(user, &logged);
    logged.lines++;
    logged.level = level;
    strcpy(logged.area, area);
    strcpy(logged.text, text);
    strcpy(logged.fields, fields ? fields : "(none)");
}

static void test_log_up_to_its_level(void **state)
{
    char longer[3000];

    (void)state;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    leat_log_to(keep, &logged, LEAT_LOG_INFO);
    logged.lines = 0;
    assert_true(leat__log_on(LEAT_LOG_INFO));
    assert_false(leat__log_on(LEAT_LOG_DEBUG));
    leat__log(LEAT_LOG_DEBUG, "thread", NULL, "not seen");
    assert_int_equal(logged.lines, 0);
    leat__log(LEAT_LOG_WARN, "thread", "task=0_1", "%d records", 3);
    assert_int_equal(logged.lines, 1);
    assert_int_equal(logged.level, LEAT_LOG_WARN);
    assert_string_equal(logged.area, "thread");
    assert_string_equal(logged.text, "3 records");
    assert_string_equal(logged.fields, "task=0_1");
    leat__log(LEAT_LOG_ERROR, "thread", "", "%s", longer);
    assert_int_equal(strlen(logged.text), 1023);
    assert_string_equal(logged.fields, "(none)");
    leat_log_to(NULL, NULL, LEAT_LOG_INFO);
}

static void test_error_names_come_from_the_table(void **state)
{
    (void)state;
    assert_string_equal(leat_error_name(LEAT_ESERDE), "serialization_failed");
    assert_string_equal(leat_error_name(0), "ok");
    assert_string_equal(leat_error_name(12345), "unknown_error");
    assert_string_equal(leat_error_text(LEAT_ENOMEM), "out of memory");
    assert_non_null(leat_error_text(-999));
    assert_string_equal(leat_version(), "0.1.0");
}

static void test_error_may_quote_itself_and_is_cut(void **state)
{
    char longer[1000];
    leat_error_t err = {0};

    (void)state;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(leat__error(&err, LEAT_EIO, LEAT_FATAL, "here", "inner %d", 1), LEAT_EIO);
    leat__error(&err, LEAT_EFAILED, LEAT_RETRIABLE, err.where, "outer: %s", err.text);
    assert_string_equal(err.text, "outer: inner 1");
    assert_string_equal(err.where, "here");
    assert_int_equal(err.code, LEAT_EFAILED);
    assert_int_equal(err.flags, LEAT_RETRIABLE);
    leat__error(&err, LEAT_EIO, 0, longer, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_int_equal(strlen(err.where), sizeof err.where - 1);
    assert_int_equal(leat__error(NULL, LEAT_EIO, 0, NULL, "unwanted"), LEAT_EIO);
    leat__error_clear(&err);
    leat__error_clear(NULL);
    assert_int_equal(err.code, 0);
}

static void test_error_keep_first_wins_and_others_are_logged(void **state)
{
    leat_error_t kept = {0}, first, second, none = {0};

    (void)state;
    leat_log_to(keep, &logged, LEAT_LOG_ERROR);
    logged.lines = 0;
    leat__error(&first, LEAT_ENULL, 0, "a", "first");
    leat__error(&second, LEAT_ETYPE, 0, "b", "second");
    second.others = 2;
    leat__error_keep(&kept, &none);
    assert_int_equal(kept.code, 0);
    leat__error_keep(&kept, &first);
    leat__error_keep(&kept, &second);
    assert_int_equal(kept.code, LEAT_ENULL);
    assert_string_equal(kept.text, "first");
    assert_int_equal(kept.others, 3);
    assert_int_equal(logged.lines, 1);
    assert_string_equal(logged.text, "b: second");
    leat_log_to(NULL, NULL, LEAT_LOG_INFO);
}

static void test_clock_manual_and_real(void **state)
{
    leat__clock_t c = {.manual = true, .wall_ms = 5, .steady_ms = 7};

    (void)state;
    assert_int_equal(leat__clock_wall_ms(&c), 5);
    assert_int_equal(leat__clock_steady_ms(&c), 7);
    assert_int_equal(leat__clock_steady_us(&c), 7000);
    assert_true(leat__clock_wall_ms(NULL) > INT64_C(1600000000000));
    assert_true(leat__clock_steady_us(NULL) / 1000 <= leat__clock_steady_ms(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_up_to_its_level),
        cmocka_unit_test(test_error_names_come_from_the_table),
        cmocka_unit_test(test_error_may_quote_itself_and_is_cut),
        cmocka_unit_test(test_error_keep_first_wins_and_others_are_logged),
        cmocka_unit_test(test_clock_manual_and_real),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
