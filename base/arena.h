/*
 * base/arena.h: scratch memory that dies as a whole: a bump allocator, reset when the input
 * record is finished.
 *
 * Chunks are kept over a reset (up to a bound), so that a running task does not allocate. Debug
 * builds poison what a reset gives back, so that a stale borrow dies under ASan at once.
 */
#ifndef LEAT__BASE_ARENA_H
#define LEAT__BASE_ARENA_H

#include <leat/base.h>

typedef struct leat__arena_t leat__arena_t;

struct leat__arena_t {
    char *at, *end;                /* free part of the current chunk */
    struct leat__chunk_t *chunks;  /* in use, the current one first */
    struct leat__chunk_t *spare;   /* given back by a rewind, to be used again */
    struct leat__release_t *hooks; /* to run at reset, last first */
};

LEAT_API void leat__arena_init(leat__arena_t *a);
LEAT_API void leat__arena_release(leat__arena_t *a);
LEAT_API void leat__arena_reset(leat__arena_t *a); /* runs the hooks, keeps the memory */

/* 16-byte aligned, NOT zeroed; never NULL. */
void *leat__arena_alloc(leat__arena_t *a, size_t size);
void *leat__arena_zalloc(leat__arena_t *a, size_t size); /* zeroed */
/* With a terminator behind it. */
LEAT_API void *leat__arena_copy(leat__arena_t *a, const void *bytes, size_t size);
/* Make an allocation larger: in place if it is the last one, else by a copy. old NULL: a new. */
void *leat__arena_grow(leat__arena_t *a, void *old, size_t old_size, size_t size);
/* Run fn(object) at the next reset, e.g. json_decref. */
void leat__arena_on_reset(leat__arena_t *a, void (*fn)(void *), void *object);

/* A mark: everything allocated after it may be given back early (long loops inside one record).
 * Hooks since then run. */
typedef struct leat__mark_t {
    char *at;
    struct leat__chunk_t *chunk;
    struct leat__release_t *hooks;
} leat__mark_t;

leat__mark_t leat__arena_mark(leat__arena_t *a);
void leat__arena_rewind(leat__arena_t *a, leat__mark_t mark);

#endif
