/*
 * base/mem.c: the one door to the heap, with a counter that tests can turn into a failure.
 *
 * Only the forms that may return NULL are counted and made to fail: the must forms have no other
 * answer than to abort, so a test that failed them would test nothing.
 */
#include "mem.h"
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t made;    /* allocations asked for so far */
static atomic_size_t fail_at; /* the count at which one fails; 0: none */

static bool may_allocate(void)
{
    size_t number = atomic_fetch_add_explicit(&made, 1, memory_order_relaxed) + 1;

    return number != atomic_load_explicit(&fail_at, memory_order_relaxed);
}

void leat__fail_allocation(size_t nth)
{
    size_t now = atomic_load_explicit(&made, memory_order_relaxed);

    atomic_store_explicit(&fail_at, nth ? now + nth : 0, memory_order_relaxed);
}

size_t leat__allocations(void)
{
    return atomic_load_explicit(&made, memory_order_relaxed);
}

void *leat__alloc(size_t size)
{
    return may_allocate() ? calloc(1, size ? size : 1) : NULL;
}

void *leat__realloc(void *old, size_t size)
{
    return may_allocate() ? realloc(old, size ? size : 1) : NULL;
}

char *leat__strdup(const char *text)
{
    return text ? leat__strndup(text, strlen(text)) : NULL;
}

char *leat__strndup(const char *text, size_t size)
{
    char *copy = text ? leat__alloc(size + 1) : NULL;

    if (copy && size)
        memcpy(copy, text, size);
    return copy;
}

void leat__free(void *memory)
{
    free(memory);
}

/* Nothing here may allocate: stdio's stderr is unbuffered and vsnprintf of "%zu" needs no heap. */
static _Noreturn void out_of_memory(size_t size)
{
    leat__log(LEAT_LOG_ERROR, "memory", NULL,
        "out of memory: %zu bytes could not be had; the process ends here, its committed state is"
        " safe on disk and in the changelog topics",
        size);
    abort();
}

void *leat__must_alloc(size_t size)
{
    void *memory = calloc(1, size ? size : 1);

    if (!memory)
        out_of_memory(size);
    return memory;
}

void *leat__must_realloc(void *old, size_t size)
{
    void *memory = realloc(old, size ? size : 1);

    if (!memory)
        out_of_memory(size);
    return memory;
}

char *leat__must_strdup(const char *text)
{
    return text ? leat__must_strndup(text, strlen(text)) : NULL;
}

char *leat__must_strndup(const char *text, size_t size)
{
    char *copy;

    if (!text)
        return NULL;
    copy = leat__must_alloc(size + 1);
    if (size)
        memcpy(copy, text, size);
    return copy;
}

char *leat__must_format(const char *format, ...)
{
    va_list args;
    char *text;
    int size;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    LEAT_ASSERT(size >= 0);
    text = leat__must_alloc((size_t)size + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)size + 1, format, args);
    va_end(args);
    return text;
}
