/*
 * statestore/shape.c: keys of window, session and versioned stores, and what of them is forgotten.
 *
 * Numbers of Kafka Streams: a segment is max(retention / 2, 60 s) long for windows and sessions, a
 * fraction of the history for versions. A segment is forgotten as a whole once the store's time has
 * left it behind by the retention.
 */
#include "statestore/shape.h"

#include "base/log.h"
#include "base/mem.h"

enum { SEGMENT_MS_MIN = 60000, FORGET_STEP = 20000, CACHE_KEEP = 10000, COOL_MS = 100 };

/* ---- opening ---- */

static int64_t window_segment(int64_t retention_ms)
{
    return retention_ms / 2 > SEGMENT_MS_MIN ? retention_ms / 2 : SEGMENT_MS_MIN;
}

static int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t history_segment(int64_t history_ms)
{
    if (history_ms <= 60000)
        return at_least(history_ms / 3, 2000);
    if (history_ms <= 300000)
        return at_least(history_ms / 5, 20000);
    if (history_ms <= 3600000)
        return at_least(history_ms / 12, 60000);
    return at_least(history_ms / 24, 300000);
}

static int refuse(leat__store_t *s, const char *what, leat_error_t *err)
{
    return leat__error(err, LEAT_EARGUMENT, 0, s->name, "%s", what);
}

int leat__shape_open(leat__store_t *s, const leat__store_def_t *def, leat_error_t *err)
{
    bool windows = def->kind == LEAT_WINDOWS || def->kind == LEAT_TIMESTAMPED_WINDOWS;
    s->observed_ms = s->meta.observed_ms;
    s->reach_ms = s->meta.observed_ms;
    s->seq = s->meta.seq;
    s->sessions = def->kind == LEAT_SESSIONS;
    if (!windows && !s->sessions && def->kind != LEAT_VERSIONS)
        return 0;
    if (s->lru)
        return refuse(s, "leat_backend_lru() keeps key-value stores only: windows, sessions and versions "
                         "go by their retention", err);
    if (def->kind == LEAT_VERSIONS) {
        s->shape = LEAT__HISTORY;
        s->retention_ms = def->opts.history_ms;
        s->segment_ms = history_segment(s->retention_ms);
        s->cached = false; /* each version counts, not only the last */
    } else {
        s->shape = s->resident ? LEAT__TIMES : LEAT__SEGMENTS;
        s->retention_ms = def->opts.retention_ms;
        s->segment_ms = window_segment(s->retention_ms);
        s->window_ms = def->opts.window_size_ms;
        s->cached = def->cached && !s->duplicates;
        s->indexed = def->by_time && s->shape == LEAT__SEGMENTS;
    }
    s->log_each = def->log_each && !s->cached;
    s->cold_ms = INT64_MIN;
    s->whole_ms = s->vacant ? INT64_MIN : s->reach_ms >= 0 ? s->reach_ms + 1 : INT64_MAX;
    if (s->retention_ms < 0)
        return refuse(s, "the retention (versions: the history) must not be negative", err);
    return 0;
}

leat__order_t *leat__shape_order(leat__store_t *s)
{
    if (!s->order)
        s->order = leat__order_new(s);
    return s->order;
}

leat__runs_t *leat__shape_runs(leat__store_t *s)
{
    if (!s->runs)
        s->runs = leat__runs_new(s);
    return s->runs;
}

void leat__shape_close(leat__store_t *s)
{
    leat__buf_release(&s->key_room);
    leat__buf_release(&s->world_room);
    leat__buf_release(&s->flush_room);
    leat__buf_release(&s->value_room);
    leat__window_cursor_free(s->spare);
}

/* ---- keys ---- */

static char *room_for(leat__buf_t *room, size_t size)
{
    room->size = 0;
    leat__buf_reserve(room, size);
    room->size = size;
    return room->data;
}

static char *put_key(char *to, leat_slice_t key)
{
    if (key.size)
        memcpy(to, key.data, key.size);
    return to + key.size;
}

/* {start 8}{seq 4} or {end 8}{start 8} */
static void put_tail(const leat__store_t *s, char *to, const leat__window_at_t *at)
{
    leat__store_be64(to, (uint64_t)leat__shape_time(s, at));
    if (s->sessions)
        leat__store_be64(to + 8, (uint64_t)at->start_ms);
    else
        leat__store_be32(to + 8, at->seq);
}

static size_t tail_size(const leat__store_t *s)
{
    return s->sessions ? 16 : 12;
}

static size_t times_size(const leat__store_t *s)
{
    return s->sessions ? 16 : 12;
}

static void put_times(
    const leat__store_t *s, char *to, leat_slice_t key, const leat__window_at_t *at)
{
    leat__store_be64(to, leat__turned(leat__shape_time(s, at)));
    to = put_key(to + 8, key);
    if (s->sessions)
        leat__store_be64(to, ~leat__turned(at->start_ms));
    else
        leat__store_be32(to, at->seq);
}

leat_slice_t leat__shape_key(
    const leat__store_t *s, leat_slice_t key, const leat__window_at_t *at, leat__buf_t *room)
{
    if (s->shape == LEAT__TIMES) {
        char *to = room_for(room, key.size + times_size(s));
        put_times(s, to, key, at);
        return (leat_slice_t){to, room->size};
    }
    char *to = room_for(room, 8 + key.size + tail_size(s));
    leat__store_be64(to, leat__shape_segment(s, leat__shape_time(s, at)));
    put_tail(s, put_key(to + 8, key), at);
    return (leat_slice_t){to, room->size};
}

leat_slice_t leat__shape_index(
    const leat__store_t *s, leat_slice_t key, const leat__window_at_t *at, leat__buf_t *room)
{
    char *to = room_for(room, 1 + key.size + times_size(s));
    to[0] = (char)LEAT__INDEX;
    if (!s->sessions) {
        put_times(s, to + 1, key, at);
        return (leat_slice_t){to, room->size};
    }
    leat__store_be64(to + 1, leat__turned(at->end_ms));
    leat__store_be64(to + 9, leat__turned(at->start_ms));
    put_key(to + 17, key);
    return (leat_slice_t){to, room->size};
}

static bool split_tail(
    const leat__store_t *s, leat_slice_t bytes, leat_slice_t *key, leat__window_at_t *at)
{
    *at = (leat__window_at_t){0};
    if (s->sessions)
        return leat__session_key_split(bytes, key, &at->start_ms, &at->end_ms);
    return leat__window_key_split(bytes, key, &at->start_ms, &at->seq);
}

static int64_t turned_back(uint64_t n)
{
    return (int64_t)(n ^ (UINT64_C(1) << 63));
}

static bool split_times(
    const leat__store_t *s, leat_slice_t bytes, leat_slice_t *key, leat__window_at_t *at)
{
    *at = (leat__window_at_t){0};
    if (bytes.size < times_size(s))
        return false;
    int64_t time_ms = turned_back(leat__load_be64(bytes.data));
    *key = (leat_slice_t){bytes.data + 8, bytes.size - times_size(s)};
    const char *rest = key->data + key->size;
    if (s->sessions) {
        at->end_ms = time_ms;
        at->start_ms = turned_back(~leat__load_be64(rest));
    } else {
        at->start_ms = time_ms;
        at->seq = leat__load_be32(rest);
    }
    return true;
}

bool leat__shape_split(
    const leat__store_t *s, leat_slice_t row_key, leat_slice_t *key, leat__window_at_t *at)
{
    if (s->shape == LEAT__TIMES)
        return split_times(s, row_key, key, at);
    if (row_key.size < 8)
        return false;
    return split_tail(s, (leat_slice_t){row_key.data + 8, row_key.size - 8}, key, at);
}

bool leat__shape_split_index(
    const leat__store_t *s, leat_slice_t row_key, leat_slice_t *key, leat__window_at_t *at)
{
    if (row_key.size < 1)
        return false;
    leat_slice_t times = {row_key.data + 1, row_key.size - 1};
    if (!s->sessions)
        return split_times(s, times, key, at);
    if (times.size < 16)
        return false;
    *at = (leat__window_at_t){.start_ms = turned_back(leat__load_be64(times.data + 8)),
        .end_ms = turned_back(leat__load_be64(times.data))};
    *key = (leat_slice_t){times.data + 16, times.size - 16};
    return true;
}

bool leat__shape_parse(
    const leat__store_t *s, leat_slice_t world, leat_slice_t *key, leat__window_at_t *at)
{
    return split_tail(s, world, key, at);
}

leat_slice_t leat__world_key(const leat__store_t *s, leat_slice_t row_key, leat__buf_t *room)
{
    leat_slice_t key;
    leat__window_at_t at;
    if (s->shape == LEAT__SEGMENTS)
        return (leat_slice_t){row_key.data + 8, row_key.size - 8};
    if (s->shape != LEAT__TIMES || !split_times(s, row_key, &key, &at))
        return row_key;
    char *to = room_for(room, key.size + tail_size(s));
    put_tail(s, put_key(to, key), &at);
    return (leat_slice_t){to, room->size};
}

/* ---- what is forgotten ---- */

leat_slice_t leat__shape_dead(const leat__store_t *s, int64_t observed_ms, char room[8])
{
    int64_t gone_ms = observed_ms - s->retention_ms; /* seen no more, and all before it */
    if (s->shape == LEAT__PLAIN || gone_ms < 0)
        return (leat_slice_t){NULL, 0};
    uint64_t point = s->shape == LEAT__TIMES ? leat__turned(gone_ms + 1)
                                             : leat__shape_segment(s, gone_ms);
    leat__store_be64(room, point);
    return (leat_slice_t){room, 8};
}

void leat__shape_observe(leat__store_t *s, int64_t time_ms)
{
    if (time_ms > s->observed_ms)
        s->observed_ms = time_ms;
    if (time_ms > s->reach_ms)
        s->reach_ms = time_ms;
}

static int64_t entry_time(const leat__store_t *s, const leat__entry_t *e)
{
    leat_slice_t key;
    leat__window_at_t at;
    return leat__shape_split(s, leat__entry_key(e), &key, &at) ? leat__shape_time(s, &at) : -1;
}

bool leat__shape_flushed(leat__store_t *s, const leat__entry_t *e)
{
    int64_t time_ms = entry_time(s, e);
    leat__shape_observe(s, time_ms);
    return !leat__shape_refuses(s, time_ms);
}

bool leat__shape_held(const leat__store_t *s, leat_slice_t row_key)
{
    return s->cached && leat__entry_find(s, row_key, leat__entry_hash(row_key));
}

bool leat__shape_entry_hidden(const leat__store_t *s, const leat__entry_t *e)
{
    return leat__shape_hidden(s, entry_time(s, e));
}

static bool row_time(const leat__store_t *s, const leat__entry_t *e, int64_t *time_ms)
{
    leat_slice_t row_key = leat__entry_key(e), key;
    leat__window_at_t at;
    bool of_index = s->indexed && row_key.size && (unsigned char)row_key.data[0] == LEAT__INDEX;
    bool whole = of_index ? leat__shape_split_index(s, row_key, &key, &at)
                          : leat__shape_split(s, row_key, &key, &at);
    *time_ms = whole ? leat__shape_time(s, &at) : INT64_MAX - 1;
    return whole;
}

bool leat__shape_entry_before(const leat__store_t *s, const leat__entry_t *e, int64_t time_ms)
{
    int64_t its_ms;
    return row_time(s, e, &its_ms) && its_ms < time_ms;
}

/* By committed time: an abort may bring the store's time back. */
bool leat__shape_entry_gone(const leat__store_t *s, const leat__entry_t *e)
{
    return s->shape == LEAT__SEGMENTS &&
           leat__shape_entry_before(s, e, leat__shape_gone(s, s->meta.observed_ms));
}

void leat__shape_cool(leat__store_t *s)
{
    if (s->shape != LEAT__SEGMENTS)
        return;
    int64_t gone_ms = leat__shape_gone(s, s->meta.observed_ms);
    int64_t back_ms = s->back_ms > s->back_before_ms ? s->back_ms : s->back_before_ms;
    s->back_before_ms = s->back_ms;
    s->back_ms = 0;
    s->cold_ms = s->meta.observed_ms - back_ms - back_ms / 4 - COOL_MS;
    if (s->cold_ms < gone_ms || s->indexed || s->cached)
        s->cold_ms = gone_ms;
}

void leat__shape_leaves(leat__store_t *s, const leat__entry_t *e)
{
    int64_t time_ms;
    if (s->shape != LEAT__SEGMENTS || s->vacant)
        return;
    row_time(s, e, &time_ms);
    if (time_ms >= s->whole_ms)
        s->whole_ms = time_ms + 1;
}

/* Rows before `dead` that wait for nothing, `most` of them looked at. */
static void shed(leat__store_t *s, leat_slice_t dead, size_t most)
{
    const leat__order_node_t *n = leat__order_seek(leat__shape_order(s), (leat_slice_t){"", 0});
    for (; n && most > 0; most--) {
        leat__entry_t *e = leat__order_entry(n);
        n = leat__order_next(n);
        if (leat__bytes_compare(leat__entry_key(e), dead) >= 0)
            return;
        if (!(e->flags & (LEAT__PENDING | LEAT__QUEUED)))
            leat__entry_remove(s, e);
    }
}

/* Some at a time: the rest with the next commits. A cache shows what it holds, so it keeps some. */
void leat__shape_forget(leat__store_t *s)
{
    char room[8];
    if (!s->resident || s->shape == LEAT__PLAIN)
        return;
    leat_slice_t dead = leat__shape_dead(s, s->meta.observed_ms, room);
    if (!dead.data || s->count <= (s->cached ? CACHE_KEEP : 0))
        return;
    shed(s, dead, FORGET_STEP);
}

void leat__shape_committed(leat__store_t *s)
{
    s->meta.observed_ms = s->observed_ms;
    s->meta.seq = s->seq;
}

/* Without their changelog or backend, forgotten rows may be of another version than the committed one. */
void leat__shape_drop_dead(leat__store_t *s)
{
    char room[8];
    leat_slice_t dead = s->cached ? leat__shape_dead(s, s->observed_ms, room) : (leat_slice_t){NULL, 0};
    if (!dead.data || !s->count)
        return;
    shed(s, dead, SIZE_MAX);
}

void leat__shape_aborted(leat__store_t *s)
{
    s->observed_ms = s->meta.observed_ms;
    s->seq = s->meta.seq;
    leat__shape_drop_dead(s);
}
