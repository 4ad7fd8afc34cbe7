/*
 * tests/unit/rows_backend.h: a backend of a program's own: sorted rows in memory. One survives the
 * store that it belongs to (and says that it is persistent), one goes with it.
 */
#ifndef LEAT_TESTS_ROWS_BACKEND_H
#define LEAT_TESTS_ROWS_BACKEND_H

#include "store_kit.h"

typedef struct row_t {
    char *key, *value;
    size_t key_size, size;
} row_t;

typedef struct rows_t {
    row_t *at;
    size_t count, room;
    bool kept; /* survives close */
} rows_t;

static rows_t surviving = {.kept = true}, passing;

static int rows_find(const rows_t *r, leat_slice_t key, size_t *at)
{
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int way =
            leat__bytes_compare((leat_slice_t){r->at[middle].key, r->at[middle].key_size}, key);
        if (way == 0) {
            *at = middle;
            return 0;
        }
        if (way < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return 1;
}

static int rows_open_kept(void **self, const char *dir, const char *store,
    const leat_store_opts_t *opts, leat_error_t *err)
{
    (void)dir, (void)opts, (void)err;
    assert_string_equal(store, "s");
    *self = &surviving;
    return 0;
}

static int rows_open(void **self, const char *dir, const char *store, const leat_store_opts_t *opts,
    leat_error_t *err)
{
    (void)dir, (void)store, (void)opts, (void)err;
    *self = &passing;
    return 0;
}

static void rows_forget(rows_t *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->at[i].key);
        free(r->at[i].value);
    }
    leat__free(r->at);
    *r = (rows_t){.kept = r->kept};
}

static void rows_close(void *self)
{
    rows_t *r = self;
    if (!r->kept)
        rows_forget(r);
}

static int rows_get(void *self, leat_slice_t key, leat_slice_t *value, void **pin)
{
    const rows_t *r = self;
    size_t at;
    *pin = NULL;
    if (rows_find(r, key, &at))
        return 1;
    *value = kit_copy(r->at[at].value, r->at[at].size);
    *pin = (void *)(uintptr_t)value->data;
    return 0;
}

static void rows_unpin(void *self, void *pin)
{
    (void)self;
    free(pin);
}

static int rows_write(void *self, const leat_change_t *changes, size_t count)
{
    rows_t *r = self;
    for (size_t i = 0; i < count; i++) {
        size_t at;
        if (rows_find(r, changes[i].key, &at) == 0) {
            free(r->at[at].key);
            free(r->at[at].value);
            r->count--;
            memmove(&r->at[at], &r->at[at + 1], (r->count - at) * sizeof *r->at);
        }
        if (!changes[i].value.data)
            continue;
        LEAT__GROW(r->at, r->count, r->room);
        memmove(&r->at[at + 1], &r->at[at], (r->count - at) * sizeof *r->at);
        r->count++;
        r->at[at] = (row_t){
            (char *)(uintptr_t)kit_copy(changes[i].key.data, changes[i].key.size).data,
            (char *)(uintptr_t)kit_copy(changes[i].value.data, changes[i].value.size).data,
            changes[i].key.size, changes[i].value.size};
    }
    return 0;
}

typedef struct rows_cursor_t {
    rows_t copy;
    size_t at, until;
    bool descending;
} rows_cursor_t;

static int rows_scan(
    void *self, leat_slice_t from, leat_slice_t until, leat_order_t order, void **cursor)
{
    const rows_t *r = self;
    rows_cursor_t *c = leat__must_alloc(sizeof *c);
    c->descending = order == LEAT_DESCENDING;
    c->until = r->count;
    if (from.data)
        rows_find(r, from, &c->at);
    if (until.data)
        rows_find(r, until, &c->until);
    for (size_t i = 0; i < r->count; i++) {
        leat_change_t row = {{r->at[i].key, r->at[i].key_size}, {r->at[i].value, r->at[i].size}};
        rows_write(&c->copy, &row, 1);
    }
    *cursor = c;
    return 0;
}

static int rows_next(void *cursor, leat_slice_t *key, leat_slice_t *value)
{
    rows_cursor_t *c = cursor;
    if (c->at >= c->until)
        return 1;
    const row_t *row = &c->copy.at[c->descending ? --c->until : c->at++];
    *key = (leat_slice_t){row->key, row->key_size};
    *value = (leat_slice_t){row->value, row->size};
    return 0;
}

static void rows_end(void *cursor)
{
    rows_cursor_t *c = cursor;
    rows_forget(&c->copy);
    leat__free(c);
}

static const leat_backend_t kept_backend = {.name = "rows that stay", .open = rows_open_kept,
    .close = rows_close, .get = rows_get, .unpin = rows_unpin, .write = rows_write,
    .scan = rows_scan, .next = rows_next, .end = rows_end, .persistent = true};
static const leat_backend_t passing_backend = {.name = "rows that go", .open = rows_open,
    .close = rows_close, .get = rows_get, .unpin = rows_unpin, .write = rows_write,
    .scan = rows_scan, .next = rows_next, .end = rows_end};

#endif
