/*
 * Joins of tables: the bytes of a foreign-key join against those that Kafka Streams makes
 * (tests/conformance/formats), both ways and cut short; random changes of both sides against a
 * plain model, with the record cache on and off; the optimizer leaves results as they are; what is
 * refused.
 */
#include "dsl_kit.h"

#include <jansson.h>

#include "base/arena.h"
#include "base/map.h"
#include "dsl/foreign.h"

/* ---- vectors ---- */

static json_t *cases_of(const char *format)
{
    char path[600];
    const char *slash = strrchr(__FILE__, '/');
    json_t *file;

    snprintf(path, sizeof path, "%.*s/../conformance/formats/%s.json", (int)(slash - __FILE__),
        __FILE__, format);
    file = json_load_file(path, 0, NULL);
    assert_non_null(file);
    return file;
}

static leat_slice_t text_of(const json_t *c, const char *field)
{
    const char *text = json_string_value(json_object_get(c, field));

    return text ? leat_slice(text) : (leat_slice_t){NULL, 0};
}

static leat_slice_t hex_of(const json_t *c, leat__arena_t *scratch)
{
    leat_slice_t hex = text_of(c, "hex");
    char *bytes = leat__arena_alloc(scratch, hex.size / 2 + 1);

    for (size_t i = 0; i < hex.size / 2; i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex.data + 2 * i, "%2x", &byte), 1);
        bytes[i] = (char)byte;
    }
    return (leat_slice_t){bytes, hex.size / 2};
}

static void expect_bytes(leat_slice_t got, leat_slice_t wanted)
{
    assert_int_equal(got.size, wanted.size);
    assert_memory_equal(got.data, wanted.data, wanted.size);
}

typedef void (*case_fn)(const json_t *c, leat__arena_t *scratch);

static void each_case(const char *format, size_t least, case_fn check)
{
    json_t *file = cases_of(format), *c;
    leat__arena_t scratch;
    size_t i, count = 0;

    leat__arena_init(&scratch);
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        check(c, &scratch);
        count++;
    }
    assert_true(count >= least);
    leat__arena_release(&scratch);
    json_decref(file);
}

static void check_hash(const json_t *c, leat__arena_t *scratch)
{
    leat_slice_t text = text_of(c, "text");
    unsigned char hash[16];

    leat__murmur3_128(text.data, text.size, hash);
    expect_bytes((leat_slice_t){(const char *)hash, sizeof hash}, hex_of(c, scratch));
}

static void test_murmur3_is_kafka_streams(void **state)
{
    (void)state;
    each_case("murmur3-128", 10, check_hash);
}

static void check_subscription(const json_t *c, leat__arena_t *scratch)
{
    leat_slice_t bytes = hex_of(c, scratch), hashed = text_of(c, "hash_of");
    bool old = json_integer_value(json_object_get(c, "version")) == 0;
    leat__subscription_t got,
        s = {.has_hash = hashed.data != NULL,
            .what = (leat__subscribe_t)json_integer_value(json_object_get(c, "instruction_value")),
            .primary = text_of(c, "primary_key"),
            .partition = (int32_t)json_integer_value(json_object_get(c, "primary_partition"))};

    if (s.has_hash)
        leat__murmur3_128(hashed.data, hashed.size, s.hash);
    if (!old)
        expect_bytes(leat__subscription_put(scratch, &s), bytes);
    assert_true(leat__subscription_take(bytes, &got));
    assert_int_equal(got.what, s.what);
    assert_int_equal(got.partition, old ? -1 : s.partition);
    assert_int_equal(got.has_hash, s.has_hash);
    if (s.has_hash)
        assert_memory_equal(got.hash, s.hash, sizeof s.hash);
    expect_bytes(got.primary, s.primary);
    for (size_t size = 0; size < (old ? 2 : 6); size++) /* too short for head and partition */
        assert_false(leat__subscription_take((leat_slice_t){bytes.data, size}, &got));
}

static void test_subscription_is_kafka_streams_both_ways(void **state)
{
    leat__subscription_t got;

    (void)state;
    each_case("foreign-key-subscription", 32, check_subscription);
    assert_false(
        leat__subscription_take((leat_slice_t){"\x82\x01pk....", 8}, &got)); /* version 2 */
    assert_false(leat__subscription_take((leat_slice_t){"\x81\x04pk....", 8}, &got)); /* no such */
    assert_false(leat__subscription_take((leat_slice_t){"\x01\x01"
                                                        "fifteen bytes..",
                                             17},
        &got));
}

static void check_response(const json_t *c, leat__arena_t *scratch)
{
    leat_slice_t bytes = hex_of(c, scratch), hashed = text_of(c, "hash_of"),
                 value = text_of(c, "value");
    unsigned char hash[16];
    leat__response_t got;

    leat__murmur3_128(hashed.data, hashed.size, hash);
    expect_bytes(
        leat__response_put(scratch, hashed.data ? hash : NULL, value.data ? &value : NULL), bytes);
    assert_true(leat__response_take(bytes, &got));
    assert_int_equal(got.has_hash, hashed.data != NULL);
    assert_int_equal(got.value.size, value.size);
    for (size_t size = 0; size < (hashed.data ? 17 : 1); size++)
        assert_false(leat__response_take((leat_slice_t){bytes.data, size}, &got));
}

static void test_response_is_kafka_streams_both_ways(void **state)
{
    leat__response_t got;

    (void)state;
    each_case("foreign-key-response", 6, check_response);
    assert_false(leat__response_take((leat_slice_t){"\x81", 1}, &got)); /* version 1 */
}

static void check_key(const json_t *c, leat__arena_t *scratch)
{
    leat_slice_t prefix = text_of(c, "prefix_of"), primary;
    leat_slice_t bytes = hex_of(c, scratch);

    if (prefix.data) {
        expect_bytes(leat__subscription_prefix(scratch, prefix), bytes);
        return;
    }
    expect_bytes(
        leat__subscription_key(scratch, text_of(c, "foreign_key"), text_of(c, "primary_key")),
        bytes);
    assert_true(leat__subscription_primary(bytes, &primary));
    expect_bytes(primary, text_of(c, "primary_key"));
}

static void test_subscription_key_is_kafka_streams_both_ways(void **state)
{
    leat_slice_t primary;

    (void)state;
    each_case("foreign-key-combined-key", 12, check_key);
    assert_false(leat__subscription_primary((leat_slice_t){"\0\0\0", 3}, &primary));
    assert_false(leat__subscription_primary((leat_slice_t){"\0\0\0\2a", 5}, &primary));
}

/* ---- random changes against a model ---- */

enum { KEYS = 6, CHANGES = 600 };

static uint32_t seed;

static uint32_t next(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 16) % below;
}

static leat_join_kind_t kind;

static void join_text(leat_ctx_t *ctx, const void *a, const void *b)
{
    const leat_slice_t none = {"-", 1}, *x = a ? a : &none, *y = b ? b : &none;

    leat_emit_value(ctx, leat_text(ctx, "%.*s+%.*s", LEAT_P(x), LEAT_P(y)));
}

static bool not_zero(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;

    (void)ctx;
    return value->data[0] != '0';
}

static void doubled(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;

    leat_emit_value(ctx, leat_text(ctx, "%.*s%.*s", LEAT_P(value), LEAT_P(value)));
}

/* The left side keeps no rows of its own: they are looked up through filter and map. */
static void build_same_key(leat_builder_t *b)
{
    leat_table_t *left = leat_builder_table(b, "left", str(), str(), NULL);
    leat_table_t *right = leat_builder_table(b, "right", str(), str(), NULL);
    leat_table_t *seen = leat_table_map_values(
        leat_table_filter(left, NULL, not_zero, NULL), NULL, doubled, str(), NULL);

    leat_table_join(seen, right, NULL, join_text, str(),
        &(leat_join_opts_t){.kind = kind, .store.name = "joined"});
}

static void build_foreign(leat_builder_t *b)
{
    leat_table_t *left = leat_builder_table(b, "left", str(), str(), NULL);
    leat_table_t *right = leat_builder_table(b, "right", str(), str(), NULL);

    leat_table_join_foreign(left, right, NULL, value_as_key, join_text, str(),
        &(leat_join_opts_t){.kind = kind, .store.name = "joined"});
}

typedef struct model_t {
    int left[KEYS], right[KEYS]; /* -1: none */
} model_t;

/* What the row of a key must be; false: none. */
static bool expected_same_key(const model_t *m, int key, char *room, size_t size)
{
    char left[24] = "-", right[16] = "-";
    bool has_left = m->left[key] > 0, has_right = m->right[key] >= 0;

    if (has_left)
        snprintf(left, sizeof left, "%d%d", m->left[key], m->left[key]);
    if (has_right)
        snprintf(right, sizeof right, "%d", m->right[key]);
    snprintf(room, size, "%s+%s", left, right);
    return kind == LEAT_INNER  ? has_left && has_right
           : kind == LEAT_LEFT ? has_left
                               : has_left || has_right;
}

static bool expected_foreign(const model_t *m, int key, char *room, size_t size)
{
    int foreign = m->left[key], right = foreign >= 0 ? m->right[foreign] : -1;

    if (right >= 0)
        snprintf(room, size, "%d+%d", foreign, right);
    else
        snprintf(room, size, "%d+-", foreign);
    return foreign >= 0 && (right >= 0 || kind == LEAT_LEFT);
}

typedef bool (*expected_fn)(const model_t *m, int key, char *room, size_t size);

static void check_rows(leat_test_t *t, const model_t *m, expected_fn expected)
{
    for (int key = 0; key < KEYS; key++) {
        char name[8], room[64];
        const leat_slice_t *row;
        leat_slice_t k;

        snprintf(name, sizeof name, "%d", key);
        k = leat_slice(name);
        row = leat_kv_get(leat_test_kv(t, "joined"), &k);
        if (!expected(m, key, room, sizeof room))
            assert_null(row);
        else if (!row || !leat_slice_equal(row, &(leat_slice_t){room, strlen(room)}))
            fail_msg("key %d: %.*s, expected %s", key, row ? (int)row->size : 4,
                row ? row->data : "none", room);
    }
}

static void change(leat_test_t *t, model_t *m, int64_t time_ms)
{
    bool right = next(2) == 1;
    int *side = right ? m->right : m->left, key = (int)next(KEYS);
    char name[8], value[8];

    side[key] = next(4) == 0 ? -1 : (int)next(KEYS);
    snprintf(name, sizeof name, "%d", key);
    snprintf(value, sizeof value, "%d", side[key]);
    pipe_text(t, right ? "right" : "left", name, side[key] < 0 ? NULL : value, time_ms);
}

static void against_model(leat_build_fn build, expected_fn expected, const char *cache)
{
    leat_test_t *t = drive(build, cache);
    model_t m;

    for (int i = 0; i < KEYS; i++)
        m.left[i] = m.right[i] = -1;
    for (int i = 0; i < CHANGES; i++) {
        change(t, &m, 1000 + i - (int64_t)next(50)); /* out of order, too */
        check_rows(t, &m, expected);
    }
    assert_int_equal(leat_test_failure(t, NULL), LEAT_OK);
    leat_test_free(t);
}

static void test_join_equals_its_model(void **state)
{
    (void)state;
    for (seed = 1; seed < 100; seed += 33)
        for (int k = LEAT_INNER; k <= LEAT_OUTER; k++) {
            kind = (leat_join_kind_t)k;
            against_model(build_same_key, expected_same_key, "0");
            against_model(build_same_key, expected_same_key, "1000000");
        }
}

static void test_foreign_key_join_equals_its_model(void **state)
{
    (void)state;
    for (seed = 5; seed < 100; seed += 33)
        for (int k = LEAT_INNER; k <= LEAT_LEFT; k++) {
            kind = (leat_join_kind_t)k;
            against_model(build_foreign, expected_foreign, "0");
            against_model(build_foreign, expected_foreign, "1000000");
        }
}

/* ---- the optimizer ---- */

static void value_length(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;
    int64_t size = (int64_t)value->size;

    leat_emit_value(ctx, &size);
}

/* Behind one key change: a fold, a fold behind a filter, and one behind values of another type. */
static void build_three(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);
    leat_stream_t *by = leat_stream_select_key(in, NULL, value_as_key, str(), NULL);
    leat_stream_t *sizes = leat_stream_process_values(by, NULL, value_length, i64(), NULL);

    leat_grouped_count(leat_stream_group_by_key(by, NULL, NULL), "all", NULL);
    leat_grouped_count(
        leat_stream_group_by_key(leat_stream_filter(by, NULL, not_zero, NULL), NULL, NULL), "some",
        NULL);
    leat_grouped_count(leat_stream_group_by_key(sizes, NULL, NULL), "sizes", NULL);
}

static size_t topics_of(const char *optimization, const char *part)
{
    leat_config_t *config = leat_config_new();
    leat_topology_t *topology = leat_topology_build(build_three, config);
    const char *text;
    size_t count = 0;

    leat_config_set(config, "topology.optimization", optimization);
    text = leat_topology_describe(topology, config, LEAT_FORMAT_JSON);
    for (const char *at = text; (at = strstr(at, part)); at++)
        count++;
    leat_topology_free(topology);
    leat_config_free(config);
    return count;
}

static int64_t count_of(leat_test_t *t, const char *store, const char *key)
{
    leat_slice_t k = leat_slice(key);
    const int64_t *count = leat_kv_get(leat_test_kv(t, store), &k);

    return count ? *count : 0;
}

static void test_optimizer_merges_topics_of_one_type_only(void **state)
{
    static const char *const optimizations[] = {"none", "all", "merge.repartition.topics"};

    (void)state;
    assert_int_equal(topics_of("none", "\"kind\":\"repartition\""), 3);
    assert_int_equal(topics_of("all", "\"kind\":\"repartition\""), 2); /* not that of the sizes */
    assert_int_equal(topics_of("single.store.self.join", "\"kind\":\"repartition\""), 3);
    for (int i = 0; i < 3; i++) {
        leat_config_t *config = leat_config_new();
        leat_test_t *t;

        leat_config_set(config, "topology.optimization", optimizations[i]);
        leat_config_set(config, "dsl.store.backend", "memory");
        t = leat_test_new(leat_topology_build(build_three, config), config, NULL);
        pipe_text(t, "in", "k1", "a", 1);
        pipe_text(t, "in", "k2", "0", 2);
        pipe_text(t, "in", "k3", "a", 3);
        assert_int_equal(count_of(t, "all", "a"), 2);
        assert_int_equal(count_of(t, "all", "0"), 1);
        assert_int_equal(count_of(t, "some", "a"), 2);
        assert_int_equal(count_of(t, "some", "0"), 0);
        assert_int_equal(count_of(t, "sizes", "a"), 2);
        leat_test_free(t);
    }
}

/* ---- what is refused ---- */

static void expect_refused(leat_build_fn build, int code, const char *word)
{
    leat_topology_t *t = leat_topology_build(build, NULL);
    leat_error_t err;

    assert_int_equal(leat_topology_check(t, NULL, &err), code);
    if (!strstr(err.text, word))
        fail_msg("'%s' does not say '%s'", err.text, word);
    leat_topology_free(t);
}

static void build_outer_foreign(leat_builder_t *b)
{
    leat_table_t *t = leat_builder_table(b, "t", str(), str(), NULL);

    leat_table_join_foreign(
        t, t, NULL, value_as_key, join_text, str(), &(leat_join_opts_t){.kind = LEAT_OUTER});
}

static void build_other_keys(leat_builder_t *b)
{
    leat_table_join(leat_builder_table(b, "t", str(), str(), NULL),
        leat_builder_table(b, "u", i64(), str(), NULL), NULL, join_text, str(), NULL);
}

static void build_cogroup_of_table(leat_builder_t *b)
{
    leat_table_t *t = leat_builder_table(b, "t", str(), str(), NULL);
    leat_part_t part = {
        .grouped = leat_table_group_by(t, NULL, same, str(), str(), NULL), .fn = join_text};

    leat_grouped_cogroup(&part, 1, NULL, str(), NULL);
}

static void build_connected_global(leat_builder_t *b)
{
    leat_builder_global(b, "g", str(), str(), &(leat_source_opts_t){.store.name = "gs"});
    leat_stream_for_each(leat_builder_stream(b, "in", str(), str(), NULL), NULL, nothing,
        &(leat_node_opts_t){.stores = "gs"});
}

static void build_two_topics(leat_builder_t *b)
{
    leat_builder_global(b, "g,h", str(), str(), NULL);
}

static void build_unnamed_store(leat_builder_t *b)
{
    leat_builder_global_store(b, "g", NULL, nothing, LEAT_KV, str(), str(), NULL);
}

static void build_aging_join(leat_builder_t *b)
{
    leat_stream_join(leat_builder_stream(b, "s", str(), str(), NULL),
        leat_builder_stream(b, "t", str(), str(), NULL), "j", join_text, str(), leat_within(5, 0),
        &(leat_join_opts_t){.store = {.ttl_ms = 100}});
}

static void build_aging_join_table(leat_builder_t *b)
{
    leat_stream_join_table(leat_builder_stream(b, "s", str(), str(), NULL),
        leat_builder_table(b, "t", str(), str(), NULL), "j", join_text, str(),
        &(leat_join_opts_t){.store = {.ttl_ms = 100}});
}

static void test_wrong_joins_are_refused(void **state)
{
    (void)state;
    expect_refused(build_aging_join, LEAT_EARGUMENT, ".store.ttl_ms");
    expect_refused(build_aging_join_table, LEAT_EARGUMENT, ".store.ttl_ms");
    expect_refused(build_outer_foreign, LEAT_EARGUMENT, "outer");
    expect_refused(build_other_keys, LEAT_ETYPE, "keys");
    expect_refused(build_cogroup_of_table, LEAT_EARGUMENT, "table");
    expect_refused(build_connected_global, LEAT_ETOPOLOGY, "global");
    expect_refused(build_two_topics, LEAT_EARGUMENT, "one topic");
    expect_refused(build_unnamed_store, LEAT_ENULL, ".store.name");
}

static void test_handle_of_another_builder_is_refused_in_both(void **state)
{
    leat_builder_t *a = leat_builder_new(), *b = leat_builder_new();
    leat_topology_t *x, *y;

    (void)state;
    leat_table_join(leat_builder_table(a, "t", str(), str(), NULL),
        leat_builder_table(b, "u", str(), str(), NULL), NULL, join_text, str(), NULL);
    x = leat_builder_finish(a);
    y = leat_builder_finish(b);
    assert_int_equal(leat_topology_check(x, NULL, NULL), LEAT_ETOPOLOGY);
    assert_int_equal(leat_topology_check(y, NULL, NULL), LEAT_ETOPOLOGY);
    leat_topology_free(x);
    leat_topology_free(y);
}

/* ---- what fails in a global store ---- */

static void fill_good(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;

    if (value && leat_slice_is(value, "bad"))
        leat_fail(ctx, LEAT_EUSER, "cannot use it");
    else
        leat_kv_put(leat_kv(ctx, "gs"), in->key, in->value);
}

static void build_filled(leat_builder_t *b)
{
    leat_builder_global_store(b, "g", NULL, fill_good, LEAT_KV, str(), str(),
        &(leat_fill_opts_t){.store.name = "gs"});
}

static leat_test_t *drive_filled(const char *enabled, const char *handler)
{
    leat_config_t *config = leat_config_new();

    leat_config_set(config, "dsl.store.backend", "memory");
    leat_config_set(config, "processing.exception.handler", handler);
    leat_config_set(config, "processing.exception.handler.global.enabled", enabled);
    leat_config_set(config, "errors.dead.letter.queue.topic.name", "dlq");
    return leat_test_new(leat_topology_build(build_filled, config), config, NULL);
}

static void test_handler_is_asked_for_global_stores_if_wanted(void **state)
{
    leat_test_t *t = drive_filled("true", "continue");
    static const char *const failing[][3] = {{"false", "continue", "cannot use it"},
        {"true", "fail", "cannot use it"}, {"true", "dead_letter", "no dead letters"}};

    (void)state;
    pipe_text(t, "g", "a", "bad", 1);
    pipe_text(t, "g", "b", "good", 2);
    expect_text(t, "dlq", NULL); /* a global store writes nothing */
    leat_test_free(t);
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        t = drive_filled(failing[i][0], failing[i][1]);
        assert_int_equal(leat_test_pipe_text(t, "g", "a", "bad", 1), LEAT_EUSER);
        expect_failure(t, LEAT_EUSER, failing[i][2]);
        leat_test_free(t);
    }
}

static void name_by_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_key(ctx, in->value);
}

static void keep_left(leat_ctx_t *ctx, const void *left, const void *right)
{
    (void)right;
    leat_emit_value(ctx, left);
}

/* The grouping's topic moves behind its second use, and so behind the join. */
static void join_before_grouping(leat_builder_t *b)
{
    leat_stream_t *left = leat_builder_stream(b, "left", str(), str(), NULL);
    leat_grouped_t *same = leat_stream_group_by(
        leat_builder_stream(b, "right", str(), str(), NULL), "by-value", name_by_value, str(), NULL);
    leat_table_t *counts = leat_grouped_count(same, "counts", NULL);

    leat_stream_to(leat_stream_join_table(left, counts, "j", keep_left, str(), NULL), "out", NULL);
    leat_grouped_reduce(same, "all", keep_left, NULL);
}

static void test_a_table_may_be_added_behind_the_join_with_it(void **state)
{
    leat_test_t *t = drive(join_before_grouping, "0");

    (void)state;
    pipe_text(t, "right", "k", "a", 1);
    pipe_text(t, "left", "a", "x", 2);
    expect_text(t, "out", "a=x@2");
    leat_test_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_table_may_be_added_behind_the_join_with_it),
        cmocka_unit_test(test_murmur3_is_kafka_streams),
        cmocka_unit_test(test_subscription_is_kafka_streams_both_ways),
        cmocka_unit_test(test_response_is_kafka_streams_both_ways),
        cmocka_unit_test(test_subscription_key_is_kafka_streams_both_ways),
        cmocka_unit_test(test_join_equals_its_model),
        cmocka_unit_test(test_foreign_key_join_equals_its_model),
        cmocka_unit_test(test_optimizer_merges_topics_of_one_type_only),
        cmocka_unit_test(test_handler_is_asked_for_global_stores_if_wanted),
        cmocka_unit_test(test_wrong_joins_are_refused),
        cmocka_unit_test(test_handle_of_another_builder_is_refused_in_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
