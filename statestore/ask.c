/*
 * statestore/ask.c: questions answered on the thread that owns the store.
 *
 * A read of isolation `committed` is the same read with the store's `as_committed` on: entries show
 * the version that an abort would go back to, and the store's time is the committed one. The switch is
 * on only inside a call here, on the owner's thread, so nobody else can meet it; likewise `behind`, the
 * mark, which cursors look at while they are opened.
 */
#include "statestore/ask.h"

#include "base/mem.h"
#include "statestore/inside.h"

struct leat__answer_t {
    leat__store_t *s;
    leat__ask_t ask;
    leat__buf_t keys;  /* from, to, mark */
    leat__buf_t point; /* the value of the only row */
    bool has_point;
    leat__window_row_t row;
    leat__cursor_t *cursor;
    leat__window_cursor_t *windows;
};

bool leat__ask_fits(leat__verb_t verb, leat_store_kind_t kind)
{
    switch (verb) {
    case LEAT__ASK_GET:
    case LEAT__ASK_RANGE:
    case LEAT__ASK_PREFIX:
    case LEAT__ASK_COUNT:
        return kind == LEAT_KV || kind == LEAT_TIMESTAMPED_KV;
    case LEAT__ASK_WINDOW:
    case LEAT__ASK_WINDOWS:
        return kind == LEAT_WINDOWS || kind == LEAT_TIMESTAMPED_WINDOWS;
    case LEAT__ASK_SESSION:
    case LEAT__ASK_SESSIONS:
        return kind == LEAT_SESSIONS;
    default:
        return kind == LEAT_VERSIONS;
    }
}

static int64_t enter(leat__answer_t *a)
{
    int64_t observed_ms = a->s->observed_ms;

    if (!a->ask.committed)
        return observed_ms;
    a->s->as_committed = true;
    a->s->observed_ms = a->s->meta.observed_ms;
    return observed_ms;
}

static void leave(leat__answer_t *a, int64_t observed_ms)
{
    a->s->as_committed = false;
    a->s->observed_ms = observed_ms;
}

static leat_slice_t keep(leat__answer_t *a, leat_slice_t key, size_t at)
{
    return key.data ? (leat_slice_t){a->keys.data + at, key.size} : key;
}

/* The row of a point read is copied at once: nothing else is held on to. */
static void keep_point(leat__answer_t *a, bool found)
{
    if (!found)
        return;
    leat__buf_put(&a->point, a->row.value.data ? a->row.value.data : "", a->row.value.size);
    leat__buf_reserve(&a->point, 1);
    a->row.value.data = a->point.data;
    a->row.key = a->ask.from;
    a->has_point = true;
}

static bool find(leat__answer_t *a)
{
    leat__store_t *s = a->s;
    const leat__ask_t *ask = &a->ask;
    leat__window_row_t *row = &a->row;

    *row = (leat__window_row_t){.time_ms = -1};
    switch (ask->verb) {
    case LEAT__ASK_GET:
        return leat__store_get(s, ask->from, &row->value, &row->time_ms);
    case LEAT__ASK_WINDOW:
        row->start_ms = ask->from_ms;
        row->end_ms = ask->from_ms > INT64_MAX - s->window_ms ? INT64_MAX : ask->from_ms + s->window_ms;
        return leat__window_get(s, ask->from, ask->from_ms, &row->value, &row->time_ms);
    case LEAT__ASK_SESSION:
        row->start_ms = ask->from_ms;
        row->end_ms = ask->to_ms;
        return leat__session_get(s, ask->from, ask->from_ms, ask->to_ms, &row->value);
    case LEAT__ASK_VERSION:
        return leat__versioned_get(s, ask->from, row);
    case LEAT__ASK_AS_OF:
        return leat__versioned_as_of(s, ask->from, ask->from_ms, row);
    default:
        row->start_ms = (int64_t)leat__store_count(s);
        return true;
    }
}

static void open_cursor(leat__answer_t *a)
{
    leat__store_t *s = a->s;
    const leat__ask_t *k = &a->ask;

    s->behind = k->mark;
    switch (k->verb) {
    case LEAT__ASK_RANGE:
        a->cursor = leat__store_range(s, k->from, k->to, k->order);
        break;
    case LEAT__ASK_PREFIX:
        a->cursor = leat__store_prefix(s, k->from, k->order);
        break;
    case LEAT__ASK_WINDOWS:
        a->windows = leat__window_range(s, k->from, k->to, k->from_ms, k->to_ms, k->order);
        break;
    case LEAT__ASK_SESSIONS:
        a->windows = leat__session_find(s, k->from, k->to, k->from_ms, k->to_ms, k->order);
        break;
    default:
        a->windows = leat__versioned_history(s, k->from, k->from_ms, k->to_ms, k->order);
        break;
    }
    s->behind = (leat_slice_t){NULL, 0};
}

leat__answer_t *leat__answer_open(leat__store_t *s, const leat__ask_t *ask)
{
    leat__answer_t *a = leat__must_alloc(sizeof *a);
    int64_t observed_ms;

    a->s = s;
    a->ask = *ask;
    leat__buf_reserve(&a->keys, ask->from.size + ask->to.size + ask->mark.size + 1);
    leat__buf_put(&a->keys, ask->from.data, ask->from.size);
    leat__buf_put(&a->keys, ask->to.data, ask->to.size);
    leat__buf_put(&a->keys, ask->mark.data, ask->mark.size);
    a->ask.from = keep(a, ask->from, 0);
    a->ask.to = keep(a, ask->to, ask->from.size);
    a->ask.mark = keep(a, ask->mark, ask->from.size + ask->to.size);
    observed_ms = enter(a);
    if (leat__ask_is_point(ask->verb))
        keep_point(a, find(a));
    else
        open_cursor(a);
    leave(a, observed_ms);
    return a;
}

bool leat__answer_next(leat__answer_t *a, leat__window_row_t *row)
{
    int64_t observed_ms;
    bool more;

    if (leat__ask_is_point(a->ask.verb)) {
        *row = a->row;
        more = a->has_point;
        a->has_point = false;
        return more;
    }
    observed_ms = enter(a);
    if (a->cursor) {
        *row = (leat__window_row_t){.time_ms = -1};
        more = leat__cursor_next(a->cursor, &row->key, &row->value, &row->time_ms);
        a->row.key = row->key;
    } else {
        more = leat__window_next(a->windows, row);
    }
    leave(a, observed_ms);
    return more;
}

void leat__answer_mark(const leat__answer_t *a, leat__buf_t *mark)
{
    if (a->cursor)
        leat__buf_put(mark, a->row.key.data, a->row.key.size);
    else if (a->windows)
        leat__window_mark(a->windows, mark);
}

/* A row in a page: {start 8}{end 8}{time 8}{size of the key 4}{size of the value 4}{key}{value} */
enum { HEAD_BYTES = 32 };

bool leat__answer_page(leat__answer_t *a, size_t bytes, leat__buf_t *page)
{
    leat__window_row_t row;
    char head[HEAD_BYTES];

    while (page->size < bytes) {
        if (!leat__answer_next(a, &row))
            return false;
        leat__store_be64(head, (uint64_t)row.start_ms);
        leat__store_be64(head + 8, (uint64_t)row.end_ms);
        leat__store_be64(head + 16, (uint64_t)row.time_ms);
        leat__store_be32(head + 24, (uint32_t)row.key.size);
        leat__store_be32(head + 28, (uint32_t)row.value.size);
        leat__buf_put(page, head, sizeof head);
        leat__buf_put(page, row.key.data, row.key.size);
        leat__buf_put(page, row.value.data, row.value.size);
    }
    return !leat__ask_is_point(a->ask.verb);
}

bool leat__page_next(leat_slice_t *page, leat__window_row_t *row)
{
    const char *head = page->data;

    if (page->size < HEAD_BYTES)
        return false;
    size_t key_size = leat__load_be32(head + 24), value_size = leat__load_be32(head + 28);
    if (key_size + value_size > page->size - HEAD_BYTES)
        return false;
    *row = (leat__window_row_t){.key = {head + HEAD_BYTES, key_size},
        .start_ms = (int64_t)leat__load_be64(head),
        .end_ms = (int64_t)leat__load_be64(head + 8),
        .value = {head + HEAD_BYTES + key_size, value_size},
        .time_ms = (int64_t)leat__load_be64(head + 16)};
    page->data += HEAD_BYTES + key_size + value_size;
    page->size -= HEAD_BYTES + key_size + value_size;
    return true;
}

void leat__answer_close(leat__answer_t *a)
{
    if (!a)
        return;
    leat__cursor_close(a->cursor);
    leat__window_close(a->windows);
    leat__buf_release(&a->keys);
    leat__buf_release(&a->point);
    leat__free(a);
}
