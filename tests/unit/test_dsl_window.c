/*
 * Folds over windows under the test driver: options that are refused, late records, merging, emit
 * on close; and tumbling, hopping, sliding windows and sessions against plain models under random,
 * unordered input, on both backends, with and without the record cache.
 */
#include "dsl_kit.h"

#include <inttypes.h>

/* ---- merging ---- */

static leat_stream_t *counted(leat_builder_t *b, const char *topic)
{
    leat_grouped_t *grouped = leat_stream_group_by_key(
        leat_builder_stream(b, topic, str(), str(), NULL), NULL, NULL);
    leat_fold_opts_t opts = {.window = leat_tumbling(10, 0)};

    return leat_table_to_stream(leat_grouped_count(grouped, NULL, &opts), NULL, NULL);
}

static void merge_counts(leat_builder_t *b)
{
    leat_stream_t *both = leat_stream_merge(counted(b, "left"), counted(b, "right"), NULL, NULL);

    leat_stream_to(both, "out", NULL);
}

/* Each fold makes the serde of its windows itself: that is no difference of types. */
static void test_streams_of_two_windowed_folds_merge(void **state)
{
    leat_test_t *t = leat_test_new(leat_topology_build(merge_counts, NULL), NULL, NULL);

    (void)state;
    assert_int_equal(leat_test_failure(t, NULL), LEAT_OK);
    pipe_text(t, "left", "a", "x", 1);
    pipe_text(t, "right", "b", "x", 2);
    assert_int_equal(leat_test_failure(t, NULL), LEAT_OK);
    leat_test_free(t);
}

/* ---- what is refused ---- */

static leat_fold_opts_t wrong;
static bool from_table;

static void wrong_fold(leat_builder_t *b)
{
    leat_grouped_t *grouped;

    if (from_table)
        grouped = leat_table_group_by(
            leat_builder_table(b, "in", str(), str(), NULL), NULL, same, str(), str(), NULL);
    else
        grouped = leat_stream_group_by_key(
            leat_builder_stream(b, "in", str(), str(), NULL), NULL, NULL);
    leat_grouped_aggregate(grouped, "fold", second, str(), &wrong);
}

static void expect_refusal(leat_fold_opts_t opts, int code, const char *word)
{
    leat_test_t *t;
    leat_error_t err;

    wrong = opts;
    t = leat_test_new(leat_topology_build(wrong_fold, NULL), NULL, NULL);
    assert_int_equal(leat_test_failure(t, &err), code);
    if (!strstr(err.text, word))
        fail_msg("'%s' does not say '%s'", err.text, word);
    leat_test_free(t);
}

static void test_wrong_windows_are_refused(void **state)
{
    leat_window_t made_up = {.type = (leat_window_type_t)99};

    (void)state;
    from_table = false;
    expect_refusal((leat_fold_opts_t){.window = leat_tumbling(0, 0)}, LEAT_EARGUMENT, "size");
    expect_refusal((leat_fold_opts_t){.window = leat_hopping(10, 0, 0)}, LEAT_EARGUMENT, "advance");
    expect_refusal(
        (leat_fold_opts_t){.window = leat_hopping(10, 11, 0)}, LEAT_EARGUMENT, "advance");
    expect_refusal((leat_fold_opts_t){.window = leat_tumbling(10, -1)}, LEAT_EARGUMENT, "grace");
    expect_refusal((leat_fold_opts_t){.window = leat_sliding(0, 0)}, LEAT_EARGUMENT, "difference");
    expect_refusal(
        (leat_fold_opts_t){.window = leat_session(-1, 0), .merge = second}, LEAT_EARGUMENT, "gap");
    expect_refusal((leat_fold_opts_t){.window = leat_unlimited(-1)}, LEAT_EARGUMENT, "start");
    expect_refusal((leat_fold_opts_t){.window = made_up}, LEAT_EARGUMENT, "type");
    expect_refusal((leat_fold_opts_t){.window = leat_session(5, 0)}, LEAT_ENULL, ".merge");
    expect_refusal((leat_fold_opts_t){.merge = second}, LEAT_EARGUMENT, ".merge");
    expect_refusal((leat_fold_opts_t){.window = leat_tumbling(5, 0), .merge = second},
        LEAT_EARGUMENT, ".merge");
    expect_refusal((leat_fold_opts_t){.idle_close_ms = 5}, LEAT_EARGUMENT, ".window");
    expect_refusal((leat_fold_opts_t){.window = leat_tumbling(5, 0), .store = {.history_ms = 5}},
        LEAT_EARGUMENT, ".history_ms");
    expect_refusal((leat_fold_opts_t){.emit = LEAT_EMIT_ON_CLOSE}, LEAT_EARGUMENT, ".window");
    expect_refusal(
        (leat_fold_opts_t){.window = leat_unlimited(0), .emit = LEAT_EMIT_ON_CLOSE},
        LEAT_EARGUMENT, "never closes");
    expect_refusal(
        (leat_fold_opts_t){.window = leat_sliding(10, 5), .store = {.retention_ms = 24}},
        LEAT_EARGUMENT, "25");
    from_table = true;
    expect_refusal((leat_fold_opts_t){.window = leat_tumbling(5, 0), .subtract = second},
        LEAT_EARGUMENT, ".window");
}

/* ---- sessions ---- */

static int merges;

static void merge_plus(leat_ctx_t *ctx, const void *a, const void *b)
{
    assert_non_null(a);
    assert_non_null(b);
    merges++;
    join_plus(ctx, a, b);
}

static void visits(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_table_to(leat_grouped_aggregate(leat_stream_group_by_key(in, NULL, NULL), "s", join_plus,
                      str(),
                      &(leat_fold_opts_t){.window = leat_session(5, 100), .merge = merge_plus}),
        "out", NULL);
}

static void test_session_without_init_never_merges_nothing(void **state)
{
    leat_test_t *t = drive(visits, "0");

    (void)state;
    merges = 0;
    pipe_text(t, "in", "a", "1", 0);
    pipe_text(t, "in", "a", "2", 8);
    assert_int_equal(merges, 0);
    expect_text(t, "out", "[a@0/0]=+1@0");
    expect_text(t, "out", "[a@8/8]=+2@8");
    pipe_text(t, "in", "a", "3", 4);
    assert_int_equal(merges, 1);
    leat_test_read_text(t, "out");
    leat_test_read_text(t, "out");
    expect_text(t, "out", "[a@0/8]=+1++2+3@8");
    leat_test_free(t);
}

/* ---- emit on close ---- */

static void closing(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_table_to(leat_grouped_count(leat_stream_group_by_key(in, NULL, NULL), "w",
                      &(leat_fold_opts_t){.window = leat_tumbling(10, 2),
                          .emit = LEAT_EMIT_ON_CLOSE,
                          .store = {.retention_ms = 1000, .backend = leat_backend_rocksdb()}}),
        "out", NULL);
}

static void test_closed_windows_go_on_once_and_are_looked_for_once_in_a_second(void **state)
{
    leat_test_t *t = drive(closing, "1000000");

    (void)state;
    pipe_text(t, "in", "a", "x", 1);
    leat_test_advance_ms(t, 999);
    pipe_text(t, "in", "a", "x", 12);
    expect_text(t, "out", NULL);
    leat_test_advance_ms(t, 1);
    pipe_text(t, "in", "a", "x", 11);
    expect_text(t, "out", "[a@0/10]=1@1");
    leat_test_advance_ms(t, 1000);
    pipe_text(t, "in", "b", "x", 13);
    expect_text(t, "out", NULL);
    leat_test_advance_ms(t, 1000);
    pipe_text(t, "in", "b", "x", 40);
    expect_text(t, "out", "[a@10/20]=2@12");
    expect_text(t, "out", "[b@10/20]=1@13");
    expect_text(t, "out", NULL);
    leat_test_free(t);
}

/* ---- against models ---- */

enum { RECORDS = 400, SPAN_MS = 300, KEYS = 3 };

typedef struct record_t {
    int key;
    int64_t time_ms;
} record_t;

static leat_window_t window;
static const leat_backend_t *backend;
static uint64_t seed;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void counting(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_table_to(leat_grouped_count(leat_stream_group_by_key(in, NULL, NULL), "w",
                      &(leat_fold_opts_t){.window = window,
                          .store = {.backend = backend, .retention_ms = 1000000}}),
        "out", NULL);
}

/* Times wander forward, and now and then back. */
static void make_records(record_t *records)
{
    int64_t at_ms = 0;

    for (size_t i = 0; i < RECORDS; i++) {
        at_ms += (int64_t)(next_random() % 3) * (SPAN_MS / 100) / 2;
        records[i].key = (int)(next_random() % KEYS);
        records[i].time_ms = at_ms - (next_random() % 4 ? 0 : (int64_t)(next_random() % 30));
        if (records[i].time_ms < 0)
            records[i].time_ms = 0;
    }
}

static const char *key_text(int key)
{
    static const char *const texts[KEYS] = {"a", "b", "c"};

    return texts[key];
}

static leat_test_t *run(const record_t *records, const char *cache_bytes)
{
    leat_test_t *t = drive(counting, cache_bytes);

    for (size_t i = 0; i < RECORDS; i++)
        pipe_text(t, "in", key_text(records[i].key), "x", records[i].time_ms);
    return t;
}

static int64_t count_in(const record_t *records, int key, int64_t from_ms, int64_t to_ms)
{
    int64_t count = 0;

    for (size_t i = 0; i < RECORDS; i++)
        count += records[i].key == key && records[i].time_ms >= from_ms &&
                 records[i].time_ms <= to_ms;
    return count;
}

static int64_t stored(leat_test_t *t, int key, int64_t start_ms)
{
    leat_slice_t name = leat_slice(key_text(key));
    const int64_t *count = leat_windows_get(leat_test_windows(t, "w"), &name, start_ms);

    return count ? *count : 0;
}

static void check_time_windows(leat_test_t *t, const record_t *records)
{
    for (int key = 0; key < KEYS; key++) {
        for (int64_t start_ms = 0; start_ms < 4 * SPAN_MS; start_ms++) {
            int64_t wanted = start_ms % window.advance_ms
                                 ? 0
                                 : count_in(records, key, start_ms, start_ms + window.size_ms - 1);

            if (stored(t, key, start_ms) != wanted)
                fail_msg("window [%s@%" PRId64 "]: %" PRId64 ", expected %" PRId64 " (seed %" PRIu64
                         ")",
                    key_text(key), start_ms, stored(t, key, start_ms), wanted, seed);
        }
    }
}

/* A window stands where a record ends it, or right behind one if it holds a later one; and at 0. */
static bool has_sliding(const record_t *records, int key, int64_t start_ms)
{
    int64_t d_ms = window.size_ms;
    bool any = count_in(records, key, start_ms, start_ms + d_ms) > 0;

    if (start_ms == 0)
        return count_in(records, key, 0, d_ms) > 0;
    return any && (count_in(records, key, start_ms + d_ms, start_ms + d_ms) > 0 ||
                      count_in(records, key, start_ms - 1, start_ms - 1) > 0);
}

static void check_sliding(leat_test_t *t, const record_t *records)
{
    for (int key = 0; key < KEYS; key++) {
        for (int64_t start_ms = 0; start_ms < 4 * SPAN_MS; start_ms++) {
            int64_t wanted = has_sliding(records, key, start_ms)
                                 ? count_in(records, key, start_ms, start_ms + window.size_ms)
                                 : 0;

            if (stored(t, key, start_ms) != wanted)
                fail_msg("window [%s@%" PRId64 "]: %" PRId64 ", expected %" PRId64 " (seed %" PRIu64
                         ")",
                    key_text(key), start_ms, stored(t, key, start_ms), wanted, seed);
        }
    }
}

/* From one record to the next that is at most the gap away. */
static void check_sessions(leat_test_t *t, const record_t *records)
{
    leat_sessions_t *store = leat_test_sessions(t, "w");

    for (int key = 0; key < KEYS; key++) {
        leat_slice_t name = leat_slice(key_text(key));
        int64_t start_ms = -1, last_ms = -1, found = 0;
        leat_iter_t *it = leat_sessions_find(store, &name, &name, 0, INT64_MAX, LEAT_ASCENDING);

        while (leat_iter_next(it))
            found++;
        for (int64_t at_ms = 0; at_ms < 5 * SPAN_MS; at_ms++) {
            bool here = count_in(records, key, at_ms, at_ms) > 0;

            if (start_ms >= 0 && at_ms - last_ms > window.size_ms) {
                const int64_t *count = leat_sessions_get(store, &name, start_ms, last_ms);

                if (!count || *count != count_in(records, key, start_ms, last_ms))
                    fail_msg("session [%s@%" PRId64 "/%" PRId64 "]: %" PRId64, key_text(key),
                        start_ms, last_ms, count ? *count : 0);
                found--;
                start_ms = -1;
            }
            if (here && start_ms < 0)
                start_ms = at_ms;
            if (here)
                last_ms = at_ms;
        }
        assert_int_equal(found, 0);
    }
}

static void against_model(
    leat_window_t w, void (*check)(leat_test_t *t, const record_t *records))
{
    const leat_backend_t *const backends[] = {leat_backend_memory(), leat_backend_rocksdb()};
    record_t records[RECORDS];

    window = w;
    for (uint64_t round = 1; round <= 3; round++) {
        seed = round * 7919 + 1;
        make_records(records);
        for (size_t i = 0; i < 4; i++) {
            leat_test_t *t;

            backend = backends[round == 1 ? i % 2 : 0]; /* a database is slow to make */
            t = run(records, i < 2 ? "0" : "1000000");
            assert_true(leat_test_metric(t, "dropped-records-total") == 0);
            check(t, records);
            leat_test_free(t);
        }
    }
}

static void test_time_windows_hold_what_falls_into_them(void **state)
{
    (void)state;
    against_model(leat_tumbling(7, 100000), check_time_windows);
    against_model(leat_hopping(12, 5, 100000), check_time_windows);
    against_model(leat_hopping(12, 1, 100000), check_time_windows);
}

static void test_sliding_windows_hold_what_falls_into_them(void **state)
{
    (void)state;
    against_model(leat_sliding(1, 100000), check_sliding);
    against_model(leat_sliding(6, 100000), check_sliding);
    against_model(leat_sliding(40, 100000), check_sliding);
}

static void test_sessions_are_what_no_gap_parts(void **state)
{
    (void)state;
    against_model(leat_session(1, 100000), check_sessions);
    against_model(leat_session(4, 100000), check_sessions);
}

/* ---- late ---- */

static void test_late_records_are_dropped_per_window_and_counted(void **state)
{
    leat_test_t *t;

    (void)state;
    window = leat_hopping(10, 5, 3);
    backend = leat_backend_memory();
    t = drive(counting, "0");
    pipe_text(t, "in", "a", "x", 20);
    pipe_text(t, "in", "a", "x", 12); /* closed at 17: [5, 15) is, [10, 20) is not */
    pipe_text(t, "in", NULL, "x", 90);
    pipe_text(t, "in", "a", "x", 12); /* a record without a key moves no time */
    pipe_text(t, "in", "a", NULL, 21);
    assert_int_equal(stored(t, 0, 5), 0);
    assert_int_equal(stored(t, 0, 10), 2);
    assert_int_equal(stored(t, 0, 20), 2);
    assert_true(leat_test_metric(t, "dropped-records-total") == 3.0);
    leat_test_free(t);
}

/* ---- beyond Kafka Streams ---- */

static leat_emit_mode_t emit_mode;

static void idling(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);

    leat_table_to(leat_grouped_count(leat_stream_group_by_key(in, NULL, NULL), "w",
                      &(leat_fold_opts_t){
                          .window = leat_tumbling(1000, 100), .emit = emit_mode,
                          .idle_close_ms = 5000}),
        "out", NULL);
}

static void test_idle_input_lets_time_go_on_by_the_clock(void **state)
{
    leat_test_t *t;

    (void)state;
    emit_mode = LEAT_EMIT_ON_CLOSE;
    t = drive(idling, "0");
    pipe_text(t, "in", "a", "x", 950);
    leat_test_advance_ms(t, 4999);
    expect_text(t, "out", NULL);
    leat_test_advance_ms(t, 1);
    expect_text(t, "out", "[a@0/1000]=1@950");
    pipe_text(t, "in", "a", "x", 960); /* closed by the clock: late */
    expect_text(t, "out", NULL);
    assert_true(leat_test_metric(t, "dropped-records-total") == 1.0);
    pipe_text(t, "in", "a", "x", 6000);
    leat_test_advance_ms(t, 10000);
    expect_text(t, "out", "[a@6000/7000]=1@6000");
    expect_text(t, "out", NULL);
    leat_test_free(t);
}

static void changing(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);
    leat_grouped_t *grouped = leat_stream_group_by_key(in, NULL, NULL);
    leat_slice_t empty = leat_slice("");

    leat_table_to(leat_grouped_aggregate(grouped, "plain", second, str(),
                      &(leat_fold_opts_t){.changes_only = true, .init = &empty}),
        "out", NULL);
    leat_table_to(leat_grouped_reduce(grouped, "w", second,
                      &(leat_fold_opts_t){.changes_only = true, .window = leat_tumbling(10, 100)}),
        "windows", NULL);
    leat_table_to(
        leat_table_map_values(leat_builder_table(b, "rows", str(), str(), NULL), "mapped",
            same_value, str(), &(leat_table_opts_t){.changes_only = true}),
        "mapped", NULL);
}

static void send_changes(leat_test_t *t)
{
    pipe_text(t, "in", "a", "", 1); /* as .init, but the row is new */
    pipe_text(t, "in", "a", "", 2);
    pipe_text(t, "in", "a", "x", 3);
    pipe_text(t, "in", "a", "x", 4);
    pipe_text(t, "in", "a", "x", 14);
    expect_text(t, "out", "a=@1");
    expect_text(t, "out", "a=x@3");
    expect_text(t, "out", NULL);
    expect_text(t, "windows", "[a@0/10]=@1");
    expect_text(t, "windows", "[a@0/10]=x@3");
    expect_text(t, "windows", "[a@10/20]=x@14");
    expect_text(t, "windows", NULL);
    pipe_text(t, "rows", "a", "x", 1);
    pipe_text(t, "rows", "a", "x", 2);
    pipe_text(t, "rows", "a", NULL, 3);
    pipe_text(t, "rows", "a", NULL, 4);
    expect_text(t, "mapped", "a=x@1");
    expect_text(t, "mapped", "a=null@3");
    expect_text(t, "mapped", NULL);
    leat_test_free(t);
}

static void test_equal_updates_do_not_go_on_if_only_changes_are_wanted(void **state)
{
    (void)state;
    send_changes(drive(changing, "0"));
    send_changes(drive(changing, "1000000"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_of_two_windowed_folds_merge),
        cmocka_unit_test(test_wrong_windows_are_refused),
        cmocka_unit_test(test_session_without_init_never_merges_nothing),
        cmocka_unit_test(test_closed_windows_go_on_once_and_are_looked_for_once_in_a_second),
        cmocka_unit_test(test_time_windows_hold_what_falls_into_them),
        cmocka_unit_test(test_sliding_windows_hold_what_falls_into_them),
        cmocka_unit_test(test_sessions_are_what_no_gap_parts),
        cmocka_unit_test(test_late_records_are_dropped_per_window_and_counted),
        cmocka_unit_test(test_idle_input_lets_time_go_on_by_the_clock),
        cmocka_unit_test(test_equal_updates_do_not_go_on_if_only_changes_are_wanted),
    };

    return cmocka_run_group_tests_name("dsl_window", tests, NULL, NULL);
}
