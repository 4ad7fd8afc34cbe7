/*
 * tests/unit/test_runs.c: one key with thousands of windows, which come in any order and leave the
 * table at random, against a plain array. LEAT_SEED repeats a run.
 *
 * test_window.c has many keys with few windows each; here the sorted pieces of a run are split,
 * emptied and joined again.
 */
#include "store_kit.h"

#include "statestore/windows.h"

#include <time.h>

enum { TIMES = 6000, ROUNDS = 60 };

typedef struct model_t {
    kit_t kit;
    uint64_t random;
    uint32_t values[TIMES]; /* 0: none */
} model_t;

static uint64_t draw(model_t *m, uint64_t below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (m->random >> 11) % below;
}

static void put_one(model_t *m, uint64_t at, bool there)
{
    m->values[at] = there ? (uint32_t)draw(m, UINT32_MAX) + 1 : 0;
    leat_slice_t value = {(const char *)&m->values[at], sizeof m->values[at]};
    leat__window_put(
        m->kit.store, leat_slice("k"), there ? &value : NULL, (int64_t)at, 1, NULL);
}

/* In order, as most come; or anywhere. */
static void put_some(model_t *m)
{
    uint64_t count = draw(m, 300), at = draw(m, TIMES);
    bool in_order = draw(m, 2) == 0;
    for (uint64_t i = 0; i < count; i++)
        put_one(m, in_order ? (at + i) % TIMES : draw(m, TIMES), draw(m, 4) > 0);
}

static void check_range(model_t *m)
{
    uint64_t from = draw(m, TIMES), to = from + draw(m, TIMES);
    bool descending = draw(m, 2) == 0;
    leat__window_row_t row;
    size_t seen = 0, expected = 0;
    int64_t last = -1;
    leat__window_cursor_t *c = leat__window_fetch(m->kit.store, leat_slice("k"), (int64_t)from,
        (int64_t)to, descending ? LEAT_DESCENDING : LEAT_ASCENDING);
    for (; leat__window_next(c, &row); seen++) {
        assert_true(row.start_ms >= (int64_t)from && row.start_ms <= (int64_t)to);
        assert_true(last < 0 || (descending ? row.start_ms < last : row.start_ms > last));
        assert_memory_equal(row.value.data, &m->values[row.start_ms], sizeof m->values[0]);
        last = row.start_ms;
    }
    leat__window_close(c);
    for (uint64_t i = from; i <= to && i < TIMES; i++)
        expected += m->values[i] != 0;
    assert_int_equal(seen, expected);
}

static void run(const leat_backend_t *backend)
{
    static model_t m;
    const char *text = getenv("LEAT_SEED");
    uint64_t seed =
        text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL) * 1000 + (uint64_t)getpid();
    printf("LEAT_SEED=%llu\n", (unsigned long long)seed);
    m = (model_t){.random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1};
    kit_init(&m.kit);
    m.kit.def.kind = LEAT_WINDOWS;
    m.kit.def.backend = backend;
    m.kit.def.opts = (leat_store_opts_t){.retention_ms = 10 * TIMES, .window_size_ms = 1};
    kit_open(&m.kit);
    for (int i = 0; i < ROUNDS; i++) {
        put_some(&m);
        check_range(&m);
        kit_commit(&m.kit);
        if (draw(&m, 2))
            kit_checkpoint(&m.kit);
        leat__task_state_evict(m.kit.state, draw(&m, 200000));
        leat__store_check(m.kit.store);
        check_range(&m);
    }
    kit_release(&m.kit);
}

static void test_run_of_many_windows_follows_the_model(void **state)
{
    (void)state;
    run(leat_backend_rocksdb());
}

static void test_run_in_memory_follows_the_model(void **state)
{
    (void)state;
    run(leat_backend_memory());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_of_many_windows_follows_the_model),
        cmocka_unit_test(test_run_in_memory_follows_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
