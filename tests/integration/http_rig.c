/* tests/integration/http_rig.c: see http_rig.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"
#include "http_rig.h"

static void build(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *in = leat_builder_stream(b, "in", str, str, NULL);
    leat_grouped_t *same = leat_stream_group_by_key(in, NULL, NULL);

    leat_grouped_count(same, "counts", NULL);
    leat_grouped_count(same, "per-minute",
        &(leat_fold_opts_t){.window = leat_tumbling(LEAT_MINUTES(1), 0)});
    leat_grouped_count(same, "visits", &(leat_fold_opts_t){.window = leat_session(1000, 0)});
    leat_builder_table(b, "prices", str, str,
        &(leat_source_opts_t){.store = {.name = "prices", .history_ms = LEAT_HOURS(1)}});
}

void http_world_open(rig_world_t *w)
{
    rig_world_open_real(w, build, HTTP_PARTITIONS, "exactly_once_v2");
    rig_topic(w, "prices", HTTP_PARTITIONS, "compact");
}

void http_fill(rig_world_t *w)
{
    char key[16];

    for (int i = 0; i < HTTP_KEYS; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        rig_write(w, "in", leat__partition_of(leat_slice(key), HTTP_PARTITIONS), key, "x", 1000);
    }
    rig_write(w, "in", leat__partition_of(leat_slice("a/b c"), HTTP_PARTITIONS), "a/b c", "x", 2000);
    for (int minute = 1; minute < 6; minute++)
        rig_write(w, "in", leat__partition_of(leat_slice("k007"), HTTP_PARTITIONS), "k007", "x",
            minute * 60000 + 7);
    for (int price = 1; price < 4; price++)
        rig_write(w, "prices", leat__partition_of(leat_slice("apple"), HTTP_PARTITIONS), "apple",
            price == 1 ? "1" : price == 2 ? "2" : "3", price * 1000);
}

leat_app_t *http_new_app(rig_world_t *w)
{
    leat_config_t *config = leat_config_new();
    leat_app_t *app;

    for (size_t i = 0; i < w->setting_count; i++)
        leat_config_set(config, w->settings[i][0], w->settings[i][1]);
    leat_config_set(config, "state.dir", w->dir);
    app = leat_app_new(leat_topology_build(w->build, config), config, NULL);
    leat__app_use(app, leat__embedded_client(w->log, config));
    return app;
}

leat_app_t *http_start(rig_world_t *w)
{
    leat_app_t *app = http_new_app(w);
    leat_error_t err;

    if (leat_app_start(app, &err) || leat_app_wait(app, LEAT_STATE_RUNNING, 60000, &err))
        fail_msg("%s: %s", err.where, err.text);
    return app;
}

char *http_position(rig_world_t *w)
{
    leat__buf_t out = {0};

    for (int32_t p = 0; p < HTTP_PARTITIONS; p++)
        leat__buf_format(&out, "%sin-%d@%lld,prices-%d@%lld", p ? "," : "", (int)p,
            (long long)rig_offset(w, "in", p, LEAT__HIGH_WATERMARK), (int)p,
            (long long)rig_offset(w, "prices", p, LEAT__HIGH_WATERMARK));
    return leat__buf_finish(&out);
}
