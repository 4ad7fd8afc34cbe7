/*
 * Goal: a time that was not committed deletes nothing (PROTOCOLS.md 10). A record from a clock gone wrong hides every window at
 * once; its transaction aborts, the program's clock is mended, and the windows are there, on disk too.
 * Method: one thread on the embedded log (thread_rig.h), checkpoints all the time; each record counts the windows of its key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "thread_rig.h"

#define EOS "exactly_once_v2"

enum { RETENTION_MS = 200000, WINDOW_MS = 1000 };

static int64_t ahead_ms; /* of the clock gone wrong */
static int64_t seen;     /* windows, by the last record */

static int64_t clock_of_program(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)ctx;
    return in->time_ms + ahead_ms;
}

static void count_windows(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_windows_t *windows = leat_windows(ctx, "windows");
    leat_iter_t *all;

    leat_windows_put(windows, in->key, in->value, in->time_ms);
    seen = 0;
    all = leat_windows_fetch(windows, in->key, INT64_MIN, INT64_MAX, LEAT_ASCENDING);
    while (leat_iter_next(all))
        seen++;
    leat_emit_value(ctx, in->value);
}

static void build(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_builder_source(
        b, "in", "source", str, str, &(leat_source_opts_t){.timestamp = clock_of_program});
    leat_builder_processor(
        b, "source", "count", count_windows, &(leat_node_opts_t){.stores = "windows"});
    leat_builder_store(b, "windows", LEAT_WINDOWS, str, str,
        &(leat_store_opts_t){.retention_ms = RETENTION_MS, .window_size_ms = WINDOW_MS});
    leat_builder_sink(b, "count", "sink", "out", str, str, NULL);
}

static void write_at(rig_world_t *w, int64_t time_ms)
{
    rig_write(w, "in", 0, "a", "x", time_ms);
}

static void test_finding_10_an_aborted_far_future_deletes_nothing(void **state)
{
    rig_world_t w;
    rig_t *r;

    (void)state;
    ahead_ms = 0;
    rig_world_open(&w, build, 1, EOS);
    rig_world_set(&w, "statestore.checkpoint.interval.ms", "100");
    rig_world_set(&w, "commit.interval.ms", "4000");
    r = rig_start(&w, 0);
    for (int i = 0; i < 3; i++)
        write_at(&w, 1000 + i * 50000);
    rig_settle(r);
    rig_steps(r, 100); /* on disk, clean */
    assert_int_equal(seen, 3);

    write_at(&w, 150000);
    rig_settle(r);           /* committed, for the next checkpoint */
    ahead_ms = 100000000000; /* three years */
    write_at(&w, 160000);
    rig_steps(r, 300); /* the transaction is open, a checkpoint goes by */
    assert_true(r->thread->transaction);
    assert_int_equal(seen, 1);
    leat__commit_abort(r->thread);
    ahead_ms = 0;
    rig_settle(r);
    assert_int_equal(seen, 5);

    rig_stop(r);
    r = rig_start(&w, 0);
    write_at(&w, 170000);
    rig_settle(r);
    assert_int_equal(seen, 6);
    assert_true(r->replayed <= 1); /* the disk has them, not the changelog */
    rig_stop(r);
    rig_world_close(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finding_10_an_aborted_far_future_deletes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
