/* statestore/pool.c: size classes over chunks that double from 4 KiB to 2 MiB. */
#include "statestore/pool.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdint.h>
#include <sys/mman.h>

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

enum { FIRST_CHUNK_BYTES = 4096, HUGE_BYTES = 2 << 20, HEAD_BYTES = 16 };

typedef struct leat__pool_chunk_t {
    struct leat__pool_chunk_t *next;
    size_t bytes;
} leat__pool_chunk_t;

/* ---- pages ---- */

static size_t whole_pages(size_t bytes)
{
    return (bytes + HUGE_BYTES - 1) & ~(size_t)(HUGE_BYTES - 1);
}

void *leat__pages_new(size_t bytes)
{
    if (bytes < HUGE_BYTES)
        return leat__must_alloc(bytes);
    size_t size = whole_pages(bytes);
    char *all =
        mmap(NULL, size + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    LEAT_ASSERT(all != MAP_FAILED);
    size_t head = (size_t)(-(uintptr_t)all & (HUGE_BYTES - 1));
    if (head)
        munmap(all, head);
    if (head < HUGE_BYTES)
        munmap(all + head + size, HUGE_BYTES - head);
    madvise(all + head, size, MADV_HUGEPAGE); /* a wish: without it, it is only slower */
    return all + head;
}

void leat__pages_free(void *pages, size_t bytes)
{
    if (bytes < HUGE_BYTES)
        leat__free(pages);
    else
        munmap(pages, whole_pages(bytes));
}

/* ---- pieces ---- */

/* What is left of the old chunk becomes a free piece of its class, so nothing is wasted. */
static void grow(leat__pool_t *p)
{
    size_t rest = (size_t)(p->end - p->at) / 16;
    if (rest > 0 && rest <= LEAT__POOL_CLASSES) {
        *(void **)(void *)p->at = p->free[rest];
        p->free[rest] = p->at;
    }
    p->chunk_bytes = p->chunk_bytes ? p->chunk_bytes * 2 : FIRST_CHUNK_BYTES;
    if (p->chunk_bytes > HUGE_BYTES)
        p->chunk_bytes = HUGE_BYTES;
    leat__pool_chunk_t *chunk = leat__pages_new(p->chunk_bytes);
    chunk->bytes = p->chunk_bytes;
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
        leat__pages_free(p->chunks, p->chunks->bytes);
        p->chunks = next;
    }
    *p = (leat__pool_t){0};
}
