/*
 * Goal: values of every serde become JSON and come back. Method: pairs of a value's bytes and its JSON,
 * read both ways; then JSON that is no value of a serde.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <leat/leat.h>
#include <leat/json.h>

#include "base/base64.h"
#include "base/json_value.h"

struct order {
    int64_t id;
    char name[8];
};

static const leat_field_t order_fields[] = {
    LEAT_FIELD(struct order, id, INT64), LEAT_FIELD(struct order, name, CHARS), LEAT_FIELDS_END};
static const leat_serde_t order_serde = LEAT_SERDE_BINARY("order", struct order, order_fields);

static void opaque_encode(leat_codec_t *c, const void *value)
{
    leat_codec_put(c, value, 2);
}

static void opaque_decode(leat_codec_t *c, void *room)
{
    leat_slice_t two = leat_codec_take(c, 2); /* empty when there are fewer */

    memcpy(room, two.data, two.size);
}

static const leat_serde_t opaque_serde = {
    .name = "opaque", .size = 2, .encode = opaque_encode, .decode = opaque_decode};

static leat__arena_t scratch;

static int open_scratch(void **state)
{
    (void)state;
    leat__arena_init(&scratch);
    return 0;
}

static int close_scratch(void **state)
{
    (void)state;
    leat__arena_release(&scratch);
    return 0;
}

static void check(const leat_serde_t *s, const char *bytes, size_t size, const char *json)
{
    leat__codec_env_t env = {.scratch = &scratch, .topic = ""};
    leat__buf_t out = {0};
    const void *value;
    leat_slice_t again;
    leat_error_t err;

    assert_int_equal(leat__decode(s, (leat_slice_t){bytes, size}, &env, &value, &err), 0);
    leat__json_put(&out, s, value, &scratch);
    assert_string_equal(leat__buf_text(&out), json);
    if (leat__json_take(s, leat_slice(json), &scratch, &value, &err))
        fail_msg("%s: %s", json, err.text);
    assert_int_equal(leat__encode(s, value, &env, &again, &err), 0);
    assert_int_equal(again.size, size);
    assert_memory_equal(again.data, bytes, size);
    leat__buf_release(&out);
}

static void test_values_both_ways(void **state)
{
    leat_builder_t *b = leat_builder_new();

    (void)state;
    check(leat_serde_string(), "a\"b\n\xc3\xa4", 6, "\"a\\\"b\\n\xc3\xa4\"");
    check(leat_serde_string(), "", 0, "\"\"");
    check(leat_serde_string(), "a\xff", 2, "{\"base64\":\"Yf8=\"}");
    check(leat_serde_bytes(), "\0\1\2\3", 4, "{\"base64\":\"AAECAw==\"}");
    check(leat_serde_int32(), "\xff\xff\xff\xfe", 4, "-2");
    check(leat_serde_int64(), "\x7f\xff\xff\xff\xff\xff\xff\xff", 8, "9223372036854775807");
    check(leat_serde_double(), "\x3f\xf8\0\0\0\0\0\0", 8, "1.5");
    check(leat_serde_double(), "\x7f\xf0\0\0\0\0\0\0", 8, "\"Infinity\"");
    check(leat_serde_double(), "\xff\xf0\0\0\0\0\0\0", 8, "\"-Infinity\"");
    check(leat_serde_float(), "\x3f\0\0\0", 4, "0.5");
    check(leat_serde_json(), "{\"a\":[1,null]}", 14, "{\"a\":[1,null]}");
    check(&order_serde, "\0\0\0\0\0\0\0\7\0\0\0\3tea", 15, "{\"id\":7,\"name\":\"tea\"}");
    check(&opaque_serde, "xy", 2, "{\"base64\":\"eHk=\"}");
    check(leat_serde_windowed(b, leat_serde_string(), 1000), "k\0\0\0\0\0\0\7\xd0", 9,
        "{\"key\":\"k\",\"start\":2000,\"end\":3000}");
    leat_topology_free(leat_builder_finish(b));
}

static void test_numbers_that_are_none(void **state)
{
    leat__buf_t out = {0};
    double nan = 0.0 / 1.0;

    (void)state;
    nan = nan / nan;
    leat__json_put(&out, leat_serde_double(), &nan, &scratch);
    assert_string_equal(leat__buf_text(&out), "\"NaN\"");
    leat__buf_release(&out);
}

static void refused(const leat_serde_t *s, const char *json, const char *why)
{
    const void *value;
    leat_error_t err;

    assert_int_equal(leat__json_take(s, leat_slice(json), &scratch, &value, &err), LEAT_ESERDE);
    if (!strstr(err.text, why))
        fail_msg("%s: '%s' is not in: %s", json, why, err.text);
}

static void test_what_is_no_value_is_refused(void **state)
{
    (void)state;
    refused(leat_serde_string(), "7", "its JSON form is a string");
    refused(leat_serde_string(), "null", "its JSON form is a string");
    refused(leat_serde_string(), "\"a", "no JSON");
    refused(leat_serde_int64(), "\"7\"", "its JSON form is a number");
    refused(leat_serde_int64(), "7.5", "int64");
    refused(leat_serde_int32(), "4294967296", "int32");
    refused(leat_serde_bytes(), "\"ff\"", "its JSON form is {\"base64\"");
    refused(leat_serde_bytes(), "{\"base64\":\"A\"}", "its JSON form is {\"base64\"");
    refused(leat_serde_bytes(), "{\"hex\":\"ff\"}", "its JSON form is {\"base64\"");
    refused(&opaque_serde, "{\"base64\":\"eA==\"}", "opaque");
}

static void test_base64_of_every_length(void **state)
{
    static const char *const forms[] = {"", "/w", "//8", "////"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        leat__buf_t out = {0};
        leat_slice_t bytes = {"\xff\xff\xff", i}, back;

        leat__base64_put_url(&out, bytes);
        for (size_t k = 0; k < out.size; k++)
            assert_int_equal(out.data[k], forms[i][k] == '/' ? '_' : forms[i][k]);
        assert_int_equal(out.size, strlen(forms[i]));
        assert_true(leat__base64_take((leat_slice_t){out.data, out.size}, &scratch, &back));
        assert_true(leat_slice_equal(&bytes, &back));
        leat__buf_release(&out);
    }
    static const char *const wrong[] = {"A", "AAAAA", "A===", "AA=A", "A A", "=", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        leat_slice_t back;

        assert_false(leat__base64_take(leat_slice(wrong[i]), &scratch, &back));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_both_ways),
        cmocka_unit_test(test_numbers_that_are_none),
        cmocka_unit_test(test_what_is_no_value_is_refused),
        cmocka_unit_test(test_base64_of_every_length),
    };

    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
