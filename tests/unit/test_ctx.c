/*
 * Goal: what a ctx offers: memory, headers, JSON, settings, metrics; and the calls that operators
 * make: what may be emitted, how often, under whose user data. Method: one node whose function is
 * the test; an operator is played by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <leat/json.h>
#include <leat/testing.h>
#include "base/log.h"
#include "runtime/ctx.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define S leat_serde_string()

static leat_error_t error;

static void forwards(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    (void)call, (void)how, (void)child;
    leat__forward(ctx, out);
}

/* Pipe one record through fn; what came out, as text ("" for none); error is the driver's. */
static const char *run_in(leat_map_fn fn, const leat_serde_t *value, leat_config_t *config)
{
    static char out[512];
    leat_builder_t *b = leat_builder_new();
    leat_header_t headers[] = {{"h", {"1", 1}}, {"g", {"2", 1}}, {"h", {"3", 1}}};
    leat_slice_t key = {"k", 1}, bytes = {value == leat_serde_json() ? "{\"a\":1}" : "Value", 0};
    const char *text;
    leat_test_t *t;

    bytes.size = strlen(bytes.data);
    leat_builder_source(b, "in", "source", S, value, NULL);
    leat_builder_processor(b, "source", "proc", fn, &(leat_node_opts_t){.user = "mine"});
    leat_builder_sink(b, "proc", "sink", "out", S, value, NULL);
    t = leat_test_new(leat_builder_finish(b), config, &(leat_test_opts_t){.start_wall_ms = 77});
    leat_test_pipe_bytes(t, "in", &key, &bytes, 5, headers, 3);
    leat_test_failure(t, &error);
    out[0] = '\0';
    while ((text = leat_test_read_text(t, "out")))
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s ", text);
    leat_test_free(t);
    return out;
}

static const char *run(leat_map_fn fn)
{
    return run_in(fn, S, NULL);
}

/* ---- memory, place ---- */

static void uses_memory(leat_ctx_t *ctx, const leat_record_t *in)
{
    const char *zeroed = leat_scratch(ctx, 100);
    const leat_slice_t *text = leat_text(ctx, "%0300d", 7);

    for (int i = 0; i < 100; i++)
        assert_int_equal(zeroed[i], 0);
    assert_int_equal(text->size, 300);
    assert_int_equal(text->data[299], '7');
    assert_true(leat_slice_is(leat_lower(ctx, &(leat_slice_t){"A\xC3\x84z[", 5}), "a\xC3\x84z["));
    assert_null(leat_lower(ctx, NULL));
    assert_string_equal(leat_cstr(ctx, in->value), "Value");
    assert_string_equal(leat_user(ctx), "mine");
    assert_string_equal(leat_node(ctx), "proc");
    assert_string_equal(leat_task_id(ctx), "0_0");
    assert_int_equal(leat_wall_ms(ctx), 77);
    assert_int_equal(leat_stream_time_ms(ctx), 5);
    assert_int_equal(leat_partition_time_ms(ctx), 5);
    assert_int_equal(leat_time_ms(ctx), 5);
    assert_true(leat_slice_is(leat_key(ctx), "k"));
    assert_int_equal(leat_headers_count(leat_headers(ctx)), 3);
    leat_emit_key(ctx, leat_text(ctx, "%s", "K2"));
}

static void test_memory_and_place(void **state)
{
    (void)state;
    assert_string_equal(run(uses_memory), "K2=Value@5 ");
    assert_int_equal(error.code, 0);
}

static void changes_headers(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_record_t out = *in;

    out.headers = leat_headers_without(ctx, out.headers, "h");
    assert_int_equal(leat_headers_count(out.headers), 1);
    out.headers = leat_headers_with(ctx, out.headers, "n", NULL);
    assert_int_equal(leat_headers_count(out.headers), 2);
    assert_int_equal(leat_headers_count(in->headers), 3);
    leat_emit_record(ctx, &out);
}

static void test_headers_are_values(void **state)
{
    (void)state;
    assert_string_equal(run(changes_headers), "k=Value@5 ");
}

static void changes_json(leat_ctx_t *ctx, const leat_record_t *in)
{
    json_t *copy = leat_json_copy(ctx, in->value);

    assert_null(leat_json_copy(ctx, NULL));
    assert_null(leat_json(ctx, NULL));
    json_object_set_new(copy, "b", json_integer(2));
    leat_emit_value(ctx, copy);
    assert_int_equal(json_object_size(in->value), 1);
    leat_emit_value(ctx, leat_json(ctx, json_pack("[i]", 3)));
}

static void test_json_is_released_with_the_record(void **state)
{
    (void)state; /* LeakSanitizer sees the rest */
    assert_string_equal(
        run_in(changes_json, leat_serde_json(), NULL), "k={\"a\":1,\"b\":2}@5 k=[3]@5 ");
}

static void reads_settings(leat_ctx_t *ctx, const leat_record_t *in)
{
    assert_string_equal(leat_setting(ctx, "application.id"), "shop");
    assert_string_equal(leat_setting(ctx, "max.task.idle.ms"), "0");
    assert_null(leat_setting(ctx, "no.such.property"));
    leat_emit_record(ctx, in);
}

static void test_settings(void **state)
{
    leat_config_t *config = leat_config_new();

    (void)state;
    leat_config_set(config, "application.id", "shop");
    assert_string_equal(run_in(reads_settings, S, config), "k=Value@5 ");
}

/* ---- calls ---- */

static void emits_two_values(leat_ctx_t *ctx, const leat_record_t *in)
{
    assert_string_equal(leat_user(ctx), "operator's");
    leat_emit_value(ctx, in->value);
    leat_emit_value(ctx, leat_text(ctx, "second"));
}

static void emits_key(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit(ctx, in->value, in->value);
}

static void emits_none(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)ctx, (void)in;
}

static leat_map_fn inner;

/* As map_values does: exactly one value. */
static void one_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat__call_t call = {
        .user = "operator's", .emit = forwards, .allowed = LEAT__EMIT_VALUE, .count_max = 1};

    leat__call_map(ctx, &call, inner, in);
    leat__call_check_one(ctx, &call);
    assert_string_equal(leat_user(ctx), "mine");
}

static void test_emission_rules(void **state)
{
    (void)state;
    inner = emits_two_values;
    run(one_value);
    assert_int_equal(error.code, LEAT_ETYPE);
    assert_non_null(strstr(error.text, "more than 1 time"));
    assert_string_equal(error.where, "proc, task 0_0, in-0@0");
    inner = emits_key;
    run(one_value);
    assert_int_equal(error.code, LEAT_ETYPE);
    assert_non_null(strstr(error.text, "leat_emit()"));
    inner = emits_none;
    run(one_value);
    assert_int_equal(error.code, LEAT_ETYPE);
    assert_non_null(strstr(error.text, "emitted 0 times"));
}

static void joins(leat_ctx_t *ctx, const void *a, const void *b)
{
    assert_true(leat_slice_is(leat_key(ctx), "k"));
    leat_emit_value(ctx, leat_text(ctx, "%.*s+%.*s", LEAT_P((const leat_slice_t *)a),
                             LEAT_P((const leat_slice_t *)b)));
}

static void combines(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat__call_t call = {.emit = forwards, .allowed = LEAT__EMIT_VALUE, .count_max = 1};

    leat__call_combine(ctx, &call, joins, in->value, in->key);
    leat__call_check_one(ctx, &call);
}

static void test_combine(void **state)
{
    (void)state;
    assert_string_equal(run(combines), "k=Value+k@5 ");
}

static bool says_yes(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)in;
    return leat_user(ctx) != NULL;
}

static bool emits(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
    return true;
}

static void asks(leat_ctx_t *ctx, const leat_record_t *in)
{
    assert_true(leat__call_predicate(ctx, "u", says_yes, in));
    assert_false(leat__call_predicate(ctx, NULL, says_yes, in));
    assert_true(leat__ok(ctx));
    assert_false(leat__call_predicate(ctx, NULL, emits, in));
    assert_false(leat__ok(ctx));
}

static void test_predicates_may_not_emit(void **state)
{
    (void)state;
    assert_string_equal(run(asks), "");
    assert_int_equal(error.code, LEAT_ETYPE);
}

static void fails_twice(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_fail(ctx, LEAT_EUSER, "first %d", 1);
    leat_fail(ctx, LEAT_ETYPE, "second");
    leat_emit_record(ctx, in);
}

static void test_first_failure_of_a_call_is_kept(void **state)
{
    (void)state;
    assert_string_equal(run(fails_twice), "");
    assert_int_equal(error.code, LEAT_EUSER);
    assert_string_equal(error.text, "first 1");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_and_place),
        cmocka_unit_test(test_headers_are_values),
        cmocka_unit_test(test_json_is_released_with_the_record),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_emission_rules),
        cmocka_unit_test(test_combine),
        cmocka_unit_test(test_predicates_may_not_emit),
        cmocka_unit_test(test_first_failure_of_a_call_is_kept),
    };

    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
