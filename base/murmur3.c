/*
 * base/murmur3.c: the 128-bit Murmur3 hash (x64) with Kafka Streams' seed: what a foreign-key join
 * compares left values by. Vectors: tests/conformance/formats/murmur3-128.json.
 */
#include <string.h>
#include "map.h"

static const uint64_t c1 = 0x87c37b91114253d5u, c2 = 0x4cf5ad432745937fu;
enum { SEED = 104729, BLOCK = 16 };

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

/* Little endian; fewer than 8 bytes: as if zeros followed. */
static uint64_t word(const unsigned char *at, size_t size)
{
    uint64_t w = 0;

    for (size_t i = 0; i < size && i < 8; i++)
        w |= (uint64_t)at[i] << (8 * i);
    return w;
}

static uint64_t mix1(uint64_t k)
{
    return rotate(k * c1, 31) * c2;
}

static uint64_t mix2(uint64_t k)
{
    return rotate(k * c2, 33) * c1;
}

static uint64_t final_mix(uint64_t k)
{
    k = (k ^ k >> 33) * 0xff51afd7ed558ccdu;
    k = (k ^ k >> 33) * 0xc4ceb9fe1a85ec53u;
    return k ^ k >> 33;
}

static void put(unsigned char *to, uint64_t h)
{
    for (int i = 7; i >= 0; i--, h >>= 8)
        to[i] = (unsigned char)h;
}

void leat__murmur3_128(const void *bytes, size_t size, unsigned char hash[16])
{
    const unsigned char *at = bytes;
    uint64_t h1 = SEED, h2 = SEED;
    size_t left = size;

    for (; left >= BLOCK; left -= BLOCK, at += BLOCK) {
        h1 = (rotate(h1 ^ mix1(word(at, 8)), 27) + h2) * 5 + 0x52dce729;
        h2 = (rotate(h2 ^ mix2(word(at + 8, 8)), 31) + h1) * 5 + 0x38495ab5;
    }
    if (left > 8)
        h2 ^= mix2(word(at + 8, left - 8));
    if (left > 0)
        h1 ^= mix1(word(at, left));
    h1 ^= size;
    h2 ^= size;
    h1 += h2;
    h2 += h1;
    h1 = final_mix(h1);
    h2 = final_mix(h2);
    h1 += h2;
    put(hash, h1);
    put(hash + 8, h2 + h1);
}
