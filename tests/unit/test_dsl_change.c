/*
 * The bytes of changes in the repartition topics of grouped tables: those of Kafka Streams
 * (vectors of its own classes), the forms that only other versions write, and bytes that are none.
 */
#include "base/codec.h"
#include "base/mem.h"
#include "dsl/change.h"
#include "dsl_kit.h"

static leat_builder_t *b;
static const leat_serde_t *serde;
static leat__arena_t scratch;
static leat__codec_env_t env = {.scratch = &scratch};

static int set_up(void **state)
{
    (void)state;
    b = leat_builder_new();
    serde = leat__change_serde(b, str());
    leat__arena_init(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    leat__arena_release(&scratch);
    leat_builder_free(b);
    return 0;
}

typedef struct vector_t {
    const char *now, *old;
    const char *bytes;
    size_t size;
} vector_t;

static const vector_t vectors[] = {
    {NULL, "", "\0", 1},
    {NULL, "a", "a\0", 2},
    {"", NULL, "\1", 1},
    {"", "", "\0\2", 2},
    {"", "a", "\0a\2", 3},
    {"a", NULL, "a\1", 2},
    {"a", "", "\2a\2", 3},
    {"a", "a", "\2aa\2", 4},
    {"abc", "de", "\6abcde\2", 7},
};

static void expect_part(const void *part, const char *text)
{
    if (text)
        assert_true(leat_slice_is(part, text));
    else
        assert_null(part);
}

static void expect_decoded(const char *bytes, size_t size, const char *now, const char *old)
{
    const void *value = NULL;
    const leat__change_t *change;
    leat_error_t err;

    assert_int_equal(leat__decode(serde, (leat_slice_t){bytes, size}, &env, &value, &err), 0);
    change = value;
    expect_part(change->now, now);
    expect_part(change->old, old);
}

static void test_vectors_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const vector_t *v = &vectors[i];
        leat_slice_t now = leat_slice(v->now), old = leat_slice(v->old), bytes;
        leat__change_t change = {.now = v->now ? &now : NULL, .old = v->old ? &old : NULL};

        assert_int_equal(leat__encode(serde, &change, &env, &bytes, NULL), 0);
        assert_int_equal(bytes.size, v->size);
        assert_memory_equal(bytes.data, v->bytes, v->size);
        expect_decoded(v->bytes, v->size, v->now, v->old);
    }
}

static void test_long_values_have_long_lengths(void **state)
{
    const size_t sizes[] = {63, 64, 8191, 8192, 300000};
    const size_t lengths[] = {1, 2, 2, 3, 3};
    char *text = calloc(1, 300001);

    (void)state;
    memset(text, 'x', 300000);
    for (size_t i = 0; i < 5; i++) {
        leat_slice_t now = {text, sizes[i]}, old = leat_slice("o"), bytes;
        leat__change_t change = {.now = &now, .old = &old};
        const void *value;

        assert_int_equal(leat__encode(serde, &change, &env, &bytes, NULL), 0);
        assert_int_equal(bytes.size, lengths[i] + sizes[i] + 2);
        assert_int_equal(leat__decode(serde, bytes, &env, &value, NULL), 0);
        assert_true(leat_slice_equal(((const leat__change_t *)value)->now, &now));
        assert_true(leat_slice_is(((const leat__change_t *)value)->old, "o"));
    }
    free(text);
}

static void test_forms_of_versioned_tables_are_read(void **state)
{
    (void)state;
    expect_decoded("a\1\3", 3, NULL, "a");
    expect_decoded("a\0\4", 3, "a", NULL);
    expect_decoded("\2ab\1\5", 5, "a", "b");
}

static void test_nothing_at_all_does_not_encode(void **state)
{
    leat__change_t change = {.now = NULL, .old = NULL};
    leat_slice_t bytes;

    (void)state;
    assert_int_equal(leat__encode(serde, &change, &env, &bytes, NULL), LEAT_ESERDE);
}

static void test_bad_bytes_are_refused(void **state)
{
    static const leat_slice_t bad[] = {
        {"", 0},
        {"\6", 1},
        {"a\377", 2},
        {"\2", 1},
        {"\4a\2", 3},
        {"\1a\2", 3},
        {"\3", 1},
        {"\5", 1},
        {"\377\377\377\377\377\377\2", 7},
        {"\376\377\377\377\17\2", 6},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *copy = malloc(bad[i].size + 1); /* of the exact size, for the sanitizers */
        const void *value;
        leat_error_t err;

        memcpy(copy, bad[i].data, bad[i].size);
        if (leat__decode(serde, (leat_slice_t){copy, bad[i].size}, &env, &value, &err) !=
            LEAT_ESERDE)
            fail_msg("case %zu was read", i);
        assert_non_null(strstr(err.text, "change"));
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_vectors_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_values_have_long_lengths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forms_of_versioned_tables_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_at_all_does_not_encode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_bytes_are_refused, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
