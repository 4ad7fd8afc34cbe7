/*
 * base/arena.c: chunks in a list, the current one first; allocation moves a pointer.
 *
 *   chunks -> [ current ....at-----end ] -> [ full ] -> [ full ]      spare -> [ free ] -> ...
 *
 * A reset that finds several chunks replaces them by one of their total size, so that after a few
 * records a task works in a single chunk and a reset is one assignment. A total above KEEP_BYTES is
 * not kept: one huge record must not hold its memory for ever.
 *
 * Poison: under ASan every byte outside a live allocation is unreadable; a debug build without ASan
 * overwrites what is given back, so that a stale borrow at least reads nonsense.
 */
#include "arena.h"
#include "log.h"
#include "mem.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#endif

enum {
    ALIGN = 16,
    FIRST_CHUNK_BYTES = 16 * 1024 - 64,
    KEEP_BYTES = 4 * 1024 * 1024,
};

typedef struct leat__chunk_t {
    struct leat__chunk_t *next;
    size_t size; /* of bytes */
    _Alignas(ALIGN) char bytes[];
} leat__chunk_t;

typedef struct leat__release_t {
    struct leat__release_t *next;
    void (*fn)(void *);
    void *object;
} leat__release_t;

static void poison(char *from, const char *to)
{
#if defined(WITH_ASAN)
    ASAN_POISON_MEMORY_REGION(from, (size_t)(to - from));
#elif !defined(NDEBUG)
    memset(from, 0xDB, (size_t)(to - from));
#else
    (void)from;
    (void)to;
#endif
}

static void unpoison(char *from, size_t size)
{
#ifdef WITH_ASAN
    ASAN_UNPOISON_MEMORY_REGION(from, size);
#else
    (void)from;
    (void)size;
#endif
}

static size_t rounded(size_t size)
{
    LEAT_ASSERT(size <= SIZE_MAX / 2);
    return (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static leat__chunk_t *chunk_new(size_t size)
{
    leat__chunk_t *chunk = leat__must_realloc(NULL, sizeof *chunk + size);

    chunk->next = NULL;
    chunk->size = size;
    poison(chunk->bytes, chunk->bytes + size);
    return chunk;
}

static void chunk_free(leat__chunk_t *chunk)
{
    unpoison(chunk->bytes, chunk->size);
    leat__free(chunk);
}

static void chunks_free(leat__chunk_t **list)
{
    while (*list) {
        leat__chunk_t *chunk = *list;

        *list = chunk->next;
        chunk_free(chunk);
    }
}

static void chunk_enter(leat__arena_t *a, leat__chunk_t *chunk)
{
    chunk->next = a->chunks;
    a->chunks = chunk;
    a->at = chunk->bytes;
    a->end = chunk->bytes + chunk->size;
}

/* A chunk of at least size bytes becomes the current one: a spare one, or one twice as large as the
 * last. */
static void chunk_next(leat__arena_t *a, size_t size)
{
    size_t want = a->chunks ? a->chunks->size * 2 : FIRST_CHUNK_BYTES;

    for (leat__chunk_t **spare = &a->spare; *spare; spare = &(*spare)->next) {
        leat__chunk_t *chunk = *spare;

        if (chunk->size >= size) {
            *spare = chunk->next;
            chunk_enter(a, chunk);
            return;
        }
    }
    if (want > KEEP_BYTES)
        want = KEEP_BYTES;
    chunk_enter(a, chunk_new(size > want ? rounded(size) : rounded(want)));
}

void leat__arena_init(leat__arena_t *a)
{
    memset(a, 0, sizeof *a);
}

static void hooks_run(leat__arena_t *a, const leat__release_t *until)
{
    while (a->hooks != until) {
        leat__release_t *hook = a->hooks;

        a->hooks = hook->next;
        hook->fn(hook->object);
    }
}

void leat__arena_release(leat__arena_t *a)
{
    hooks_run(a, NULL);
    chunks_free(&a->chunks);
    chunks_free(&a->spare);
    leat__arena_init(a);
}

/* Several chunks become one of their total size, or none if that is too much to keep. */
static void chunks_join(leat__arena_t *a)
{
    size_t total = 0;

    for (const leat__chunk_t *chunk = a->chunks; chunk; chunk = chunk->next)
        total += chunk->size;
    for (const leat__chunk_t *chunk = a->spare; chunk; chunk = chunk->next)
        total += chunk->size;
    chunks_free(&a->chunks);
    chunks_free(&a->spare);
    a->at = a->end = NULL;
    if (total <= KEEP_BYTES)
        chunk_enter(a, chunk_new(rounded(total)));
}

void leat__arena_reset(leat__arena_t *a)
{
    leat__chunk_t *chunk = a->chunks;

    hooks_run(a, NULL);
    if (!chunk)
        return;
    if (chunk->next || a->spare || chunk->size > KEEP_BYTES) {
        chunks_join(a);
        return;
    }
    poison(chunk->bytes, a->at);
    a->at = chunk->bytes;
}

void *leat__arena_alloc(leat__arena_t *a, size_t size)
{
    size_t step = rounded(size);
    char *memory;

    if (step > (size_t)(a->end - a->at))
        chunk_next(a, step);
    memory = a->at;
    a->at += step;
    unpoison(memory, size);
    return memory;
}

void *leat__arena_zalloc(leat__arena_t *a, size_t size)
{
    void *memory = leat__arena_alloc(a, size);

    memset(memory, 0, size);
    return memory;
}

void *leat__arena_copy(leat__arena_t *a, const void *bytes, size_t size)
{
    char *copy = leat__arena_alloc(a, size + 1);

    if (size)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

void *leat__arena_grow(leat__arena_t *a, void *old, size_t old_size, size_t size)
{
    char *memory = old;
    size_t old_step = rounded(old_size), step = rounded(size);

    LEAT_DASSERT(size >= old_size);
    if (old && memory + old_step == a->at && step - old_step <= (size_t)(a->end - a->at)) {
        a->at = memory + step;
        unpoison(memory, size);
        return memory;
    }
    memory = leat__arena_alloc(a, size);
    if (old_size)
        memcpy(memory, old, old_size);
    return memory;
}

void leat__arena_on_reset(leat__arena_t *a, void (*fn)(void *), void *object)
{
    leat__release_t *hook = leat__arena_alloc(a, sizeof *hook);

    hook->next = a->hooks;
    hook->fn = fn;
    hook->object = object;
    a->hooks = hook;
}

leat__mark_t leat__arena_mark(leat__arena_t *a)
{
    return (leat__mark_t){.at = a->at, .chunk = a->chunks, .hooks = a->hooks};
}

void leat__arena_rewind(leat__arena_t *a, leat__mark_t mark)
{
    hooks_run(a, mark.hooks);
    while (a->chunks != mark.chunk) {
        leat__chunk_t *chunk = a->chunks;

        LEAT_ASSERT(chunk); /* a mark from before a reset */
        a->chunks = chunk->next;
        poison(chunk->bytes, chunk->bytes + chunk->size);
        chunk->next = a->spare;
        a->spare = chunk;
    }
    if (!mark.chunk) {
        a->at = a->end = NULL;
        return;
    }
    a->end = mark.chunk->bytes + mark.chunk->size;
    poison(mark.at, a->end);
    a->at = mark.at;
}
