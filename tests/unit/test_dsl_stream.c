/*
 * Operators on streams, over the test driver: what goes on, what a function may emit, what keeps
 * its bytes, and how the build refuses what cannot be.
 */
#include <unistd.h>
#include "dsl_kit.h"

/* ---- a string that counts how often it is encoded ---- */

static int encoded;

static void counted_encode(leat_codec_t *c, const void *value)
{
    const leat_slice_t *s = value;

    encoded++;
    leat_codec_put(c, s->data, s->size);
}

static void counted_decode(leat_codec_t *c, void *room)
{
    *(leat_slice_t *)room = leat_codec_take_rest(c);
}

static const leat_serde_t counted = {.name = "counted",
    .size = sizeof(leat_slice_t),
    .encode = counted_encode,
    .decode = counted_decode};

static void keep_bytes(leat_builder_t *b)
{
    leat_branch_t branches[] = {{.when = yes}};
    leat_stream_t *s = leat_builder_stream(b, "in", &counted, &counted, NULL);

    s = leat_stream_filter(s, NULL, yes, NULL);
    s = leat_stream_peek(s, NULL, nothing, NULL);
    s = leat_stream_map(s, NULL, same, &counted, &counted, NULL);
    leat_stream_split(s, NULL, branches, 1, NULL);
    s = leat_stream_merge(branches[0].stream, s, NULL, NULL);
    leat_stream_to(leat_stream_repartition(s, "again", NULL), "out", NULL);
}

static void test_unchanged_values_keep_their_bytes(void **state)
{
    leat_test_t *t = drive(keep_bytes, "0");
    leat_slice_t a = leat_slice("a");

    (void)state;
    encoded = 0;
    assert_int_equal(leat_test_pipe_bytes(t, "in", &a, &a, 1, NULL, 0), LEAT_OK);
    assert_int_equal(leat_test_pending(t, "out"), 2);
    assert_int_equal(encoded, 0);
    leat_test_free(t);
}

/* ---- how often a function emits ---- */

typedef leat_stream_t *(*operator_fn)(leat_stream_t *in);

static leat_stream_t *map_none(leat_stream_t *in)
{
    return leat_stream_map(in, "wrong", nothing, str(), str(), NULL);
}

static leat_stream_t *map_two(leat_stream_t *in)
{
    return leat_stream_map(in, "wrong", twice, str(), str(), NULL);
}

static leat_stream_t *values_none(leat_stream_t *in)
{
    return leat_stream_map_values(in, "wrong", nothing, str(), NULL);
}

static leat_stream_t *values_key(leat_stream_t *in)
{
    return leat_stream_map_values(in, "wrong", value_as_key, str(), NULL);
}

static leat_stream_t *flat_values_key(leat_stream_t *in)
{
    return leat_stream_flat_map_values(in, "wrong", value_as_key, str(), NULL);
}

static leat_stream_t *key_value(leat_stream_t *in)
{
    return leat_stream_select_key(in, "wrong", same_value, str(), NULL);
}

static leat_stream_t *peek_emits(leat_stream_t *in)
{
    return leat_stream_peek(in, "wrong", same_value, NULL);
}

static void new_key(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit(ctx, in->value, in->value);
}

static leat_stream_t *process_other_key(leat_stream_t *in)
{
    return leat_stream_process_values(in, "wrong", new_key, str(), NULL);
}

static leat_stream_t *reduce_none(leat_stream_t *in)
{
    leat_grouped_t *g = leat_stream_group_by_key(in, NULL, NULL);

    return leat_table_to_stream(leat_grouped_aggregate(g, "wrong", NULL, str(), NULL), NULL, NULL);
}

static const operator_fn wrong[] = {map_none, map_two, values_none, values_key, flat_values_key,
    key_value, peek_emits, process_other_key};

static operator_fn under_test;

static void build_one(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_stream_to(under_test(in), "out", NULL);
}

static void test_wrong_emission_fails_the_record_and_names_the_node(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        leat_test_t *t;

        under_test = wrong[i];
        t = drive(build_one, "0");
        assert_int_equal(leat_test_pipe_text(t, "in", "k", "v", 1), LEAT_ETYPE);
        expect_failure(t, LEAT_ETYPE, "wrong");
        leat_test_free(t);
    }
}

static void test_missing_function_is_named(void **state)
{
    leat_topology_t *t;
    leat_error_t err;

    (void)state;
    under_test = reduce_none;
    t = leat_topology_build(build_one, NULL);
    assert_int_equal(leat_topology_check(t, NULL, &err), LEAT_ENULL);
    assert_string_equal(err.where, "wrong");
    assert_non_null(strstr(err.text, "leat_grouped_aggregate"));
    leat_topology_free(t);
}

/* ---- values ---- */

static bool starts_with_user(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;
    const char *letter = leat_user(ctx);

    return value && value->size && value->data[0] == *letter;
}

static void splitting(leat_builder_t *b)
{
    leat_branch_t branches[] = {
        {.name = "-a", .when = starts_with_user, .user = (void *)(uintptr_t) "a"},
        {.name = "-s", .when = starts_with_user},
        {.name = NULL},
    };
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_stream_split(in, "by", branches, 3, &(leat_node_opts_t){.user = (void *)(uintptr_t) "s"});
    leat_stream_to(branches[0].stream, "a", NULL);
    leat_stream_to(branches[1].stream, "s", NULL);
    leat_stream_to(branches[2].stream, "rest", NULL);
}

static void test_split_sends_to_the_first_branch_that_says_yes(void **state)
{
    leat_test_t *t = drive(splitting, "0");

    (void)state;
    pipe_text(t, "in", "1", "apple", 1);
    pipe_text(t, "in", "2", "salt", 2);
    pipe_text(t, "in", "3", "pie", 3);
    pipe_text(t, "in", NULL, NULL, 4);
    expect_text(t, "a", "1=apple@1");
    expect_text(t, "a", NULL);
    expect_text(t, "s", "2=salt@2");
    expect_text(t, "s", NULL);
    expect_text(t, "rest", "3=pie@3");
    expect_text(t, "rest", "null=null@4");
    expect_text(t, "rest", NULL);
    leat_test_free(t);
}

static void numbers(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;

    for (int64_t i = 0; i < (int64_t)value->size; i++)
        leat_emit(ctx, &i, leat_text(ctx, "%.*s", (int)i + 1, value->data));
}

static void flat(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_stream_to(leat_stream_flat_map(in, NULL, numbers, i64(), str(), NULL), "out", NULL);
    leat_stream_to(leat_stream_flat_map_values(in, NULL, twice, str(), NULL), "double", NULL);
}

static void test_flat_map_emits_any_number(void **state)
{
    leat_test_t *t = drive(flat, "0");

    (void)state;
    pipe_text(t, "in", "k", "", 1);
    pipe_text(t, "in", "k", "abc", 2);
    expect_text(t, "out", "0=a@2");
    expect_text(t, "out", "1=ab@2");
    expect_text(t, "out", "2=abc@2");
    expect_text(t, "out", NULL);
    assert_int_equal(leat_test_pending(t, "double"), 4);
    leat_test_free(t);
}

static void rekey(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    in = leat_stream_select_key(in, NULL, value_as_key, str(), NULL);
    leat_stream_to(leat_stream_repartition(in, "r", NULL), "out", NULL);
}

static void test_repartition_leaves_null_keys_out_uncounted(void **state)
{
    leat_test_t *t = drive(rekey, "0");

    (void)state;
    pipe_text(t, "in", "k", NULL, 1);
    pipe_text(t, "in", "k", "v", 2);
    expect_text(t, "out", "v=v@2");
    expect_text(t, "out", NULL);
    assert_true(leat_test_metric(t, "dropped-records-total") < 0.5);
    leat_test_free(t);
}

static void name_topic(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_topic(ctx, in->key);
}

static void routing(leat_builder_t *b)
{
    leat_stream_route(leat_builder_stream(b, "in", str(), str(), NULL), name_topic, NULL);
}

static void test_route_writes_to_the_topic_of_each_record(void **state)
{
    leat_test_t *t = drive(routing, "0");

    (void)state;
    pipe_text(t, "in", "x", "1", 1);
    pipe_text(t, "in", "y", "2", 2);
    expect_text(t, "x", "x=1@1");
    expect_text(t, "y", "y=2@2");
    leat_test_free(t);
}

/* ---- print ---- */

static char print_path[64];

static void bracket(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;

    leat_emit_value(ctx, leat_text(ctx, "<%.*s>", LEAT_P(value)));
}

static void printing(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), i64(), NULL);

    leat_stream_print(in, NULL, &(leat_print_opts_t){.path = print_path});
    leat_stream_print(in, NULL, &(leat_print_opts_t){.label = "seen", .path = print_path});
    leat_stream_print(leat_builder_stream(b, "texts", str(), str(), NULL), "text",
        &(leat_print_opts_t){.path = print_path, .text = bracket});
}

static void test_print_writes_lines_to_a_file(void **state)
{
    char text[256] = "";
    leat_test_t *t;
    FILE *file;
    size_t size;

    (void)state;
    snprintf(print_path, sizeof print_path, "/tmp/leat-print-%ld", (long)getpid());
    t = drive(printing, "0");
    pipe_text(t, "in", "k", "-7", 1);
    pipe_text(t, "in", NULL, NULL, 2);
    pipe_text(t, "texts", "k", "v", 3);
    leat_test_free(t);
    file = fopen(print_path, "r");
    assert_non_null(file);
    size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    unlink(print_path);
    text[size] = '\0';
    assert_string_equal(text, "[KSTREAM-SOURCE-0000000000]: k, -7\n[seen]: k, -7\n"
                              "[KSTREAM-SOURCE-0000000000]: null, null\n[seen]: null, null\n"
                              "[KSTREAM-SOURCE-0000000003]: <v>\n");
}

static void test_print_to_a_file_that_cannot_be_opened_fails_at_start(void **state)
{
    leat_test_t *t;

    (void)state;
    snprintf(print_path, sizeof print_path, "/nowhere/at/all");
    t = leat_test_new(leat_topology_build(printing, NULL), NULL, NULL);
    expect_failure(t, LEAT_EIO, "/nowhere/at/all");
    leat_test_free(t);
}

/* ---- what the build refuses ---- */

typedef struct refused_t {
    leat_build_fn build;
    int code;
    const char *word; /* in the error's place or text */
} refused_t;

static void bad_name(leat_builder_t *b)
{
    leat_stream_filter(leat_builder_stream(b, "in", str(), str(), NULL), "not legal", yes, NULL);
}

static void null_serde(leat_builder_t *b)
{
    leat_stream_map(leat_builder_stream(b, "in", str(), str(), NULL), "m", same, str(), NULL, NULL);
}

static void null_topic(leat_builder_t *b)
{
    leat_stream_to(leat_builder_stream(b, "in", str(), str(), NULL), NULL, NULL);
}

static void unlike_types(leat_builder_t *b)
{
    leat_stream_merge(leat_builder_stream(b, "a", str(), str(), NULL),
        leat_builder_stream(b, "b", str(), i64(), NULL), NULL, NULL);
}

static void rest_in_the_middle(leat_builder_t *b)
{
    leat_branch_t branches[] = {{.when = yes}, {.name = NULL}, {.when = yes}};

    leat_stream_split(leat_builder_stream(b, "in", str(), str(), NULL), NULL, branches, 3, NULL);
    assert_non_null(branches[2].stream);
    leat_stream_to(branches[2].stream, "out", NULL);
}

static void dirty_options(leat_builder_t *b)
{
    leat_node_opts_t o = {.reserved = {b}};

    leat_stream_filter(leat_builder_stream(b, "in", str(), str(), NULL), NULL, yes, &o);
}

static void two_resets(leat_builder_t *b)
{
    leat_builder_stream(b, "in", str(), str(), &(leat_source_opts_t){.reset = LEAT_RESET_EARLIEST});
    leat_builder_stream(b, "in", str(), str(), &(leat_source_opts_t){.reset = LEAT_RESET_LATEST});
}

static void two_serdes(leat_builder_t *b)
{
    leat_builder_stream(b, "in", str(), str(), NULL);
    leat_builder_stream(b, "in", str(), i64(), NULL);
}

static void overlap(leat_builder_t *b)
{
    leat_builder_stream(b, "a,b", str(), str(), NULL);
    leat_builder_stream(b, "b,c", str(), str(), NULL);
}

static void table_of_two_topics(leat_builder_t *b)
{
    leat_builder_table(b, "a,b", str(), str(), NULL);
}

static void subtract_in_a_stream(leat_builder_t *b)
{
    leat_grouped_t *g =
        leat_stream_group_by_key(leat_builder_stream(b, "in", str(), str(), NULL), NULL, NULL);

    leat_grouped_reduce(g, "r", second, &(leat_fold_opts_t){.subtract = second});
}

static void no_subtract_in_a_table(leat_builder_t *b)
{
    leat_grouped_t *g = leat_table_group_by(
        leat_builder_table(b, "in", str(), str(), NULL), NULL, same, str(), str(), NULL);

    leat_grouped_aggregate(g, "agg", second, str(), NULL);
}

static void init_of_a_count(leat_builder_t *b)
{
    leat_grouped_t *g =
        leat_stream_group_by_key(leat_builder_stream(b, "in", str(), str(), NULL), NULL, NULL);

    leat_grouped_count(g, "c", &(leat_fold_opts_t){.init = b});
}

static void one_name_twice(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_stream_filter(leat_stream_filter(in, "f", yes, NULL), "f", yes, NULL);
}

static const refused_t refused[] = {
    {bad_name, LEAT_ETOPOLOGY, "not legal"},
    {null_serde, LEAT_ENULL, "leat_stream_map"},
    {null_topic, LEAT_ENULL, "leat_stream_to"},
    {unlike_types, LEAT_ETYPE, "int64"},
    {rest_in_the_middle, LEAT_EARGUMENT, "branch 2 of 3"},
    {dirty_options, LEAT_EARGUMENT, "leat_stream_filter"},
    {two_resets, LEAT_ETOPOLOGY, ".reset"},
    {two_serdes, LEAT_ETOPOLOGY, "different serdes"},
    {overlap, LEAT_ETOPOLOGY, "share a topic"},
    {table_of_two_topics, LEAT_EARGUMENT, "exactly one topic"},
    {subtract_in_a_stream, LEAT_EARGUMENT, ".subtract"},
    {no_subtract_in_a_table, LEAT_ENULL, ".subtract"},
    {init_of_a_count, LEAT_EARGUMENT, ".init"},
    {one_name_twice, LEAT_ETOPOLOGY, "f"},
};

static void test_what_cannot_be_is_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        leat_topology_t *t = leat_topology_build(refused[i].build, NULL);
        leat_error_t err;

        if (leat_topology_check(t, NULL, &err) != refused[i].code ||
            (!strstr(err.text, refused[i].word) && !strstr(err.where, refused[i].word)))
            fail_msg("case %zu: %s at '%s': %s", i, leat_error_name(err.code), err.where, err.text);
        leat_topology_free(t);
    }
}

static void test_streams_of_two_builders_are_refused_in_both(void **state)
{
    leat_builder_t *b = leat_builder_new(), *c = leat_builder_new();
    leat_stream_t *x = leat_builder_stream(b, "in", str(), str(), NULL);
    leat_stream_t *y = leat_builder_stream(c, "in", str(), str(), NULL);
    leat_topology_t *t, *u;

    (void)state;
    leat_stream_to(leat_stream_merge(x, y, NULL, NULL), "out", NULL);
    t = leat_builder_finish(b);
    u = leat_builder_finish(c);
    assert_int_equal(leat_topology_check(t, NULL, NULL), LEAT_ETOPOLOGY);
    assert_int_equal(leat_topology_check(u, NULL, NULL), LEAT_ETOPOLOGY);
    leat_topology_free(t);
    leat_topology_free(u);
}

static void test_optimizer_takes_its_rules(void **state)
{
    leat_config_t *config = leat_config_new();
    leat_topology_t *t = leat_topology_build(rekey, NULL);

    (void)state;
    assert_int_equal(leat_topology_check(t, config, NULL), LEAT_OK);
    leat_config_set(config, "topology.optimization", "all");
    assert_int_equal(leat_topology_check(t, config, NULL), LEAT_OK);
    leat_config_set(config, "topology.optimization", "merge.repartition.topics");
    assert_int_equal(leat_topology_check(t, config, NULL), LEAT_OK);
    leat_config_free(config);
    leat_topology_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged_values_keep_their_bytes),
        cmocka_unit_test(test_wrong_emission_fails_the_record_and_names_the_node),
        cmocka_unit_test(test_missing_function_is_named),
        cmocka_unit_test(test_split_sends_to_the_first_branch_that_says_yes),
        cmocka_unit_test(test_flat_map_emits_any_number),
        cmocka_unit_test(test_repartition_leaves_null_keys_out_uncounted),
        cmocka_unit_test(test_route_writes_to_the_topic_of_each_record),
        cmocka_unit_test(test_print_writes_lines_to_a_file),
        cmocka_unit_test(test_print_to_a_file_that_cannot_be_opened_fails_at_start),
        cmocka_unit_test(test_what_cannot_be_is_refused_by_name),
        cmocka_unit_test(test_streams_of_two_builders_are_refused_in_both),
        cmocka_unit_test(test_optimizer_takes_its_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
