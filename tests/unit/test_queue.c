/*
 * tests/unit/test_queue.c: rows in order of time (queue.h), and lists as values (value_list.h), against
 * plain arrays under random puts, pops, appends, commits, aborts, checkpoints, evictions and restarts,
 * on RocksDB and in memory. LEAT_SEED repeats a run.
 */
#include "store_kit.h"

#include "statestore/queue.h"
#include "statestore/value_list.h"

#include <time.h>

enum { KEYS = 40, STEPS = 4000, ITEMS_MAX = 64 };

typedef struct waits_t {
    bool there;
    int64_t time_ms;
    uint32_t number;
} waits_t;

typedef struct list_t {
    size_t count;
    uint32_t items[ITEMS_MAX];
} list_t;

typedef struct model_t {
    kit_t kit;
    uint64_t random;
    leat__queue_t *queue;
    waits_t now[KEYS], committed[KEYS];
    list_t lists[KEYS], committed_lists[KEYS];
} model_t;

static uint64_t draw(model_t *m, uint64_t below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (m->random >> 11) % below;
}

static leat_slice_t key_at(int i, char room[8])
{
    return (leat_slice_t){room, (size_t)snprintf(room, 8, "%c%d", 'a' + i % 3, i)};
}

/* {time 8}{number 4}, and some bytes more. */
static leat_slice_t value_of(int64_t time_ms, uint32_t number, char room[64])
{
    memset(room, 'x', 64);
    memcpy(room, &time_ms, 8);
    memcpy(room + 8, &number, 4);
    return (leat_slice_t){room, 12 + number % 50};
}

static void read_row(leat_slice_t key, leat_slice_t value, int64_t *time_ms, size_t *bytes)
{
    memcpy(time_ms, value.data, 8);
    *bytes = key.size + value.size;
}

static void open_queue(model_t *m)
{
    leat__queue_free(m->queue);
    m->queue = leat__queue_new(m->kit.store, read_row);
}

static int first_of(const model_t *m)
{
    char a[8], b[8];
    int first = -1;
    for (int i = 0; i < KEYS; i++)
        if (m->now[i].there &&
            (first < 0 || m->now[i].time_ms < m->now[first].time_ms ||
                (m->now[i].time_ms == m->now[first].time_ms &&
                    leat__bytes_compare(key_at(i, a), key_at(first, b)) < 0)))
            first = i;
    return first;
}

static void check_queue(model_t *m)
{
    char room[8], bytes[64];
    size_t count = 0, sum = 0;
    leat_slice_t key, value, wanted;
    int64_t time_ms;
    for (int i = 0; i < KEYS; i++)
        if (m->now[i].there) {
            count++;
            sum += key_at(i, room).size +
                   value_of(m->now[i].time_ms, m->now[i].number, bytes).size;
        }
    assert_int_equal(leat__queue_count(m->queue), count);
    assert_int_equal(leat__queue_bytes(m->queue), sum);
    int first = first_of(m);
    assert_int_equal(leat__queue_first(m->queue, &time_ms, &key, &value), first >= 0);
    if (first >= 0) {
        wanted = key_at(first, room);
        assert_true(leat_slice_equal(&key, &wanted));
        wanted = value_of(m->now[first].time_ms, m->now[first].number, bytes);
        assert_true(leat_slice_equal(&value, &wanted));
        assert_int_equal(time_ms, m->now[first].time_ms);
    }
    int any = (int)draw(m, KEYS);
    assert_int_equal(leat__queue_find(m->queue, key_at(any, room), &value), m->now[any].there);
}

static void step_queue(model_t *m)
{
    char room[8], bytes[64];
    int i = (int)draw(m, KEYS), first = first_of(m);
    if (first >= 0 && draw(m, 5) < 2) {
        leat__queue_pop(m->queue, m->now[first].time_ms);
        m->now[first].there = false;
        return;
    }
    if (!m->now[i].there)
        m->now[i] = (waits_t){true, (int64_t)draw(m, 30), 0};
    m->now[i].number = (uint32_t)draw(m, 1000000);
    leat__queue_put(m->queue, key_at(i, room),
        value_of(m->now[i].time_ms, m->now[i].number, bytes), m->now[i].time_ms, NULL);
}

static void check_list(model_t *m, int i)
{
    char room[8];
    leat_slice_t list = {NULL, 0}, item;
    size_t at = 0, count = 0;
    bool found = leat__store_get(m->kit.store, key_at(i, room), &list, NULL);
    assert_int_equal(found, m->lists[i].count > 0);
    while (found && leat__value_list_next(list, &at, &item)) {
        assert_true(count < m->lists[i].count);
        assert_int_equal(item.size, 4 + m->lists[i].items[count] % 5);
        assert_memory_equal(item.data, &m->lists[i].items[count], 4);
        count++;
    }
    assert_int_equal(count, m->lists[i].count);
}

static void step_list(model_t *m)
{
    char room[8], bytes[16] = "";
    int i = (int)draw(m, KEYS);
    list_t *list = &m->lists[i];
    uint32_t item = (uint32_t)draw(m, UINT32_MAX);
    if (list->count == ITEMS_MAX || (list->count && draw(m, 8) == 0)) {
        leat__store_put(m->kit.store, key_at(i, room), NULL, 1, NULL);
        list->count = 0;
    } else {
        memcpy(bytes, &item, 4);
        leat__value_list_append(
            m->kit.store, key_at(i, room), (leat_slice_t){bytes, 4 + item % 5}, 1, NULL);
        list->items[list->count++] = item;
    }
    check_list(m, i);
    check_list(m, (int)draw(m, KEYS));
}

static void back(model_t *m)
{
    memcpy(m->now, m->committed, sizeof m->now);
    memcpy(m->lists, m->committed_lists, sizeof m->lists);
}

static void step(model_t *m, bool lists)
{
    uint64_t what = draw(m, 100);
    if (what < 70) {
        if (lists)
            step_list(m);
        else
            step_queue(m);
    } else if (what < 85) {
        kit_commit(&m->kit);
        memcpy(m->committed, m->now, sizeof m->now);
        memcpy(m->committed_lists, m->lists, sizeof m->lists);
    } else if (what < 90) {
        kit_abort(&m->kit);
        back(m);
        if (!lists)
            open_queue(m); /* as runtime does after an abort */
    } else if (what < 95) {
        kit_checkpoint(&m->kit);
    } else if (what < 98) {
        leat__task_state_evict(m->kit.state, draw(m, 20000));
    } else {
        leat__queue_free(m->queue);
        m->queue = NULL;
        kit_reopen(&m->kit);
        back(m);
        if (!lists)
            open_queue(m);
    }
    if (!lists)
        check_queue(m);
    kit_check(&m->kit);
}

static void run(bool lists, const leat_backend_t *backend)
{
    static model_t m;
    const char *seed = getenv("LEAT_SEED");
    m = (model_t){.random = seed ? strtoull(seed, NULL, 10)
                                 : (uint64_t)time(NULL) * 1000 + (uint64_t)getpid()};
    printf("LEAT_SEED=%llu\n", (unsigned long long)m.random);
    fflush(stdout);
    kit_init(&m.kit);
    m.kit.def.backend = backend;
    kit_open(&m.kit);
    if (!lists)
        open_queue(&m);
    for (int i = 0; i < STEPS; i++)
        step(&m, lists);
    leat__queue_free(m.queue);
    kit_release(&m.kit);
}

static void test_queue_follows_the_model(void **state)
{
    (void)state;
    run(false, leat_backend_rocksdb());
    run(false, leat_backend_memory());
}

static void test_value_list_follows_the_model(void **state)
{
    (void)state;
    run(true, leat_backend_rocksdb());
    run(true, leat_backend_memory());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_follows_the_model),
        cmocka_unit_test(test_value_list_follows_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
