/*
 * base/codec.c: the take and put functions that serdes are written with, and the four ways to run a
 * serde: encode, decode, print, parse.
 *
 * Errors are sticky: after the first one every put is ignored and every take gives zeros, so that a
 * serde needs no check between two fields. What a failed take gives is still safe to read.
 */
#include "codec_inside.h"
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { OUT_FIRST = 64 };

/* ---- failing ---- */

static void fail_text(leat_codec_t *c, const char *text)
{
    if (c->failed)
        return;
    c->failed = true;
    leat__error(c->err, LEAT_ESERDE, 0, NULL, "%s: %s", c->serde->name, text);
}

void leat_codec_fail(leat_codec_t *c, const char *format, ...)
{
    char text[sizeof c->err->text];
    va_list args;

    if (c->failed)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fail_text(c, text);
}

/* ---- putting ---- */

static char *room_for(leat_codec_t *c, size_t size)
{
    size_t room = c->out_room ? c->out_room : OUT_FIRST;

    if (c->failed)
        return NULL;
    if (size > INT32_MAX || c->out_size + size > INT32_MAX) {
        fail_text(c, "more than 2 GiB in one value");
        return NULL;
    }
    if (!c->out || c->out_size + size > c->out_room) {
        while (room < c->out_size + size)
            room *= 2;
        c->out = leat__arena_grow(c->env->scratch, c->out, c->out_room, room);
        c->out_room = room;
    }
    c->out_size += size;
    return c->out + c->out_size - size;
}

void leat_codec_put(leat_codec_t *c, const void *bytes, size_t size)
{
    char *room = size ? room_for(c, size) : NULL;

    if (room)
        memcpy(room, bytes, size);
}

void leat__codec_put_text(leat_codec_t *c, const char *text)
{
    leat_codec_put(c, text, strlen(text));
}

void leat_codec_put_int8(leat_codec_t *c, int8_t v)
{
    leat_codec_put(c, &v, 1);
}

void leat_codec_put_int32(leat_codec_t *c, int32_t v)
{
    char *room = room_for(c, 4);

    if (room)
        leat__store_be32(room, (uint32_t)v);
}

void leat_codec_put_int64(leat_codec_t *c, int64_t v)
{
    char *room = room_for(c, 8);

    if (room)
        leat__store_be64(room, (uint64_t)v);
}

void leat_codec_put_double(leat_codec_t *c, double v)
{
    char *room = room_for(c, 8);

    if (room)
        leat__builtin_encode(LEAT__DOUBLE, &v, room);
}

void leat_codec_put_slice(leat_codec_t *c, const leat_slice_t *s)
{
    if (!s || !s->data) {
        leat_codec_put_int32(c, -1);
        return;
    }
    if (s->size > INT32_MAX) {
        fail_text(c, "a text of more than 2 GiB");
        return;
    }
    leat_codec_put_int32(c, (int32_t)s->size);
    leat_codec_put(c, s->data, s->size);
}

/* ---- taking ---- */

leat_slice_t leat_codec_take(leat_codec_t *c, size_t size)
{
    size_t left = (size_t)(c->in_end - c->in);
    leat_slice_t taken = {"", 0};

    if (c->failed || size == 0)
        return taken;
    if (size > left) {
        leat_codec_fail(c, "%zu bytes wanted at byte %zu, but only %zu are left of %zu", size,
            c->in_size - left, left, c->in_size);
        return taken;
    }
    taken = (leat_slice_t){c->in, size};
    c->in += size;
    return taken;
}

leat_slice_t leat_codec_take_rest(leat_codec_t *c)
{
    return leat_codec_take(c, (size_t)(c->in_end - c->in));
}

int8_t leat_codec_take_int8(leat_codec_t *c)
{
    leat_slice_t bytes = leat_codec_take(c, 1);

    return bytes.size ? (int8_t)bytes.data[0] : 0;
}

int32_t leat_codec_take_int32(leat_codec_t *c)
{
    leat_slice_t bytes = leat_codec_take(c, 4);

    return bytes.size ? (int32_t)leat__load_be32(bytes.data) : 0;
}

int64_t leat_codec_take_int64(leat_codec_t *c)
{
    leat_slice_t bytes = leat_codec_take(c, 8);

    return bytes.size ? (int64_t)leat__load_be64(bytes.data) : 0;
}

double leat_codec_take_double(leat_codec_t *c)
{
    uint64_t bits = (uint64_t)leat_codec_take_int64(c);
    double v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

leat_slice_t leat_codec_take_slice(leat_codec_t *c)
{
    int32_t size = leat_codec_take_int32(c);

    if (c->failed || size == -1)
        return (leat_slice_t){NULL, 0};
    if (size < 0) {
        leat_codec_fail(c, "a text has the length %d", (int)size);
        return (leat_slice_t){NULL, 0};
    }
    return leat_codec_take(c, (size_t)size);
}

/* ---- the rest of what a serde may ask ---- */

void leat_codec_value(leat_codec_t *c, void *value)
{
    if (!c->taking || c->serde->size > 0) {
        fail_text(c, "leat_codec_value() is for decode and parse of serdes with .size 0");
        return;
    }
    c->value = value;
    if (value && c->serde->release)
        leat__arena_on_reset(c->env->scratch, c->serde->release, value);
}

void *leat_codec_scratch(leat_codec_t *c, size_t size)
{
    return leat__arena_zalloc(c->env->scratch, size);
}

const leat__codec_env_t *leat__codec_env(const leat_codec_t *c)
{
    return c->env;
}

const void *leat_codec_user(const leat_codec_t *c)
{
    return c->serde->user;
}

const char *leat_codec_topic(const leat_codec_t *c)
{
    return c->env->topic ? c->env->topic : "";
}

bool leat_codec_is_key(const leat_codec_t *c)
{
    return c->env->is_key;
}

const leat_headers_t *leat_codec_headers(const leat_codec_t *c)
{
    return c->env->headers;
}

/* ---- running serdes ---- */

static int decode_value(
    leat_codec_t *c, void (*decode)(leat_codec_t *c, void *room), const void **value)
{
    const leat_serde_t *s = c->serde;
    void *room = NULL;

    *value = NULL;
    if (s->size) {
        room = leat__arena_zalloc(c->env->scratch, s->size);
        if (s->release)
            leat__arena_on_reset(c->env->scratch, s->release, room);
    }
    decode(c, room);
    if (!c->failed && c->in < c->in_end)
        leat_codec_fail(c, "%zu bytes left over after %zu", (size_t)(c->in_end - c->in),
            c->in_size - (size_t)(c->in_end - c->in));
    if (!c->failed && !s->size && !c->value)
        fail_text(c, "its decode gave no value: leat_codec_value() was not called");
    if (c->failed)
        return LEAT_ESERDE;
    *value = s->size ? room : c->value;
    return 0;
}

static leat_codec_t taking_codec(
    const leat_serde_t *s, leat_slice_t bytes, const leat__codec_env_t *env, leat_error_t *err)
{
    const char *in = bytes.data ? bytes.data : "";

    return (leat_codec_t){.env = env,
        .serde = s,
        .in = in,
        .in_end = in + bytes.size,
        .in_size = bytes.size,
        .taking = true,
        .err = err};
}

int leat__encode(const leat_serde_t *s, const void *value, const leat__codec_env_t *env,
    leat_slice_t *bytes, leat_error_t *err)
{
    leat__builtin_t kind = leat__builtin_of(s);
    leat_error_t unwanted;

    LEAT_DASSERT(value);
    if (kind <= LEAT__BYTES) {
        const leat_slice_t *text = value;

        *bytes = text->data ? *text : (leat_slice_t){"", 0};
        return 0;
    }
    if (kind != LEAT__NOT_BUILTIN) {
        char *room = leat__arena_alloc(env->scratch, 8);

        *bytes = (leat_slice_t){room, leat__builtin_encode(kind, value, room)};
        return 0;
    }

    leat_codec_t c = {.env = env, .serde = s, .err = err ? err : &unwanted};

    s->encode(&c, value);
    if (c.failed)
        return LEAT_ESERDE;
    *bytes = (leat_slice_t){c.out ? c.out : "", c.out_size};
    return 0;
}

int leat__decode(const leat_serde_t *s, leat_slice_t bytes, const leat__codec_env_t *env,
    const void **value, leat_error_t *err)
{
    leat__builtin_t kind = leat__builtin_of(s);
    leat_error_t unwanted;

    if (kind != LEAT__NOT_BUILTIN)
        return leat__builtin_decode(kind, bytes, env->scratch, value, err);

    leat_codec_t c = taking_codec(s, bytes, env, err ? err : &unwanted);

    return decode_value(&c, s->decode, value);
}

void leat_codec_inner(leat_codec_t *c, const leat_serde_t *s, const void *v)
{
    leat__builtin_t kind = leat__builtin_of(s);
    const leat_serde_t *outer = c->serde;

    if (!v) {
        leat_codec_fail(c, "a NULL value to encode as %s", s->name);
        return;
    }
    if (kind <= LEAT__BYTES) {
        const leat_slice_t *text = v;

        leat_codec_put(c, text->data, text->size);
        return;
    }
    if (kind != LEAT__NOT_BUILTIN) {
        char bytes[8];

        leat_codec_put(c, bytes, leat__builtin_encode(kind, v, bytes));
        return;
    }
    c->serde = s;
    s->encode(c, v);
    c->serde = outer;
}

const void *leat_codec_take_inner(leat_codec_t *c, const leat_serde_t *s, size_t size)
{
    leat_slice_t bytes = leat_codec_take(c, size);
    leat_error_t err;
    const void *value = NULL;

    if (!c->failed && leat__decode(s, bytes, c->env, &value, &err))
        fail_text(c, err.text);
    return value;
}

/* ---- text ---- */

void leat__codec_print(leat_codec_t *c, const leat_serde_t *s, const void *value)
{
    leat_slice_t text = leat__print(s, value, c->env->scratch);

    leat_codec_put(c, text.data, text.size);
}

/* For a serde that cannot print: its name and how many bytes it makes, or why it makes none. */
static leat_slice_t print_size(
    const leat_serde_t *s, const void *value, const leat__codec_env_t *env)
{
    leat_error_t err = {.code = LEAT_OK};
    leat_codec_t c = {.env = env, .serde = s, .err = &err};
    leat_slice_t bytes;
    char text[sizeof err.text];

    if (leat__encode(s, value, env, &bytes, &err))
        snprintf(text, sizeof text, "<%.340s>", err.text);
    else
        snprintf(text, sizeof text, "<%.100s: %zu bytes>", s->name, bytes.size);
    err.code = LEAT_OK;
    leat_codec_put(&c, text, strlen(text) + 1);
    return (leat_slice_t){c.out, c.out_size - 1};
}

leat_slice_t leat__print(const leat_serde_t *s, const void *value, leat__arena_t *scratch)
{
    leat__codec_env_t env = {.scratch = scratch};
    leat__builtin_t kind = leat__builtin_of(s);
    leat_error_t err;
    leat_codec_t c = {.env = &env, .serde = s, .err = &err};

    if (!value)
        return leat_slice("null");
    if (kind != LEAT__NOT_BUILTIN)
        return leat__builtin_print(kind, value, scratch);
    if (!s->print)
        return print_size(s, value, &env);
    s->print(&c, value);
    if (c.failed)
        return print_size(s, value, &env);
    leat_codec_put(&c, "", 1);
    return (leat_slice_t){c.out, c.out_size - 1};
}

bool leat__serde_has_text(const leat_serde_t *s)
{
    const leat_serde_t *inner = leat__serde_inner(s);

    return leat__builtin_of(s) != LEAT__NOT_BUILTIN ||
           (s->parse && (!inner || leat__serde_has_text(inner)));
}

int leat__parse(const leat_serde_t *s, leat_slice_t text, leat__arena_t *scratch,
    const void **value, leat_error_t *err)
{
    leat__codec_env_t env = {.scratch = scratch};
    leat__builtin_t kind = leat__builtin_of(s);
    leat_error_t unwanted;

    if (kind != LEAT__NOT_BUILTIN)
        return leat__builtin_parse(kind, text, scratch, value, err);
    *value = NULL;
    if (!leat__serde_has_text(s))
        return leat__error(err, LEAT_EUNSUPPORTED, 0, NULL,
            "%s: this serde cannot read text: give it a .parse function", s->name);

    leat_codec_t c = taking_codec(s, text, &env, err ? err : &unwanted);

    return decode_value(&c, s->parse, value);
}
