/* check: the topology of versioned.c under the test driver. */
#define main versioned_main
#include "versioned.c"
#undef main

#include "check.h"

int main(void)
{
    leat_test_t *t = check_open(price_orders);
    const int64_t noon = LEAT_HOURS(12);
    leat_slice_t tea = leat_slice("tea");

    check_in(t, "prices", "tea", "100", noon);
    check_in(t, "orders", "tea", "3", noon + 5000);
    check_in(t, "orders", "tea", "3", noon + 20000);
    check_in(t, "prices", "tea", "90", noon + 10000); /* late, and still right for the second */
    check_out(t, "sums", NULL);
    check_in(t, "orders", "tea", "1", noon + 80000); /* brings time a minute past both */
    check_out(t, "sums", "tea=300@43205000");
    check_out(t, "sums", "tea=270@43220000");
    check_out(t, "sums", NULL);

    const leat_row_t *was = leat_versions_as_of(leat_test_versions(t, "prices"), &tea, noon + 9999);
    if (!was || *(const int64_t *)was->value != 100 || was->end_ms != noon + 10000) {
        fprintf(stderr, "the price of 12:00:09 is not the one of 12:00\n");
        check_failed++;
    }
    return check_close(t);
}
