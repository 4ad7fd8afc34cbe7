/* Goal: header lists are values: a new list never changes the old one, and a clone stands alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/headers.h"
#include "base/mem.h"

#include <string.h>

static void test_headers_none_is_null(void **state)
{
    leat__arena_t a;

    (void)state;
    leat__arena_init(&a);
    assert_null(leat__headers_new(&a, NULL, 0));
    assert_null(leat__headers_clone(NULL));
    assert_int_equal(leat_headers_count(NULL), 0);
    assert_null(leat_headers_at(NULL, 0));
    assert_null(leat_headers_get(NULL, "a"));
    assert_null(leat__headers_without(&a, NULL, "a"));
    leat__arena_release(&a);
}

static void test_headers_get_gives_the_last_of_a_name(void **state)
{
    leat_header_t given[] = {{"a", {"1", 1}}, {"b", {NULL, 0}}, {"a", {"", 0}}};
    leat__arena_t a;
    const leat_headers_t *h;

    (void)state;
    leat__arena_init(&a);
    h = leat__headers_new(&a, given, 3);
    assert_int_equal(leat_headers_count(h), 3);
    assert_string_equal(leat_headers_at(h, 0)->name, "a");
    assert_null(leat_headers_at(h, 3));
    assert_non_null(leat_headers_get(h, "a")->data);
    assert_int_equal(leat_headers_get(h, "a")->size, 0);
    assert_null(leat_headers_get(h, "b")->data); /* there, with a null value */
    assert_null(leat_headers_get(h, "c"));
    leat__arena_release(&a);
}

static void test_headers_with_and_without_leave_the_old_list(void **state)
{
    leat_slice_t one = leat_slice("1"), two = leat_slice("2");
    leat__arena_t a;
    const leat_headers_t *h1, *h2, *h3, *h4;
    char name[] = "x";

    (void)state;
    leat__arena_init(&a);
    h1 = leat__headers_with(&a, NULL, name, &one);
    name[0] = 'y';
    h2 = leat__headers_with(&a, h1, name, &two);
    h3 = leat__headers_with(&a, h2, "x", NULL);
    h4 = leat__headers_without(&a, h3, "x");
    assert_int_equal(leat_headers_count(h1), 1);
    assert_int_equal(leat_headers_count(h2), 2);
    assert_int_equal(leat_headers_count(h3), 3);
    assert_true(leat_slice_is(leat_headers_get(h2, "x"), "1"));
    assert_null(leat_headers_get(h3, "x")->data);
    assert_int_equal(leat_headers_count(h4), 1);
    assert_true(leat_slice_is(leat_headers_get(h4, "y"), "2"));
    assert_null(leat__headers_without(&a, h4, "y"));
    assert_ptr_equal(leat__headers_without(&a, h4, "zzz"), h4);
    leat__arena_release(&a);
}

static void test_headers_clone_outlives_the_arena(void **state)
{
    leat_header_t given[] = {{"name", {"va\0lue", 6}}, {"none", {NULL, 0}}};
    leat__arena_t a;
    leat_headers_t *copy;

    (void)state;
    leat__arena_init(&a);
    copy = leat__headers_clone(leat__headers_new(&a, given, 2));
    leat__arena_release(&a);
    assert_int_equal(leat_headers_count(copy), 2);
    assert_memory_equal(leat_headers_get(copy, "name")->data, "va\0lue", 6);
    assert_null(leat_headers_get(copy, "none")->data);
    leat__free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_none_is_null),
        cmocka_unit_test(test_headers_get_gives_the_last_of_a_name),
        cmocka_unit_test(test_headers_with_and_without_leave_the_old_list),
        cmocka_unit_test(test_headers_clone_outlives_the_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
