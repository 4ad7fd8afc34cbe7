/*
 * base/serde_json.c: the JSON serde, and the writing of JSON text.
 *
 * Text is written here and not by jansson, because a key's bytes choose its partition and must
 * not change with the version of a library: compact, members sorted by their bytes, reals in the
 * shortest form that reads back the same and always told apart from whole numbers ("1.0").
 * Reading is jansson's.
 */
#include "codec_inside.h"
#include "number.h"

#include <leat/json.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 2048 }; /* as jansson reads; also what ends a value that contains itself */

void leat__json_put_int(leat_codec_t *c, int64_t number)
{
    char text[32];

    leat_codec_put(c, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)number));
}

void leat__json_put_real(leat_codec_t *c, double number)
{
    char text[LEAT__DOUBLE_TEXT];
    size_t size;

    if (!isfinite(number)) {
        leat_codec_fail(c, "a number is not finite: JSON has no such");
        return;
    }
    size = leat__double_text(number, text);
    leat_codec_put(c, text, size);
    if (!memchr(text, '.', size) && !memchr(text, 'e', size))
        leat_codec_put(c, ".0", 2);
}

/* The length of the well-formed UTF-8 sequence at p, or 0. */
static size_t utf8_size(const unsigned char *p, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t code;

    if (size < 2)
        return size;
    if (size > left || p[0] > 0xf4)
        return 0;
    code = p[0] & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    if (code < smallest[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    return size;
}

static void put_escaped(leat_codec_t *c, unsigned char byte)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: byte, letter */
    char text[8];

    for (size_t i = 0; i + 1 < sizeof letters; i += 2)
        if ((unsigned char)letters[i] == byte) {
            leat_codec_put(c, (const char[2]){'\\', letters[i + 1]}, 2);
            return;
        }
    leat_codec_put(c, text, (size_t)snprintf(text, sizeof text, "\\u%04x", (unsigned)byte));
}

void leat__json_put_string(leat_codec_t *c, const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t done = 0, at = 0;

    leat_codec_put(c, "\"", 1);
    while (at < size) {
        size_t step = utf8_size(p + at, size - at);

        if (step == 0) {
            leat_codec_fail(c, "a text is not UTF-8 at its byte %zu: JSON cannot hold it", at);
            return;
        }
        if (p[at] < 0x20 || p[at] == '"' || p[at] == '\\') {
            leat_codec_put(c, p + done, at - done);
            put_escaped(c, p[at]);
            done = at + 1;
        }
        at += step;
    }
    leat_codec_put(c, p + done, at - done);
    leat_codec_put(c, "\"", 1);
}

static void put_json(leat_codec_t *c, const json_t *json, int depth);

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_object(leat_codec_t *c, json_t *object, int depth)
{
    size_t count = json_object_size(object), filled = 0;
    const char **keys = leat__arena_alloc(c->env->scratch, (count + 1) * sizeof *keys);
    const char *key;
    json_t *member;

    json_object_foreach(object, key, member) keys[filled++] = key;
    qsort(keys, count, sizeof *keys, by_bytes);
    leat_codec_put(c, "{", 1);
    for (size_t i = 0; i < count && !c->failed; i++) {
        if (i > 0)
            leat_codec_put(c, ",", 1);
        leat__json_put_string(c, keys[i], strlen(keys[i]));
        leat_codec_put(c, ":", 1);
        put_json(c, json_object_get(object, keys[i]), depth + 1);
    }
    leat_codec_put(c, "}", 1);
}

static void put_array(leat_codec_t *c, const json_t *array, int depth)
{
    leat_codec_put(c, "[", 1);
    for (size_t i = 0; i < json_array_size(array) && !c->failed; i++) {
        if (i > 0)
            leat_codec_put(c, ",", 1);
        put_json(c, json_array_get(array, i), depth + 1);
    }
    leat_codec_put(c, "]", 1);
}

static void put_json(leat_codec_t *c, const json_t *json, int depth)
{
    if (depth > DEPTH_MAX) {
        leat_codec_fail(
            c, "JSON nested deeper than %d levels, or a value that contains itself", DEPTH_MAX);
        return;
    }
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        put_object(c, (json_t *)(uintptr_t)json, depth); /* jansson's iterator takes no const */
        break;
    case JSON_ARRAY:
        put_array(c, json, depth);
        break;
    case JSON_STRING:
        leat__json_put_string(c, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        leat__json_put_int(c, json_integer_value(json));
        break;
    case JSON_REAL:
        leat__json_put_real(c, json_real_value(json));
        break;
    case JSON_TRUE:
        leat__codec_put_text(c, "true");
        break;
    case JSON_FALSE:
        leat__codec_put_text(c, "false");
        break;
    case JSON_NULL:
        leat__codec_put_text(c, "null");
        break;
    }
}

static void json_encode(leat_codec_t *c, const void *value)
{
    put_json(c, value, 0);
}

static void json_decode(leat_codec_t *c, void *room)
{
    leat_slice_t text = leat_codec_take_rest(c);
    json_error_t where;
    json_t *json = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);

    (void)room;
    if (json)
        leat_codec_value(c, json);
    else
        leat_codec_fail(c, "line %d, column %d: %s", where.line, where.column, where.text);
}

static void json_release(void *value)
{
    json_decref(value);
}

const leat_serde_t *leat_serde_json(void)
{
    static const leat_serde_t json_serde = {.name = "json",
        .encode = json_encode,
        .decode = json_decode,
        .release = json_release,
        .print = json_encode,
        .parse = json_decode};

    return &json_serde;
}

struct json_t *leat__json_copy(const struct json_t *value)
{
    return json_copy((json_t *)(uintptr_t)value); /* jansson counts references in what it copies */
}
