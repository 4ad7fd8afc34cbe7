/* check: the topology of sessions.c under the test driver. */
#define main visits_main
#include "sessions.c"
#undef main

#include <leat/testing.h>
#include <stdio.h>
#include <string.h>

static void click(leat_test_t *t, const char *user, const char *page, int64_t minute)
{
    leat_test_advance_ms(t, 1000); /* closed visits are looked for once in a second */
    leat_test_pipe_text(t, "clicks", user, page, LEAT_MINUTES(minute));
}

/* The next visit is this text; NULL: there is none. */
static int expect(leat_test_t *t, const char *text)
{
    const char *got = leat_test_read_text(t, "visits");

    if (text && got ? strcmp(got, text) == 0 : got == text)
        return 0;
    fprintf(stderr, "%s, expected %s\n", got ? got : "nothing", text ? text : "nothing");
    return 1;
}

int main(void)
{
    leat_test_t *t = leat_test_new(leat_topology_build(visits, NULL), NULL, NULL);
    leat_error_t err;
    int failed = 0;

    click(t, "ann", "/home", 0);
    click(t, "ann", "/cart", 21);
    click(t, "bob", "/home", 25);
    click(t, "ann", "/paid", 55);
    failed += expect(t, NULL);
    click(t, "ann", "/shop", 45); /* joins what 34 minutes had parted */
    click(t, "eve", "/home", 62);
    failed += expect(t, "[bob@1500000/1500000]=/home@1500000");
    failed += expect(t, NULL);
    click(t, "eve", "/cart", 92);
    failed += expect(t, "[ann@0/3300000]=/home > /cart > /paid > /shop@3300000");
    failed += expect(t, NULL);
    if (leat_test_failure(t, &err) != LEAT_OK) {
        fprintf(stderr, "%s: %s\n", err.where, err.text);
        failed++;
    }
    leat_test_free(t);
    return failed;
}
