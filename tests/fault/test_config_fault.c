/*
 * Goal: configuration code without memory ends in LEAT_ENOMEM, never in a crash, a leak or a quiet
 * loss. Method: make the first, second, third ... allocation fail until a run needs no more; under
 * ASan the leaks are counted too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/leat-test-fault-XXXXXX";

static int make_file(void **state)
{
    static const char text[] = "# properties\nnum.stream.threads = 3\nprogram.words=a\\\n  b\n";
    int fd = mkstemp(path);

    (void)state;
    setenv("LEAT_TEST_SECRET", "s3cret", 1);
    if (fd < 0 || write(fd, text, sizeof text - 1) != (ssize_t)sizeof text - 1)
        return -1;
    return close(fd);
}

static int drop_file(void **state)
{
    (void)state;
    return unlink(path);
}

/* Everything that allocates. The clone is what is checked, the original must stay usable. */
static leat_config_t *work(leat_config_t *c)
{
    char reference[64], name[32];

    snprintf(reference, sizeof reference, "${file:%s}", path);
    leat_config_set(c, "application.id", "app");
    leat_config_set(c, "sasl.password", "x${env:LEAT_TEST_SECRET}y");
    leat_config_set(c, "program.file", reference);
    leat_config_set(c, "application.id", "again");
    leat_config_set(c, "program.file", NULL);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "program.option-%d", i);
        leat_config_set(c, name, "value");
    }
    leat_config_load(c, path);
    return leat__config_clone(c);
}

static void expect_whole(const leat_config_t *c)
{
    assert_string_equal(leat_config_get(c, "application.id"), "again");
    assert_string_equal(leat_config_get(c, "sasl.password"), "xs3crety");
    assert_string_equal(leat_config_get(c, "program.option-19"), "value");
    assert_string_equal(leat_config_get(c, "program.words"), "ab");
    assert_int_equal(leat__config_int(c, "num.stream.threads"), 3);
}

/* The n-th allocation fails. True: none was left to fail. */
static bool run(size_t nth)
{
    leat_config_t *c, *copy;
    leat_error_t err;
    size_t before = leat__allocations(), made;
    int code;

    leat__fail_allocation(nth);
    c = leat_config_new();
    copy = work(c);
    made = leat__allocations() - before;
    leat__fail_allocation(0);
    code = leat_config_check(copy, &err);
    if (made < nth) {
        assert_int_equal(code, 0);
        expect_whole(copy);
    } else {
        assert_int_equal(code, LEAT_ENOMEM);
        assert_true(strlen(err.text) > 0 && strlen(err.where) > 0);
    }
    leat_config_free(c);
    leat_config_free(copy);
    return made < nth;
}

static void test_config_each_allocation_failing(void **state)
{
    size_t nth = 1;

    (void)state;
    while (!run(nth))
        nth++;
    assert_true(nth > 100); /* so many there are: the counter does count */
}

static void test_config_without_memory_for_itself_absorbs_calls(void **state)
{
    leat_config_t *c;
    leat_error_t err;

    (void)state;
    leat__fail_allocation(1);
    c = leat_config_new();
    leat__fail_allocation(0);
    leat_config_set(c, "application.id", "app");
    leat_config_set(c, NULL, NULL);
    leat_config_load(c, path);
    assert_string_equal(leat_config_get(c, "application.id"), "");
    assert_int_equal(leat_config_check(c, &err), LEAT_ENOMEM);
    assert_string_equal(err.text, "no memory for the configuration");
    assert_int_equal(err.others, 0);
    leat_config_free(c);
    leat_config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_each_allocation_failing),
        cmocka_unit_test(test_config_without_memory_for_itself_absorbs_calls),
    };

    return cmocka_run_group_tests(tests, make_file, drop_file);
}
