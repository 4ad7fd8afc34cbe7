/* check: the topology of windowed_count.c under the test driver. */
#define main page_views_main
#include "windowed_count.c"
#undef main

#include <leat/testing.h>
#include <stdio.h>
#include <string.h>

/* The next result is this text; NULL: there is none. */
static int expect(leat_test_t *t, const char *text)
{
    const char *got = leat_test_read_text(t, "views-per-minute");

    if (text && got ? strcmp(got, text) == 0 : got == text)
        return 0;
    fprintf(stderr, "%s, expected %s\n", got ? got : "nothing", text ? text : "nothing");
    return 1;
}

int main(void)
{
    leat_test_t *t = leat_test_new(leat_topology_build(page_views, NULL), NULL, NULL);
    leat_error_t err;
    int failed = 0;

    leat_test_pipe_text(t, "views", "/home", "ann", 1000);
    leat_test_pipe_text(t, "views", "/home", "bob", 59000);
    leat_test_pipe_text(t, "views", "/cart", "ann", 61000);
    leat_test_pipe_text(t, "views", "/home", "eve", 30000); /* late, but within the grace */
    failed += expect(t, NULL);
    leat_test_pipe_text(t, "views", "/cart", "bob", 70000); /* closes the first minute */
    leat_test_pipe_text(t, "views", "/home", "eve", 30000); /* too late */
    failed += expect(t, "/home@0=3@59000");
    failed += expect(t, NULL);
    failed += leat_test_metric(t, "dropped-records-total") == 1.0 ? 0 : 1;
    if (leat_test_failure(t, &err) != LEAT_OK) {
        fprintf(stderr, "%s: %s\n", err.where, err.text);
        failed++;
    }
    leat_test_free(t);
    return failed;
}
