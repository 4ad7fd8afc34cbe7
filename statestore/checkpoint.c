/*
 * statestore/checkpoint.c: what is committed goes to the backend, in order of the keys, on any
 * thread.
 *
 *   begin (owner)  ──▶  write (any thread)  ──▶  end (owner)
 *   the list `committed`      sorted batches,         FROZEN entries become clean,
 *   becomes items             metadata in the last    or go back on the list
 *
 * An item is an entry's inline value, LOCKED for the time being, or a counted block: what the
 * writer reads does not change, and the owner goes on meanwhile. The metadata of all stores of a
 * task stand in the last batch (PROTOCOLS.md 5, 19). After a failed write the database is closed
 * and opened again by the next begin, with growing pauses (PROTOCOLS.md 18): RocksDB 7.8 has no
 * other way out of a full disk.
 */
#include "statestore/inside.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "statestore/db.h"
#include "statestore/filter.h"
#include "statestore/shape.h"
#include "statestore/ttl.h"

#include <stdlib.h>

enum {
    BATCH_BYTES = 4 << 20,
    BATCH_CHANGES = 16384,
    FILE_ROWS = 4096,
    RETRY_MS = 1000,
    RETRY_MS_MAX = 30000,
    AHEAD = 12, /* entries are fetched so many steps before they are looked at */
};

typedef struct item_t {
    uint64_t prefix; /* 8 bytes of the key, while it is sorted */
    leat__entry_t *e;
    leat__block_t *block; /* NULL: the inline value */
} item_t;

typedef struct part_t {
    leat__store_t *s;
    item_t *items;
    size_t count;
    leat__store_meta_t meta;
    uint64_t logged_count;
    int64_t alive_ms; /* rows with an earlier time are over: some are looked for (ttl.h) */
    uint64_t dead; /* rows below this point are forgotten with this checkpoint; 0: none newly */
    int64_t gone_ms; /* LEAT__SEGMENTS: rows with an earlier time are read no more, and not written */
} part_t;

typedef enum phase_t { BEGUN, WRITING, WRITTEN, FAILED, CANCELLED } phase_t;

struct leat__frozen_t {
    leat__task_state_t *state; /* NULL: detached, only to be freed */
    part_t *parts;
    size_t count;
    leat__note_t *notes; /* copies */
    size_t note_count;
    int64_t wall_ms;
    uint64_t prepared; /* parts of stores without changelog that this makes superfluous */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    phase_t phase;
    size_t thawed_parts, thawed; /* parts, and items of the next one */
};

/* ---- begin ---- */

static uint64_t prefix_of(const leat__entry_t *e)
{
    char head[8] = {0};
    memcpy(head, e->bytes, e->key_size < 8 ? e->key_size : 8);
    return leat__load_be64(head);
}

/* By committed time only (PROTOCOLS.md 10). */
static uint64_t newly_dead(const leat__store_t *s)
{
    char room[8];
    leat_slice_t dead = leat__shape_dead(s, s->meta.observed_ms, room);
    uint64_t point = dead.data ? leat__load_be64(dead.data) : 0;
    return point > s->forgotten ? point : 0;
}

static void freeze(leat__store_t *s, part_t *part)
{
    part->s = s;
    part->meta = s->meta;
    part->logged_count = s->logged_count;
    part->count = s->committed.count;
    part->dead = newly_dead(s);
    part->gone_ms = leat__shape_gone(s, s->meta.observed_ms);
    part->alive_ms = leat__ttl_alive_committed(s);
    leat__shape_cool(s);
    part->items = part->count ? leat__must_alloc(part->count * sizeof *part->items) : NULL;
    for (size_t i = 0; i < part->count; i++) {
        leat__entry_t *e = s->committed.at[i];
        item_t *item = &part->items[i];
        if (i + AHEAD < part->count)
            __builtin_prefetch(&s->committed.at[i + AHEAD]->flags, 1);
        item->e = e;
        uint32_t set = LEAT__FROZEN;
        if (e->flags & LEAT__UNCOMMITTED)
            item->block = e->versions->committed;
        else if (e->flags & LEAT__MOVED)
            item->block = e->versions->current;
        if (item->block)
            item->block->refs++;
        else
            set |= LEAT__LOCKED;
        e->flags = (e->flags & ~(uint32_t)LEAT__LISTED) | set;
    }
    if (part->count)
        s->vacant = false;
    s->committed.count = 0;
    s->logged_count = 0;
}

static bool changed(const leat__store_t *s)
{
    return s->committed.count > 0 ||
           (!s->resident && !s->custom &&
               (s->meta.changelog_next != s->written.changelog_next ||
                   s->meta.observed_ms != s->written.observed_ms ||
                   s->meta.incarnation != s->written.incarnation ||
                   (s->written.changelog_next >= 0 && !s->written.wall_ms))); /* restored: no age */
}

/* Idle tasks write too, often enough not to look too old at the next open (PROTOCOLS.md 9). What is
 * being restored would stay as old as it is. */
static bool growing_old(const leat__store_t *s, int64_t wall_ms)
{
    int64_t most = s->state->age_max_ms;
    return s->has_changelog && !s->resident && !s->custom && !s->restoring && most > 0 &&
           s->written.changelog_next >= 0 && wall_ms - s->written.wall_ms >= most / 4;
}

static bool anything(const leat__task_state_t *state, int64_t wall_ms)
{
    for (size_t i = 0; i < state->count; i++)
        if (changed(state->stores[i]) || growing_old(state->stores[i], wall_ms))
            return true;
    for (size_t i = 0; state->db && i < state->note_count; i++)
        if (state->notes[i].fresh)
            return true;
    return false;
}

static bool pausing(const leat__task_state_t *state, int64_t wall_ms)
{
    return state->failures && wall_ms < state->retry_ms;
}

int leat__state_recover(leat__task_state_t *state, leat_error_t *err)
{
    if (!state->reopen)
        return 0;
    if (state->cursors)
        return leat__error(err, LEAT_ESTORE, LEAT_RETRIABLE, state->dir,
            "the database is opened again after a failed write once no iterator is open");
    for (size_t i = 0; i < state->count; i++)
        leat__beneath_unpin(state->stores[i]);
    int code = leat__db_reopen(state->db, err);
    state->reopen = code != 0;
    return code;
}

/* False: not now. */
static bool recover(leat__task_state_t *state, int64_t wall_ms)
{
    leat_error_t err;
    if (leat__state_recover(state, &err) == 0)
        return true;
    leat__log(LEAT_LOG_WARN, "store", NULL, "%s: %s", err.where, err.text);
    state->failures++;
    state->retry_ms = wall_ms + RETRY_MS_MAX;
    return false;
}

static void copy_notes(leat__frozen_t *f)
{
    leat__task_state_t *state = f->state;
    f->notes = state->note_count ? leat__must_alloc(state->note_count * sizeof *f->notes) : NULL;
    for (size_t i = 0; i < state->note_count; i++) {
        leat__note_t *n = &state->notes[i], *copy = &f->notes[f->note_count];
        if (!n->fresh)
            continue;
        f->note_count++;
        copy->name = leat__must_strdup(n->name);
        copy->size = n->size;
        copy->bytes = leat__must_alloc(n->size + 1);
        memcpy(copy->bytes, n->bytes, n->size);
        n->fresh = false;
    }
}

leat__frozen_t *leat__checkpoint_begin(leat__task_state_t *state, int64_t wall_ms)
{
    if (state->frozen || pausing(state, wall_ms) || !anything(state, wall_ms) ||
        !recover(state, wall_ms))
        return NULL;
    leat__frozen_t *f = leat__must_alloc(sizeof *f);
    f->state = state;
    f->wall_ms = wall_ms;
    f->parts = leat__must_alloc((state->count + 1) * sizeof *f->parts);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    for (size_t i = 0; i < state->count; i++) {
        leat__store_t *s = state->stores[i];
        if (s->resident || s->custom)
            continue;
        if (!s->restoring)
            s->meta.wall_ms = wall_ms;
        freeze(s, &f->parts[f->count++]);
    }
    f->prepared = leat__prepare_decided(state);
    copy_notes(f);
    state->checkpoint_ms = wall_ms;
    return state->frozen = f;
}

/* ---- write ---- */

static int by_key(const void *a, const void *b)
{
    const item_t *x = a, *y = b;
    return leat__bytes_compare(leat__entry_key(x->e), leat__entry_key(y->e));
}

/* Stable, by each byte of the prefixes that is not the same in all: mask has the bits that differ. */
static void sort_prefixes(item_t *items, item_t *spare, size_t count, uint64_t mask)
{
    item_t *from = items, *to = spare;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t place[256] = {0}, sum = 0;
        if (!(mask >> shift & 0xff))
            continue;
        for (size_t i = 0; i < count; i++)
            place[from[i].prefix >> shift & 0xff]++;
        for (size_t i = 0; i < 256; i++) {
            size_t here = place[i];
            place[i] = sum;
            sum += here;
        }
        for (size_t i = 0; i < count; i++)
            to[place[from[i].prefix >> shift & 0xff]++] = from[i];
        item_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, count * sizeof *items);
}

/* Eight bytes of the key from `depth` on. False: it has no more than these. */
static bool load_prefix(item_t *item, size_t depth)
{
    const leat__entry_t *e = item->e;
    char bytes[8] = {0};
    size_t left = e->key_size > depth ? e->key_size - depth : 0;
    memcpy(bytes, e->bytes + depth, left < 8 ? left : 8);
    item->prefix = leat__load_be64(bytes);
    return left > 8;
}

/*
 * Keys often begin alike (a segment, a letter and zeros): so eight bytes at a time, first those of
 * all, then what follows in each run of equals. Few, or those that end here: by comparing.
 */
static void sort_items(item_t *items, item_t *spare, size_t count, size_t depth)
{
    enum { FEW = 48, DEPTH_MAX = 256 };
    uint64_t mask = 0;
    bool more = true;
    while (!mask) {
        if (count <= FEW || depth > DEPTH_MAX || !more) {
            qsort(items, count, sizeof *items, by_key);
            return;
        }
        for (size_t i = 0; i < count; i++) {
            if (i + AHEAD < count)
                __builtin_prefetch(items[i + AHEAD].e->bytes);
            more &= load_prefix(&items[i], depth);
            mask |= items[i].prefix ^ items[0].prefix;
        }
        depth += 8;
    }
    sort_prefixes(items, spare, count, mask);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && items[to].prefix == items[from].prefix; to++)
            continue;
        if (to - from > 1 && !more)
            qsort(items + from, to - from, sizeof *items, by_key);
        else if (to - from > 1)
            sort_items(items + from, spare, to - from, depth);
    }
}

static void sort_part(part_t *part)
{
    item_t *spare = part->count ? leat__must_alloc(part->count * sizeof *spare) : NULL;
    if (spare)
        sort_items(part->items, spare, part->count, 0);
    leat__free(spare);
}

/* Forgotten with this checkpoint, or read no more. */
static bool is_dead(const part_t *part, const item_t *item)
{
    return (part->dead && prefix_of(item->e) < part->dead) ||
           (part->s->shape == LEAT__SEGMENTS &&
               leat__shape_entry_before(part->s, item->e, part->gone_ms));
}

static leat__view_t item_view(const item_t *i)
{
    return i->block ? leat__block_view(i->block) : leat__entry_inline(i->e);
}

static void put_item(leat__batch_t *b, const leat__store_t *s, const item_t *item)
{
    leat__view_t v = item_view(item);
    char time[8];
    if (v.size == LEAT__ABSENT) {
        leat__batch_delete(b, s->family, leat__entry_key(item->e));
        return;
    }
    leat__store_be64(time, (uint64_t)v.time_ms);
    leat__batch_put(b, s->family, leat__entry_key(item->e),
        (leat_slice_t){time, s->timestamped ? 8 : 0}, (leat_slice_t){v.data, v.size});
}

/* Past the memtable: a file costs a flush to the disk, and then half of what a batch does for each row. */
static int write_file(leat__db_t *db, const part_t *part, leat_error_t *err)
{
    size_t bytes = 0;
    char time[8];
    for (size_t i = 0; i < part->count; i++) {
        leat__view_t v = item_view(&part->items[i]);
        bytes += part->items[i].e->key_size + 16U + (v.size == LEAT__ABSENT ? 0 : v.size);
    }
    leat__db_file_t *file = leat__db_file_new(db, part->s->family, bytes, err);
    if (!file)
        return LEAT_ESTORE;
    for (size_t i = 0; i < part->count; i++) {
        leat__view_t v = item_view(&part->items[i]);
        leat_slice_t key = leat__entry_key(part->items[i].e);
        if (is_dead(part, &part->items[i]))
            continue;
        if (v.size == LEAT__ABSENT) {
            leat__db_file_delete(file, key);
            continue;
        }
        leat__store_be64(time, (uint64_t)v.time_ms);
        leat__db_file_put(file, key, (leat_slice_t){time, part->s->timestamped ? 8 : 0},
            (leat_slice_t){v.data, v.size});
    }
    return leat__db_file_finish(file, err);
}

static int write_family(leat__db_t *db, leat__batch_t *b, const part_t *part, leat_error_t *err)
{
    size_t in_batch = 0, alive = 0;
    for (size_t i = 0; i < part->count && alive < FILE_ROWS; i++)
        alive += !is_dead(part, &part->items[i]);
    if (alive >= FILE_ROWS)
        return write_file(db, part, err);
    for (size_t i = 0; i < part->count; i++) {
        if (is_dead(part, &part->items[i]))
            continue;
        put_item(b, part->s, &part->items[i]);
        if (++in_batch < BATCH_CHANGES && leat__batch_bytes(b) < BATCH_BYTES)
            continue;
        in_batch = 0;
        int code = leat__db_write(db, b, err);
        if (code)
            return code;
    }
    return 0;
}

/* What is forgotten: one range, and one of the index. */
static void forget(leat__batch_t *b, const part_t *part)
{
    const leat__store_t *s = part->s;
    char until[8], from_index[1] = {(char)LEAT__INDEX}, until_index[9] = {(char)LEAT__INDEX};
    if (!part->dead)
        return;
    leat__store_be64(until, part->dead);
    leat__batch_delete_range(b, s->family, (leat_slice_t){"", 0}, (leat_slice_t){until, 8});
    if (!s->indexed)
        return;
    leat__store_be64(until_index + 1, leat__turned((int64_t)part->dead * s->segment_ms));
    leat__batch_delete_range(
        b, s->family, (leat_slice_t){from_index, 1}, (leat_slice_t){until_index, 9});
}

/* Files that hold nothing else go at once, without a compaction. */
static void forget_files(const part_t *part)
{
    char until[8];
    leat__store_be64(until, part->dead);
    if (part->dead && part->s->family)
        leat__db_delete_files(part->s->state->db, part->s->family, (leat_slice_t){"", 0},
            (leat_slice_t){until, 8});
}

static leat_slice_t backend_value(const leat__store_t *s, leat__view_t v, leat__buf_t *room)
{
    char time[8];
    if (v.size == LEAT__ABSENT)
        return (leat_slice_t){NULL, 0};
    if (!s->timestamped)
        return (leat_slice_t){v.data, v.size};
    size_t at = room->size;
    leat__store_be64(time, (uint64_t)v.time_ms);
    leat__buf_put(room, time, 8);
    leat__buf_put(room, v.data, v.size);
    return (leat_slice_t){room->data + at, v.size + 8U};
}

/* A backend of the program's: its own batches, its own metadata in the last of them. */
static int write_backend(const part_t *part, leat_error_t *err)
{
    const leat__store_t *s = part->s;
    enum { STEP = 4096 };
    leat_change_t *changes = leat__must_alloc((STEP + 1) * sizeof *changes);
    leat__buf_t room = {0};
    char meta[LEAT__META_BYTES];
    int code = 0;
    size_t at = 0;
    do {
        size_t count = 0, bytes = 0;
        for (size_t i = at; i < part->count && i - at < STEP; i++)
            bytes += 8 + (item_view(&part->items[i]).size == LEAT__ABSENT
                                 ? 0
                                 : item_view(&part->items[i]).size);
        room.size = 0;
        leat__buf_reserve(&room, bytes); /* at once: slices point into it */
        for (; at < part->count && count < STEP; at++)
            changes[count++] = (leat_change_t){leat__entry_key(part->items[at].e),
                backend_value(s, item_view(&part->items[at]), &room)};
        if (at == part->count && s->backend->persistent) {
            leat__meta_encode(&part->meta, meta);
            changes[count++] = (leat_change_t){
                {LEAT_BACKEND_META, sizeof LEAT_BACKEND_META - 1}, {meta, sizeof meta}};
        }
        code = count ? s->backend->write(s->backend_self, changes, count) : 0;
    } while (!code && at < part->count);
    leat__buf_release(&room);
    leat__free(changes);
    if (!code)
        code = leat__beneath_forget(part->s, part->dead);
    return code ? leat__error(err, LEAT_ESTORE, LEAT_RETRIABLE, s->name,
                      "backend %s: write returned %d (%s)",
                      s->backend->name ? s->backend->name : "", code, leat_error_text(code))
                : 0;
}

static void put_named(
    leat__batch_t *b, leat__family_t *meta, char kind, const char *name, leat_slice_t value)
{
    char *key = leat__must_format("%c%s", kind, name);
    leat__batch_put(b, meta, leat_slice(key), (leat_slice_t){NULL, 0}, value);
    leat__free(key);
}

static int write_database(leat__frozen_t *f, leat_error_t *err)
{
    leat__db_t *db = f->state->db;
    leat__batch_t *b = leat__batch_new();
    int code = 0;
    for (size_t i = 0; !code && i < f->count; i++)
        if (f->parts[i].s->family)
            code = write_family(db, b, &f->parts[i], err);
    for (size_t i = 0; !code && i < f->count; i++) {
        char bytes[LEAT__META_BYTES];
        if (!f->parts[i].s->family)
            continue;
        forget(b, &f->parts[i]);
        leat__meta_encode(&f->parts[i].meta, bytes);
        put_named(
            b, leat__db_meta(db), 'm', f->parts[i].s->name, (leat_slice_t){bytes, sizeof bytes});
    }
    for (size_t i = 0; !code && i < f->note_count; i++)
        put_named(b, leat__db_meta(db), 'n', f->notes[i].name,
            (leat_slice_t){f->notes[i].bytes, f->notes[i].size});
    if (!code) {
        leat__prepare_forget(b, leat__db_meta(db), f->prepared);
        code = leat__db_write(db, b, err);
    }
    leat__batch_free(b);
    for (size_t i = 0; !code && i < f->count; i++)
        forget_files(&f->parts[i]);
    return code;
}

static phase_t set_phase(leat__frozen_t *f, phase_t from, phase_t to)
{
    pthread_mutex_lock(&f->lock);
    phase_t was = f->phase;
    if (was == from)
        f->phase = to;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return was;
}

int leat__checkpoint_write(leat__frozen_t *f, leat_error_t *err)
{
    int code = 0;
    set_phase(f, FAILED, BEGUN); /* another try */
    if (set_phase(f, BEGUN, WRITING) != BEGUN)
        return leat__error(err, LEAT_ESTORE, 0, "checkpoint",
            "cancelled: its stores were closed or emptied before it was written");
    for (size_t i = 0; i < f->count; i++)
        sort_part(&f->parts[i]);
    for (size_t i = 0; !code && i < f->count; i++)
        if (f->parts[i].s->ttl_ms) /* first: what is written now wins */
            code = leat__beneath_sweep(f->parts[i].s, f->parts[i].alive_ms,
                leat__ttl_rows(f->parts[i].count), err);
    for (size_t i = 0; !code && i < f->count; i++)
        if (f->parts[i].s->backend_self || !f->parts[i].s->family)
            code = write_backend(&f->parts[i], err);
    if (!code && f->state->db)
        code = write_database(f, err);
    set_phase(f, WRITING, code ? FAILED : WRITTEN);
    return code;
}

/* ---- end ---- */

static void thaw_item(leat__store_t *s, item_t *item, bool ok)
{
    leat__entry_t *e = item->e;
    bool listed = (e->flags & LEAT__LISTED) != 0; /* a later version was committed meanwhile */
    uint32_t clear = LEAT__FROZEN;
    leat__block_drop(s, &item->block);
    if (ok && s->filter) /* before the entry may leave the table */
        leat__filters_add(s->filter, leat__entry_key(e));
    if (ok && !listed) {
        clear |= LEAT__AHEAD;
        if (e->flags & LEAT__UNCOMMITTED && e->versions)
            leat__block_drop(s, &e->versions->committed);
    } else if (!listed) {
        leat__list_push(s, &s->committed, e);
        e->flags |= LEAT__LISTED;
    }
    leat__entry_flags(s, e, clear, 0);
    if (e->flags & LEAT__LOCKED)
        leat__entry_unlock(s, e);
    else
        leat__entry_tidy(s, e);
    if (s->shape == LEAT__SEGMENTS && !s->cached &&
        !(e->flags & (LEAT__PENDING | LEAT__LISTED | LEAT__QUEUED)) &&
        leat__shape_entry_before(s, e, s->cold_ms)) {
        leat__shape_leaves(s, e);
        leat__entry_remove(s, e);
    }
}

static void note_again(leat__task_state_t *state, const char *name)
{
    for (size_t i = 0; i < state->note_count; i++)
        if (strcmp(state->notes[i].name, name) == 0)
            state->notes[i].fresh = true;
}

static void note_failure(leat__task_state_t *state, int64_t wall_ms)
{
    unsigned shift = state->failures < 5 ? state->failures : 5;
    int64_t pause = (int64_t)RETRY_MS << shift;
    state->failures++;
    state->reopen = state->db != NULL;
    state->retry_ms = wall_ms + (pause < RETRY_MS_MAX ? pause : RETRY_MS_MAX);
}

static void part_written(const part_t *part)
{
    part->s->written = part->meta;
    if (!part->dead)
        return;
    part->s->forgotten = part->dead;
    if (part->s->filter)
        leat__filters_forget(part->s->filter, part->dead);
}

static void part_thawed(part_t *part, bool ok)
{
    part->s->barren = false;
    if (ok)
        part_written(part);
    else
        part->s->logged_count += part->logged_count;
    leat__store_shed_cold(part->s);
}

/* At most so many entries. True: that was all. */
static bool thaw(leat__frozen_t *f, bool ok, size_t most)
{
    for (; f->thawed_parts < f->count; f->thawed_parts++, f->thawed = 0) {
        part_t *part = &f->parts[f->thawed_parts];
        for (; f->thawed < part->count; f->thawed++, most--) {
            if (!most)
                return false;
            if (f->thawed + AHEAD < part->count)
                __builtin_prefetch(part->items[f->thawed + AHEAD].e);
            thaw_item(part->s, &part->items[f->thawed], ok);
        }
        part_thawed(part, ok);
    }
    return true;
}

/* The stores and the frozen part are done with each other. */
static void detach(leat__frozen_t *f, bool ok)
{
    leat__task_state_t *state = f->state;
    if (!state)
        return;
    thaw(f, ok, SIZE_MAX);
    for (size_t i = 0; !ok && i < f->note_count; i++)
        note_again(state, f->notes[i].name);
    if (ok)
        state->failures = 0, state->retry_ms = 0;
    else if (f->phase == FAILED)
        note_failure(state, f->wall_ms);
    state->frozen = NULL;
    f->state = NULL;
}

static void frozen_free(leat__frozen_t *f)
{
    for (size_t i = 0; i < f->count; i++)
        leat__free(f->parts[i].items);
    for (size_t i = 0; i < f->note_count; i++) {
        leat__free(f->notes[i].name);
        leat__free(f->notes[i].bytes);
    }
    leat__free(f->parts);
    leat__free(f->notes);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->changed);
    leat__free(f);
}

static bool is_written(leat__frozen_t *f)
{
    pthread_mutex_lock(&f->lock);
    LEAT_ASSERT(f->phase != WRITING);
    bool written = f->phase == WRITTEN;
    pthread_mutex_unlock(&f->lock);
    return written;
}

bool leat__checkpoint_thaw(leat__frozen_t *f, size_t most)
{
    return !f->state || thaw(f, is_written(f), most);
}

void leat__checkpoint_end(leat__frozen_t *f, bool ok)
{
    detach(f, is_written(f) && ok);
    frozen_free(f);
}

void leat__checkpoint_settle(leat__task_state_t *state)
{
    leat__frozen_t *f = state->frozen;
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    while (f->phase == WRITING)
        pthread_cond_wait(&f->changed, &f->lock);
    bool ok = f->phase == WRITTEN;
    if (f->phase == BEGUN)
        f->phase = CANCELLED;
    pthread_mutex_unlock(&f->lock);
    detach(f, ok);
}

static int write_one(part_t *part, leat_error_t *err)
{
    leat__store_t *s = part->s;
    sort_part(part);
    if (!s->family)
        return write_backend(part, err);
    leat__batch_t *b = leat__batch_new();
    char bytes[LEAT__META_BYTES];
    int code = write_family(s->state->db, b, part, err);
    if (!code) {
        forget(b, part);
        leat__meta_encode(&part->meta, bytes);
        put_named(b, leat__db_meta(s->state->db), 'm', s->name, (leat_slice_t){bytes, sizeof bytes});
        code = leat__db_write(s->state->db, b, err);
    }
    leat__batch_free(b);
    return code;
}

int leat__checkpoint_store(leat__store_t *s, leat_error_t *err)
{
    part_t part = {0};
    LEAT_ASSERT(!s->state->frozen && !s->resident);
    freeze(s, &part);
    int code = write_one(&part, err);
    for (size_t i = 0; i < part.count; i++)
        thaw_item(s, &part.items[i], code == 0);
    if (!code)
        part_written(&part);
    leat__free(part.items);
    return code;
}

bool leat__checkpoint_due(const leat__task_state_t *state, int64_t wall_ms, int64_t interval_ms,
    size_t bytes, int64_t records)
{
    uint64_t logged = 0;
    bool committed = false;
    if (state->frozen || pausing(state, wall_ms))
        return false;
    for (size_t i = 0; i < state->count; i++) {
        const leat__store_t *s = state->stores[i];
        if (s->resident || s->custom)
            continue;
        logged += s->logged_count;
        committed = committed || s->committed.count > 0;
    }
    if (committed && ((bytes && state->budget->frozen_bytes >= bytes) ||
                         (records > 0 && logged >= (uint64_t)records)))
        return true;
    return wall_ms - state->checkpoint_ms >= interval_ms && anything(state, wall_ms);
}
