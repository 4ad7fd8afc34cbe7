/*
 * Byte formats that Kafka Streams' own classes wrote (tests/conformance/formats), both ways: keys of
 * windows and sessions in topics, and in window and session stores on both backends. Those of
 * foreign-key joins are in test_dsl_join.c.
 */
#include "store_kit.h"

#include <jansson.h>
#include <leat/builder.h>
#include <stdio.h>
#include "base/codec.h"
#include "statestore/shape.h"

/* ---- cases ---- */

typedef struct test_t {
    kit_t kit;
    leat__arena_t scratch;
    const leat_serde_t *serde;
    int64_t size_ms; /* of a window */
    bool session;
} test_t;

typedef void (*case_fn)(test_t *t, const json_t *c, leat_slice_t bytes);

static leat_slice_t bytes_of(const json_t *c, leat__arena_t *scratch)
{
    const char *hex = json_string_value(json_object_get(c, "hex"));
    size_t size = strlen(hex) / 2;
    char *bytes = leat__arena_alloc(scratch, size + 1);

    for (size_t i = 0; i < size; i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (char)byte;
    }
    return (leat_slice_t){bytes, size};
}

static int64_t number(const json_t *c, const char *field)
{
    return json_integer_value(json_object_get(c, field));
}

static leat_slice_t text(const json_t *c, const char *field)
{
    return leat_slice(json_string_value(json_object_get(c, field)));
}

static void each_case(test_t *t, const char *format, size_t least, case_fn check)
{
    const char *slash = strrchr(__FILE__, '/');
    char path[600];
    json_t *file, *c;
    size_t i, count = 0;

    snprintf(path, sizeof path, "%.*s/../conformance/formats/%s.json", (int)(slash - __FILE__),
        __FILE__, format);
    file = json_load_file(path, 0, NULL);
    assert_non_null(file);
    leat__arena_init(&t->scratch);
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        check(t, c, bytes_of(c, &t->scratch));
        count++;
    }
    assert_true(count >= least);
    leat__arena_release(&t->scratch);
    json_decref(file);
}

static void expect_bytes(leat_slice_t got, leat_slice_t wanted)
{
    assert_int_equal(got.size, wanted.size);
    assert_memory_equal(got.data, wanted.data, wanted.size);
}

/* ---- keys in topics ---- */

static void check_windowed(test_t *t, const json_t *c, leat_slice_t bytes)
{
    leat_slice_t key = text(c, "key"), got;
    int64_t start_ms = number(c, "start");
    int64_t end_ms = t->session ? number(c, "end") : start_ms + t->size_ms;
    leat_windowed_t window = {&key, start_ms, end_ms};
    leat__codec_env_t env = {.scratch = &t->scratch};
    const void *value;
    leat_error_t err;

    assert_int_equal(leat__encode(t->serde, &window, &env, &got, &err), LEAT_OK);
    expect_bytes(got, bytes);
    assert_int_equal(leat__decode(t->serde, bytes, &env, &value, &err), LEAT_OK);
    expect_bytes(*(const leat_slice_t *)((const leat_windowed_t *)value)->key, key);
    assert_true(((const leat_windowed_t *)value)->start_ms == window.start_ms);
    assert_true(((const leat_windowed_t *)value)->end_ms == window.end_ms);
}

static void test_windowed_keys_are_kafka_streams_both_ways(void **state)
{
    leat_builder_t *b = leat_builder_new();
    test_t t = {.size_ms = 10};

    (void)state;
    t.serde = leat_serde_windowed(b, leat_serde_string(), t.size_ms);
    each_case(&t, "time-windowed-key", 12, check_windowed);
    t.session = true;
    t.serde = leat_serde_session_windowed(b, leat_serde_string());
    each_case(&t, "session-windowed-key", 12, check_windowed);
    leat_builder_free(b);
}

/* ---- keys in stores and changelogs ---- */

static void check_store_key(test_t *t, const json_t *c, leat_slice_t bytes)
{
    leat__window_at_t at = {.start_ms = number(c, "start"), .seq = (uint32_t)number(c, "seq")};
    leat__window_at_t read;
    leat__buf_t row = {0}, world = {0};
    leat__store_t *s = t->kit.store;
    leat_slice_t key;

    if (t->session)
        at.end_ms = number(c, "end");
    expect_bytes(leat__world_key(s, leat__shape_key(s, text(c, "key"), &at, &row), &world), bytes);
    assert_true(leat__shape_parse(s, bytes, &key, &read));
    expect_bytes(key, text(c, "key"));
    assert_true(read.start_ms == at.start_ms);
    assert_int_equal(read.seq, at.seq);
    assert_true(!t->session || read.end_ms == at.end_ms);
    leat__buf_release(&row);
    leat__buf_release(&world);
}

static void store_keys(const char *format, size_t least, bool session, bool memory)
{
    test_t t = {.session = session};

    kit_init(&t.kit);
    t.kit.def = (leat__store_def_t){.name = "s", .logged = true,
        .kind = session ? LEAT_SESSIONS : LEAT_WINDOWS,
        .backend = memory ? leat_backend_memory() : leat_backend_rocksdb(),
        .opts = {.retention_ms = 1000, .window_size_ms = 10, .duplicates = !session}};
    kit_open(&t.kit);
    each_case(&t, format, least, check_store_key);
    kit_release(&t.kit);
}

static void test_store_keys_are_kafka_streams_both_ways(void **state)
{
    (void)state;
    for (int memory = 0; memory <= 1; memory++) {
        store_keys("window-store-key", 60, false, memory);
        store_keys("session-store-key", 12, true, memory);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windowed_keys_are_kafka_streams_both_ways),
        cmocka_unit_test(test_store_keys_are_kafka_streams_both_ways),
    };

    return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
