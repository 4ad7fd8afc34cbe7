/* base/json_value.c: see json_value.h. */
#include "json_value.h"
#include "base64.h"
#include "codec_inside.h"
#include "log.h"

#include <leat/json.h>

#include <jansson.h>
#include <math.h>
#include <string.h>

/* ---- to JSON ---- */

static void put_base64(leat__buf_t *out, leat_slice_t bytes)
{
    leat__buf_put_text(out, "{\"base64\":\"");
    leat__base64_put(out, bytes);
    leat__buf_put_text(out, "\"}");
}

/* Escaped, in scratch; false: not UTF-8. */
static bool quote(leat_slice_t text, leat__arena_t *scratch, leat_slice_t *quoted)
{
    leat__codec_env_t env = {.scratch = scratch};
    leat_error_t err;
    leat_codec_t c = {.env = &env, .serde = leat_serde_string(), .err = &err};

    leat__json_put_string(&c, text.data, text.size);
    *quoted = (leat_slice_t){c.out, c.out_size};
    return !c.failed;
}

static void put_text(leat__buf_t *out, leat_slice_t text, leat__arena_t *scratch)
{
    leat_slice_t quoted;

    if (quote(text, scratch, &quoted))
        leat__buf_put(out, quoted.data, quoted.size);
    else
        put_base64(out, text);
}

void leat__json_put_text(leat__buf_t *out, leat_slice_t text)
{
    leat__arena_t scratch;

    leat__arena_init(&scratch);
    put_text(out, text, &scratch);
    leat__arena_release(&scratch);
}

static void put_real(leat__buf_t *out, double number, leat_slice_t text)
{
    if (isnan(number))
        leat__buf_put_text(out, "\"NaN\"");
    else if (isinf(number))
        leat__buf_put_text(out, number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else
        leat__buf_put(out, text.data, text.size);
}

static void put_builtin(
    leat__buf_t *out, leat__builtin_t kind, const void *value, leat__arena_t *scratch)
{
    leat_slice_t text;

    if (kind == LEAT__STRING) {
        put_text(out, *(const leat_slice_t *)value, scratch);
        return;
    }
    if (kind == LEAT__BYTES) {
        put_base64(out, *(const leat_slice_t *)value);
        return;
    }
    text = leat__builtin_print(kind, value, scratch);
    if (kind == LEAT__FLOAT)
        put_real(out, (double)*(const float *)value, text);
    else if (kind == LEAT__DOUBLE)
        put_real(out, *(const double *)value, text);
    else
        leat__buf_put(out, text.data, text.size);
}

static bool prints_json(const leat_serde_t *s)
{
    return s == leat_serde_json() || s->print == leat_fields_encode_json;
}

/* By the serde's print; false: it has none, or failed. */
static bool put_printed(
    leat__buf_t *out, const leat_serde_t *s, const void *value, leat__arena_t *scratch)
{
    leat__codec_env_t env = {.scratch = scratch};
    leat_error_t err;
    leat_codec_t c = {.env = &env, .serde = s, .err = &err};

    if (!s->print)
        return false;
    s->print(&c, value);
    if (c.failed)
        return false;
    if (prints_json(s))
        leat__buf_put(out, c.out, c.out_size);
    else
        put_text(out, (leat_slice_t){c.out, c.out_size}, scratch);
    return true;
}

static void put_encoded(
    leat__buf_t *out, const leat_serde_t *s, const void *value, leat__arena_t *scratch)
{
    leat__codec_env_t env = {.scratch = scratch, .topic = ""};
    leat_slice_t bytes;
    leat_error_t err;

    if (leat__encode(s, value, &env, &bytes, &err))
        leat__buf_put_text(out, "null");
    else
        put_base64(out, bytes);
}

void leat__json_put(
    leat__buf_t *out, const leat_serde_t *s, const void *value, leat__arena_t *scratch)
{
    leat__builtin_t kind = leat__builtin_of(s);
    const leat_serde_t *inner = leat__serde_inner(s);

    if (!value) {
        leat__buf_put_text(out, "null");
    } else if (kind != LEAT__NOT_BUILTIN) {
        put_builtin(out, kind, value, scratch);
    } else if (inner) {
        const leat_windowed_t *windowed = value;

        leat__buf_put_text(out, "{\"key\":");
        leat__json_put(out, inner, windowed->key, scratch);
        leat__buf_format(out, ",\"start\":%lld,\"end\":%lld}", (long long)windowed->start_ms,
            (long long)windowed->end_ms);
    } else if (!put_printed(out, s, value, scratch)) {
        put_encoded(out, s, value, scratch);
    }
}

/* ---- from JSON ---- */

static int take(const leat_serde_t *s, const json_t *json, leat__arena_t *scratch,
    const void **value, leat_error_t *err);

static int not_a(const leat_serde_t *s, const char *form, leat_error_t *err)
{
    return leat__error(err, LEAT_ESERDE, 0, NULL, "%s: its JSON form is %s", s->name, form);
}

/* The text lives in scratch, the tree does not. */
static leat_slice_t text_of(const json_t *json, leat__arena_t *scratch)
{
    size_t size = json_string_length(json);

    return (leat_slice_t){leat__arena_copy(scratch, json_string_value(json), size), size};
}

static int take_bytes(const leat_serde_t *s, const json_t *json, leat__arena_t *scratch,
    const void **value, leat_error_t *err)
{
    leat__codec_env_t env = {.scratch = scratch, .topic = ""};
    const json_t *text = json_object_get(json, "base64");
    leat_slice_t bytes;

    if (!json_is_string(text) || !leat__base64_take(text_of(text, scratch), scratch, &bytes))
        return not_a(s, "{\"base64\":\"...\"}", err);
    return leat__decode(s, bytes, &env, value, err);
}

static int take_windowed(const leat_serde_t *s, const json_t *json, leat__arena_t *scratch,
    const void **value, leat_error_t *err)
{
    const json_t *key = json_object_get(json, "key"), *start = json_object_get(json, "start"),
                 *end = json_object_get(json, "end");
    leat_windowed_t *windowed = leat__arena_alloc(scratch, sizeof *windowed);

    if (!key || !json_is_integer(start) || !json_is_integer(end))
        return not_a(s, "{\"key\":...,\"start\":MS,\"end\":MS}", err);
    *windowed = (leat_windowed_t){
        .start_ms = json_integer_value(start), .end_ms = json_integer_value(end)};
    *value = windowed;
    return take(leat__serde_inner(s), key, scratch, &windowed->key, err);
}

static int take_json_text(const leat_serde_t *s, const json_t *json, leat__arena_t *scratch,
    const void **value, leat_error_t *err)
{
    leat__codec_env_t env = {.scratch = scratch};
    leat_slice_t text;
    int rc = leat__encode(leat_serde_json(), json, &env, &text, err);

    return rc ? rc : leat__parse(s, text, scratch, value, err);
}

static int take(const leat_serde_t *s, const json_t *json, leat__arena_t *scratch,
    const void **value, leat_error_t *err)
{
    leat__builtin_t kind = leat__builtin_of(s);

    *value = NULL;
    if (prints_json(s))
        return take_json_text(s, json, scratch, value, err);
    if (json_is_object(json) && json_object_size(json) == 1)
        return take_bytes(s, json, scratch, value, err);
    if (leat__serde_inner(s))
        return take_windowed(s, json, scratch, value, err);
    if (json_is_string(json) && kind != LEAT__BYTES && kind != LEAT__INT32 && kind != LEAT__INT64)
        return leat__parse(s, text_of(json, scratch), scratch, value, err);
    if (json_is_number(json) && kind > LEAT__BYTES && kind != LEAT__NOT_BUILTIN)
        return take_json_text(s, json, scratch, value, err);
    return not_a(s, kind == LEAT__STRING ? "a string" : kind > LEAT__BYTES && kind != LEAT__NOT_BUILTIN
                                                            ? "a number"
                                                            : "{\"base64\":\"...\"}",
        err);
}

int leat__json_take(const leat_serde_t *s, leat_slice_t json, leat__arena_t *scratch,
    const void **value, leat_error_t *err)
{
    json_error_t where;
    json_t *tree = json_loadb(json.data, json.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
    int rc;

    *value = NULL;
    if (!tree)
        return leat__error(err, LEAT_ESERDE, 0, NULL, "no JSON: line %d, column %d: %s", where.line,
            where.column, where.text);
    rc = take(s, tree, scratch, value, err);
    json_decref(tree);
    return rc;
}
