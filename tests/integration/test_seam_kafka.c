/*
 * tests/integration/test_seam_kafka.c: the seam on librdkafka against a real broker.
 *
 * Goal: what only Kafka can show: errors with their texts, fencing, the end of a partition behind
 * markers, a seek that drops what was prefetched, no stall of the fetcher, a broker that dies and
 * comes back. The contract that both seams keep is in seam_contract.c. Every test uses topics and
 * groups of its own name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/mem.h"
#include "kafka_broker.h"
#include "runtime/broker.h"
#include "seam_contract.h"

static leat_config_t *config;
static leat__broker_t *b;
static char run_id[32];

static const char *unique(const char *name)
{
    static char ring[8][128];
    static unsigned at;
    char *text = ring[at++ % 8];

    snprintf(text, 128, "%s-%s", run_id, name);
    return text;
}

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

static void wait_op(leat__op_t *op)
{
    assert_true(leat__op_wait(op, 60000));
}

/* Waits, wants success and frees. */
static void must(leat__op_t *op)
{
    wait_op(op);
    if (op->err.code)
        fail_msg("%s: %s (flags %u)", leat_error_name(op->err.code), op->err.text, op->err.flags);
    leat__op_free(op);
}

static leat__broker_t *open_with(const char *servers, const char *const *more, leat_config_t **own)
{
    leat_error_t err;
    leat__broker_t *broker;

    *own = leat_config_new();
    leat_config_set(*own, "application.id", run_id);
    leat_config_set(*own, "bootstrap.servers", servers);
    for (; more && more[0]; more += 2)
        leat_config_set(*own, more[0], more[1]);
    assert_int_equal(leat__config_error(*own)->code, 0);
    broker = leat__kafka_open(*own, &err);
    assert_non_null(broker);
    return broker;
}

static int setup(void **state)
{
    (void)state;
    snprintf(run_id, sizeof run_id, "t%lld", (long long)leat__clock_wall_ms(NULL));
    if (kafka_broker())
        b = open_with(kafka_broker(), NULL, &config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (b) {
        b->vt->close(b);
        leat_config_free(config);
    }
    return 0;
}

static void make_topic(const char *name, int32_t partitions)
{
    leat__topic_t topic = {
        .name = (char *)(uintptr_t)name, .partitions = partitions, .replication = -1};

    must(b->vt->ensure_topics(b, &topic, 1));
}

static leat__writer_t *open_writer(const char *transactional_id)
{
    leat_error_t err;
    leat__writer_opts_t o = {.client_id = "writer",
        .transactional_id = transactional_id,
        .transaction_timeout_ms = 10000};
    leat__writer_t *w = b->vt->writer_open(b, &o, &err);

    if (!w)
        fail_msg("%s", err.text);
    return w;
}

static leat__out_t *open_topic(leat__writer_t *w, const char *topic)
{
    leat_error_t err;
    leat__out_t *out = b->vt->writer_topic(w, topic, &err);

    if (!out)
        fail_msg("%s", err.text);
    return out;
}

static void put(
    leat__writer_t *w, leat__out_t *out, int32_t partition, const char *key, const char *value)
{
    leat_error_t err;
    int rc;

    while ((rc = b->vt->produce(w, out, partition, leat_slice(key), leat_slice(value), 1000, NULL,
                &err)) == LEAT_EFULL)
        b->vt->writer_poll(w);
    if (rc)
        fail_msg("%s", err.text);
}

static leat__reader_t *open_reader(bool committed, bool tail)
{
    leat_error_t err;
    leat__reader_opts_t o = {.client_id = "reader", .read_committed = committed, .tail = tail};
    leat__reader_t *r = b->vt->reader_open(b, &o, &err);

    if (!r)
        fail_msg("%s", err.text);
    return r;
}

static int add(leat__reader_t *r, const char *topic, int32_t partition, int64_t offset)
{
    leat_error_t err;
    int slot = b->vt->reader_add(r, topic, partition, offset, &err);

    if (slot < 0)
        fail_msg("%s", err.text);
    return slot;
}

typedef struct seen_t {
    size_t count;
    int64_t next, first, last;
    int code;
    char values[4096];
} seen_t;

/* Reads to the end (or an error), for at most timeout_ms. */
static seen_t read_slot(leat__reader_t *r, int slot, int64_t timeout_ms)
{
    seen_t seen = {.first = -1, .last = -1, .next = -1};
    int64_t until = leat__clock_steady_ms(NULL) + timeout_ms;
    leat__batch_t batch;
    bool end = false;

    while (!end && leat__clock_steady_ms(NULL) < until) {
        while (b->vt->reader_take(r, slot, 1000, &batch)) {
            for (size_t i = 0; i < batch.count; i++) {
                const leat__raw_t *raw = &batch.records[i];
                size_t at = strlen(seen.values);

                if (seen.first < 0)
                    seen.first = raw->offset;
                assert_true(raw->offset > seen.last);
                seen.last = raw->offset;
                if (at + raw->value.size + 2 < sizeof seen.values)
                    snprintf(
                        seen.values + at, sizeof seen.values - at, "%.*s ", LEAT_P(&raw->value));
            }
            seen.count += batch.count;
            seen.next = batch.next;
            if (batch.code)
                seen.code = batch.code;
            end = batch.at_end || batch.code;
            b->vt->reader_release(r, &batch);
        }
        if (!end)
            b->vt->reader_wait(r, 50);
    }
    return seen;
}

/* ---- topics ---- */

static void test_topics_create_describe_delete(void **state)
{
    const char *names[] = {unique("new"), unique("absent")};
    leat__setting_t settings[] = {
        {"cleanup.policy", "compact,delete"}, {"retention.ms", "123456789"}};
    leat__topic_t topic = {.name = (char *)(uintptr_t)names[0],
        .partitions = 3,
        .replication = -1,
        .settings = settings,
        .setting_count = 2};
    leat__op_t *op;
    int matches = 0;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    op = b->vt->ensure_topics(b, &topic, 1);
    wait_op(op);
    assert_int_equal(op->err.code, 0);
    assert_true(op->topics[0].created);
    assert_int_equal(op->topics[0].partitions, 3);
    leat__op_free(op);
    op = b->vt->ensure_topics(b, &topic, 1);
    wait_op(op);
    assert_false(op->topics[0].created);
    leat__op_free(op);
    op = b->vt->describe_topics(b, names, 2, true);
    wait_op(op);
    assert_int_equal(op->err.code, 0);
    assert_int_equal(op->topics[1].partitions, 0);
    assert_int_equal(op->topics[1].code, 0);
    for (size_t i = 0; i < op->topics[0].setting_count; i++)
        for (size_t s = 0; s < 2; s++)
            matches += strcmp(op->topics[0].settings[i].key, settings[s].key) == 0 &&
                       strcmp(op->topics[0].settings[i].value, settings[s].value) == 0;
    assert_int_equal(matches, 2);
    leat__op_free(op);
    must(b->vt->delete_topics(b, names, 1));
}

static void test_topics_bad_settings_say_why(void **state)
{
    leat__setting_t settings[] = {{"retention.ms", "soon"}};
    leat__topic_t topic = {.name = (char *)(uintptr_t)unique("bad"),
        .partitions = 1,
        .replication = -1,
        .settings = settings,
        .setting_count = 1};
    leat__op_t *op;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    op = b->vt->ensure_topics(b, &topic, 1);
    wait_op(op);
    assert_int_equal(op->err.code, LEAT_ETOPIC);
    assert_non_null(strstr(op->err.text, "retention.ms"));
    leat__op_free(op);
}

/* ---- records ---- */

static void test_records_keep_nulls_times_and_headers(void **state)
{
    const char *topic = unique("records");
    leat__writer_t *w;
    leat__out_t *out;
    leat__reader_t *r;
    leat__arena_t scratch;
    leat_header_t header[] = {{"trace", {"abc", 3}}, {"none", {NULL, 0}}};
    leat__batch_t batch = {0};
    const leat_headers_t *headers;
    leat_error_t err;
    int slot;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    make_topic(topic, 1);
    leat__arena_init(&scratch);
    w = open_writer(NULL);
    out = open_topic(w, topic);
    assert_int_equal(b->vt->out_partitions(out), 1);
    assert_int_equal(b->vt->produce(w, out, 0, leat_slice("k"), (leat_slice_t){NULL, 0}, 42,
                         leat__headers_new(&scratch, header, 2), &err),
        0);
    assert_int_equal(
        b->vt->produce(w, out, 0, (leat_slice_t){NULL, 0}, (leat_slice_t){"", 0}, 43, NULL, &err),
        0);
    must(b->vt->writer_flush(w));
    assert_int_equal(b->vt->out_delivered(out, 0), 2);
    assert_int_equal(b->vt->out_gap(out, 0), -1);
    r = open_reader(true, true);
    slot = add(r, topic, 0, 0);
    for (int i = 0; i < 200 && !b->vt->reader_take(r, slot, 10, &batch); i++)
        b->vt->reader_wait(r, 50);
    assert_int_equal(batch.count, 2);
    assert_true(leat_slice_is(&batch.records[0].key, "k"));
    assert_null(batch.records[0].value.data);
    assert_int_equal(batch.records[0].time_ms, 42);
    headers = b->vt->reader_headers(r, &batch.records[0], &scratch);
    assert_int_equal(leat_headers_count(headers), 2);
    assert_true(leat_slice_is(leat_headers_get(headers, "trace"), "abc"));
    assert_null(leat_headers_at(headers, 1)->value.data);
    assert_null(batch.records[1].key.data);
    assert_non_null(batch.records[1].value.data);
    assert_int_equal(batch.records[1].value.size, 0);
    assert_null(b->vt->reader_headers(r, &batch.records[1], &scratch));
    b->vt->reader_release(r, &batch);
    b->vt->reader_close(r);
    must(b->vt->writer_close(w));
    leat__arena_release(&scratch);
}

static void test_writer_foreign_record_shows_as_gap(void **state)
{
    const char *topic = unique("gap");
    leat__writer_t *ours, *theirs;
    leat__out_t *out, *other;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    make_topic(topic, 1);
    ours = open_writer(NULL);
    theirs = open_writer(NULL);
    out = open_topic(ours, topic);
    other = open_topic(theirs, topic);
    put(ours, out, 0, "k", "1");
    must(b->vt->writer_flush(ours));
    assert_int_equal(b->vt->out_gap(out, 0), -1);
    put(theirs, other, 0, "k", "zombie");
    must(b->vt->writer_flush(theirs));
    put(ours, out, 0, "k", "2");
    must(b->vt->writer_flush(ours));
    assert_int_equal(b->vt->out_gap(out, 0), 1);
    assert_int_equal(b->vt->out_gap(out, 0), -1);
    assert_int_equal(b->vt->out_delivered(out, 0), 3);
    must(b->vt->writer_close(ours));
    must(b->vt->writer_close(theirs));
}

static void test_writer_unknown_topic_and_large_record(void **state)
{
    const char *topic = unique("large");
    leat__setting_t settings[] = {{"max.message.bytes", "1000"}};
    leat__topic_t made = {.name = (char *)(uintptr_t)topic,
        .partitions = 1,
        .replication = -1,
        .settings = settings,
        .setting_count = 1};
    leat__writer_t *w;
    leat__failure_t failure;
    leat_error_t err;
    leat__op_t *op;
    static char big[5000];

    (void)state;
    if (!kafka_broker_wanted())
        return;
    must(b->vt->ensure_topics(b, &made, 1));
    w = open_writer(NULL);
    assert_null(b->vt->writer_topic(w, unique("nowhere"), &err));
    assert_int_equal(err.code, LEAT_ETOPIC);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)('a' + rand() % 26);
    assert_int_equal(b->vt->produce(w, open_topic(w, topic), 0, leat_slice("k"),
                         (leat_slice_t){big, sizeof big}, 1, NULL, &err),
        0);
    op = b->vt->writer_flush(w);
    wait_op(op);
    assert_int_equal(op->err.code, LEAT_EARGUMENT);
    leat__op_free(op);
    assert_true(b->vt->writer_failure(w, &failure));
    assert_string_equal(failure.topic, topic);
    assert_int_equal(failure.err.code, LEAT_EARGUMENT);
    assert_false(b->vt->writer_failure(w, &failure));
    must(b->vt->writer_close(w));
}

static void test_reader_seek_drops_prefetched(void **state)
{
    const char *topic = unique("seek");
    leat__writer_t *w;
    leat__out_t *out;
    leat__reader_t *r;
    leat__batch_t batch;
    int64_t want = 0, until;
    int slot;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    make_topic(topic, 1);
    w = open_writer(NULL);
    out = open_topic(w, topic);
    for (int i = 0; i < 30000; i++)
        put(w, out, 0, "key", "value");
    must(b->vt->writer_flush(w));
    must(b->vt->writer_close(w));
    r = open_reader(true, true);
    slot = add(r, topic, 0, 0);
    until = leat__clock_steady_ms(NULL) + 30000;
    for (int seek = 0; seek < 20 && leat__clock_steady_ms(NULL) < until;) {
        if (!b->vt->reader_take(r, slot, 700, &batch)) {
            b->vt->reader_wait(r, 100);
            continue;
        }
        for (size_t i = 0; i < batch.count; i++)
            assert_int_equal(batch.records[i].offset, want++);
        b->vt->reader_release(r, &batch);
        if (want > 4000 + seek * 100) {
            want = (seek * 977) % 3000;
            b->vt->reader_seek(r, slot, want);
            seek++;
        }
    }
    b->vt->reader_seek(r, slot, 29990);
    assert_int_equal(read_slot(r, slot, 20000).count, 10);
    assert_int_equal(b->vt->reader_high_watermark(r, slot), 30000);
    b->vt->reader_remove(r, slot);
    slot = add(r, topic, 0, 29995);
    assert_int_equal(read_slot(r, slot, 20000).count, 5);
    b->vt->reader_close(r);
}

static void test_reader_offset_out_of_range_is_reported(void **state)
{
    const char *topic = unique("range");
    leat__reader_t *r;
    int slot;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    make_topic(topic, 1);
    r = open_reader(true, true);
    slot = add(r, topic, 0, 777);
    assert_int_equal(read_slot(r, slot, 20000).code, LEAT_ETOPIC);
    b->vt->reader_close(r);
}

static void test_reader_wait_wakes(void **state)
{
    leat__reader_t *r;
    int64_t began;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    r = open_reader(true, true);
    b->vt->reader_wake(r);
    began = leat__clock_steady_ms(NULL);
    assert_true(b->vt->reader_wait(r, 5000));
    assert_true(leat__clock_steady_ms(NULL) - began < 1000);
    assert_false(b->vt->reader_wait(r, 20));
    b->vt->reader_close(r);
}

/*
 * A slow reader behind small queues: without the waker it gets a queue's worth of records a second.
 */
static void test_reader_fetcher_does_not_stall(void **state)
{
    enum { RECORDS = 400000 };
    const char *topic = unique("stall");
    leat__writer_t *w;
    leat__out_t *out;
    leat__reader_t *r;
    leat__batch_t batch;
    int64_t began, took;
    size_t count = 0;
    int slot;
    char value[100];

    (void)state;
    if (!kafka_broker_wanted())
        return;
    make_topic(topic, 1);
    memset(value, 'v', sizeof value);
    w = open_writer(NULL);
    out = open_topic(w, topic);
    for (int i = 0; i < RECORDS; i++) {
        leat_error_t err;

        while (b->vt->produce(w, out, 0, leat_slice("key"), (leat_slice_t){value, sizeof value}, 1,
                   NULL, &err) == LEAT_EFULL)
            b->vt->writer_poll(w);
        if (i % 1000 == 0)
            b->vt->writer_poll(w);
    }
    must(b->vt->writer_flush(w));
    must(b->vt->writer_close(w));
    r = open_reader(true, false);
    slot = add(r, topic, 0, 0);
    began = leat__clock_steady_ms(NULL);
    while (count < RECORDS && leat__clock_steady_ms(NULL) - began < 60000) {
        if (!b->vt->reader_take(r, slot, 1000, &batch)) {
            b->vt->reader_wait(r, 100);
            continue;
        }
        count += batch.count;
        b->vt->reader_release(r, &batch);
        sleep_ms(4); /* 250 000 records a second at best */
    }
    took = leat__clock_steady_ms(NULL) - began;
    assert_int_equal(count, RECORDS);
    b->vt->reader_close(r);
    print_message("%d records of a slow reader in %lld ms\n", RECORDS, (long long)took);
    assert_true(took < 8000); /* 20 000 a second would be 20 s */
}

/* ---- transactions ---- */

static void test_transaction_visibility_and_markers(void **state)
{
    const char *topic = unique("txn");
    leat__position_t place = {.topic = (char *)(uintptr_t)topic, .partition = 0};
    leat__writer_t *w;
    leat__out_t *out;
    leat__reader_t *r;
    leat__op_t *op;
    leat_error_t err;
    seen_t seen;
    int slot;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    make_topic(topic, 1);
    w = open_writer(unique("txn-id"));
    must(b->vt->writer_init(w));
    out = open_topic(w, topic);
    assert_int_equal(b->vt->writer_begin(w, &err), 0);
    put(w, out, 0, "k", "one");
    must(b->vt->writer_commit(w));
    assert_int_equal(b->vt->writer_begin(w, &err), 0);
    put(w, out, 0, "k", "gone");
    must(b->vt->writer_abort(w));
    assert_int_equal(b->vt->writer_begin(w, &err), 0);
    put(w, out, 0, "k", "open");
    must(b->vt->writer_flush(w));
    op = b->vt->offsets(b, &place, 1, LEAT__STABLE_END);
    wait_op(op);
    assert_int_equal(op->positions[0].offset, 4);
    leat__op_free(op);
    op = b->vt->offsets(b, &place, 1, LEAT__HIGH_WATERMARK);
    wait_op(op);
    assert_int_equal(op->positions[0].offset, 5);
    leat__op_free(op);
    r = open_reader(true, true);
    slot = add(r, topic, 0, 0);
    seen = read_slot(r, slot, 10000);
    assert_string_equal(seen.values, "one ");
    assert_int_equal(seen.next, 4);
    b->vt->reader_close(r);
    r = open_reader(false, true);
    slot = add(r, topic, 0, 0);
    assert_string_equal(read_slot(r, slot, 10000).values, "one gone open ");
    b->vt->reader_close(r);
    must(b->vt->writer_abort(w));
    must(b->vt->writer_close(w));
}

/*
 * librdkafka.md, Part I, row 1: with a flush before it, an abort right after a commit is well. On a very busy machine it still
 * ends the producer now and then; that must come as "fenced", and a new writer with the same id must go on at once.
 */
static void test_transaction_abort_soon_after_commit(void **state)
{
    const char *topic = unique("abort"), *id = unique("abort-id");
    leat__writer_t *w;
    leat__out_t *out;
    leat_error_t err;
    leat__op_t *op;
    int renewed = 0;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    make_topic(topic, 4);
    w = open_writer(id);
    must(b->vt->writer_init(w));
    out = open_topic(w, topic);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(b->vt->writer_begin(w, &err), 0);
        for (int p = 0; p < 4; p++)
            put(w, out, p, "k", "kept");
        must(b->vt->writer_commit(w));
        assert_int_equal(b->vt->writer_begin(w, &err), 0);
        for (int p = 0; p < 4; p++)
            put(w, out, p, "k", "dropped");
        op = b->vt->writer_abort(w);
        wait_op(op);
        if (op->err.code) {
            assert_int_equal(op->err.code, LEAT_EFENCED);
            renewed++;
            must(b->vt->writer_close(w));
            w = open_writer(id);
            must(b->vt->writer_init(w));
            out = open_topic(w, topic);
        }
        leat__op_free(op);
    }
    assert_in_range(renewed, 0, 3);
    must(b->vt->writer_close(w));
}

static void test_transaction_fenced_by_fence(void **state)
{
    const char *topic = unique("fence"), *id = unique("fence-id");
    leat__writer_t *w;
    leat__out_t *out;
    leat_error_t err;
    leat__op_t *op;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    make_topic(topic, 1);
    w = open_writer(id);
    must(b->vt->writer_init(w));
    out = open_topic(w, topic);
    assert_int_equal(b->vt->writer_begin(w, &err), 0);
    put(w, out, 0, "k", "never");
    must(b->vt->writer_flush(w));
    must(b->vt->fence(b, (const char *const[]){id, unique("fence-other")}, 2));
    op = b->vt->writer_commit(w);
    wait_op(op);
    assert_int_equal(op->err.code, LEAT_EFENCED);
    leat__op_free(op);
    must(b->vt->writer_close(w));
}

/* ---- membership ---- */

static leat__member_t *join_for(
    const char *group, const char *instance, const char *topic, int64_t max_poll_ms)
{
    leat_error_t err;
    leat__member_opts_t o = {.group = group,
        .instance_id = instance,
        .client_id = "member",
        .topics = &topic,
        .topic_count = 1,
        .session_timeout_ms = 6000,
        .heartbeat_interval_ms = 200,
        .max_poll_interval_ms = max_poll_ms};
    leat__member_t *m = b->vt->member_open(b, &o, &err);

    if (!m)
        fail_msg("%s", err.text);
    return m;
}

static leat__member_t *join(const char *group, const char *instance, const char *topic)
{
    return join_for(group, instance, topic, 30000);
}

static leat__member_event_t next_event(leat__member_t *m, int64_t timeout_ms)
{
    int64_t until = leat__clock_steady_ms(NULL) + timeout_ms;
    leat__member_event_t e = {0};

    while (!b->vt->member_poll(m, &e) && leat__clock_steady_ms(NULL) < until)
        sleep_ms(20);
    return e;
}

static int64_t committed_of(const char *group, const char *topic)
{
    leat__position_t place = {.topic = (char *)(uintptr_t)topic, .partition = 0};
    leat__op_t *op = b->vt->committed(b, group, &place, 1);
    int64_t offset;

    wait_op(op);
    if (op->err.code)
        fail_msg("%s", op->err.text);
    offset = op->positions[0].offset;
    leat__op_free(op);
    return offset;
}

static void test_member_generations_fence_offsets(void **state)
{
    const char *topic = unique("control"), *group = unique("group");
    leat__position_t at = {.topic = (char *)(uintptr_t)topic,
        .partition = 0,
        .offset = 7,
        .metadata = (char *)(uintptr_t) "meta"};
    leat__member_t *one, *two;
    leat__membership_t *first, *second;
    leat__member_event_t e;
    leat__writer_t *w;
    leat__op_t *op;
    leat_error_t err;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    make_topic(topic, 1);
    assert_int_equal(committed_of(group, topic), LEAT__OFFSET_NONE);
    one = join(group, NULL, topic);
    e = next_event(one, 20000);
    assert_int_equal(e.what, LEAT__MEMBER_ASSIGNED);
    assert_true(e.leads);
    first = e.membership;
    assert_true(leat__membership_generation(first) > 0);
    must(b->vt->member_commit(one, first, &at, 1));
    assert_int_equal(committed_of(group, topic), 7);

    two = join(group, NULL, topic);
    e = next_event(one, 20000);
    assert_int_equal(e.what, LEAT__MEMBER_REVOKED);
    /* Not answered yet: the old generation still commits. */
    w = open_writer(unique("gen-id"));
    must(b->vt->writer_init(w));
    assert_int_equal(b->vt->writer_begin(w, &err), 0);
    at.offset = 8;
    must(b->vt->writer_send_offsets(w, &at, 1, first));
    must(b->vt->writer_commit(w));
    assert_int_equal(committed_of(group, topic), 8);
    b->vt->member_answer_revoke(one);
    for (int i = 0; i < 400 && (e = next_event(one, 20), e.what == LEAT__MEMBER_NOTHING); i++)
        b->vt->member_poll(two, &(leat__member_event_t){0});
    assert_int_equal(e.what, LEAT__MEMBER_ASSIGNED);
    second = e.membership;
    assert_true(leat__membership_generation(second) > leat__membership_generation(first));
    assert_string_equal(leat__membership_member_id(second), leat__membership_member_id(first));

    assert_int_equal(b->vt->writer_begin(w, &err), 0);
    at.offset = 3;
    op = b->vt->writer_send_offsets(w, &at, 1, first);
    wait_op(op);
    assert_true(op->err.flags & LEAT_ABORT);
    leat__op_free(op);
    must(b->vt->writer_abort(w));
    op = b->vt->member_commit(one, first, &at, 1);
    wait_op(op);
    assert_true(op->err.flags & LEAT_ABORT);
    leat__op_free(op);
    assert_int_equal(committed_of(group, topic), 8);
    assert_true(b->vt->member_heard_ms(one) < 2000);
    leat__membership_unref(first);
    leat__membership_unref(second);
    must(b->vt->writer_close(w));
    must(b->vt->member_close(one, true));
    must(b->vt->member_close(two, true));
}

static void test_member_static_restart_keeps_generation_and_copy_is_fenced(void **state)
{
    const char *topic = unique("static"), *group = unique("static-group");
    leat__member_t *m, *copy;
    leat__member_event_t e;
    int32_t generation;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    make_topic(topic, 1);
    m = join(group, "process-1", topic);
    e = next_event(m, 20000);
    assert_int_equal(e.what, LEAT__MEMBER_ASSIGNED);
    generation = leat__membership_generation(e.membership);
    leat__membership_unref(e.membership);
    must(b->vt->member_close(m, false));
    m = join(group, "process-1", topic);
    e = next_event(m, 3000);
    assert_int_equal(e.what, LEAT__MEMBER_ASSIGNED);
    assert_int_equal(leat__membership_generation(e.membership), generation);
    leat__membership_unref(e.membership);

    copy = join(group, "process-1", topic);
    e = next_event(copy, 5000);
    assert_int_equal(e.what, LEAT__MEMBER_ASSIGNED);
    leat__membership_unref(e.membership);
    for (int i = 0; i < 10; i++) {
        e = next_event(m, 2000);
        if (e.what == LEAT__MEMBER_FAILED)
            break;
        if (e.what == LEAT__MEMBER_LOST || e.what == LEAT__MEMBER_REVOKED)
            b->vt->member_answer_revoke(m);
    }
    assert_int_equal(e.what, LEAT__MEMBER_FAILED);
    assert_int_equal(e.err.code, LEAT_EFENCED);
    assert_non_null(strstr(e.err.text, "process-1"));
    must(b->vt->member_close(m, true));
    must(b->vt->member_close(copy, true));
}

/*
 * A control thread that hangs: the member leaves by itself, is told so, and comes back as another
 * member.
 */
static void test_member_that_does_not_poll_loses_its_membership(void **state)
{
    const char *topic = unique("hung"), *group = unique("hung-group");
    leat__membership_t *before;
    leat__member_event_t e;
    leat__member_t *m;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    make_topic(topic, 1);
    m = join_for(group, NULL, topic, 6000);
    e = next_event(m, 20000);
    assert_int_equal(e.what, LEAT__MEMBER_ASSIGNED);
    before = e.membership;
    sleep_ms(8000);
    e = next_event(m, 20000);
    assert_int_equal(e.what, LEAT__MEMBER_LOST);
    b->vt->member_answer_revoke(m);
    e = next_event(m, 20000);
    assert_int_equal(e.what, LEAT__MEMBER_ASSIGNED);
    assert_string_not_equal(
        leat__membership_member_id(e.membership), leat__membership_member_id(before));
    leat__membership_unref(before);
    leat__membership_unref(e.membership);
    must(b->vt->member_close(m, true));
}

/* ---- trouble with the connection ---- */

static void test_no_broker_is_a_clear_retriable_error(void **state)
{
    leat_config_t *own;
    leat__broker_t *nobody = open_with("127.0.0.1:1", NULL, &own);
    int64_t began = leat__clock_steady_ms(NULL);
    leat__op_t *op = nobody->vt->list_topics(nobody);

    (void)state;
    wait_op(op);
    assert_int_equal(op->err.code, LEAT_EBROKER);
    assert_true(op->err.flags & LEAT_RETRIABLE);
    assert_non_null(strstr(op->err.text, "bootstrap.servers=127.0.0.1:1"));
    assert_non_null(strstr(op->err.text, "Connection refused"));
    assert_true(leat__clock_steady_ms(NULL) - began < 6000);
    leat__op_free(op);
    nobody->vt->close(nobody);
    leat_config_free(own);
}

static void wants_refusal(const char *servers, const char *const *settings, const char *hint)
{
    leat_config_t *own;
    leat__broker_t *refusing = open_with(servers, settings, &own);
    leat__writer_opts_t o = {.client_id = "refused",
        .transactional_id = unique("refused"),
        .transaction_timeout_ms = 10000};
    leat_error_t err;
    leat__writer_t *w;
    leat__op_t *ops[2];

    ops[0] = refusing->vt->list_topics(refusing);
    w = refusing->vt->writer_open(refusing, &o, &err);
    assert_non_null(w);
    ops[1] = refusing->vt->writer_init(w);
    for (int i = 0; i < 2; i++) {
        wait_op(ops[i]);
        assert_int_equal(ops[i]->err.code, LEAT_EAUTH);
        assert_true(ops[i]->err.flags & LEAT_FATAL);
        if (!strstr(ops[i]->err.text, hint) || !strstr(ops[i]->err.text, servers))
            fail_msg("unclear: %s", ops[i]->err.text);
        leat__op_free(ops[i]);
    }
    must(refusing->vt->writer_close(w));
    refusing->vt->close(refusing);
    leat_config_free(own);
}

static void test_sasl_refused_is_fatal_and_says_so(void **state)
{
    static const char *const wrong[] = {"security.protocol", "SASL_PLAINTEXT", "sasl.mechanism",
        "PLAIN", "sasl.username", "leat", "sasl.password", "wrong", NULL};
    static const char *const right[] = {"security.protocol", "SASL_PLAINTEXT", "sasl.mechanism",
        "PLAIN", "sasl.username", "leat", "sasl.password", "leat-secret", NULL};
    leat_config_t *own;
    leat__broker_t *good;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    wants_refusal(kafka_broker_sasl(), wrong, "SASL");
    good = open_with(kafka_broker_sasl(), right, &own);
    must(good->vt->list_topics(good));
    good->vt->close(good);
    leat_config_free(own);
}

static void test_tls_refused_is_fatal_and_says_so(void **state)
{
    static const char *const tls[] = {"security.protocol", "SSL", NULL};

    (void)state;
    if (!kafka_broker_wanted())
        return;
    wants_refusal(kafka_broker(), tls, "SSL");
}

/*
 * The broker dies while a transaction is open and comes back: the commit, repeated inside, ends
 * well, or in an abort, or, when the broker gave the transaction up first, in a writer that is
 * over. A new one with the same id goes on.
 */
static void test_broker_killed_writer_goes_on(void **state)
{
    const char *topic = unique("killed"), *id = unique("killed-id");
    leat__writer_t *w;
    leat__out_t *out;
    leat__reader_t *r;
    leat__op_t *op;
    leat_error_t err;
    bool committed, unknown = false;
    seen_t seen;
    int slot;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    if (!kafka_broker_own())
        skip();
    make_topic(topic, 1);
    w = open_writer(id);
    must(b->vt->writer_init(w));
    out = open_topic(w, topic);
    r = open_reader(true, true);
    slot = add(r, topic, 0, 0);
    assert_int_equal(b->vt->writer_begin(w, &err), 0);
    put(w, out, 0, "k", "one");
    kafka_broker_kill();
    op = b->vt->writer_commit(w);
    sleep_ms(1000);
    assert_true(kafka_broker_start());
    wait_op(op);
    committed = op->err.code == 0;
    if (op->err.code == LEAT_ETIMEOUT) {
        unknown = true; /* the outcome: the new writer ends it, and the log tells */
        op->err.code = LEAT_EFENCED;
    } else if (!committed && op->err.code != LEAT_EFENCED) {
        assert_true(op->err.flags & LEAT_ABORT);
        leat__op_free(op);
        op = b->vt->writer_abort(w);
        wait_op(op);
    }
    if (op->err.code) {
        assert_int_equal(op->err.code, LEAT_EFENCED);
        must(b->vt->writer_close(w));
        w = open_writer(id);
        must(b->vt->writer_init(w));
        out = open_topic(w, topic);
    }
    leat__op_free(op);
    assert_int_equal(b->vt->writer_begin(w, &err), 0);
    put(w, out, 0, "k", "two");
    must(b->vt->writer_commit(w));
    seen = read_slot(r, slot, 20000);
    while (!strstr(seen.values, "two") && seen.next >= 0) {
        seen_t more = read_slot(r, slot, 5000);

        strncat(seen.values, more.values, sizeof seen.values - strlen(seen.values) - 1);
        seen.next = more.next;
    }
    if (!unknown || strcmp(seen.values, "one two ") != 0)
        assert_string_equal(seen.values, committed ? "one two " : "two ");
    b->vt->reader_close(r);
    must(b->vt->writer_close(w));
}

/*
 * Goal: a call about a group that gave up while Kafka was away does not abort the process when Kafka
 * is back. Method: limits shorter than the outage, and another call that is answered after it.
 */
static void test_broker_killed_group_is_asked_again(void **state)
{
    static const char *const settings[] = {
        "request.timeout.ms", "1000", "default.api.timeout.ms", "3000", NULL};
    leat_config_t *own;
    leat__broker_t *asking;
    leat__op_t *op;

    (void)state;
    if (!kafka_broker_wanted())
        return;
    if (!kafka_broker_own())
        skip();
    asking = open_with(kafka_broker(), settings, &own);
    kafka_broker_kill();
    op = asking->vt->describe_group(asking, unique("away"));
    wait_op(op);
    assert_int_not_equal(op->err.code, 0);
    assert_true(op->err.flags & LEAT_RETRIABLE);
    leat__op_free(op);
    assert_true(kafka_broker_start());
    for (int tries = 0, code = 1; code && tries < 60; tries++) {
        op = asking->vt->list_topics(asking);
        wait_op(op);
        code = op->err.code;
        leat__op_free(op);
        assert_true(!code || tries < 59);
    }
    sleep_ms(1500); /* each client has connected again: its waiting calls go on */
    for (int tries = 0, code = 1; code && tries < 60; tries++) { /* its coordinator comes first */
        op = asking->vt->describe_group(asking, unique("away"));
        wait_op(op);
        code = op->err.code;
        leat__op_free(op);
        assert_true(!code || tries < 59);
    }
    asking->vt->close(asking);
    leat_config_free(own);
}

/* ---- the contract ---- */

static leat_config_t *contract_config; /* of every client that a test opens */

static leat__broker_t *open_for_contract(void)
{
    leat_error_t err;

    if (!contract_config) {
        contract_config = leat_config_new();
        leat_config_set(contract_config, "application.id", "seam");
        leat_config_set(contract_config, "bootstrap.servers", kafka_broker());
    }
    return leat__kafka_open(contract_config, &err);
}

static bool contract_available(void)
{
    return kafka_broker() != NULL;
}

static const struct seam_fixture fixture = {.name = "seam_contract_kafka",
    .open = open_for_contract,
    .available = contract_available,
    .patience_ms = 60000,
    .session_ms = 6000,
    .heartbeat_ms = 200,
    .max_poll_ms = 30000,
    .transaction_timeout_ms = 10000,
    .big_bytes = 500000,
    .many = 50000};

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topics_create_describe_delete),
        cmocka_unit_test(test_topics_bad_settings_say_why),
        cmocka_unit_test(test_records_keep_nulls_times_and_headers),
        cmocka_unit_test(test_writer_foreign_record_shows_as_gap),
        cmocka_unit_test(test_writer_unknown_topic_and_large_record),
        cmocka_unit_test(test_reader_seek_drops_prefetched),
        cmocka_unit_test(test_reader_offset_out_of_range_is_reported),
        cmocka_unit_test(test_reader_wait_wakes),
        cmocka_unit_test(test_reader_fetcher_does_not_stall),
        cmocka_unit_test(test_transaction_visibility_and_markers),
        cmocka_unit_test(test_transaction_abort_soon_after_commit),
        cmocka_unit_test(test_transaction_fenced_by_fence),
        cmocka_unit_test(test_member_generations_fence_offsets),
        cmocka_unit_test(test_member_static_restart_keeps_generation_and_copy_is_fenced),
        cmocka_unit_test(test_member_that_does_not_poll_loses_its_membership),
        cmocka_unit_test(test_no_broker_is_a_clear_retriable_error),
        cmocka_unit_test(test_sasl_refused_is_fatal_and_says_so),
        cmocka_unit_test(test_tls_refused_is_fatal_and_says_so),
        cmocka_unit_test(test_broker_killed_writer_goes_on),
        cmocka_unit_test(test_broker_killed_group_is_asked_again),
    };
    int failed;

    if (getenv("LEAT_TEST_ONLY"))
        cmocka_set_test_filter(getenv("LEAT_TEST_ONLY"));
    failed = run_seam_contract(&fixture);
    leat_config_free(contract_config);
    return failed + cmocka_run_group_tests(tests, setup, teardown) ? EXIT_FAILURE : EXIT_SUCCESS;
}
