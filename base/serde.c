/*
 * base/serde.c: the six built-in serdes, byte for byte what Kafka's own write.
 *
 * They stand in one array: the engine knows them by address and calls the functions below directly.
 * Their encode and decode members are for programs that call through a leat_serde_t themselves, and
 * do the same.
 */
#include "codec_inside.h"
#include "log.h"
#include "number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

size_t leat__builtin_size(leat__builtin_t kind)
{
    static const unsigned char sizes[LEAT__BUILTIN_COUNT] = {0, 0, 4, 8, 4, 8};

    return sizes[kind];
}

size_t leat__builtin_encode(leat__builtin_t kind, const void *value, char bytes[8])
{
    uint32_t word;
    uint64_t wide;

    if (leat__builtin_size(kind) == 4) {
        memcpy(&word, value, sizeof word);
        leat__store_be32(bytes, word);
        return 4;
    }
    LEAT_DASSERT(leat__builtin_size(kind) == 8);
    memcpy(&wide, value, sizeof wide);
    if (kind == LEAT__DOUBLE && isnan(*(const double *)value))
        wide = 0x7ff8000000000000u; /* as Java's doubleToLongBits: one NaN */
    leat__store_be64(bytes, wide);
    return 8;
}

int leat__builtin_decode(leat__builtin_t kind, leat_slice_t bytes, leat__arena_t *scratch,
    const void **value, leat_error_t *err)
{
    size_t size = leat__builtin_size(kind);

    if (size == 0) {
        leat_slice_t *text = leat__arena_alloc(scratch, sizeof *text);

        *text = bytes.data ? bytes : (leat_slice_t){"", 0};
        *value = text;
        return 0;
    }
    if (bytes.size != size) {
        *value = NULL;
        return leat__error(err, LEAT_ESERDE, 0, NULL, "%s takes %zu bytes, got %zu",
            leat__builtins[kind].name, size, bytes.size);
    }
    if (size == 4) {
        uint32_t word = leat__load_be32(bytes.data);

        *value = memcpy(leat__arena_alloc(scratch, sizeof word), &word, sizeof word);
    } else {
        uint64_t wide = leat__load_be64(bytes.data);

        *value = memcpy(leat__arena_alloc(scratch, sizeof wide), &wide, sizeof wide);
    }
    return 0;
}

/* ---- text ---- */

static leat_slice_t print_hex(const leat_slice_t *bytes, leat__arena_t *scratch)
{
    static const char digits[] = "0123456789abcdef";
    char *text = leat__arena_alloc(scratch, bytes->size * 2 + 1);

    for (size_t i = 0; i < bytes->size; i++) {
        unsigned char byte = (unsigned char)bytes->data[i];

        text[2 * i] = digits[byte >> 4];
        text[2 * i + 1] = digits[byte & 15];
    }
    text[bytes->size * 2] = '\0';
    return (leat_slice_t){text, bytes->size * 2};
}

leat_slice_t leat__builtin_print(leat__builtin_t kind, const void *value, leat__arena_t *scratch)
{
    const leat_slice_t *bytes = value;
    char text[LEAT__DOUBLE_TEXT];
    size_t size;

    switch (kind) {
    case LEAT__STRING:
        return (leat_slice_t){leat__arena_copy(scratch, bytes->data, bytes->size), bytes->size};
    case LEAT__BYTES:
        return print_hex(bytes, scratch);
    case LEAT__INT32:
        size = (size_t)snprintf(text, sizeof text, "%ld", (long)*(const int32_t *)value);
        break;
    case LEAT__INT64:
        size = (size_t)snprintf(text, sizeof text, "%lld", (long long)*(const int64_t *)value);
        break;
    case LEAT__FLOAT:
        size = leat__float_text(*(const float *)value, text);
        break;
    default:
        size = leat__double_text(*(const double *)value, text);
        break;
    }
    return (leat_slice_t){leat__arena_copy(scratch, text, size), size};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool parse_hex(leat_slice_t text, leat_slice_t *bytes, leat__arena_t *scratch)
{
    char *room;

    if (text.size % 2)
        return false;
    room = leat__arena_alloc(scratch, text.size / 2 + 1);
    for (size_t i = 0; i < text.size; i += 2) {
        int high = hex_digit(text.data[i]), low = hex_digit(text.data[i + 1]);

        if (high < 0 || low < 0)
            return false;
        room[i / 2] = (char)(high << 4 | low);
    }
    *bytes = (leat_slice_t){room, text.size / 2};
    return true;
}

/* Into room, which is large and aligned enough for any of the types. */
static bool parse(leat__builtin_t kind, leat_slice_t text, void *room, leat__arena_t *scratch)
{
    int64_t whole;
    double real;

    switch (kind) {
    case LEAT__STRING:
        *(leat_slice_t *)room = (leat_slice_t){text.data ? text.data : "", text.size};
        return true;
    case LEAT__BYTES:
        return parse_hex(text, room, scratch);
    case LEAT__INT32:
        if (!leat_slice_int64(&text, &whole) || whole < INT32_MIN || whole > INT32_MAX)
            return false;
        *(int32_t *)room = (int32_t)whole;
        return true;
    case LEAT__INT64:
        return leat_slice_int64(&text, room);
    case LEAT__FLOAT:
        if (!leat_slice_double(&text, &real))
            return false;
        *(float *)room = (float)real;
        return true;
    default:
        return leat_slice_double(&text, room);
    }
}

int leat__builtin_parse(leat__builtin_t kind, leat_slice_t text, leat__arena_t *scratch,
    const void **value, leat_error_t *err)
{
    static const char *const forms[LEAT__BUILTIN_COUNT] = {"any text",
        "pairs of hexadecimal digits", "a whole number of 32 bits", "a whole number of 64 bits",
        "a number", "a number"};
    void *room = leat__arena_zalloc(scratch, sizeof(leat_slice_t));
    leat_slice_t shown = {text.data, text.size < 60 ? text.size : 60};

    *value = NULL;
    if (!parse(kind, text, room, scratch))
        return leat__error(err, LEAT_ESERDE, 0, NULL, "%s: '%.*s' is not %s",
            leat__builtins[kind].name, LEAT_P(&shown), forms[kind]);
    *value = room;
    return 0;
}

/* ---- the same through the public struct ---- */

static void encode(leat_codec_t *c, const void *value)
{
    leat_codec_inner(c, c->serde, value);
}

static void decode(leat_codec_t *c, void *room)
{
    size_t size = leat__builtin_size(leat__builtin_of(c->serde));
    const void *value = leat_codec_take_inner(c, c->serde, (size_t)(c->in_end - c->in));

    if (value)
        memcpy(room, value, size ? size : sizeof(leat_slice_t));
}

static void print(leat_codec_t *c, const void *value)
{
    leat__codec_print(c, c->serde, value);
}

static void parse_text(leat_codec_t *c, void *room)
{
    const leat_serde_t *s = c->serde;
    const void *value;
    leat_error_t err;

    if (leat__parse(s, leat_codec_take_rest(c), c->env->scratch, &value, &err))
        leat_codec_fail(c, "%s", err.text);
    else
        memcpy(room, value, s->size);
}

#define BUILTIN(name_, type_, flat_)                                                               \
    {                                                                                              \
        .name = name_, .size = sizeof(type_), .flat = flat_, .encode = encode, .decode = decode,   \
        .print = print, .parse = parse_text                                                        \
    }

const leat_serde_t leat__builtins[LEAT__BUILTIN_COUNT] = {
    [LEAT__STRING] = BUILTIN("string", leat_slice_t, false),
    [LEAT__BYTES] = BUILTIN("bytes", leat_slice_t, false),
    [LEAT__INT32] = BUILTIN("int32", int32_t, true),
    [LEAT__INT64] = BUILTIN("int64", int64_t, true),
    [LEAT__FLOAT] = BUILTIN("float", float, true),
    [LEAT__DOUBLE] = BUILTIN("double", double, true),
};

const leat_serde_t *leat_serde_string(void)
{
    return &leat__builtins[LEAT__STRING];
}

const leat_serde_t *leat_serde_bytes(void)
{
    return &leat__builtins[LEAT__BYTES];
}

const leat_serde_t *leat_serde_int32(void)
{
    return &leat__builtins[LEAT__INT32];
}

const leat_serde_t *leat_serde_int64(void)
{
    return &leat__builtins[LEAT__INT64];
}

const leat_serde_t *leat_serde_float(void)
{
    return &leat__builtins[LEAT__FLOAT];
}

const leat_serde_t *leat_serde_double(void)
{
    return &leat__builtins[LEAT__DOUBLE];
}
