/*
 * The builder's promises: never NULL, first error kept, everything adopted is freed exactly once,
 * also after errors and on the nil builder; settings, the DSL's slot. Method: counting destructors,
 * and allocations that fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "runtime/plan.h"

static int freed;

static void count(void *user)
{
    (void)user;
    freed++;
}

static void pass(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

static const leat_serde_t *str(void)
{
    return leat_serde_string();
}

/* Every call that adopts, with a destructor each. Returns how many. */
static int everything(leat_builder_t *b)
{
    leat_builder_source(b, "in", "s", str(), str(), &(leat_source_opts_t){.user_free = count});
    leat_builder_processor(
        b, "s", "p", pass, &(leat_node_opts_t){.user_free = count, .stores = "st"});
    leat_builder_sink(b, "p", "out", "out", str(), str(), &(leat_sink_opts_t){.user_free = count});
    leat_builder_route(
        b, "p", "route", pass, str(), str(), &(leat_sink_opts_t){.user_free = count});
    leat_builder_store(b, "st", LEAT_KV, str(), str(), NULL);
    leat_builder_adopt(b, &freed, count);
    return 5;
}

static void test_all_is_freed_once_with_the_topology(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_topology_t *t;
    int expected = everything(b);

    (void)state;
    freed = 0;
    t = leat_builder_finish(b);
    assert_int_equal(leat_topology_check(t, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_topology_check(t, NULL, NULL), LEAT_OK);
    assert_int_equal(freed, 0);
    leat_topology_free(t);
    assert_int_equal(freed, expected);
}

static void test_all_is_freed_once_when_given_up(void **state)
{
    leat_builder_t *b = leat_builder_new();
    int expected = everything(b);

    (void)state;
    freed = 0;
    leat_builder_free(b);
    assert_int_equal(freed, expected);
}

static void test_all_is_freed_once_after_an_error(void **state)
{
    leat_builder_t *b = leat_builder_new();
    int expected;

    (void)state;
    freed = 0;
    leat_builder_fail(b, LEAT_EUSER, "no %s today", "luck");
    expected = everything(b);
    leat_topology_free(leat_builder_finish(b));
    assert_int_equal(freed, expected);
}

static void test_wrong_calls_adopt_too(void **state)
{
    leat_builder_t *b = leat_builder_new();

    (void)state;
    freed = 0;
    leat_builder_source(b, NULL, NULL, NULL, NULL, &(leat_source_opts_t){.user_free = count});
    leat_builder_processor(b, NULL, NULL, NULL, &(leat_node_opts_t){.user_free = count});
    leat_builder_sink(b, NULL, NULL, NULL, NULL, NULL, &(leat_sink_opts_t){.user_free = count});
    leat_builder_route(b, NULL, NULL, NULL, NULL, NULL, &(leat_sink_opts_t){.user_free = count});
    leat_topology_free(leat_builder_finish(b));
    assert_int_equal(freed, 4);
}

static void test_the_nil_builder_absorbs_and_adopts(void **state)
{
    leat_builder_t *b;
    leat_topology_t *t;
    leat_error_t err;
    int expected;

    (void)state;
    leat__fail_allocation(1);
    b = leat_builder_new();
    leat__fail_allocation(0);
    assert_non_null(b);
    assert_true(leat__builder_is_nil(b));
    freed = 0;
    expected = everything(b);
    assert_int_equal(freed, expected);
    assert_string_equal(leat_builder_setting(b, "program.x"), "");
    assert_non_null(leat_serde_windowed(b, str(), 5));
    leat_builder_fail(b, LEAT_EUSER, "absorbed");
    t = leat_builder_finish(b);
    assert_int_equal(leat_topology_check(t, NULL, &err), LEAT_ENOMEM);
    assert_string_equal(leat_topology_describe(t, NULL, LEAT_FORMAT_TEXT), "");
    leat_topology_free(t);
    leat_topology_free(t); /* static: nothing happens */
}

static void test_the_first_error_is_kept_and_others_counted(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_topology_t *t;
    leat_error_t err;

    (void)state;
    leat_builder_source(b, "in", "first", str(), NULL, NULL);
    leat_builder_source(b, "in", "second", NULL, str(), NULL);
    leat_builder_fail(b, LEAT_EUSER, "third");
    t = leat_builder_finish(b);
    assert_int_equal(leat_topology_check(t, NULL, &err), LEAT_ENULL);
    assert_string_equal(err.where, "first");
    assert_int_equal(err.others, 2);
    assert_string_equal(leat_topology_describe(t, NULL, LEAT_FORMAT_TEXT), "");
    leat_topology_free(t);
}

static const char *seen;

static void read_setting(leat_builder_t *b)
{
    seen = leat_builder_setting(b, "program.words");
    seen = strcmp(seen, "many") == 0 ? "many" : "other";
    assert_string_equal(leat_builder_setting(b, "program.unset"), "");
    everything(b);
}

static void test_settings_come_from_the_config_of_build(void **state)
{
    leat_config_t *config = leat_config_new();
    leat_topology_t *t;

    (void)state;
    leat_config_set(config, "program.words", "many");
    t = leat_topology_build(read_setting, config);
    assert_string_equal(seen, "many");
    leat_config_free(config);
    assert_int_equal(leat_topology_check(t, NULL, NULL), LEAT_OK);
    leat_topology_free(t);
    t = leat_topology_build(NULL, NULL);
    assert_int_equal(leat_topology_check(t, NULL, NULL), LEAT_ENULL);
    leat_topology_free(t);
}

static void test_made_serdes_belong_to_the_topology(void **state)
{
    leat_builder_t *b = leat_builder_new();
    const leat_serde_t *windowed = leat_serde_windowed(b, str(), 10);

    (void)state;
    assert_true(windowed != leat_serde_bytes());
    assert_true(leat_serde_session_windowed(b, str()) != leat_serde_bytes());
    assert_true(leat_serde_list(b, str()) != leat_serde_bytes());
    assert_false(leat__builder_failed(b));
    assert_ptr_equal(leat_serde_windowed(b, str(), 0), leat_serde_bytes());
    assert_true(leat__builder_failed(b));
    assert_ptr_equal(leat_serde_list(b, NULL), leat_serde_bytes());
    leat_builder_free(b);
}

/* ---- the DSL's slot ---- */

static int compiled;

static void *make(leat_builder_t *b)
{
    return leat__builder_alloc(b, 8);
}

static void compile(void *dsl, leat__plan_t *plan, const leat_config_t *config)
{
    (void)dsl;
    (void)config;
    compiled++;
    assert_int_equal(plan->node_count, 0); /* before the Processor API's calls */
    leat__plan_source(plan, "dsl", "dsl-topic", str(), str(), NULL);
}

static const leat__dsl_hooks_t hooks = {compile, count};

static void test_the_dsl_comes_first_and_is_freed_once(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_topology_t *t;
    void *slot = leat__builder_dsl(b, make, &hooks);

    (void)state;
    freed = compiled = 0;
    assert_non_null(slot);
    assert_ptr_equal(leat__builder_dsl(b, make, &hooks), slot);
    leat_builder_processor(b, "dsl", "p", pass, NULL);
    t = leat_builder_finish(b);
    assert_non_null(strstr(leat_topology_describe(t, NULL, LEAT_FORMAT_TEXT), "Source: dsl "));
    assert_int_equal(compiled, 1);
    leat_topology_free(t);
    assert_int_equal(freed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_freed_once_with_the_topology),
        cmocka_unit_test(test_all_is_freed_once_when_given_up),
        cmocka_unit_test(test_all_is_freed_once_after_an_error),
        cmocka_unit_test(test_wrong_calls_adopt_too),
        cmocka_unit_test(test_the_nil_builder_absorbs_and_adopts),
        cmocka_unit_test(test_the_first_error_is_kept_and_others_counted),
        cmocka_unit_test(test_settings_come_from_the_config_of_build),
        cmocka_unit_test(test_made_serdes_belong_to_the_topology),
        cmocka_unit_test(test_the_dsl_comes_first_and_is_freed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
