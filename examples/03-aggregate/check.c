/* check: the topology of aggregate.c under the test driver. */
#define main customer_stats_main
#include "aggregate.c"
#undef main

#include <leat/testing.h>
#include <string.h>

static int expect(leat_test_t *t, int64_t orders, int64_t cents, int64_t largest_cents)
{
    const leat_record_t *out = leat_test_read(t, "customer-stats");
    const struct stats *stats = out ? out->value : NULL;

    if (stats && stats->orders == orders && stats->cents == cents &&
        stats->largest_cents == largest_cents)
        return 0;
    fprintf(stderr, "expected %d orders of %d cents\n", (int)orders, (int)cents);
    return 1;
}

int main(void)
{
    leat_test_t *t = leat_test_new(customer_stats(), NULL, NULL);
    leat_error_t err;
    int failed = 0;

    leat_test_pipe_text(t, "orders", "ann", "500", 1);
    leat_test_pipe_text(t, "orders", "bob", "70", 2);
    leat_test_pipe_text(t, "orders", "ann", "200", 3);
    failed += expect(t, 1, 500, 500);
    failed += expect(t, 1, 70, 70);
    failed += expect(t, 2, 700, 500);
    if (leat_test_failure(t, &err) != LEAT_OK) {
        fprintf(stderr, "%s: %s\n", err.where, err.text);
        failed++;
    }
    leat_test_free(t);
    return failed;
}
