/*
 * base/mem.h: every allocation of leat goes through here, so that tests can make the n-th one
 * fail (tests/fault).
 *
 * leat__alloc and its kin may return NULL: builder and config code turns that into a sticky
 * LEAT_ENOMEM; code that runs records uses the leat__must_* forms, which log and abort: a stream
 * engine that cannot allocate a few bytes cannot commit or roll back either, and its state is
 * safe on disk and in the changelog.
 */
#ifndef LEAT__BASE_MEM_H
#define LEAT__BASE_MEM_H

#include <leat/base.h>

void *leat__alloc(size_t size); /* zeroed; NULL without memory */
void *leat__realloc(void *old, size_t size);
char *leat__strdup(const char *text); /* NULL stays NULL */
char *leat__strndup(const char *text, size_t size);
LEAT_API void leat__free(void *memory);

LEAT_API void *leat__must_alloc(size_t size); /* zeroed; never NULL */
void *leat__must_realloc(void *old, size_t size);
LEAT_API char *leat__must_strdup(const char *text);
char *leat__must_strndup(const char *text, size_t size);
LEAT_API char *leat__must_format(const char *format, ...)
    __attribute__((__format__(__printf__, 1, 2))); /* [own] */

/* tests/fault: the n-th allocation from now on fails (1: the next); 0: none. Per process; the must
 * forms are neither counted nor failed. */
void leat__fail_allocation(size_t nth);
size_t leat__allocations(void); /* made so far */

/* Grow a heap array so that `count + 1` elements fit: doubling. For leat__must_ style code. */
#define LEAT__GROW(array, count, room)                                                             \
    do {                                                                                           \
        if ((count) == (room)) {                                                                   \
            (room) = (room) ? (room)*2 : 8;                                                        \
            (array) = leat__must_realloc((array), (room) * sizeof *(array));                       \
        }                                                                                          \
    } while (0)

#endif
