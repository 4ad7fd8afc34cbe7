/*
 * Goal: a member that the group gave up for another one with its identity (PROTOCOLS.md 14). Was it an outage's ghost, the process
 * joins again and nothing is counted twice; is it a live process, one of the two ends and says why.
 * Method: whole processes on the embedded log, under a clock of ours; the ghost is a join of which nobody knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "log_kit.h"
#include "process_rig.h"

#define EOS "exactly_once_v2"

enum { PARTITIONS = 2, KEYS = 3 };

static rig_record_t room[20000];
static int64_t written;

static void open_world(rig_world_t *w, procs_t *all)
{
    rig_world_open(w, rig_build_count, PARTITIONS, EOS);
    *all = (procs_t){.world = w};
    written = 0;
}

static void write_some(rig_world_t *w, int count)
{
    char key[8];

    for (int32_t p = 0; p < PARTITIONS; p++)
        for (int i = 0; i < count; i++) {
            snprintf(key, sizeof key, "%c%d", 'a' + p, i % KEYS);
            rig_write(w, "in", p, key, "x", 1000 + i);
        }
    written += count;
}

static void check_outputs(rig_world_t *w)
{
    size_t count = rig_read(w, "out", PARTITIONS, true, room, sizeof room / sizeof *room);
    int64_t last[PARTITIONS][KEYS] = {{0}};

    assert_int_equal(count, written * PARTITIONS);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(room[i].number, ++last[room[i].key[0] - 'a'][room[i].key[1] - '0']);
}

/* Joins with the process' identity and is never heard of again. */
static void join_as_ghost(procs_t *all, const char *identity)
{
    const leat__broker_vt_t *vt = all->world->outside->vt;
    const char *topics[] = {"in"};
    leat__member_opts_t o = {.group = RIG_APP,
        .instance_id = identity,
        .client_id = "ghost",
        .topics = topics,
        .topic_count = 1,
        .session_timeout_ms = 10000,
        .heartbeat_interval_ms = 3000};
    leat__member_event_t e = {0};
    leat_error_t err = {0};
    leat__member_t *ghost = vt->member_open(all->world->outside, &o, &err);

    assert_non_null(ghost);
    for (int i = 0; i < 100 && e.what != LEAT__MEMBER_ASSIGNED; i++) {
        vt->member_poll(ghost, &e);
        procs_step(all);
    }
    leat__membership_unref(e.membership);
    leat__op_free(vt->member_close(ghost, false));
}

static void test_a_ghost_is_replaced(void **state)
{
    rig_world_t w;
    procs_t all;
    proc_t *p;

    (void)state;
    open_world(&w, &all);
    p = proc_start(&all, "p", 1);
    procs_until(&all, 60000, proc_tasks(p, -1) == PARTITIONS);
    for (int round = 0; round < 2; round++) {
        write_some(&w, 5);
        procs_run(&all, 20); /* a transaction is open */
        catch_log(LEAT_LOG_WARN);
        join_as_ghost(&all, "p");
        procs_until(&all, 60000, proc_tasks(p, -1) == 0);
        write_some(&w, 5);
        procs_until(&all, 60000, procs_have_read(&all, written));
        assert_said("the group has another member with this one's identity (group.instance.id p)");
        assert_null(strstr(log_lines, "another live process"));
        let_log_be();
        assert_int_equal(p->failure.code, 0);
    }
    procs_end(&all);
    check_outputs(&w);
    rig_world_close(&w);
}

static bool one_failed(const proc_t *p, const proc_t *q)
{
    return (p->failure.code != 0) != (q->failure.code != 0);
}

/* own: each has its state directory and process id, and both were given one group.instance.id. */
static void two_live_ones(bool own)
{
    rig_world_t w;
    procs_t all;
    proc_t *p, *q;

    open_world(&w, &all);
    if (own)
        rig_world_set(&w, "group.instance.id", "same");
    p = proc_start(&all, "p", 1);
    procs_until(&all, 60000, proc_tasks(p, -1) == PARTITIONS);
    write_some(&w, 5);
    snprintf(w.dir + strlen(w.dir), 2, "2"); /* a copied directory */
    q = proc_start(&all, own ? "q" : "p", 1);
    w.dir[strlen(w.dir) - 1] = '\0';
    procs_until(&all, 120000, one_failed(p, q));
    q = p->failure.code ? p : q;
    assert_int_equal(q->failure.code, LEAT_EFENCED);
    assert_non_null(strstr(q->failure.text, "another live process has this one's identity"));
    procs_until(&all, 60000, q->over);
    proc_stop(&all, q);
    write_some(&w, 5);
    procs_until(&all, 60000, procs_have_read(&all, written));
    procs_end(&all);
    check_outputs(&w);
    rig_world_close(&w);
}

static void test_a_copied_state_directory_ends_one_of_two(void **state)
{
    (void)state;
    two_live_ones(false);
}

static void test_one_group_instance_id_for_two_ends_one_of_them(void **state)
{
    (void)state;
    two_live_ones(true);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_ghost_is_replaced),
        cmocka_unit_test(test_a_copied_state_directory_ends_one_of_two),
        cmocka_unit_test(test_one_group_instance_id_for_two_ends_one_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
