/*
 * tests/unit/test_ask.c: an answer that is left after some rows and gone on with by another one,
 * from its mark, has the rows of one that was read to its end; every kind of store, on RocksDB and
 * in memory, both ways. And pages of rows from elsewhere: cut and changed bytes do no harm.
 */
#include "store_kit.h"

#include "statestore/ask.h"
#include "statestore/windows.h"

enum { KEYS = 25, TIMES = 6, STEP_MS = 30000, RETENTION_MS = 1000000, MANY = 100000 };

static leat_slice_t key_at(int i, char room[8])
{
    return (leat_slice_t){room, (size_t)snprintf(room, 8, "%c%d", 'a' + i % 3, i)};
}

static void put_row(kit_t *kit, leat_slice_t key, int64_t at_ms, int number)
{
    char text[16];
    leat_slice_t value = {text, (size_t)snprintf(text, sizeof text, "v%d", number)};

    switch (kit->def.kind) {
    case LEAT_WINDOWS:
        leat__window_put(kit->store, key, &value, at_ms, at_ms, NULL);
        break;
    case LEAT_SESSIONS:
        leat__session_put(kit->store, key, &value, at_ms, at_ms + 10, at_ms, NULL);
        break;
    case LEAT_VERSIONS:
        leat__versioned_put(kit->store, key, &value, at_ms, NULL);
        break;
    default:
        leat__store_put(kit->store, key, &value, at_ms, NULL);
        break;
    }
}

static void open_kind(kit_t *kit, leat_store_kind_t kind, bool memory, bool duplicates)
{
    char room[8];

    kit_init(kit);
    kit->def.kind = kind;
    kit->def.opts = (leat_store_opts_t){.duplicates = duplicates};
    if (kind == LEAT_VERSIONS)
        kit->def.opts.history_ms = RETENTION_MS;
    else if (kind != LEAT_KV)
        kit->def.opts.retention_ms = RETENTION_MS;
    if (kind == LEAT_WINDOWS)
        kit->def.opts.window_size_ms = 500;
    if (memory)
        kit->def.backend = leat_backend_memory();
    kit_open(kit);
    for (int t = 0, number = 0; t < TIMES; t++)
        for (int i = 0; i < KEYS; i++)
            put_row(kit, key_at(i, room), t * STEP_MS, number++);
    kit_commit(kit);
}

static size_t take(leat__answer_t *a, size_t bytes, leat__buf_t *all, leat__buf_t *mark)
{
    size_t before = all->size;
    leat__buf_t page = {0};

    bool more = leat__answer_page(a, bytes, &page);
    leat__buf_put(all, page.data, page.size);
    mark->size = 0;
    if (more)
        leat__answer_mark(a, mark);
    leat__buf_release(&page);
    return all->size - before;
}

/* Row by row, each from a new answer. Returns how many rows there are. */
static int compare(kit_t *kit, leat__ask_t ask)
{
    leat__buf_t whole = {0}, parts = {0}, mark = {0};
    int rows = 0;

    leat__answer_t *a = leat__answer_open(kit->store, &ask);
    take(a, MANY * 100, &whole, &mark);
    leat__answer_close(a);
    for (bool first = true; first || mark.size; first = false) {
        leat__buf_t last = mark;

        mark = (leat__buf_t){0};
        ask.mark = (leat_slice_t){last.data, last.size};
        a = leat__answer_open(kit->store, &ask);
        rows += take(a, 1, &parts, &mark) > 0;
        leat__answer_close(a);
        leat__buf_release(&last);
    }
    assert_int_equal(parts.size, whole.size);
    assert_memory_equal(parts.data, whole.data, whole.size);
    leat__buf_release(&whole);
    leat__buf_release(&parts);
    leat__buf_release(&mark);
    return rows;
}

static void both_ways(kit_t *kit, leat__ask_t ask, int rows)
{
    ask.order = LEAT_ASCENDING;
    assert_int_equal(compare(kit, ask), rows);
    ask.order = LEAT_DESCENDING;
    assert_int_equal(compare(kit, ask), rows);
}

static void key_value(bool memory)
{
    kit_t kit;

    open_kind(&kit, LEAT_KV, memory, false);
    both_ways(&kit, (leat__ask_t){.verb = LEAT__ASK_RANGE}, KEYS);
    both_ways(&kit, (leat__ask_t){.verb = LEAT__ASK_RANGE, .from = leat_slice("a12"),
        .to = leat_slice("b4")}, 15);
    both_ways(&kit, (leat__ask_t){.verb = LEAT__ASK_PREFIX, .from = leat_slice("b")}, 8);
    both_ways(&kit, (leat__ask_t){.verb = LEAT__ASK_PREFIX, .from = leat_slice("x")}, 0);
    kit_release(&kit);
}

static void windows(leat_store_kind_t kind, bool memory, bool duplicates)
{
    leat__verb_t verb = kind == LEAT_WINDOWS ? LEAT__ASK_WINDOWS : LEAT__ASK_SESSIONS;
    leat_slice_t one = leat_slice("a12");
    kit_t kit;

    open_kind(&kit, kind, memory, duplicates);
    if (duplicates) { /* equal but for their numbers */
        put_row(&kit, one, 2 * STEP_MS, 1);
        put_row(&kit, one, 2 * STEP_MS, 2);
    }
    both_ways(&kit, (leat__ask_t){.verb = verb, .from_ms = INT64_MIN, .to_ms = INT64_MAX},
        KEYS * TIMES + 2 * duplicates);
    both_ways(&kit, (leat__ask_t){.verb = verb, .from = one, .to = one, .from_ms = INT64_MIN,
        .to_ms = INT64_MAX}, TIMES + 2 * duplicates);
    kit_release(&kit);
}

static void versions(bool memory)
{
    kit_t kit;

    open_kind(&kit, LEAT_VERSIONS, memory, false);
    both_ways(&kit, (leat__ask_t){.verb = LEAT__ASK_HISTORY, .from = leat_slice("a12"),
        .from_ms = 0, .to_ms = INT64_MAX}, TIMES);
    kit_release(&kit);
}

static void test_answers_go_on_from_a_mark(void **state)
{
    (void)state;
    for (int memory = 0; memory < 2; memory++) {
        key_value(memory);
        windows(LEAT_WINDOWS, memory, false);
        windows(LEAT_WINDOWS, memory, true);
        windows(LEAT_SESSIONS, memory, false);
        versions(memory);
    }
}

/* The row of the mark may be gone by then, and rows may have come on both sides of it. */
static void test_a_mark_outlives_its_row(void **state)
{
    leat__ask_t ask = {.verb = LEAT__ASK_RANGE, .mark = leat_slice("b10")};
    leat__window_row_t row;
    kit_t kit;

    (void)state;
    open_kind(&kit, LEAT_KV, false, false);
    leat__store_put(kit.store, leat_slice("b10"), NULL, 1, NULL);
    put_row(&kit, leat_slice("b1"), 1, 1);
    put_row(&kit, leat_slice("b11"), 1, 1);
    kit_commit(&kit);
    leat__answer_t *a = leat__answer_open(kit.store, &ask);
    assert_true(leat__answer_next(a, &row));
    assert_int_equal(row.key.size, 3);
    assert_memory_equal(row.key.data, "b11", 3);
    leat__answer_close(a);
    kit_release(&kit);
}

static void read_page(const char *bytes, size_t size)
{
    char *exact = leat__must_alloc(size + 1); /* a read behind the end is one behind the block */
    leat_slice_t page = {exact + 1, size};
    leat__window_row_t row;
    size_t sum = 0;

    memcpy(exact + 1, bytes, size);
    while (leat__page_next(&page, &row)) {
        for (size_t i = 0; i < row.key.size; i++)
            sum += (unsigned char)row.key.data[i];
        for (size_t i = 0; i < row.value.size; i++)
            sum += (unsigned char)row.value.data[i];
    }
    assert_true(sum < SIZE_MAX);
    leat__free(exact);
}

static void test_damaged_pages_do_no_harm(void **state)
{
    leat__ask_t ask = {.verb = LEAT__ASK_PREFIX, .from = leat_slice("b")};
    leat__buf_t page = {0};
    kit_t kit;

    (void)state;
    open_kind(&kit, LEAT_KV, true, false);
    leat__answer_t *a = leat__answer_open(kit.store, &ask);
    assert_false(leat__answer_page(a, MANY, &page));
    leat__answer_close(a);
    for (size_t size = 0; size <= page.size; size++)
        read_page(page.data, size);
    for (size_t at = 0; at < page.size; at++) {
        static const char other[] = {0, 1, '\x7f', '\xff'};
        char kept = page.data[at];

        for (size_t i = 0; i < sizeof other; i++) {
            page.data[at] = other[i];
            read_page(page.data, page.size);
        }
        page.data[at] = kept;
    }
    leat__buf_release(&page);
    kit_release(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_go_on_from_a_mark),
        cmocka_unit_test(test_a_mark_outlives_its_row),
        cmocka_unit_test(test_damaged_pages_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
