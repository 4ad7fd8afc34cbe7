/*
 * statestore/filter.c: levels of blocked Bloom filters, each four times as large as the one before: a level that is full stays
 * as it is, and a new one takes what comes. A key sets six bits in one cache line of one level, so a question costs one cache
 * miss a level; a million keys make four levels. About one answer in fifty is a needless "may".
 */
#include "statestore/filter.h"

#include "base/map.h"
#include "base/mem.h"
#include "statestore/shape.h"

enum { LEVELS_MAX = 12, BLOCK_WORDS = 8, KEYS_PER_BLOCK = 51, FIRST_BLOCKS = 640, BITS_PER_KEY = 6 };

typedef struct level_t {
    uint64_t (*blocks)[BLOCK_WORDS];
    uint64_t count; /* of blocks */
    uint64_t free;  /* keys that may still come */
} level_t;

struct leat__filter_t {
    level_t levels[LEVELS_MAX];
    size_t count;
};

static void grow(leat__filter_t *f)
{
    level_t *l = &f->levels[f->count];

    l->count = f->count ? f->levels[f->count - 1].count * 4 : FIRST_BLOCKS;
    l->blocks = leat__must_alloc((size_t)l->count * sizeof *l->blocks);
    l->free = l->count * KEYS_PER_BLOCK;
    f->count++;
}

leat__filter_t *leat__filter_new(void)
{
    leat__filter_t *f = leat__must_alloc(sizeof *f);

    grow(f);
    return f;
}

void leat__filter_free(leat__filter_t *f)
{
    for (size_t i = 0; f && i < f->count; i++)
        leat__free(f->levels[i].blocks);
    leat__free(f);
}

/* The line of a key in a level, and six times nine bits for the places in it. */
static inline uint64_t *line_of(const level_t *l, uint64_t hash)
{
    return l->blocks[(hash >> 32) * l->count >> 32];
}

static inline uint64_t places_of(uint64_t hash)
{
    return (hash ^ hash >> 29) * 0x9e3779b97f4a7c15u;
}

static bool in_line(const uint64_t *line, uint64_t places)
{
    bool all = true;

    for (int i = 0; i < BITS_PER_KEY; i++, places >>= 9)
        all &= (line[places >> 6 & 7] >> (places & 63) & 1) != 0;
    return all;
}

static bool holds(const leat__filter_t *f, uint64_t hash)
{
    uint64_t places = places_of(hash);

    for (size_t i = f->count; i > 0; i--)
        if (in_line(line_of(&f->levels[i - 1], hash), places))
            return true;
    return false;
}

void leat__filter_add(leat__filter_t *f, leat_slice_t key)
{
    uint64_t hash = leat__hash(key.data, key.size), places = places_of(hash);

    if (holds(f, hash))
        return;
    if (f->levels[f->count - 1].free == 0 && f->count < LEVELS_MAX)
        grow(f);
    level_t *l = &f->levels[f->count - 1];
    uint64_t *line = line_of(l, hash);
    for (int i = 0; i < BITS_PER_KEY; i++, places >>= 9)
        line[places >> 6 & 7] |= (uint64_t)1 << (places & 63);
    l->free -= l->free > 0;
}

bool leat__filter_may_hold(const leat__filter_t *f, leat_slice_t key)
{
    return holds(f, leat__hash(key.data, key.size));
}

/* ---- by segment ---- */

enum { SEGMENTS_MAX = 64 }; /* of stores whose time has leapt: then every question goes beneath */

typedef struct segment_t {
    uint64_t number;
    leat__filter_t *keys;
} segment_t;

struct leat__filters_t {
    leat__filter_t *rest; /* of keys that lie in no segment */
    bool by_segment;
    bool gave_up;
    segment_t *segments;
    size_t count, room;
};

leat__filters_t *leat__filters_new(bool by_segment)
{
    leat__filters_t *f = leat__must_alloc(sizeof *f);

    f->by_segment = by_segment;
    f->rest = leat__filter_new();
    return f;
}

static void drop(leat__filters_t *f, size_t i)
{
    leat__filter_free(f->segments[i].keys);
    f->segments[i] = f->segments[--f->count];
}

void leat__filters_free(leat__filters_t *f)
{
    if (!f)
        return;
    while (f->count > 0)
        drop(f, f->count - 1);
    leat__filter_free(f->rest);
    leat__free(f->segments);
    leat__free(f);
}

static bool in_segment(const leat__filters_t *f, leat_slice_t key)
{
    return f->by_segment && key.size >= 8 && (unsigned char)key.data[0] < LEAT__LATEST;
}

/* NULL: none yet. */
static leat__filter_t *segment_of(const leat__filters_t *f, leat_slice_t key)
{
    uint64_t number = leat__load_be64(key.data);

    for (size_t i = f->count; i > 0; i--)
        if (f->segments[i - 1].number == number)
            return f->segments[i - 1].keys;
    return NULL;
}

static leat__filter_t *add_segment(leat__filters_t *f, leat_slice_t key)
{
    if (f->count == SEGMENTS_MAX) {
        f->gave_up = true;
        while (f->count > 0)
            drop(f, f->count - 1);
        return NULL;
    }
    LEAT__GROW(f->segments, f->count, f->room);
    f->segments[f->count++] = (segment_t){leat__load_be64(key.data), leat__filter_new()};
    return f->segments[f->count - 1].keys;
}

void leat__filters_add(leat__filters_t *f, leat_slice_t key)
{
    leat__filter_t *keys = f->rest;

    if (f->gave_up || (f->by_segment && key.size && (unsigned char)key.data[0] == LEAT__INDEX))
        return; /* rows of an index are never asked for by key */
    if (in_segment(f, key)) {
        keys = segment_of(f, key);
        keys = keys ? keys : add_segment(f, key);
    }
    if (keys)
        leat__filter_add(keys, key);
}

bool leat__filters_may_hold(const leat__filters_t *f, leat_slice_t key)
{
    const leat__filter_t *keys = f->rest;

    if (f->gave_up || (f->by_segment && key.size && (unsigned char)key.data[0] == LEAT__INDEX))
        return true;
    if (in_segment(f, key))
        keys = segment_of(f, key);
    return keys && leat__filter_may_hold(keys, key);
}

void leat__filters_forget(leat__filters_t *f, uint64_t segment)
{
    for (size_t i = f->count; i > 0; i--)
        if (f->segments[i - 1].number < segment)
            drop(f, i - 1);
}
