/* check: the topology of custom_store.c under the test driver, which commits each record. */
#define main custom_store_main
#include "custom_store.c"
#undef main

#include "check.h"

int main(void)
{
    leat_test_t *t = check_open(large_bids);
    char bid[16], line[32];

    for (int i = 1; i <= TOP; i++) {
        snprintf(bid, sizeof bid, "%d00", i);
        snprintf(line, sizeof line, "ann=%d00@%d", i, i);
        check_in(t, "bids", "ann", bid, i);
        check_out(t, "large-bids", line);
    }
    check_in(t, "bids", "bob", "100", 11); /* as small as the tenth */
    check_out(t, "large-bids", NULL);
    check_in(t, "bids", "bob", "101", 12); /* puts the 100 out */
    check_out(t, "large-bids", "bob=101@12");
    check_in(t, "bids", "cid", "101", 13); /* now the smallest itself */
    check_out(t, "large-bids", NULL);
    check_in(t, "bids", "dan", "5000", 14);
    check_out(t, "large-bids", "dan=5000@14");
    check_in(t, "bids", "eve", "200", 15); /* 101 is out: 200 is the smallest */
    check_out(t, "large-bids", NULL);
    return check_close(t);
}
