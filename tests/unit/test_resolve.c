/*
 * From partition counts to tasks: repartition topics follow what feeds them, joined topics agree,
 * missing topics are all named, patterns find their topics. Method: plans filled by hand, counts
 * from a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "runtime/plan.h"

typedef struct count_t {
    const char *topic;
    int32_t partitions;
} count_t;

static int32_t lookup(void *user, const char *topic)
{
    for (const count_t *c = user; c->topic; c++) {
        if (strcmp(c->topic, topic) == 0)
            return c->partitions;
    }
    return 0;
}

static void source(leat__plan_t *p, const char *name, const char *topic)
{
    leat__plan_source(p, name, topic, leat_serde_string(), leat_serde_string(), NULL);
}

static void sink(leat__plan_t *p, const char *name, const char *parent, const char *topic)
{
    leat__plan_sink(
        p, name, &parent, 1, topic, NULL, leat_serde_string(), leat_serde_string(), NULL);
}

/* parent → repartition topic `name` → source "name-source" */
static void through(leat__plan_t *p, const char *parent, const char *name, int32_t partitions)
{
    char text[64];

    leat__plan_repartition_topic(p, name, partitions);
    snprintf(text, sizeof text, "%s-sink", name);
    sink(p, text, parent, name);
    snprintf(text, sizeof text, "%s-source", name);
    source(p, text, name);
}

static void pass(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

static void join(leat__plan_t *p, const char *a, const char *b)
{
    const char *both[] = {a, b};

    leat__plan_processor(p, "join", both, 2, pass, NULL);
    leat__plan_copartition(p, both, 2);
}

static int resolve(leat__plan_t *p, count_t *counts, leat_error_t *err)
{
    leat__plan_finish(p);
    assert_int_equal(p->error.code, LEAT_OK);
    return leat__plan_resolve(p, lookup, counts, err);
}

static int32_t internal(const leat__plan_t *p, const char *name)
{
    for (size_t i = 0; i < p->internal_topic_count; i++) {
        if (strcmp(p->internal_topics[i].name, name) == 0)
            return p->internal_topics[i].partitions;
    }
    return -1;
}

static void test_counts_follow_the_widest_topic_upstream(void **state)
{
    count_t counts[] = {{"a", 3}, {"b", 5}, {NULL, 0}};
    static const leat_store_opts_t opts = {.processors = "p"};
    static const char *const parents[] = {"s"}, *const last[] = {"two-source"};
    leat__plan_t *p = leat__plan_new(NULL);
    leat_error_t err;

    (void)state;
    source(p, "s", "a,b");
    leat__plan_processor(p, "q", parents, 1, pass, NULL);
    through(p, "q", "one", 0);
    through(p, "one-source", "two", 0);
    leat__plan_processor(p, "p", last, 1, pass, NULL);
    leat__plan_store(
        p, "st", LEAT_KV, leat_serde_string(), leat_serde_string(), &opts, NULL, false);
    assert_int_equal(resolve(p, counts, &err), LEAT_OK);
    assert_int_equal(internal(p, "app-one"), 5);
    assert_int_equal(internal(p, "app-two"), 5);
    assert_int_equal(internal(p, "app-st-changelog"), 5);
    assert_int_equal(p->group_count, 3);
    assert_int_equal(p->groups[0].task_count, 5);
    assert_int_equal(p->groups[0].partition_counts[0], 3);
    counts[1].partitions = 7; /* topics grow: resolved anew */
    assert_int_equal(leat__plan_resolve(p, lookup, counts, &err), LEAT_OK);
    assert_int_equal(internal(p, "app-two"), 7);
    leat__plan_free(p);
}

static void test_a_fixed_count_stays(void **state)
{
    count_t counts[] = {{"a", 3}, {NULL, 0}};
    leat__plan_t *p = leat__plan_new(NULL);
    leat_error_t err;

    (void)state;
    source(p, "s", "a");
    through(p, "s", "fixed", 2);
    through(p, "fixed-source", "next", 0);
    assert_int_equal(resolve(p, counts, &err), LEAT_OK);
    assert_int_equal(internal(p, "app-fixed"), 2);
    assert_int_equal(internal(p, "app-next"), 2);
    leat__plan_free(p);
}

static void test_a_loop_takes_what_it_knows(void **state)
{
    count_t counts[] = {{"a", 3}, {NULL, 0}};
    static const char *const parents[] = {"s", "loop-source"};
    leat__plan_t *p = leat__plan_new(NULL);
    leat_error_t err;

    (void)state;
    source(p, "s", "a");
    leat__plan_repartition_topic(p, "loop", 0);
    source(p, "loop-source", "loop");
    leat__plan_processor(p, "p", parents, 2, pass, NULL);
    sink(p, "back", "p", "loop");
    assert_int_equal(resolve(p, counts, &err), LEAT_OK);
    assert_int_equal(internal(p, "app-loop"), 3);
    leat__plan_free(p);
}

static void test_joined_topics_must_agree(void **state)
{
    count_t counts[] = {{"a", 3}, {"b", 4}, {NULL, 0}};
    leat__plan_t *p = leat__plan_new(NULL);
    leat_error_t err;

    (void)state;
    source(p, "sa", "a");
    source(p, "sb", "b");
    join(p, "sa", "sb");
    assert_int_equal(resolve(p, counts, &err), LEAT_ETOPOLOGY);
    assert_non_null(strstr(err.text, "a=3, b=4"));
    counts[1].partitions = 3;
    assert_int_equal(leat__plan_resolve(p, lookup, counts, &err), LEAT_OK);
    leat__plan_free(p);
}

static void test_a_repartition_topic_follows_what_it_is_joined_with(void **state)
{
    count_t counts[] = {{"a", 3}, {"b", 4}, {NULL, 0}};
    leat__plan_t *p = leat__plan_new(NULL);
    leat_error_t err;

    (void)state;
    source(p, "sa", "a");
    through(p, "sa", "r", 0);
    source(p, "sb", "b");
    join(p, "r-source", "sb");
    assert_int_equal(resolve(p, counts, &err), LEAT_OK);
    assert_int_equal(internal(p, "app-r"), 4);
    leat__plan_free(p);
    p = leat__plan_new(NULL);
    source(p, "sa", "a");
    through(p, "sa", "r", 2);
    source(p, "sb", "b");
    join(p, "r-source", "sb");
    assert_int_equal(resolve(p, counts, &err), LEAT_ETOPOLOGY);
    assert_non_null(strstr(err.text, "app-r=2, b=4"));
    leat__plan_free(p);
}

static void test_two_repartition_topics_take_the_larger_or_the_fixed_count(void **state)
{
    count_t counts[] = {{"a", 3}, {"b", 4}, {NULL, 0}};

    (void)state;
    for (int32_t fixed = 0; fixed < 3; fixed += 2) {
        leat__plan_t *p = leat__plan_new(NULL);
        leat_error_t err;

        source(p, "sa", "a");
        source(p, "sb", "b");
        through(p, "sa", "ra", fixed);
        through(p, "sb", "rb", 0);
        join(p, "ra-source", "rb-source");
        assert_int_equal(resolve(p, counts, &err), LEAT_OK);
        assert_int_equal(internal(p, "app-ra"), fixed ? fixed : 4);
        assert_int_equal(internal(p, "app-rb"), fixed ? fixed : 4);
        leat__plan_free(p);
    }
}

static void test_all_missing_topics_are_named(void **state)
{
    count_t counts[] = {{"b", 4}, {NULL, 0}};
    leat__plan_t *p = leat__plan_new(NULL);
    leat_error_t err;

    (void)state;
    source(p, "s", "a,b,c");
    through(p, "s", "r", 0);
    assert_int_equal(resolve(p, counts, &err), LEAT_ETOPIC);
    assert_non_null(strstr(err.text, "2 source topics are missing: a, c;"));
    leat__plan_free(p);
}

static void test_very_many_missing_topics_are_cut_short(void **state)
{
    count_t counts[] = {{NULL, 0}};
    leat__plan_t *p = leat__plan_new(NULL);
    leat_error_t err;
    char name[80];

    (void)state;
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "a-topic-with-a-rather-long-name-%d", i);
        source(p, name, name);
    }
    assert_int_equal(resolve(p, counts, &err), LEAT_ETOPIC);
    assert_non_null(
        strstr(err.text, "500 source topics are missing: a-topic-with-a-rather-long-name-0"));
    assert_non_null(strstr(err.text, " more; create them"));
    leat__plan_free(p);
}

static void test_bad_internal_topics_are_refused(void **state)
{
    count_t counts[] = {{"a", 3}, {NULL, 0}};
    leat__plan_t *p = leat__plan_new(NULL);
    leat_error_t err;

    (void)state;
    source(p, "s", "a");
    through(p, "s", "a b", 0);
    assert_int_equal(resolve(p, counts, &err), LEAT_ETOPIC);
    leat__plan_free(p);
    p = leat__plan_new(NULL);
    source(p, "s", "a");
    through(p, "s", "r", -1);
    assert_int_equal(resolve(p, counts, &err), LEAT_EARGUMENT);
    leat__plan_free(p);
    p = leat__plan_new(NULL);
    assert_int_equal(resolve(p, counts, &err), LEAT_ETOPOLOGY);
    leat__plan_free(p);
}

static void test_patterns_find_topics(void **state)
{
    static const char *const before[] = {"in-1", "other", "in-x", "app-r"};
    static const char *const after[] = {"in-1", "in-20", "out-1"};
    count_t counts[] = {{"in-1", 2}, {"in-20", 6}, {"out-1", 1}, {NULL, 0}};
    leat__plan_t *p = leat__plan_new(NULL);
    leat_error_t err;

    (void)state;
    source(p, "s", "^(in|app)-[0-9r]+");
    source(p, "t", "^out-.*");
    through(p, "s", "r", 0);
    leat__plan_finish(p);
    assert_int_equal(
        leat__plan_resolve(p, lookup, counts, &err), LEAT_ETOPIC); /* nothing feeds r */
    leat__plan_expand(p, before, 4);
    assert_int_equal(leat__plan_resolve(p, lookup, counts, &err), LEAT_OK);
    assert_int_equal(p->groups[0].topic_count, 1);
    assert_int_equal(p->groups[0].task_count, 2);
    assert_int_equal(p->groups[1].topic_count, 0);
    assert_int_equal(p->groups[1].task_count, 0);
    leat__plan_expand(p, after, 3);
    assert_int_equal(leat__plan_resolve(p, lookup, counts, &err), LEAT_OK);
    assert_int_equal(p->groups[0].topic_count, 2);
    assert_int_equal(p->groups[0].task_count, 6);
    assert_int_equal(internal(p, "app-r"), 6);
    assert_ptr_equal(leat__plan_source_of(p, "in-77"), leat__plan_find_node(p, "s"));
    leat__plan_free(p);
}

static void test_a_topic_of_two_patterns_is_refused(void **state)
{
    static const char *const topics[] = {"ab"};
    count_t counts[] = {{"ab", 2}, {NULL, 0}};
    leat__plan_t *p = leat__plan_new(NULL);
    leat_error_t err;

    (void)state;
    source(p, "s", "^a.*");
    source(p, "t", "^.*b");
    leat__plan_finish(p);
    leat__plan_expand(p, topics, 1);
    assert_int_equal(leat__plan_resolve(p, lookup, counts, &err), LEAT_ETOPOLOGY);
    assert_non_null(strstr(err.text, "'ab'"));
    leat__plan_expand(p, topics, 0);
    assert_int_equal(leat__plan_resolve(p, lookup, counts, &err), LEAT_OK);
    leat__plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_follow_the_widest_topic_upstream),
        cmocka_unit_test(test_a_fixed_count_stays),
        cmocka_unit_test(test_a_loop_takes_what_it_knows),
        cmocka_unit_test(test_joined_topics_must_agree),
        cmocka_unit_test(test_a_repartition_topic_follows_what_it_is_joined_with),
        cmocka_unit_test(test_two_repartition_topics_take_the_larger_or_the_fixed_count),
        cmocka_unit_test(test_all_missing_topics_are_named),
        cmocka_unit_test(test_very_many_missing_topics_are_cut_short),
        cmocka_unit_test(test_bad_internal_topics_are_refused),
        cmocka_unit_test(test_patterns_find_topics),
        cmocka_unit_test(test_a_topic_of_two_patterns_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
