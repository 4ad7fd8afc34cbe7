/*
 * statestore/pool.h: small pieces of memory of one store, by size class of 16 bytes.
 *
 * One thread. Pieces are carved from chunks and go back to a free list of their class, so a store
 * in its stride calls malloc only when it grows. Under AddressSanitizer each piece is a malloc of
 * its own.
 */
#ifndef LEAT__STATESTORE_POOL_H
#define LEAT__STATESTORE_POOL_H

#include <stddef.h>

enum { LEAT__POOL_CLASSES = 64 }; /* up to 1 KiB; larger pieces come from malloc */

typedef struct leat__pool_t {
    void *free[LEAT__POOL_CLASSES + 1];
    char *at, *end;                    /* what is left of the newest chunk */
    struct leat__pool_chunk_t *chunks; /* all of them */
    size_t chunk_bytes;
} leat__pool_t;

/** What a piece of so many bytes takes. */
static inline size_t leat__pool_size(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

/**
 * Zeroed; from 2 MiB on in huge pages, where the system has them: a lookup at random then costs
 * less address translation (a tenth of a get and put of a million keys). Never NULL.
 */
void *leat__pages_new(size_t bytes);
void leat__pages_free(void *pages, size_t bytes);

void *leat__pool_take(leat__pool_t *p, size_t bytes); /* not zeroed, 16-byte aligned; never NULL */
void leat__pool_give(leat__pool_t *p, void *piece, size_t bytes);
/* small pieces die with it; large ones must be given back */
void leat__pool_release(leat__pool_t *p);

#endif
