/*
 * statestore/restore.c: from the changelog into the backend, and emptying a store before that.
 *
 *    batches ──▶ the table, as committed ──full──▶ one sorted file in the backend, its metadata after
 *                (the last value of a key counts)
 *
 * So nothing is written that a later record replaces soon, and what is written costs a file's rows,
 * not a log and a memtable. What was not written when the process dies is replayed.
 *
 * A restore leaves the age of what it writes as it was: only a checkpoint says that a store is as new
 * as its changelog. One that begins with an emptied store is as old as its beginning: whatever it has
 * read was in the log then, so a tombstone for it stays there for delete.retention.ms from then on,
 * and a restore that was cut short may go on where it was (PROTOCOLS.md 9).
 *
 * What the buffer knows of a restored key is brought up to date too: after a failed flush at least
 * once (PROTOCOLS.md 8) a changelog is replayed over a buffer that still holds entries.
 */
#include "statestore/inside.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "statestore/shape.h"

enum { RESTORE_BYTES = 16 << 20 /* where the thread sets none */, ROWS_MIN = 4096 };

/* ---- resident: the buffer is the store ---- */

static void lru_trim(leat__store_t *s)
{
    while (s->live > s->entries_max && s->oldest)
        leat__entry_remove(s, s->oldest);
}

static void restore_resident(leat__store_t *s, const leat__restore_record_t *r)
{
    uint32_t hash = leat__entry_hash(r->key);
    leat__entry_t *e = leat__entry_find(s, r->key, hash);
    LEAT_ASSERT(!e || !(e->flags & LEAT__UNCOMMITTED));
    if (!r->value.data) {
        if (e && !(e->flags & LEAT__QUEUED))
            leat__entry_remove(s, e);
        else if (e)
            leat__entry_set(s, e, NULL, r->time_ms);
        return;
    }
    if (!e)
        e = leat__entry_add(s, r->key, hash, r->value.size);
    leat__entry_set(s, e, &r->value, r->time_ms);
    if (s->lru) {
        leat__lru_use(s, e);
        lru_trim(s);
    }
}

/* ---- over a backend ---- */

/* As a commit leaves it: to be written by the next checkpoint. */
static void gather(leat__store_t *s, const leat__restore_record_t *r, uint32_t hash)
{
    leat__entry_t *e = leat__entry_find(s, r->key, hash);
    if (!e && !r->value.data && s->vacant)
        return; /* nothing here, nothing beneath */
    if (!e)
        e = leat__entry_add(s, r->key, hash, r->value.data ? r->value.size : 0);
    LEAT_ASSERT(!(e->flags & LEAT__UNCOMMITTED));
    leat__entry_set(s, e, r->value.data ? &r->value : NULL, r->time_ms);
    if (!(e->flags & LEAT__LISTED))
        leat__list_push(s, &s->committed, e);
    leat__entry_flags(s, e, 0, LEAT__AHEAD | LEAT__LISTED);
}

/* What the table will be asked for is fetched some records ahead: each would be a wait for memory. */
static void gather_all(leat__store_t *s, const leat__restore_record_t *records, size_t count)
{
    enum { STEP = 32 };
    uint32_t hashes[STEP];
    for (size_t at = 0; at < count; at += STEP) {
        size_t n = count - at < STEP ? count - at : STEP;
        for (size_t i = 0; i < n; i++) {
            hashes[i] = leat__entry_hash(records[at + i].key);
            if (s->slots)
                __builtin_prefetch(&s->slots[hashes[i] & s->mask]);
        }
        for (size_t i = 0; s->slots && i < n; i++)
            __builtin_prefetch(leat__slot_entry(s->slots[hashes[i] & s->mask]));
        for (size_t i = 0; i < n; i++)
            if (records[at + i].key.data)
                gather(s, &records[at + i], hashes[i]);
    }
}

static int write_gathered(leat__store_t *s, leat_error_t *err)
{
    s->barren = false;
    int code = s->family ? leat__state_recover(s->state, err) : 0;
    if (code)
        return code;
    code = leat__checkpoint_store(s, err);
    if (code)
        s->state->reopen = s->family != NULL;
    return code;
}

static bool full(const leat__store_t *s)
{
    const leat__budget_t *b = s->state->budget;
    return b->frozen_bytes >= (b->restore_bytes ? b->restore_bytes : RESTORE_BYTES);
}

/* The thread's share for restores is used up, although checkpoints begin before: first the one under
 * way ends, then this store is written, if it is worth a file. */
static int write_if_full(leat__store_t *s, leat_error_t *err)
{
    if (full(s))
        leat__checkpoint_settle(s->state);
    return full(s) && s->committed.count >= ROWS_MIN ? write_gathered(s, err) : 0;
}

/* Rows of prepared parts come as they were in the table; their time is known from them. */
static void observe(leat__store_t *s, const leat__restore_record_t *r)
{
    leat_slice_t key;
    leat__window_at_t at;
    if (s->shape == LEAT__HISTORY)
        leat__shape_observe(s, r->time_ms);
    else if (s->shape != LEAT__PLAIN && (unsigned char)r->key.data[0] != LEAT__INDEX &&
             leat__shape_split(s, r->key, &key, &at))
        leat__shape_observe(s, leat__shape_time(s, &at));
}

int leat__restore_rows(leat__store_t *s, const leat__restore_record_t *records, size_t count,
    int64_t next, leat_error_t *err)
{
    s->meta.changelog_next = next;
    s->restoring = true;
    if (s->custom) {
        leat__custom_apply(s, records, count);
        return 0;
    }
    for (size_t i = 0; s->shape != LEAT__PLAIN && i < count; i++)
        if (records[i].key.size)
            observe(s, &records[i]);
    leat__shape_committed(s);
    if (!s->resident) {
        gather_all(s, records, count);
        return write_if_full(s, err);
    }
    for (size_t i = 0; i < count; i++)
        if (records[i].key.data)
            restore_resident(s, &records[i]);
    leat__shape_forget(s);
    return 0;
}

/* ---- from the changelog's form to rows ---- */

typedef struct row_t {
    size_t key_at, key_size;
    const leat__restore_record_t *record;
    bool index;
} row_t;

static void add_row(row_t *row, leat__buf_t *keys, leat_slice_t key,
    const leat__restore_record_t *record, bool index)
{
    *row = (row_t){keys->size, key.size, record, index};
    leat__buf_put(keys, key.data, key.size);
}

/* Time moves on by the whole batch first, as in Kafka Streams: what it leaves behind is not even written. */
static int restore_windows(leat__store_t *s, const leat__restore_record_t *records, size_t count,
    int64_t next, leat_error_t *err)
{
    row_t *rows = leat__must_alloc((2 * count + 1) * sizeof *rows);
    leat__buf_t keys = {0};
    leat_slice_t key;
    leat__window_at_t at;
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (records[i].key.data && leat__shape_parse(s, records[i].key, &key, &at)) {
            if (s->observed_ms < 0)
                s->seq = at.seq;
            leat__shape_observe(s, leat__shape_time(s, &at));
            if (s->duplicates && ((at.seq - s->seq) & INT32_MAX) < (UINT32_C(1) << 30))
                s->seq = at.seq; /* numbers go round: the later one of two */
        }
    for (size_t i = 0; i < count; i++) {
        if (!records[i].key.data || !leat__shape_parse(s, records[i].key, &key, &at) ||
            leat__shape_refuses(s, leat__shape_time(s, &at)))
            continue;
        add_row(&rows[used++], &keys, leat__shape_key(s, key, &at, &s->key_room), &records[i], false);
        if (s->indexed)
            add_row(&rows[used++], &keys, leat__shape_index(s, key, &at, &s->key_room), &records[i],
                true);
    }
    leat__restore_record_t *out = leat__must_alloc((used + 1) * sizeof *out);
    for (size_t i = 0; i < used; i++) {
        const leat__restore_record_t *r = rows[i].record;
        leat_slice_t value = rows[i].index && r->value.data ? (leat_slice_t){"", 0} : r->value;
        out[i] = (leat__restore_record_t){
            {keys.data + rows[i].key_at, rows[i].key_size}, value, r->time_ms};
    }
    int code = leat__restore_rows(s, out, used, next, err);
    leat__free(out);
    leat__free(rows);
    leat__buf_release(&keys);
    return code;
}

/* Each record changes what lies around it, so these go through the buffer. */
static int restore_versions(leat__store_t *s, const leat__restore_record_t *records, size_t count,
    int64_t next, leat_error_t *err)
{
    s->restoring = true;
    for (size_t i = 0; i < count; i++)
        if (records[i].key.data)
            leat__versioned_apply(s, records[i].key, records[i].value.data ? &records[i].value : NULL,
                records[i].time_ms);
    leat__store_committed(s, next);
    return s->resident ? 0 : write_if_full(s, err);
}

int leat__store_restore(leat__store_t *s, const leat__restore_record_t *records, size_t count,
    int64_t next, leat_error_t *err)
{
    if (s->shape == LEAT__PLAIN)
        return leat__restore_rows(s, records, count, next, err);
    if (s->shape == LEAT__HISTORY)
        return restore_versions(s, records, count, next, err);
    return restore_windows(s, records, count, next, err);
}

int leat__store_restored(leat__store_t *s, leat_error_t *err)
{
    leat__error_clear(err);
    s->restoring = false;
    if (s->custom)
        return 0;
    leat__shape_drop_dead(s);
    if (s->resident || s->shape == LEAT__PLAIN)
        return 0;
    leat__checkpoint_settle(s->state);
    int code = s->committed.count ? write_gathered(s, err) : 0;
    leat__store_shed(s); /* a cache shows only what was put; an order of all costs too much */
    return code;
}

void leat__store_set_behind(leat__store_t *s, bool behind)
{
    s->restoring = behind;
}

int leat__restore_write(leat__store_t *s, leat_error_t *err)
{
    leat__checkpoint_settle(s->state);
    int code = s->committed.count ? write_gathered(s, err) : 0;
    return code ? code : leat__store_restored(s, err);
}

int leat__store_empty(leat__store_t *s, leat_error_t *err)
{
    const leat__store_meta_t none = {
        .changelog_next = -1, .observed_ms = -1, .wall_ms = s->state->opened_ms};
    leat__checkpoint_settle(s->state);
    s->meta = s->written = none;
    s->observed_ms = s->reach_ms = -1;
    s->whole_ms = INT64_MIN;
    s->seq = 0;
    s->forgotten = 0;
    s->logged_count = 0;
    if (s->custom)
        return leat__custom_clear(s, err);
    leat__buffer_drop(s);
    return leat__beneath_clear(s, err);
}

void leat__store_clear(leat__store_t *s)
{
    leat_error_t err;
    if (leat__store_empty(s, &err))
        leat__state_fail(s->state, &err);
}
