/* check: the topology of global_join.c under the test driver. */
#define main global_join_main
#include "global_join.c"
#undef main

#include "check.h"

int main(void)
{
    leat_test_t *t = check_open(sales_in_euros);

    check_in(t, "rates", "USD", "0.5", 1);
    check_in(t, "sales", "london", "{\"currency\":\"USD\",\"amount\":8.0}", 2);
    check_out(t, "sales-in-euros", "london={\"currency\":\"EUR\",\"amount\":4.0}@2");
    check_in(t, "sales", "tokyo", "{\"currency\":\"JPY\",\"amount\":100.0}", 3); /* no rate */
    check_in(t, "rates", "USD", "0.25", 4); /* changes of the table emit nothing */
    check_out(t, "sales-in-euros", NULL);
    check_in(t, "sales", "paris", "{\"currency\":\"USD\",\"amount\":8.0}", 5);
    check_out(t, "sales-in-euros", "paris={\"currency\":\"EUR\",\"amount\":2.0}@5");
    return check_close(t);
}
