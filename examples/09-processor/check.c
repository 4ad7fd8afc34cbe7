/* check: both topologies of processor.c under the test driver: the silent are reported once. */
#define main silent_devices_main
#include "processor.c"
#undef main

#include <leat/testing.h>
#include <stdio.h>
#include <string.h>

static int expect(leat_test_t *t, const char *text)
{
    const char *got = leat_test_read_text(t, "silent-devices");

    if (text == NULL ? got == NULL : got != NULL && strcmp(got, text) == 0)
        return 0;
    fprintf(stderr, "expected %s, got %s\n", text ? text : "nothing", got ? got : "nothing");
    return 1;
}

static int check(leat_topology_t *topology)
{
    leat_test_t *t = leat_test_new(topology, NULL, NULL);
    leat_error_t err;
    int failed = 0;

    leat_test_pipe_text(t, "signals", "door", "on", LEAT_MINUTES(1));
    leat_test_pipe_text(t, "signals", "lamp", "on", LEAT_MINUTES(4));
    failed += expect(t, NULL);
    leat_test_pipe_text(t, "signals", "lamp", "on", LEAT_MINUTES(7));
    failed += expect(t, "door=silent since 60000@420000");
    leat_test_pipe_text(t, "signals", "lamp", "on", LEAT_MINUTES(9));
    failed += expect(t, NULL);
    if (leat_test_failure(t, &err) != LEAT_OK) {
        fprintf(stderr, "%s: %s\n", err.where, err.text);
        failed++;
    }
    leat_test_free(t);
    return failed;
}

int main(void)
{
    return check(leat_topology_build(silent_devices, NULL)) + check(silent_devices_by_names());
}
