/*
 * statestore/beneath.c: what lies beneath the write buffer: a column family of the task's database,
 * a backend of the program's own, or nothing (memory, least recently used: the buffer itself holds
 * all).
 *
 * Rows of timestamped stores begin with 8 bytes of time. A read that fails is kept in the task's
 * state, where runtime looks before it commits: a failure must never pass for "there is no such
 * key".
 */
#include "statestore/inside.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "statestore/db.h"
#include "statestore/filter.h"
#include "statestore/windows.h"

/* ---- leat's own backends are known by their address ---- */

static const leat_backend_t memory = {.name = "memory"};
static const leat_backend_t rocksdb = {.name = "rocksdb", .persistent = true};
static const leat_backend_t lru = {.name = "lru"};

const leat_backend_t *leat_backend_memory(void)
{
    return &memory;
}

const leat_backend_t *leat_backend_rocksdb(void)
{
    return &rocksdb;
}

const leat_backend_t *leat_backend_lru(void)
{
    return &lru;
}

/* ---- failures ---- */

void leat__state_fail(leat__task_state_t *state, const leat_error_t *err)
{
    leat__log(LEAT_LOG_ERROR, "store", NULL, "%s: %s", err->where, err->text);
    if (state->failed)
        return;
    state->failed = true;
    state->failure = *err;
}

static int backend_failed(leat__store_t *s, int code, const char *doing, leat_error_t *err)
{
    return leat__error(err, LEAT_ESTORE, 0, s->name, "backend %s: %s returned %d (%s)",
        s->backend->name ? s->backend->name : "without name", doing, code, leat_error_text(code));
}

/* ---- metadata of a store, as bytes ---- */

void leat__meta_encode(const leat__store_meta_t *meta, char bytes[LEAT__META_BYTES])
{
    bytes[0] = 2; /* version of this layout */
    leat__store_be64(bytes + 1, (uint64_t)meta->changelog_next);
    leat__store_be64(bytes + 9, (uint64_t)meta->observed_ms);
    leat__store_be64(bytes + 17, meta->incarnation);
    leat__store_be64(bytes + 25, (uint64_t)meta->wall_ms);
    leat__store_be32(bytes + 33, meta->seq);
}

bool leat__meta_decode(leat_slice_t bytes, leat__store_meta_t *meta)
{
    bool first = bytes.size == LEAT__META_BYTES_1 && bytes.data[0] == 1;
    if (!first && (bytes.size != LEAT__META_BYTES || bytes.data[0] != 2))
        return false;
    meta->changelog_next = (int64_t)leat__load_be64(bytes.data + 1);
    meta->observed_ms = (int64_t)leat__load_be64(bytes.data + 9);
    meta->incarnation = leat__load_be64(bytes.data + 17);
    meta->wall_ms = (int64_t)leat__load_be64(bytes.data + 25);
    meta->seq = first ? 0 : leat__load_be32(bytes.data + 33);
    return true;
}

static const leat_slice_t backend_meta = {LEAT_BACKEND_META, sizeof LEAT_BACKEND_META - 1};

/* What is not believed leaves "nothing known" behind: runtime empties the store and replays it all.
 * An old store may have missed tombstones that the changelog has forgotten (PROTOCOLS.md 9); one
 * whose first restore was cut short has no age at all. */
static void read_meta(leat__store_t *s, leat_slice_t bytes)
{
    leat__task_state_t *state = s->state;
    leat__store_meta_t meta;
    if (!leat__meta_decode(bytes, &meta)) {
        leat__log(LEAT_LOG_WARN, "store", NULL,
            "%s: metadata of an unknown form: the store is restored from the beginning", s->name);
        return;
    }
    if (s->has_changelog && state->age_max_ms > 0 &&
        state->opened_ms - meta.wall_ms > state->age_max_ms) {
        leat__log(LEAT_LOG_WARN, "store", NULL,
            "%s: %s, and its changelog may have forgotten deletions since: the store is restored "
            "from the beginning",
            s->name, meta.wall_ms ? "its local state is too old" : "its restore was cut short");
        return;
    }
    s->meta = s->written = meta;
    if (meta.wall_ms < state->checkpoint_ms)
        state->checkpoint_ms = meta.wall_ms;
}

/* ---- opening ---- */

/* "s-NAME", so that no store can be called "default". */
static leat__family_t *family_of(leat__store_t *s, leat_error_t *err)
{
    char *name = leat__must_format("s-%s", s->name);
    leat__family_t *f = leat__db_family(s->state->db, name, err);
    leat__free(name);
    return f;
}

static bool has_segments(leat_store_kind_t kind)
{
    return leat__store_has_retention(kind) || kind == LEAT_VERSIONS;
}

/* Windows with duplicates are found by ranges alone. */
static void make_filter(leat__store_t *s)
{
    s->filter = s->vacant && !s->duplicates ? leat__filters_new(has_segments(s->kind)) : NULL;
}

static int open_family(leat__store_t *s, leat_error_t *err)
{
    leat__db_t *db = s->state->db;
    if (!db)
        return leat__error(err, LEAT_ECONFIG, 0, s->name,
            "the store is kept in RocksDB, but there is no state directory: set state.dir or give "
            "the store another backend");
    s->family = family_of(s, err);
    if (!s->family)
        return LEAT_ESTORE;
    leat_slice_t none = {NULL, 0}, key, value;
    leat__db_iter_t *it = leat__db_scan(db, s->family, &none, &none, LEAT_ASCENDING);
    int code = leat__db_next(it, &key, &value, err);
    leat__db_end(it);
    s->vacant = code == 0;
    if (code < 0)
        return code;
    make_filter(s);
    char *name = leat__must_format("m%s", s->name);
    void *pin = NULL;
    code = leat__db_get(db, leat__db_meta(db), leat_slice(name), &value, &pin, err);
    leat__free(name);
    if (code == 0)
        read_meta(s, value);
    leat__db_unpin(pin);
    return code < 0 ? code : 0;
}

static int open_backend(leat__store_t *s, const leat__store_def_t *def, leat_error_t *err)
{
    const leat_backend_t *b = s->backend;
    if (!b->open || !b->get || !b->write || !b->scan || !b->next || !b->end || !b->unpin ||
        !b->close)
        return leat__error(err, LEAT_EARGUMENT, 0, s->name,
            "backend %s lacks a function: all but count are needed",
            b->name ? b->name : "without name");
    leat_error_t why = {0};
    int code = b->open(&s->backend_self, s->state->dir, s->name, &def->opts, &why);
    if (code) {
        s->backend_self = NULL;
        return leat__error(err, LEAT_ESTORE, 0, s->name, "backend %s: open returned %d: %s",
            b->name ? b->name : "without name", code,
            why.text[0] ? why.text : leat_error_text(code));
    }
    if (!b->persistent)
        return 0;
    leat_slice_t value;
    void *pin = NULL;
    code = b->get(s->backend_self, backend_meta, &value, &pin);
    if (code == 0) {
        read_meta(s, value);
        b->unpin(s->backend_self, pin);
    }
    return code < 0 ? backend_failed(s, code, "get", err) : 0;
}

int leat__beneath_open(leat__store_t *s, const leat__store_def_t *def, leat_error_t *err)
{
    s->lru = s->backend == &lru;
    s->resident = s->lru || s->backend == &memory;
    if (s->resident)
        return 0;
    return s->backend == &rocksdb ? open_family(s, err) : open_backend(s, def, err);
}

void leat__beneath_close(leat__store_t *s)
{
    leat__beneath_unpin(s);
    leat__filters_free(s->filter);
    s->filter = NULL;
    if (s->backend_self)
        s->backend->close(s->backend_self);
    s->backend_self = NULL;
    leat__buf_release(&s->swept);
}

/* ---- reading ---- */

void leat__beneath_unpin(leat__store_t *s)
{
    if (!s->pin)
        return;
    if (s->family)
        leat__db_unpin(s->pin);
    else
        s->backend->unpin(s->backend_self, s->pin);
    s->pin = NULL;
}

/* False: a row that a timestamped store cannot have written. */
static bool split(const leat__store_t *s, leat_slice_t row, leat__view_t *value)
{
    size_t head = s->timestamped ? 8 : 0;
    if (row.size < head || row.size - head >= LEAT__ABSENT)
        return false;
    *value = (leat__view_t){row.data + head, (uint32_t)(row.size - head),
        head ? (int64_t)leat__load_be64(row.data) : -1};
    return true;
}

static int bad_row(leat__store_t *s, leat_error_t *err)
{
    return leat__error(err, LEAT_ESTORE, 0, s->name,
        "a row is too short to hold its time: the backend's data are damaged, or were written by a "
        "store of another kind; remove the state directory, it is rebuilt from the changelog");
}

bool leat__beneath_get(leat__store_t *s, leat_slice_t key, leat__view_t *value)
{
    leat_error_t err = {0};
    leat_slice_t row = {NULL, 0};
    int code;
    leat__beneath_unpin(s);
    if (s->filter && !leat__filters_may_hold(s->filter, key))
        return false;
    if (s->family) {
        code = leat__db_get(s->state->db, s->family, key, &row, &s->pin, &err);
    } else {
        code = s->backend->get(s->backend_self, key, &row, &s->pin);
        if (code < 0)
            code = backend_failed(s, code, "get", &err);
    }
    if (code == 0 && !split(s, row, value))
        code = bad_row(s, &err);
    if (code < 0)
        leat__state_fail(s->state, &err);
    return code == 0;
}

uint64_t leat__beneath_count(leat__store_t *s)
{
    if (s->family)
        return leat__db_count(s->state->db, s->family);
    return s->backend->count ? s->backend->count(s->backend_self) : 0;
}

struct leat__scan_t {
    leat__store_t *s;
    leat__db_iter_t *rows;
    void *cursor;
    leat_slice_t from, until;
};

leat__scan_t *leat__beneath_scan(
    leat__store_t *s, leat_slice_t from, leat_slice_t until, leat_order_t order)
{
    if (s->resident || s->vacant)
        return NULL;
    leat__scan_t *scan = leat__must_alloc(sizeof *scan);
    scan->s = s;
    scan->from = from;
    scan->until = until;
    if (s->family) {
        scan->rows = leat__db_scan(s->state->db, s->family, &scan->from, &scan->until, order);
        return scan;
    }
    int code = s->backend->scan(s->backend_self, from, until, order, &scan->cursor);
    if (code) {
        leat_error_t err;
        backend_failed(s, code, "scan", &err);
        leat__state_fail(s->state, &err);
        leat__free(scan);
        return NULL;
    }
    return scan;
}

static int next_row(leat__scan_t *scan, leat_slice_t *key, leat_slice_t *row, leat_error_t *err)
{
    leat__store_t *s = scan->s;
    if (scan->rows)
        return leat__db_next(scan->rows, key, row, err);
    int code;
    do
        code = s->backend->next(scan->cursor, key, row);
    while (code == 0 && leat_slice_equal(key, &backend_meta));
    return code < 0 ? backend_failed(s, code, "next", err) : code == 0;
}

bool leat__beneath_next(leat__scan_t *scan, leat_slice_t *key, leat__view_t *value)
{
    leat_error_t err = {0};
    leat_slice_t row = {NULL, 0};
    int code = next_row(scan, key, &row, &err);
    if (code > 0 && !split(scan->s, row, value))
        code = bad_row(scan->s, &err);
    if (code < 0)
        leat__state_fail(scan->s->state, &err);
    return code > 0;
}

void leat__beneath_end(leat__scan_t *scan)
{
    if (!scan)
        return;
    if (scan->rows)
        leat__db_end(scan->rows);
    else
        scan->s->backend->end(scan->cursor);
    leat__free(scan);
}

/* ---- time to live ---- */

enum { SWEEP_ROWS = 4096 };

typedef struct sweep_t {
    leat__store_t *s;
    leat__buf_t keys; /* of what is over, one after the other */
    size_t *sizes, count, room;
    size_t looked;
    bool end; /* of the store */
} sweep_t;

/* The key where the next look begins stands in s->swept at the end; empty: at the store's start. */
static int look(sweep_t *w, int64_t before_ms, size_t most, leat_error_t *err)
{
    leat__store_t *s = w->s;
    leat__scan_t scan = {.s = s, .from = {s->swept.size ? s->swept.data : NULL, s->swept.size}};
    leat_slice_t key = {NULL, 0}, row;
    leat__view_t value;
    int code = 0;

    if (s->family)
        scan.rows = leat__db_scan(s->state->db, s->family, &scan.from, &scan.until, LEAT_ASCENDING);
    else
        code = s->backend->scan(
            s->backend_self, scan.from, scan.until, LEAT_ASCENDING, &scan.cursor);
    if (code)
        return backend_failed(s, code, "scan", err);
    while (w->looked < most && (code = next_row(&scan, &key, &row, err)) > 0) {
        w->looked++;
        if (!split(s, row, &value) || value.time_ms >= before_ms)
            continue;
        LEAT__GROW(w->sizes, w->count, w->room);
        w->sizes[w->count++] = key.size;
        leat__buf_put(&w->keys, key.data, key.size);
    }
    w->end = code == 0 && w->looked < most;
    leat__buf_t last = {0};
    if (!w->end && code >= 0) {
        leat__buf_put(&last, key.data, key.size);
        leat__buf_put(&last, "", 1); /* right behind it */
    }
    if (scan.rows)
        leat__db_end(scan.rows);
    else
        s->backend->end(scan.cursor);
    leat__buf_release(&s->swept);
    s->swept = last;
    return code < 0 ? code : 0;
}

static int delete_over(sweep_t *w, leat_error_t *err)
{
    leat__store_t *s = w->s;
    leat_change_t *changes = leat__must_alloc((w->count + 1) * sizeof *changes);
    leat__batch_t *b = s->family ? leat__batch_new() : NULL;
    int code = 0;

    for (size_t i = 0, at = 0; i < w->count; at += w->sizes[i++]) {
        changes[i] = (leat_change_t){.key = {w->keys.data ? w->keys.data + at : "", w->sizes[i]}};
        if (b)
            leat__batch_delete(b, s->family, changes[i].key);
    }
    if (b && w->count)
        code = leat__db_write(s->state->db, b, err);
    else if (w->count && (code = s->backend->write(s->backend_self, changes, w->count)) != 0)
        code = backend_failed(s, code, "write", err);
    if (b)
        leat__batch_free(b);
    leat__free(changes);
    return code;
}

int leat__beneath_sweep(leat__store_t *s, int64_t before_ms, size_t most, leat_error_t *err)
{
    sweep_t w = {.s = s};
    int code = 0;

    for (size_t left = most; !code && !w.end && left > 0; left -= w.looked) {
        w.count = w.looked = w.keys.size = 0;
        code = look(&w, before_ms, left < SWEEP_ROWS ? left : SWEEP_ROWS, err);
        if (!code && w.count)
            code = delete_over(&w, err);
    }
    leat__buf_release(&w.keys);
    leat__free(w.sizes);
    return code;
}

/* ---- emptying ---- */

static int clear_family(leat__store_t *s, leat_error_t *err)
{
    leat__db_t *db = s->state->db;
    leat__batch_t *b = leat__batch_new();
    char *name = leat__must_format("m%s", s->name);
    leat__batch_delete(b, leat__db_meta(db), leat_slice(name));
    leat__free(name);
    int code = leat__db_write(db, b, err); /* first: what is half emptied must not look whole */
    leat__batch_free(b);
    if (code || s->vacant)
        return code;
    code = leat__db_drop(db, s->family, err);
    if (code)
        return code;
    s->family = family_of(s, err);
    return s->family ? 0 : LEAT_ESTORE;
}

enum { CLEAR_ROWS = 1024 };

/* Rows of a backend of the program's, all or those before `until`: by scan, since it has no range
 * deletion. */
static int delete_rows(leat__store_t *s, leat_slice_t until)
{
    const leat_backend_t *b = s->backend;
    leat_change_t changes[CLEAR_ROWS];
    int code = 0;
    size_t count = CLEAR_ROWS;
    while (!code && count == CLEAR_ROWS) {
        leat_slice_t key, value, open = {NULL, 0};
        leat__buf_t keys = {0};
        void *cursor;
        count = 0;
        code = b->scan(s->backend_self, open, until, LEAT_ASCENDING, &cursor);
        if (code)
            break;
        for (; count < CLEAR_ROWS && b->next(cursor, &key, &value) == 0; count++) {
            changes[count] = (leat_change_t){.key = {NULL, key.size}};
            leat__buf_put(&keys, key.data, key.size);
        }
        b->end(cursor);
        for (size_t i = 0, at = 0; i < count; at += changes[i++].key.size)
            changes[i].key.data = keys.data ? keys.data + at : "";
        if (count)
            code = b->write(s->backend_self, changes, count);
        leat__buf_release(&keys);
    }
    return code;
}

/* The metadata first: what is half emptied must not look whole. */
static int clear_backend(leat__store_t *s, leat_error_t *err)
{
    const leat_backend_t *b = s->backend;
    const leat_change_t meta = {.key = backend_meta};
    int code = b->persistent ? b->write(s->backend_self, &meta, 1) : 0;
    if (!code)
        code = delete_rows(s, (leat_slice_t){NULL, 0});
    return code ? backend_failed(s, code, "emptying", err) : 0;
}

/* Not atomic, which does no harm: reads hide these rows. */
int leat__beneath_forget(leat__store_t *s, uint64_t dead)
{
    char until[8];
    leat__store_be64(until, dead);
    return dead ? delete_rows(s, (leat_slice_t){until, 8}) : 0;
}

int leat__beneath_clear(leat__store_t *s, leat_error_t *err)
{
    leat__beneath_unpin(s);
    if (s->resident)
        return 0;
    int code = s->family ? clear_family(s, err) : clear_backend(s, err);
    if (code)
        return code;
    s->vacant = s->family != NULL;
    leat__filters_free(s->filter);
    make_filter(s);
    return 0;
}
