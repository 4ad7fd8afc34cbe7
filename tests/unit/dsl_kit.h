/*
 * tests/unit/dsl_kit.h: small functions of a program, and a driver around a topology, for the
 * tests of the DSL.
 */
#ifndef LEAT__TESTS_DSL_KIT_H
#define LEAT__TESTS_DSL_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <leat/leat.h>
#include <leat/testing.h>

static inline const leat_serde_t *str(void)
{
    return leat_serde_string();
}

static inline const leat_serde_t *i64(void)
{
    return leat_serde_int64();
}

/* A driver whose record cache has so many bytes. */
static inline leat_test_t *drive(leat_build_fn build, const char *cache_bytes)
{
    leat_config_t *config = leat_config_new();
    leat_test_t *t;

    leat_config_set(config, "statestore.cache.max.bytes", cache_bytes);
    leat_config_set(config, "dsl.store.backend", "memory");
    t = leat_test_new(leat_topology_build(build, config), config, NULL);
    assert_int_equal(leat_test_failure(t, NULL), LEAT_OK);
    return t;
}

static inline void pipe_text(
    leat_test_t *t, const char *topic, const char *key, const char *value, int64_t time_ms)
{
    leat_error_t err;

    if (leat_test_pipe_text(t, topic, key, value, time_ms) == LEAT_OK)
        return;
    leat_test_failure(t, &err);
    fail_msg("%s: %s", err.where, err.text);
}

/* The next record of a topic is this text; NULL: there is none. */
static inline void expect_text(leat_test_t *t, const char *topic, const char *text)
{
    const char *got = leat_test_read_text(t, topic);

    if (!text || !got)
        assert_true(got == text);
    else
        assert_string_equal(got, text);
}

/* The failure so far: its code, and a word that its text or place must name. */
static inline void expect_failure(leat_test_t *t, int code, const char *word)
{
    leat_error_t err;

    assert_int_equal(leat_test_failure(t, &err), code);
    if (!strstr(err.where, word) && !strstr(err.text, word))
        fail_msg("neither '%s' nor '%s' names '%s'", err.where, err.text, word);
}

static inline bool yes(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)ctx;
    (void)in;
    return true;
}

static inline bool no(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)ctx;
    (void)in;
    return false;
}

static inline void same(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

static inline void same_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_value(ctx, in->value);
}

static inline void value_as_key(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_key(ctx, in->value);
}

static inline void nothing(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)ctx;
    (void)in;
}

static inline void twice(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_value(ctx, in->value);
    leat_emit_value(ctx, in->value);
}

static inline void second(leat_ctx_t *ctx, const void *a, const void *b)
{
    (void)a;
    leat_emit_value(ctx, b);
}

/* "a+b"; an a of NULL is "". */
static inline void join_plus(leat_ctx_t *ctx, const void *a, const void *b)
{
    static const leat_slice_t empty = {"", 0};
    const leat_slice_t *x = a ? a : &empty, *y = b;

    leat_emit_value(ctx, leat_text(ctx, "%.*s+%.*s", LEAT_P(x), LEAT_P(y)));
}

static inline void join_minus(leat_ctx_t *ctx, const void *a, const void *b)
{
    const leat_slice_t *x = a, *y = b;

    leat_emit_value(ctx, leat_text(ctx, "%.*s-%.*s", LEAT_P(x), LEAT_P(y)));
}

#endif
