/*
 * Goal: scratch memory is aligned, survives until its reset, runs its hooks once, is reused; a mark
 * gives back what came after it. Method: fill, check, reset; under ASan the poison is asked about.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define IS_POISONED(p) (__asan_address_is_poisoned(p) != 0)
#else
#define IS_POISONED(p) ((void)(p), true)
#endif

static void test_alloc_many_sizes_are_aligned_and_apart(void **state)
{
    leat__arena_t a;
    char *blocks[400];

    (void)state;
    leat__arena_init(&a);
    for (size_t i = 0; i < 400; i++) {
        blocks[i] = leat__arena_alloc(&a, i * 7 + 1);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)(i & 0x7f), i * 7 + 1);
    }
    for (size_t i = 0; i < 400; i++)
        for (size_t j = 0; j < i * 7 + 1; j++)
            assert_int_equal(blocks[i][j], (int)(i & 0x7f));
    leat__arena_release(&a);
}

static void test_alloc_larger_than_a_chunk_works(void **state)
{
    leat__arena_t a;
    char *large;

    (void)state;
    leat__arena_init(&a);
    large = leat__arena_zalloc(&a, 9 * 1024 * 1024);
    assert_int_equal(large[9 * 1024 * 1024 - 1], 0);
    leat__arena_reset(&a); /* too much to keep */
    assert_null(a.chunks);
    assert_non_null(leat__arena_alloc(&a, 1));
    leat__arena_release(&a);
}

static void test_reset_a_running_task_allocates_nothing(void **state)
{
    leat__arena_t a;
    const void *chunk = NULL;

    (void)state;
    leat__arena_init(&a);
    for (int record = 0; record < 100; record++) {
        for (int i = 0; i < 300; i++)
            leat__arena_alloc(&a, 200);
        leat__arena_reset(&a);
        if (record == 0)
            chunk = a.chunks; /* one chunk for all from here on */
        assert_ptr_equal(a.chunks, chunk);
        assert_null(a.spare);
    }
    leat__arena_release(&a);
}

static void test_reset_poisons_what_it_gives_back(void **state)
{
    leat__arena_t a;
    char *stale;

    (void)state;
    leat__arena_init(&a);
    stale = leat__arena_copy(&a, "hello", 5);
    assert_string_equal(stale, "hello");
    leat__arena_reset(&a);
    assert_true(IS_POISONED(stale));
#if !defined(__SANITIZE_ADDRESS__) && !defined(NDEBUG)
    assert_int_equal((unsigned char)stale[0], 0xdb);
#endif
    leat__arena_release(&a);
}

static int order[8], ran;

static void note(void *object)
{
    order[ran++] = *(int *)object;
}

static void test_hooks_run_once_and_last_first(void **state)
{
    leat__arena_t a;
    int one = 1, two = 2;

    (void)state;
    ran = 0;
    leat__arena_init(&a);
    leat__arena_on_reset(&a, note, &one);
    leat__arena_on_reset(&a, note, &two);
    leat__arena_reset(&a);
    assert_int_equal(ran, 2);
    assert_int_equal(order[0], 2);
    assert_int_equal(order[1], 1);
    leat__arena_on_reset(&a, note, &one);
    leat__arena_release(&a);
    assert_int_equal(ran, 3);
}

static void test_rewind_gives_back_what_came_after_the_mark(void **state)
{
    leat__arena_t a;
    leat__mark_t mark;
    int one = 1, two = 2;
    char *kept, *first;

    (void)state;
    ran = 0;
    leat__arena_init(&a);
    mark = leat__arena_mark(&a); /* of an empty arena */
    leat__arena_alloc(&a, 100);
    leat__arena_rewind(&a, mark);
    kept = leat__arena_copy(&a, "kept", 4);
    leat__arena_on_reset(&a, note, &one);
    mark = leat__arena_mark(&a);
    first = leat__arena_alloc(&a, 10);
    for (int round = 0; round < 50; round++) {
        ran = 0;
        leat__arena_rewind(&a, mark);
        assert_ptr_equal(leat__arena_alloc(&a, 10), first);
        for (int i = 0; i < 100; i++)
            leat__arena_alloc(&a, 1000); /* several chunks */
        leat__arena_on_reset(&a, note, &two);
        leat__arena_rewind(&a, mark);
        assert_int_equal(ran, 1);
        assert_int_equal(order[0], 2);
    }
    assert_string_equal(kept, "kept");
    leat__arena_release(&a);
}

static void test_grow_keeps_the_bytes_in_place_or_not(void **state)
{
    leat__arena_t a;
    char *p, *q;

    (void)state;
    leat__arena_init(&a);
    p = leat__arena_grow(&a, NULL, 0, 5);
    memcpy(p, "12345", 5);
    q = leat__arena_grow(&a, p, 5, 500);
    assert_ptr_equal(p, q); /* it was the last one */
    leat__arena_alloc(&a, 1);
    p = leat__arena_grow(&a, q, 500, 100000);
    assert_ptr_not_equal(p, q);
    assert_memory_equal(p, "12345", 5);
    memset(p, 1, 100000);
    leat__arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc_many_sizes_are_aligned_and_apart),
        cmocka_unit_test(test_alloc_larger_than_a_chunk_works),
        cmocka_unit_test(test_reset_a_running_task_allocates_nothing),
        cmocka_unit_test(test_reset_poisons_what_it_gives_back),
        cmocka_unit_test(test_hooks_run_once_and_last_first),
        cmocka_unit_test(test_rewind_gives_back_what_came_after_the_mark),
        cmocka_unit_test(test_grow_keeps_the_bytes_in_place_or_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
