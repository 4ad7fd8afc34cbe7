/*
 * tests/integration/seam_contract.c: the contract tests of the broker seam: the kit, and running
 * them all.
 *
 * The tests stand in seam_records.c (topics, records, readers, writers), seam_transactions.c and
 * seam_groups.c.
 */
#include "seam_contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "seam_kit.h"

const struct seam_fixture *seam;
leat__broker_t *seam_b;

bool seam_wanted(void)
{
    if (seam_b)
        return true;
    skip();
    return false;
}

const char *seam_name(const char *what)
{
    static char ring[64][80], run[32];
    static unsigned at;
    char *text = ring[at % 64];

    if (!run[0])
        snprintf(run, sizeof run, "%llx", (unsigned long long)leat__clock_wall_ms(NULL));
    snprintf(text, sizeof ring[0], "seam-%s-%u-%s", run, at++, what);
    return text;
}

void seam_sleep(int64_t ms)
{
    struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000L};

    nanosleep(&t, NULL);
}

int64_t seam_now_ms(void)
{
    return leat__clock_steady_ms(NULL);
}

/* ---- operations ---- */

leat__op_t *seam_done(leat__op_t *op)
{
    if (!leat__op_wait(op, seam->patience_ms))
        fail_msg("an operation did not end within %lld ms", (long long)seam->patience_ms);
    return op;
}

void seam_must(leat__op_t *op)
{
    seam_done(op);
    if (op->err.code)
        fail_msg("%s: %s: %s (flags %u)", leat_error_name(op->err.code), op->err.where,
            op->err.text, op->err.flags);
    leat__op_free(op);
}

leat_error_t seam_refused(leat__op_t *op)
{
    leat_error_t err;

    err = seam_done(op)->err;
    leat__op_free(op);
    if (err.code == 0)
        fail_msg("an operation went well that must be refused");
    assert_true(err.text[0] != '\0');
    return err;
}

/* ---- topics, writers, offsets ---- */

void seam_topic(const char *name, int32_t partitions, const char *policy)
{
    leat__setting_t setting = {"cleanup.policy", policy ? policy : "delete"};
    leat__topic_t t = {.name = (char *)(uintptr_t)name,
        .partitions = partitions,
        .replication = -1,
        .settings = &setting,
        .setting_count = 1};

    seam_must(seam_b->vt->ensure_topics(seam_b, &t, 1));
}

leat__writer_t *seam_writer(const char *transactional_id)
{
    leat__writer_opts_t o = {.client_id = "seam",
        .transactional_id = transactional_id,
        .transaction_timeout_ms = seam->transaction_timeout_ms};
    leat_error_t err;
    leat__writer_t *w = seam_b->vt->writer_open(seam_b, &o, &err);

    if (!w)
        fail_msg("%s", err.text);
    if (transactional_id)
        seam_must(seam_b->vt->writer_init(w));
    return w;
}

void seam_close_writer(leat__writer_t *w)
{
    seam_must(seam_b->vt->writer_close(w));
}

leat__out_t *seam_out(leat__writer_t *w, const char *topic)
{
    leat_error_t err;
    leat__out_t *out = seam_b->vt->writer_topic(w, topic, &err);

    if (!out)
        fail_msg("%s", err.text);
    return out;
}

void seam_put(
    leat__writer_t *w, leat__out_t *out, int32_t partition, const char *key, const char *value)
{
    leat_error_t err;
    int rc;

    while ((rc = seam_b->vt->produce(w, out, partition, leat_slice(key), leat_slice(value), 1000,
                NULL, &err)) == LEAT_EFULL)
        seam_b->vt->writer_poll(w);
    if (rc)
        fail_msg("%s", err.text);
}

void seam_begin(leat__writer_t *w)
{
    leat_error_t err;

    if (seam_b->vt->writer_begin(w, &err))
        fail_msg("%s", err.text);
}

leat__position_t seam_at(const char *topic, int32_t partition, int64_t offset)
{
    return (leat__position_t){
        .topic = (char *)(uintptr_t)topic, .partition = partition, .offset = offset};
}

int64_t seam_offset(const char *topic, int32_t partition, leat__where_t where, int64_t time_ms)
{
    leat__position_t of = seam_at(topic, partition, time_ms);
    leat__op_t *op = seam_done(seam_b->vt->offsets(seam_b, &of, 1, where));
    int64_t offset;

    if (op->err.code)
        fail_msg("%s", op->err.text);
    assert_int_equal(op->position_count, 1);
    offset = op->positions[0].offset;
    leat__op_free(op);
    return offset;
}

leat__op_t *seam_committed_op(const char *group, const char *topic, int32_t partition)
{
    leat__position_t of = seam_at(topic, partition, 0);

    return seam_b->vt->committed(seam_b, group, &of, 1);
}

int64_t seam_committed(const char *group, const char *topic, int32_t partition)
{
    leat__op_t *op = seam_done(seam_committed_op(group, topic, partition));
    int64_t offset;

    if (op->err.code)
        fail_msg("%s", op->err.text);
    offset = op->positions[0].offset;
    leat__op_free(op);
    return offset;
}

/* ---- reading ---- */

leat__reader_t *seam_reader(bool committed)
{
    leat__reader_opts_t o = {.client_id = "seam", .read_committed = committed, .tail = true};
    leat_error_t err;
    leat__reader_t *r = seam_b->vt->reader_open(seam_b, &o, &err);

    if (!r)
        fail_msg("%s", err.text);
    return r;
}

int seam_add(leat__reader_t *r, const char *topic, int32_t partition, int64_t offset)
{
    leat_error_t err;
    int slot = seam_b->vt->reader_add(r, topic, partition, offset, &err);

    if (slot < 0)
        fail_msg("%s", err.text);
    return slot;
}

static void note(seen_t *seen, const leat__raw_t *raw)
{
    size_t at = strlen(seen->values), left = sizeof seen->values - at;
    leat_slice_t shown = raw->value.data ? raw->value : leat_slice("-");

    if (shown.size + 2 < left)
        snprintf(seen->values + at, left, "%s%.*s", at ? " " : "", (int)shown.size, shown.data);
    if (seen->first < 0)
        seen->first = raw->offset;
    assert_true(raw->offset > seen->last);
    seen->last = raw->offset;
    seen->count++;
}

/* To the first end or code. Offsets must rise and stay below `next`. */
seen_t seam_read_to_end(leat__reader_t *r, int slot)
{
    seen_t seen = {.first = -1, .last = -1, .next = -1};
    int64_t until_ms = seam_now_ms() + seam->patience_ms;
    leat__batch_t batch;

    while (!seen.end && !seen.code) {
        if (!seam_b->vt->reader_take(r, slot, 1000, &batch)) {
            if (seam_now_ms() > until_ms)
                fail_msg("no end of the partition in time: at %lld", (long long)seen.next);
            seam_b->vt->reader_wait(r, 50);
            continue;
        }
        for (size_t i = 0; i < batch.count; i++)
            note(&seen, &batch.records[i]);
        assert_true(batch.code || batch.next > seen.last);
        seen.next = batch.next;
        seen.code = batch.code;
        seen.end = batch.at_end;
        seam_b->vt->reader_release(r, &batch);
    }
    return seen;
}

/* A commit is decided before its markers are written: what is committed may show a little later. */
void seam_reads(const char *topic, bool committed, const char *values)
{
    leat__reader_t *r = seam_reader(committed);
    int slot = seam_add(r, topic, 0, 0);
    int64_t until_ms = seam_now_ms() + 2000;
    seen_t seen = seam_read_to_end(r, slot);

    while (committed && strcmp(seen.values, values) != 0 && seam_now_ms() < until_ms) {
        seam_b->vt->reader_seek(r, slot, 0);
        seen = seam_read_to_end(r, slot);
    }
    assert_string_equal(seen.values, values);
    seam_b->vt->reader_close(r);
}

/* ---- members ---- */

leat__member_t *seam_join(
    leat__broker_t *b, const char *group, const char *instance_id, const char *topic)
{
    leat__member_opts_t o = {.group = group,
        .instance_id = instance_id,
        .client_id = "seam",
        .topics = &topic,
        .topic_count = 1,
        .session_timeout_ms = seam->session_ms,
        .heartbeat_interval_ms = seam->heartbeat_ms,
        .max_poll_interval_ms = seam->max_poll_ms};
    leat_error_t err;
    leat__member_t *m = b->vt->member_open(b, &o, &err);

    if (!m)
        fail_msg("%s", err.text);
    return m;
}

size_t seam_next(
    leat__broker_t *const *b, leat__member_t *const *m, size_t count, leat__member_event_t *e)
{
    int64_t until_ms = seam_now_ms() + seam->patience_ms;

    while (seam_now_ms() < until_ms) {
        for (size_t i = 0; i < count; i++)
            if (b[i]->vt->member_poll(m[i], e) != LEAT__MEMBER_NOTHING)
                return i;
        seam_sleep(5);
    }
    fail_msg("no member has anything to say within %lld ms", (long long)seam->patience_ms);
    return 0;
}

leat__member_event_t seam_event(leat__broker_t *b, leat__member_t *m, leat__member_what_t what)
{
    leat__member_event_t e;

    seam_next(&b, &m, 1, &e);
    if (e.what != what)
        fail_msg("member event %d, expected %d (%s)", (int)e.what, (int)what, e.err.text);
    return e;
}

leat__membership_t *seam_assigned(leat__broker_t *b, leat__member_t *m, bool *leads)
{
    leat__member_event_t e = seam_event(b, m, LEAT__MEMBER_ASSIGNED);

    assert_non_null(e.membership);
    assert_true(leat__membership_member_id(e.membership)[0] != '\0');
    if (leads)
        *leads = e.leads;
    return e.membership;
}

/* ---- running ---- */

int run_seam_contract(const struct seam_fixture *fixture)
{
    size_t count = seam_record_test_count + seam_transaction_test_count + seam_group_test_count,
           at = 0;
    struct CMUnitTest *tests = leat__must_alloc(count * sizeof *tests);
    int failed;

    for (size_t i = 0; i < seam_record_test_count; i++)
        tests[at++] = seam_record_tests[i];
    for (size_t i = 0; i < seam_transaction_test_count; i++)
        tests[at++] = seam_transaction_tests[i];
    for (size_t i = 0; i < seam_group_test_count; i++)
        tests[at++] = seam_group_tests[i];
    seam = fixture;
    if (!fixture->available || fixture->available())
        seam_b = fixture->open();
    if (getenv("LEAT_TEST_ONLY"))
        cmocka_set_test_filter(getenv("LEAT_TEST_ONLY"));
    failed = _cmocka_run_group_tests(fixture->name, tests, count, NULL, NULL);
    if (seam_b)
        seam_b->vt->close(seam_b);
    seam_b = NULL;
    leat__free(tests);
    return failed;
}
