/*
 * statestore/versioned.c: versioned stores: the latest version of a key in one row, each older one in a
 * row of its own, in the segment of the time it ends at.
 *
 *   0xfd {key}                        time: valid from     value
 *   {segment 8}{key}{valid to 8}      time: valid from     1 value, or 0: deleted from then on
 *
 * Between two rows of a key there may be a gap: nothing was valid. A deletion that is the latest has no
 * row to end at: unless a version ends just there, an empty row says so (valid from = valid to).
 * Visible behaviour is that of Kafka Streams' versioned store; the layout is not.
 */
#include "statestore/shape.h"

#include "base/mem.h"

typedef struct version_t {
    int64_t from_ms, to_ms;
    leat_slice_t value; /* .data NULL: deleted */
} version_t;

/* ---- rows ---- */

static leat_slice_t latest_key(leat__store_t *s, leat_slice_t key)
{
    leat__buf_t *room = &s->key_room;
    const char head = (char)LEAT__LATEST;
    room->size = 0;
    leat__buf_put(room, &head, 1);
    leat__buf_put(room, key.data, key.size);
    return (leat_slice_t){room->data, room->size};
}

static void put_older_key(leat__buf_t *room, leat_slice_t key, uint64_t segment, int64_t to_ms)
{
    char number[8];
    room->size = 0;
    leat__store_be64(number, segment);
    leat__buf_put(room, number, 8);
    leat__buf_put(room, key.data, key.size);
    leat__store_be64(number, leat__turned(to_ms));
    leat__buf_put(room, number, 8);
}

static leat_slice_t older_key(leat__store_t *s, leat_slice_t key, int64_t to_ms)
{
    put_older_key(&s->key_room, key, leat__shape_segment(s, to_ms), to_ms);
    return (leat_slice_t){s->key_room.data, s->key_room.size};
}

static void put_latest(leat__store_t *s, leat_slice_t key, const leat_slice_t *value, int64_t from_ms)
{
    leat__put(s, latest_key(s, key), value, from_ms, NULL, false, false);
}

static void put_older(leat__store_t *s, leat_slice_t key, const version_t *v)
{
    leat__buf_t *room = &s->value_room; /* the value may lie in it already */
    char flag = v->value.data != NULL;
    size_t at = room->size;
    leat__buf_put(room, &flag, 1);
    leat__buf_put(room, v->value.data ? v->value.data : "", v->value.data ? v->value.size : 0);
    leat_slice_t value = {room->data + at, room->size - at};
    leat__put(s, older_key(s, key, v->to_ms), &value, v->from_ms, NULL, false, false);
    room->size = at;
}

static bool get_latest(leat__store_t *s, leat_slice_t key, version_t *v)
{
    v->to_ms = INT64_MAX;
    return leat__store_get(s, latest_key(s, key), &v->value, &v->from_ms);
}

static bool ends_at(leat__store_t *s, leat_slice_t key, int64_t to_ms)
{
    leat_slice_t value;
    return leat__store_get(s, older_key(s, key, to_ms), &value, NULL);
}

/* Bytes that outlive the puts which follow; given back by the next keep. */
static leat_slice_t keep(leat__store_t *s, leat_slice_t value)
{
    s->value_room.size = 0;
    if (!value.data)
        return value;
    leat__buf_reserve(&s->value_room, 2 * value.size + 16); /* so that put_older does not move it */
    leat__buf_put(&s->value_room, value.data, value.size);
    return (leat_slice_t){s->value_room.data, value.size};
}

static bool split(leat_slice_t row_key, leat_slice_t row, int64_t from_ms, leat_slice_t key, version_t *v)
{
    if (row_key.size != key.size + 16 || !row.size ||
        (key.size && memcmp(row_key.data + 8, key.data, key.size) != 0))
        return false;
    *v = (version_t){
        .from_ms = from_ms,
        .to_ms = (int64_t)(leat__load_be64(row_key.data + 8 + key.size) ^ (UINT64_C(1) << 63)),
    };
    if (row.data[0])
        v->value = (leat_slice_t){row.data + 1, row.size - 1};
    return true;
}

/* The first older version of a key, in one segment, that ends after time_ms. */
static bool first_in(
    leat__store_t *s, leat_slice_t key, uint64_t segment, int64_t time_ms, version_t *v)
{
    leat__buf_t until = {0};
    leat_slice_t row_key, row;
    int64_t from_ms;
    bool found = false;
    put_older_key(&s->key_room, key, segment, time_ms + 1);
    put_older_key(&until, key, segment, INT64_MAX);
    const leat_slice_t no_run = {NULL, 0}, from = {s->key_room.data, s->key_room.size};
    leat__cursor_t *c = leat__cursor_open(
        s, no_run, from, (leat_slice_t){until.data, until.size}, LEAT_ASCENDING, false);
    while (!found && leat__cursor_next(c, &row_key, &row, &from_ms)) {
        found = split(row_key, row, from_ms, key, v);
        if (found)
            v->value = keep(s, v->value);
    }
    leat__cursor_close(c);
    leat__buf_release(&until);
    return found;
}

/* The first one that ends after time_ms, of all; its value is kept. */
static bool first_after(leat__store_t *s, leat_slice_t key, int64_t time_ms, version_t *v)
{
    if (time_ms >= s->reach_ms || time_ms == INT64_MAX)
        return false;
    uint64_t first = leat__shape_segment(s, time_ms), last = leat__shape_segment(s, s->reach_ms);
    int64_t bound_ms = s->observed_ms - s->retention_ms; /* nothing ends before */
    if (bound_ms > 0 && leat__shape_segment(s, bound_ms) > first)
        first = leat__shape_segment(s, bound_ms);
    for (uint64_t i = first; i <= last; i++)
        if (first_in(s, key, i, time_ms, v))
            return true;
    return false;
}

/* ---- put ---- */

static int64_t make_latest(
    leat__store_t *s, leat_slice_t key, const leat_slice_t *value, int64_t time_ms, bool was_there)
{
    if (value || was_there)
        put_latest(s, key, value, time_ms);
    if (!value && !ends_at(s, key, time_ms))
        put_older(s, key, &(version_t){.from_ms = time_ms, .to_ms = time_ms});
    return INT64_MAX;
}

/* The latest one ends here; one that begins now replaces it. */
static void retire(leat__store_t *s, leat_slice_t key, version_t *latest, int64_t time_ms)
{
    if (latest->from_ms == time_ms)
        return;
    latest->value = keep(s, latest->value);
    latest->to_ms = time_ms;
    put_older(s, key, latest);
}

/* Before the latest one: between older ones, or into one. */
static int64_t put_between(leat__store_t *s, leat_slice_t key, const leat_slice_t *value,
    int64_t time_ms, const version_t *latest)
{
    version_t next, mine = {.from_ms = time_ms};
    bool found = first_after(s, key, time_ms, &next);
    if (!found && !latest)
        return make_latest(s, key, value, time_ms, false);
    if (found && next.from_ms < time_ms) { /* it is cut in two */
        version_t before = {next.from_ms, time_ms, next.value};
        put_older(s, key, &before);
    }
    mine.to_ms = !found                    ? latest->from_ms
                 : next.from_ms <= time_ms ? next.to_ms
                                           : next.from_ms;
    if (value)
        mine.value = *value;
    s->value_room.size = 0;
    put_older(s, key, &mine);
    return mine.to_ms;
}

int64_t leat__versioned_apply(
    leat__store_t *s, leat_slice_t key, const leat_slice_t *value, int64_t time_ms)
{
    version_t latest;
    if (time_ms < s->observed_ms - s->retention_ms)
        return LEAT__VERSION_REFUSED;
    leat__shape_observe(s, time_ms);
    bool there = get_latest(s, key, &latest);
    if (!there || latest.from_ms > time_ms)
        return put_between(s, key, value, time_ms, there ? &latest : NULL);
    retire(s, key, &latest, time_ms);
    return make_latest(s, key, value, time_ms, true);
}

int64_t leat__versioned_put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value,
    int64_t time_ms, const leat_headers_t *headers)
{
    int64_t to_ms = leat__versioned_apply(s, key, value, time_ms);
    if (s->logged) /* each of them: a restore needs them all */
        s->hooks.log(s->hooks.user, s, key, value, time_ms, headers);
    if (to_ms == LEAT__VERSION_REFUSED && s->hooks.dropped)
        s->hooks.dropped(s->hooks.user, s);
    return to_ms;
}

/* ---- reading ---- */

static void fill(leat__window_row_t *row, leat_slice_t key, const version_t *v)
{
    *row = (leat__window_row_t){
        .key = key,
        .start_ms = v->from_ms,
        .end_ms = v->to_ms,
        .value = v->value,
        .time_ms = v->from_ms,
    };
}

bool leat__versioned_get(leat__store_t *s, leat_slice_t key, leat__window_row_t *row)
{
    version_t v;
    if (!get_latest(s, key, &v))
        return false;
    fill(row, key, &v);
    return true;
}

bool leat__versioned_as_of(
    leat__store_t *s, leat_slice_t key, int64_t as_of_ms, leat__window_row_t *row)
{
    version_t v;
    if (get_latest(s, key, &v) && v.from_ms <= as_of_ms) {
        fill(row, key, &v);
        return true;
    }
    if (as_of_ms < s->observed_ms - s->retention_ms || !first_after(s, key, as_of_ms, &v) ||
        v.from_ms > as_of_ms || !v.value.data)
        return false;
    fill(row, key, &v);
    return true;
}

/* What a segment holds that lives as a whole is history still, as in Kafka Streams. */
static bool shown(const leat__store_t *s, const version_t *v)
{
    return v->value.data && v->from_ms < v->to_ms &&
           v->to_ms >= leat__shape_live(s, s->observed_ms);
}

bool leat__versioned_row(const leat__store_t *s, leat_slice_t row_key, leat_slice_t row,
    int64_t time_ms, leat__window_row_t *out)
{
    version_t v = {.from_ms = time_ms, .to_ms = INT64_MAX, .value = row};
    leat_slice_t key = {row_key.data + 1, row_key.size - 1};
    if ((unsigned char)row_key.data[0] != LEAT__LATEST) {
        if (row_key.size < 16)
            return false;
        key = (leat_slice_t){row_key.data + 8, row_key.size - 16};
        if (!split(row_key, row, time_ms, key, &v) || !shown(s, &v))
            return false;
    }
    fill(out, key, &v);
    return true;
}

static leat__window_cursor_t *rows_from(leat__store_t *s, unsigned char first)
{
    const char from = (char)first, until = (char)(LEAT__LATEST + 1);
    leat__window_cursor_t *c = leat__window_cursor_new(s, (leat_slice_t){NULL, 0});
    leat__window_cursor_part(c, (leat_slice_t){&from, 1}, (leat_slice_t){&until, 1});
    return c;
}

leat__window_cursor_t *leat__versioned_all(leat__store_t *s)
{
    return rows_from(s, LEAT__LATEST);
}

leat__window_cursor_t *leat__versioned_rows(leat__store_t *s)
{
    return rows_from(s, 0);
}

leat__window_cursor_t *leat__versioned_history(
    leat__store_t *s, leat_slice_t key, int64_t from_ms, int64_t to_ms, leat_order_t order)
{
    leat__window_cursor_t *c = leat__window_cursor_new(s, key);
    int64_t live_ms = leat__shape_live(s, s->observed_ms), at_ms = from_ms;
    bool too_old = to_ms < s->observed_ms - s->retention_ms;
    version_t v;
    if (live_ms > at_ms)
        at_ms = live_ms - 1;
    while (!too_old && first_after(s, key, at_ms, &v) && v.from_ms <= to_ms) {
        leat__window_at_t at = {.start_ms = v.from_ms, .end_ms = v.to_ms};
        if (shown(s, &v))
            leat__window_cursor_add(c, &at, v.value, v.from_ms);
        at_ms = v.to_ms;
    }
    if (get_latest(s, key, &v) && v.from_ms <= to_ms) {
        leat__window_at_t at = {.start_ms = v.from_ms, .end_ms = INT64_MAX};
        leat__window_cursor_add(c, &at, v.value, v.from_ms);
    }
    if (order == LEAT_DESCENDING)
        leat__window_cursor_turn(c);
    leat__window_cursor_cut(c);
    return c;
}
