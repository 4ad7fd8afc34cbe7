/*
 * Goal: buffers grow, stay whole, end in a terminator; the stored forms of numbers are big endian.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void test_buf_put_grows_and_keeps(void **state)
{
    leat__buf_t b = {0};
    char text[16];

    (void)state;
    for (int i = 0; i < 10000; i++)
        leat__buf_format(&b, "%04d,", i);
    assert_int_equal(b.size, 50000);
    for (int i = 0; i < 10000; i++) {
        snprintf(text, sizeof text, "%04d,", i);
        assert_memory_equal(b.data + i * 5, text, 5);
    }
    leat__buf_release(&b);
    assert_null(b.data);
}

static void test_buf_text_is_terminated_and_not_counted(void **state)
{
    leat__buf_t b = {0};
    char *text;

    (void)state;
    assert_string_equal(leat__buf_text(&b), "");
    leat__buf_put(&b, "a\0b", 3);
    leat__buf_put(&b, NULL, 0);
    leat__buf_put_text(&b, "c");
    assert_int_equal(b.size, 4);
    assert_memory_equal(leat__buf_text(&b), "a\0bc", 5);
    text = leat__buf_finish(&b);
    assert_memory_equal(text, "a\0bc", 5);
    assert_null(b.data);
    leat__free(text);
}

static void test_buf_format_longer_than_the_room(void **state)
{
    leat__buf_t b = {0};

    (void)state;
    for (int size = 0; size < 200; size++) {
        leat__buf_format(&b, "%*s|", size, "");
        assert_int_equal(b.data[b.size - 1], '|');
        assert_int_equal(strlen(leat__buf_text(&b)), (size_t)size + 1);
        leat__buf_release(&b);
    }
}

static void test_stored_numbers_are_big_endian(void **state)
{
    unsigned char bytes[8];

    (void)state;
    leat__store_be64(bytes, 0x0102030405060708u);
    assert_memory_equal(bytes, "\1\2\3\4\5\6\7\10", 8);
    assert_int_equal(leat__load_be64(bytes), 0x0102030405060708u);
    leat__store_be32(bytes, 0xfffefdfcu);
    assert_memory_equal(bytes, "\xff\xfe\xfd\xfc", 4);
    assert_int_equal(leat__load_be32(bytes), 0xfffefdfcu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_put_grows_and_keeps),
        cmocka_unit_test(test_buf_text_is_terminated_and_not_counted),
        cmocka_unit_test(test_buf_format_longer_than_the_room),
        cmocka_unit_test(test_stored_numbers_are_big_endian),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
