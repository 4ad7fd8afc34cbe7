/*
 * Stream threads as threads: a pthread each, the real clock, the background writer; on the
 * embedded log. Method: what is committed is read from outside; ThreadSanitizer is the second
 * judge.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "thread_rig.h"

enum { PARTITIONS = 2, KEYS = 50, EACH = 40 };

static rig_record_t room[PARTITIONS * KEYS * EACH + 100];

static void write_all(rig_world_t *w, int from, int until)
{
    leat_error_t err = {0};
    leat__out_t *out = w->outside->vt->writer_topic(w->writer, "in", &err);

    for (int i = from; i < until; i++)
        for (int32_t p = 0; p < PARTITIONS; p++)
            for (int k = 0; k < KEYS; k++) {
                char key[16];

                snprintf(key, sizeof key, "p%d-k%d", (int)p, k);
                assert_int_equal(w->outside->vt->produce(w->writer, out, p, leat_slice(key),
                                     leat_slice("x"), 1 + i, NULL, &err),
                    0);
            }
    leat__op_free(w->outside->vt->writer_flush(w->writer));
}

static int64_t wanted;

static bool all_committed(rig_t *r)
{
    for (int32_t p = 0; p < PARTITIONS; p++)
        if (rig_committed(r->world, "in", p) < wanted)
            return false;
    return true;
}

static bool stopped(rig_t *r)
{
    return r->stopped > 0;
}

static void check(rig_world_t *w)
{
    int64_t last[PARTITIONS][KEYS] = {{0}};
    size_t count = rig_read(w, "out", PARTITIONS, true, room, sizeof room / sizeof *room);

    assert_int_equal(count, PARTITIONS * KEYS * EACH);
    for (size_t i = 0; i < count; i++) {
        int p, k;

        assert_int_equal(sscanf(room[i].key, "p%d-k%d", &p, &k), 2);
        assert_int_equal(room[i].number, ++last[p][k]);
    }
}

static void run(const char *guarantee, const char *commit_interval)
{
    rig_world_t w;
    rig_t *r;

    rig_world_open_real(&w, rig_build_count, PARTITIONS, guarantee);
    rig_world_set(&w, "commit.interval.ms", commit_interval);
    rig_world_set(&w, "statestore.checkpoint.interval.ms", "100");
    for (int half = 0; half < 2; half++) {
        r = rig_start(&w, 0);
        write_all(&w, half * EACH / 2, (half + 1) * EACH / 2);
        wanted = (half + 1) * KEYS * EACH / 2;
        assert_true(rig_until(r, all_committed, 20000));
        rig_say(r, leat__message_new(LEAT__SAY_STOP));
        assert_true(rig_until(r, stopped, 20000));
        rig_crash(r); /* stopped before: only freed */
    }
    check(&w);
    rig_world_close(&w);
}

static void test_threads_exactly_once(void **state)
{
    (void)state;
    run("exactly_once_v2", "100");
}

static void test_threads_exactly_once_with_two_writers(void **state)
{
    (void)state;
    run("exactly_once_v2", "5");
}

static void test_threads_at_least_once(void **state)
{
    (void)state;
    run("at_least_once", "50");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_exactly_once),
        cmocka_unit_test(test_threads_exactly_once_with_two_writers),
        cmocka_unit_test(test_threads_at_least_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
