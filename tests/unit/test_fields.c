/*
 * Goal: a struct by a table of fields goes through bytes and JSON and back; what does not fit fails
 * with the field's name. Method: one struct with every type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/log.h"

#include <math.h>
#include <string.h>

struct order {
    bool paid;
    int32_t count;
    int64_t cents;
    double rate;
    leat_slice_t note;
    char city[6];
};

static const leat_field_t order_fields[] = {
    LEAT_FIELD(struct order, paid, BOOL),
    LEAT_FIELD(struct order, count, INT32),
    LEAT_FIELD(struct order, cents, INT64),
    LEAT_FIELD(struct order, rate, DOUBLE),
    LEAT_FIELD(struct order, note, SLICE),
    LEAT_FIELD(struct order, city, CHARS),
    LEAT_FIELDS_END,
};
static const leat_serde_t order_binary = LEAT_SERDE_BINARY("order", struct order, order_fields);
static const leat_serde_t order_json = LEAT_SERDE_JSON("order", struct order, order_fields);

static leat__arena_t scratch;
static leat__codec_env_t env = {.scratch = &scratch};
static leat_error_t err;

static int setup(void **state)
{
    (void)state;
    leat__arena_init(&scratch);
    leat__error_clear(&err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    leat__arena_release(&scratch);
    return 0;
}

static struct order sample(void)
{
    return (struct order){true, -2, 1999, 0.1, leat_slice("say \"hi\"\n"), "Bonn"};
}

static void expect_same(const struct order *a, const struct order *b)
{
    assert_int_equal(a->paid, b->paid);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->cents, b->cents);
    assert_true(a->rate == b->rate);
    assert_true(leat_slice_equal(&a->note, &b->note));
    assert_string_equal(a->city, b->city);
}

static void expect_refused(const leat_serde_t *s, const char *bytes, size_t size, const char *text)
{
    const void *value;

    assert_int_equal(leat__decode(s, (leat_slice_t){bytes, size}, &env, &value, &err), LEAT_ESERDE);
    assert_string_equal(err.text, text);
}

static void expect_not_encoded(const leat_serde_t *s, const void *value, const char *text)
{
    leat_slice_t bytes;

    assert_int_equal(leat__encode(s, value, &env, &bytes, &err), LEAT_ESERDE);
    assert_string_equal(err.text, text);
}

static void test_binary_both_ways(void **state)
{
    static const char wanted[] =
        "\1\xff\xff\xff\xfe\0\0\0\0\0\0\7\xcf\x3f\xb9\x99\x99\x99\x99\x99\x9a"
        "\0\0\0\11say \"hi\"\n\0\0\0\4Bonn";
    struct order order = sample();
    leat_slice_t bytes;
    const void *back;

    (void)state;
    assert_int_equal(leat__encode(&order_binary, &order, &env, &bytes, &err), 0);
    assert_int_equal(bytes.size, sizeof wanted - 1);
    assert_memory_equal(bytes.data, wanted, bytes.size);
    assert_int_equal(leat__decode(&order_binary, bytes, &env, &back, &err), 0);
    expect_same(back, &order);
    order.note.data = NULL;
    order.note.size = 0;
    leat__encode(&order_binary, &order, &env, &bytes, &err);
    assert_int_equal(leat__decode(&order_binary, bytes, &env, &back, &err), 0);
    assert_null(((const struct order *)back)->note.data);
}

static void test_binary_bad_bytes_name_the_field(void **state)
{
    static const char long_city[] =
        "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\6Berlin";
    static const char zero_city[] =
        "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3a\0b";

    (void)state;
    expect_refused(&order_binary, "\2", 1, "order: field paid is a bool, its byte is 2");
    expect_refused(
        &order_binary, "\1\0", 2, "order: 4 bytes wanted at byte 1, but only 1 are left of 2");
    expect_refused(&order_binary, long_city, sizeof long_city - 1,
        "order: field city holds 5 bytes, got a text of 6");
    expect_refused(&order_binary, zero_city, sizeof zero_city - 1,
        "order: field city got a text with a zero byte");
}

static void test_json_both_ways(void **state)
{
    struct order order = sample();
    leat_slice_t bytes;
    const void *back;

    (void)state;
    assert_int_equal(leat__encode(&order_json, &order, &env, &bytes, &err), 0);
    assert_string_equal(leat__arena_copy(&scratch, bytes.data, bytes.size),
        "{\"paid\":true,\"count\":-2,\"cents\":1999,\"rate\":0.1,\"note\":\"say \\\"hi\\\"\\n\","
        "\"city\":\"Bonn\"}");
    assert_int_equal(leat__decode(&order_json, bytes, &env, &back, &err), 0);
    expect_same(back, &order);
}

static void test_json_is_the_text_of_the_binary_form_too(void **state)
{
    struct order order = sample();
    leat_slice_t text = leat__print(&order_binary, &order, &scratch);
    const void *back;

    (void)state;
    assert_true(leat__serde_has_text(&order_binary));
    assert_int_equal(leat__parse(&order_binary, text, &scratch, &back, &err), 0);
    expect_same(back, &order);
}

static const struct order *from_json(const char *text)
{
    const void *value = NULL;
    int code = leat__decode(&order_json, leat_slice(text), &env, &value, &err);

    if (code)
        print_error("%s\n", err.text);
    assert_int_equal(code, 0);
    return value;
}

static void test_json_unknown_missing_and_null_members(void **state)
{
    const struct order *order = from_json("{\"count\":3,\"more\":[1,{}],\"city\":null,\"rate\":2}");

    (void)state;
    assert_int_equal(order->count, 3);
    assert_true(order->rate == 2);
    assert_null(order->note.data);
    assert_string_equal(order->city, "");
    order = from_json("{\"note\":\"a\\u0000b\"}");
    assert_int_equal(order->note.size, 3);
    assert_memory_equal(order->note.data, "a\0b", 3);
}

static void test_json_bad_texts_name_the_field(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"{\"count\":2147483648}", "order: field count takes 32 bits, got 2147483648"},
        {"{\"count\":1.5}",
            "order: field count takes a whole number, got a number with a fraction"},
        {"{\"cents\":\"1\"}", "order: field cents takes a whole number, got a string"},
        {"{\"paid\":1}", "order: field paid takes true or false, got a whole number"},
        {"{\"rate\":true}", "order: field rate takes a number, got a bool"},
        {"{\"note\":[]}", "order: field note takes a string, got an array"},
        {"{\"city\":\"Berlin\"}", "order: field city holds 5 bytes, got a text of 6"},
        {"{\"city\":\"a\\u0000\"}", "order: field city got a text with a zero byte"},
        {"[1]", "order: takes a JSON object, got an array"},
        {"null", "order: takes a JSON object, got null"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refused(&order_json, cases[i].text, strlen(cases[i].text), cases[i].why);
    expect_refused(&order_json, "{\"a\":\n1,", 8,
        "order: line 2, column 2: string or '}' expected near end of file");
    assert_int_equal(
        leat__decode(&order_json, leat_slice(""), &env, &(const void *){NULL}, &err), LEAT_ESERDE);
}

static void test_values_that_do_not_encode_name_the_field(void **state)
{
    struct order order = sample();

    (void)state;
    memset(order.city, 'x', sizeof order.city);
    expect_not_encoded(&order_binary, &order, "order: field city has no terminator in its 6 bytes");
    expect_not_encoded(&order_json, &order, "order: field city has no terminator in its 6 bytes");
    order = sample();
    order.rate = NAN;
    expect_not_encoded(
        &order_json, &order, "order: field rate is no finite number: JSON has no such");
    order = sample();
    order.note = leat_slice("ok\xff");
    expect_not_encoded(
        &order_json, &order, "order: a text is not UTF-8 at its byte 2: JSON cannot hold it");
}

static void test_wrong_tables_fail_with_the_fields_name(void **state)
{
    static const leat_field_t wrong[] = {LEAT_FIELD(struct order, count, INT64), LEAT_FIELDS_END};
    static const leat_field_t untyped[] = {{"x", (leat_field_type_t)99, 0, 1}, LEAT_FIELDS_END};
    const leat_serde_t s1 = LEAT_SERDE_BINARY("s", struct order, wrong),
                       s2 = LEAT_SERDE_JSON("s", struct order, untyped),
                       s3 = LEAT_SERDE_BINARY("s", struct order, NULL);
    struct order order = sample();

    (void)state;
    expect_not_encoded(
        &s1, &order, "s: field count is LEAT_FIELD_INT64, but its member has 4 bytes");
    expect_refused(
        &s1, "12345678", 8, "s: field count is LEAT_FIELD_INT64, but its member has 4 bytes");
    expect_not_encoded(&s2, &order, "s: field x has no type of LEAT_FIELD_*");
    expect_not_encoded(&s3, &order, "s: the table of fields is missing (.user)");
}

static void test_flat_is_seen_from_the_table(void **state)
{
    static const leat_field_t numbers[] = {LEAT_FIELD(struct order, count, INT32),
        LEAT_FIELD(struct order, city, CHARS), LEAT_FIELDS_END};
    const leat_serde_t flat = LEAT_SERDE_JSON("flat", struct order, numbers);

    (void)state;
    assert_true(leat__serde_is_flat(&flat));
    assert_false(leat__serde_is_flat(&order_binary));
    assert_true(leat__serde_is_flat(leat_serde_int64()));
    assert_false(leat__serde_is_flat(leat_serde_string()));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_binary_both_ways),
        TEST(test_binary_bad_bytes_name_the_field),
        TEST(test_json_both_ways),
        TEST(test_json_is_the_text_of_the_binary_form_too),
        TEST(test_json_unknown_missing_and_null_members),
        TEST(test_json_bad_texts_name_the_field),
        TEST(test_values_that_do_not_encode_name_the_field),
        TEST(test_wrong_tables_fail_with_the_fields_name),
        TEST(test_flat_is_seen_from_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
