/*
 * Rules of a topology: what may be added, in which order, what is refused and how; sub-topologies,
 * stores and internal topics of what is accepted. Method: small topologies by the Processor API and
 * by the plan's own calls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "runtime/plan.h"

static void pass(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

static const leat_serde_t *str(void)
{
    return leat_serde_string();
}

static void base(leat_builder_t *b)
{
    leat_builder_source(b, "in", "source", str(), str(), NULL);
    leat_builder_processor(b, "source", "proc", pass, NULL);
}

/* Finish, compile, free: the code; the error's text must hold `part`. */
static int check(leat_builder_t *b, const char *part)
{
    leat_topology_t *t = leat_builder_finish(b);
    leat_error_t err;
    int rc = leat_topology_check(t, NULL, &err);

    leat_topology_free(t);
    assert_int_equal(rc, err.code);
    if (rc != LEAT_OK && !strstr(err.text, part))
        fail_msg("'%s' is not in: %s: %s", part, err.where, err.text);
    return rc;
}

static leat__plan_t *compile(leat_builder_t *b, const leat_config_t *config, leat_topology_t **t)
{
    leat__plan_t *plan;
    leat_error_t err;

    *t = leat_builder_finish(b);
    if (leat__topology_compile(*t, config, &plan, &err) != LEAT_OK)
        fail_msg("%s: %s", err.where, err.text);
    return plan;
}

static void test_name_rules(void **state)
{
    char name[300];

    (void)state;
    memset(name, 'x', sizeof name);
    name[249] = '\0';
    assert_true(leat__name_legal(name));
    name[249] = 'x';
    name[250] = '\0';
    assert_false(leat__name_legal(name));
    assert_true(leat__name_legal("A-z_0.9"));
    assert_false(leat__name_legal(""));
    assert_false(leat__name_legal("."));
    assert_false(leat__name_legal(".."));
    assert_false(leat__name_legal("a b"));
    assert_false(leat__name_legal("a/b"));
    assert_false(leat__name_legal("\xc3\xa4"));
    assert_false(leat__name_legal(NULL));
}

static void test_names_that_clash_are_refused(void **state)
{
    leat_builder_t *b = leat_builder_new();

    (void)state;
    base(b);
    leat_builder_processor(b, "source", "proc", pass, NULL);
    assert_int_equal(check(b, "already"), LEAT_ETOPOLOGY);
    b = leat_builder_new();
    base(b);
    leat_builder_store(b, "st", LEAT_KV, str(), str(), NULL);
    leat_builder_store(b, "st", LEAT_KV, str(), str(), NULL);
    assert_int_equal(check(b, "another store 'st'"), LEAT_ETOPOLOGY);
    b = leat_builder_new();
    base(b);
    leat_builder_sink(b, "proc", "a,b", "out", str(), str(), NULL);
    assert_int_equal(check(b, "comma"), LEAT_ETOPOLOGY);
}

static void test_parents_must_stand_before(void **state)
{
    static const struct {
        const char *parents, *text;
    } cases[] = {
        {"", "no parent"},
        {"nobody", "unknown"},
        {"node", "its own parent"},
        {"late", "only later"},
        {"sink", "no children"},
        {"source,,proc", "without a name"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_builder_t *b = leat_builder_new();

        base(b);
        leat_builder_sink(b, "proc", "sink", "out", str(), str(), NULL);
        leat_builder_processor(b, cases[i].parents, "node", pass, NULL);
        leat_builder_processor(b, "node", "late", pass, NULL);
        assert_int_equal(check(b, cases[i].text), LEAT_ETOPOLOGY);
    }
}

static void test_topics_are_read_once(void **state)
{
    static const struct {
        const char *first, *second;
        int code;
        const char *text;
    } cases[] = {
        {"in", "in", LEAT_ETOPOLOGY, "already read"},
        {"a,b", "b,c", LEAT_ETOPOLOGY, "already read"},
        {"a,a", "c", LEAT_ETOPOLOGY, "already read"},
        {"in", "^i.", LEAT_ETOPOLOGY, "pattern"},
        {"^i.", "in", LEAT_ETOPOLOGY, "pattern"},
        {"", "in", LEAT_ETOPOLOGY, "no topic"},
        {"a,,b", "in", LEAT_ETOPOLOGY, "without a name"},
        {"^(", "in", LEAT_EARGUMENT, "regular expression"},
        {"in", "^in.", LEAT_OK, ""},
        {"in1", "^in-\\d+", LEAT_OK, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_builder_t *b = leat_builder_new();

        leat_builder_source(b, cases[i].first, "one", str(), str(), NULL);
        leat_builder_source(b, cases[i].second, "two", str(), str(), NULL);
        assert_int_equal(check(b, cases[i].text), cases[i].code);
    }
}

static void test_missing_arguments_are_named(void **state)
{
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_source(b, "in", NULL, str(), str(), NULL);
    assert_int_equal(check(b, "name"), LEAT_ENULL);
    b = leat_builder_new();
    leat_builder_source(b, "in", "s", str(), NULL, NULL);
    assert_int_equal(check(b, "value"), LEAT_ENULL);
    b = leat_builder_new();
    leat_builder_processor(b, "s", "p", NULL, NULL);
    assert_int_equal(check(b, "function"), LEAT_ENULL);
    b = leat_builder_new();
    leat_builder_sink(b, "s", "p", NULL, str(), str(), NULL);
    assert_int_equal(check(b, "topic"), LEAT_ENULL);
    b = leat_builder_new();
    leat_builder_store(b, "s", LEAT_KV, NULL, str(), NULL);
    assert_int_equal(check(b, "key"), LEAT_ENULL);
}

static void test_stores_are_connected_to_processors_only(void **state)
{
    static const struct {
        const char *processor, *store, *text;
    } cases[] = {
        {"proc", "nothing", "not added yet"},
        {"nobody", "st", "not added yet"},
        {"source", "st", "only processors"},
        {"sink", "st", "only processors"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_builder_t *b = leat_builder_new();

        base(b);
        leat_builder_sink(b, "proc", "sink", "out", str(), str(), NULL);
        leat_builder_store(b, "st", LEAT_KV, str(), str(), NULL);
        leat_builder_connect(b, cases[i].processor, cases[i].store);
        assert_int_equal(check(b, cases[i].text), LEAT_ETOPOLOGY);
    }
}

static void test_what_connects_comes_last(void **state)
{
    static const leat_store_opts_t opts = {.processors = "proc"};
    leat_builder_t *b = leat_builder_new();

    (void)state;
    leat_builder_store(b, "st", LEAT_KV, str(), str(), &opts);
    base(b);
    assert_int_equal(check(b, "not added yet"), LEAT_ETOPOLOGY);
    b = leat_builder_new();
    base(b);
    leat_builder_connect(b, "proc", "st");
    leat_builder_store(b, "st", LEAT_KV, str(), str(), NULL);
    assert_int_equal(check(b, "not added yet"), LEAT_ETOPOLOGY);
    b = leat_builder_new();
    base(b);
    leat_builder_processor(b, "proc", "late", pass, &(leat_node_opts_t){.stores = "st"});
    leat_builder_store(b, "st", LEAT_KV, str(), str(), NULL);
    assert_int_equal(check(b, ""), LEAT_OK);
    b = leat_builder_new();
    base(b);
    leat_builder_processor(b, "proc", "p", pass, &(leat_node_opts_t){.stores = "nothing"});
    assert_int_equal(check(b, "nobody added"), LEAT_ETOPOLOGY);
}

static void test_store_options_are_checked(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_store_opts_t uninitialised = {.reserved = {&b}};

    (void)state;
    leat_builder_store(
        b, "st", LEAT_KV, str(), str(), &(leat_store_opts_t){.backend = leat_backend_lru()});
    assert_int_equal(check(b, "entries_max"), LEAT_EARGUMENT);
    b = leat_builder_new();
    leat_builder_store(b, "st", LEAT_KV, str(), str(), &uninitialised);
    assert_int_equal(check(b, "reserved"), LEAT_EARGUMENT);
    b = leat_builder_new();
    base(b);
    leat_builder_store(b, "st", LEAT_KV, str(), str(),
        &(leat_store_opts_t){.processors = "proc", .changelog_config = "retention.ms"});
    assert_int_equal(check(b, "retention.ms"), LEAT_EARGUMENT);
}

static void test_nodes_that_share_a_store_are_one_sub_topology(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_topology_t *t;
    leat__plan_t *plan;

    (void)state;
    leat_builder_source(b, "a", "sa", str(), str(), NULL);
    leat_builder_source(b, "b", "sb", str(), str(), NULL);
    leat_builder_source(b, "c", "sc", str(), str(), NULL);
    leat_builder_processor(b, "sc", "pc", pass, &(leat_node_opts_t){.stores = "st, other"});
    leat_builder_processor(b, "sa", "pa", pass, &(leat_node_opts_t){.stores = "st"});
    leat_builder_processor(b, "sb", "pb", pass, NULL);
    leat_builder_store(b, "st", LEAT_KV, str(), str(), NULL);
    leat_builder_store(
        b, "other", LEAT_KV, str(), str(), &(leat_store_opts_t){.changelog = LEAT_OFF});
    leat_builder_store(b, "unused", LEAT_KV, str(), str(), NULL);
    plan = compile(b, NULL, &t);
    assert_int_equal(plan->group_count, 2);
    assert_int_equal(leat__plan_find_node(plan, "pa")->group, 0);
    assert_int_equal(leat__plan_find_node(plan, "pc")->group, 0);
    assert_int_equal(leat__plan_find_node(plan, "pb")->group, 1);
    assert_int_equal(plan->groups[0].topic_count, 2);
    assert_string_equal(plan->groups[0].topics[1], "c");
    assert_int_equal(plan->groups[0].store_count, 2);
    assert_int_equal(leat__plan_find_store(plan, "st")->group, 0);
    assert_int_equal(leat__plan_find_store(plan, "unused")->group, -1);
    assert_int_equal(plan->internal_topic_count, 1);
    assert_string_equal(plan->internal_topics[0].name, "app-st-changelog");
    leat__plan_free(plan);
    leat_topology_free(t);
}

static const char *setting(const leat__internal_topic_t *topic, const char *key)
{
    for (size_t i = 0; i < topic->setting_count; i++) {
        if (strcmp(topic->settings[i].key, key) == 0)
            return topic->settings[i].value;
    }
    return "";
}

static void test_settings_of_internal_topics_come_in_layers(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_config_t *config = leat_config_new();
    leat_topology_t *t;
    leat__plan_t *plan;
    const leat__internal_topic_t *topic;

    (void)state;
    leat_config_set(config, "application.id", "shop");
    leat_config_set(config, "topic.min.insync.replicas", "2");
    leat_config_set(config, "topic.max.message.bytes", "5");
    base(b);
    leat_builder_store(b, "st", LEAT_KV, str(), str(),
        &(leat_store_opts_t){.processors = "proc",
            .changelog_config = " min.insync.replicas = 3; cleanup.policy=compact,delete ; "});
    plan = compile(b, config, &t);
    assert_int_equal(plan->internal_topic_count, 1);
    topic = &plan->internal_topics[0];
    assert_string_equal(topic->name, "shop-st-changelog");
    assert_string_equal(setting(topic, "cleanup.policy"), "compact,delete");
    assert_string_equal(setting(topic, "message.timestamp.type"), "CreateTime");
    assert_string_equal(setting(topic, "min.insync.replicas"), "3");
    assert_string_equal(setting(topic, "max.message.bytes"), "5");
    assert_ptr_equal(leat__plan_find_store(plan, "st")->settings, topic->settings);
    leat__plan_free(plan);
    leat_topology_free(t);
    leat_config_free(config);
}

static void test_a_store_is_one_when_given_again_the_same(void **state)
{
    static const leat_store_opts_t opts = {0}, other = {0};
    leat__plan_t *p = leat__plan_new(NULL);
    leat__store_spec_t *s;

    (void)state;
    s = leat__plan_store(p, "st", LEAT_KV, str(), str(), &opts, NULL, true);
    assert_non_null(s);
    assert_true(s->cached);
    assert_ptr_equal(leat__plan_store(p, "st", LEAT_KV, str(), str(), &opts, NULL, true), s);
    assert_null(leat__plan_store(p, "st", LEAT_KV, str(), str(), &other, NULL, true));
    assert_int_equal(p->error.code, LEAT_ETOPOLOGY);
    assert_null(leat__plan_source(p, "s", "in", str(), str(), NULL)); /* sticky */
    leat__plan_free(p);
}

static void test_a_cache_of_no_bytes_turns_caching_off(void **state)
{
    static const leat_store_opts_t opts = {.cache = LEAT_ON};
    leat_config_t *config = leat_config_new();
    leat__plan_t *p;

    (void)state;
    leat_config_set(config, "statestore.cache.max.bytes", "0");
    p = leat__plan_new(config);
    assert_false(leat__plan_store(p, "st", LEAT_KV, str(), str(), &opts, NULL, true)->cached);
    leat__plan_free(p);
    leat_config_free(config);
}

static void test_repartition_nodes_are_internal(void **state)
{
    static const char *const parents[] = {"s"};
    leat__plan_t *p = leat__plan_new(NULL);

    (void)state;
    leat__plan_source(p, "s", "in", str(), str(), NULL);
    leat__plan_repartition_topic(p, "k-repartition", 0);
    leat__plan_sink(p, "k-sink", parents, 1, "k-repartition", NULL, str(), str(), NULL);
    leat__plan_source(p, "k-source", "k-repartition", str(), str(), NULL);
    leat__plan_finish(p);
    assert_int_equal(p->error.code, LEAT_OK);
    assert_true(leat__plan_find_node(p, "k-sink")->internal);
    assert_true(leat__plan_find_node(p, "k-source")->internal);
    assert_false(leat__plan_find_node(p, "s")->internal);
    assert_string_equal(p->groups[1].topics[0], "app-k-repartition");
    assert_string_equal(setting(&p->internal_topics[0], "segment.bytes"), "52428800");
    assert_ptr_equal(
        leat__plan_source_of(p, "app-k-repartition"), leat__plan_find_node(p, "k-source"));
    assert_null(leat__plan_source_of(p, "k-repartition"));
    assert_ptr_equal(leat__plan_source_of(p, "in"), leat__plan_find_node(p, "s"));
    leat__plan_free(p);
}

static void test_fixed_counts_that_differ_are_refused(void **state)
{
    static const char *const sources[] = {"a-source", "b-source"};
    leat__plan_t *p = leat__plan_new(NULL);

    (void)state;
    leat__plan_repartition_topic(p, "a", 2);
    leat__plan_repartition_topic(p, "b", 3);
    leat__plan_source(p, "a-source", "a", str(), str(), NULL);
    leat__plan_source(p, "b-source", "b", str(), str(), NULL);
    leat__plan_copartition(p, sources, 2);
    leat__plan_finish(p);
    assert_int_equal(p->error.code, LEAT_ETOPOLOGY);
    assert_non_null(strstr(p->error.text, "'a' is given 2, 'b' 3"));
    leat__plan_free(p);
}

static void test_generated_names_can_be_refused(void **state)
{
    leat_config_t *config = leat_config_new();
    leat__plan_t *p;

    (void)state;
    for (int required = 0; required < 2; required++) {
        leat_config_set(
            config, "ensure.explicit.internal.resource.naming", required ? "true" : "false");
        p = leat__plan_new(config);
        leat__plan_source(p, "s", "in", str(), str(), NULL);
        leat__plan_generated(p, "changelog topic", "K-1-changelog");
        leat__plan_generated(p, "changelog topic", "K-2-changelog");
        leat__plan_finish(p);
        assert_int_equal(p->error.code, required ? LEAT_ETOPOLOGY : LEAT_OK);
        assert_true(!required || strstr(p->error.text, "K-1-changelog, K-2-changelog"));
        leat__plan_free(p);
    }
    leat_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_rules),
        cmocka_unit_test(test_names_that_clash_are_refused),
        cmocka_unit_test(test_parents_must_stand_before),
        cmocka_unit_test(test_topics_are_read_once),
        cmocka_unit_test(test_missing_arguments_are_named),
        cmocka_unit_test(test_stores_are_connected_to_processors_only),
        cmocka_unit_test(test_what_connects_comes_last),
        cmocka_unit_test(test_store_options_are_checked),
        cmocka_unit_test(test_nodes_that_share_a_store_are_one_sub_topology),
        cmocka_unit_test(test_settings_of_internal_topics_come_in_layers),
        cmocka_unit_test(test_a_store_is_one_when_given_again_the_same),
        cmocka_unit_test(test_a_cache_of_no_bytes_turns_caching_off),
        cmocka_unit_test(test_repartition_nodes_are_internal),
        cmocka_unit_test(test_fixed_counts_that_differ_are_refused),
        cmocka_unit_test(test_generated_names_can_be_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
