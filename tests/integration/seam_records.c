/*
 * tests/integration/seam_records.c: the seam's contract: topics, offsets, records, readers, writers
 * without transactions.
 *
 * Each test names the rule that it checks.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "seam_kit.h"

#define VT (seam_b->vt)

static const leat_slice_t none = {NULL, 0};

/* ---- topics ---- */

static void test_ensure_says_what_it_made_and_leaves_what_exists(void **state)
{
    const char *name = seam_name("ensure");
    leat__topic_t want = {.name = (char *)(uintptr_t)name, .partitions = 3, .replication = -1};
    leat__op_t *op;

    (void)state;
    if (!seam_wanted())
        return;
    op = seam_done(VT->ensure_topics(seam_b, &want, 1));
    assert_int_equal(op->err.code, 0);
    assert_int_equal(op->topic_count, 1);
    assert_string_equal(op->topics[0].name, name);
    assert_true(op->topics[0].created);
    assert_int_equal(op->topics[0].partitions, 3);
    leat__op_free(op);
    want.partitions = 5; /* it exists with another count: fine here, and the count is told */
    op = seam_done(VT->ensure_topics(seam_b, &want, 1));
    assert_int_equal(op->topics[0].code, 0);
    assert_false(op->topics[0].created);
    assert_int_equal(op->topics[0].partitions, 3);
    leat__op_free(op);
}

static void test_ensure_refuses_a_bad_name_and_makes_the_others(void **state)
{
    const char *good = seam_name("good");
    leat__topic_t want[] = {
        {.name = (char *)(uintptr_t) "no spaces in here", .partitions = 1, .replication = -1},
        {.name = (char *)(uintptr_t)good, .partitions = 1, .replication = -1}};
    leat__op_t *op;

    (void)state;
    if (!seam_wanted())
        return;
    op = seam_done(VT->ensure_topics(seam_b, want, 2));
    assert_int_not_equal(op->err.code, 0);
    assert_int_not_equal(op->topics[0].code, 0);
    assert_non_null(op->topics[0].error);
    assert_int_equal(op->topics[1].code, 0);
    assert_true(op->topics[1].created);
    leat__op_free(op);
}

static const char *setting_of(const leat__topic_t *t, const char *key)
{
    for (size_t i = 0; i < t->setting_count; i++)
        if (strcmp(t->settings[i].key, key) == 0)
            return t->settings[i].value;
    return "";
}

static void test_describe_tells_counts_settings_and_what_is_missing(void **state)
{
    const char *names[] = {seam_name("described"), seam_name("missing")};
    leat__setting_t settings[] = {{"cleanup.policy", "compact"}, {"delete.retention.ms", "12345"}};
    leat__topic_t want = {.name = (char *)(uintptr_t)names[0],
        .partitions = 2,
        .replication = -1,
        .settings = settings,
        .setting_count = 2};
    leat__op_t *op;

    (void)state;
    if (!seam_wanted())
        return;
    seam_must(VT->ensure_topics(seam_b, &want, 1));
    op = seam_done(VT->describe_topics(seam_b, names, 2, true));
    assert_int_equal(op->err.code, 0);
    assert_int_equal(op->topic_count, 2);
    assert_int_equal(op->topics[0].partitions, 2);
    assert_string_equal(setting_of(&op->topics[0], "cleanup.policy"), "compact");
    assert_string_equal(setting_of(&op->topics[0], "delete.retention.ms"), "12345");
    assert_true(setting_of(&op->topics[0], "retention.ms")[0] != '\0'); /* a default is told too */
    assert_string_equal(op->topics[1].name, names[1]);
    assert_int_equal(op->topics[1].partitions, 0);
    assert_int_equal(op->topics[1].code, 0);
    leat__op_free(op);
}

static bool listed(const char *name)
{
    leat__op_t *op = seam_done(VT->list_topics(seam_b));
    bool found = false;

    assert_int_equal(op->err.code, 0);
    for (size_t i = 0; i < op->topic_count; i++)
        found |= strcmp(op->topics[i].name, name) == 0 && op->topics[i].partitions == 2;
    leat__op_free(op);
    return found;
}

static void test_list_shows_a_topic_until_it_is_deleted(void **state)
{
    const char *name = seam_name("listed");
    int64_t until_ms;

    (void)state;
    if (!seam_wanted())
        return;
    assert_false(listed(name));
    seam_topic(name, 2, NULL);
    assert_true(listed(name));
    seam_must(VT->delete_topics(seam_b, &name, 1));
    until_ms = seam_now_ms() + seam->patience_ms;
    while (listed(name) && seam_now_ms() < until_ms)
        seam_sleep(50);
    assert_false(listed(name));
}

static void test_a_missing_topic_is_not_made_by_use(void **state)
{
    const char *name = seam_name("nowhere");
    leat__writer_t *w;
    leat_error_t err;

    (void)state;
    if (!seam_wanted())
        return;
    w = seam_writer(NULL);
    assert_null(VT->writer_topic(w, name, &err));
    assert_int_equal(err.code, LEAT_ETOPIC);
    assert_non_null(strstr(err.text, name));
    seam_close_writer(w);
    assert_false(listed(name));
}

/* ---- records ---- */

static bool take_one(leat__reader_t *r, int slot, leat__batch_t *batch)
{
    int64_t until_ms = seam_now_ms() + seam->patience_ms;

    for (; seam_now_ms() < until_ms; VT->reader_wait(r, 50)) {
        if (!VT->reader_take(r, slot, 1, batch))
            continue;
        if (batch->count)
            return true;
        VT->reader_release(r, batch);
    }
    return false;
}

static void produce(leat__writer_t *w, leat__out_t *out, leat_slice_t key, leat_slice_t value,
    int64_t time_ms, const leat_headers_t *headers)
{
    leat_error_t err;

    if (VT->produce(w, out, 0, key, value, time_ms, headers, &err))
        fail_msg("%s", err.text);
}

static void test_nulls_empties_times_and_headers_come_back(void **state)
{
    const char *topic = seam_name("bytes");
    leat_header_t headers[] = {
        {"trace", {"abc", 3}}, {"null", {NULL, 0}}, {"empty", {"", 0}}, {"trace", {"second", 6}}};
    leat__arena_t scratch;
    leat__reader_t *r;
    leat__writer_t *w;
    leat__out_t *out;
    leat__batch_t batch;
    const leat_headers_t *h;
    int slot;

    (void)state;
    if (!seam_wanted())
        return;
    leat__arena_init(&scratch);
    seam_topic(topic, 1, NULL);
    w = seam_writer(NULL);
    out = seam_out(w, topic);
    produce(w, out, leat_slice("key"), (leat_slice_t){"a\0b", 3}, 1234567890123,
        leat__headers_new(&scratch, headers, 4));
    produce(w, out, none, (leat_slice_t){"", 0}, 7, NULL);
    produce(w, out, (leat_slice_t){"", 0}, none, 8, NULL);
    seam_must(VT->writer_flush(w));
    r = seam_reader(true);
    slot = seam_add(r, topic, 0, 0);

    assert_true(take_one(r, slot, &batch));
    assert_int_equal(batch.records[0].offset, 0);
    assert_int_equal(batch.records[0].time_ms, 1234567890123);
    assert_true(leat_slice_is(&batch.records[0].key, "key"));
    assert_int_equal(batch.records[0].value.size, 3);
    assert_memory_equal(batch.records[0].value.data, "a\0b", 3);
    h = VT->reader_headers(r, &batch.records[0], &scratch);
    assert_int_equal(leat_headers_count(h), 4);
    assert_string_equal(leat_headers_at(h, 0)->name, "trace");
    assert_true(leat_slice_is(&leat_headers_at(h, 0)->value, "abc"));
    assert_null(leat_headers_at(h, 1)->value.data);
    assert_non_null(leat_headers_at(h, 2)->value.data);
    assert_int_equal(leat_headers_at(h, 2)->value.size, 0);
    assert_true(leat_slice_is(leat_headers_get(h, "trace"), "second"));
    VT->reader_release(r, &batch);

    assert_true(take_one(r, slot, &batch));
    assert_null(batch.records[0].key.data);
    assert_non_null(batch.records[0].value.data);
    assert_int_equal(batch.records[0].value.size, 0);
    assert_null(VT->reader_headers(r, &batch.records[0], &scratch));
    VT->reader_release(r, &batch);

    assert_true(take_one(r, slot, &batch));
    assert_non_null(batch.records[0].key.data);
    assert_int_equal(batch.records[0].key.size, 0);
    assert_null(batch.records[0].value.data);
    VT->reader_release(r, &batch);
    VT->reader_close(r);
    seam_close_writer(w);
    leat__arena_release(&scratch);
}

static void test_partition_is_the_one_given_or_by_the_keys_hash(void **state)
{
    const char *topic = seam_name("partitions");
    leat__writer_t *w;
    leat__out_t *out;
    leat_error_t err;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 4, NULL);
    w = seam_writer(NULL);
    out = seam_out(w, topic);
    assert_int_equal(VT->out_partitions(out), 4);
    seam_put(w, out, 3, "a", "given");
    seam_must(VT->writer_flush(w));
    assert_int_equal(seam_offset(topic, 3, LEAT__HIGH_WATERMARK, 0), 1);
    /* Kafka's clients: murmur2("21") & 0x7fffffff is 973932308 less the sign: 21 -> partition 0 of
     * 4. */
    seam_put(w, out, -1, "21", "hashed");
    seam_must(VT->writer_flush(w));
    assert_int_equal(seam_offset(topic, (int32_t)((uint32_t)(-973932308 & 0x7fffffff) % 4),
                         LEAT__HIGH_WATERMARK, 0),
        1);
    assert_int_not_equal(VT->produce(w, out, 4, none, none, 1, NULL, &err), 0);
    seam_close_writer(w);
}

static void test_big_record_comes_back_whole(void **state)
{
    const char *topic = seam_name("big");
    char *bytes = leat__must_alloc(seam ? seam->big_bytes : 1);
    leat__reader_t *r;
    leat__writer_t *w;
    leat__batch_t batch;

    (void)state;
    if (!seam_b) {
        leat__free(bytes);
        seam_wanted();
        return;
    }
    for (size_t i = 0; i < seam->big_bytes; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    seam_topic(topic, 1, NULL);
    w = seam_writer(NULL);
    produce(
        w, seam_out(w, topic), leat_slice("k"), (leat_slice_t){bytes, seam->big_bytes}, 1, NULL);
    seam_must(VT->writer_flush(w));
    r = seam_reader(true);
    assert_true(take_one(r, seam_add(r, topic, 0, 0), &batch));
    assert_int_equal(batch.records[0].value.size, seam->big_bytes);
    assert_memory_equal(batch.records[0].value.data, bytes, seam->big_bytes);
    VT->reader_release(r, &batch);
    VT->reader_close(r);
    seam_close_writer(w);
    leat__free(bytes);
}

static void test_end_is_told_once_and_again_after_more(void **state)
{
    const char *topic = seam_name("end");
    leat__reader_t *r;
    leat__writer_t *w;
    leat__out_t *out;
    leat__batch_t batch;
    seen_t seen;
    int slot;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    r = seam_reader(true);
    slot = seam_add(r, topic, 0, 0);
    seen = seam_read_to_end(r, slot); /* of an empty partition too */
    assert_int_equal(seen.count, 0);
    assert_int_equal(seen.next, 0);
    assert_false(VT->reader_take(r, slot, 10, &batch));
    w = seam_writer(NULL);
    out = seam_out(w, topic);
    seam_put(w, out, 0, "k", "a");
    seam_put(w, out, 0, "k", "b");
    seam_must(VT->writer_flush(w));
    seen = seam_read_to_end(r, slot);
    assert_string_equal(seen.values, "a b");
    assert_int_equal(seen.next, 2);
    assert_int_equal(VT->reader_high_watermark(r, slot), 2);
    VT->reader_close(r);
    seam_close_writer(w);
}

static void test_offsets_of_every_kind(void **state)
{
    const char *topic = seam_name("offsets");
    leat__position_t missing = seam_at(seam_name("no-topic"), 0, 0);
    leat__writer_t *w;
    leat__out_t *out;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 2, NULL);
    w = seam_writer(NULL);
    out = seam_out(w, topic);
    for (int i = 0; i < 5; i++)
        produce(w, out, leat_slice("k"), leat_slice("v"), 1000 + i * 10, NULL);
    seam_must(VT->writer_flush(w));
    assert_int_equal(seam_offset(topic, 0, LEAT__EARLIEST, 0), 0);
    assert_int_equal(seam_offset(topic, 0, LEAT__HIGH_WATERMARK, 0), 5);
    assert_int_equal(seam_offset(topic, 0, LEAT__STABLE_END, 0), 5);
    assert_int_equal(seam_offset(topic, 1, LEAT__HIGH_WATERMARK, 0), 0);
    assert_int_equal(seam_offset(topic, 0, LEAT__AT_TIME, 1020), 2);
    assert_int_equal(seam_offset(topic, 0, LEAT__AT_TIME, 1021), 3);
    assert_int_equal(seam_offset(topic, 0, LEAT__AT_TIME, 9999), 5); /* none: the end */
    seam_refused(VT->offsets(seam_b, &missing, 1, LEAT__EARLIEST));
    seam_close_writer(w);
}

static void test_offset_out_of_range_is_a_code_of_the_batch(void **state)
{
    const char *topic = seam_name("range");
    leat__reader_t *r;
    int slot;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    r = seam_reader(true);
    slot = seam_add(r, topic, 0, 777);
    assert_int_equal(seam_read_to_end(r, slot).code, LEAT_ETOPIC);
    VT->reader_seek(r, slot, 0); /* and the slot is as good as before */
    assert_true(seam_read_to_end(r, slot).end);
    VT->reader_close(r);
}

static void test_delete_records_moves_the_start(void **state)
{
    const char *topic = seam_name("purge");
    leat__position_t below = seam_at(topic, 0, 3), past = seam_at(topic, 0, 99);
    leat__writer_t *w;
    leat__out_t *out;
    leat__reader_t *r;
    int slot;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    w = seam_writer(NULL);
    out = seam_out(w, topic);
    for (int i = 0; i < 5; i++)
        seam_put(w, out, 0, "k", "v");
    seam_must(VT->writer_flush(w));
    seam_must(VT->delete_records(seam_b, &below, 1));
    assert_int_equal(seam_offset(topic, 0, LEAT__EARLIEST, 0), 3);
    r = seam_reader(true);
    slot = seam_add(r, topic, 0, 1);
    assert_int_equal(seam_read_to_end(r, slot).code, LEAT_ETOPIC);
    VT->reader_seek(r, slot, 3);
    assert_int_equal(seam_read_to_end(r, slot).first, 3);
    seam_refused(VT->delete_records(seam_b, &past, 1));
    assert_int_equal(seam_offset(topic, 0, LEAT__EARLIEST, 0), 3);
    VT->reader_close(r);
    seam_close_writer(w);
}

/* ---- many, and in order ---- */

static void write_many(const char *topic, size_t count)
{
    leat__writer_t *w = seam_writer(NULL);
    leat__out_t *out = seam_out(w, topic);
    leat_error_t err;

    for (size_t i = 0; i < count; i++) {
        while (VT->produce(w, out, 0, leat_slice("key"), (leat_slice_t){(const char *)&i, sizeof i},
                   1, NULL, &err) == LEAT_EFULL)
            VT->writer_poll(w);
        if (err.code && err.code != LEAT_EFULL)
            fail_msg("%s", err.text);
        if (i % 1000 == 0)
            VT->writer_poll(w);
    }
    seam_must(VT->writer_flush(w));
    assert_int_equal(VT->out_delivered(out, 0), count);
    seam_close_writer(w);
}

/* Takes up to max records that must continue at *want; false: the end. */
static bool take_in_order(leat__reader_t *r, int slot, size_t max, size_t *want)
{
    leat__batch_t batch;
    bool end;

    if (!VT->reader_take(r, slot, max, &batch)) {
        VT->reader_wait(r, 50);
        return true;
    }
    assert_true(batch.count <= max);
    for (size_t i = 0; i < batch.count; i++, (*want)++) {
        size_t number;

        memcpy(&number, batch.records[i].value.data, sizeof number);
        assert_int_equal(number, *want);
        assert_int_equal(batch.records[i].offset, *want);
    }
    end = batch.at_end;
    VT->reader_release(r, &batch);
    return !end;
}

static void test_many_records_stay_in_order(void **state)
{
    const char *topic = seam_name("many");
    leat__reader_t *r;
    size_t want = 0;
    int slot;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    write_many(topic, seam->many);
    r = seam_reader(true);
    slot = seam_add(r, topic, 0, 0);
    while (take_in_order(r, slot, 777, &want))
        ;
    assert_int_equal(want, seam->many);
    VT->reader_close(r);
}

static void test_seek_remove_and_add_lose_and_double_nothing(void **state)
{
    const char *topic = seam_name("seek"), *other = seam_name("seek-other");
    leat__reader_t *r;
    size_t want = 0;
    int slot;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    seam_topic(other, 1, NULL);
    write_many(topic, 3000);
    r = seam_reader(true);
    slot = seam_add(r, topic, 0, 0);
    while (want < 1000)
        assert_true(take_in_order(r, slot, 100, &want));
    VT->reader_seek(r, slot, 500);
    want = 500;
    while (want < 700)
        assert_true(take_in_order(r, slot, 100, &want));
    VT->reader_remove(r, slot);
    assert_int_equal(
        seam_add(r, other, 0, 0), slot); /* the number is used again, the records are not */
    assert_int_equal(seam_read_to_end(r, slot).count, 0);
    slot = seam_add(r, topic, 0, (int64_t)want);
    while (take_in_order(r, slot, 100, &want))
        ;
    assert_int_equal(want, 3000);
    VT->reader_close(r);
}

static void test_unread_slot_holds_nothing_back(void **state)
{
    const char *quiet = seam_name("unread"), *busy = seam_name("read");
    leat__reader_t *r;
    leat__writer_t *w;
    size_t want = 0;
    int slot, unread;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(quiet, 1, NULL);
    seam_topic(busy, 1, NULL);
    write_many(quiet, seam->many);
    write_many(busy, 2000);
    r = seam_reader(true);
    unread = seam_add(r, quiet, 0, 0);
    slot = seam_add(r, busy, 0, 0);
    while (take_in_order(r, slot, 100, &want))
        ;
    assert_int_equal(want, 2000);
    /* With a full slot that nobody takes from, waiting must still wait, and still wake. */
    VT->reader_wait(r, 1);
    VT->reader_wait(r, 1);
    w = seam_writer(NULL);
    want = 0;
    while (take_in_order(r, unread, 1000, &want))
        ;
    assert_int_equal(want, seam->many);
    seam_close_writer(w);
    VT->reader_close(r);
}

static void test_wait_ends_by_records_and_by_wake(void **state)
{
    const char *topic = seam_name("wake");
    leat__reader_t *r;
    leat__writer_t *w;
    int64_t before_ms;
    int slot;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    r = seam_reader(true);
    slot = seam_add(r, topic, 0, 0);
    seam_read_to_end(r, slot);
    while (VT->reader_wait(r, 0)) /* what is left over */
        ;
    before_ms = seam_now_ms();
    VT->reader_wake(r);
    assert_true(VT->reader_wait(r, seam->patience_ms));
    assert_true(seam_now_ms() - before_ms < seam->patience_ms / 2);
    w = seam_writer(NULL);
    seam_put(w, seam_out(w, topic), 0, "k", "v");
    seam_must(VT->writer_flush(w));
    assert_string_equal(seam_read_to_end(r, slot).values, "v");
    VT->reader_close(r);
    seam_close_writer(w);
}

/* ---- writers ---- */

static void test_delivered_and_gap_show_a_foreign_record(void **state)
{
    const char *topic = seam_name("gap");
    leat__writer_t *ours, *theirs;
    leat__out_t *out;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    ours = seam_writer(NULL);
    theirs = seam_writer(NULL);
    out = seam_out(ours, topic);
    assert_int_equal(VT->out_delivered(out, 0), -1);
    seam_put(ours, out, 0, "k", "1");
    seam_must(VT->writer_flush(ours));
    assert_int_equal(VT->out_delivered(out, 0), 1);
    assert_int_equal(VT->out_gap(out, 0), -1);
    seam_put(theirs, seam_out(theirs, topic), 0, "k", "zombie");
    seam_must(VT->writer_flush(theirs));
    seam_put(ours, out, 0, "k", "2");
    seam_must(VT->writer_flush(ours));
    assert_int_equal(VT->out_gap(out, 0), 1);
    assert_int_equal(VT->out_gap(out, 0), -1); /* told once */
    assert_int_equal(VT->out_delivered(out, 0), 3);
    seam_close_writer(ours);
    seam_close_writer(theirs);
}

static void test_keyless_record_is_refused_by_a_compacted_topic(void **state)
{
    const char *topic = seam_name("compacted");
    leat__writer_t *w;
    leat__failure_t f;
    leat_error_t err;
    int rc;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, "compact");
    w = seam_writer(NULL);
    rc = VT->produce(w, seam_out(w, topic), 0, none, leat_slice("v"), 1, NULL, &err);
    if (rc == 0) {
        seam_refused(VT->writer_flush(w));
        assert_true(VT->writer_failure(w, &f));
        assert_string_equal(f.topic, topic);
        assert_int_equal(f.partition, 0);
        assert_false(VT->writer_failure(w, &f));
    }
    seam_put(w, seam_out(w, topic), 0, "k", "good"); /* the writer goes on */
    seam_must(VT->writer_flush(w));
    seam_close_writer(w);
    seam_reads(topic, true, "good");
}

static void test_too_large_record_is_refused_alone(void **state)
{
    static char big[5000];
    const char *topic = seam_name("large");
    leat__setting_t setting = {"max.message.bytes", "1000"};
    leat__topic_t want = {.name = (char *)(uintptr_t)topic,
        .partitions = 1,
        .replication = -1,
        .settings = &setting,
        .setting_count = 1};
    leat__writer_t *w;
    leat__failure_t f;

    (void)state;
    if (!seam_wanted())
        return;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)rand(); /* not to be made small by compression */
    seam_must(VT->ensure_topics(seam_b, &want, 1));
    w = seam_writer(NULL);
    produce(w, seam_out(w, topic), leat_slice("k"), (leat_slice_t){big, sizeof big}, 1, NULL);
    assert_int_equal(seam_refused(VT->writer_flush(w)).code, LEAT_EARGUMENT);
    assert_true(VT->writer_failure(w, &f));
    assert_int_equal(f.err.code, LEAT_EARGUMENT);
    seam_close_writer(w);
    assert_int_equal(seam_offset(topic, 0, LEAT__HIGH_WATERMARK, 0), 0);
}

static void test_close_with_things_pending_ends(void **state)
{
    const char *topic = seam_name("close");
    leat__broker_t *b;
    leat__writer_opts_t wo = {.client_id = "seam"};
    leat__reader_opts_t ro = {.client_id = "seam", .read_committed = true};
    leat__writer_t *w;
    leat__reader_t *r;
    leat__op_t *flush;
    leat_error_t err;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    b = seam->open();
    w = b->vt->writer_open(b, &wo, &err);
    r = b->vt->reader_open(b, &ro, &err);
    assert_true(b->vt->reader_add(r, topic, 0, 0, &err) >= 0);
    for (int i = 0; i < 100; i++)
        b->vt->produce(
            w, b->vt->writer_topic(w, topic, &err), 0, none, leat_slice("v"), 1, NULL, &err);
    flush = b->vt->writer_flush(w);
    leat__op_free(flush); /* nobody waits for it */
    leat__op_free(b->vt->list_topics(b));
    seam_must(b->vt->writer_close(w));
    b->vt->reader_close(r);
    b->vt->close(b);
}

const struct CMUnitTest seam_record_tests[] = {
    cmocka_unit_test(test_ensure_says_what_it_made_and_leaves_what_exists),
    cmocka_unit_test(test_ensure_refuses_a_bad_name_and_makes_the_others),
    cmocka_unit_test(test_describe_tells_counts_settings_and_what_is_missing),
    cmocka_unit_test(test_list_shows_a_topic_until_it_is_deleted),
    cmocka_unit_test(test_a_missing_topic_is_not_made_by_use),
    cmocka_unit_test(test_nulls_empties_times_and_headers_come_back),
    cmocka_unit_test(test_partition_is_the_one_given_or_by_the_keys_hash),
    cmocka_unit_test(test_big_record_comes_back_whole),
    cmocka_unit_test(test_end_is_told_once_and_again_after_more),
    cmocka_unit_test(test_offsets_of_every_kind),
    cmocka_unit_test(test_offset_out_of_range_is_a_code_of_the_batch),
    cmocka_unit_test(test_delete_records_moves_the_start),
    cmocka_unit_test(test_many_records_stay_in_order),
    cmocka_unit_test(test_seek_remove_and_add_lose_and_double_nothing),
    cmocka_unit_test(test_unread_slot_holds_nothing_back),
    cmocka_unit_test(test_wait_ends_by_records_and_by_wake),
    cmocka_unit_test(test_delivered_and_gap_show_a_foreign_record),
    cmocka_unit_test(test_keyless_record_is_refused_by_a_compacted_topic),
    cmocka_unit_test(test_too_large_record_is_refused_alone),
    cmocka_unit_test(test_close_with_things_pending_ends),
};
const size_t seam_record_test_count = sizeof seam_record_tests / sizeof seam_record_tests[0];
