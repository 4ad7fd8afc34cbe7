/* tests/integration/routing_rig.c: see routing_rig.h. */
#include "routing_rig.h"

#include <stdio.h>
#include <unistd.h>

#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

void routing_build(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *in = leat_builder_stream(b, "in", str, str, NULL);
    leat_grouped_t *same = leat_stream_group_by_key(in, NULL, NULL);

    leat_grouped_count(same, "counts", NULL);
    leat_grouped_count(same, "per-minute",
        &(leat_fold_opts_t){.window = leat_tumbling(LEAT_MINUTES(1), 0)});
    leat_grouped_count(same, "visits", &(leat_fold_opts_t){.window = leat_session(1000, 0)});
}

void routing_open(rig_world_t *w)
{
    rig_world_open_real(w, routing_build, ROUTING_PARTITIONS, "exactly_once_v2");
}

leat_app_t *routing_start(rig_world_t *w, int number, const char *const *settings)
{
    leat_config_t *config = leat_config_new();
    leat_error_t err;
    char dir[100];
    leat_app_t *app;

    for (size_t k = 0; k < w->setting_count; k++)
        leat_config_set(config, w->settings[k][0], w->settings[k][1]);
    for (; *settings; settings += 2)
        leat_config_set(config, settings[0], settings[1]);
    snprintf(dir, sizeof dir, "%s/%d", w->dir, number);
    leat_config_set(config, "state.dir", dir);
    app = leat_app_new(leat_topology_build(w->build, config), config, NULL);
    leat__app_use(app, leat__embedded_client(w->log, config));
    if (leat_app_start(app, &err))
        fail_msg("%s: %s", err.where, err.text);
    return app;
}

const char *routing_key(int i, char room[16])
{
    snprintf(room, 16, "k%04d", i);
    return room;
}

void routing_write(rig_world_t *w)
{
    char room[16];

    for (int i = 0; i < ROUTING_KEYS; i++) {
        const char *key = routing_key(i, room);
        int32_t home = leat__partition_of(leat_slice(key), ROUTING_PARTITIONS);

        rig_write(w, "in", home, key, "x", 1000);
        if (i % 3 == 0)
            rig_write(w, "in", home, key, "x", 1500);
    }
}

void routing_await(bool (*done)(void *user), void *user, const char *what)
{
    for (int ms = 0; !done(user); ms += 10) {
        if (ms > ROUTING_PATIENCE_MS)
            fail_msg("not in %d ms: %s", (int)ROUTING_PATIENCE_MS, what);
        usleep(10000);
    }
}
