/*
 * tests/integration/test_embedded_threads.c: one embedded log, many threads; for ThreadSanitizer,
 * and for what must hold all the same.
 *
 * Writers copy a topic to another in transactions that also carry the offsets; readers follow;
 * members come and go; a compacted topic is written over and over. At the end every record was
 * copied once, in order.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/embedded/faults.h"
#include "seam_kit.h"

enum { COPIERS = 3, RECORDS = 100000 };

static leat__log_t *the_log;
static _Atomic bool stop;

static const struct seam_fixture fixture = {.name = "embedded",
    .patience_ms = 30000,
    .session_ms = 10000,
    .heartbeat_ms = 200,
    .max_poll_ms = 60000,
    .transaction_timeout_ms = 60000,
    .many = RECORDS};

static void must(leat__op_t *op)
{
    if (!leat__op_wait(op, 30000) || op->err.code) {
        fprintf(stderr, "operation: %s\n", op->err.text);
        abort();
    }
    leat__op_free(op);
}

static void copy_batch(leat__broker_t *b, leat__writer_t *w, leat__out_t *out, int32_t partition,
    const leat__batch_t *batch)
{
    leat_error_t err;

    for (size_t i = 0; i < batch->count; i++)
        while (b->vt->produce(w, out, partition, batch->records[i].key, batch->records[i].value,
                   batch->records[i].time_ms, NULL, &err) == LEAT_EFULL)
            b->vt->writer_poll(w);
}

/* One thread, its own partition, transactions of some hundred records; every fifth is aborted and
 * done again. */
static void *copier(void *arg)
{
    int32_t partition = (int32_t)(intptr_t)arg;
    leat__broker_t *b = leat__embedded_client(the_log, NULL);
    leat__membership_t *under = leat__fault_membership(the_log, "copiers", -1, "");
    char id[32];
    leat__writer_opts_t wo = {
        .client_id = "copier", .transactional_id = id, .transaction_timeout_ms = 60000};
    leat__reader_opts_t ro = {.client_id = "copier", .read_committed = true};
    leat_error_t err;
    leat__reader_t *r = b->vt->reader_open(b, &ro, &err);
    leat__writer_t *w;
    leat__out_t *out;
    int64_t position = 0, txns = 0;
    int slot = b->vt->reader_add(r, "source", partition, 0, &err);

    snprintf(id, sizeof id, "copier-%d", (int)partition);
    w = b->vt->writer_open(b, &wo, &err);
    must(b->vt->writer_init(w));
    out = b->vt->writer_topic(w, "target", &err);
    while (position < RECORDS) {
        leat__batch_t batch;
        leat__position_t p = seam_at("source", partition, 0);

        if (!b->vt->reader_take(r, slot, 300, &batch)) {
            b->vt->reader_wait(r, 100);
            continue;
        }
        b->vt->writer_begin(w, &err);
        copy_batch(b, w, out, partition, &batch);
        p.offset = batch.next;
        must(b->vt->writer_send_offsets(w, &p, 1, under));
        if (txns++ % 5 == 4) {
            must(b->vt->writer_abort(w));
            b->vt->reader_seek(r, slot, position);
        } else {
            must(b->vt->writer_commit(w));
            position = batch.next;
        }
        b->vt->reader_release(r, &batch);
    }
    must(b->vt->writer_close(w));
    b->vt->reader_close(r);
    leat__membership_unref(under);
    b->vt->close(b);
    return NULL;
}

/* Feeds the source slowly enough that the copiers wait now and then. */
static void *feeder(void *arg)
{
    leat__broker_t *b = leat__embedded_client(the_log, NULL);
    leat__writer_opts_t wo = {.client_id = "feeder"};
    leat_error_t err;
    leat__writer_t *w = b->vt->writer_open(b, &wo, &err);
    leat__out_t *out = b->vt->writer_topic(w, "source", &err);

    (void)arg;
    for (int64_t i = 0; i < RECORDS; i++) {
        for (int32_t p = 0; p < COPIERS; p++)
            b->vt->produce(w, out, p, leat_slice("key"), (leat_slice_t){(const char *)&i, sizeof i},
                i, NULL, &err);
        if (i % 97 == 0)
            b->vt->writer_poll(w);
    }
    must(b->vt->writer_flush(w));
    must(b->vt->writer_close(w));
    b->vt->close(b);
    return NULL;
}

static void *table_writer(void *arg)
{
    leat__broker_t *b = leat__embedded_client(the_log, NULL);
    leat__writer_opts_t wo = {.client_id = "table"};
    leat_error_t err;
    leat__writer_t *w = b->vt->writer_open(b, &wo, &err);
    leat__out_t *out = b->vt->writer_topic(w, "table", &err);
    static const char value[300] = "value";

    (void)arg;
    for (uint32_t i = 0; !stop; i++) {
        uint32_t key = i % 50;

        while (b->vt->produce(w, out, 0, (leat_slice_t){(const char *)&key, sizeof key},
                   (leat_slice_t){value, sizeof value}, i, NULL, &err) == LEAT_EFULL)
            b->vt->writer_poll(w);
        if (i % 1000 == 999)
            seam_sleep(1);
    }
    must(b->vt->writer_close(w));
    b->vt->close(b);
    return NULL;
}

/* Reads the table from its start again and again while it is compacted; every key once at least,
 * offsets rising. */
static void *table_reader(void *arg)
{
    leat__broker_t *b = leat__embedded_client(the_log, NULL);
    leat__reader_opts_t ro = {.client_id = "table", .read_committed = true};
    leat_error_t err;
    leat__reader_t *r = b->vt->reader_open(b, &ro, &err);
    int slot = b->vt->reader_add(r, "table", 0, 0, &err);

    (void)arg;
    while (!stop) {
        leat__batch_t batch;
        int64_t last = -1;
        bool end = false;

        b->vt->reader_seek(r, slot, 0);
        while (!end && b->vt->reader_take(r, slot, 1000, &batch)) {
            for (size_t i = 0; i < batch.count; i++) {
                if (batch.records[i].offset <= last ||
                    memcmp(batch.records[i].value.data, "value", 5) != 0)
                    abort();
                last = batch.records[i].offset;
            }
            end = batch.at_end;
            b->vt->reader_release(r, &batch);
        }
        seam_sleep(1);
    }
    b->vt->reader_close(r);
    b->vt->close(b);
    return NULL;
}

static void *comer_and_goer(void *arg)
{
    leat__broker_t *b = leat__embedded_client(the_log, NULL);
    unsigned seed = (unsigned)(intptr_t)arg;

    while (!stop) {
        leat__member_t *m = seam_join(b, "restless", NULL, "source");
        int polls = rand_r(&seed) % 40;

        for (int i = 0; i < polls && !stop; i++) {
            leat__member_event_t e;

            switch (b->vt->member_poll(m, &e)) {
            case LEAT__MEMBER_ASSIGNED:
                leat__membership_unref(e.membership);
                break;
            case LEAT__MEMBER_REVOKED:
            case LEAT__MEMBER_LOST:
                b->vt->member_answer_revoke(m);
                break;
            default:
                break;
            }
            seam_sleep(1);
        }
        must(b->vt->member_close(m, true));
    }
    b->vt->close(b);
    return NULL;
}

static void check_copy(int32_t partition)
{
    leat__reader_t *r = seam_reader(true);
    int slot = seam_add(r, "target", partition, 0);
    leat__batch_t batch;
    int64_t want = 0;

    while (seam_b->vt->reader_take(r, slot, 1000, &batch)) {
        for (size_t i = 0; i < batch.count; i++, want++)
            assert_memory_equal(batch.records[i].value.data, &want, sizeof want);
        seam_b->vt->reader_release(r, &batch);
    }
    assert_int_equal(want, RECORDS);
    assert_int_equal(seam_committed("copiers", "source", partition), RECORDS);
    seam_b->vt->reader_close(r);
}

static void test_many_threads_copy_everything_once(void **state)
{
    pthread_t copiers[COPIERS], others[5];
    leat_error_t err;

    (void)state;
    seam = &fixture;
    the_log = leat__log_open(NULL, NULL, &err);
    seam_b = leat__embedded_client(the_log, NULL);
    seam_topic("source", COPIERS, NULL);
    seam_topic("target", COPIERS, NULL);
    seam_topic("table", 1, "compact");
    for (intptr_t i = 0; i < COPIERS; i++)
        pthread_create(&copiers[i], NULL, copier, (void *)i);
    pthread_create(&others[0], NULL, feeder, NULL);
    pthread_create(&others[1], NULL, table_writer, NULL);
    pthread_create(&others[2], NULL, table_reader, NULL);
    pthread_create(&others[3], NULL, comer_and_goer, (void *)1);
    pthread_create(&others[4], NULL, comer_and_goer, (void *)2);
    for (int i = 0; i < COPIERS; i++)
        pthread_join(copiers[i], NULL);
    stop = true;
    for (int i = 0; i < 5; i++)
        pthread_join(others[i], NULL);
    for (int32_t i = 0; i < COPIERS; i++)
        check_copy(i);
    leat__log_tick(the_log);
    assert_true(leat__log_memory(the_log, "table", 0) < 8000000);
    seam_b->vt->close(seam_b);
    leat__log_unref(the_log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_threads_copy_everything_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
