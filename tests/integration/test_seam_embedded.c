/*
 * tests/integration/test_seam_embedded.c: the seam's contract on the embedded log, in memory and in
 * a directory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/embedded/embedded.h"
#include "seam_kit.h"

static leat__log_t *log_under_test;

static leat__broker_t *open_client(void)
{
    return leat__embedded_client(log_under_test, NULL);
}

static int run(const char *name, const char *dir)
{
    const struct seam_fixture fixture = {.name = name,
        .open = open_client,
        .patience_ms = 5000,
        .session_ms = 1000,
        .heartbeat_ms = 100,
        .max_poll_ms = 3000,
        .transaction_timeout_ms = 10000,
        .big_bytes = 1000000,
        .many = 200000};
    leat_error_t err;
    int failed;

    log_under_test = leat__log_open(dir, NULL, &err);
    if (!log_under_test) {
        fprintf(stderr, "%s: %s\n", name, err.text);
        return 1;
    }
    failed = run_seam_contract(&fixture);
    leat__log_unref(log_under_test);
    return failed;
}

int main(void)
{
    char dir[] = "/tmp/leat-seam-XXXXXX", command[64];
    int failed = run("seam: embedded log in memory", NULL);

    if (!mkdtemp(dir))
        return 1;
    failed += run("seam: embedded log in a directory", dir);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) != 0 || failed != 0;
}
