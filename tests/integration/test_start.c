/*
 * Starts that wait for a broker which is not there. Goal: a signal ends the wait at once and is no
 * error; without one, leat.start.timeout.ms ends it and is. Method: a port that nobody listens on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <pthread.h>
#include <signal.h>
#include <cmocka.h>

#include <leat/leat.h>

static leat_app_t *make_app(const char *timeout_ms)
{
    const leat_serde_t *str = leat_serde_string();
    leat_builder_t *b = leat_builder_new();
    leat_config_t *config = leat_config_new();
    char dir[] = "/tmp/leat-start-XXXXXX";

    assert_non_null(mkdtemp(dir));
    leat_stream_to(leat_builder_stream(b, "in", str, str, NULL), "out", NULL);
    leat_config_set(config, "application.id", "start");
    leat_config_set(config, "bootstrap.servers", "127.0.0.1:1");
    leat_config_set(config, "state.dir", dir);
    leat_config_set(config, "leat.start.timeout.ms", timeout_ms);
    return leat_app_new(leat_builder_finish(b), config, NULL);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *terminate_soon(void *user)
{
    (void)user;
    usleep(500000);
    kill(getpid(), SIGTERM);
    return NULL;
}

static void test_start_signal_ends_the_wait_without_an_error(void **state)
{
    leat_app_t *app = make_app("60000");
    double began = seconds();
    pthread_t helper;
    leat_error_t err;

    (void)state;
    assert_int_equal(pthread_create(&helper, NULL, terminate_soon, NULL), 0);
    assert_int_equal(leat_app_run_until_signal(app, &err), 0);
    assert_int_equal(err.code, 0);
    assert_true(seconds() - began < 20);
    pthread_join(helper, NULL);
    leat_app_free(app);
}

static void test_start_without_broker_fails_after_its_time(void **state)
{
    leat_app_t *app = make_app("500");
    leat_error_t err;

    (void)state;
    assert_int_not_equal(leat_app_run_until_signal(app, &err), 0);
    assert_int_equal(err.code, LEAT_EBROKER);
    leat_app_free(app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_signal_ends_the_wait_without_an_error),
        cmocka_unit_test(test_start_without_broker_fails_after_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
