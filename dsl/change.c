/*
 * dsl/change.c: the serde of changes. Bytes of change.h; vectors in tests/conformance
 * (formats/change.json).
 */
#include "base/codec.h"
#include "change.h"
#include "runtime/topology.h"

enum { OLD = 0, NEW = 1, BOTH = 2, WITH_LATEST = 3, VARINT_MAX = 5 };

/* ---- encoding ---- */

static leat_slice_t encode_part(leat_codec_t *c, const void *value)
{
    const leat_serde_t *inner = leat_codec_user(c);
    leat_slice_t bytes = {"", 0};
    leat_error_t err;

    if (value && leat__encode(inner, value, leat__codec_env(c), &bytes, &err))
        leat_codec_fail(c, "%s", err.text);
    return bytes;
}

/* Kafka's: zigzag, seven bits a byte, the low ones first. */
static void put_varint(leat_codec_t *c, int32_t number)
{
    uint32_t rest = ((uint32_t)number << 1) ^ (uint32_t) - (number < 0);

    for (; rest >= 0x80; rest >>= 7)
        leat_codec_put_int8(c, (int8_t)(rest | 0x80));
    leat_codec_put_int8(c, (int8_t)rest);
}

static void change_encode(leat_codec_t *c, const void *value)
{
    const leat__change_t *change = value;
    leat_slice_t now = encode_part(c, change->now), old = encode_part(c, change->old);

    if (!change->now && !change->old) {
        leat_codec_fail(c, "a change without new and old value");
        return;
    }
    if (change->now && change->old)
        put_varint(c, (int32_t)now.size);
    leat_codec_put(c, now.data, now.size);
    leat_codec_put(c, old.data, old.size);
    leat_codec_put_int8(c, change->now && change->old ? BOTH : change->now ? NEW : OLD);
}

/* ---- decoding ---- */

static const void *decode_part(leat_codec_t *c, leat_slice_t bytes)
{
    const leat_serde_t *inner = leat_codec_user(c);
    const void *value = NULL;
    leat_error_t err;

    if (leat__decode(inner, bytes, leat__codec_env(c), &value, &err))
        leat_codec_fail(c, "%s", err.text);
    return value;
}

static bool take_varint(leat_slice_t *rest, int32_t *number)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < VARINT_MAX && i < rest->size; i++) {
        unsigned char byte = (unsigned char)rest->data[i];

        bits |= (uint32_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        rest->data += i + 1;
        rest->size -= i + 1;
        *number = (int32_t)((bits >> 1) ^ (0 - (bits & 1)));
        return true;
    }
    return false;
}

static void decode_both(leat_codec_t *c, leat_slice_t rest, leat__change_t *change)
{
    int32_t size;

    if (!take_varint(&rest, &size) || size < 0 || (size_t)size > rest.size) {
        leat_codec_fail(c, "the length of the new value does not fit");
        return;
    }
    change->now = decode_part(c, (leat_slice_t){rest.data, (size_t)size});
    change->old = decode_part(c, (leat_slice_t){rest.data + size, rest.size - (size_t)size});
}

static void change_decode(leat_codec_t *c, void *room)
{
    leat_slice_t rest = leat_codec_take_rest(c);
    leat__change_t *change = room;
    size_t flags = 1;
    int kind;

    if (rest.size == 0) {
        leat_codec_fail(c, "no bytes at all: the last one says what stands before it");
        return;
    }
    kind = (unsigned char)rest.data[rest.size - 1];
    if (kind >= WITH_LATEST && kind < 2 * WITH_LATEST) {
        kind -= WITH_LATEST;
        flags = 2;
    }
    if (kind > BOTH || rest.size < flags) {
        leat_codec_fail(c, "the last byte is %d: only 0 to 5 have a meaning", kind);
        return;
    }
    rest.size -= flags;
    if (kind == BOTH)
        decode_both(c, rest, change);
    else if (kind == NEW)
        change->now = decode_part(c, rest);
    else
        change->old = decode_part(c, rest);
}

const leat_serde_t *leat__change_serde(leat_builder_t *b, const leat_serde_t *inner)
{
    leat_serde_t *s = leat__builder_alloc(b, sizeof *s);

    if (s)
        *s = (leat_serde_t){.name = "change",
            .size = sizeof(leat__change_t),
            .encode = change_encode,
            .decode = change_decode,
            .user = inner};
    return s;
}
