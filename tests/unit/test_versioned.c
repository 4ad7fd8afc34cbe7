/*
 * tests/unit/test_versioned.c: versioned stores against a plain list of all versions ever put, under random
 * puts, deletes, reads, commits, aborts, checkpoints, evictions and restarts.
 *
 * Kafka Streams' rules: a version older than the store's time - history is refused; the latest version of
 * a key is always seen, older ones as long as the history goes back. LEAT_SEED repeats a run.
 */
#include "store_kit.h"

#include "statestore/windows.h"

#include <time.h>

enum { HISTORY_MS = 60000, SEGMENT_MS = HISTORY_MS / 3, VERSIONS_MAX = 6000 };

typedef struct version_t {
    int key;
    int64_t from_ms;
    bool there; /* false: deleted from then on */
    char value[24];
    size_t size;
} version_t;

typedef struct model_t {
    kit_t kit;
    uint64_t random;
    version_t *now, *committed;
    size_t count, committed_count;
    int64_t clock_ms, observed_ms, committed_ms;
    size_t refused;
} model_t;

static const leat_slice_t keys[] = {{"a", 1}, {"ab", 2}, {"a\0\0\0\0\0\0\0\1", 9}, {"", 0}};
enum { KEYS = sizeof keys / sizeof *keys };

static uint64_t draw(model_t *m, uint64_t below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (m->random >> 11) % below;
}

/* ---- the model ---- */

static version_t *find(model_t *m, int key, int64_t from_ms)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->now[i].key == key && m->now[i].from_ms == from_ms)
            return &m->now[i];
    return NULL;
}

/* The newest version of a key up to a time; NULL: none. */
static const version_t *newest(const model_t *m, int key, int64_t until_ms)
{
    const version_t *best = NULL;
    for (size_t i = 0; i < m->count; i++) {
        const version_t *v = &m->now[i];
        if (v->key == key && v->from_ms <= until_ms && (!best || v->from_ms > best->from_ms))
            best = v;
    }
    return best;
}

static int64_t valid_to(const model_t *m, int key, int64_t from_ms)
{
    int64_t to_ms = INT64_MAX;
    for (size_t i = 0; i < m->count; i++)
        if (m->now[i].key == key && m->now[i].from_ms > from_ms && m->now[i].from_ms < to_ms)
            to_ms = m->now[i].from_ms;
    return to_ms;
}

static const version_t *as_of(const model_t *m, int key, int64_t time_ms)
{
    const version_t *latest = newest(m, key, INT64_MAX), *v = newest(m, key, time_ms);
    if (!v || !v->there)
        return NULL;
    return v == latest || time_ms >= m->observed_ms - HISTORY_MS ? v : NULL;
}

static int64_t put(model_t *m, int key, const leat_slice_t *value, int64_t time_ms)
{
    if (time_ms < m->observed_ms - HISTORY_MS) {
        m->refused++;
        return LEAT__VERSION_REFUSED;
    }
    if (time_ms > m->observed_ms)
        m->observed_ms = time_ms;
    version_t *v = find(m, key, time_ms);
    if (!v) {
        assert_true(m->count < VERSIONS_MAX);
        v = &m->now[m->count++];
    }
    *v = (version_t){.key = key, .from_ms = time_ms, .there = value != NULL};
    if (value) {
        v->size = value->size;
        memcpy(v->value, value->data, value->size);
    }
    return valid_to(m, key, time_ms);
}

/* ---- steps ---- */

static int64_t draw_time(model_t *m)
{
    m->clock_ms += (int64_t)draw(m, 600);
    if (draw(m, 500) == 0)
        m->clock_ms += (int64_t)draw(m, 3 * HISTORY_MS);
    int64_t back = draw(m, 3) ? 0 : draw(m, 4) ? (int64_t)draw(m, 5000) : (int64_t)draw(m, 80000);
    int64_t t = m->clock_ms - back;
    return (t < 0 ? 0 : t) / 250 * 250;
}

static void step_put(model_t *m)
{
    char text[24];
    int key = (int)draw(m, KEYS);
    int64_t time_ms = draw_time(m);
    snprintf(text, sizeof text, "%llu", (unsigned long long)draw(m, 1000000000));
    text[draw(m, 10)] = 0;
    leat_slice_t value = leat_slice(text);
    const leat_slice_t *v = draw(m, 4) ? &value : NULL;
    int64_t wanted = put(m, key, v, time_ms);
    assert_int_equal(leat__versioned_put(m->kit.store, keys[key], v, time_ms, NULL), wanted);
}

static void same(const model_t *m, const version_t *v, bool found, const leat__window_row_t *row)
{
    assert_int_equal(found, v != NULL);
    if (!v)
        return;
    assert_int_equal(row->time_ms, v->from_ms);
    assert_int_equal(row->start_ms, v->from_ms);
    assert_int_equal(row->end_ms, valid_to(m, v->key, v->from_ms));
    assert_int_equal(row->value.size, v->size);
    assert_memory_equal(row->value.data, v->value, v->size);
}

static void step_get(model_t *m)
{
    leat__window_row_t row;
    int key = (int)draw(m, KEYS);
    if (draw(m, 3) == 0) {
        const version_t *latest = newest(m, key, INT64_MAX);
        bool found = leat__versioned_get(m->kit.store, keys[key], &row);
        same(m, latest && latest->there ? latest : NULL, found, &row);
        return;
    }
    int64_t time_ms = draw_time(m) - (draw(m, 3) ? 0 : (int64_t)draw(m, 2 * HISTORY_MS));
    bool found = leat__versioned_as_of(m->kit.store, keys[key], time_ms, &row);
    same(m, as_of(m, key, time_ms), found, &row);
}

/* Older versions as long as the segment lives that they end in. */
static bool in_history(const model_t *m, const version_t *v, int key, int64_t from_ms, int64_t to_ms)
{
    int64_t end_ms = valid_to(m, v->key, v->from_ms), gone_ms = m->observed_ms - HISTORY_MS;
    bool lives = gone_ms < 0 || end_ms >= gone_ms / SEGMENT_MS * SEGMENT_MS;
    return v->key == key && v->there && v->from_ms <= to_ms && end_ms > from_ms &&
           (end_ms == INT64_MAX || (lives && to_ms >= gone_ms));
}

static void step_history(model_t *m)
{
    int key = (int)draw(m, KEYS);
    int64_t from_ms = draw(m, 3) ? draw_time(m) - (int64_t)draw(m, HISTORY_MS) : INT64_MIN;
    int64_t to_ms = draw(m, 3) ? draw_time(m) : INT64_MAX;
    bool descending = draw(m, 2) == 0;
    size_t wanted = 0, seen = 0;
    int64_t last_ms = 0;
    leat__window_row_t row;
    for (size_t i = 0; i < m->count; i++)
        wanted += in_history(m, &m->now[i], key, from_ms, to_ms);
    leat__window_cursor_t *c = leat__versioned_history(
        m->kit.store, keys[key], from_ms, to_ms, descending ? LEAT_DESCENDING : LEAT_ASCENDING);
    for (; leat__window_next(c, &row); seen++) {
        const version_t *v = find(m, key, row.start_ms);
        if (!v || !in_history(m, v, key, from_ms, to_ms))
            fail_msg("a version too much: %lld to %lld%s, asked %lld to %lld at %lld", (long long)row.start_ms,
                (long long)row.end_ms, v ? "" : " (unknown)", (long long)from_ms, (long long)to_ms,
                (long long)m->observed_ms);
        same(m, v, true, &row);
        if (seen)
            assert_true(descending ? row.start_ms < last_ms : row.start_ms > last_ms);
        last_ms = row.start_ms;
    }
    leat__window_close(c);
    assert_int_equal(seen, wanted);
}

static void step_all(model_t *m)
{
    leat__window_row_t row;
    size_t seen = 0, wanted = 0;
    for (int key = 0; key < KEYS; key++) {
        const version_t *latest = newest(m, key, INT64_MAX);
        wanted += latest && latest->there;
    }
    leat__window_cursor_t *c = leat__versioned_all(m->kit.store);
    for (; leat__window_next(c, &row); seen++) {
        int key = 0;
        while (key < KEYS && !leat_slice_equal(&keys[key], &row.key))
            key++;
        assert_true(key < KEYS);
        same(m, newest(m, key, INT64_MAX), true, &row);
    }
    leat__window_close(c);
    assert_int_equal(seen, wanted);
}

static void roll_back(model_t *m)
{
    memcpy(m->now, m->committed, m->committed_count * sizeof *m->now);
    m->count = m->committed_count;
    m->observed_ms = m->committed_ms;
}

static void step_commit(model_t *m)
{
    kit_commit(&m->kit);
    memcpy(m->committed, m->now, m->count * sizeof *m->now);
    m->committed_count = m->count;
    m->committed_ms = m->observed_ms;
}

static void step(model_t *m)
{
    uint64_t what = draw(m, 1000);
    if (what < 450) {
        step_put(m);
    } else if (what < 700) {
        step_get(m);
    } else if (what < 840) {
        step_history(m);
    } else if (what < 860) {
        step_all(m);
    } else if (what < 920) {
        step_commit(m);
    } else if (what < 945) {
        kit_abort(&m->kit);
        roll_back(m);
    } else if (what < 975) {
        kit_checkpoint(&m->kit);
    } else if (what < 992) {
        leat__task_state_evict(m->kit.state, draw(m, 20000));
    } else {
        kit_reopen(&m->kit);
        roll_back(m);
    }
    kit_check(&m->kit);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void run_as(const leat_backend_t *backend, bool log_each)
{
    model_t m = {.observed_ms = -1, .committed_ms = -1};
    uint64_t seed = number_from("LEAT_SEED", (uint64_t)time(NULL) * 1000 + (uint64_t)getpid());
    printf("LEAT_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    kit_init(&m.kit);
    m.kit.def.kind = LEAT_VERSIONS;
    m.kit.def.backend = backend;
    m.kit.def.log_each = log_each;
    m.kit.def.opts.history_ms = HISTORY_MS;
    m.random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    m.now = leat__must_alloc(VERSIONS_MAX * sizeof *m.now);
    m.committed = leat__must_alloc(VERSIONS_MAX * sizeof *m.committed);
    kit_open(&m.kit);
    for (uint64_t i = 0, steps = number_from("LEAT_STEPS", 3000); i < steps; i++)
        step(&m);
    assert_int_equal(m.kit.dropped >= m.refused, true);
    kit_release(&m.kit);
    leat__free(m.now);
    leat__free(m.committed);
}

static void test_versioned_rocksdb_follows_the_model(void **state)
{
    (void)state;
    run_as(leat_backend_rocksdb(), false);
    run_as(leat_backend_rocksdb(), true);
}

static void test_versioned_memory_follows_the_model(void **state)
{
    (void)state;
    run_as(leat_backend_memory(), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versioned_rocksdb_follows_the_model),
        cmocka_unit_test(test_versioned_memory_follows_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
