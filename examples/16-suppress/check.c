/* check: the topology of suppress.c under the test driver. */
#define main balances_main
#include "suppress.c"
#undef main

#include "check.h"

int main(void)
{
    leat_test_t *t = check_open(balances);

    check_in(t, "bookings", "ann", "100", 0);
    check_in(t, "bookings", "ann", "-30", LEAT_SECONDS(4));
    check_in(t, "bookings", "bob", "5", LEAT_SECONDS(9));
    check_out(t, "balances", NULL);
    check_in(t, "bookings", "cid", "1", LEAT_SECONDS(10)); /* brings time forward */
    check_out(t, "balances", "ann=70@4000");
    check_out(t, "balances", NULL);
    leat_test_advance_ms(t, LEAT_MINUTES(2)); /* nothing more comes: the clock goes on */
    check_out(t, "balances", "bob=5@9000");
    check_out(t, "balances", "cid=1@10000");
    return check_close(t);
}
