/*
 * A stream thread whose membership is lost (PROTOCOLS.md 7 (c), 12): by the time it says that it
 * let go, its transactional ids are initialised anew. Method: the leader's fence falls while the
 * thread is out of the group; back in it, the thread must go on at its first commit, with no fence
 * met and nothing restored twice. On the embedded log, stepped by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "thread_rig.h"

enum { PARTITIONS = 2 };

static void write_all(rig_world_t *w, int64_t time_ms)
{
    rig_write(w, "in", 0, "a", "x", time_ms);
    rig_write(w, "in", 1, "b", "x", time_ms);
}

static void fence(rig_t *r)
{
    rig_world_t *w = r->world;
    char id[200];
    const char *ids[] = {id};
    leat__op_t *op;

    leat__transactional_id(id, sizeof id, RIG_APP, r->worker.process_id, 0, 'a');
    op = w->outside->vt->fence(w->outside, ids, 1);
    for (int i = 0; i < 100 && !leat__op_done(op); i++)
        rig_step(r);
    assert_true(leat__op_done(op));
    assert_int_equal(op->err.code, 0);
    leat__op_free(op);
}

static bool let_go(rig_t *r)
{
    return r->lost > 0;
}

static void test_lost_thread_meets_no_fence_when_it_is_back(void **state)
{
    rig_world_t w;
    rig_t *r;
    int restored;

    (void)state;
    rig_world_open(&w, rig_build_count, PARTITIONS, "exactly_once_v2");
    r = rig_start(&w, 0);
    write_all(&w, 1000);
    rig_settle(r);
    restored = r->restored;
    fence(r);
    rig_rejoin(r);
    assert_true(rig_until(r, let_go, 1000));
    write_all(&w, 2000);
    rig_settle(r);
    assert_int_equal(r->restored, 2 * restored);
    assert_int_equal(r->thread->fenced_in_row, 0);
    assert_int_equal(rig_count(r, "0_0", "a"), 2);
    assert_int_equal(rig_count(r, "0_1", "b"), 2);
    rig_stop(r);
    rig_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_thread_meets_no_fence_when_it_is_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
