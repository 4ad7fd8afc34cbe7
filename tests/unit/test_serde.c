/*
 * Goal: the built-in and composed serdes write Kafka's bytes, read them back, print and parse;
 * wrong bytes fail with a text that says what is wrong. Method: bytes written out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/log.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static leat__arena_t scratch;
static leat__codec_env_t env = {.scratch = &scratch, .topic = "orders"};
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

static void expect_bytes(const leat_serde_t *s, const void *value, const char *bytes, size_t size)
{
    leat_slice_t found;

    assert_int_equal(leat__encode(s, value, &env, &found, &err), 0);
    assert_int_equal(found.size, size);
    assert_non_null(found.data);
    assert_memory_equal(found.data, bytes, size);
}

static const void *decoded(const leat_serde_t *s, const char *bytes, size_t size)
{
    const void *value = NULL;
    int code = leat__decode(s, (leat_slice_t){bytes, size}, &env, &value, &err);

    if (code)
        print_error("%s\n", err.text);
    assert_int_equal(code, 0);
    return value;
}

static void expect_refused(const leat_serde_t *s, const char *bytes, size_t size, const char *text)
{
    const void *value;
    char *copy = malloc(size ? size : 1); /* its own block: ASan sees a read beyond */

    memcpy(copy, bytes, size);
    assert_int_equal(leat__decode(s, (leat_slice_t){copy, size}, &env, &value, &err), LEAT_ESERDE);
    free(copy);
    assert_string_equal(err.text, text);
    assert_null(value);
}

static void expect_text(const leat_serde_t *s, const void *value, const char *text)
{
    leat_slice_t found = leat__print(s, value, &scratch);

    assert_string_equal(found.data, text);
    assert_int_equal(found.size, strlen(text));
}

static const void *parsed(const leat_serde_t *s, const char *text)
{
    const void *value = NULL;
    int code = leat__parse(s, leat_slice(text), &scratch, &value, &err);

    if (code)
        print_error("%s\n", err.text);
    assert_int_equal(code, 0);
    return value;
}

static void expect_unparsed(const leat_serde_t *s, const char *text, const char *why)
{
    const void *value;

    assert_int_not_equal(leat__parse(s, leat_slice(text), &scratch, &value, &err), 0);
    assert_string_equal(err.text, why);
    assert_null(value);
}

/* ---- built-in ---- */

static void test_string_and_bytes_are_borrowed_not_copied(void **state)
{
    leat_slice_t text = leat_slice("text"), none = {NULL, 0}, bytes;
    const leat_slice_t *back;

    (void)state;
    assert_int_equal(leat__encode(leat_serde_string(), &text, &env, &bytes, &err), 0);
    assert_ptr_equal(bytes.data, text.data);
    back = decoded(leat_serde_string(), text.data, 4);
    assert_ptr_equal(back->data, text.data);
    expect_bytes(leat_serde_bytes(), &none, "", 0); /* empty, not null */
    back = decoded(leat_serde_bytes(), NULL, 0);
    assert_non_null(back->data);
}

static void test_numbers_have_kafkas_bytes(void **state)
{
    (void)state;
    expect_bytes(leat_serde_int32(), &(int32_t){-2}, "\xff\xff\xff\xfe", 4);
    expect_bytes(leat_serde_int64(), &(int64_t){258}, "\0\0\0\0\0\0\1\2", 8);
    expect_bytes(leat_serde_float(), &(float){1.5f}, "\x3f\xc0\0\0", 4);
    expect_bytes(leat_serde_double(), &(double){-2}, "\xc0\0\0\0\0\0\0\0", 8);
    expect_bytes(leat_serde_double(), &(double){-NAN}, "\x7f\xf8\0\0\0\0\0\0", 8);
    assert_int_equal(*(const int32_t *)decoded(leat_serde_int32(), "\x80\0\0\0", 4), INT32_MIN);
    assert_int_equal(
        *(const int64_t *)decoded(leat_serde_int64(), "\x7f\xff\xff\xff\xff\xff\xff\xff", 8),
        INT64_MAX);
    assert_true(*(const float *)decoded(leat_serde_float(), "\x3f\xc0\0\0", 4) == 1.5f);
    assert_true(*(const double *)decoded(leat_serde_double(), "\xc0\0\0\0\0\0\0\0", 8) == -2);
}

static void test_numbers_of_a_wrong_length_fail(void **state)
{
    (void)state;
    expect_refused(leat_serde_int64(), "123", 3, "int64 takes 8 bytes, got 3");
    expect_refused(leat_serde_int64(), "123456789", 9, "int64 takes 8 bytes, got 9");
    expect_refused(leat_serde_int32(), "", 0, "int32 takes 4 bytes, got 0");
    expect_refused(leat_serde_float(), "12345", 5, "float takes 4 bytes, got 5");
    expect_refused(leat_serde_double(), "1234", 4, "double takes 8 bytes, got 4");
    assert_int_equal(
        leat__decode(leat_serde_int32(), (leat_slice_t){"", 0}, &env, &(const void *){NULL}, NULL),
        LEAT_ESERDE);
}

static void test_built_in_text_both_ways(void **state)
{
    leat_slice_t text = leat_slice("a text"), bytes = {"\0\xff\x1a", 3};

    (void)state;
    expect_text(leat_serde_string(), &text, "a text");
    expect_text(leat_serde_bytes(), &bytes, "00ff1a");
    expect_text(leat_serde_int32(), &(int32_t){INT32_MIN}, "-2147483648");
    expect_text(leat_serde_int64(), &(int64_t){INT64_MIN}, "-9223372036854775808");
    expect_text(leat_serde_float(), &(float){0.1f}, "0.1");
    expect_text(leat_serde_double(), &(double){0.1}, "0.1");
    expect_text(leat_serde_double(), NULL, "null");
    assert_true(leat_slice_is(parsed(leat_serde_string(), "x y"), "x y"));
    assert_memory_equal(
        ((const leat_slice_t *)parsed(leat_serde_bytes(), "00fF1A"))->data, bytes.data, 3);
    assert_int_equal(*(const int32_t *)parsed(leat_serde_int32(), "-7"), -7);
    assert_int_equal(*(const int64_t *)parsed(leat_serde_int64(), "9"), 9);
    assert_true(*(const float *)parsed(leat_serde_float(), "2.5") == 2.5f);
    assert_true(*(const double *)parsed(leat_serde_double(), "1e3") == 1000);
    expect_unparsed(
        leat_serde_int32(), "2147483648", "int32: '2147483648' is not a whole number of 32 bits");
    expect_unparsed(leat_serde_int64(), "x", "int64: 'x' is not a whole number of 64 bits");
    expect_unparsed(leat_serde_bytes(), "0", "bytes: '0' is not pairs of hexadecimal digits");
    expect_unparsed(leat_serde_bytes(), "0g", "bytes: '0g' is not pairs of hexadecimal digits");
    expect_unparsed(leat_serde_double(), "", "double: '' is not a number");
}

/* A program may call a built-in serde's functions through the struct, within its own. */
static void twice_encode(leat_codec_t *c, const void *value)
{
    const leat_serde_t *inner = leat_codec_user(c);

    leat_codec_inner(c, inner, value);
    leat_codec_inner(c, inner, value);
    assert_ptr_equal(leat_codec_user(c), inner);
}

static void twice_decode(leat_codec_t *c, void *room)
{
    const leat_serde_t *inner = leat_codec_user(c);
    const int64_t *one = leat_codec_take_inner(c, inner, 8),
                  *two = leat_codec_take_inner(c, inner, 8);

    if (one && two)
        *(int64_t *)room = *one + *two;
}

static void test_inner_serdes_and_their_errors(void **state)
{
    const leat_serde_t twice = {.name = "twice",
        .size = sizeof(int64_t),
        .encode = twice_encode,
        .decode = twice_decode,
        .user = leat_serde_int64()};

    (void)state;
    expect_bytes(&twice, &(int64_t){1}, "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1", 16);
    assert_int_equal(*(const int64_t *)decoded(&twice, "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2", 16), 3);
    expect_refused(
        &twice, "12345678123", 11, "twice: 8 bytes wanted at byte 8, but only 3 are left of 11");
    expect_refused(&twice, "1234567812345678abc", 19, "twice: 3 bytes left over after 16");
    expect_text(&twice, &(int64_t){1}, "<twice: 16 bytes>");
    assert_false(leat__serde_has_text(&twice));
    expect_unparsed(&twice, "1", "twice: this serde cannot read text: give it a .parse function");
}

/* ---- the codec ---- */

static void all_encode(leat_codec_t *c, const void *value)
{
    leat_slice_t empty = leat_slice(""), none = {NULL, 0};

    (void)value;
    leat_codec_put_int8(c, -1);
    leat_codec_put_int32(c, 1);
    leat_codec_put_int64(c, 2);
    leat_codec_put_double(c, 1);
    leat_codec_put_slice(c, &empty);
    leat_codec_put_slice(c, &none);
    leat_codec_put_slice(c, NULL);
    leat_codec_put(c, "end", 3);
}

static void all_decode(leat_codec_t *c, void *room)
{
    assert_string_equal(leat_codec_topic(c), "orders");
    assert_false(leat_codec_is_key(c));
    assert_null(leat_codec_headers(c));
    assert_int_equal(leat_codec_take_int8(c), -1);
    assert_int_equal(leat_codec_take_int32(c), 1);
    assert_int_equal(leat_codec_take_int64(c), 2);
    assert_true(leat_codec_take_double(c) == 1);
    assert_non_null(leat_codec_take_slice(c).data);
    assert_null(leat_codec_take_slice(c).data);
    assert_null(leat_codec_take_slice(c).data);
    assert_int_equal(leat_codec_take(c, 2).size, 2);
    assert_int_equal(leat_codec_take_rest(c).size, 1);
    assert_int_equal(leat_codec_take_rest(c).size, 0);
    *(bool *)room = true;
}

static void test_codec_puts_and_takes(void **state)
{
    const leat_serde_t all = {.name = "all", .size = 1, .encode = all_encode, .decode = all_decode};
    static const char bytes[] = "\xff\0\0\0\1\0\0\0\0\0\0\0\2\x3f\xf0\0\0\0\0\0\0\0\0\0\0"
                                "\xff\xff\xff\xff\xff\xff\xff\xff"
                                "end";

    (void)state;
    expect_bytes(&all, &all, bytes, sizeof bytes - 1);
    assert_true(*(const bool *)decoded(&all, bytes, sizeof bytes - 1));
}

static void fail_encode(leat_codec_t *c, const void *value)
{
    leat_codec_fail(c, "number %d is odd", *(const int *)value);
    leat_codec_fail(c, "second");
    leat_codec_put(c, "x", 1);
}

static void slice_decode(leat_codec_t *c, void *room)
{
    *(leat_slice_t *)room = leat_codec_take_slice(c);
}

static void test_codec_first_failure_is_kept(void **state)
{
    const leat_serde_t odd = {
        .name = "odd", .size = sizeof(leat_slice_t), .encode = fail_encode, .decode = slice_decode};
    leat_slice_t bytes;

    (void)state;
    assert_int_equal(leat__encode(&odd, &(int){3}, &env, &bytes, &err), LEAT_ESERDE);
    assert_string_equal(err.text, "odd: number 3 is odd");
    assert_int_equal(leat__encode(&odd, &(int){3}, &env, &bytes, NULL), LEAT_ESERDE);
    expect_text(&odd, &(int){5}, "<odd: number 5 is odd>");
    expect_refused(&odd, "\x80\0\0\0", 4, "odd: a text has the length -2147483648");
    expect_refused(
        &odd, "\0\0\0\7abc", 7, "odd: 7 bytes wanted at byte 4, but only 3 are left of 7");
    expect_refused(&odd, "", 0, "odd: 4 bytes wanted at byte 0, but only 0 are left of 0");
}

static void large_encode(leat_codec_t *c, const void *value)
{
    for (int i = 0; i < 100000; i++) {
        if (i % 100 == 0)
            leat_codec_scratch(c, 1); /* the output is not the last allocation any more */
        leat_codec_put_int32(c, i);
    }
    (void)value;
}

static void test_codec_large_output_stays_whole(void **state)
{
    const leat_serde_t large = {.name = "large", .encode = large_encode};
    leat_slice_t bytes;

    (void)state;
    assert_int_equal(leat__encode(&large, "", &env, &bytes, &err), 0);
    assert_int_equal(bytes.size, 400000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(leat__load_be32(bytes.data + 4 * i), i);
}

/* ---- size 0, release ---- */

static int released;

static void count_release(void *value)
{
    released++;
    free(value);
}

static void own_decode(leat_codec_t *c, void *room)
{
    leat_slice_t bytes = leat_codec_take(c, 3);

    assert_null(room);
    if (bytes.size)
        leat_codec_value(c, strndup(bytes.data, 3));
}

static void no_decode(leat_codec_t *c, void *room)
{
    (void)room;
    leat_codec_take_rest(c);
}

static void room_decode(leat_codec_t *c, void *room)
{
    *(char **)room = strdup("half");
    leat_codec_fail(c, "then it failed");
}

static void room_release(void *room)
{
    free(*(char **)room);
    released++;
}

static void test_own_values_are_released_with_the_record(void **state)
{
    const leat_serde_t own = {.name = "own", .decode = own_decode, .release = count_release};
    const leat_serde_t no = {.name = "no", .decode = no_decode, .release = count_release};
    const leat_serde_t room = {
        .name = "room", .size = sizeof(char *), .decode = room_decode, .release = room_release};

    (void)state;
    released = 0;
    assert_string_equal(decoded(&own, "abc", 3), "abc");
    assert_int_equal(released, 0);
    leat__arena_reset(&scratch);
    assert_int_equal(released, 1);
    expect_refused(&own, "abcd", 4, "own: 1 bytes left over after 3");
    expect_refused(&own, "a", 1, "own: 3 bytes wanted at byte 0, but only 1 are left of 1");
    expect_refused(&no, "x", 1, "no: its decode gave no value: leat_codec_value() was not called");
    expect_refused(&room, "x", 1, "room: then it failed");
    leat__arena_reset(&scratch);
    assert_int_equal(released, 3);
}

/* ---- composed ---- */

static void test_windowed_bytes_and_text(void **state)
{
    leat_serde_t *s = leat__serde_windowed_new(leat_serde_string(), 1000, false);
    leat_slice_t k = leat_slice("a@b/c");
    leat_windowed_t key = {&k, 5000, 6000};
    const leat_windowed_t *back;

    (void)state;
    expect_bytes(s, &key, "a@b/c\0\0\0\0\0\0\x13\x88", 13);
    back = decoded(s, "a@b/c\0\0\0\0\0\0\x13\x88", 13);
    assert_true(leat_slice_is(back->key, "a@b/c"));
    assert_int_equal(back->start_ms, 5000);
    assert_int_equal(back->end_ms, 6000);
    back = decoded(s, "\x7f\xff\xff\xff\xff\xff\xff\xfe", 8); /* an empty key, at the end of time */
    assert_int_equal(back->end_ms, INT64_MAX);
    expect_text(s, &key, "[a@b/c@5000/6000]");
    back = parsed(s, "[a@b/c@5000/6000]");
    assert_true(leat_slice_is(back->key, "a@b/c"));
    assert_int_equal(back->start_ms, 5000);
    assert_int_equal(back->end_ms, 6000);
    expect_refused(s, "1234567", 7, "windowed(string): takes at least 8 bytes, got 7");
    expect_unparsed(s, "a@1/2", "windowed(string): a windowed key is written [KEY@START/END]");
    expect_unparsed(s, "", "windowed(string): a windowed key is written [KEY@START/END]");
    expect_unparsed(s, "[]", "windowed(string): a windowed key is written [KEY@START/END]");
    expect_unparsed(s, "[a/1@2]", "windowed(string): a windowed key is written [KEY@START/END]");
    expect_unparsed(
        s, "[a@x/2]", "windowed(string): START and END of [KEY@START/END] are milliseconds");
    assert_ptr_equal(leat__serde_inner(s), leat_serde_string());
    assert_null(leat__serde_inner(leat_serde_string()));
    assert_false(leat__serde_is_session(s));
    leat__serde_free(s);
}

static void test_session_windowed_bytes(void **state)
{
    leat_serde_t *s = leat__serde_windowed_new(leat_serde_int32(), 0, true);
    leat_windowed_t key = {&(int32_t){7}, 1, 2};
    const leat_windowed_t *back;

    (void)state;
    expect_bytes(s, &key, "\0\0\0\7\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1", 20);
    back = decoded(s, "\0\0\0\7\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1", 20);
    assert_int_equal(*(const int32_t *)back->key, 7);
    assert_int_equal(back->start_ms, 1);
    assert_int_equal(back->end_ms, 2);
    expect_text(s, &key, "[7@1/2]");
    expect_refused(
        s, "123456789012345678", 18, "session-windowed(int32): int32 takes 4 bytes, got 2");
    assert_true(leat__serde_is_session(s));
    leat__serde_free(s);
}

static void test_list_of_numbers_is_of_constant_size(void **state)
{
    leat_serde_t *s = leat__serde_list_new(leat_serde_int32());
    const void *items[] = {&(int32_t){1}, NULL, &(int32_t){2}};
    leat_list_t list = {items, 3};
    static const char bytes[] = "\0\0\0\0\1\0\0\0\1\0\0\0\3\0\0\0\1\0\0\0\2";
    const leat_list_t *back;

    (void)state;
    expect_bytes(s, &list, bytes, sizeof bytes - 1);
    back = decoded(s, bytes, sizeof bytes - 1);
    assert_int_equal(back->count, 3);
    assert_null(back->items[1]);
    assert_int_equal(*(const int32_t *)back->items[2], 2);
    expect_text(s, &list, "[1, null, 2]");
    expect_bytes(s, &(leat_list_t){NULL, 0}, "\0\0\0\0\0\0\0\0\0", 9);
    assert_int_equal(((const leat_list_t *)decoded(s, "\0\0\0\0\0\0\0\0\0", 9))->count, 0);
    expect_refused(s, "\0\x7f\xff\xff\xff", 5,
        "list(int32): 2147483647 nulls do not fit into the 0 bytes left");
    expect_refused(s, "\0\0\0\0\0\x7f\xff\xff\xff", 9,
        "list(int32): 2147483647 elements of 4 bytes with 0 nulls are not in 0 bytes");
    expect_refused(s, "\0\0\0\0\2\0\0\0\1\0\0\0\1\0\0\0\2", 17,
        "list(int32): the places of the nulls are not ascending");
    expect_refused(s, "\2", 1, "list(int32): a list starts with 0 or 1, not 2");
    expect_refused(s, "", 0, "list(int32): 1 bytes wanted at byte 0, but only 0 are left of 0");
    leat__serde_free(s);
}

static void test_list_of_texts_is_of_variable_size(void **state)
{
    leat_serde_t *s = leat__serde_list_new(leat_serde_string());
    leat_slice_t a = leat_slice("ab"), b = leat_slice("");
    const void *items[] = {&a, NULL, &b};
    static const char bytes[] = "\1\0\0\0\3\0\0\0\2ab\xff\xff\xff\xff\0\0\0\0";
    const leat_list_t *back;

    (void)state;
    expect_bytes(s, &(leat_list_t){items, 3}, bytes, sizeof bytes - 1);
    back = decoded(s, bytes, sizeof bytes - 1);
    assert_int_equal(back->count, 3);
    assert_true(leat_slice_is(back->items[0], "ab"));
    assert_null(back->items[1]);
    assert_true(leat_slice_is(back->items[2], ""));
    expect_refused(s, "\1\x7f\xff\xff\xff", 5,
        "list(string): 2147483647 elements do not fit into the 0 bytes left");
    expect_refused(s, "\1\0\0\0\1\xff\xff\xff\xfe", 9, "list(string): element 0 has the length -2");
    expect_refused(s, "\1\0\0\0\1\0\0\0\5ab", 11,
        "list(string): 5 bytes wanted at byte 9, but only 2 are left of 11");
    expect_refused(s, "\0\0\0\0\0\0\0\0\0", 9,
        "list(string): a list of fixed-size elements, but string has no fixed size");
    leat__serde_free(s);
}

static void test_every_cut_of_good_bytes_is_refused(void **state)
{
    leat_serde_t *s = leat__serde_list_new(leat_serde_string());
    static const char bytes[] = "\1\0\0\0\3\0\0\0\2ab\xff\xff\xff\xff\0\0\0\1x";
    const void *value;

    (void)state;
    for (size_t size = 0; size < sizeof bytes - 1; size++) {
        char *copy = malloc(size + 1);

        memcpy(copy, bytes, size);
        assert_int_equal(
            leat__decode(s, (leat_slice_t){copy, size}, &env, &value, &err), LEAT_ESERDE);
        free(copy);
    }
    leat__serde_free(s);
}

static void test_composed_without_memory_is_null(void **state)
{
    (void)state;
    leat__fail_allocation(1);
    assert_null(leat__serde_windowed_new(leat_serde_string(), 1, false));
    leat__fail_allocation(1);
    assert_null(leat__serde_list_new(leat_serde_string()));
    leat__fail_allocation(0);
    leat__serde_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_string_and_bytes_are_borrowed_not_copied),
        TEST(test_numbers_have_kafkas_bytes),
        TEST(test_numbers_of_a_wrong_length_fail),
        TEST(test_built_in_text_both_ways),
        TEST(test_inner_serdes_and_their_errors),
        TEST(test_codec_puts_and_takes),
        TEST(test_codec_first_failure_is_kept),
        TEST(test_codec_large_output_stays_whole),
        TEST(test_own_values_are_released_with_the_record),
        TEST(test_windowed_bytes_and_text),
        TEST(test_session_windowed_bytes),
        TEST(test_list_of_numbers_is_of_constant_size),
        TEST(test_list_of_texts_is_of_variable_size),
        TEST(test_every_cut_of_good_bytes_is_refused),
        TEST(test_composed_without_memory_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
