/* statestore/pool.c: size classes over chunks that double from 4 KiB to 256 KiB. */
#include "statestore/pool.h"

#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define LEAT__POOL_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAT__POOL_MALLOC 1
#endif
#endif
#ifndef LEAT__POOL_MALLOC
#define LEAT__POOL_MALLOC 0
#endif

enum { FIRST_CHUNK_BYTES = 4096, LAST_CHUNK_BYTES = 262144, HEAD_BYTES = 16 };

typedef struct leat__pool_chunk_t {
    struct leat__pool_chunk_t *next;
} leat__pool_chunk_t;

/* What is left of the old chunk becomes a free piece of its class, so nothing is wasted. */
static void grow(leat__pool_t *p)
{
    size_t rest = (size_t)(p->end - p->at) / 16;
    if (rest > 0 && rest <= LEAT__POOL_CLASSES) {
        *(void **)(void *)p->at = p->free[rest];
        p->free[rest] = p->at;
    }
    p->chunk_bytes = p->chunk_bytes ? p->chunk_bytes * 2 : FIRST_CHUNK_BYTES;
    if (p->chunk_bytes > LAST_CHUNK_BYTES)
        p->chunk_bytes = LAST_CHUNK_BYTES;
    leat__pool_chunk_t *chunk = leat__must_alloc(p->chunk_bytes);
    chunk->next = p->chunks;
    p->chunks = chunk;
    p->at = (char *)chunk + HEAD_BYTES;
    p->end = (char *)chunk + p->chunk_bytes;
}

void *leat__pool_take(leat__pool_t *p, size_t bytes)
{
    size_t class = leat__pool_size(bytes) / 16;
    if (LEAT__POOL_MALLOC || class > LEAT__POOL_CLASSES)
        return leat__must_alloc(bytes);
    void *piece = p->free[class];
    if (piece) {
        p->free[class] = *(void **)piece;
        return piece;
    }
    if ((size_t)(p->end - p->at) < class * 16)
        grow(p);
    piece = p->at;
    p->at += class * 16;
    return piece;
}

void leat__pool_give(leat__pool_t *p, void *piece, size_t bytes)
{
    size_t class = leat__pool_size(bytes) / 16;
    if (LEAT__POOL_MALLOC || class > LEAT__POOL_CLASSES) {
        leat__free(piece);
        return;
    }
    *(void **)piece = p->free[class];
    p->free[class] = piece;
}

void leat__pool_release(leat__pool_t *p)
{
    while (p->chunks) {
        leat__pool_chunk_t *next = p->chunks->next;
        leat__free(p->chunks);
        p->chunks = next;
    }
    *p = (leat__pool_t){0};
}
