/*
 * Descriptions: Java's text to the byte, its orders of nodes, neighbours, topics and stores; JSON;
 * DOT; sizes that Java's own way of counting could not manage. (All texts that Kafka Streams
 * recorded are compared in tests/conformance.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "runtime/java_order.h"
#include "runtime/plan.h"

static void pass(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

static const leat_serde_t *str(void)
{
    return leat_serde_string();
}

static leat_topology_t *example(void)
{
    leat_builder_t *b = leat_builder_new();

    leat_builder_source(b, "in1,in2", "source", str(), str(), NULL);
    leat_builder_processor(b, "source", "proc", pass, NULL);
    leat_builder_store(b, "m", LEAT_KV, str(), str(), &(leat_store_opts_t){.processors = "proc"});
    leat_builder_store(
        b, "calls", LEAT_KV, str(), str(), &(leat_store_opts_t){.processors = "proc"});
    leat_builder_route(
        b, "proc", "route", pass, str(), str(), &(leat_sink_opts_t){.label = "by_size"});
    leat_builder_source(b, "^x-.*", "pattern", str(), str(), NULL);
    leat_builder_sink(b, "pattern", "sink", "out\"", str(), str(), NULL);
    return leat_builder_finish(b);
}

static void test_text_is_javas(void **state)
{
    static const char expected[] = "Topologies:\n"
                                   "   Sub-topology: 0\n"
                                   "    Source: source (topics: [in2, in1])\n"
                                   "      --> proc\n"
                                   "    Processor: proc (stores: [calls, m])\n"
                                   "      --> route\n"
                                   "      <-- source\n"
                                   "    Sink: route (extractor class: by_size)\n"
                                   "      <-- proc\n"
                                   "\n"
                                   "  Sub-topology: 1\n"
                                   "    Source: pattern (topics: x-.*)\n"
                                   "      --> sink\n"
                                   "    Sink: sink (topic: out\")\n"
                                   "      <-- pattern\n"
                                   "\n";
    leat_topology_t *t = example();

    (void)state;
    assert_string_equal(leat_topology_describe(t, NULL, LEAT_FORMAT_TEXT), expected);
    assert_string_equal(leat_topology_describe(t, NULL, LEAT_FORMAT_TEXT), expected);
    leat_topology_free(t);
}

static void test_nodes_stand_by_paths_and_then_by_name(void **state)
{
    static const char expected[] = "Topologies:\n"
                                   "   Sub-topology: 0\n"
                                   "    Source: s (topics: [in])\n"
                                   "      --> z, a\n"
                                   "    Processor: z (stores: [])\n"
                                   "      --> b, c\n"
                                   "      <-- s\n"
                                   "    Processor: a (stores: [])\n"
                                   "      --> b\n"
                                   "      <-- s\n"
                                   "    Processor: b (stores: [])\n"
                                   "      --> none\n"
                                   "      <-- z, a\n"
                                   "    Processor: c (stores: [])\n"
                                   "      --> none\n"
                                   "      <-- z\n"
                                   "\n";
    leat_builder_t *b = leat_builder_new();
    leat_topology_t *t;

    (void)state;
    leat_builder_source(b, "in", "s", str(), str(), NULL);
    leat_builder_processor(b, "s", "a", pass, NULL);
    leat_builder_processor(b, "s", "z", pass, NULL);
    leat_builder_processor(b, "z", "c", pass, NULL);
    leat_builder_processor(b, "z,a", "b", pass, NULL);
    t = leat_builder_finish(b);
    assert_string_equal(leat_topology_describe(t, NULL, LEAT_FORMAT_TEXT), expected);
    leat_topology_free(t);
}

/*
 * Java visits p, q, r, s: q is still as small as p when it becomes a child of s, and stays behind
 * it.
 */
static void test_neighbours_keep_the_order_of_their_first_sizes(void **state)
{
    leat_builder_t *b = leat_builder_new();
    leat_topology_t *t;
    const char *text;

    (void)state;
    leat_builder_source(b, "in", "s", str(), str(), NULL);
    leat_builder_processor(b, "s", "p", pass, NULL);
    leat_builder_processor(b, "s", "q", pass, NULL);
    leat_builder_processor(b, "q", "r", pass, NULL);
    t = leat_builder_finish(b);
    text = leat_topology_describe(t, NULL, LEAT_FORMAT_TEXT);
    assert_non_null(strstr(text, "Source: s (topics: [in])\n      --> p, q\n"));
    assert_true(strstr(text, "Processor: q ") < strstr(text, "Processor: p "));
    leat_topology_free(t);
}

static void test_hash_order_is_javas(void **state)
{
    leat__named_t two[] = {{.name = "in1"}, {.name = "in2"}};
    leat__named_t letters[] = {{.name = "p"}, {.name = "a"}, {.name = "q"}, {.name = "b"}};
    leat__named_t same[] = {{.name = "BB"}, {.name = "Aa"}};

    (void)state;
    leat__java_copy_order(two, 2);
    assert_string_equal(two[0].name, "in2"); /* as in 01-stateless/source-topics */
    leat__java_hash_order(letters, 4);
    assert_string_equal(letters[0].name, "p"); /* 0x70 → bucket 0 */
    assert_string_equal(letters[1].name, "a"); /* 0x61 → 1 */
    assert_string_equal(letters[2].name, "q");
    assert_string_equal(letters[3].name, "b");
    leat__java_hash_order(same, 2); /* one hash: order of insertion */
    assert_string_equal(same[0].name, "BB");
}

static void test_copies_have_more_buckets_at_the_edge(void **state)
{
    leat__named_t grown[12], copied[12];

    (void)state;
    for (int i = 0; i < 12; i++) {
        static const char *const names[] = {
            "p", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"};

        grown[i] = copied[i] = (leat__named_t){.name = names[i]};
    }
    leat__java_hash_order(grown, 12); /* 16 buckets hold 12: p in 0 */
    assert_string_equal(grown[0].name, "p");
    leat__java_copy_order(copied, 12); /* a copy of 12 gets 32: p in 16 */
    assert_string_equal(copied[0].name, "a");
    assert_string_equal(copied[11].name, "p");
}

static void test_json_says_all(void **state)
{
    leat_topology_t *t = example();
    json_error_t why;
    json_t *root = json_loads(leat_topology_describe(t, NULL, LEAT_FORMAT_JSON), 0, &why);
    json_t *groups = json_object_get(root, "sub_topologies");
    json_t *nodes = json_object_get(json_array_get(groups, 0), "nodes");
    json_t *topics = json_object_get(root, "internal_topics"), *topic = json_array_get(topics, 0);

    (void)state;
    assert_non_null(root);
    assert_int_equal(json_array_size(groups), 2);
    assert_int_equal(json_array_size(nodes), 3);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(nodes, 2), "chooser")), "by_size");
    assert_int_equal(json_array_size(topics), 2);
    assert_string_equal(json_string_value(json_object_get(topic, "name")), "app-m-changelog");
    assert_string_equal(json_string_value(json_object_get(topic, "kind")), "changelog");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(topic, "settings"), "cleanup.policy")),
        "compact");
    json_decref(root);
    leat_topology_free(t);
}

static void test_dot_draws_nodes_stores_and_topics(void **state)
{
    leat_topology_t *t = example();
    const char *text = leat_topology_describe(t, NULL, LEAT_FORMAT_DOT);

    (void)state;
    assert_non_null(strstr(text, "\"n:source\" -> \"n:proc\";"));
    assert_non_null(strstr(text, "\"t:in1\" -> \"n:source\";"));
    assert_non_null(strstr(text, "\"n:proc\" -> \"s:calls\""));
    assert_non_null(strstr(text, "\"n:sink\" -> \"t:out\\\"\";"));
    leat_topology_free(t);
}

/* Fifty diamonds on top of each other: 2^50 paths. */
static void test_many_paths_take_no_time(void **state)
{
    leat_builder_t *b = leat_builder_new();
    char parents[64] = "s", left[32], right[32];
    leat_topology_t *t;

    (void)state;
    leat_builder_source(b, "in", "s", str(), str(), NULL);
    for (int i = 0; i < 50; i++) {
        snprintf(left, sizeof left, "l%d", i);
        snprintf(right, sizeof right, "r%d", i);
        leat_builder_processor(b, parents, left, pass, NULL);
        leat_builder_processor(b, parents, right, pass, NULL);
        snprintf(parents, sizeof parents, "%s,%s", left, right);
    }
    t = leat_builder_finish(b);
    assert_non_null(strstr(leat_topology_describe(t, NULL, LEAT_FORMAT_TEXT), "Processor: r49 "));
    leat_topology_free(t);
}

static void test_a_large_topology_is_described(void **state)
{
    leat_builder_t *b = leat_builder_new();
    char parent[32], name[32];
    leat_topology_t *t;

    (void)state;
    leat_builder_source(b, "in", "n0", str(), str(), NULL);
    for (int i = 1; i < 2000; i++) {
        snprintf(parent, sizeof parent, "n%d", i / 2);
        snprintf(name, sizeof name, "n%d", i);
        leat_builder_processor(b, parent, name, pass, NULL);
    }
    t = leat_builder_finish(b);
    assert_non_null(strstr(leat_topology_describe(t, NULL, LEAT_FORMAT_TEXT), "Processor: n1999 "));
    leat_topology_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_javas),
        cmocka_unit_test(test_nodes_stand_by_paths_and_then_by_name),
        cmocka_unit_test(test_neighbours_keep_the_order_of_their_first_sizes),
        cmocka_unit_test(test_hash_order_is_javas),
        cmocka_unit_test(test_copies_have_more_buckets_at_the_edge),
        cmocka_unit_test(test_json_says_all),
        cmocka_unit_test(test_dot_draws_nodes_stores_and_topics),
        cmocka_unit_test(test_many_paths_take_no_time),
        cmocka_unit_test(test_a_large_topology_is_described),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
