/* check: the topology of table_join.c under the test driver. */
#define main articles_main
#include "table_join.c"
#undef main

#include "check.h"

int main(void)
{
    leat_test_t *t = check_open(articles);

    check_in(t, "stock", "7", "12", 1);
    check_out(t, "articles", "7=(no name yet), 12 in stock@1");
    check_in(t, "names", "7", "kettle", 2);
    check_out(t, "articles", "7=kettle, 12 in stock@2");
    check_in(t, "stock", "7", NULL, 3);
    check_out(t, "articles", "7=kettle, 0 in stock@3");
    check_in(t, "names", "7", NULL, 4);
    check_out(t, "articles", "7=null@4"); /* nobody knows it any more */
    check_out(t, "articles", NULL);
    return check_close(t);
}
