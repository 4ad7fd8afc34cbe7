/*
 * Suppress: the bytes of a waiting row damaged in every way (whole ones are in test_formats_kept.c);
 * what waits and what goes under the test driver; random changes against a plain model of a buffer.
 */
#include "dsl_kit.h"

#include "dsl/suppress.h"

#include <inttypes.h>

/* ---- bytes ---- */

static leat_slice_t from_hex(const char *hex, leat__arena_t *scratch)
{
    size_t size = strlen(hex) / 2;
    char *bytes = leat__arena_alloc(scratch, size + 1);

    for (size_t i = 0; i < size; i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (char)byte;
    }
    return (leat_slice_t){bytes, size};
}

#define CONTEXT "0000000000000007000000000000002a00000002696e00000003"
#define NO_HEADERS "00000000"
#define TWO_HEADERS "0000000200000001610000000131000000046e6f6e65ffffffff"

static const char *const vectors[] = {
    CONTEXT NO_HEADERS "ffffffffffffffff000000036e65770000000000000063",
    CONTEXT NO_HEADERS "000000057072696f72000000036f6c64000000036e65770000000000000063",
    CONTEXT NO_HEADERS "0000000473616d65fffffffe000000036e65770000000000000063",
    CONTEXT NO_HEADERS "000000057072696f72ffffffffffffffff0000000000000063",
    CONTEXT NO_HEADERS "ffffffff000000036f6c64ffffffff0000000000000063",
    CONTEXT NO_HEADERS "00000000fffffffe000000000000000000000063",
    CONTEXT TWO_HEADERS "ffffffffffffffff000000036e65770000000000000063",
};

/* Cut anywhere, a row is refused; with any byte changed it is read within its own bytes. */
static void test_damaged_rows_are_refused_or_read_within_their_bytes(void **state)
{
    leat__arena_t scratch;
    leat__waiting_t w;

    (void)state;
    leat__arena_init(&scratch);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        leat_slice_t whole = from_hex(vectors[i], &scratch);

        for (size_t size = 0; size < whole.size; size++) {
            char *cut = malloc(size + 1);

            memcpy(cut, whole.data, size);
            assert_false(leat__waiting_read((leat_slice_t){cut, size}, &w, &scratch));
            free(cut);
        }
        for (size_t at = 0; at < whole.size; at++) {
            char *bent = malloc(whole.size);

            memcpy(bent, whole.data, whole.size);
            for (int byte = 0; byte < 256; byte += 51) {
                bent[at] = (char)byte;
                leat__waiting_read((leat_slice_t){bent, whole.size}, &w, &scratch);
            }
            free(bent);
        }
    }
    leat__arena_release(&scratch);
}

static void test_size_counts_what_kafka_streams_counts(void **state)
{
    leat__arena_t scratch;
    int64_t waits_ms;
    size_t bytes;

    (void)state;
    leat__arena_init(&scratch);
    leat__waiting_measure(
        leat_slice("key"), from_hex(vectors[1], &scratch), &waits_ms, &bytes);
    assert_int_equal(waits_ms, 99);
    assert_int_equal(bytes, 8 + 3 + (5 + 3 + 3) + (8 + 8 + 2 + 4));
    leat__waiting_measure(
        leat_slice("key"), from_hex(vectors[2], &scratch), &waits_ms, &bytes);
    assert_int_equal(bytes, 8 + 3 + (4 + 0 + 3) + (8 + 8 + 2 + 4));
    leat__waiting_measure(
        leat_slice("key"), from_hex(vectors[6], &scratch), &waits_ms, &bytes);
    assert_int_equal(bytes, 8 + 3 + 3 + (8 + 8 + 2 + 4) + (1 + 1 + 4 + 0));
    leat__arena_release(&scratch);
}

/* ---- at work ---- */

static leat_suppress_opts_t opts;
static int64_t until_ms;

static void waiting(leat_builder_t *b)
{
    leat_table_t *t = leat_builder_table(b, "in", str(), str(), NULL);

    leat_table_to(leat_table_suppress(t, "wait", until_ms, &opts), "out", NULL);
}

static leat_test_t *start(int64_t ms, leat_suppress_opts_t o)
{
    until_ms = ms;
    opts = o;
    return drive(waiting, "0");
}

static void test_full_buffer_lets_the_oldest_go_or_fails(void **state)
{
    leat_test_t *t = start(100, (leat_suppress_opts_t){.records_max = 1});

    (void)state;
    pipe_text(t, "in", "b", "1", 5);
    pipe_text(t, "in", "a", "2", 5);
    expect_text(t, "out", "a=2@5");
    expect_text(t, "out", NULL);
    leat_test_free(t);

    t = start(100, (leat_suppress_opts_t){.records_max = 1, .fail_when_full = true});
    pipe_text(t, "in", "b", "1", 5);
    leat_test_pipe_text(t, "in", "a", "2", 5);
    expect_failure(t, LEAT_EFULL, "2 rows (at most 1)");
    leat_test_free(t);

    t = start(100, (leat_suppress_opts_t){.records_max = LEAT_ZERO});
    pipe_text(t, "in", "b", "1", 5);
    expect_text(t, "out", "b=1@5");
    leat_test_free(t);
}

static void closing_unwindowed(leat_builder_t *b)
{
    leat_table_suppress(
        leat_builder_table(b, "in", str(), str(), NULL), NULL, LEAT_UNTIL_WINDOW_CLOSES, NULL);
}

static void closing_early(leat_builder_t *b)
{
    leat_stream_t *in = leat_builder_stream(b, "in", str(), str(), NULL);
    leat_table_t *t = leat_grouped_count(leat_stream_group_by_key(in, NULL, NULL), NULL,
        &(leat_fold_opts_t){.window = leat_tumbling(10, 0)});

    leat_table_suppress(
        t, NULL, LEAT_UNTIL_WINDOW_CLOSES, &(leat_suppress_opts_t){.records_max = 5});
}

static void unbounded_below(leat_builder_t *b)
{
    leat_table_suppress(leat_builder_table(b, "in", str(), str(), NULL), NULL, 5,
        &(leat_suppress_opts_t){.bytes_max = -1});
}

static void expect_refusal(leat_build_fn build, int code, const char *word)
{
    leat_test_t *t = leat_test_new(leat_topology_build(build, NULL), NULL, NULL);

    expect_failure(t, code, word);
    leat_test_free(t);
}

static void test_what_cannot_be_is_refused(void **state)
{
    (void)state;
    expect_refusal(closing_unwindowed, LEAT_ETOPOLOGY, "only windows close");
    expect_refusal(closing_early, LEAT_EARGUMENT, "fail_when_full");
    expect_refusal(unbounded_below, LEAT_EARGUMENT, "bytes_max");
}

static void test_idle_input_lets_rows_go_by_the_clock(void **state)
{
    leat_test_t *t = start(100, (leat_suppress_opts_t){.idle_close_ms = 50, .on_disk = true});

    (void)state;
    pipe_text(t, "in", "a", "1", 5);
    leat_test_advance_ms(t, 60); /* idle; but the row is due at 105 */
    expect_text(t, "out", NULL);
    leat_test_advance_ms(t, 40);
    expect_text(t, "out", "a=1@5");
    leat_test_advance_ms(t, 1000);
    expect_text(t, "out", NULL);
    leat_test_free(t);
}

/* ---- against a model ---- */

enum { KEYS = 6, STEPS = 2000 };

typedef struct row_t {
    bool waits, there;
    int64_t since_ms, time_ms;
    int value;
} row_t;

/* Goes first: the longest waiting, then the smaller key. NULL: none. */
static row_t *first(row_t *rows)
{
    row_t *best = NULL;

    for (int i = 0; i < KEYS; i++) {
        if (rows[i].waits && (!best || rows[i].since_ms < best->since_ms))
            best = &rows[i];
    }
    return best;
}

static void expect_row(leat_test_t *t, row_t *rows, row_t *row)
{
    char text[64];

    if (row->there)
        snprintf(text, sizeof text, "%c=%d@%" PRId64, 'a' + (int)(row - rows), row->value,
            row->time_ms);
    else
        snprintf(text, sizeof text, "%c=null@%" PRId64, 'a' + (int)(row - rows), row->time_ms);
    expect_text(t, "out", text);
    row->waits = false;
}

static void test_random_changes_wait_as_in_a_plain_buffer(void **state)
{
    leat_test_t *t = start(20, (leat_suppress_opts_t){.records_max = 4});
    row_t rows[KEYS] = {0};
    uint64_t random = 88172645463325252U;
    int64_t now_ms = 0, observed_ms = -1;

    (void)state;
    for (int step = 0; step < STEPS; step++) {
        int key;
        char name[2] = {0}, value[16];
        size_t count = 0;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        key = (int)(random % KEYS);
        now_ms += (int64_t)(random >> 20) % 7;
        name[0] = (char)('a' + key);
        snprintf(value, sizeof value, "%d", step);
        if (!rows[key].waits)
            rows[key].since_ms = now_ms - (int64_t)(random >> 40) % 5;
        rows[key].time_ms = rows[key].waits ? now_ms : rows[key].since_ms;
        if (rows[key].time_ms < 0)
            rows[key].time_ms = rows[key].since_ms = 0;
        rows[key].waits = true;
        rows[key].there = random >> 50 & 7;
        rows[key].value = step;
        pipe_text(t, "in", name, rows[key].there ? value : NULL, rows[key].time_ms);
        if (rows[key].time_ms > observed_ms)
            observed_ms = rows[key].time_ms;
        while (first(rows) && first(rows)->since_ms <= observed_ms - 20)
            expect_row(t, rows, first(rows));
        for (int i = 0; i < KEYS; i++)
            count += rows[i].waits;
        for (; count > 4; count--)
            expect_row(t, rows, first(rows));
        expect_text(t, "out", NULL);
    }
    leat_test_free(t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_rows_are_refused_or_read_within_their_bytes),
        cmocka_unit_test(test_size_counts_what_kafka_streams_counts),
        cmocka_unit_test(test_full_buffer_lets_the_oldest_go_or_fails),
        cmocka_unit_test(test_what_cannot_be_is_refused),
        cmocka_unit_test(test_idle_input_lets_rows_go_by_the_clock),
        cmocka_unit_test(test_random_changes_wait_as_in_a_plain_buffer),
    };

    return cmocka_run_group_tests_name("dsl_suppress", tests, NULL, NULL);
}
