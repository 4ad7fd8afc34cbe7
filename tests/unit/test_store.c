/*
 * tests/unit/test_store.c: a store against a plain model, at random, over all the ways to make one.
 *
 * The model is three arrays over a small set of awkward keys: the current value, the committed one,
 * and what the listener saw last. Steps: put, delete, get, ranges, prefixes, early flushes,
 * commits, aborts, checkpoints that stay under way for many steps and may fail, evictions, crashes
 * (closed with nothing saved, reopened, replayed from the changelog). Each flush must forward and
 * log just what the model expects, in order. The seed is printed; LEAT_SEED=n repeats a run,
 * LEAT_STEPS=n makes it longer.
 */
#include "rows_backend.h"
#include "store_kit.h"

#include <time.h>

enum { KEYS = 90, KEY_BYTES_MAX = 12, CURSORS = 3 };

typedef struct version_t {
    bool there;
    uint32_t number; /* makes the value's bytes */
    size_t size;
    int64_t time_ms;
} version_t;

typedef struct model_key_t {
    char bytes[KEY_BYTES_MAX];
    size_t size;
    version_t current, committed, forwarded, forwarded_committed;
    uint64_t written; /* number of the last write since the last flush; 0: none */
} model_key_t;

typedef struct model_cursor_t {
    leat__cursor_t *c;
    size_t rows[KEYS];
    version_t versions[KEYS];
    size_t count, at;
} model_cursor_t;

typedef struct model_t {
    kit_t kit;
    model_key_t keys[KEYS];
    uint64_t random, writes;
    uint32_t numbers;
    bool listens, wants_old;
    size_t expected[KEYS], expected_count, heard; /* of the flush under way */
    leat__frozen_t *frozen;
    bool written;
    model_cursor_t cursors[CURSORS];
} model_t;

static uint64_t draw(model_t *m, uint64_t below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (m->random >> 11) % below;
}

static int by_bytes(const void *a, const void *b)
{
    const model_key_t *x = a, *y = b;
    return leat__bytes_compare(
        (leat_slice_t){x->bytes, x->size}, (leat_slice_t){y->bytes, y->size});
}

/* Few letters, so that prefixes and neighbours are common; 0x00 and 0xff are among them; "" is a
 * key. */
static void make_keys(model_t *m)
{
    static const char letters[] = {0, 'a', 'b', (char)0xff};
    for (size_t i = 0; i < KEYS;) {
        model_key_t *k = &m->keys[i];
        *k = (model_key_t){.size = i ? (size_t)draw(m, KEY_BYTES_MAX + 1) : 0};
        for (size_t n = 0; n < k->size; n++)
            k->bytes[n] = letters[draw(m, 4)];
        bool twice = false;
        for (size_t n = 0; n < i; n++)
            twice = twice || by_bytes(&m->keys[n], k) == 0;
        i += !twice;
    }
    qsort(m->keys, KEYS, sizeof *m->keys, by_bytes);
}

static leat_slice_t key_of(const model_key_t *k)
{
    return (leat_slice_t){k->bytes, k->size};
}

static leat_slice_t bytes_of(const version_t *v, char *room)
{
    for (size_t i = 0; i < v->size; i++)
        room[i] = (char)(v->number * 31 + i * 7);
    return (leat_slice_t){room, v->size};
}

static void must_be(const model_t *m, const version_t *v, leat_slice_t bytes, int64_t time_ms)
{
    char room[4096];
    leat_slice_t wanted = bytes_of(v, room);
    assert_int_equal(bytes.size, wanted.size);
    assert_memory_equal(bytes.data, wanted.data, wanted.size ? wanted.size : 0);
    assert_int_equal(time_ms, m->kit.def.kind == LEAT_TIMESTAMPED_KV ? v->time_ms : -1);
}

/* ---- reading and writing ---- */

static void step_get(model_t *m)
{
    const model_key_t *k = &m->keys[draw(m, KEYS)];
    leat_slice_t value;
    int64_t time_ms = -7;
    bool found = leat__store_get(m->kit.store, key_of(k), &value, &time_ms);
    assert_int_equal(found, k->current.there);
    if (found)
        must_be(m, &k->current, value, time_ms);
}

static void step_put(model_t *m, bool deletes)
{
    model_key_t *k = &m->keys[draw(m, KEYS)];
    char room[4096];
    static const size_t sizes[] = {0, 8, 8, 8, 16, 40, 200, 3000};
    version_t v = {!deletes, ++m->numbers, deletes ? 0 : sizes[draw(m, 8)], (int64_t)draw(m, 1000)};
    leat_slice_t bytes = bytes_of(&v, room);
    size_t logged = m->kit.count;
    leat__store_put(m->kit.store, key_of(k), deletes ? NULL : &bytes, v.time_ms, NULL);
    k->current = v;
    k->written = ++m->writes;
    if (m->kit.def.log_each) {
        assert_int_equal(m->kit.count, logged + 1);
        k->written = 0;
    } else {
        assert_int_equal(m->kit.count, logged);
    }
}

/* A value may be a piece of what the store itself returned. */
static void step_put_own_bytes(model_t *m)
{
    model_key_t *k = &m->keys[draw(m, KEYS)];
    leat_slice_t value;
    if (!leat__store_get(m->kit.store, key_of(k), &value, NULL))
        return;
    leat__store_put(m->kit.store, key_of(k), &value, 5, NULL);
    k->current.time_ms = 5;
    k->written = m->kit.def.log_each ? 0 : ++m->writes;
}

static void expect_cursor(model_t *m, model_cursor_t *c, size_t steps)
{
    leat_slice_t key, value;
    int64_t time_ms;
    for (; steps > 0 && c->c; steps--) {
        bool more = leat__cursor_next(c->c, &key, &value, &time_ms);
        assert_int_equal(more, c->at < c->count);
        if (!more) {
            leat__cursor_close(c->c);
            c->c = NULL;
            return;
        }
        leat_slice_t wanted = key_of(&m->keys[c->rows[c->at]]);
        assert_int_equal(leat__bytes_compare(key, wanted), 0);
        must_be(m, &c->versions[c->at++], value, time_ms);
    }
}

/* Opened now, read to its end in later steps: whatever happens meanwhile, it shows the store of
 * now. */
static void step_cursor(model_t *m)
{
    model_cursor_t *c = &m->cursors[draw(m, CURSORS)];
    if (c->c) {
        expect_cursor(m, c, draw(m, 40));
        return;
    }
    leat_order_t order = draw(m, 2) ? LEAT_ASCENDING : LEAT_DESCENDING;
    const model_key_t *from = draw(m, 4) ? &m->keys[draw(m, KEYS)] : NULL;
    const model_key_t *to = draw(m, 4) ? &m->keys[draw(m, KEYS)] : NULL;
    bool prefix = draw(m, 3) == 0;
    leat_slice_t start = {NULL, 0}, none = {NULL, 0};
    if (prefix) {
        start = from ? key_of(from) : leat_slice("");
        start.size = draw(m, start.size + 1);
    }
    c->count = c->at = 0;
    for (size_t n = 0; n < KEYS; n++) {
        size_t i = order == LEAT_ASCENDING ? n : KEYS - 1 - n;
        leat_slice_t key = key_of(&m->keys[i]);
        bool in = prefix ? key.size >= start.size &&
                               (!start.size || memcmp(key.data, start.data, start.size) == 0)
                         : (!from || leat__bytes_compare(key, key_of(from)) >= 0) &&
                               (!to || leat__bytes_compare(key, key_of(to)) <= 0);
        if (!in || !m->keys[i].current.there)
            continue;
        c->versions[c->count] = m->keys[i].current;
        c->rows[c->count++] = i;
    }
    c->c = prefix ? leat__store_prefix(m->kit.store, start, order)
                  : leat__store_range(m->kit.store, from ? key_of(from) : none,
                        to ? key_of(to) : none, order);
    expect_cursor(m, c, draw(m, 20));
}

static void close_cursors(model_t *m)
{
    for (size_t i = 0; i < CURSORS; i++)
        expect_cursor(m, &m->cursors[i], SIZE_MAX);
}

/* ---- flush, commit, abort ---- */

static int by_write(const void *a, const void *b, void *user)
{
    const size_t *x = a, *y = b;
    const model_t *m = user;
    uint64_t v = m->keys[*x].written, w = m->keys[*y].written;
    return (v > w) - (v < w);
}

static void heard(void *user, leat__store_t *s, const leat__change_view_t *change)
{
    model_t *m = user;
    assert_true(m->heard < m->expected_count);
    model_key_t *k = &m->keys[m->expected[m->heard++]];
    assert_ptr_equal(s, m->kit.store);
    assert_int_equal(leat__bytes_compare(change->key, key_of(k)), 0);
    assert_int_equal(change->value != NULL, k->current.there);
    bool timed = m->kit.def.kind == LEAT_TIMESTAMPED_KV;
    char room[4096];
    if (change->value) {
        leat_slice_t wanted = bytes_of(&k->current, room);
        assert_true(leat_slice_equal(change->value, &wanted));
    }
    assert_int_equal(change->time_ms, k->current.time_ms);
    assert_int_equal(change->old_value != NULL, m->wants_old && k->forwarded.there);
    if (change->old_value) {
        leat_slice_t wanted = bytes_of(&k->forwarded, room);
        assert_true(leat_slice_equal(change->old_value, &wanted));
        assert_int_equal(change->old_time_ms, timed ? k->forwarded.time_ms : -1);
    }
}

static void expect_logged(model_t *m, size_t first)
{
    if (m->kit.def.log_each || !m->kit.def.logged || m->kit.def.source_logged) {
        assert_int_equal(m->kit.count, first);
        return;
    }
    assert_int_equal(m->kit.count, first + m->expected_count);
    for (size_t i = 0; i < m->expected_count; i++) {
        const model_key_t *k = &m->keys[m->expected[i]];
        const kit_record_t *r = &m->kit.log[first + i];
        char room[4096];
        leat_slice_t wanted = bytes_of(&k->current, room), value = {r->value, r->size};
        assert_int_equal(
            leat__bytes_compare((leat_slice_t){r->key, r->key_size}, key_of(k)), 0);
        assert_int_equal(r->value != NULL, k->current.there);
        assert_int_equal(r->time_ms, k->current.time_ms);
        if (r->value)
            assert_true(leat_slice_equal(&value, &wanted));
    }
}

static void step_flush(model_t *m)
{
    size_t first = m->kit.count;
    m->expected_count = m->heard = 0;
    for (size_t i = 0; i < KEYS; i++) {
        const model_key_t *k = &m->keys[i];
        if (k->written && !(m->listens && !k->current.there && !k->forwarded.there))
            m->expected[m->expected_count++] = i;
    }
    qsort_r(m->expected, m->expected_count, sizeof *m->expected, by_write, m);
    leat__store_flush(m->kit.store);
    assert_int_equal(m->heard, m->listens ? m->expected_count : 0);
    expect_logged(m, first);
    for (size_t i = 0; i < KEYS; i++) {
        m->keys[i].written = 0;
        m->keys[i].forwarded = m->keys[i].current;
    }
}

static void step_commit(model_t *m)
{
    step_flush(m);
    kit_commit(&m->kit);
    assert_false(leat__store_dirty(m->kit.store));
    for (size_t i = 0; i < KEYS; i++) {
        m->keys[i].committed = m->keys[i].current;
        m->keys[i].forwarded_committed = m->keys[i].forwarded;
    }
}

static void back_to_committed(model_t *m)
{
    for (size_t i = 0; i < KEYS; i++) {
        model_key_t *k = &m->keys[i];
        k->current = k->committed;
        k->forwarded = k->forwarded_committed;
        k->written = 0;
    }
}

static void step_abort(model_t *m)
{
    kit_abort(&m->kit);
    assert_false(leat__store_dirty(m->kit.store));
    back_to_committed(m);
}

/* ---- checkpoints and crashes ---- */

static void step_checkpoint(model_t *m)
{
    leat_error_t err;
    if (!m->frozen) {
        m->frozen = leat__checkpoint_begin(m->kit.state, ++m->kit.opts.wall_ms);
        m->written = false;
    } else if (!m->written && draw(m, 8)) {
        assert_int_equal(leat__checkpoint_write(m->frozen, &err), LEAT_OK);
        m->written = true;
    } else {
        leat__checkpoint_end(m->frozen, m->written);
        m->frozen = NULL;
    }
}

static void listen(model_t *m)
{
    if (m->listens)
        leat__store_on_flush(m->kit.store, heard, m, m->wants_old);
}

static void step_crash(model_t *m)
{
    close_cursors(m);
    if (m->frozen && draw(m, 2)) {
        leat__checkpoint_end(m->frozen, m->written);
        m->frozen = NULL;
    }
    kit_reopen(&m->kit);
    listen(m);
    back_to_committed(m);
    if (m->frozen) /* a late answer of the checkpointer, after the store was closed */
        leat__checkpoint_end(m->frozen, m->written);
    m->frozen = NULL;
    m->written = false;
}

static void expect_all(model_t *m)
{
    uint64_t there = 0;
    for (size_t i = 0; i < KEYS; i++) {
        const model_key_t *k = &m->keys[i];
        leat_slice_t value;
        int64_t time_ms;
        bool found = leat__store_get(m->kit.store, key_of(k), &value, &time_ms);
        assert_int_equal(found, k->current.there);
        if (found)
            must_be(m, &k->current, value, time_ms);
        there += found;
    }
    if (m->kit.def.backend == leat_backend_memory())
        assert_int_equal(leat__store_count(m->kit.store), there);
}

static void step(model_t *m, bool crashes)
{
    uint64_t what = draw(m, 1000);
    if (what < 300)
        step_get(m);
    else if (what < 600)
        step_put(m, false);
    else if (what < 700)
        step_put(m, true);
    else if (what < 730)
        step_put_own_bytes(m);
    else if (what < 800)
        step_cursor(m);
    else if (what < 850)
        step_flush(m);
    else if (what < 890)
        step_commit(m);
    else if (what < 910)
        step_abort(m);
    else if (what < 960)
        step_checkpoint(m);
    else if (what < 985)
        leat__task_state_evict(m->kit.state, draw(m, 20000));
    else if (what < 990 && crashes)
        step_crash(m);
    else
        expect_all(m);
    kit_check(&m->kit);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void run(model_t *m, bool crashes)
{
    uint64_t seed = number_from("LEAT_SEED", (uint64_t)time(NULL) * 1000 + (uint64_t)getpid());
    uint64_t steps = number_from("LEAT_STEPS", 4000);
    printf("LEAT_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    m->random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    make_keys(m);
    kit_open(&m->kit);
    listen(m);
    for (uint64_t i = 0; i < steps; i++)
        step(m, crashes);
    close_cursors(m);
    step_commit(m);
    expect_all(m);
    if (crashes)
        step_crash(m);
    expect_all(m);
    if (m->frozen)
        leat__checkpoint_end(m->frozen, m->written);
    kit_release(&m->kit);
}

/* ---- all the ways ---- */

static void run_as(const leat_backend_t *backend, leat_store_kind_t kind, bool cached, bool listens,
    bool wants_old, bool log_each)
{
    static model_t m;
    m = (model_t){.listens = listens, .wants_old = wants_old};
    kit_init(&m.kit);
    m.kit.def.backend = backend;
    m.kit.def.kind = kind;
    m.kit.def.cached = cached;
    m.kit.def.log_each = log_each;
    run(&m, true);
    rows_forget(&surviving);
}

static void test_store_memory_uncached_follows_the_model(void **state)
{
    (void)state;
    run_as(leat_backend_memory(), LEAT_KV, false, false, false, false);
    run_as(leat_backend_memory(), LEAT_TIMESTAMPED_KV, false, false, false, true);
}

static void test_store_memory_cached_follows_the_model(void **state)
{
    (void)state;
    run_as(leat_backend_memory(), LEAT_KV, true, false, false, false);
    run_as(leat_backend_memory(), LEAT_KV, true, true, false, false);
    run_as(leat_backend_memory(), LEAT_TIMESTAMPED_KV, true, true, true, false);
}

static void test_store_rocksdb_uncached_follows_the_model(void **state)
{
    (void)state;
    run_as(leat_backend_rocksdb(), LEAT_KV, false, false, false, false);
    run_as(leat_backend_rocksdb(), LEAT_TIMESTAMPED_KV, false, false, false, false);
    run_as(leat_backend_rocksdb(), LEAT_TIMESTAMPED_KV, false, false, false, true);
}

static void test_store_rocksdb_cached_follows_the_model(void **state)
{
    (void)state;
    run_as(leat_backend_rocksdb(), LEAT_KV, true, false, false, false);
    run_as(leat_backend_rocksdb(), LEAT_KV, true, true, true, false);
    run_as(leat_backend_rocksdb(), LEAT_TIMESTAMPED_KV, true, true, false, false);
    run_as(leat_backend_rocksdb(), LEAT_TIMESTAMPED_KV, true, true, true, false);
}

static void test_store_own_backend_follows_the_model(void **state)
{
    (void)state;
    run_as(&kept_backend, LEAT_TIMESTAMPED_KV, false, false, false, false);
    run_as(&kept_backend, LEAT_KV, true, true, true, false);
    run_as(&passing_backend, LEAT_KV, false, false, false, false);
    run_as(&passing_backend, LEAT_TIMESTAMPED_KV, true, true, true, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_memory_uncached_follows_the_model),
        cmocka_unit_test(test_store_memory_cached_follows_the_model),
        cmocka_unit_test(test_store_rocksdb_uncached_follows_the_model),
        cmocka_unit_test(test_store_rocksdb_cached_follows_the_model),
        cmocka_unit_test(test_store_own_backend_follows_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
