/*
 * check.h: what the checks of the examples share: text in, text out, under the test driver.
 * A line is "key=value@time", as the serdes of the topic write it.
 */
#ifndef EXAMPLES_CHECK_H
#define EXAMPLES_CHECK_H

#include <leat/leat.h>
#include <leat/testing.h>

#include <stdio.h>
#include <string.h>

static int check_failed;

static inline leat_test_t *check_open(leat_build_fn build)
{
    return leat_test_new(leat_topology_build(build, NULL), NULL, NULL);
}

static inline void check_in(
    leat_test_t *t, const char *topic, const char *key, const char *value, int64_t time_ms)
{
    leat_test_pipe_text(t, topic, key, value, time_ms);
}

/* The next record of the topic is this one; NULL: there is none. */
static inline void check_out(leat_test_t *t, const char *topic, const char *line)
{
    const char *got = leat_test_read_text(t, topic);

    if (line && got ? strcmp(got, line) == 0 : got == line)
        return;
    fprintf(stderr, "%s: %s, expected %s\n", topic, got ? got : "nothing", line ? line : "nothing");
    check_failed++;
}

/* What main returns. */
static inline int check_close(leat_test_t *t)
{
    leat_error_t err;

    if (leat_test_failure(t, &err) != LEAT_OK) {
        fprintf(stderr, "%s: %s\n", err.where, err.text);
        check_failed++;
    }
    leat_test_free(t);
    return check_failed;
}

#endif
