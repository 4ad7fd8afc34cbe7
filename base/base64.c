/* base/base64.c: see base64.h. */
#include "base64.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static void put(leat__buf_t *out, leat_slice_t bytes, const char *alphabet, bool padded)
{
    const unsigned char *p = (const unsigned char *)bytes.data;

    leat__buf_reserve(out, (bytes.size + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t three = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                         (left > 2 ? p[i + 2] : 0);
        char four[4];

        for (size_t k = 0; k < 4; k++)
            four[k] = k <= left ? alphabet[three >> (18 - 6 * k) & 63] : '=';
        leat__buf_put(out, four, left > 2 || padded ? 4 : left + 1);
    }
}

void leat__base64_put(leat__buf_t *out, leat_slice_t bytes)
{
    put(out, bytes, LETTERS "+/", true);
}

void leat__base64_put_url(leat__buf_t *out, leat_slice_t bytes)
{
    put(out, bytes, LETTERS "-_", false);
}

/* Its value, or -1. */
static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool leat__base64_take(leat_slice_t text, leat__arena_t *scratch, leat_slice_t *bytes)
{
    char *room;
    size_t size = 0;
    uint32_t bits = 0;

    if (text.size && text.size % 4 == 0)
        for (int i = 0; i < 2 && text.data[text.size - 1] == '='; i++)
            text.size--;
    if (text.size % 4 == 1)
        return false;
    room = leat__arena_alloc(scratch, text.size / 4 * 3 + 3);
    for (size_t i = 0; i < text.size; i++) {
        int digit = digit_of(text.data[i]);

        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4)
            room[size++] = (char)(bits >> (6 - 2 * (i % 4)) & 255);
    }
    *bytes = (leat_slice_t){room, size};
    return true;
}
