/* Goal: slices compare, part and read as numbers as base.h says, also empty, NULL and too large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <string.h>

static void test_slice_equal_compare_is(void **state)
{
    leat_slice_t a = leat_slice("abc"), b = leat_slice("abd"), ab = leat_slice("ab"),
                 high = {"\xff", 1}, none = leat_slice(NULL), empty = leat_slice("");

    (void)state;
    assert_true(leat_slice_equal(&a, &(leat_slice_t){"abcd", 3}));
    assert_false(leat_slice_equal(&a, &b));
    assert_false(leat_slice_equal(&a, NULL));
    assert_true(leat_slice_equal(NULL, NULL));
    assert_true(leat_slice_equal(&none, &empty));
    assert_true(leat_slice_compare(&a, &b) < 0);
    assert_true(leat_slice_compare(&ab, &a) < 0);
    assert_true(leat_slice_compare(&high, &a) > 0);
    assert_true(leat_slice_compare(NULL, &empty) < 0);
    assert_int_equal(leat_slice_compare(&none, &empty), 0);
    assert_true(leat_slice_is(&a, "abc"));
    assert_false(leat_slice_is(&a, "ab"));
    assert_false(leat_slice_is(NULL, "ab"));
    assert_true(leat_slice_is(&empty, ""));
}

static void expect_tokens(const char *text, const char *separators, const char *joined)
{
    leat_slice_t rest = leat_slice(text), token;
    char found[200] = "";

    while (leat_slice_token(&rest, separators, &token)) {
        strncat(found, token.data, token.size);
        strcat(found, "|");
    }
    assert_string_equal(found, joined);
}

static void test_slice_token_parts_words(void **state)
{
    (void)state;
    expect_tokens("  Hello, w\xc3\xb6rld! 42x", NULL, "Hello|w\xc3\xb6rld|42x|");
    expect_tokens("a,b,,c,", ",", "a|b|c|");
    expect_tokens("", NULL, "");
    expect_tokens(NULL, NULL, "");
    expect_tokens("...", NULL, "");
    expect_tokens("a.b", "", "a.b|");
}

static void expect_int(const char *text, bool right, int64_t number)
{
    leat_slice_t slice = leat_slice(text);
    int64_t found = 77;

    assert_int_equal(leat_slice_int64(&slice, &found), right);
    assert_int_equal(found, right ? number : 77);
}

static void test_slice_int64_takes_whole_numbers_only(void **state)
{
    (void)state;
    expect_int("0", true, 0);
    expect_int("-0", true, 0);
    expect_int("+42", true, 42);
    expect_int("9223372036854775807", true, INT64_MAX);
    expect_int("-9223372036854775808", true, INT64_MIN);
    expect_int("9223372036854775808", false, 0);
    expect_int("-9223372036854775809", false, 0);
    expect_int("99999999999999999999999", false, 0);
    expect_int("", false, 0);
    expect_int("-", false, 0);
    expect_int("1 ", false, 0);
    expect_int(" 1", false, 0);
    expect_int("1.0", false, 0);
    expect_int("0x10", false, 0);
    expect_int(NULL, false, 0);
}

static void expect_double(const char *text, bool right, double number)
{
    leat_slice_t slice = leat_slice(text);
    double found = 77;

    assert_int_equal(leat_slice_double(&slice, &found), right);
    assert_true(right ? found == number : found == 77);
}

static void test_slice_double_ignores_the_locale(void **state)
{
    (void)state;
    setlocale(LC_ALL, "de_DE.UTF-8"); /* where there is one: a comma */
    expect_double("1.5", true, 1.5);
    expect_double("-2e3", true, -2000);
    expect_double("inf", true, INFINITY);
    expect_double("1e400", true, INFINITY);
    expect_double("", false, 0);
    expect_double("1,5", false, 0);
    expect_double(" 1", false, 0);
    expect_double("1x", false, 0);
    expect_double("0x1p3", false, 0);
    expect_double("e", false, 0);
    setlocale(LC_ALL, "C");
}

static void test_double_text_is_the_shortest_that_reads_back(void **state)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {{0.1, "0.1"}, {1, "1"}, {1.0 / 3, "0.3333333333333333"}, {-0.0, "-0"},
        {1e100, "1e+100"}, {5e-324, "4.94065645841247e-324"}, {0.1 + 0.2, "0.30000000000000004"},
        {INFINITY, "inf"}, {-INFINITY, "-inf"}, {NAN, "nan"}, {-NAN, "nan"}};
    char text[LEAT__DOUBLE_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(leat__double_text(cases[i].number, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
    leat__float_text(0.1f, text);
    assert_string_equal(text, "0.1");
}

static void test_slice_copy_cuts_as_snprintf_does(void **state)
{
    leat_slice_t slice = leat_slice("hello");
    char room[6] = "xxxxx";

    (void)state;
    assert_int_equal(leat_slice_copy(&slice, NULL, 0), 5);
    assert_int_equal(leat_slice_copy(&slice, room, 3), 5);
    assert_string_equal(room, "he");
    assert_int_equal(leat_slice_copy(&slice, room, sizeof room), 5);
    assert_string_equal(room, "hello");
    assert_int_equal(leat_slice_copy(NULL, room, sizeof room), 0);
    assert_string_equal(room, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slice_equal_compare_is),
        cmocka_unit_test(test_slice_token_parts_words),
        cmocka_unit_test(test_slice_int64_takes_whole_numbers_only),
        cmocka_unit_test(test_slice_double_ignores_the_locale),
        cmocka_unit_test(test_double_text_is_the_shortest_that_reads_back),
        cmocka_unit_test(test_slice_copy_cuts_as_snprintf_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
