/*
 * tests/unit/test_window.c: window and session stores against a plain list of rows, under random puts,
 * deletes, reads, commits, aborts, checkpoints, evictions and restarts.
 *
 * The model keeps every row ever put and says by Kafka Streams' rules which of them a store still shows:
 * start (end) > time of the store - retention; a put is refused when its segment (in memory: itself) is
 * that old. LEAT_SEED repeats a run, LEAT_STEPS makes it longer.
 */
#include "store_kit.h"

#include "statestore/shape.h"
#include "statestore/windows.h"

#include <time.h>

enum { RETENTION_MS = 100000, SEGMENT_MS = 60000, ROWS_MAX = 6000, SIZE_MS = 500 };

typedef struct fact_t { /* the value of one row */
    bool there;
    char value[24];
    size_t size;
    int64_t time_ms;
} fact_t;

typedef struct row_t {
    int key;
    int64_t start_ms, end_ms;
    uint32_t seq;
    fact_t now, committed;
    bool touched, waits; /* waits: not flushed yet */
} row_t;

typedef struct model_t {
    kit_t kit;
    uint64_t random;
    row_t *rows;
    size_t count;
    int64_t clock_ms;                 /* where most puts are */
    int64_t observed_ms, committed_ms; /* the store's time */
    uint32_t seq, committed_seq;
    bool sessions, duplicates, cached, memory, by_time, timestamped, listens;
    size_t refused, forwarded;
    bool bad_forward;
} model_t;

/* One begins with another, and 0 bytes: what keys of composed rows must not mix up. */
static const leat_slice_t keys[] = {
    {"a", 1}, {"a\0", 2}, {"a\0\0\0\0\0\0\1", 8}, {"ab", 2}, {"b", 1}, {"", 0}, {"\xff\xff", 2}};
enum { KEYS = sizeof keys / sizeof *keys };

static uint64_t draw(model_t *m, uint64_t below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (m->random >> 11) % below;
}

static int64_t time_of(const model_t *m, const row_t *r)
{
    return m->sessions ? r->end_ms : r->start_ms;
}

/* Until it is evicted. */
static bool in_cache(const model_t *m, const row_t *r)
{
    leat__window_at_t at = {r->start_ms, r->end_ms, r->seq};
    leat__buf_t room = {0};
    leat_slice_t key = leat__shape_key(m->kit.store, keys[r->key], &at, &room);
    const leat__entry_t *e = leat__entry_find(m->kit.store, key, leat__entry_hash(key));
    bool there = leat__store_cached(m->kit.store) && e && leat__entry_view(e).size != LEAT__ABSENT;
    leat__buf_release(&room);
    return there;
}

/* Of windows that go on when they close, Kafka Streams still shows the one that is just as old. */
static bool hidden(const model_t *m, const row_t *r)
{
    if (in_cache(m, r))
        return false;
    bool one_more = m->by_time && !m->sessions;
    return time_of(m, r) < m->observed_ms - RETENTION_MS + (one_more ? 0 : 1);
}

static bool refused(const model_t *m, int64_t time_ms)
{
    if (m->memory)
        return time_ms <= m->observed_ms - RETENTION_MS;
    return time_ms / SEGMENT_MS < (m->observed_ms - RETENTION_MS) / SEGMENT_MS;
}

static row_t *find(model_t *m, int key, int64_t start_ms, int64_t end_ms, uint32_t seq)
{
    for (size_t i = 0; i < m->count; i++) {
        row_t *r = &m->rows[i];
        if (r->key == key && r->start_ms == start_ms && r->end_ms == end_ms && r->seq == seq)
            return r;
    }
    assert_true(m->count < ROWS_MAX);
    row_t *r = &m->rows[m->count++];
    *r = (row_t){.key = key, .start_ms = start_ms, .end_ms = end_ms, .seq = seq};
    return r;
}

static int64_t draw_time(model_t *m)
{
    m->clock_ms += (int64_t)draw(m, 400);
    if (draw(m, 400) == 0)
        m->clock_ms += (int64_t)draw(m, 3 * RETENTION_MS);
    int64_t back = draw(m, 10) ? (int64_t)draw(m, 4000) : (int64_t)draw(m, 2 * RETENTION_MS);
    int64_t t = m->clock_ms - back;
    return (t < 0 ? 0 : t) / 250 * 250; /* so that rows meet */
}

/* ---- writing ---- */

static void apply(model_t *m, row_t *r, const leat_slice_t *value, int64_t time_ms)
{
    if (!value && m->duplicates && !m->memory)
        return; /* as on RocksDB in Kafka Streams: no time passes */
    if (!m->cached) {
        if (time_of(m, r) > m->observed_ms)
            m->observed_ms = time_of(m, r);
        if (refused(m, time_of(m, r))) {
            m->refused++;
            return;
        }
    }
    if (!value && m->duplicates)
        return;
    r->touched = true;
    r->waits = m->cached;
    r->now = (fact_t){.there = value != NULL, .time_ms = time_ms};
    if (value) {
        r->now.size = value->size;
        memcpy(r->now.value, value->data, value->size);
    }
}

static void step_put(model_t *m)
{
    char text[24];
    int key = (int)draw(m, KEYS);
    int64_t start_ms = draw_time(m), end_ms = start_ms;
    int64_t time_ms = (int64_t)draw(m, 1000000);
    snprintf(text, sizeof text, "%llu", (unsigned long long)draw(m, 1000000000));
    text[draw(m, 10)] = 0;
    leat_slice_t value = leat_slice(text);
    const leat_slice_t *v = draw(m, 5) ? &value : NULL;
    if (m->sessions) {
        end_ms += (int64_t)draw(m, 8) * 250;
        apply(m, find(m, key, start_ms, end_ms, 0), v, time_ms);
        leat__session_put(m->kit.store, keys[key], v, start_ms, end_ms, time_ms, NULL);
        return;
    }
    if (m->duplicates)
        m->seq++;
    apply(m, find(m, key, start_ms, start_ms + SIZE_MS, m->seq), v, time_ms);
    leat__window_put(m->kit.store, keys[key], v, start_ms, time_ms, NULL);
}

static void flush(model_t *m)
{
    leat__store_flush(m->kit.store);
    leat__store_flush_rest(m->kit.store);
    /* The order of the flush decides which are refused: not modelled; refused ones are hidden anyway. */
    for (size_t i = 0; i < m->count; i++)
        m->rows[i].waits = false;
    m->observed_ms = m->cached ? leat__window_observed(m->kit.store) : m->observed_ms;
}

static void step_commit(model_t *m)
{
    flush(m);
    m->kit.committed = m->kit.count;
    leat__store_committed(m->kit.store, (int64_t)m->kit.count);
    for (size_t i = 0; i < m->count; i++)
        if (m->rows[i].touched) {
            m->rows[i].committed = m->rows[i].now;
            m->rows[i].touched = false;
        }
    m->committed_ms = m->observed_ms;
    m->committed_seq = m->seq;
}

static void roll_back(model_t *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->rows[i].touched) {
            m->rows[i].now = m->rows[i].committed;
            m->rows[i].touched = m->rows[i].waits = false;
        }
    m->observed_ms = m->committed_ms;
    m->seq = m->committed_seq;
}

static void step_abort(model_t *m)
{
    kit_abort(&m->kit);
    roll_back(m);
}

/* ---- reading ---- */

static void same_value(const row_t *r, leat_slice_t value, int64_t time_ms, const model_t *m)
{
    assert_int_equal(value.size, r->now.size);
    assert_memory_equal(value.data, r->now.value, r->now.size);
    if (m->timestamped)
        assert_int_equal(time_ms, r->now.time_ms);
}

static void step_get(model_t *m)
{
    row_t *r = m->count ? &m->rows[draw(m, m->count)] : NULL;
    leat_slice_t value;
    int64_t time_ms = -1;
    if (!r || m->duplicates)
        return;
    bool found = m->sessions
                     ? leat__session_get(m->kit.store, keys[r->key], r->start_ms, r->end_ms, &value)
                     : leat__window_get(m->kit.store, keys[r->key], r->start_ms, &value, &time_ms);
    bool wanted = r->now.there && (!hidden(m, r) || r->waits);
    assert_int_equal(found, wanted);
    if (found)
        same_value(r, value, time_ms, m);
}

typedef struct query_t {
    int from, to; /* keys; -1: open */
    int64_t time_from_ms, time_to_ms, start_to_ms;
    bool descending;
    bool live; /* sessions that go on when they close: as long as their segment lives */
    const model_t *m;
} query_t;

static bool wanted(const query_t *q, const row_t *r)
{
    int64_t t = time_of(q->m, r);
    bool shown = q->live ? !refused(q->m, t) : !hidden(q->m, r);
    return r->now.there && shown && t >= q->time_from_ms && t <= q->time_to_ms &&
           r->start_ms <= q->start_to_ms &&
           (q->from < 0 || leat__bytes_compare(keys[r->key], keys[q->from]) >= 0) &&
           (q->to < 0 || leat__bytes_compare(keys[r->key], keys[q->to]) <= 0);
}

static const query_t *sorting;

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* The order that windows.h says. */
static int in_order(const void *a, const void *b)
{
    const row_t *x = *(row_t *const *)a, *y = *(row_t *const *)b;
    const model_t *m = sorting->m;
    bool by_time = m->memory;
    int way = by_time ? compare_numbers(time_of(m, x), time_of(m, y))
                      : compare_numbers(time_of(m, x) / SEGMENT_MS, time_of(m, y) / SEGMENT_MS);
    if (!way && x->key != y->key && (by_time || sorting->from != sorting->to || sorting->from < 0))
        way = 2 * leat__bytes_compare(keys[x->key], keys[y->key]);
    if (!way && !by_time)
        way = compare_numbers(time_of(m, x), time_of(m, y));
    if (!way && m->sessions)
        way = by_time ? compare_numbers(y->start_ms, x->start_ms)
                      : compare_numbers(x->start_ms, y->start_ms);
    if (!way)
        way = compare_numbers(x->seq, y->seq);
    return sorting->descending ? -way : way;
}

/* One key begins with another: rows of the two may be mixed, in Kafka Streams as well. */
static bool mixed_keys(const query_t *q)
{
    return q->from != q->to || q->from < 0;
}

static void check_rows(const query_t *q, leat__window_cursor_t *c)
{
    static row_t *expected[ROWS_MAX];
    const model_t *m = q->m;
    size_t count = 0, seen = 0;
    int64_t last_ms = INT64_MIN;
    leat__window_row_t row;
    for (size_t i = 0; i < m->count; i++)
        if (wanted(q, &m->rows[i]))
            expected[count++] = &m->rows[i];
    sorting = q;
    qsort(expected, count, sizeof *expected, in_order);
    while (leat__window_next(c, &row)) {
        size_t at = seen;
        for (; at < count; at++) {
            const row_t *r = expected[at];
            if (r && leat_slice_equal(&keys[r->key], &row.key) && r->start_ms == row.start_ms &&
                r->end_ms == row.end_ms && r->seq == row.seq)
                break;
        }
        if (at == count)
            fail_msg("a row too much: %lld to %lld", (long long)row.start_ms, (long long)row.end_ms);
        if (!mixed_keys(q))
            assert_int_equal(at, seen);
        same_value(expected[at], row.value, row.time_ms, m);
        row_t *found = expected[at];
        if (q->from < 0 && q->to < 0 && !q->descending && (m->memory || m->by_time))
            assert_true(time_of(m, found) >= last_ms);
        last_ms = time_of(m, found);
        memmove(&expected[seen + 1], &expected[seen], (at - seen) * sizeof *expected);
        expected[seen++] = found;
    }
    assert_int_equal(seen, count);
    leat__window_close(c);
}

static leat_slice_t key_or_open(int key)
{
    return key < 0 ? (leat_slice_t){NULL, 0} : keys[key];
}

static leat__window_cursor_t *open_query(model_t *m, query_t *q, bool all)
{
    leat_order_t order = q->descending ? LEAT_DESCENDING : LEAT_ASCENDING;
    leat__store_t *s = m->kit.store;
    leat_slice_t from = key_or_open(q->from), to = key_or_open(q->to);
    if (!m->sessions)
        return leat__window_range(s, from, to, q->time_from_ms, q->time_to_ms, order);
    if (all && !q->descending) {
        q->from = q->to = -1;
        q->live = m->by_time;
        q->start_to_ms = INT64_MAX;
        return leat__session_ended(s, q->time_from_ms, q->time_to_ms);
    }
    q->time_to_ms = INT64_MAX;
    return leat__session_find(s, from, to, q->time_from_ms, q->start_to_ms, order);
}

static void step_query(model_t *m)
{
    query_t q = {.m = m, .descending = draw(m, 3) == 0, .start_to_ms = INT64_MAX};
    uint64_t what = draw(m, 4);
    q.from = what == 0 ? -1 : (int)draw(m, KEYS);
    q.to = what == 0 ? -1 : what < 3 ? q.from : (int)draw(m, KEYS);
    if (q.from >= 0 && q.to >= 0 && leat__bytes_compare(keys[q.from], keys[q.to]) > 0)
        q.to = q.from;
    q.time_from_ms = draw(m, 5) ? draw_time(m) : INT64_MIN;
    q.time_to_ms = draw(m, 3) ? q.time_from_ms + (int64_t)draw(m, 2 * RETENTION_MS) : INT64_MAX;
    if (q.time_from_ms == INT64_MIN)
        q.time_to_ms = INT64_MAX;
    if (m->sessions && draw(m, 2))
        q.start_to_ms = draw_time(m);
    leat__window_cursor_t *c = open_query(m, &q, what == 0);
    check_rows(&q, c);
}

/* ---- the rest ---- */

static void step_crash(model_t *m)
{
    kit_reopen(&m->kit);
    roll_back(m);
    if (m->cached && m->listens)
        fail_msg("listeners are not set again");
}

static void on_forward(void *user, leat__store_t *s, const leat__change_view_t *change)
{
    model_t *m = user;
    leat_slice_t key;
    int64_t start_ms, end_ms = 0;
    bool whole = m->sessions ? leat__session_key_split(change->key, &key, &start_ms, &end_ms)
                             : leat__window_key_split(change->key, &key, &start_ms, NULL);
    int at = 0;
    (void)s;
    m->forwarded++;
    while (whole && at < KEYS && !leat_slice_equal(&keys[at], &key))
        at++;
    m->bad_forward = m->bad_forward || !whole || at == KEYS || start_ms % 250 || end_ms % 250;
    if (!m->bad_forward) {
        const row_t *r =
            find(m, at, start_ms, m->sessions ? end_ms : start_ms + SIZE_MS, 0);
        m->bad_forward = r->now.there != (change->value != NULL);
    }
}

static void step(model_t *m, bool crashes)
{
    uint64_t what = draw(m, 1000);
    if (what < 550)
        step_put(m);
    else if (what < 700)
        step_get(m);
    else if (what < 860)
        step_query(m);
    else if (what < 920)
        step_commit(m);
    else if (what < 940)
        step_abort(m);
    else if (what < 975)
        kit_checkpoint(&m->kit);
    else if (what < 990)
        leat__task_state_evict(m->kit.state, draw(m, 20000));
    else if (what < 994 && crashes)
        step_crash(m);
    assert_false(m->bad_forward);
    kit_check(&m->kit);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void run(model_t *m, const leat__store_def_t *def, bool listens)
{
    uint64_t seed = number_from("LEAT_SEED", (uint64_t)time(NULL) * 1000 + (uint64_t)getpid());
    printf("LEAT_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    kit_init(&m->kit);
    m->kit.def = *def;
    m->kit.def.name = "s";
    m->kit.def.opts = (leat_store_opts_t){.retention_ms = RETENTION_MS, .window_size_ms = SIZE_MS,
        .duplicates = m->duplicates};
    m->random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    m->sessions = def->kind == LEAT_SESSIONS;
    m->timestamped = def->kind == LEAT_TIMESTAMPED_WINDOWS;
    m->cached = def->cached;
    m->by_time = def->by_time;
    m->memory = def->backend == leat_backend_memory();
    m->listens = listens;
    m->observed_ms = m->committed_ms = -1;
    m->rows = leat__must_alloc(ROWS_MAX * sizeof *m->rows);
    kit_open(&m->kit);
    if (listens)
        leat__store_on_flush(m->kit.store, on_forward, m, draw(m, 2) == 0);
    for (uint64_t i = 0, steps = number_from("LEAT_STEPS", 2500); i < steps; i++)
        step(m, !listens);
    if (listens)
        assert_true(m->forwarded > 0);
    if (!m->cached)
        assert_int_equal(m->kit.dropped, m->refused);
    kit_release(&m->kit);
    leat__free(m->rows);
}

static void run_as(leat_store_kind_t kind, const leat_backend_t *backend, bool by_time, bool log_each,
    bool duplicates)
{
    model_t m = {.duplicates = duplicates};
    leat__store_def_t def = {.kind = kind, .backend = backend, .logged = true, .by_time = by_time,
        .log_each = log_each};
    run(&m, &def, false);
}

static void run_cached(leat_store_kind_t kind, const leat_backend_t *backend, bool listens)
{
    model_t m = {0};
    leat__store_def_t def = {.kind = kind, .backend = backend, .logged = true, .cached = true};
    run(&m, &def, listens);
}

static void test_window_rocksdb_follows_the_model(void **state)
{
    (void)state;
    run_as(LEAT_WINDOWS, leat_backend_rocksdb(), false, false, false);
    run_as(LEAT_TIMESTAMPED_WINDOWS, leat_backend_rocksdb(), false, true, false);
    run_as(LEAT_TIMESTAMPED_WINDOWS, leat_backend_rocksdb(), true, false, false);
    run_as(LEAT_WINDOWS, leat_backend_rocksdb(), false, false, true);
    run_as(LEAT_WINDOWS, leat_backend_rocksdb(), false, true, true);
}

static void test_window_memory_follows_the_model(void **state)
{
    (void)state;
    run_as(LEAT_WINDOWS, leat_backend_memory(), false, true, false);
    run_as(LEAT_TIMESTAMPED_WINDOWS, leat_backend_memory(), false, false, false);
    run_as(LEAT_WINDOWS, leat_backend_memory(), false, false, true);
}

static void test_window_sessions_follow_the_model(void **state)
{
    (void)state;
    run_as(LEAT_SESSIONS, leat_backend_rocksdb(), false, false, false);
    run_as(LEAT_SESSIONS, leat_backend_rocksdb(), true, true, false);
    run_as(LEAT_SESSIONS, leat_backend_memory(), false, false, false);
}

static void test_window_cached_follows_the_model(void **state)
{
    (void)state;
    run_cached(LEAT_TIMESTAMPED_WINDOWS, leat_backend_rocksdb(), false);
    run_cached(LEAT_TIMESTAMPED_WINDOWS, leat_backend_rocksdb(), true);
    run_cached(LEAT_WINDOWS, leat_backend_memory(), true);
    run_cached(LEAT_SESSIONS, leat_backend_rocksdb(), true);
    run_cached(LEAT_SESSIONS, leat_backend_memory(), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_rocksdb_follows_the_model),
        cmocka_unit_test(test_window_memory_follows_the_model),
        cmocka_unit_test(test_window_sessions_follow_the_model),
        cmocka_unit_test(test_window_cached_follows_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
