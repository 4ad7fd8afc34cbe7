/*
 * statestore/cursor.c: a range over a store as it is now: the buffer's part copied, merged with the
 * backend's rows.
 *
 * The copy is taken first, the backend's iterator second (PROTOCOLS.md 11), so an entry is in one
 * of them at least, whatever a checkpoint does meanwhile; where it is in both, the copy is newer or
 * the same. Clean entries are left out: the backend has them.
 */
#include "statestore/inside.h"
#include "statestore/shape.h"
#include "statestore/ttl.h"

#include "base/buf.h"
#include "base/mem.h"

typedef struct copied_t {
    size_t at; /* in bytes: the key, then the value */
    size_t key_size;
    uint32_t size;
    int64_t time_ms;
} copied_t;

struct leat__cursor_t {
    leat__store_t *s;
    leat__buf_t bytes;
    copied_t *rows;
    size_t count, room, taken;
    bool descending;
    int64_t alive_ms; /* rows with an earlier time are over */
    leat__scan_t *scan;
    bool row_valid; /* a row of the backend waits */
    leat_slice_t row_key;
    leat__view_t row;
    char *from, *until; /* what the backend's iterator borrows */
};

static const leat_slice_t several_keys = {NULL, 0};

static void copy_entry(leat__cursor_t *c, const leat__entry_t *e, leat__view_t v)
{
    LEAT__GROW(c->rows, c->count, c->room);
    c->rows[c->count++] = (copied_t){c->bytes.size, e->key_size, v.size, v.time_ms};
    leat__buf_put(&c->bytes, e->bytes, e->key_size);
    if (v.size != LEAT__ABSENT)
        leat__buf_put(&c->bytes, v.data, v.size);
}

/* A clean entry is in the backend too, unless that has forgotten it, or never got it. */
static bool only_here(const leat__store_t *s, const leat__entry_t *e)
{
    return s->cached && s->shape == LEAT__SEGMENTS && leat__shape_entry_gone(s, e);
}

static bool is_before(const leat__entry_t *e, leat_slice_t until)
{
    return !until.data || leat__bytes_compare(leat__entry_key(e), until) < 0;
}

static void copy_if_wanted(leat__cursor_t *c, const leat__entry_t *e, bool here)
{
    const leat__store_t *s = c->s;
    leat__view_t v;
    if (leat__entry_seen(s, e, &v) &&
        (here ? v.size != LEAT__ABSENT
              : e->flags & (LEAT__UNCOMMITTED | LEAT__AHEAD) || only_here(s, e)))
        copy_entry(c, e, v);
}

static void copy_run(
    leat__cursor_t *c, leat_slice_t key, leat_slice_t from, leat_slice_t until, bool here)
{
    leat__run_at_t at = leat__runs_seek(leat__shape_runs(c->s), key, from);
    for (leat__entry_t *e; (e = leat__run_next(&at)) && is_before(e, until);)
        copy_if_wanted(c, e, here);
}

static void copy_range(leat__cursor_t *c, leat_slice_t from, leat_slice_t until, bool here)
{
    const leat__order_t *o = leat__shape_order(c->s);
    const leat__order_node_t *n = leat__order_seek(o, from.data ? from : leat_slice(""));
    for (; n && (!until.data || leat__order_below(o, leat__order_entry(n), until));
         n = leat__order_next(n))
        copy_if_wanted(c, leat__order_entry(n), here);
}

static void turn(leat__cursor_t *c)
{
    for (size_t i = 0; i < c->count / 2; i++) {
        copied_t swap = c->rows[i];
        c->rows[i] = c->rows[c->count - 1 - i];
        c->rows[c->count - 1 - i] = swap;
    }
}

static void next_row(leat__cursor_t *c)
{
    c->row_valid = c->scan && leat__beneath_next(c->scan, &c->row_key, &c->row);
}

static leat_slice_t copy_key(leat_slice_t key, bool and_zero)
{
    if (!key.data)
        return key;
    char *copy = leat__must_alloc(key.size + 1);
    if (key.size)
        memcpy(copy, key.data, key.size);
    return (leat_slice_t){copy, key.size + and_zero};
}

/* Only what lies behind the store's mark (ask.c); of a history window_cursor.c sees to that. Of the
 * two strings, which are the caller's, one may be made anew. */
static void cut(leat__store_t *s, leat_slice_t *from, leat_slice_t *until, bool descending)
{
    leat_slice_t *end = descending ? until : from;
    int way = end->data ? leat__bytes_compare(*end, s->behind) : 0;

    if (!s->behind.data || s->shape == LEAT__HISTORY)
        return;
    if (end->data && (descending ? way <= 0 : way > 0))
        return;
    leat__free((char *)(uintptr_t)end->data);
    *end = copy_key(s->behind, false);
    if (from->data && until->data && leat__bytes_compare(*from, *until) > 0) {
        leat__free((char *)(uintptr_t)until->data);
        *until = copy_key(*from, false); /* nothing is left */
    }
}

/* Ascending a cut range begins with the row of the mark, if it is still there. */
static void drop_mark(leat__cursor_t *c)
{
    leat_slice_t mark = c->s->behind;
    if (c->row_valid && leat__bytes_compare(c->row_key, mark) == 0)
        next_row(c);
    if (c->count > 0 &&
        leat__bytes_compare((leat_slice_t){c->bytes.data, c->rows[0].key_size}, mark) == 0)
        c->taken = 1;
}

/* Rows of [from, until); the cursor adopts both strings. */
static leat__cursor_t *open_cursor(leat__store_t *s, leat_slice_t key, leat_slice_t from,
    leat_slice_t until, leat_order_t order, bool here)
{
    leat__cursor_t *c = leat__must_alloc(sizeof *c);
    cut(s, &from, &until, order == LEAT_DESCENDING);
    c->s = s;
    c->from = (char *)(uintptr_t)from.data;
    c->until = (char *)(uintptr_t)until.data;
    c->descending = order == LEAT_DESCENDING;
    c->alive_ms = leat__ttl_alive(s);
    s->state->cursors++;
    if (s->custom)
        return c;
    here = s->resident || (here && !s->as_committed);
    if (key.data)
        copy_run(c, key, from, until, here);
    else
        copy_range(c, from, until, here);
    if (c->descending)
        turn(c);
    c->scan = here ? NULL : leat__beneath_scan(s, from, until, order);
    next_row(c);
    if (s->behind.data && s->shape != LEAT__HISTORY && !c->descending)
        drop_mark(c);
    return c;
}

leat__cursor_t *leat__cursor_open(leat__store_t *s, leat_slice_t key, leat_slice_t from,
    leat_slice_t until, leat_order_t order, bool here)
{
    return open_cursor(s, key, copy_key(from, false), copy_key(until, false), order, here);
}

leat__cursor_t *leat__store_range(
    leat__store_t *s, leat_slice_t from, leat_slice_t to, leat_order_t order)
{
    bool nothing = from.data && to.data && leat__bytes_compare(from, to) > 0;
    if (nothing)
        to = from; /* and the end is not included: no rows */
    return open_cursor(
        s, several_keys, copy_key(from, false), copy_key(to, !nothing), order, false);
}

leat__cursor_t *leat__store_prefix(leat__store_t *s, leat_slice_t prefix, leat_order_t order)
{
    leat_slice_t until = copy_key(prefix, false);
    char *bytes = (char *)(uintptr_t)until.data;
    while (until.size && (unsigned char)bytes[until.size - 1] == 0xff)
        until.size--;
    if (until.size) {
        bytes[until.size - 1] = (char)((unsigned char)bytes[until.size - 1] + 1);
    } else {
        leat__free(bytes); /* no end: the prefix is empty or all 0xff */
        until.data = NULL;
    }
    return open_cursor(s, several_keys, copy_key(prefix, false), until, order, false);
}

/* Which comes next: below 0 the copied one, above 0 the backend's, 0 both at once. */
static int which(const leat__cursor_t *c)
{
    if (c->taken == c->count)
        return 1;
    if (!c->row_valid)
        return -1;
    const copied_t *r = &c->rows[c->taken];
    int way = leat__bytes_compare((leat_slice_t){c->bytes.data + r->at, r->key_size}, c->row_key);
    return c->descending ? -way : way;
}

bool leat__cursor_next(leat__cursor_t *c, leat_slice_t *key, leat_slice_t *value, int64_t *time_ms)
{
    while (c->taken < c->count || c->row_valid) {
        int way = which(c);
        leat__view_t v;
        if (way > 0) {
            /* the backend's row goes behind the copies: it may move on */
            leat__buf_t *held = &c->bytes;
            size_t at = held->size;
            leat__buf_put(held, c->row_key.data, c->row_key.size);
            leat__buf_put(held, c->row.data, c->row.size);
            held->size = at;
            *key = (leat_slice_t){held->data + at, c->row_key.size};
            v = (leat__view_t){held->data + at + key->size, c->row.size, c->row.time_ms};
        } else {
            const copied_t *r = &c->rows[c->taken++];
            const char *bytes = c->bytes.data ? c->bytes.data + r->at : "";
            *key = (leat_slice_t){bytes, r->key_size};
            v = (leat__view_t){bytes + r->key_size, r->size, r->time_ms};
        }
        if (way >= 0)
            next_row(c);
        if (v.size == LEAT__ABSENT || v.time_ms < c->alive_ms)
            continue;
        *value = (leat_slice_t){v.data, v.size};
        if (time_ms)
            *time_ms = c->s->timestamped ? v.time_ms : -1;
        return true;
    }
    return false;
}

void leat__cursor_close(leat__cursor_t *c)
{
    if (!c)
        return;
    c->s->state->cursors--;
    leat__beneath_end(c->scan);
    leat__buf_release(&c->bytes);
    leat__free(c->rows);
    leat__free(c->from);
    leat__free(c->until);
    leat__free(c);
}
