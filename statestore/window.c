/*
 * statestore/window.c: window and session stores: put and get. Their cursors: window_cursor.c.
 */
#include "statestore/shape.h"

static void refuse(leat__store_t *s)
{
    if (s->hooks.dropped)
        s->hooks.dropped(s->hooks.user, s);
}

/* The row of the index comes and goes with that of the window. */
static void put_index(leat__store_t *s, leat_slice_t key, const leat__window_at_t *at,
    leat_slice_t row_key, bool there)
{
    leat_slice_t old;
    if (leat__store_get(s, row_key, &old, NULL) == there)
        return;
    const leat_slice_t nothing = {"", 0};
    leat_slice_t index = leat__shape_index(s, key, at, &s->value_room);
    leat__put(s, index, there ? &nothing : NULL, 0, NULL, false, false);
}

static bool put(leat__store_t *s, leat_slice_t key, const leat__window_at_t *at,
    const leat_slice_t *value, int64_t time_ms, const leat_headers_t *headers)
{
    leat_slice_t row_key = leat__shape_key(s, key, at, &s->key_room);
    bool kept = true;
    if (!value && s->duplicates && s->shape == LEAT__SEGMENTS) {
        /* deletes nothing and moves no time, as on RocksDB in Kafka Streams; its changelog has it */
    } else if (s->cached) {
        if (leat__shape_time(s, at) > s->reach_ms)
            s->reach_ms = leat__shape_time(s, at);
    } else {
        leat__shape_observe(s, leat__shape_time(s, at));
        kept = !leat__shape_refuses(s, leat__shape_time(s, at));
    }
    bool stored = kept && (value || !s->duplicates);
    if (stored && s->indexed)
        put_index(s, key, at, row_key, value != NULL);
    if (stored)
        /* what is cached has to arrive beneath, logged or not: time goes on there */
        leat__put(s, row_key, value, time_ms, headers, true, s->logged || s->cached);
    if (s->logged && (s->log_each || !stored))
        leat__log_put(s, row_key, value, time_ms, headers);
    if (!kept)
        refuse(s);
    return kept;
}

bool leat__window_put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value,
    int64_t start_ms, int64_t time_ms, const leat_headers_t *headers)
{
    if (s->duplicates)
        s->seq = (s->seq + 1) & INT32_MAX;
    leat__window_at_t at = {.start_ms = start_ms, .seq = s->duplicates ? s->seq : 0};
    return put(s, key, &at, value, time_ms, headers);
}

bool leat__session_put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value,
    int64_t start_ms, int64_t end_ms, int64_t time_ms, const leat_headers_t *headers)
{
    leat__window_at_t at = {.start_ms = start_ms, .end_ms = end_ms};
    return put(s, key, &at, value, time_ms, headers);
}

static bool get(leat__store_t *s, leat_slice_t key, const leat__window_at_t *at,
    leat_slice_t *value, int64_t *time_ms)
{
    leat_slice_t row_key = leat__shape_key(s, key, at, &s->key_room);
    leat__shape_looks_back(s, leat__shape_time(s, at));
    if (leat__shape_hidden(s, leat__shape_time(s, at)) && !leat__shape_held(s, row_key))
        return false;
    return leat__store_get(s, row_key, value, time_ms);
}

static bool get_first(leat__store_t *s, leat_slice_t key, int64_t start_ms, leat_slice_t *value,
    int64_t *time_ms)
{
    leat__window_row_t row;
    leat__window_cursor_t *c = leat__window_fetch(s, key, start_ms, start_ms, LEAT_ASCENDING);
    bool found = leat__window_next(c, &row);
    if (found) {
        s->value_room.size = 0;
        leat__buf_put(&s->value_room, row.value.data, row.value.size);
        *value = (leat_slice_t){row.value.size ? s->value_room.data : "", row.value.size};
        if (time_ms)
            *time_ms = row.time_ms;
    }
    leat__window_close(c);
    return found;
}

bool leat__window_get(leat__store_t *s, leat_slice_t key, int64_t start_ms, leat_slice_t *value,
    int64_t *time_ms)
{
    leat__window_at_t at = {.start_ms = start_ms};
    return s->duplicates ? get_first(s, key, start_ms, value, time_ms)
                         : get(s, key, &at, value, time_ms);
}

bool leat__session_get(leat__store_t *s, leat_slice_t key, int64_t start_ms, int64_t end_ms,
    leat_slice_t *value)
{
    leat__window_at_t at = {.start_ms = start_ms, .end_ms = end_ms};
    return get(s, key, &at, value, NULL);
}

bool leat__store_get_logged(leat__store_t *s, leat_slice_t key, int64_t record_ms,
    leat_slice_t *value, int64_t *time_ms)
{
    leat_slice_t plain;
    leat__window_at_t at;
    leat__window_row_t row;
    *time_ms = -1;
    if (s->shape == LEAT__PLAIN)
        return leat__store_get(s, key, value, time_ms);
    if (s->shape == LEAT__HISTORY) {
        *time_ms = record_ms;
        if (!leat__versioned_as_of(s, key, record_ms, &row))
            return false;
        *value = row.value;
        return true;
    }
    return leat__shape_parse(s, key, &plain, &at) &&
           leat__store_get(s, leat__shape_key(s, plain, &at, &s->key_room), value, time_ms);
}

int64_t leat__window_observed(const leat__store_t *s)
{
    return s->observed_ms;
}
