/*
 * base/serde_fields.c: structs by a table of fields, as bytes and as a JSON object.
 *
 *   bytes  the fields in order: bool 1, int32 4, int64 8, double 8 bytes, big endian; slices and
 *          chars {size 4}{bytes}, a slice without data has the size -1
 *   JSON   {"name":value,...} in the same order; read back by jansson: unknown members are ignored,
 *          missing and null ones stay zero
 *
 * A wrong size in the table is the program's mistake; it fails each record with the field's name
 * instead of reading beyond the member.
 */
#include "codec_inside.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static const char *const type_names[] = {
    NULL, "BOOL", "INT32", "INT64", "DOUBLE", "SLICE", "CHARS"};

static bool field_fits(leat_codec_t *c, const leat_field_t *f)
{
    static const size_t sizes[] = {0, sizeof(bool), 4, 8, 8, sizeof(leat_slice_t), 0};

    if (f->type < LEAT_FIELD_BOOL || f->type > LEAT_FIELD_CHARS) {
        leat_codec_fail(c, "field %s has no type of LEAT_FIELD_*", f->name);
        return false;
    }
    if (f->type == LEAT_FIELD_CHARS ? f->size == 0 : f->size != sizes[f->type]) {
        leat_codec_fail(c, "field %s is LEAT_FIELD_%s, but its member has %zu bytes", f->name,
            type_names[f->type], f->size);
        return false;
    }
    return c->failed == false;
}

static const leat_field_t *first_field(leat_codec_t *c)
{
    static const leat_field_t none = LEAT_FIELDS_END;

    if (c->serde->user)
        return c->serde->user;
    leat_codec_fail(c, "the table of fields is missing (.user)");
    return &none;
}

/* A text in a char array; false: it has no terminator. */
static bool chars_of(leat_codec_t *c, const leat_field_t *f, const char *member, leat_slice_t *text)
{
    *text = (leat_slice_t){member, strnlen(member, f->size)};
    if (text->size < f->size)
        return true;
    leat_codec_fail(c, "field %s has no terminator in its %zu bytes", f->name, f->size);
    return false;
}

static void chars_set(leat_codec_t *c, const leat_field_t *f, char *member, leat_slice_t text)
{
    if (c->failed)
        return;
    if (text.size >= f->size)
        leat_codec_fail(
            c, "field %s holds %zu bytes, got a text of %zu", f->name, f->size - 1, text.size);
    else if (text.size && memchr(text.data, '\0', text.size))
        leat_codec_fail(c, "field %s got a text with a zero byte", f->name);
    else if (text.size)
        memcpy(member, text.data, text.size);
}

/* ---- bytes ---- */

void leat_fields_encode(leat_codec_t *c, const void *value)
{
    for (const leat_field_t *f = first_field(c); f->name && field_fits(c, f); f++) {
        const void *member = (const char *)value + f->offset;
        leat_slice_t text;

        switch (f->type) {
        case LEAT_FIELD_BOOL:
            leat_codec_put_int8(c, *(const bool *)member);
            break;
        case LEAT_FIELD_INT32:
            leat_codec_put_int32(c, *(const int32_t *)member);
            break;
        case LEAT_FIELD_INT64:
            leat_codec_put_int64(c, *(const int64_t *)member);
            break;
        case LEAT_FIELD_DOUBLE:
            leat_codec_put_double(c, *(const double *)member);
            break;
        case LEAT_FIELD_SLICE:
            leat_codec_put_slice(c, member);
            break;
        case LEAT_FIELD_CHARS:
            if (chars_of(c, f, member, &text))
                leat_codec_put_slice(c, &text);
            break;
        }
    }
}

static bool take_bool(leat_codec_t *c, const leat_field_t *f)
{
    int8_t v = leat_codec_take_int8(c);

    if (v != 0 && v != 1)
        leat_codec_fail(c, "field %s is a bool, its byte is %d", f->name, (int)v);
    return v == 1;
}

void leat_fields_decode(leat_codec_t *c, void *room)
{
    for (const leat_field_t *f = first_field(c); f->name && field_fits(c, f); f++) {
        void *member = (char *)room + f->offset;

        switch (f->type) {
        case LEAT_FIELD_BOOL:
            *(bool *)member = take_bool(c, f);
            break;
        case LEAT_FIELD_INT32:
            *(int32_t *)member = leat_codec_take_int32(c);
            break;
        case LEAT_FIELD_INT64:
            *(int64_t *)member = leat_codec_take_int64(c);
            break;
        case LEAT_FIELD_DOUBLE:
            *(double *)member = leat_codec_take_double(c);
            break;
        case LEAT_FIELD_SLICE:
            *(leat_slice_t *)member = leat_codec_take_slice(c);
            break;
        case LEAT_FIELD_CHARS:
            chars_set(c, f, member, leat_codec_take_slice(c));
            break;
        }
    }
}

/* ---- JSON ---- */

static void put_json_text(leat_codec_t *c, const leat_slice_t *text)
{
    if (text->data)
        leat__json_put_string(c, text->data, text->size);
    else
        leat__codec_put_text(c, "null");
}

static void put_json_field(leat_codec_t *c, const leat_field_t *f, const void *member)
{
    leat_slice_t text;

    switch (f->type) {
    case LEAT_FIELD_BOOL:
        leat__codec_put_text(c, *(const bool *)member ? "true" : "false");
        break;
    case LEAT_FIELD_INT32:
        leat__json_put_int(c, *(const int32_t *)member);
        break;
    case LEAT_FIELD_INT64:
        leat__json_put_int(c, *(const int64_t *)member);
        break;
    case LEAT_FIELD_DOUBLE:
        if (isfinite(*(const double *)member))
            leat__json_put_real(c, *(const double *)member);
        else
            leat_codec_fail(c, "field %s is no finite number: JSON has no such", f->name);
        break;
    case LEAT_FIELD_SLICE:
        put_json_text(c, member);
        break;
    case LEAT_FIELD_CHARS:
        if (chars_of(c, f, member, &text))
            put_json_text(c, &text);
        break;
    }
}

void leat_fields_encode_json(leat_codec_t *c, const void *value)
{
    const leat_field_t *first = first_field(c);

    leat_codec_put(c, "{", 1);
    for (const leat_field_t *f = first; f->name && field_fits(c, f); f++) {
        if (f != first)
            leat_codec_put(c, ",", 1);
        leat__json_put_string(c, f->name, strlen(f->name));
        leat_codec_put(c, ":", 1);
        put_json_field(c, f, (const char *)value + f->offset);
    }
    leat_codec_put(c, "}", 1);
}

static const char *json_kind(const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "a whole number";
    case JSON_REAL:
        return "a number with a fraction";
    default:
        return json_is_null(json) ? "null" : "a bool";
    }
}

static bool json_is(
    leat_codec_t *c, const leat_field_t *f, const json_t *json, bool right, const char *wanted)
{
    if (!right)
        leat_codec_fail(c, "field %s takes %s, got %s", f->name, wanted, json_kind(json));
    return right;
}

static void set_json_int32(leat_codec_t *c, const leat_field_t *f, const json_t *json, void *member)
{
    json_int_t v = json_integer_value(json);

    if (v < INT32_MIN || v > INT32_MAX)
        leat_codec_fail(c, "field %s takes 32 bits, got %lld", f->name, (long long)v);
    else
        *(int32_t *)member = (int32_t)v;
}

static void set_json_field(leat_codec_t *c, const leat_field_t *f, const json_t *json, void *member)
{
    leat_slice_t text = {json_string_value(json), json_string_length(json)};

    switch (f->type) {
    case LEAT_FIELD_BOOL:
        if (json_is(c, f, json, json_is_boolean(json), "true or false"))
            *(bool *)member = json_is_true(json);
        break;
    case LEAT_FIELD_INT32:
        if (json_is(c, f, json, json_is_integer(json), "a whole number"))
            set_json_int32(c, f, json, member);
        break;
    case LEAT_FIELD_INT64:
        if (json_is(c, f, json, json_is_integer(json), "a whole number"))
            *(int64_t *)member = json_integer_value(json);
        break;
    case LEAT_FIELD_DOUBLE:
        if (json_is(c, f, json, json_is_number(json), "a number"))
            *(double *)member = json_number_value(json);
        break;
    case LEAT_FIELD_SLICE:
        /* The tree goes before the value does: the text moves to scratch. */
        if (json_is(c, f, json, json_is_string(json), "a string"))
            *(leat_slice_t *)member =
                (leat_slice_t){leat__arena_copy(c->env->scratch, text.data, text.size), text.size};
        break;
    case LEAT_FIELD_CHARS:
        if (json_is(c, f, json, json_is_string(json), "a string"))
            chars_set(c, f, member, text);
        break;
    }
}

void leat_fields_decode_json(leat_codec_t *c, void *room)
{
    leat_slice_t text = leat_codec_take_rest(c);
    json_error_t where;
    json_t *object = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);

    if (!object) {
        leat_codec_fail(c, "line %d, column %d: %s", where.line, where.column, where.text);
        return;
    }
    if (!json_is_object(object))
        leat_codec_fail(c, "takes a JSON object, got %s", json_kind(object));
    for (const leat_field_t *f = first_field(c); f->name && field_fits(c, f); f++) {
        const json_t *member = json_object_get(object, f->name);

        if (member && !json_is_null(member))
            set_json_field(c, f, member, (char *)room + f->offset);
    }
    json_decref(object);
}

bool leat__serde_is_flat(const leat_serde_t *s)
{
    if (s->flat)
        return true;
    if ((s->decode != leat_fields_decode && s->decode != leat_fields_decode_json) || !s->user ||
        s->release)
        return false;
    for (const leat_field_t *f = s->user; f->name; f++)
        if (f->type == LEAT_FIELD_SLICE)
            return false;
    return true;
}
