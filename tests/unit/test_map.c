/*
 * Goal: the map is a map, in order of insertion; the partitioner is Kafka's.
 * Method: random puts and removes against a plain array; values of Kafka's own UtilsTest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 500 };

static void test_map_random_work_agrees_with_a_model(void **state)
{
    static int values[NAMES];
    int *model[NAMES] = {0};
    leat__map_t m = {0};
    char name[16];
    size_t seen = 0;
    unsigned seed = 7;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        int n;

        seed = seed * 1664525u + 1013904223u;
        n = (int)(seed >> 8) % NAMES;
        snprintf(name, sizeof name, "name-%d", n);
        assert_ptr_equal(leat__map_get(&m, name), model[n]);
        if (seed & 128) {
            model[n] = &values[n];
            assert_true(leat__map_put(&m, name, &values[n]));
        } else {
            assert_ptr_equal(leat__map_remove(&m, name), model[n]);
            model[n] = NULL;
        }
    }
    for (int n = 0; n < NAMES; n++)
        seen += model[n] != NULL;
    assert_int_equal(m.count, seen);
    leat__map_release(&m, NULL);
}

static void test_map_next_keeps_the_order_of_insertion(void **state)
{
    static const char *const names[] = {"zeta", "alpha", "mid", "beta"};
    leat__map_t m = {0};
    const char *key;
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        leat__map_put(&m, names[i], leat__must_strdup(names[i]));
    leat__free(leat__map_remove(&m, "alpha"));
    leat__map_put(&m, "alpha", leat__must_strdup("again"));
    for (size_t i = 0; leat__map_next(&m, &i, &key, NULL); n++)
        assert_string_equal(key, ((const char *[]){"zeta", "mid", "beta", "alpha"})[n]);
    assert_int_equal(n, 4);
    leat__map_release(&m, leat__free);
    assert_false(leat__map_next(&m, &(size_t){0}, &key, NULL));
}

static void test_map_put_without_memory_says_so_and_stays_whole(void **state)
{
    leat__map_t m = {0};
    int value;

    (void)state;
    for (size_t nth = 1; nth <= 3; nth++) { /* slots, index, key */
        leat__fail_allocation(nth);
        assert_false(leat__map_put(&m, "key", &value));
        leat__fail_allocation(0);
        assert_null(leat__map_get(&m, "key"));
        assert_int_equal(m.count, 0);
        leat__map_release(&m, NULL);
    }
    assert_true(leat__map_put(&m, "key", &value));
    assert_ptr_equal(leat__map_get(&m, "key"), &value);
    leat__map_release(&m, NULL);
}

static void test_murmur2_is_kafkas(void **state)
{
    static const struct {
        const char *text;
        int32_t hash;
    } cases[] = {{"21", -973932308}, {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536}, {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971}, {"abc", 479470107}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        leat_slice_t key = leat_slice(cases[i].text);

        assert_int_equal((int32_t)leat__murmur2(key.data, key.size), cases[i].hash);
        assert_int_equal(leat__partition_of(key, 7), (cases[i].hash & 0x7fffffff) % 7);
    }
}

static void test_hash_differs_in_every_byte(void **state)
{
    char bytes[32] = {0};

    (void)state;
    for (size_t size = 0; size < sizeof bytes; size++) {
        uint64_t zero = leat__hash(bytes, size);

        assert_int_not_equal(zero, leat__hash(bytes, size + 1));
        for (size_t i = 0; i < size; i++) {
            bytes[i] = 1;
            assert_int_not_equal(zero, leat__hash(bytes, size));
            bytes[i] = 0;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_random_work_agrees_with_a_model),
        cmocka_unit_test(test_map_next_keeps_the_order_of_insertion),
        cmocka_unit_test(test_map_put_without_memory_says_so_and_stays_whole),
        cmocka_unit_test(test_murmur2_is_kafkas),
        cmocka_unit_test(test_hash_differs_in_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
