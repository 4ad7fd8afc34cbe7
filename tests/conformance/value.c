/* tests/conformance/value.c: types and values of FORMAT.md, section 2. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conformance.h"

/* ---- types ---- */

static const type_t *intern(run_t *r, const char *name, type_t made)
{
    type_t *type = need(sizeof *type);

    *type = made;
    type->name = need_text(name);
    type->next = r->types;
    r->types = type;
    return type;
}

static const type_t *windowed(run_t *r, const char *name)
{
    bool session = strncmp(name, "session", 7) == 0;
    char *inner = need_text(strchr(name, ':') + 1), *size = session ? NULL : strrchr(inner, ':');
    type_t type = {.kind = session ? SESSION : WINDOWED};

    if (size) {
        *size++ = '\0';
        type.size_ms = strtoll(size, NULL, 10);
    }
    type.inner = type_of(r, inner);
    free(inner);
    if (!type.inner)
        return NULL;
    type.serde = session ? leat_serde_session_windowed(r->builder, type.inner->serde)
                         : leat_serde_windowed(r->builder, type.inner->serde, type.size_ms);
    return intern(r, name, type);
}

const type_t *type_of(run_t *r, const char *name)
{
    if (!name)
        return NULL;
    for (const type_t *type = r->types; type; type = type->next) {
        if (strcmp(type->name, name) == 0)
            return type;
    }
    if (strcmp(name, "string") == 0)
        return intern(r, name, (type_t){.kind = STRING, .serde = leat_serde_string()});
    if (strcmp(name, "bytes") == 0)
        return intern(r, name, (type_t){.kind = BYTES, .serde = leat_serde_bytes()});
    if (strcmp(name, "int32") == 0)
        return intern(r, name, (type_t){.kind = INT32, .serde = leat_serde_int32()});
    if (strcmp(name, "int64") == 0)
        return intern(r, name, (type_t){.kind = INT64, .serde = leat_serde_int64()});
    if (strcmp(name, "double") == 0)
        return intern(r, name, (type_t){.kind = DOUBLE, .serde = leat_serde_double()});
    if (strncmp(name, "time_windowed:", 14) == 0 || strncmp(name, "session_windowed:", 17) == 0)
        return windowed(r, name);
    unsupported(r, "type %s", name);
    return NULL;
}

/* ---- values ---- */

value_t value_of(const type_t *type, const void *c)
{
    value_t v = {.type = c ? type : NULL, .origin = c};

    if (!c || !type)
        return (value_t){0};
    switch (type->kind) {
    case STRING:
    case BYTES:
        v.text = *(const leat_slice_t *)c;
        break;
    case INT32:
        v.number = *(const int32_t *)c;
        break;
    case INT64:
        v.number = *(const int64_t *)c;
        break;
    case DOUBLE:
        v.real = *(const double *)c;
        break;
    case WINDOWED:
    case SESSION:
        v.window = *(const leat_windowed_t *)c;
        break;
    }
    return v;
}

static const void *scratch_copy(leat_ctx_t *ctx, const void *c, size_t size)
{
    return memcpy(leat_scratch(ctx, size), c, size);
}

const void *c_of(leat_ctx_t *ctx, const type_t *type, const value_t *v, bool *failed)
{
    int32_t small = (int32_t)v->number;

    *failed = false;
    if (!v->type)
        return NULL;
    if (!type || v->type->kind != type->kind) {
        leat_fail(ctx, LEAT_ETYPE, "a value of type %s where %s is wanted", v->type->name,
            type ? type->name : "nothing");
        *failed = true;
        return NULL;
    }
    if (v->origin)
        return v->origin;
    switch (type->kind) {
    case STRING:
    case BYTES:
        return scratch_copy(ctx, &v->text, sizeof v->text);
    case INT32:
        return scratch_copy(ctx, &small, sizeof small);
    case INT64:
        return scratch_copy(ctx, &v->number, sizeof v->number);
    case DOUBLE:
        return scratch_copy(ctx, &v->real, sizeof v->real);
    case WINDOWED:
    case SESSION:
        break;
    }
    return scratch_copy(ctx, &v->window, sizeof v->window);
}

value_t value_copy(leat_ctx_t *ctx, value_t v)
{
    bool failed;
    value_t inner;

    v.origin = NULL;
    if (!v.type)
        return v;
    if (v.type->kind == STRING || v.type->kind == BYTES)
        v.text.data = memcpy(leat_scratch(ctx, v.text.size + 1), v.text.data, v.text.size);
    if (v.type->inner) {
        inner = value_copy(ctx, value_of(v.type->inner, v.window.key));
        v.window.key = c_of(ctx, v.type->inner, &inner, &failed);
    }
    return v;
}

value_t text_value(run_t *r, leat_slice_t text)
{
    return (value_t){.type = type_of(r, "string"), .text = text};
}

value_t number_value(run_t *r, kind_t kind, int64_t number)
{
    if (kind == INT32)
        return (value_t){
            .type = type_of(r, "int32"), .number = (int32_t)(uint32_t)(uint64_t)number};
    return (value_t){.type = type_of(r, "int64"), .number = number};
}

value_t real_value(run_t *r, double number)
{
    return (value_t){.type = type_of(r, "double"), .real = number};
}

static leat_slice_t hex(leat_ctx_t *ctx, leat_slice_t bytes)
{
    char *text = leat_scratch(ctx, bytes.size * 2 + 1);

    for (size_t i = 0; i < bytes.size; i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned char)bytes.data[i]);
    return (leat_slice_t){text, bytes.size * 2};
}

leat_slice_t text_of(leat_ctx_t *ctx, const value_t *v)
{
    value_t inner;
    leat_slice_t text;

    if (!v->type)
        return leat_slice("null");
    switch (v->type->kind) {
    case STRING:
        return v->text;
    case BYTES:
        return hex(ctx, v->text);
    case INT32:
    case INT64:
        return *leat_text(ctx, "%lld", (long long)v->number);
    case DOUBLE:
        leat_fail(ctx, LEAT_ETYPE, "a double has no text form");
        return leat_slice("");
    case WINDOWED:
    case SESSION:
        break;
    }
    inner = value_of(v->type->inner, v->window.key);
    text = text_of(ctx, &inner);
    return *leat_text(ctx, "[%.*s@%lld/%lld]", LEAT_P(&text), (long long)v->window.start_ms,
        (long long)v->window.end_ms);
}

/* ---- JSON and bytes ---- */

static void put_number(char *to, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (char)(number >> (8 * (size - 1 - i)));
}

static void unhex(const char *text, leat_slice_t *bytes)
{
    size_t size = strlen(text) / 2;
    char *data = need(size + 1);

    for (size_t i = 0; i < size; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};

        data[i] = (char)strtoul(digits, NULL, 16);
    }
    *bytes = (leat_slice_t){data, size};
}

static double real_of(const json_t *json)
{
    const char *text = json_string_value(json);

    if (!text)
        return json_number_value(json);
    return strcmp(text, "NaN") == 0 ? (double)NAN
           : text[0] == '-'         ? -(double)INFINITY
                                    : (double)INFINITY;
}

static void window_bytes(run_t *r, const type_t *type, const json_t *json, leat_slice_t *bytes)
{
    leat_slice_t key = {0};
    int64_t start = get_int(json, "start", 0), end = get_int(json, "end", 0);
    size_t more = type->kind == SESSION ? 16 : 8;
    char *data;

    bytes_of_json(r, type->inner, json_object_get(json, "key"), &key);
    data = need(key.size + more);
    if (key.size)
        memcpy(data, key.data, key.size);
    put_number(data + key.size, (uint64_t)(type->kind == SESSION ? end : start), 8);
    if (type->kind == SESSION)
        put_number(data + key.size + 8, (uint64_t)start, 8);
    free((char *)(uintptr_t)key.data);
    *bytes = (leat_slice_t){data, key.size + more};
}

bool bytes_of_json(run_t *r, const type_t *type, const json_t *json, leat_slice_t *bytes)
{
    const json_t *raw = json_object_get(json, "raw");
    double real;
    uint64_t bits;
    char *data;

    *bytes = (leat_slice_t){0};
    if (!json || json_is_null(json))
        return false;
    if (raw || type->kind == BYTES) {
        unhex(json_string_value(raw ? raw : json), bytes);
        return true;
    }
    if (type->inner) {
        window_bytes(r, type, json, bytes);
        return true;
    }
    if (type->kind == STRING) {
        data = need(json_string_length(json) + 1);
        memcpy(data, json_string_value(json), json_string_length(json));
        *bytes = (leat_slice_t){data, json_string_length(json)};
        return true;
    }
    bits = (uint64_t)json_integer_value(json);
    if (type->kind == DOUBLE) {
        real = real_of(json);
        memcpy(&bits, &real, sizeof bits);
    }
    *bytes = (leat_slice_t){data = need(8), type->kind == INT32 ? 4 : 8};
    put_number(data, bits, bytes->size);
    return true;
}

json_t *hex_json(const leat_slice_t *bytes)
{
    char *text;
    json_t *json;

    if (!bytes)
        return json_null();
    text = need(bytes->size * 2 + 1);
    for (size_t i = 0; i < bytes->size; i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned char)bytes->data[i]);
    json = json_string(text);
    free(text);
    return json;
}

static size_t wire(const type_t *type, const void *c, char **bytes)
{
    value_t v = value_of(type, c);
    uint64_t bits = (uint64_t)v.number;
    size_t size;

    if (type->kind == STRING || type->kind == BYTES) {
        *bytes = need(v.text.size + 1);
        memcpy(*bytes, v.text.data, v.text.size);
        return v.text.size;
    }
    if (type->inner) {
        char *key = NULL;

        size = v.window.key ? wire(type->inner, v.window.key, &key) : 0;
        *bytes = need(size + 16);
        memcpy(*bytes, key ? key : "", size);
        free(key);
        put_number(*bytes + size,
            (uint64_t)(type->kind == SESSION ? v.window.end_ms : v.window.start_ms), 8);
        if (type->kind == SESSION)
            put_number(*bytes + size + 8, (uint64_t)v.window.start_ms, 8);
        return size + (type->kind == SESSION ? 16 : 8);
    }
    if (type->kind == DOUBLE)
        memcpy(&bits, &v.real, sizeof bits);
    size = type->kind == INT32 ? 4 : 8;
    *bytes = need(size);
    put_number(*bytes, bits, size);
    return size;
}

json_t *wire_json(const type_t *type, const void *c)
{
    leat_slice_t slice;
    json_t *json;
    char *bytes;

    if (!c)
        return json_null();
    slice.size = wire(type, c, &bytes);
    slice.data = bytes;
    json = hex_json(&slice);
    free(bytes);
    return json;
}

void *c_of_json(run_t *r, op_t *owner, const type_t *type, const json_t *json)
{
    leat_slice_t bytes;
    char *room;

    (void)owner;
    if (!json || json_is_null(json))
        return NULL;
    switch (type->kind) {
    case STRING:
    case BYTES:
        bytes_of_json(r, type, json, &bytes);
        room = need(sizeof bytes + bytes.size + 1);
        memcpy(room + sizeof bytes, bytes.data, bytes.size);
        free((char *)(uintptr_t)bytes.data);
        *(leat_slice_t *)(void *)room = (leat_slice_t){room + sizeof bytes, bytes.size};
        return room;
    case INT32:
        *(int32_t *)(room = need(8), (void *)room) = (int32_t)json_integer_value(json);
        return room;
    case INT64:
        *(int64_t *)(room = need(8), (void *)room) = json_integer_value(json);
        return room;
    case DOUBLE:
        *(double *)(room = need(8), (void *)room) = real_of(json);
        return room;
    case WINDOWED:
    case SESSION:
        break;
    }
    unsupported(r, "an initial value of type %s", type->name);
    return NULL;
}
