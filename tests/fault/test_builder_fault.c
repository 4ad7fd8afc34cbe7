/*
 * Building, compiling, resolving and describing a topology with allocation 1, 2, 3 ... failing,
 * until all succeeds. Goal: each failure is reported (never success without all nodes, never a
 * crash), nothing leaks (run it with LEAT_SANITIZER=address), every destructor runs exactly once.
 * Both APIs, and a handle of another builder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <leat/table.h>
#include "base/mem.h"
#include "runtime/topology.h"

enum { TRIES_MAX = 20000 };

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

static bool yes(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)ctx;
    (void)in;
    return true;
}

static void fold(leat_ctx_t *ctx, const void *a, const void *b)
{
    (void)a;
    leat_emit_value(ctx, b);
}

static const leat_serde_t *str(void)
{
    return leat_serde_string();
}

/* Each scenario returns how many destructors it handed over. */
typedef int (*scenario_t)(leat_builder_t *b);

static int by_names(leat_builder_t *b)
{
    leat_builder_source(b, "a,b", "s", str(), str(), &(leat_source_opts_t){.user_free = count});
    leat_builder_source(b, "^x-.*", "x", str(), leat_serde_list(b, str()), NULL);
    leat_builder_processor(
        b, "s,x", "p", pass, &(leat_node_opts_t){.user_free = count, .stores = "st,other"});
    leat_builder_store(b, "st", LEAT_KV, str(), str(),
        &(leat_store_opts_t){.changelog_config = "min.insync.replicas=2"});
    leat_builder_store(b, "other", LEAT_TIMESTAMPED_KV, str(), str(), NULL);
    leat_builder_sink(b, "p", "out", "out", str(), str(), &(leat_sink_opts_t){.user_free = count});
    leat_builder_route(b, "p", "route", pass, str(), str(),
        &(leat_sink_opts_t){.user_free = count, .label = "by_name"});
    leat_builder_connect(b, "p", "st");
    leat_builder_adopt(b, b, count);
    return 5;
}

static int by_streams(leat_builder_t *b)
{
    leat_stream_t *in =
        leat_builder_stream(b, "in", str(), str(), &(leat_source_opts_t){.user_free = count});
    leat_stream_t *kept =
        leat_stream_filter(in, NULL, yes, &(leat_node_opts_t){.user_free = count});
    leat_stream_t *mapped = leat_stream_map(
        kept, "mapped", pass, str(), str(), &(leat_node_opts_t){.user_free = count});
    leat_grouped_t *grouped = leat_stream_group_by_key(mapped, NULL, NULL);
    leat_table_t *table = leat_grouped_aggregate(
        grouped, "folded", fold, str(), &(leat_fold_opts_t){.user_free = count});
    leat_stream_t *merged =
        leat_stream_merge(leat_table_to_stream(table, NULL, NULL), kept, NULL, NULL);

    leat_stream_to(merged, "out", &(leat_sink_opts_t){.user_free = count});
    leat_stream_route(merged, pass, &(leat_sink_opts_t){.user_free = count});
    return 6;
}

static int32_t four(void *user, const char *topic)
{
    (void)user;
    (void)topic;
    return 4;
}

/* 0: everything went through. */
static int use(leat_topology_t *t)
{
    static const char *const topics[] = {"x-1", "y"};
    leat__plan_t *plan;
    leat_error_t err;
    int rc = leat__topology_compile(t, NULL, &plan, &err);

    if (rc == LEAT_OK) {
        leat__plan_expand(plan, topics, 2);
        rc = leat__plan_resolve(plan, four, NULL, &err);
    }
    leat__plan_free(plan);
    for (int format = LEAT_FORMAT_TEXT; rc == LEAT_OK && format <= LEAT_FORMAT_DOT; format++) {
        if (!leat_topology_describe(t, NULL, (leat_format_t)format)[0])
            rc = LEAT_ENOMEM;
    }
    return rc;
}

static int run(scenario_t scenario, size_t failing, char *text, size_t size)
{
    leat_builder_t *b;
    leat_topology_t *t;
    int rc, expected;

    freed = 0;
    leat__fail_allocation(failing);
    b = leat_builder_new();
    expected = scenario(b);
    t = leat_builder_finish(b);
    rc = use(t);
    leat__fail_allocation(0);
    if (rc == LEAT_OK)
        snprintf(text, size, "%s", leat_topology_describe(t, NULL, LEAT_FORMAT_TEXT));
    leat_topology_free(t);
    if (freed != expected)
        fail_msg("allocation %zu failing: %d destructors ran, not %d", failing, freed, expected);
    return rc;
}

static void fail_each(scenario_t scenario)
{
    static char whole[8192], text[8192];
    size_t failing;
    int rc = run(scenario, 0, whole, sizeof whole);

    assert_int_equal(rc, LEAT_OK);
    for (failing = 1; failing < TRIES_MAX; failing++) {
        size_t before = leat__allocations();

        rc = run(scenario, failing, text, sizeof text);
        if (rc == LEAT_OK && leat__allocations() - before < failing)
            break; /* the failing one was never reached */
        if (rc == LEAT_OK)
            assert_string_equal(text, whole);
        else
            assert_int_equal(rc, LEAT_ENOMEM);
    }
    assert_true(failing > 20 && failing < TRIES_MAX);
}

static void test_processor_api(void **state)
{
    (void)state;
    fail_each(by_names);
}

static void test_streams(void **state)
{
    (void)state;
    fail_each(by_streams);
}

/*
 * A handle of another builder is a mistake of the program; a nil handle of another builder must not
 * pass silently.
 */
static void test_a_handle_of_another_builder_is_reported(void **state)
{
    (void)state;
    for (size_t failing = 0; failing < 40; failing++) {
        leat_builder_t *other, *b = leat_builder_new();
        leat_stream_t *mine = leat_builder_stream(b, "in", str(), str(), NULL), *theirs;
        leat_topology_t *t;

        leat__fail_allocation(failing);
        other = leat_builder_new();
        theirs = leat_builder_stream(other, "there", str(), str(), NULL);
        leat__fail_allocation(0);
        leat_stream_to(leat_stream_merge(mine, theirs, NULL, NULL), "out", NULL);
        t = leat_builder_finish(b);
        assert_int_not_equal(leat_topology_check(t, NULL, NULL), LEAT_OK);
        leat_topology_free(t);
        leat_builder_free(other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processor_api),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_a_handle_of_another_builder_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
