/*
 * statestore/runs.c: the rows of one key of a window or session store, in order of time.
 *
 * Made at the first look at one key and kept from then on. A hash table leads from the plain key to
 * its run. Most keys have one row in sight: that is its own run. A longer run is a list of pieces,
 * each a sorted array of rows, so that a key with a million windows costs two binary searches, and
 * a row that comes or goes moves the rest of one piece only. Within a run the order of row keys is
 * that of time (shape.h). Rows of an index belong to no run.
 */
#include "statestore/shape.h"

#include "base/log.h"
#include "base/mem.h"

enum { FIRST_SLOTS = 64, FIRST_ROOM = 2, PIECE_ROWS = 64 };

typedef struct leat__run_piece_t {
    uint32_t count, room;
    leat__entry_t *rows[];
} piece_t;

typedef struct leat__run_list_t { /* two rows at least; no piece is empty */
    uint32_t count, room;
    piece_t *pieces[];
} list_t;

typedef struct slot_t { /* neither: free. Linear probing, backward shift */
    leat__entry_t *one;
    list_t *list;
    uint32_t hash;
} slot_t;

struct leat__runs_t {
    leat__store_t *store;
    slot_t *slots;
    size_t mask, count;
};

/* ---- memory ---- */

static void *take(leat__runs_t *r, size_t bytes)
{
    leat__charge(r->store, leat__pool_size(bytes));
    return leat__pool_take(&r->store->pool, bytes);
}

static void give(leat__runs_t *r, void *piece, size_t bytes)
{
    leat__uncharge(r->store, leat__pool_size(bytes));
    leat__pool_give(&r->store->pool, piece, bytes);
}

static size_t piece_bytes(uint32_t room)
{
    return sizeof(piece_t) + room * sizeof(leat__entry_t *);
}

static size_t list_bytes(uint32_t room)
{
    return sizeof(list_t) + room * sizeof(piece_t *);
}

static piece_t *piece_new(leat__runs_t *r, uint32_t room)
{
    piece_t *p = take(r, piece_bytes(room));
    p->count = 0;
    p->room = room;
    return p;
}

static void list_free(leat__runs_t *r, list_t *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        give(r, list->pieces[i], piece_bytes(list->pieces[i]->room));
    give(r, list, list_bytes(list->room));
}

/* ---- the table ---- */

static bool used(const slot_t *slot)
{
    return slot->one || slot->list;
}

/* False: a row of the index. */
static bool key_of(const leat__store_t *s, const leat__entry_t *e, leat_slice_t *key)
{
    leat__window_at_t at;
    if (s->indexed && e->key_size && (unsigned char)e->bytes[0] == LEAT__INDEX)
        return false;
    return leat__shape_split(s, leat__entry_key(e), key, &at);
}

static bool is_of(const leat__runs_t *r, const slot_t *slot, leat_slice_t key)
{
    const leat__entry_t *first = slot->one ? slot->one : slot->list->pieces[0]->rows[0];
    leat_slice_t its;
    return key_of(r->store, first, &its) && leat_slice_equal(&its, &key);
}

static slot_t *find(const leat__runs_t *r, leat_slice_t key, uint32_t hash)
{
    for (size_t i = hash & r->mask; used(&r->slots[i]); i = (i + 1) & r->mask)
        if (r->slots[i].hash == hash && is_of(r, &r->slots[i], key))
            return &r->slots[i];
    return NULL;
}

static slot_t *place(leat__runs_t *r, uint32_t hash)
{
    size_t i = hash & r->mask;
    while (used(&r->slots[i]))
        i = (i + 1) & r->mask;
    r->slots[i].hash = hash;
    return &r->slots[i];
}

static void make_slots(leat__runs_t *r, size_t places)
{
    r->slots = leat__pages_new(places * sizeof *r->slots);
    r->mask = places - 1;
    leat__charge(r->store, places * sizeof *r->slots);
}

static void free_slots(leat__runs_t *r, slot_t *slots, size_t places)
{
    leat__pages_free(slots, places * sizeof *slots);
    leat__uncharge(r->store, places * sizeof *slots);
}

static void grow(leat__runs_t *r)
{
    slot_t *old = r->slots;
    size_t places = r->mask + 1;
    make_slots(r, places * 2);
    for (size_t i = 0; i < places; i++)
        if (used(&old[i]))
            *place(r, old[i].hash) = old[i];
    free_slots(r, old, places);
}

static void unplace(leat__runs_t *r, slot_t *slot)
{
    size_t hole = (size_t)(slot - r->slots);
    for (size_t i = (hole + 1) & r->mask; used(&r->slots[i]); i = (i + 1) & r->mask) {
        size_t home = r->slots[i].hash & r->mask;
        if (((i - home) & r->mask) >= ((i - hole) & r->mask)) {
            r->slots[hole] = r->slots[i];
            hole = i;
        }
    }
    r->slots[hole] = (slot_t){0};
    r->count--;
}

/* ---- one run ---- */

static bool below(const leat__entry_t *e, leat_slice_t row_key)
{
    return leat__bytes_compare(leat__entry_key(e), row_key) < 0;
}

/* The first piece that ends with this row or a later one; list->count: none. */
static uint32_t piece_at(const list_t *list, leat_slice_t row_key)
{
    uint32_t from = 0, to = list->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        const piece_t *p = list->pieces[middle];
        if (below(p->rows[p->count - 1], row_key))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* The first row that is this one or later; p->count: none. */
static uint32_t row_at(const piece_t *p, leat_slice_t row_key)
{
    uint32_t from = 0, to = p->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (below(p->rows[middle], row_key))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static piece_t *insert_piece(leat__runs_t *r, list_t **list, uint32_t at, uint32_t room)
{
    list_t *l = *list;
    if (l->count == l->room) {
        list_t *larger = take(r, list_bytes(l->room * 2));
        memcpy(larger, l, list_bytes(l->room));
        larger->room = l->room * 2;
        give(r, l, list_bytes(l->room));
        *list = l = larger;
    }
    memmove(&l->pieces[at + 1], &l->pieces[at], (l->count - at) * sizeof *l->pieces);
    l->count++;
    return l->pieces[at] = piece_new(r, room);
}

static void drop_piece(leat__runs_t *r, list_t *list, uint32_t at)
{
    give(r, list->pieces[at], piece_bytes(list->pieces[at]->room));
    list->count--;
    memmove(&list->pieces[at], &list->pieces[at + 1], (list->count - at) * sizeof *list->pieces);
}

static void insert_row(leat__runs_t *r, piece_t **piece, uint32_t at, leat__entry_t *e)
{
    piece_t *p = *piece;
    if (p->count == p->room) {
        piece_t *larger = piece_new(r, p->room * 2);
        larger->count = p->count;
        memcpy(larger->rows, p->rows, p->count * sizeof *p->rows);
        give(r, p, piece_bytes(p->room));
        *piece = p = larger;
    }
    memmove(&p->rows[at + 1], &p->rows[at], (p->count - at) * sizeof *p->rows);
    p->rows[at] = e;
    p->count++;
}

/* A full piece is halved; but what comes at the end, as nearly all does, begins a new one. */
static void list_add(leat__runs_t *r, list_t **list, leat__entry_t *e)
{
    uint32_t at = piece_at(*list, leat__entry_key(e)), half = PIECE_ROWS / 2;
    bool last = at == (*list)->count;
    piece_t *p = (*list)->pieces[last ? --at : at];
    uint32_t row = last ? p->count : row_at(p, leat__entry_key(e));
    if (p->count == PIECE_ROWS && last) {
        insert_piece(r, list, ++at, FIRST_ROOM);
        row = 0;
    } else if (p->count == PIECE_ROWS) {
        piece_t *rest = insert_piece(r, list, at + 1, PIECE_ROWS);
        rest->count = PIECE_ROWS - half;
        p->count = half;
        memcpy(rest->rows, &p->rows[half], rest->count * sizeof *p->rows);
        if (row > half) {
            at++;
            row -= half;
        }
    }
    insert_row(r, &(*list)->pieces[at], row, e);
}

/* Neighbours that fit into half a piece become one. */
static void list_remove(leat__runs_t *r, list_t *list, const leat__entry_t *e)
{
    uint32_t at = piece_at(list, leat__entry_key(e));
    piece_t *p = list->pieces[at];
    uint32_t row = row_at(p, leat__entry_key(e));
    p->count--;
    memmove(&p->rows[row], &p->rows[row + 1], (p->count - row) * sizeof *p->rows);
    if (!p->count) {
        drop_piece(r, list, at);
        return;
    }
    const piece_t *next = at + 1 < list->count ? list->pieces[at + 1] : NULL;
    if (!next || p->count + next->count > p->room || p->count + next->count > PIECE_ROWS / 2)
        return;
    memcpy(&p->rows[p->count], next->rows, next->count * sizeof *p->rows);
    p->count += next->count;
    drop_piece(r, list, at + 1);
}

/* ---- rows come and go ---- */

static void begin_list(leat__runs_t *r, slot_t *slot)
{
    list_t *list = take(r, list_bytes(FIRST_ROOM));
    *list = (list_t){.room = FIRST_ROOM};
    insert_piece(r, &list, 0, FIRST_ROOM);
    insert_row(r, &list->pieces[0], 0, slot->one);
    *slot = (slot_t){.list = list, .hash = slot->hash};
}

void leat__runs_add(leat__runs_t *r, leat__entry_t *e)
{
    leat_slice_t key;
    if (!key_of(r->store, e, &key))
        return;
    uint32_t hash = leat__entry_hash(key);
    slot_t *slot = find(r, key, hash);
    if (slot) {
        if (slot->one)
            begin_list(r, slot);
        list_add(r, &slot->list, e);
        return;
    }
    if (++r->count * 5 > (r->mask + 1) * 4)
        grow(r);
    place(r, hash)->one = e;
}

void leat__runs_remove(leat__runs_t *r, const leat__entry_t *e)
{
    leat_slice_t key;
    if (!key_of(r->store, e, &key))
        return;
    slot_t *slot = find(r, key, leat__entry_hash(key));
    if (slot->one) {
        unplace(r, slot);
        return;
    }
    list_t *list = slot->list;
    list_remove(r, list, e);
    if (list->count > 1 || list->pieces[0]->count > 1)
        return;
    slot->one = list->pieces[0]->rows[0];
    slot->list = NULL;
    list_free(r, list);
}

leat__runs_t *leat__runs_new(leat__store_t *s)
{
    leat__runs_t *r = leat__must_alloc(sizeof *r);
    r->store = s;
    make_slots(r, FIRST_SLOTS);
    for (size_t i = 0; s->slots && i <= s->mask; i++)
        if (s->slots[i])
            leat__runs_add(r, leat__slot_entry(s->slots[i]));
    return r;
}

void leat__runs_free(leat__runs_t *r)
{
    if (!r)
        return;
    for (size_t i = 0; i <= r->mask; i++)
        if (r->slots[i].list)
            list_free(r, r->slots[i].list);
    free_slots(r, r->slots, r->mask + 1);
    leat__free(r);
}

/* ---- looking ---- */

leat__run_at_t leat__runs_seek(const leat__runs_t *r, leat_slice_t key, leat_slice_t row_key)
{
    leat__run_at_t at = {0};
    const slot_t *slot = find(r, key, leat__entry_hash(key));
    if (!slot)
        return at;
    if (slot->one) {
        at.one = below(slot->one, row_key) ? NULL : slot->one;
        return at;
    }
    at.list = slot->list;
    at.piece = piece_at(slot->list, row_key);
    if (at.piece < slot->list->count)
        at.row = row_at(slot->list->pieces[at.piece], row_key);
    return at;
}

leat__entry_t *leat__run_next(leat__run_at_t *at)
{
    leat__entry_t *e = at->one;
    if (!at->list || at->piece == at->list->count) {
        at->one = NULL;
        return e;
    }
    const piece_t *p = at->list->pieces[at->piece];
    e = p->rows[at->row];
    if (++at->row == p->count) {
        at->row = 0;
        at->piece++;
    }
    return e;
}

/* ---- for tests ---- */

static size_t check_run(const leat__runs_t *r, const slot_t *slot)
{
    leat__run_at_t at = {.list = slot->list, .one = slot->one};
    const leat__entry_t *before = NULL;
    leat_slice_t key = {NULL, 0};
    size_t rows = 0;
    for (leat__entry_t *e; (e = leat__run_next(&at)); before = e, rows++) {
        LEAT_ASSERT(leat__entry_find(r->store, leat__entry_key(e), e->hash) == e);
        LEAT_ASSERT(key_of(r->store, e, &key) && find(r, key, leat__entry_hash(key)) == slot);
        LEAT_ASSERT(!before || below(before, leat__entry_key(e)));
    }
    return rows;
}

void leat__runs_check(const leat__runs_t *r)
{
    const leat__store_t *s = r->store;
    size_t rows = 0, runs = 0, entries = 0;
    leat_slice_t key;
    for (size_t i = 0; i <= r->mask; i++)
        if (used(&r->slots[i])) {
            rows += check_run(r, &r->slots[i]);
            runs++;
        }
    for (size_t i = 0; s->slots && i <= s->mask; i++)
        entries += s->slots[i] && key_of(s, leat__slot_entry(s->slots[i]), &key);
    LEAT_ASSERT(runs == r->count && rows == entries);
}
