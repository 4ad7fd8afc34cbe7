/* Goal: the line about restores counts right while tasks come and go, and never is wider than the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "runtime/restore_bar.h"

static uint64_t total, left;

static void shows(leat__restores_t now, const char *wanted)
{
    char *line = leat__restore_line(&now, &total, &left, 200);

    assert_string_equal(line, wanted);
    leat__free(line);
}

static void test_line(void **state)
{
    leat__restores_t none = {.tasks = 3};

    (void)state;
    total = left = 0;
    assert_null(leat__restore_line(&none, &total, &left, 80));
    shows((leat__restores_t){3, 1, 0, 0},
        "[....................]   0 %  1 of 3 tasks restore: 0 of 0 records, 0/s");
    shows((leat__restores_t){3, 2, 1000, 0},
        "[....................]   0 %  2 of 3 tasks restore: 0 of 1000 records, 0/s");
    shows((leat__restores_t){3, 2, 250, 50},
        "[###############.....]  75 %  2 of 3 tasks restore: 750 of 1000 records, 50/s, 5 s");
    shows((leat__restores_t){4, 3, 1250, 50}, /* one more task, with 1000 records */
        "[#######.............]  37 %  3 of 4 tasks restore: 750 of 2000 records, 50/s, 25 s");
    shows((leat__restores_t){4, 1, 0, 50},
        "[####################] 100 %  1 of 4 tasks restore: 2000 of 2000 records, 50/s, 0 s");
    assert_null(leat__restore_line(&none, &total, &left, 80));
    shows((leat__restores_t){3, 1, 10, 0}, /* anew */
        "[....................]   0 %  1 of 3 tasks restore: 0 of 10 records, 0/s");
}

static void test_line_is_cut(void **state)
{
    leat__restores_t now = {3, 1, 10, 5};

    (void)state;
    total = left = 0;
    for (size_t columns = 1; columns < 100; columns++) {
        char *line = leat__restore_line(&now, &total, &left, columns);

        assert_true(strlen(line) <= columns);
        assert_true(columns > 90 || strlen(line) == columns || strlen(line) > 60);
        leat__free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line), cmocka_unit_test(test_line_is_cut)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
