/*
 * What an app finds of its topics when it starts: missing ones, internal ones with other partitions or settings than needed.
 * Method: topics made by the test on the embedded log before the start; errors and log lines are read as a user reads them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "runtime/app.h"
#include "thread_rig.h"

static char said[8192];

static pthread_mutex_t saying = PTHREAD_MUTEX_INITIALIZER;

static void on_log(
    void *user, leat_level_t level, const char *area, const char *text, const char *fields)
{
    (void)user, (void)level, (void)area, (void)fields;
    pthread_mutex_lock(&saying);
    size_t used = strlen(said);
    snprintf(said + used, sizeof said - used, "%s\n", text);
    pthread_mutex_unlock(&saying);
}

static leat_app_t *make(rig_world_t *w, leat_build_fn build)
{
    leat_config_t *config = leat_config_new();
    leat_app_t *app;

    for (size_t i = 0; i < w->setting_count; i++)
        leat_config_set(config, w->settings[i][0], w->settings[i][1]);
    leat_config_set(config, "state.dir", w->dir);
    app = leat_app_new(leat_topology_build(build, config), config, NULL);
    leat__app_use(app, leat__embedded_client(w->log, config));
    said[0] = '\0';
    leat_log_to(on_log, NULL, LEAT_LOG_WARN);
    return app;
}

static void close_world(rig_world_t *w, leat_app_t *app)
{
    leat_app_free(app);
    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
    rig_world_close(w);
}

static void build_missing(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_builder_source(b, "nowhere", "source", str, str, NULL);
    leat_builder_sink(b, "source", "sink", "out", str, str, NULL);
}

static void test_a_missing_source_topic_is_named(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    leat_error_t err;

    (void)state;
    rig_world_open_real(&w, build_missing, 2, "at_least_once");
    app = make(&w, build_missing);
    assert_int_equal(leat_app_start(app, &err), LEAT_ETOPIC);
    assert_true(strstr(err.where, "nowhere") || strstr(err.text, "nowhere"));
    close_world(&w, app);
}

static void test_other_partitions_of_a_changelog_are_refused(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    leat_error_t err;

    (void)state;
    rig_world_open_real(&w, rig_build_count, 2, "at_least_once");
    rig_topic(&w, "app-counts-changelog", 3, "compact");
    app = make(&w, rig_build_count);
    assert_int_equal(leat_app_start(app, &err), LEAT_ETOPIC);
    assert_string_equal(err.where, "app-counts-changelog");
    assert_non_null(strstr(err.text, "has 3 partitions, but the topology needs 2"));
    close_world(&w, app);
}

static void test_a_changelog_that_loses_state_is_warned_of(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    leat_error_t err;

    (void)state;
    rig_world_open_real(&w, rig_build_count, 2, "at_least_once");
    rig_topic(&w, "app-counts-changelog", 2, "delete");
    app = make(&w, rig_build_count);
    assert_int_equal(leat_app_start(app, &err), 0);
    assert_non_null(strstr(said, "topic app-counts-changelog has cleanup.policy=delete, wanted is compact"));
    assert_non_null(strstr(said, "kafka-configs --alter --topic app-counts-changelog"));
    close_world(&w, app);
}

static void test_topics_as_they_should_be_are_passed_in_silence(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    leat_error_t err;

    (void)state;
    rig_world_open_real(&w, rig_build_count, 2, "at_least_once");
    for (int i = 0; i < 2; i++) { /* made by the first, found by the second */
        app = make(&w, rig_build_count);
        assert_int_equal(leat_app_start(app, &err), 0);
        assert_null(strstr(said, "wanted is"));
        if (i == 0)
            leat_app_free(app);
    }
    close_world(&w, app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_missing_source_topic_is_named),
        cmocka_unit_test(test_other_partitions_of_a_changelog_are_refused),
        cmocka_unit_test(test_a_changelog_that_loses_state_is_warned_of),
        cmocka_unit_test(test_topics_as_they_should_be_are_passed_in_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
