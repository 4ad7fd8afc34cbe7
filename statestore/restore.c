/*
 * statestore/restore.c: from the changelog straight into the backend, and emptying a store before
 * that.
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
#include "statestore/db.h"
#include "statestore/filter.h"
#include "statestore/shape.h"

#include <stdlib.h>

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

static void restore_buffered(leat__store_t *s, const leat__restore_record_t *r)
{
    leat__entry_t *e = s->count ? leat__entry_find(s, r->key, leat__entry_hash(r->key)) : NULL;
    if (!e)
        return;
    LEAT_ASSERT(!(e->flags & LEAT__UNCOMMITTED));
    leat__entry_set(s, e, r->value.data ? &r->value : NULL, r->time_ms);
}

static int restore_family(leat__store_t *s, const leat__restore_record_t *records, size_t count,
    leat_error_t *err)
{
    leat__batch_t *b = leat__batch_new();
    leat__family_t *meta = leat__db_meta(s->state->db);
    char bytes[LEAT__META_BYTES], time[8], *name = leat__must_format("m%s", s->name);
    for (size_t i = 0; i < count; i++) {
        const leat__restore_record_t *r = &records[i];
        if (!r->key.data)
            continue;
        leat__store_be64(time, (uint64_t)r->time_ms);
        if (r->value.data)
            leat__batch_put(
                b, s->family, r->key, (leat_slice_t){time, s->timestamped ? 8 : 0}, r->value);
        else
            leat__batch_delete(b, s->family, r->key);
    }
    leat__meta_encode(&s->meta, bytes);
    leat__batch_put(b, meta, leat_slice(name), (leat_slice_t){NULL, 0},
        (leat_slice_t){bytes, sizeof bytes});
    int code = leat__db_write(s->state->db, b, err);
    leat__batch_free(b);
    leat__free(name);
    return code;
}

typedef struct ordered_t {
    const leat__restore_record_t *record;
    size_t place;
} ordered_t;

static int by_key_and_place(const void *a, const void *b)
{
    const ordered_t *x = a, *y = b;
    int way = leat__bytes_compare(x->record->key, y->record->key);
    return way ? way : (x->place > y->place) - (x->place < y->place);
}

/* A backend of the program's is promised sorted batches with each key once: the last of each key
 * counts. */
static int restore_backend(leat__store_t *s, const leat__restore_record_t *records, size_t count,
    leat_error_t *err)
{
    ordered_t *order = leat__must_alloc((count + 1) * sizeof *order);
    leat_change_t *changes = leat__must_alloc((count + 1) * sizeof *changes);
    leat__buf_t room = {0};
    size_t used = 0, out = 0, bytes = 0;
    char meta[LEAT__META_BYTES], time[8];
    for (size_t i = 0; i < count; i++)
        if (records[i].key.data) {
            order[used] = (ordered_t){&records[i], i};
            bytes += records[i].value.size + 8;
            used++;
        }
    qsort(order, used, sizeof *order, by_key_and_place);
    leat__buf_reserve(&room, bytes);
    for (size_t i = 0; i < used; i++) {
        const leat__restore_record_t *r = order[i].record;
        if (i + 1 < used && leat__bytes_compare(r->key, order[i + 1].record->key) == 0)
            continue;
        leat_slice_t value = r->value;
        if (value.data && s->timestamped) {
            size_t at = room.size;
            leat__store_be64(time, (uint64_t)r->time_ms);
            leat__buf_put(&room, time, 8);
            leat__buf_put(&room, value.data, value.size);
            value = (leat_slice_t){room.data + at, value.size + 8};
        }
        changes[out++] = (leat_change_t){r->key, value};
    }
    leat__meta_encode(&s->meta, meta);
    if (s->backend->persistent)
        changes[out++] =
            (leat_change_t){{LEAT_BACKEND_META, sizeof LEAT_BACKEND_META - 1}, {meta, sizeof meta}};
    int code = out ? s->backend->write(s->backend_self, changes, out) : 0;
    leat__buf_release(&room);
    leat__free(order);
    leat__free(changes);
    return code ? leat__error(err, LEAT_ESTORE, LEAT_RETRIABLE, s->name,
                      "backend %s: write returned %d (%s)",
                      s->backend->name ? s->backend->name : "", code, leat_error_text(code))
                : 0;
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
    leat__checkpoint_settle(s->state); /* or it could write older values over these */
    s->meta.changelog_next = next;
    if (s->custom) {
        leat__custom_apply(s, records, count);
        return 0;
    }
    for (size_t i = 0; s->shape != LEAT__PLAIN && i < count; i++)
        if (records[i].key.size)
            observe(s, &records[i]);
    leat__shape_committed(s);
    for (size_t i = 0; i < count; i++) {
        if (!records[i].key.data)
            continue;
        if (s->filter)
            leat__filters_add(s->filter, records[i].key);
        if (s->resident)
            restore_resident(s, &records[i]);
        else
            restore_buffered(s, &records[i]);
    }
    leat__shape_forget(s);
    if (s->resident)
        return 0;
    s->barren = false;
    int code = s->family ? leat__state_recover(s->state, err) : 0;
    if (code)
        return code;
    code = s->family ? restore_family(s, records, count, err)
                     : restore_backend(s, records, count, err);
    if (code) {
        s->state->reopen = s->family != NULL;
        return code;
    }
    s->vacant = s->vacant && count == 0;
    s->written = s->meta;
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
    leat__shape_drop_dead(s);
    leat__free(out);
    leat__free(rows);
    leat__buf_release(&keys);
    return code;
}

/* Each record changes what lies around it, so these go through the buffer. */
static int restore_versions(leat__store_t *s, const leat__restore_record_t *records, size_t count,
    int64_t next, leat_error_t *err)
{
    leat__checkpoint_settle(s->state);
    for (size_t i = 0; i < count; i++)
        if (records[i].key.data)
            leat__versioned_apply(s, records[i].key, records[i].value.data ? &records[i].value : NULL,
                records[i].time_ms);
    leat__store_committed(s, next);
    if (s->resident)
        return 0;
    int code = leat__checkpoint_store(s, err);
    if (code)
        s->state->reopen = s->state->db != NULL;
    return code;
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

int leat__store_empty(leat__store_t *s, leat_error_t *err)
{
    const leat__store_meta_t none = {
        .changelog_next = -1, .observed_ms = -1, .wall_ms = s->state->opened_ms};
    leat__checkpoint_settle(s->state);
    s->meta = s->written = none;
    s->observed_ms = s->reach_ms = -1;
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
