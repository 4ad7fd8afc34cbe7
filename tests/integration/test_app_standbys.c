/*
 * Several apps with threads of their own on one embedded log: standbys follow, one app after the
 * other is stopped and started again while records flow, tasks change hands, and every count is
 * right in the end. Method: real threads and the real clock, for ThreadSanitizer too; what must
 * come true is waited for. The finer points are tried under a clock that the test moves, in
 * test_process_standbys.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/app.h"
#include "thread_rig.h"

enum { APPS = 3, PARTITIONS = 6, KEYS = 4, ROOM = 20000, PATIENCE_MS = 60000 };

static rig_record_t room[ROOM];
static int64_t written; /* of each key */

static leat_app_t *start(rig_world_t *w, int i, const char *restart_ms)
{
    leat_config_t *config = leat_config_new();
    leat_error_t err;
    char dir[100];
    leat_app_t *app;

    for (size_t k = 0; k < w->setting_count; k++)
        leat_config_set(config, w->settings[k][0], w->settings[k][1]);
    snprintf(dir, sizeof dir, "%s/%d", w->dir, i);
    leat_config_set(config, "state.dir", dir);
    leat_config_set(config, "num.stream.threads", "2");
    leat_config_set(config, "num.standby.replicas", "1");
    leat_config_set(config, "leat.restart.delay.ms", restart_ms);
    app = leat_app_new(leat_topology_build(w->build, config), config, NULL);
    leat__app_use(app, leat__embedded_client(w->log, config));
    if (leat_app_start(app, &err))
        fail_msg("%s: %s", err.where, err.text);
    return app;
}

static void write_each(rig_world_t *w, int count)
{
    char key[8];

    for (int i = 0; i < count; i++, written++)
        for (int32_t p = 0; p < PARTITIONS; p++)
            for (int k = 0; k < KEYS; k++) {
                snprintf(key, sizeof key, "%c%d", 'a' + p, k);
                rig_write(w, "in", p, key, "x", 1000 + i);
            }
}

/* Every key has been counted up to what was written, by steps of one. */
static bool counted(rig_world_t *w)
{
    size_t count = rig_read(w, "out", PARTITIONS, true, room, ROOM);
    int64_t last[PARTITIONS][KEYS] = {{0}};

    for (size_t i = 0; i < count; i++) {
        int64_t *l = &last[room[i].key[0] - 'a'][room[i].key[1] - '0'];

        if (room[i].number != *l + 1)
            fail_msg(
                "key %s: %lld after %lld", room[i].key, (long long)room[i].number, (long long)*l);
        *l = room[i].number;
    }
    for (int p = 0; p < PARTITIONS; p++)
        for (int k = 0; k < KEYS; k++)
            if (last[p][k] != written)
                return false;
    return true;
}

static double sum_of(leat_app_t **apps, const char *metric)
{
    double sum = 0;

    for (int i = 0; i < APPS; i++)
        sum += apps[i] == NULL ? 0 : leat_app_metric(apps[i], metric);
    return sum;
}

static void await(rig_world_t *w, leat_app_t **apps, double tasks, double standbys)
{
    int ms = 0;

    while (!(sum_of(apps, "tasks") == tasks && sum_of(apps, "restoring-tasks") == 0 &&
             sum_of(apps, "standby-updating-tasks") == standbys && counted(w))) {
        usleep(50000);
        if ((ms += 50) > PATIENCE_MS)
            fail_msg("%.0f tasks, %.0f restoring, %.0f standbys, counted %d", sum_of(apps, "tasks"),
                sum_of(apps, "restoring-tasks"), sum_of(apps, "standby-updating-tasks"),
                counted(w));
    }
}

static void restart_each(const char *restart_ms, bool others_take_over)
{
    leat_app_t *apps[APPS];
    rig_world_t w;

    rig_world_open_real(&w, rig_build_count, PARTITIONS, "exactly_once_v2");
    written = 0;
    for (int i = 0; i < APPS; i++)
        apps[i] = start(&w, i, restart_ms);
    write_each(&w, 10);
    await(&w, apps, PARTITIONS, PARTITIONS);
    for (int i = 0; i < APPS; i++) {
        leat_app_free(apps[i]);
        apps[i] = NULL;
        write_each(&w, 5);
        if (others_take_over)
            await(&w, apps, PARTITIONS, PARTITIONS);
        apps[i] = start(&w, i, restart_ms);
        await(&w, apps, PARTITIONS, PARTITIONS);
        write_each(&w, 5);
    }
    await(&w, apps, PARTITIONS, PARTITIONS);
    for (int i = 0; i < APPS; i++)
        leat_app_free(apps[i]);
    rig_world_close(&w);
}

static void test_others_take_over_from_who_stops(void **state)
{
    (void)state;
    restart_each("0", true);
}

static void test_tasks_wait_for_who_restarts(void **state)
{
    (void)state;
    restart_each("60000", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others_take_over_from_who_stops),
        cmocka_unit_test(test_tasks_wait_for_who_restarts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
