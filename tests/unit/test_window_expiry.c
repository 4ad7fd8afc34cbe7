/*
 * tests/unit/test_window_expiry.c: what a window store no longer retains goes from the disk and from
 * memory, in whole pieces of time and without a deletion per window.
 */
#include "store_kit.h"

#include "statestore/filter.h"
#include "statestore/windows.h"

enum { RETENTION_MS = 100000, SEGMENT_MS = 60000, SIZE_MS = 500 };

static size_t rows_beneath(kit_t *kit)
{
    const leat_slice_t open = {NULL, 0};
    leat__scan_t *scan = leat__beneath_scan(kit->store, open, open, LEAT_ASCENDING);
    size_t count = 0;
    leat_slice_t key;
    leat__view_t value;
    while (scan && leat__beneath_next(scan, &key, &value))
        count++;
    leat__beneath_end(scan);
    return count;
}

static long kib_on_disk(const char *dir)
{
    char command[128];
    long kib = -1;
    snprintf(command, sizeof command, "du -sk '%s' 2>&-", dir);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld", &kib), 1);
    pclose(f);
    return kib;
}

/* 80 segments go by, 50 MB of rows; three are alive at most. */
static void expire(leat_store_kind_t kind, bool by_time)
{
    enum { SEGMENTS = 80, PER_SEGMENT = 2500, VALUE_BYTES = 200 };
    kit_t kit;
    char name[16], bytes[VALUE_BYTES] = {0};
    leat_slice_t value = {bytes, sizeof bytes};
    long most_kib = 0;
    kit_init(&kit);
    kit.def.kind = kind;
    kit.def.by_time = by_time;
    kit.def.opts = (leat_store_opts_t){.retention_ms = RETENTION_MS, .window_size_ms = SIZE_MS};
    kit.def.logged = false;
    kit.opts.memtable_bytes = 256 << 10;
    kit_open(&kit);
    for (int i = 0; i < SEGMENTS * PER_SEGMENT; i++) {
        int64_t start_ms = (int64_t)i * SEGMENT_MS / PER_SEGMENT;
        snprintf(name, sizeof name, "k%d", i);
        if (kind == LEAT_SESSIONS)
            leat__session_put(kit.store, leat_slice(name), &value, start_ms, start_ms, 0, NULL);
        else
            leat__window_put(kit.store, leat_slice(name), &value, start_ms, 0, NULL);
        if (i % 500)
            continue;
        kit_commit(&kit);
        kit_checkpoint(&kit);
        leat__task_state_evict(kit.state, SIZE_MAX);
        long kib = i % 5000 ? 0 : kib_on_disk(kit.dir);
        most_kib = kib > most_kib ? kib : most_kib;
    }
    kit_commit(&kit);
    kit_checkpoint(&kit);
    assert_in_range(rows_beneath(&kit), PER_SEGMENT, 3 * PER_SEGMENT * (by_time ? 2 : 1));
    assert_in_range(most_kib, 1, 14 << 10);
    kit_release(&kit);
}

static void test_window_expiry_frees_the_disk(void **state)
{
    (void)state;
    expire(LEAT_WINDOWS, false);
    expire(LEAT_TIMESTAMPED_WINDOWS, true);
    expire(LEAT_SESSIONS, false);
}

static void test_window_expiry_frees_memory(void **state)
{
    kit_t kit;
    leat_slice_t value = {"v", 1};
    (void)state;
    kit_init(&kit);
    kit.def.kind = LEAT_WINDOWS;
    kit.def.backend = leat_backend_memory();
    kit.def.opts = (leat_store_opts_t){.retention_ms = RETENTION_MS, .window_size_ms = SIZE_MS};
    kit_open(&kit);
    for (int64_t t = 0; t < 20 * RETENTION_MS; t += 100) {
        leat__window_put(kit.store, leat_slice("k"), &value, t, 0, NULL);
        if (t % 5000 == 0)
            kit_commit(&kit);
    }
    kit_commit(&kit);
    assert_in_range(kit.store->count, RETENTION_MS / 100, RETENTION_MS / 100 + 1);
    kit_release(&kit);
}

/* Filters go with their segments; what they never held is known not to be there. */
static void test_window_filters_go_with_their_segments(void **state)
{
    leat__filters_t *f = leat__filters_new(true);
    char key[9] = {0};
    (void)state;
    for (int segment = 1; segment <= 20; segment++) {
        leat__store_be64(key, (uint64_t)segment);
        key[8] = 'k';
        assert_false(leat__filters_may_hold(f, (leat_slice_t){key, 9}));
        leat__filters_add(f, (leat_slice_t){key, 9});
        assert_true(leat__filters_may_hold(f, (leat_slice_t){key, 9}));
        leat__filters_forget(f, (uint64_t)segment - 1);
        leat__store_be64(key, (uint64_t)segment - 1);
        assert_int_equal(leat__filters_may_hold(f, (leat_slice_t){key, 9}), segment > 1);
    }
    leat__filters_free(f);
}

/* Time that leaps makes many segments: then everything may be there. */
static void test_window_filters_of_many_segments_give_up(void **state)
{
    leat__filters_t *f = leat__filters_new(true);
    char key[9] = {0};
    (void)state;
    for (int segment = 0; segment < 1000; segment++) {
        leat__store_be64(key, (uint64_t)segment);
        leat__filters_add(f, (leat_slice_t){key, 9});
        assert_true(leat__filters_may_hold(f, (leat_slice_t){key, 9}));
    }
    leat__filters_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_expiry_frees_the_disk),
        cmocka_unit_test(test_window_expiry_frees_memory),
        cmocka_unit_test(test_window_filters_go_with_their_segments),
        cmocka_unit_test(test_window_filters_of_many_segments_give_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
