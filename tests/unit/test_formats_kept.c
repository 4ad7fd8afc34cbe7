/*
 * Byte formats that Kafka Streams' own classes wrote (tests/conformance/formats), both ways: what is
 * kept in changelogs and beside committed offsets. And the list of all formats: each has a test,
 * or is the inside of a local store, which is leat's own to lay out.
 */
#include "dsl_kit.h"

#include <dirent.h>
#include <jansson.h>

#include "base/headers.h"
#include "dsl/suppress.h"
#include "runtime/task.h"
#include "statestore/value_list.h"
#include "store_kit.h"

/* ---- every format ---- */

typedef enum where_t {
    HERE,      /* met in this program */
    ELSEWHERE, /* met in the program named */
    LOCAL      /* DIFFERS: only ever in a local store of Kafka Streams, which nobody else reads */
} where_t;

static const struct {
    const char *format;
    where_t where;
    const char *why; /* which program; why not */
} formats[] = {
    {"change", ELSEWHERE, "test_dsl_change"},
    {"commit-metadata", HERE, ""},
    {"foreign-key-combined-key", ELSEWHERE, "test_dsl_join"},
    {"foreign-key-response", ELSEWHERE, "test_dsl_join"},
    {"foreign-key-subscription", ELSEWHERE, "test_dsl_join"},
    {"murmur3-128", ELSEWHERE, "test_dsl_join"},
    {"outer-join-key", HERE, ""},
    {"outer-join-list", HERE, ""},
    {"outer-join-value", HERE, ""},
    {"partitioner", ELSEWHERE, "test_task"},
    {"partitioner-windowed", ELSEWHERE, "test_task"},
    {"position", LOCAL,
        "Kafka Streams keeps positions in its own files and, on request, in a header of changelogs"
        " that it ignores when it is not there; leat's positions stand with its checkpoints"},
    {"record-context", HERE, ""},
    {"session-store-key", ELSEWHERE, "test_formats"},
    {"session-windowed-key", ELSEWHERE, "test_formats"},
    {"suppress-buffer-changelog-older", HERE, ""},
    {"suppress-buffer-changelog-value", HERE, ""},
    {"time-ordered-session-store-key", LOCAL,
        "the order of time of emit-on-close folds is an index of leat's own (statestore/shape.h);"
        " the changelog has session-store-key"},
    {"time-ordered-window-store-key", LOCAL,
        "as time-ordered-session-store-key; the changelog has window-store-key, and that of a join"
        " buffer is met by conformance/06-join-stream-table"},
    {"time-windowed-key", ELSEWHERE, "test_formats"},
    {"value-and-timestamp", LOCAL,
        "a value's time is beside it in leat's rows; the changelog has the value, and the time as"
        " the record's"},
    {"value-timestamp-headers", LOCAL,
        "stores in the headers format, which no changelog holds: there headers are the record's"},
    {"versioned-segment-value", LOCAL,
        "a version is a row of its own in leat (statestore/versioned.c); the changelog has plain"
        " keys and values"},
    {"window-store-key", ELSEWHERE, "test_formats"},
};

static const char *folder(void)
{
    static char path[600];
    const char *slash = strrchr(__FILE__, '/');

    snprintf(
        path, sizeof path, "%.*s/../conformance/formats", (int)(slash - __FILE__), __FILE__);
    return path;
}

static size_t find(const char *file)
{
    size_t i = 0, size = strlen(file) - strlen(".json");

    while (i < sizeof formats / sizeof *formats &&
           (strncmp(formats[i].format, file, size) != 0 || formats[i].format[size]))
        i++;
    return i;
}

static void test_every_format_is_met_or_of_a_local_store(void **state)
{
    size_t files = 0, count = sizeof formats / sizeof *formats;
    DIR *dir = opendir(folder());

    (void)state;
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (!strstr(entry->d_name, ".json"))
            continue;
        files++;
        if (find(entry->d_name) == count)
            fail_msg("%s: say where this format is met", entry->d_name);
    }
    closedir(dir);
    assert_int_equal(files, count);
    for (size_t i = 0; i < count; i++)
        if (formats[i].where == LOCAL)
            print_message("DIFFERS %s: %s\n", formats[i].format, formats[i].why);
}

/* ---- cases ---- */

typedef void (*case_fn)(const json_t *c, leat_slice_t bytes, leat__arena_t *scratch);

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

static leat_slice_t text(const json_t *c, const char *field)
{
    const char *value = json_string_value(json_object_get(c, field));

    return value ? leat_slice(value) : (leat_slice_t){NULL, 0};
}

static int64_t number(const json_t *c, const char *field)
{
    return json_integer_value(json_object_get(c, field));
}

static void each_case(const char *format, size_t least, case_fn check)
{
    char path[700];
    json_t *file, *c;
    leat__arena_t scratch;
    size_t i, count = 0;

    snprintf(path, sizeof path, "%s/%s.json", folder(), format);
    file = json_load_file(path, 0, NULL);
    assert_non_null(file);
    leat__arena_init(&scratch);
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        check(c, from_hex(json_string_value(json_object_get(c, "hex")), &scratch), &scratch);
        count++;
    }
    assert_true(count >= least);
    leat__arena_release(&scratch);
    json_decref(file);
}

static void expect(leat_slice_t got, leat_slice_t wanted)
{
    assert_int_equal(got.data == NULL, wanted.data == NULL);
    assert_int_equal(got.size, wanted.size);
    if (wanted.size)
        assert_memory_equal(got.data, wanted.data, wanted.size);
}

/* ---- beside committed offsets ---- */

static void check_metadata(const json_t *c, leat_slice_t bytes, leat__arena_t *scratch)
{
    const char *processor = json_string_value(json_object_get(c, "processor"));
    const char *equals = processor ? strchr(processor, '=') : NULL;
    leat__progress_t progress = {0}, read = {0};
    char *written;

    (void)scratch;
    if (equals)
        leat__progress_merge(&progress, processor, (size_t)(equals - processor), atoi(equals + 1));
    written = leat__commit_metadata(number(c, "partition_time"), &progress);
    expect(leat_slice(written), bytes);
    assert_true(leat__commit_metadata_time(written) == number(c, "partition_time"));
    leat__commit_metadata_progress(written, &read);
    assert_int_equal(read.count, progress.count);
    if (equals) {
        assert_string_equal(read.at[0].name, progress.at[0].name);
        assert_true(read.at[0].value == progress.at[0].value);
    }
    leat__free(written);
    leat__progress_release(&progress);
    leat__progress_release(&read);
}

static void test_commit_metadata_is_kafka_streams_both_ways(void **state)
{
    (void)state;
    each_case("commit-metadata", 4, check_metadata);
}

/* ---- suppress ---- */

static const leat_headers_t *headers_of(const json_t *c, leat__arena_t *scratch)
{
    const leat_header_t two[] = {{"a", leat_slice("1")}, {"none", {NULL, 0}}};
    leat_slice_t headers = text(c, "headers");

    assert_true(headers.size == 0 || headers.size == strlen("a=1;none=null"));
    return headers.size ? leat__headers_new(scratch, two, 2) : NULL;
}

/* The context is the beginning of a row. */
static void check_context(const json_t *c, leat_slice_t bytes, leat__arena_t *scratch)
{
    leat__waiting_t read, w = {.time_ms = number(c, "ts"),
                              .offset = number(c, "offset"),
                              .topic = text(c, "topic"),
                              .partition = (int32_t)number(c, "partition"),
                              .headers = headers_of(c, scratch)};
    leat_slice_t row = leat__waiting_write(&w, scratch);

    assert_true(row.size > bytes.size);
    expect((leat_slice_t){row.data, bytes.size}, bytes);
    assert_true(leat__waiting_read(row, &read, scratch));
    assert_true(read.time_ms == w.time_ms && read.offset == w.offset);
    assert_int_equal(read.partition, w.partition);
    expect(read.topic, w.topic);
    assert_int_equal(leat_headers_count(read.headers), leat_headers_count(w.headers));
    for (size_t i = 0; i < leat_headers_count(w.headers); i++) {
        assert_string_equal(
            leat_headers_at(read.headers, i)->name, leat_headers_at(w.headers, i)->name);
        expect(leat_headers_at(read.headers, i)->value, leat_headers_at(w.headers, i)->value);
    }
}

/* In the context of the first case of record-context. */
static void check_row(const json_t *c, leat_slice_t bytes, leat__arena_t *scratch)
{
    leat__waiting_t read, w = {.time_ms = 7,
                              .offset = 42,
                              .topic = leat_slice("in"),
                              .partition = 3,
                              .prior = text(c, "prior"),
                              .old = text(c, "old"),
                              .now = text(c, "new"),
                              .waits_ms = number(c, "buffer_time")};

    expect(leat__waiting_write(&w, scratch), bytes);
    assert_true(leat__waiting_read(bytes, &read, scratch));
    expect(read.prior, w.prior);
    expect(read.old, w.old);
    expect(read.now, w.now);
    assert_true(read.waits_ms == w.waits_ms);
}

/* Cut short, an old record is refused; of version 2, what is left may be one of version 3. */
static void check_older(const json_t *c, leat_slice_t bytes, leat__arena_t *scratch)
{
    leat__waiting_t before = {.prior = text(c, "before"), .topic = {"", 0}};
    leat__logged_t logged = {.version = (int)number(c, "version"),
        .value = bytes,
        .topic = "app-s-changelog",
        .partition = 3,
        .offset = 42,
        .time_ms = 7};
    leat_slice_t row;

    if (before.prior.data)
        logged.now = leat__waiting_write(&before, scratch);
    assert_true(leat__waiting_upgrade(&logged, scratch, &row));
    expect(row, from_hex(json_string_value(json_object_get(c, "row")), scratch));
    for (size_t size = 0; size < bytes.size; size++) {
        char *cut = malloc(size + 1);

        memcpy(cut, bytes.data, size);
        logged.value = (leat_slice_t){cut, size};
        assert_false(leat__waiting_upgrade(&logged, scratch, &row));
        free(cut);
    }
    logged.value = bytes;
    logged.version = 4;
    assert_false(leat__waiting_upgrade(&logged, scratch, &row));
}

static void test_suppress_buffers_are_kafka_streams_both_ways(void **state)
{
    (void)state;
    each_case("record-context", 2, check_context);
    each_case("suppress-buffer-changelog-value", 6, check_row);
    each_case("suppress-buffer-changelog-older", 20, check_older);
}

/* ---- what an outer join has found no match for ---- */

static void both(leat_ctx_t *ctx, const void *left, const void *right)
{
    const leat_slice_t none = leat_slice("-");
    const leat_slice_t *l = left ? left : &none, *r = right ? right : &none;

    leat_emit_value(ctx, leat_text(ctx, "%.*s/%.*s", LEAT_P(l), LEAT_P(r)));
}

static void outer(leat_builder_t *b)
{
    leat_stream_t *left = leat_builder_stream(b, "left", str(), str(), NULL);
    leat_stream_t *right = leat_builder_stream(b, "right", str(), str(), NULL);

    leat_stream_to(leat_stream_join(left, right, "j", both, str(), leat_within(3, 0),
                       &(leat_join_opts_t){.kind = LEAT_OUTER}),
        "out", NULL);
}

/* One record without a match: its entry in the changelog; then it is due, and it is read back. */
static void check_rest(const json_t *c, leat_slice_t key, const char *value, leat_slice_t item,
    const char *said)
{
    const char *side = json_string_value(json_object_get(c, "side"));
    leat_slice_t list, got = {NULL, 0};
    leat_test_t *t = drive(outer, "0");
    const leat_record_t *record;
    size_t at = 0;

    pipe_text(t, side, json_string_value(json_object_get(c, "key")), value, 9);
    record = leat_test_read_bytes(t, "app-j-outer-shared-join-store-changelog");
    assert_non_null(record);
    if (key.data)
        expect(*(const leat_slice_t *)record->key, key);
    list = *(const leat_slice_t *)record->value;
    assert_true(leat__value_list_next(list, &at, &got));
    if (item.data)
        expect(got, item);
    assert_false(leat__value_list_next(list, &at, &got));
    leat_test_advance_ms(t, 2000); /* emit.interval.ms */
    pipe_text(t, "right", "later", "x", 1000);
    expect_text(t, "out", said);
    leat_test_free(t);
}

static void check_rest_key(const json_t *c, leat_slice_t bytes, leat__arena_t *scratch)
{
    const char *key = json_string_value(json_object_get(c, "key"));
    bool left = strcmp(json_string_value(json_object_get(c, "side")), "left") == 0;
    char *said = leat__arena_alloc(scratch, strlen(key) + 16);

    assert_int_equal(number(c, "ts"), 9);
    sprintf(said, left ? "%s=v/-@9" : "%s=-/v@9", key);
    check_rest(c, bytes, "v", (leat_slice_t){NULL, 0}, said);
}

static void check_rest_value(const json_t *c, leat_slice_t bytes, leat__arena_t *scratch)
{
    const char *value = json_string_value(json_object_get(c, "value"));
    bool left = strcmp(json_string_value(json_object_get(c, "side")), "left") == 0;
    char *said = leat__arena_alloc(scratch, strlen(value) + 16);
    json_t *keyed = json_copy((json_t *)(uintptr_t)c);

    json_object_set_new(keyed, "key", json_string("k"));
    sprintf(said, left ? "k=%s/-@9" : "k=-/%s@9", value);
    check_rest(keyed, (leat_slice_t){NULL, 0}, value, bytes, said);
    json_decref(keyed);
}

static void check_list(const json_t *c, leat_slice_t bytes, leat__arena_t *scratch)
{
    const json_t *items = json_object_get(c, "items_hex");
    leat_slice_t key = leat_slice("k"), list = {NULL, 0}, item;
    size_t at = 0;
    kit_t kit;

    kit_init(&kit);
    kit.def = (leat__store_def_t){
        .name = "s", .kind = LEAT_KV, .backend = leat_backend_memory(), .logged = true};
    kit_open(&kit);
    for (size_t i = 0; i < json_array_size(items); i++)
        leat__value_list_append(kit.store, key,
            from_hex(json_string_value(json_array_get(items, i)), scratch), 1, NULL);
    assert_int_equal(leat__store_get(kit.store, key, &list, NULL), json_array_size(items) > 0);
    if (json_array_size(items)) /* an empty one is never kept */
        expect(list, bytes);
    for (size_t i = 0; i < json_array_size(items); i++) {
        assert_true(leat__value_list_next(bytes, &at, &item));
        expect(item, from_hex(json_string_value(json_array_get(items, i)), scratch));
    }
    assert_false(leat__value_list_next(bytes, &at, &item));
    assert_int_equal(at, json_array_size(items) ? bytes.size : 0);
    kit_release(&kit);
}

static void test_records_without_a_match_are_kafka_streams_both_ways(void **state)
{
    (void)state;
    each_case("outer-join-key", 8, check_rest_key);
    each_case("outer-join-value", 6, check_rest_value);
    each_case("outer-join-list", 4, check_list);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_format_is_met_or_of_a_local_store),
        cmocka_unit_test(test_commit_metadata_is_kafka_streams_both_ways),
        cmocka_unit_test(test_suppress_buffers_are_kafka_streams_both_ways),
        cmocka_unit_test(test_records_without_a_match_are_kafka_streams_both_ways),
    };

    return cmocka_run_group_tests_name("formats kept", tests, NULL, NULL);
}
