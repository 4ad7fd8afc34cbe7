/*
 * tools/leat/format.c: the bytes of keys and values as text and JSON, and back.
 *
 * The forms are those of leat's serdes, so a key looks here as it does in a program's --embedded
 * run: numbers big endian as Kafka writes them, windowed keys as [KEY@START/END]. "auto" shows
 * text where the bytes are text and 0x... where they are not. JSON lines never lose bytes: what a
 * format cannot show stands in a member NAME_base64, which produce --from-json takes back.
 */
#include "cli.h"

#include <leat/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/mem.h"

typedef enum kind_t {
    AUTO,
    STRING,
    JSON,
    INT32,
    INT64,
    FLOAT,
    DOUBLE,
    HEX,
    BASE64,
    WINDOWED
} kind_t;

struct cli_format_t {
    kind_t kind;
    const leat_serde_t *serde; /* NULL: auto, base64 */
    leat_serde_t *own;         /* serde, where it is ours to free */
    cli_format_t *inner;       /* of windowed keys */
};

const char cli_format_names[] =
    "auto string json int32 int64 float double hex base64 windowed:FORMAT[:SIZE] session:FORMAT";

static const struct {
    const char *name;
    kind_t kind;
    const leat_serde_t *(*serde)(void);
} formats[] = {
    {"auto", AUTO, NULL},
    {"string", STRING, leat_serde_string},
    {"json", JSON, leat_serde_json},
    {"int32", INT32, leat_serde_int32},
    {"i32", INT32, leat_serde_int32},
    {"integer", INT32, leat_serde_int32},
    {"int64", INT64, leat_serde_int64},
    {"i64", INT64, leat_serde_int64},
    {"long", INT64, leat_serde_int64},
    {"float", FLOAT, leat_serde_float},
    {"double", DOUBLE, leat_serde_double},
    {"hex", HEX, leat_serde_bytes},
    {"bytes", HEX, leat_serde_bytes},
    {"base64", BASE64, NULL},
};

/* ---- by name ---- */

static cli_format_t *simple(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        cli_format_t *f;

        if (strcmp(formats[i].name, name) != 0)
            continue;
        f = leat__must_alloc(sizeof *f);
        f->kind = formats[i].kind;
        f->serde = formats[i].serde ? formats[i].serde() : NULL;
        return f;
    }
    return NULL;
}

/* INNER or INNER:SIZE. Without a size the end of a window is not known: the largest time. */
static cli_format_t *windowed(const char *rest, bool session)
{
    const char *colon = session ? NULL : strchr(rest, ':');
    char *name = leat__must_strndup(rest, colon ? (size_t)(colon - rest) : strlen(rest));
    cli_format_t *inner = simple(name), *f = NULL;
    int64_t size_ms = INT64_MAX;

    leat__free(name);
    if (inner && inner->serde && (!colon || (cli_parse_duration(colon + 1, &size_ms) && size_ms))) {
        f = leat__must_alloc(sizeof *f);
        *f = (cli_format_t){.kind = WINDOWED, .inner = inner};
        f->serde = f->own = leat__serde_windowed_new(inner->serde, size_ms, session);
    }
    if (f && f->serde)
        return f;
    leat__free(f);
    cli_format_free(inner);
    return NULL;
}

cli_format_t *cli_format_new(cli_t *c, const char *option, const char *otherwise)
{
    const char *name = cli_text(c, option, otherwise);
    cli_format_t *f;

    if (strncmp(name, "windowed:", 9) == 0)
        f = windowed(name + 9, false);
    else if (strncmp(name, "session:", 8) == 0)
        f = windowed(name + 8, true);
    else
        f = simple(name);
    if (!f)
        cli_usage(c, "--%s takes one of: %s; not '%s'", option, cli_format_names, name);
    return f;
}

void cli_format_free(cli_format_t *f)
{
    if (!f)
        return;
    cli_format_free(f->inner);
    leat__serde_free(f->own);
    leat__free(f);
}

/* ---- base64 and hexadecimal ---- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

leat_slice_t cli_base64(leat_slice_t bytes, leat__arena_t *scratch)
{
    const unsigned char *p = (const unsigned char *)bytes.data;
    size_t size = (bytes.size + 2) / 3 * 4, at = 0;
    char *text = leat__arena_alloc(scratch, size + 1);

    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        unsigned word = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) |
                        (left > 2 ? (unsigned)p[i + 2] : 0);

        text[at++] = base64_digits[word >> 18];
        text[at++] = base64_digits[word >> 12 & 63];
        text[at++] = left > 1 ? base64_digits[word >> 6 & 63] : '=';
        text[at++] = left > 2 ? base64_digits[word & 63] : '=';
    }
    text[at] = '\0';
    return (leat_slice_t){text, at};
}

bool cli_from_base64(leat_slice_t text, leat__arena_t *scratch, leat_slice_t *bytes)
{
    unsigned char *room = leat__arena_alloc(scratch, text.size / 4 * 3 + 1);
    size_t pads = 0, at = 0;
    unsigned word = 0;

    if (text.size % 4)
        return false;
    while (pads < 2 && pads < text.size && text.data[text.size - 1 - pads] == '=')
        pads++;
    for (size_t i = 0; i < text.size; i++) {
        const char *digit =
            i < text.size - pads ? memchr(base64_digits, text.data[i], 64) : base64_digits;

        if (!digit)
            return false;
        word = word << 6 | (unsigned)(digit - base64_digits);
        if (i % 4 < 3)
            continue;
        room[at++] = (unsigned char)(word >> 16);
        room[at++] = (unsigned char)(word >> 8);
        room[at++] = (unsigned char)word;
        word = 0;
    }
    *bytes = (leat_slice_t){(char *)room, at - pads};
    return true;
}

static leat_slice_t hex_of(leat_slice_t bytes, leat__arena_t *scratch)
{
    leat_slice_t hex = leat__print(leat_serde_bytes(), &bytes, scratch);
    char *text = leat__arena_alloc(scratch, hex.size + 3);

    memcpy(text, "0x", 2);
    memcpy(text + 2, hex.data, hex.size + 1);
    return (leat_slice_t){text, hex.size + 2};
}

/* ---- to people ---- */

/* UTF-8 with no other control bytes than those of text on a terminal (BEL to CR, ESC): a number of
 * four or eight bytes nearly always has others. */
static bool is_text(leat_slice_t bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];

        if ((byte < 0x20 && (byte < 0x07 || byte > 0x0d) && byte != 0x1b) || byte == 0x7f)
            return false;
    }
    return cli_is_utf8(bytes);
}

static int decode(const cli_format_t *f, leat_slice_t bytes, leat__arena_t *scratch,
    const void **value, leat_error_t *err)
{
    leat__codec_env_t env = {.scratch = scratch, .topic = ""};

    return leat__decode(f->serde, bytes, &env, value, err);
}

bool cli_format_text(const cli_format_t *f, leat_slice_t bytes, leat__arena_t *scratch,
    leat_slice_t *text, leat_error_t *err)
{
    const void *value;

    switch (f->kind) {
    case AUTO:
        *text = is_text(bytes) ? bytes : hex_of(bytes, scratch);
        return true;
    case STRING:
        *text = bytes;
        return true;
    case BASE64:
        *text = cli_base64(bytes, scratch);
        return true;
    default:
        if (decode(f, bytes, scratch, &value, err)) {
            *text = hex_of(bytes, scratch);
            return false;
        }
        *text = leat__print(f->serde, value, scratch);
        return true;
    }
}

/* ---- to JSON ---- */

static json_t *string_of(leat_slice_t text)
{
    return json_stringn(text.data ? text.data : "", text.size);
}

/* A decoded value. NULL: JSON has no such (a string that is not UTF-8, a number not finite). */
static json_t *json_of(const cli_format_t *f, const void *value, leat__arena_t *scratch)
{
    const leat_windowed_t *w = value;
    json_t *key;

    switch (f->kind) {
    case JSON:
        return json_incref((json_t *)(uintptr_t)value);
    case INT32:
        return json_integer(*(const int32_t *)value);
    case INT64:
        return json_integer(*(const int64_t *)value);
    case FLOAT:
        return json_real((double)*(const float *)value);
    case DOUBLE:
        return json_real(*(const double *)value);
    case WINDOWED:
        key = json_of(f->inner, w->key, scratch);
        return key ? json_pack("{s:o, s:I, s:I}", "key", key, "start", (json_int_t)w->start_ms,
                         "end", (json_int_t)w->end_ms)
                   : NULL;
    default:
        return string_of(leat__print(f->serde, value, scratch));
    }
}

static json_t *json_of_bytes(
    const cli_format_t *f, leat_slice_t bytes, leat__arena_t *scratch, leat_error_t *err)
{
    const void *value;

    leat__error_clear(err);
    if (f->kind == BASE64 || (f->kind == AUTO && !is_text(bytes)))
        return NULL;
    if (f->kind == AUTO || f->kind == STRING)
        return string_of(bytes);
    return decode(f, bytes, scratch, &value, err) ? NULL : json_of(f, value, scratch);
}

bool cli_format_put_json(const cli_format_t *f, json_t *object, const char *name,
    leat_slice_t bytes, leat__arena_t *scratch)
{
    leat_error_t err;
    json_t *value = bytes.data ? json_of_bytes(f, bytes, scratch, &err) : json_null();
    char member[80];

    if (value)
        return json_object_set_new(object, name, value) == 0;
    snprintf(member, sizeof member, "%s_base64", name);
    json_object_set_new(object, member, string_of(cli_base64(bytes, scratch)));
    if (!err.code)
        return true;
    snprintf(member, sizeof member, "%s_error", name);
    json_object_set_new(object, member, json_string(err.text));
    return false;
}

/* ---- back ---- */

static bool encode(const cli_format_t *f, const void *value, leat__arena_t *scratch,
    leat_slice_t *bytes, leat_error_t *err)
{
    leat__codec_env_t env = {.scratch = scratch, .topic = ""};

    return leat__encode(f->serde, value, &env, bytes, err) == 0;
}

/* A whole JSON text as it was written, checked: not leat's own way to write it. */
static bool check_json(leat_slice_t text, leat_error_t *err)
{
    json_error_t why;
    json_t *value = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);

    if (!value)
        leat__error(err, LEAT_ESERDE, 0, NULL, "json: %s (at byte %d)", why.text, why.position);
    json_decref(value);
    return value != NULL;
}

bool cli_format_bytes(const cli_format_t *f, leat_slice_t text, leat__arena_t *scratch,
    leat_slice_t *bytes, leat_error_t *err)
{
    const void *value;

    *bytes = (leat_slice_t){text.data ? text.data : "", text.size};
    switch (f->kind) {
    case AUTO:
    case STRING:
        return true;
    case JSON:
        return check_json(text, err);
    case BASE64:
        if (cli_from_base64(text, scratch, bytes))
            return true;
        leat__error(err, LEAT_ESERDE, 0, NULL, "base64: '%.*s' is not base64 (with = at its end)",
            text.size < 60 ? (int)text.size : 60, text.data);
        return false;
    default:
        return leat__parse(f->serde, text, scratch, &value, err) == 0 &&
               encode(f, value, scratch, bytes, err);
    }
}

/* {"key": K, "start": MS, "end": MS} */
static bool windowed_from_json(const cli_format_t *f, const json_t *value, leat__arena_t *scratch,
    leat_slice_t *bytes, leat_error_t *err)
{
    leat_slice_t key;
    leat_windowed_t w = {0};
    const json_t *start = json_object_get(value, "start"), *end = json_object_get(value, "end"),
                 *inner = json_object_get(value, "key");

    if (!inner || !json_is_integer(start) ||
        (!json_is_integer(end) && leat__serde_is_session(f->serde))) {
        leat__error(err, LEAT_ESERDE, 0, NULL,
            "a windowed key is written {\"key\": K, \"start\": MS, \"end\": MS}");
        return false;
    }
    w.start_ms = json_integer_value(start);
    w.end_ms = json_is_integer(end) ? json_integer_value(end) : w.start_ms;
    return cli_format_from_json(f->inner, inner, scratch, &key, err) &&
           decode(f->inner, key, scratch, &w.key, err) == 0 && encode(f, &w, scratch, bytes, err);
}

bool cli_format_from_json(const cli_format_t *f, const json_t *value, leat__arena_t *scratch,
    leat_slice_t *bytes, leat_error_t *err)
{
    leat__buf_t text = {0};
    char *dumped;
    bool ok;

    if (f->kind == JSON)
        return encode(f, value, scratch, bytes, err);
    if (f->kind == WINDOWED && json_is_object(value))
        return windowed_from_json(f, value, scratch, bytes, err);
    if (json_is_string(value))
        leat__buf_put(&text, json_string_value(value), json_string_length(value));
    else if ((dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY)) != NULL) {
        leat__buf_put_text(&text, dumped);
        free(dumped);
    }
    ok = cli_format_bytes(f,
        (leat_slice_t){leat__arena_copy(scratch, text.data, text.size), text.size}, scratch, bytes,
        err);
    leat__buf_release(&text);
    return ok;
}
