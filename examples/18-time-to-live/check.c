/* check: the topology of time_to_live.c under the test driver. */
#define main time_to_live_main
#include "time_to_live.c"
#undef main

#include "check.h"

int main(void)
{
    leat_test_t *t = check_open(unique_events);

    check_in(t, "events", "17", "paid", 0);
    check_in(t, "events", "17", "paid", LEAT_MINUTES(9));
    check_in(t, "events", "18", "paid", LEAT_MINUTES(10));
    check_in(t, "events", "17", "paid", LEAT_MINUTES(10)); /* ten minutes old: still known */
    check_in(t, "events", "17", "paid again", LEAT_MINUTES(10) + 1);
    check_out(t, "unique-events", "17=paid@0");
    check_out(t, "unique-events", "18=paid@600000");
    check_out(t, "unique-events", "17=paid again@600001");
    check_out(t, "unique-events", NULL);
    return check_close(t);
}
