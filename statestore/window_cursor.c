/*
 * statestore/window_cursor.c: cursors over windows, sessions and versions; rows lie time first.
 *
 * A cursor opens its parts at once, so that it sees the store as it is now. One key: its rows are
 * picked from its run where the table has them all (in memory; on RocksDB nearly always), else a
 * part per live segment (three or four), each a short range. All keys, or many: one part, filtered.
 * By time over segments: the index leads, row by row.
 */
#include "statestore/shape.h"

#include "base/log.h"
#include "base/mem.h"

enum {
    PARTS_MAX = 16, /* more segments than this: one range over all of them */
    SPARE_BYTES = 65536,
};

struct leat__window_cursor_t {
    leat__store_t *s;
    leat__cursor_t *parts[PARTS_MAX];
    size_t count, at;
    bool by_index;
    leat_slice_t from, to; /* plain keys; .data NULL: open */
    int64_t time_from_ms, time_to_ms; /* start; sessions: end */
    int64_t start_to_ms;              /* sessions */
    bool one;                         /* from and to are the same key */
    int64_t cached_only_ms;           /* earlier rows: only those that the cache holds */
    leat__buf_t keys;                 /* from and to */
    leat__buf_t picked;               /* rows of one key in memory, in order */
    size_t picked_at;
    leat_slice_t row_key;       /* of the last row, if it came from a part */
    leat__window_at_t row_at;   /* if it was picked */
    bool backwards;
};

/* ---- opening cursors ---- */

/* The key of the first row that a run's reader may want. */
static leat_slice_t first_key(leat__store_t *s, leat_slice_t key, int64_t time_ms)
{
    leat__window_at_t at = {.start_ms = time_ms, .end_ms = time_ms};
    if (s->shape == LEAT__SEGMENTS && time_ms < 0)
        at = (leat__window_at_t){0};
    if (s->sessions) /* in memory starts descend */
        at.start_ms = s->shape == LEAT__TIMES ? INT64_MAX : 0;
    return leat__shape_key(s, key, &at, &s->key_room);
}

/* Of one key, or (key.data NULL) of all. */
static const leat__entry_t *first_entry(leat__store_t *s, leat_slice_t key)
{
    const leat_slice_t start = {"", 0};
    if (key.data) {
        leat__run_at_t at = leat__runs_seek(leat__shape_runs(s), key, start);
        return leat__run_next(&at);
    }
    const leat__order_node_t *n = leat__order_seek(leat__shape_order(s), start);
    return n ? leat__order_entry(n) : NULL;
}

/* The first time that a row in sight may have. */
static int64_t in_sight(leat__store_t *s, leat_slice_t one)
{
    int64_t bound_ms = leat__shape_bound(s), oldest_ms;
    leat_slice_t key;
    leat__window_at_t at;
    if (!s->cached || !s->count)
        return bound_ms;
    const leat__entry_t *e = first_entry(s, one);
    if (!e || !leat__shape_split(s, leat__entry_key(e), &key, &at))
        return bound_ms;
    oldest_ms = leat__shape_time(s, &at);
    if (s->shape == LEAT__SEGMENTS)
        oldest_ms = oldest_ms / s->segment_ms * s->segment_ms;
    return oldest_ms < bound_ms ? oldest_ms : bound_ms;
}

static leat__window_cursor_t *cursor_room(leat__store_t *s)
{
    leat__window_cursor_t *c = s->spare;
    if (!c)
        return leat__must_alloc(sizeof *c);
    leat__buf_t keys = c->keys, picked = c->picked;
    keys.size = picked.size = 0;
    *c = (leat__window_cursor_t){.keys = keys, .picked = picked};
    s->spare = NULL;
    return c;
}

static bool is_one(leat_slice_t from, leat_slice_t to)
{
    return from.data && to.data && leat_slice_equal(&from, &to);
}

static leat__window_cursor_t *cursor_new(leat__store_t *s, leat_slice_t from, leat_slice_t to,
    int64_t time_from_ms, int64_t time_to_ms, leat_order_t order)
{
    leat__window_cursor_t *c = cursor_room(s);
    c->s = s;
    c->backwards = order == LEAT_DESCENDING;
    c->one = is_one(from, to);
    int64_t in_sight_ms = in_sight(s, c->one ? from : (leat_slice_t){NULL, 0});
    c->start_to_ms = INT64_MAX;
    c->cached_only_ms = in_sight_ms < leat__shape_bound(s) ? leat__shape_bound(s) : INT64_MIN;
    c->time_from_ms = time_from_ms > in_sight_ms ? time_from_ms : in_sight_ms;
    c->time_to_ms = time_to_ms;
    leat__shape_looks_back(s, c->time_from_ms);
    leat__buf_reserve(&c->keys, from.size + to.size + 1);
    leat__buf_put(&c->keys, from.data, from.size);
    leat__buf_put(&c->keys, to.data, to.size);
    if (from.data)
        c->from = (leat_slice_t){c->keys.data, from.size};
    if (to.data)
        c->to = (leat_slice_t){c->keys.data + from.size, to.size};
    s->state->cursors++;
    return c;
}

static bool nothing_in(const leat__window_cursor_t *c)
{
    return c->time_to_ms < c->time_from_ms || c->s->reach_ms < c->time_from_ms;
}

static int64_t last_time(const leat__window_cursor_t *c)
{
    int64_t last = c->time_to_ms < c->s->reach_ms ? c->time_to_ms : c->s->reach_ms;
    return last < INT64_MAX ? last : INT64_MAX - 1;
}

/* Over segments: the table has all that is looked for. */
static bool is_here(const leat__window_cursor_t *c)
{
    const leat__store_t *s = c->s;
    int64_t gone_ms = leat__shape_gone(s, s->observed_ms);
    int64_t from_ms = c->time_from_ms > gone_ms ? c->time_from_ms : gone_ms;
    return s->shape == LEAT__SEGMENTS && s->whole_ms <= from_ms;
}

static void add_part(leat__window_cursor_t *c, leat_slice_t from, leat_slice_t until)
{
    bool of_run = c->one && c->s->shape == LEAT__SEGMENTS;
    c->parts[c->count++] = leat__cursor_open(c->s, of_run ? c->from : (leat_slice_t){NULL, 0}, from,
        until, c->backwards ? LEAT_DESCENDING : LEAT_ASCENDING, is_here(c));
}

/* Over the table's order of time, from one point to another: all keys. */
static void add_times(leat__window_cursor_t *c, bool index)
{
    char from[9], until[9];
    size_t head = index ? 1 : 0;
    from[0] = until[0] = (char)LEAT__INDEX;
    leat__store_be64(from + head, leat__turned(c->time_from_ms));
    leat__store_be64(until + head, leat__turned(last_time(c)) + 1);
    c->by_index = index;
    add_part(c, (leat_slice_t){from, 8 + head}, (leat_slice_t){until, 8 + head});
}

static void add_segments(leat__window_cursor_t *c, uint64_t first, uint64_t last)
{
    char from[8], until[8];
    leat__store_be64(from, first);
    leat__store_be64(until, last + 1);
    add_part(c, (leat_slice_t){from, 8}, (leat_slice_t){until, 8});
}

/* Does `tail` behind the first i bytes of a key lie after `tail` behind its first j bytes? i < j */
static bool lies_after(const char *key, size_t i, size_t j, const char tail[16])
{
    size_t gap = j - i, head = gap < 16 ? gap : 16;
    int way = memcmp(tail, key + i, head);
    if (!way && gap < 16)
        way = memcmp(tail + gap, tail, 16 - gap);
    return way > 0;
}

/* {key}{tail} with the greatest tail that a row of this cursor can have, over all keys up to `to`: a
 * key that is a beginning of `to` may have rows behind it. */
static void put_greatest(const leat__window_cursor_t *c, leat__buf_t *out)
{
    char tail[16];
    size_t best = c->to.size;
    memset(tail, 0xff, sizeof tail);
    leat__store_be64(tail, (uint64_t)(last_time(c) < 0 ? 0 : last_time(c)));
    if (!c->one)
        for (size_t i = c->to.size; i-- > 0;)
            if (lies_after(c->to.data, i, best, tail))
                best = i;
    leat__buf_put(out, c->to.data, best);
    leat__buf_put(out, tail, sizeof tail);
}

/* The rows of [from, to] in one segment. */
static void add_segment(leat__window_cursor_t *c, uint64_t segment)
{
    leat__buf_t from = {0}, until = {0};
    char head[8], time[8];
    leat__store_be64(head, segment);
    leat__buf_put(&from, head, 8);
    leat__buf_put(&from, c->from.data, c->from.size);
    if (c->one) {
        leat__store_be64(time, (uint64_t)(c->time_from_ms < 0 ? 0 : c->time_from_ms));
        leat__buf_put(&from, time, 8);
    }
    if (!c->to.data)
        leat__store_be64(head, segment + 1);
    leat__buf_put(&until, head, 8);
    if (c->to.data)
        put_greatest(c, &until);
    add_part(c, (leat_slice_t){from.data, from.size}, (leat_slice_t){until.data, until.size});
    leat__buf_release(&from);
    leat__buf_release(&until);
}

static void open_segments(leat__window_cursor_t *c)
{
    uint64_t first = leat__shape_segment(c->s, c->time_from_ms);
    uint64_t last = leat__shape_segment(c->s, last_time(c));
    if ((!c->from.data && !c->to.data) || last - first >= PARTS_MAX) {
        add_segments(c, first, last);
        return;
    }
    for (uint64_t i = 0; i <= last - first; i++)
        add_segment(c, c->backwards ? last - i : first + i);
}

/* ---- one key that the table has all rows of ---- */

typedef struct picked_t {
    leat__window_at_t at;
    uint32_t size;
    int64_t time_ms;
} picked_t;

void leat__window_cursor_add(leat__window_cursor_t *c, const leat__window_at_t *at,
    leat_slice_t value, int64_t time_ms)
{
    picked_t row = {*at, (uint32_t)value.size, time_ms};
    leat__buf_put(&c->picked, &row, sizeof row);
    leat__buf_put(&c->picked, value.data, value.size);
}

static void pick(leat__window_cursor_t *c, const leat__entry_t *e, const leat__window_at_t *at)
{
    leat__view_t v;
    leat__entry_seen(c->s, e, &v); /* nothing that is looked for lies beneath alone */
    if (v.size != LEAT__ABSENT && at->start_ms <= c->start_to_ms &&
        leat__shape_time(c->s, at) >= c->time_from_ms)
        leat__window_cursor_add(c, at, (leat_slice_t){v.data, v.size}, v.time_ms);
}

static void pick_rows(leat__window_cursor_t *c)
{
    leat__run_at_t run = leat__runs_seek(
        leat__shape_runs(c->s), c->from, first_key(c->s, c->from, c->time_from_ms));
    for (leat__entry_t *e; (e = leat__run_next(&run));) {
        leat_slice_t key;
        leat__window_at_t at;
        if (!leat__shape_split(c->s, leat__entry_key(e), &key, &at) ||
            leat__shape_time(c->s, &at) > c->time_to_ms)
            return;
        pick(c, e, &at);
    }
}

/* Turned round where the order asks for it: rows are found ascending. */
void leat__window_cursor_turn(leat__window_cursor_t *c)
{
    leat__buf_t out = {0};
    size_t count = 0, room = 0, *places = NULL;
    for (size_t at = 0; at < c->picked.size;) {
        picked_t row;
        LEAT__GROW(places, count, room);
        places[count++] = at;
        memcpy(&row, c->picked.data + at, sizeof row);
        at += sizeof row + row.size;
    }
    for (size_t i = count; i-- > 0;) {
        size_t end = i + 1 < count ? places[i + 1] : c->picked.size;
        leat__buf_put(&out, c->picked.data + places[i], end - places[i]);
    }
    leat__free(places);
    leat__buf_release(&c->picked);
    c->picked = out;
    c->backwards = true;
}

/* Where a picked row stands among those of its key. */
static leat_slice_t place_of(
    const leat__window_cursor_t *c, const leat__window_at_t *at, leat__buf_t *room)
{
    char start[8];
    if (c->s->shape != LEAT__HISTORY)
        return leat__shape_key(c->s, c->from, at, room);
    leat__store_be64(start, leat__turned(at->start_ms));
    room->size = 0;
    leat__buf_put(room, start, sizeof start);
    return (leat_slice_t){room->data, room->size};
}

void leat__window_cursor_cut(leat__window_cursor_t *c)
{
    leat__buf_t room = {0};
    while (c->s->behind.data && c->picked_at < c->picked.size) {
        picked_t p;
        memcpy(&p, c->picked.data + c->picked_at, sizeof p);
        int way = leat__bytes_compare(place_of(c, &p.at, &room), c->s->behind);
        if (c->backwards ? way < 0 : way > 0)
            break;
        c->picked_at += sizeof p + p.size;
    }
    leat__buf_release(&room);
}

/* ---- the cursors ---- */

leat__window_cursor_t *leat__window_cursor_new(leat__store_t *s, leat_slice_t key)
{
    return cursor_new(s, key, key, INT64_MIN, INT64_MAX, LEAT_ASCENDING);
}

void leat__window_cursor_part(leat__window_cursor_t *c, leat_slice_t from, leat_slice_t until)
{
    add_part(c, from, until);
}

static leat__window_cursor_t *open_rows(leat__window_cursor_t *c)
{
    bool all = !c->from.data && !c->to.data;
    bool crossed = c->from.data && c->to.data && leat__bytes_compare(c->from, c->to) > 0;
    if (crossed)
        leat__log(LEAT_LOG_WARN, "store", NULL,
            "store %s: a range from a key that lies after its end has no rows; keys are compared "
            "as unsigned bytes, in which negative numbers come after positive ones",
            c->s->name);
    if (crossed || nothing_in(c))
        return c;
    if (c->one && (c->s->shape == LEAT__TIMES || (is_here(c) && !c->s->as_committed))) {
        pick_rows(c);
        if (c->backwards)
            leat__window_cursor_turn(c);
        leat__window_cursor_cut(c);
    } else if (c->s->shape == LEAT__TIMES) {
        add_times(c, false);
    } else if (c->s->indexed && all) {
        add_times(c, true);
    } else {
        open_segments(c);
    }
    return c;
}

leat__window_cursor_t *leat__window_fetch(
    leat__store_t *s, leat_slice_t key, int64_t from_ms, int64_t to_ms, leat_order_t order)
{
    return leat__window_range(s, key, key, from_ms, to_ms, order);
}

leat__window_cursor_t *leat__window_range(leat__store_t *s, leat_slice_t from, leat_slice_t to,
    int64_t from_ms, int64_t to_ms, leat_order_t order)
{
    return open_rows(cursor_new(s, from, to, from_ms, to_ms, order));
}

leat__window_cursor_t *leat__session_find(leat__store_t *s, leat_slice_t from, leat_slice_t to,
    int64_t end_from_ms, int64_t start_to_ms, leat_order_t order)
{
    leat__window_cursor_t *c = cursor_new(s, from, to, end_from_ms, INT64_MAX, order);
    c->start_to_ms = start_to_ms;
    return open_rows(c);
}

leat__window_cursor_t *leat__session_ended(leat__store_t *s, int64_t from_ms, int64_t to_ms)
{
    const leat_slice_t open = {NULL, 0};
    leat__window_cursor_t *c = cursor_new(s, open, open, from_ms, to_ms, LEAT_ASCENDING);
    int64_t live_ms = leat__shape_live(s, s->observed_ms);
    if (s->indexed) { /* what lives in a segment is still to go on, though other reads hide it */
        c->time_from_ms = from_ms > live_ms ? from_ms : live_ms;
        c->cached_only_ms = INT64_MIN;
    }
    return open_rows(c);
}

void leat__window_close(leat__window_cursor_t *c)
{
    if (!c)
        return;
    c->s->state->cursors--;
    for (size_t i = 0; i < c->count; i++)
        leat__cursor_close(c->parts[i]);
    if (!c->s->spare && c->keys.room + c->picked.room <= SPARE_BYTES)
        c->s->spare = c;
    else
        leat__window_cursor_free(c);
}

void leat__window_cursor_free(leat__window_cursor_t *c)
{
    if (!c)
        return;
    leat__buf_release(&c->keys);
    leat__buf_release(&c->picked);
    leat__free(c);
}

/* ---- walking ---- */

static int64_t end_of(const leat__store_t *s, const leat__window_at_t *at)
{
    if (s->sessions || s->shape == LEAT__HISTORY)
        return at->end_ms;
    return at->start_ms > INT64_MAX - s->window_ms ? INT64_MAX : at->start_ms + s->window_ms;
}

static void fill_row(const leat__store_t *s, leat__window_row_t *row, leat_slice_t key,
    const leat__window_at_t *at, leat_slice_t value, int64_t time_ms)
{
    *row = (leat__window_row_t){
        .key = key,
        .start_ms = at->start_ms,
        .end_ms = end_of(s, at),
        .seq = at->seq,
        .value = value,
        .time_ms = s->timestamped ? time_ms : -1,
    };
}

static bool next_picked(leat__window_cursor_t *c, leat__window_row_t *row)
{
    picked_t p;
    if (c->picked_at >= c->picked.size)
        return false;
    memcpy(&p, c->picked.data + c->picked_at, sizeof p);
    leat_slice_t value = {c->picked.data + c->picked_at + sizeof p, p.size};
    c->picked_at += sizeof p + p.size;
    c->row_at = p.at;
    fill_row(c->s, row, c->from, &p.at, value, p.time_ms);
    return true;
}

static bool wanted(const leat__window_cursor_t *c, leat_slice_t key, const leat__window_at_t *at)
{
    int64_t time_ms = leat__shape_time(c->s, at);
    return time_ms >= c->time_from_ms && time_ms <= c->time_to_ms &&
           at->start_ms <= c->start_to_ms &&
           (!c->from.data || leat__bytes_compare(key, c->from) >= 0) &&
           (!c->to.data || leat__bytes_compare(key, c->to) <= 0);
}

/* The window that a row of the index stands for; it may be gone since. Kept in `picked`. */
static bool look_up(leat__window_cursor_t *c, leat_slice_t key, const leat__window_at_t *at,
    leat_slice_t *value, int64_t *time_ms)
{
    leat_slice_t row_key = leat__shape_key(c->s, key, at, &c->s->key_room);
    if (!leat__store_get(c->s, row_key, value, time_ms))
        return false;
    c->picked.size = 0;
    leat__buf_put(&c->picked, value->data, value->size);
    c->picked_at = c->picked.size;
    *value = (leat_slice_t){value->size ? c->picked.data : "", value->size};
    return true;
}

bool leat__window_next(leat__window_cursor_t *c, leat__window_row_t *row)
{
    if (next_picked(c, row))
        return true;
    while (c->at < c->count) {
        leat_slice_t row_key, key, value;
        leat__window_at_t at;
        int64_t time_ms;
        if (!leat__cursor_next(c->parts[c->at], &row_key, &value, &time_ms)) {
            c->at++;
            continue;
        }
        c->row_key = row_key;
        if (c->s->shape == LEAT__HISTORY) {
            if (leat__versioned_row(c->s, row_key, value, time_ms, row))
                return true;
            continue;
        }
        bool whole = c->by_index ? leat__shape_split_index(c->s, row_key, &key, &at)
                                 : leat__shape_split(c->s, row_key, &key, &at);
        if (!whole || !wanted(c, key, &at))
            continue;
        if (leat__shape_time(c->s, &at) < c->cached_only_ms &&
            !leat__shape_held(c->s, leat__shape_key(c->s, key, &at, &c->s->key_room)))
            continue;
        if (c->by_index && !look_up(c, key, &at, &value, &time_ms))
            continue;
        fill_row(c->s, row, key, &at, value, time_ms);
        return true;
    }
    return false;
}

void leat__window_mark(const leat__window_cursor_t *c, leat__buf_t *mark)
{
    leat__buf_t room = {0};
    leat_slice_t place = c->row_key.data ? c->row_key : place_of(c, &c->row_at, &room);
    leat__buf_put(mark, place.data, place.size);
    leat__buf_release(&room);
}
