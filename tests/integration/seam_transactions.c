/*
 * tests/integration/seam_transactions.c: the seam's contract: transactions, their offsets, and
 * fencing.
 *
 * Each test names the rule that it checks; numbers are findings of PROTOCOLS.md.
 */
#include <string.h>

#include "seam_kit.h"

#define VT (seam_b->vt)

static void test_commit_shows_and_abort_hides(void **state)
{
    const char *topic = seam_name("visible");
    leat__writer_t *w;
    leat__out_t *out;
    leat__reader_t *r;
    seen_t seen;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    w = seam_writer(seam_name("id"));
    out = seam_out(w, topic);
    seam_begin(w);
    seam_put(w, out, 0, "k", "a");
    seam_put(w, out, 0, "k", "b");
    seam_must(VT->writer_commit(w));
    seam_begin(w);
    seam_put(w, out, 0, "k", "gone");
    seam_must(VT->writer_flush(w));
    seam_must(VT->writer_abort(w));
    seam_begin(w);
    seam_put(w, out, 0, "k", "c");
    seam_must(VT->writer_commit(w));
    seam_reads(topic, true, "a b c");
    seam_reads(topic, false, "a b gone c");
    /* 4 records and 3 markers: markers take an offset, and the position passes them. */
    r = seam_reader(true);
    seen = seam_read_to_end(r, seam_add(r, topic, 0, 0));
    assert_int_equal(seen.last, 5);
    while (seen.next < 7)
        seen = seam_read_to_end(r, 0);
    assert_int_equal(seen.next, 7);
    assert_int_equal(seam_offset(topic, 0, LEAT__HIGH_WATERMARK, 0), 7);
    VT->reader_close(r);
    seam_close_writer(w);
}

static void test_open_transaction_stops_committed_readers_at_its_start(void **state)
{
    const char *topic = seam_name("stable");
    leat__writer_t *w, *plain;
    leat__reader_t *r;
    seen_t seen;
    int slot;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    plain = seam_writer(NULL);
    w = seam_writer(seam_name("id"));
    seam_put(plain, seam_out(plain, topic), 0, "k", "before");
    seam_must(VT->writer_flush(plain));
    seam_begin(w);
    seam_put(w, seam_out(w, topic), 0, "k", "open");
    seam_must(VT->writer_flush(w));
    seam_put(plain, seam_out(plain, topic), 0, "k", "behind");
    seam_must(VT->writer_flush(plain));
    assert_int_equal(seam_offset(topic, 0, LEAT__STABLE_END, 0), 1);
    assert_int_equal(seam_offset(topic, 0, LEAT__HIGH_WATERMARK, 0), 3);
    r = seam_reader(true);
    slot = seam_add(r, topic, 0, 0);
    seen = seam_read_to_end(r, slot);
    assert_string_equal(seen.values, "before");
    assert_int_equal(seen.next, 1);
    assert_true(VT->reader_high_watermark(r, slot) <= 3);
    seam_reads(topic, false, "before open behind");
    seam_must(VT->writer_commit(w));
    while (!strstr(seen.values, "behind"))
        seen = seam_read_to_end(r, slot);
    assert_string_equal(seen.values, "open behind");
    VT->reader_close(r);
    seam_close_writer(w);
    seam_close_writer(plain);
}

static void test_interleaved_transactions_abort_only_their_own(void **state)
{
    const char *topic = seam_name("interleaved");
    leat__writer_t *one, *two;
    leat__out_t *out_one, *out_two;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    one = seam_writer(seam_name("one"));
    two = seam_writer(seam_name("two"));
    out_one = seam_out(one, topic);
    out_two = seam_out(two, topic);
    seam_begin(one);
    seam_begin(two);
    for (int i = 0; i < 3; i++) {
        seam_put(one, out_one, 0, "k", "x");
        seam_must(VT->writer_flush(one));
        seam_put(two, out_two, 0, "k", "y");
        seam_must(VT->writer_flush(two));
    }
    seam_must(VT->writer_commit(two));
    seam_must(VT->writer_abort(one));
    seam_reads(topic, true, "y y y");
    seam_close_writer(one);
    seam_close_writer(two);
}

static void test_transaction_over_many_partitions_and_topics(void **state)
{
    const char *first = seam_name("wide-a"), *second = seam_name("wide-b");
    leat__writer_t *w;
    int64_t sum = 0;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(first, 3, NULL);
    seam_topic(second, 1, "compact");
    w = seam_writer(seam_name("id"));
    seam_begin(w);
    for (int32_t p = 0; p < 3; p++)
        seam_put(w, seam_out(w, first), p, "k", "v");
    seam_put(w, seam_out(w, second), 0, "k", "v");
    seam_must(VT->writer_commit(w));
    assert_int_equal(VT->out_delivered(seam_out(w, second), 0), 1);
    for (int64_t until_ms = seam_now_ms() + seam->patience_ms;
         sum < 6 && seam_now_ms() < until_ms;) {
        sum = 0; /* the commit is decided; its markers may come a little later */
        for (int32_t p = 0; p < 3; p++)
            sum += seam_offset(first, p, LEAT__HIGH_WATERMARK, 0);
    }
    assert_int_equal(sum, 6);
    seam_reads(first, true, "v");
    seam_reads(second, true, "v");
    seam_close_writer(w);
}

static void test_keyless_record_forces_the_abort(void **state)
{
    const char *topic = seam_name("keyless");
    leat__writer_t *w;
    leat__out_t *out;
    leat_error_t err;
    leat_slice_t none = {NULL, 0};

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, "compact");
    w = seam_writer(seam_name("id"));
    out = seam_out(w, topic);
    seam_begin(w);
    seam_put(w, out, 0, "k", "lost");
    if (VT->produce(w, out, 0, none, leat_slice("v"), 1, NULL, &err) == 0) {
        leat_error_t refused = seam_refused(VT->writer_commit(w));

        assert_true(refused.flags & LEAT_ABORT);
    }
    seam_must(VT->writer_abort(w));
    seam_begin(w);
    seam_put(w, out, 0, "k", "kept");
    seam_must(VT->writer_commit(w));
    seam_reads(topic, true, "kept");
    seam_close_writer(w);
}

static void test_writing_needs_a_transaction_and_only_one(void **state)
{
    const char *topic = seam_name("state");
    leat__writer_t *w;
    leat__writer_opts_t o = {
        .client_id = "seam", .transactional_id = seam_name("id"), .transaction_timeout_ms = 10000};
    leat_error_t err;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    w = VT->writer_open(seam_b, &o, &err);
    assert_non_null(w);
    assert_int_not_equal(VT->writer_begin(w, &err), 0); /* not initialised */
    seam_must(VT->writer_init(w));
    seam_begin(w);
    assert_int_not_equal(VT->writer_begin(w, &err), 0);
    assert_true(err.text[0] != '\0');
    seam_must(VT->writer_commit(w)); /* an empty one is fine */
    assert_int_equal(seam_offset(topic, 0, LEAT__HIGH_WATERMARK, 0), 0);
    seam_close_writer(w);
}

/* ---- fencing ---- */

static void expect_over(leat__writer_t *w)
{
    leat_error_t err = seam_refused(VT->writer_commit(w));

    assert_int_equal(err.code, LEAT_EFENCED);
}

static void test_new_writer_of_an_id_aborts_and_fences_the_old(void **state)
{
    const char *topic = seam_name("zombie"), *id = seam_name("id");
    leat__writer_t *old, *fresh;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    old = seam_writer(id);
    seam_begin(old);
    seam_put(old, seam_out(old, topic), 0, "k", "zombie");
    seam_must(VT->writer_flush(old));
    fresh = seam_writer(id);
    assert_int_equal(
        seam_offset(topic, 0, LEAT__STABLE_END, 0), 2); /* finding 12: nothing hangs behind it */
    expect_over(old);
    seam_begin(fresh);
    seam_put(fresh, seam_out(fresh, topic), 0, "k", "fresh");
    seam_must(VT->writer_commit(fresh));
    seam_reads(topic, true, "fresh");
    seam_close_writer(old);
    seam_close_writer(fresh);
}

static void test_fence_ends_the_writers_of_all_ids(void **state)
{
    const char *topic = seam_name("fence");
    const char *ids[] = {seam_name("id-a"), seam_name("id-b"), seam_name("id-never-used")};
    leat__writer_t *a, *b;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    a = seam_writer(ids[0]);
    b = seam_writer(ids[1]);
    seam_begin(a);
    seam_put(a, seam_out(a, topic), 0, "k", "a");
    seam_must(VT->writer_flush(a));
    seam_must(VT->fence(seam_b, ids, 3));
    assert_int_equal(seam_offset(topic, 0, LEAT__STABLE_END, 0), 2);
    expect_over(a);
    seam_begin(b); /* had nothing open: it learns with its first write */
    seam_put(b, seam_out(b, topic), 0, "k", "b");
    expect_over(b);
    seam_reads(topic, true, "");
    seam_close_writer(a);
    seam_close_writer(b);
}

static void test_abandoned_transaction_times_out_then_fenced(void **state)
{
    const char *topic = seam_name("timeout");
    leat__writer_opts_t o = {
        .client_id = "seam", .transactional_id = seam_name("id"), .transaction_timeout_ms = 1000};
    leat__writer_t *w;
    leat_error_t err;
    int64_t until_ms = seam_now_ms() + seam->patience_ms;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    w = VT->writer_open(seam_b, &o, &err);
    seam_must(VT->writer_init(w));
    seam_begin(w);
    seam_put(w, seam_out(w, topic), 0, "k", "late");
    seam_must(VT->writer_flush(w));
    assert_int_equal(seam_offset(topic, 0, LEAT__STABLE_END, 0), 0);
    seam_sleep(500);
    assert_int_equal(seam_offset(topic, 0, LEAT__STABLE_END, 0), 0); /* not before its time */
    while (seam_offset(topic, 0, LEAT__STABLE_END, 0) == 0 && seam_now_ms() < until_ms)
        seam_sleep(100);
    assert_int_equal(seam_offset(topic, 0, LEAT__STABLE_END, 0), 2);
    expect_over(w);
    seam_close_writer(w);
}

/* ---- offsets in transactions ---- */

typedef struct group_t {
    const char *name, *control, *topic;
    leat__member_t *m;
    leat__membership_t *under;
} group_t;

static group_t join_group(void)
{
    group_t g = {seam_name("group"), seam_name("control"), seam_name("input"), NULL, NULL};

    seam_topic(g.control, 1, NULL);
    seam_topic(g.topic, 2, NULL);
    g.m = seam_join(seam_b, g.name, NULL, g.control);
    g.under = seam_assigned(seam_b, g.m, NULL);
    return g;
}

static void leave_group(group_t *g)
{
    leat__membership_unref(g->under);
    seam_must(VT->member_close(g->m, true));
}

static void send_offset(leat__writer_t *w, group_t *g, int64_t offset)
{
    leat__position_t p = seam_at(g->topic, 0, offset);

    p.metadata = (char *)(uintptr_t) "meta";
    seam_must(VT->writer_send_offsets(w, &p, 1, g->under));
}

static void test_offsets_count_with_the_commit_only(void **state)
{
    leat__writer_t *w;
    leat__op_t *op;
    group_t g;

    (void)state;
    if (!seam_wanted())
        return;
    g = join_group();
    w = seam_writer(seam_name("id"));
    assert_int_equal(seam_committed(g.name, g.topic, 0), LEAT__OFFSET_NONE);
    seam_begin(w);
    send_offset(w, &g, 17);
    seam_must(VT->writer_commit(w));
    op = seam_done(seam_committed_op(g.name, g.topic, 0));
    assert_int_equal(op->positions[0].offset, 17);
    assert_string_equal(op->positions[0].metadata, "meta");
    leat__op_free(op);
    seam_begin(w);
    send_offset(w, &g, 99);
    seam_must(VT->writer_abort(w));
    assert_int_equal(seam_committed(g.name, g.topic, 0), 17);
    assert_int_equal(seam_committed(g.name, g.topic, 1), LEAT__OFFSET_NONE);
    seam_close_writer(w);
    leave_group(&g);
}

static void test_committed_waits_for_pending_offsets(void **state)
{
    leat__writer_t *w;
    leat__op_t *op;
    group_t g;

    (void)state;
    if (!seam_wanted())
        return;
    g = join_group();
    w = seam_writer(seam_name("id"));
    seam_begin(w);
    send_offset(w, &g, 5);
    op = seam_committed_op(g.name, g.topic, 0);
    assert_false(leat__op_wait(op, 500)); /* neither the old offset nor none */
    seam_must(VT->writer_commit(w));
    seam_done(op);
    assert_int_equal(op->err.code, 0);
    assert_int_equal(op->positions[0].offset, 5);
    leat__op_free(op);
    seam_close_writer(w);
    leave_group(&g);
}

static void test_committed_of_a_group_that_never_was_is_none(void **state)
{
    const char *topic = seam_name("fresh");

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(topic, 1, NULL);
    assert_int_equal(seam_committed(seam_name("never"), topic, 0), LEAT__OFFSET_NONE);
}

static void test_stale_generation_and_unknown_member_force_the_abort(void **state)
{
    leat__position_t p;
    leat__membership_t *now;
    leat__member_event_t e;
    leat__broker_t *b[2];
    leat__member_t *m[2];
    leat__writer_t *w;
    group_t g;

    (void)state;
    if (!seam_wanted())
        return;
    g = join_group();
    p = seam_at(g.topic, 0, 4);
    w = seam_writer(seam_name("id"));
    b[0] = seam_b;
    b[1] = seam->open();
    m[0] = g.m;
    m[1] = seam_join(b[1], g.name, NULL, g.control);
    now = NULL;
    while (!now) { /* the first gets its second generation */
        size_t who = seam_next(b, m, 2, &e);

        if (who == 0 && e.what == LEAT__MEMBER_REVOKED)
            VT->member_answer_revoke(g.m);
        else if (who == 0 && e.what == LEAT__MEMBER_ASSIGNED)
            now = e.membership;
        else if (e.what == LEAT__MEMBER_ASSIGNED)
            leat__membership_unref(e.membership);
    }
    assert_int_not_equal(leat__membership_generation(now), leat__membership_generation(g.under));
    seam_begin(w);
    assert_true(seam_refused(VT->writer_send_offsets(w, &p, 1, g.under)).flags & LEAT_ABORT);
    assert_true(seam_refused(VT->writer_commit(w)).flags & LEAT_ABORT); /* not just that call */
    seam_must(VT->writer_abort(w));
    seam_must(b[1]->vt->member_close(m[1], true));
    b[1]->vt->close(b[1]);
    seam_must(VT->member_close(g.m, true));
    seam_begin(w);
    assert_true(
        seam_refused(VT->writer_send_offsets(w, &p, 1, now)).flags & LEAT_ABORT); /* it left */
    seam_must(VT->writer_abort(w));
    assert_int_equal(seam_committed(g.name, g.topic, 0), LEAT__OFFSET_NONE);
    leat__membership_unref(now);
    leat__membership_unref(g.under);
    seam_close_writer(w);
}

static void test_transaction_without_an_offset_is_not_fenced_by_the_group(void **state)
{
    leat__position_t invalid;
    leat__writer_t *w;
    group_t g;

    (void)state;
    if (!seam_wanted())
        return;
    g = join_group(); /* finding 3: the trap that the engine has to avoid must be there */
    w = seam_writer(seam_name("id"));
    seam_must(VT->member_close(g.m, true));
    invalid = seam_at(g.topic, 0, LEAT__OFFSET_NONE);
    seam_begin(w);
    seam_put(w, seam_out(w, g.topic), 0, "k", "zombie");
    seam_must(VT->writer_send_offsets(w, &invalid, 1, g.under));
    seam_must(VT->writer_commit(w));
    seam_reads(g.topic, true, "zombie");
    leat__membership_unref(g.under);
    seam_close_writer(w);
}

static void test_two_writers_take_turns(void **state)
{
    leat__writer_t *w[2];
    group_t g;

    (void)state;
    if (!seam_wanted())
        return;
    g = join_group();
    w[0] = seam_writer(seam_name("id-a"));
    w[1] = seam_writer(seam_name("id-b"));
    for (int i = 1; i <= 20; i++) {
        leat__writer_t *at = w[i % 2];

        seam_begin(at);
        seam_put(at, seam_out(at, g.topic), 0, "k", "v");
        send_offset(at, &g, i);
        seam_must(VT->writer_commit(at));
    }
    assert_int_equal(seam_committed(g.name, g.topic, 0), 20);
    assert_int_equal(seam_offset(g.topic, 0, LEAT__HIGH_WATERMARK, 0), 40);
    seam_close_writer(w[0]);
    seam_close_writer(w[1]);
    leave_group(&g);
}

const struct CMUnitTest seam_transaction_tests[] = {
    cmocka_unit_test(test_commit_shows_and_abort_hides),
    cmocka_unit_test(test_open_transaction_stops_committed_readers_at_its_start),
    cmocka_unit_test(test_interleaved_transactions_abort_only_their_own),
    cmocka_unit_test(test_transaction_over_many_partitions_and_topics),
    cmocka_unit_test(test_keyless_record_forces_the_abort),
    cmocka_unit_test(test_writing_needs_a_transaction_and_only_one),
    cmocka_unit_test(test_new_writer_of_an_id_aborts_and_fences_the_old),
    cmocka_unit_test(test_fence_ends_the_writers_of_all_ids),
    cmocka_unit_test(test_abandoned_transaction_times_out_then_fenced),
    cmocka_unit_test(test_offsets_count_with_the_commit_only),
    cmocka_unit_test(test_committed_waits_for_pending_offsets),
    cmocka_unit_test(test_committed_of_a_group_that_never_was_is_none),
    cmocka_unit_test(test_stale_generation_and_unknown_member_force_the_abort),
    cmocka_unit_test(test_transaction_without_an_offset_is_not_fenced_by_the_group),
    cmocka_unit_test(test_two_writers_take_turns),
};
const size_t seam_transaction_test_count =
    sizeof seam_transaction_tests / sizeof seam_transaction_tests[0];
