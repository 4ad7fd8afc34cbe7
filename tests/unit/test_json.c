/*
 * Goal: JSON values have one form as bytes, are released with the record, and bad text is
 * refused with its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/log.h"

#include <leat/json.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static leat__arena_t scratch;
static leat__codec_env_t env = {.scratch = &scratch};
static leat_error_t err;

static int setup(void **state)
{
    (void)state;
    leat__arena_init(&scratch);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    leat__arena_release(&scratch); /* LeakSanitizer sees what is not released */
    return 0;
}

static const json_t *decoded(const char *text)
{
    const void *value = NULL;
    int code = leat__decode(leat_serde_json(), leat_slice(text), &env, &value, &err);

    if (code)
        print_error("%s\n", err.text);
    assert_int_equal(code, 0);
    return value;
}

static void expect_bytes(const json_t *json, const char *text)
{
    leat_slice_t bytes;

    assert_int_equal(leat__encode(leat_serde_json(), json, &env, &bytes, &err), 0);
    assert_string_equal(leat__arena_copy(&scratch, bytes.data, bytes.size), text);
}

static void test_json_is_compact_and_sorted(void **state)
{
    (void)state;
    expect_bytes(
        decoded(" { \"b\" : [ 1 , 2.50, -0.0, 1e2, true, false, null ] ,\n \"a\" : { } } "),
        "{\"a\":{},\"b\":[1,2.5,-0.0,100.0,true,false,null]}");
    expect_bytes(decoded("{\"z\":1,\"y\":2,\"x\":{\"2\":0,\"10\":0}}"),
        "{\"x\":{\"10\":0,\"2\":0},\"y\":2,\"z\":1}");
    expect_bytes(decoded("\"alone\""), "\"alone\"");
    expect_bytes(decoded("0.1"), "0.1");
    expect_bytes(decoded("1e300"), "1e+300");
    expect_bytes(decoded("-9223372036854775808"), "-9223372036854775808");
}

static void test_json_escapes_only_what_it_must(void **state)
{
    (void)state;
    expect_bytes(
        decoded("\"\\u00e9 \\u20ac \\ud83d\\ude00 \\/ \\\" \\\\ \\b\\f\\n\\r\\t \\u0001\\u0000\""),
        "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 / \\\" \\\\ \\b\\f\\n\\r\\t \\u0001\\u0000\"");
}

static void test_json_text_reads_back_equal(void **state)
{
    static const char text[] = "{\"a\":[1,2,{\"b\":0.30000000000000004}],\"c\":\"\\n\"}";
    leat_slice_t printed;
    const void *back;

    (void)state;
    printed = leat__print(leat_serde_json(), decoded(text), &scratch);
    assert_string_equal(printed.data, text);
    assert_int_equal(leat__parse(leat_serde_json(), printed, &scratch, &back, &err), 0);
    assert_true(json_equal(back, decoded(text)));
}

static void test_json_bad_text_has_its_place(void **state)
{
    const void *value;

    (void)state;
    assert_int_equal(
        leat__decode(leat_serde_json(), leat_slice("{\n \"a\": x}"), &env, &value, &err),
        LEAT_ESERDE);
    assert_string_equal(err.text, "json: line 2, column 7: invalid token near 'x'");
    assert_int_equal(
        leat__decode(leat_serde_json(), leat_slice("1 2"), &env, &value, &err), LEAT_ESERDE);
    assert_int_equal(
        leat__decode(leat_serde_json(), leat_slice(""), &env, &value, &err), LEAT_ESERDE);
    assert_int_equal(
        leat__decode(leat_serde_json(), leat_slice("\"\xff\""), &env, &value, &err), LEAT_ESERDE);
    assert_int_equal(
        leat__decode(leat_serde_json(), leat_slice("99999999999999999999"), &env, &value, &err),
        LEAT_ESERDE);
}

static char *nested(int depth)
{
    char *text = malloc((size_t)depth * 2 + 1);

    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    text[depth * 2] = '\0';
    return text;
}

static void test_json_depth_is_bounded(void **state)
{
    char *deep = nested(2000), *deeper = nested(100000);
    const void *value;

    (void)state;
    expect_bytes(decoded(deep), deep);
    assert_int_equal(
        leat__decode(leat_serde_json(), leat_slice(deeper), &env, &value, &err), LEAT_ESERDE);
    free(deep);
    free(deeper);
}

static void test_json_that_contains_too_much_does_not_encode(void **state)
{
    json_t *outer = json_array();
    leat_slice_t bytes;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        json_t *next = json_array();

        json_array_append_new(next, outer);
        outer = next;
    }
    assert_int_equal(leat__encode(leat_serde_json(), outer, &env, &bytes, &err), LEAT_ESERDE);
    assert_string_equal(
        err.text, "json: JSON nested deeper than 2048 levels, or a value that contains itself");
    json_decref(outer);
}

static void test_json_values_live_until_the_reset(void **state)
{
    json_t *kept = (json_t *)(uintptr_t)decoded("{\"a\":1}");

    (void)state;
    json_incref(kept);
    assert_int_equal(kept->refcount, 2);
    leat__arena_reset(&scratch);
    assert_int_equal(kept->refcount, 1);
    json_decref(kept);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_json_is_compact_and_sorted),
        TEST(test_json_escapes_only_what_it_must),
        TEST(test_json_text_reads_back_equal),
        TEST(test_json_bad_text_has_its_place),
        TEST(test_json_depth_is_bounded),
        TEST(test_json_that_contains_too_much_does_not_encode),
        TEST(test_json_values_live_until_the_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
