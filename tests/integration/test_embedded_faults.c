/*
 * tests/integration/test_embedded_faults.c: what the embedded log gets wrong the way Kafka does
 * (PROTOCOLS.md 26), each forced by its switch; and its timeouts, compaction and retention under a
 * clock that the test moves.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "runtime/embedded/faults.h"
#include "seam_kit.h"

#define VT (seam_b->vt)

static leat__clock_t the_clock;
static leat__log_t *the_log;

static const struct seam_fixture fixture = {.name = "embedded",
    .patience_ms = 2000,
    .session_ms = 10000,
    .heartbeat_ms = 200,
    .max_poll_ms = 60000,
    .transaction_timeout_ms = 10000};

static int open_log(void **state)
{
    leat_error_t err;

    (void)state;
    the_clock = (leat__clock_t){.manual = true, .wall_ms = 1000000, .steady_ms = 5000};
    the_log = leat__log_open(NULL, &the_clock, &err);
    seam = &fixture;
    seam_b = leat__embedded_client(the_log, NULL);
    return 0;
}

static int close_log(void **state)
{
    (void)state;
    VT->close(seam_b);
    leat__log_unref(the_log);
    return 0;
}

static void pass(int64_t ms)
{
    the_clock.wall_ms += ms;
    the_clock.steady_ms += ms;
    leat__log_tick(the_log);
}

static void pending(leat__op_t *op)
{
    assert_false(leat__op_done(op));
}

/* A member of `group`, its membership, and a topic "input". */
static leat__member_t *member;
static leat__membership_t *under;

static void join(void)
{
    seam_topic("control", 1, NULL);
    seam_topic("input", 1, NULL);
    member = seam_join(seam_b, "group", NULL, "control");
    under = seam_assigned(seam_b, member, NULL);
}

static void leave(void)
{
    leat__membership_unref(under);
    seam_must(VT->member_close(member, true));
}

static void send_offset(leat__writer_t *w, int64_t offset)
{
    leat__position_t p = seam_at("input", 0, offset);

    seam_must(VT->writer_send_offsets(w, &p, 1, under));
}

/* ---- markers ---- */

static void test_decided_transaction_with_late_marker_is_finding_1(void **state)
{
    leat__writer_t *w;
    leat__op_t *flush;

    (void)state;
    join();
    seam_topic("changelog", 1, "compact");
    w = seam_writer("id");
    leat__fault_delay_markers(the_log, "changelog", 0, true);
    seam_begin(w);
    seam_put(w, seam_out(w, "changelog"), 0, "k", "1");
    send_offset(w, 7);
    seam_must(VT->writer_commit(w));
    assert_int_equal(seam_committed("group", "input", 0), 7); /* the offset is there */
    assert_int_equal(
        seam_offset("changelog", 0, LEAT__STABLE_END, 0), 0); /* its update is not: the trap */
    assert_int_equal(seam_offset("changelog", 0, LEAT__HIGH_WATERMARK, 0), 1);
    seam_reads("changelog", true, "");
    seam_begin(w); /* CONCURRENT_TRANSACTIONS: retried inside until the marker is written */
    seam_put(w, seam_out(w, "changelog"), 0, "k", "2");
    flush = VT->writer_flush(w);
    pending(flush);
    leat__fault_delay_markers(the_log, "changelog", 0, false);
    seam_must(flush);
    seam_reads("changelog", true, "1");
    seam_must(VT->writer_commit(w));
    seam_reads("changelog", true, "1 2");
    seam_close_writer(w);
    leave();
}

static void test_late_marker_of_offsets_makes_committed_wait(void **state)
{
    leat__writer_t *w;
    leat__op_t *op;

    (void)state;
    join();
    w = seam_writer("id");
    leat__fault_delay_markers(the_log, "__consumer_offsets", -1, true);
    seam_begin(w);
    seam_put(w, seam_out(w, "input"), 0, "k", "v");
    send_offset(w, 7);
    seam_must(VT->writer_commit(w));
    seam_reads("input", true, "v");
    op = seam_committed_op("group", "input", 0);
    pending(op);
    leat__fault_delay_markers(the_log, "__consumer_offsets", -1, false);
    assert_int_equal(seam_done(op)->positions[0].offset, 7);
    leat__op_free(op);
    seam_close_writer(w);
    leave();
}

static void test_fence_waits_for_the_markers(void **state)
{
    const char *id = "id";
    leat__writer_t *w;
    leat__op_t *fence, *init;

    (void)state;
    seam_topic("input", 1, NULL);
    w = seam_writer("id");
    seam_begin(w);
    seam_put(w, seam_out(w, "input"), 0, "k", "v");
    seam_must(VT->writer_flush(w));
    leat__fault_delay_markers(the_log, NULL, 0, true);
    fence = VT->fence(seam_b, &id, 1);
    pending(fence);
    assert_int_equal(
        seam_refused(VT->writer_commit(w)).code, LEAT_EFENCED); /* at once, all the same */
    init = VT->writer_init(w);
    pending(init);
    leat__fault_delay_markers(the_log, NULL, 0, false);
    seam_must(fence);
    seam_must(init);
    seam_reads("input", true, "");
    seam_close_writer(w);
}

/* Writers that take turns: the marker of the first transaction comes after that of the second. */
static void test_late_marker_does_not_bring_an_older_offset_back(void **state)
{
    leat__writer_t *first, *second;

    (void)state;
    join();
    second = seam_writer("second"); /* markers are written in the order in which ids appeared */
    first = seam_writer("first");
    leat__fault_delay_markers(the_log, "__consumer_offsets", -1, true);
    seam_begin(first);
    send_offset(first, 1);
    seam_must(VT->writer_commit(first));
    seam_begin(second);
    send_offset(second, 2);
    seam_must(VT->writer_commit(second));
    leat__fault_delay_markers(the_log, "__consumer_offsets", -1, false);
    assert_int_equal(seam_committed("group", "input", 0), 2);
    seam_close_writer(first);
    seam_close_writer(second);
    leave();
}

/* ---- lost and held answers ---- */

static void lost_commit(bool effect)
{
    leat__writer_t *w, *fresh;
    leat__op_t *op;

    seam_topic("input", 1, NULL);
    w = seam_writer("id");
    seam_begin(w);
    seam_put(w, seam_out(w, "input"), 0, "k", "v");
    leat__fault_lose(the_log, LEAT__CALL_COMMIT, 1, effect);
    op = seam_done(VT->writer_commit(w));
    assert_int_equal(op->err.code, LEAT_ETIMEOUT);
    leat__op_free(op);
    fresh =
        seam_writer("id"); /* what the engine does: a new one, which finishes whatever there was */
    seam_reads("input", true, effect ? "v" : "");
    assert_int_equal(seam_offset("input", 0, LEAT__STABLE_END, 0), 2);
    assert_int_equal(seam_refused(VT->writer_commit(w)).code, LEAT_EFENCED);
    seam_close_writer(fresh);
    seam_close_writer(w);
}

static void test_lost_commit_answer_after_the_effect(void **state)
{
    (void)state;
    lost_commit(true);
}

static void test_lost_commit_before_the_effect(void **state)
{
    (void)state;
    lost_commit(false);
}

static void test_commit_asked_again_is_the_same_commit(void **state)
{
    leat__writer_t *w;

    (void)state;
    seam_topic("input", 1, NULL);
    w = seam_writer("id");
    seam_begin(w);
    seam_put(w, seam_out(w, "input"), 0, "k", "v");
    leat__fault_lose(the_log, LEAT__CALL_COMMIT, 1, true);
    assert_int_equal(seam_refused(VT->writer_commit(w)).code, LEAT_ETIMEOUT);
    seam_must(VT->writer_commit(w));
    assert_int_equal(seam_offset("input", 0, LEAT__HIGH_WATERMARK, 0), 2);
    seam_begin(w); /* a writer of an unknown outcome that asks for the abort is told no */
    seam_put(w, seam_out(w, "input"), 0, "k", "v");
    leat__fault_lose(the_log, LEAT__CALL_COMMIT, 1, true);
    assert_int_equal(seam_refused(VT->writer_commit(w)).code, LEAT_ETIMEOUT);
    assert_int_equal(seam_refused(VT->writer_abort(w)).code, LEAT_EFENCED);
    seam_reads("input", true, "v v");
    seam_close_writer(w);
}

static void test_lost_produce_is_a_failure_and_maybe_written(void **state)
{
    leat__writer_t *w;
    leat__failure_t f;

    (void)state;
    seam_topic("input", 1, NULL);
    w = seam_writer(NULL);
    leat__fault_lose(the_log, LEAT__CALL_PRODUCE, 1, true);
    seam_put(w, seam_out(w, "input"), 0, "k", "written");
    assert_int_equal(seam_refused(VT->writer_flush(w)).code, LEAT_ETIMEOUT);
    assert_true(VT->writer_failure(w, &f));
    assert_int_equal(f.err.code, LEAT_ETIMEOUT);
    leat__fault_lose(the_log, LEAT__CALL_PRODUCE, 1, false);
    seam_put(w, seam_out(w, "input"), 0, "k", "not");
    assert_int_equal(seam_refused(VT->writer_flush(w)).code, LEAT_ETIMEOUT);
    seam_reads("input", true, "written");
    seam_close_writer(w);
    w = seam_writer("id");
    seam_begin(w);
    leat__fault_lose(the_log, LEAT__CALL_PRODUCE, 1, true);
    seam_put(w, seam_out(w, "input"), 0, "k", "aborted");
    assert_true(seam_refused(VT->writer_commit(w)).flags & LEAT_ABORT);
    seam_must(VT->writer_abort(w));
    seam_reads("input", true, "written");
    seam_close_writer(w);
}

static void test_held_answer_has_its_effect(void **state)
{
    leat__position_t p = seam_at("input", 0, 3);
    leat__op_t *op;

    (void)state;
    join();
    leat__fault_hold(the_log, LEAT__CALL_MEMBER_COMMIT, LEAT__HOLD_ANSWER);
    op = VT->member_commit(member, under, &p, 1);
    pending(op);
    assert_int_equal(seam_committed("group", "input", 0), 3);
    leat__fault_hold(the_log, LEAT__CALL_MEMBER_COMMIT, LEAT__HOLD_NOT);
    seam_must(op);
    leat__fault_hold(the_log, LEAT__CALL_MEMBER_COMMIT, LEAT__HOLD_BEFORE);
    p.offset = 4;
    op = VT->member_commit(member, under, &p, 1);
    pending(op);
    assert_int_equal(seam_committed("group", "input", 0), 3);
    leat__fault_hold(the_log, LEAT__CALL_MEMBER_COMMIT, LEAT__HOLD_NOT);
    seam_must(op);
    assert_int_equal(seam_committed("group", "input", 0), 4);
    leave();
}

/* ---- groups ---- */

static void test_made_up_membership_passes_in_a_transaction(void **state)
{
    leat__membership_t *made_up, *named;
    leat__position_t p = seam_at("input", 0, 42);
    leat__writer_t *w;

    (void)state;
    join(); /* finding 3: the group has a member, and this is taken all the same */
    w = seam_writer("id");
    made_up = leat__fault_membership(the_log, "group", -1, "");
    named = leat__fault_membership(the_log, "group", -1, leat__membership_member_id(under));
    seam_begin(w);
    seam_must(VT->writer_send_offsets(w, &p, 1, made_up));
    seam_must(VT->writer_commit(w));
    assert_int_equal(seam_committed("group", "input", 0), 42);
    seam_begin(w);
    assert_true(seam_refused(VT->writer_send_offsets(w, &p, 1, named)).flags & LEAT_ABORT);
    seam_must(VT->writer_abort(w));
    seam_refused(VT->member_commit(member, made_up, &p, 1));
    leat__membership_unref(made_up);
    leat__membership_unref(named);
    seam_close_writer(w);
    leave();
}

static void test_transient_none_and_expired_offsets(void **state)
{
    leat__position_t p = seam_at("input", 0, 9);

    (void)state;
    join();
    seam_must(VT->member_commit(member, under, &p, 1));
    leat__fault_no_offsets(the_log, "group", 2);
    assert_int_equal(seam_committed("group", "input", 0), LEAT__OFFSET_NONE);
    assert_int_equal(seam_committed("group", "input", 0), LEAT__OFFSET_NONE);
    assert_int_equal(seam_committed("group", "input", 0), 9);
    leat__fault_expire_offsets(the_log, "group");
    assert_int_equal(seam_committed("group", "input", 0), LEAT__OFFSET_NONE);
    seam_must(VT->member_commit(member, under, &p, 1));
    assert_int_equal(seam_committed("group", "input", 0), 9);
    leave();
}

static void test_session_ends_by_the_clock_unless_kept(void **state)
{
    leat__member_event_t e;

    (void)state;
    join();
    pass(9000);
    assert_int_equal(VT->member_poll(member, &e), LEAT__MEMBER_NOTHING);
    pass(9000); /* the poll counted */
    assert_int_equal(VT->member_poll(member, &e), LEAT__MEMBER_NOTHING);
    leat__fault_keep_session(the_log, "group", NULL, true);
    pass(60000);
    assert_true(VT->member_heard_ms(member) >= 60000);
    assert_int_equal(VT->member_poll(member, &e), LEAT__MEMBER_NOTHING);
    assert_true(VT->member_heard_ms(member) < 1);
    leat__fault_keep_session(the_log, "group", NULL, false);
    pass(10001);
    assert_int_equal(VT->member_poll(member, &e), LEAT__MEMBER_LOST);
    assert_int_equal(VT->member_poll(member, &e), LEAT__MEMBER_NOTHING); /* until it is answered */
    VT->member_answer_revoke(member);
    leat__membership_unref(under);
    under = seam_assigned(seam_b, member, NULL);
    leat__fault_end_session(the_log, "group", leat__membership_member_id(under));
    assert_int_equal(VT->member_poll(member, &e), LEAT__MEMBER_LOST);
    leave();
}

static void test_unanswered_revoke_ends_with_the_round(void **state)
{
    leat__member_event_t e;
    leat__member_t *other;
    leat__membership_t *theirs;

    (void)state;
    join();
    leat__fault_keep_session(the_log, "group", NULL, true);
    other = seam_join(seam_b, "group", NULL, "control");
    assert_int_equal(VT->member_poll(other, &e), LEAT__MEMBER_NOTHING);
    assert_int_equal(VT->member_poll(member, &e), LEAT__MEMBER_REVOKED);
    for (int i = 0; i < 59; i++) {
        pass(1000);
        assert_int_equal(VT->member_poll(other, &e), LEAT__MEMBER_NOTHING);
    }
    pass(1001); /* max.poll.interval.ms */
    theirs = seam_assigned(seam_b, other, NULL);
    assert_int_equal(VT->member_poll(member, &e), LEAT__MEMBER_LOST);
    leat__membership_unref(theirs);
    seam_must(VT->member_close(other, true));
    leave();
}

/* ---- transactions and the clock ---- */

static void test_timeout_aborts_between_once_and_twice_its_length(void **state)
{
    leat__writer_t *w;
    int64_t after_ms[8];
    bool differ = false;

    (void)state;
    seam_topic("input", 1, NULL);
    for (int i = 0; i < 8; i++) {
        w = seam_writer("id");
        seam_begin(w);
        seam_put(w, seam_out(w, "input"), 0, "k", "v");
        seam_must(VT->writer_flush(w));
        for (after_ms[i] = 0; seam_offset("input", 0, LEAT__STABLE_END, 0) <
                              seam_offset("input", 0, LEAT__HIGH_WATERMARK, 0);
             after_ms[i] += 100)
            pass(100);
        assert_in_range(after_ms[i], 10000, 20000);
        differ |= after_ms[i] != after_ms[0];
        assert_int_equal(seam_refused(VT->writer_commit(w)).code, LEAT_EFENCED);
        seam_close_writer(w);
    }
    assert_true(differ);
    seam_reads("input", true, "");
    w = seam_writer("id");
    seam_begin(w);
    seam_put(w, seam_out(w, "input"), 0, "k", "v");
    seam_must(VT->writer_flush(w));
    leat__fault_time_out(the_log, "id");
    assert_int_equal(seam_refused(VT->writer_commit(w)).code, LEAT_EFENCED);
    seam_close_writer(w);
}

/* ---- the broker away ---- */

static void test_calls_wait_while_the_broker_is_away(void **state)
{
    leat__member_event_t e;
    leat__reader_t *r;
    leat__writer_t *w;
    leat__batch_t batch;
    leat__op_t *flush, *committed;
    int slot;

    (void)state;
    join();
    w = seam_writer(NULL);
    r = seam_reader(true);
    slot = seam_add(r, "input", 0, 0);
    seam_put(w, seam_out(w, "input"), 0, "k", "a");
    seam_must(VT->writer_flush(w));
    leat__fault_down(the_log, NULL, true);
    seam_put(w, seam_out(w, "input"), 0, "k", "b");
    flush = VT->writer_flush(w);
    committed = seam_committed_op("group", "input", 0);
    pending(flush);
    pending(committed);
    assert_false(VT->reader_take(r, slot, 10, &batch));
    assert_int_equal(VT->member_poll(member, &e), LEAT__MEMBER_NOTHING);
    pass(3000);
    assert_true(VT->member_heard_ms(member) >= 3000);
    leat__fault_down(the_log, NULL, false);
    seam_must(flush);
    assert_int_equal(seam_done(committed)->positions[0].offset, LEAT__OFFSET_NONE);
    leat__op_free(committed);
    assert_string_equal(seam_read_to_end(r, slot).values, "a b");
    VT->reader_close(r);
    seam_close_writer(w);
    leave();
}

static void test_cut_off_client_loses_its_place_others_go_on(void **state)
{
    leat__broker_t *other_b;
    leat__member_event_t e;
    leat__member_t *other;
    leat__membership_t *theirs;

    (void)state;
    join();
    other_b = leat__embedded_client(the_log, NULL);
    leat__fault_down(the_log, seam_b, true);
    other = seam_join(other_b, "group", NULL, "control");
    for (int i = 0; i < 11; i++) {
        assert_int_equal(other_b->vt->member_poll(other, &e), LEAT__MEMBER_NOTHING);
        pass(1000);
    }
    theirs = seam_assigned(other_b, other, NULL);
    assert_int_equal(VT->member_poll(member, &e), LEAT__MEMBER_LOST); /* by its own clock */
    leat__fault_down(the_log, seam_b, false);
    leat__membership_unref(theirs);
    seam_must(other_b->vt->member_close(other, true));
    other_b->vt->close(other_b);
    leave();
}

static void test_writer_holds_a_bounded_amount_while_away(void **state)
{
    static char value[100000];
    leat__writer_t *w;
    leat__out_t *out;
    leat_error_t err;
    size_t taken = 0;
    int rc;

    (void)state;
    seam_topic("input", 1, NULL);
    w = seam_writer(NULL);
    out = seam_out(w, "input");
    leat__fault_down(the_log, NULL, true);
    while ((rc = VT->produce(w, out, 0, leat_slice("k"), (leat_slice_t){value, sizeof value}, 1,
                NULL, &err)) == 0) {
        VT->writer_poll(w);
        assert_true(++taken < 10000);
    }
    assert_int_equal(rc, LEAT_EFULL);
    assert_true(err.flags & LEAT_RETRIABLE);
    leat__fault_down(the_log, NULL, false);
    seam_must(VT->writer_flush(w));
    assert_int_equal(seam_offset("input", 0, LEAT__HIGH_WATERMARK, 0), taken);
    seam_close_writer(w);
}

static void test_recreated_topic_is_empty_and_old_positions_are_out_of_range(void **state)
{
    leat__writer_t *w;
    leat__reader_t *r;
    int slot;

    (void)state;
    seam_topic("input", 1, NULL);
    w = seam_writer(NULL);
    seam_put(w, seam_out(w, "input"), 0, "k", "old");
    seam_put(w, seam_out(w, "input"), 0, "k", "old");
    seam_must(VT->writer_flush(w));
    r = seam_reader(true);
    slot = seam_add(r, "input", 0, 0);
    assert_int_equal(seam_read_to_end(r, slot).next, 2);
    assert_true(leat__fault_recreate_topic(the_log, "input"));
    assert_false(leat__fault_recreate_topic(the_log, "nothing"));
    assert_int_equal(seam_read_to_end(r, slot).code, LEAT_ETOPIC);
    seam_put(w, seam_out(w, "input"), 0, "k", "new"); /* the writer finds the new one */
    seam_must(VT->writer_flush(w));
    VT->reader_seek(r, slot, 0);
    assert_string_equal(seam_read_to_end(r, slot).values, "new");
    VT->reader_close(r);
    seam_close_writer(w);
}

/* ---- compaction and retention ---- */

static leat__writer_t *write_keys(const char *topic, int count, int keys)
{
    leat__writer_t *w = seam_writer(NULL);
    leat__out_t *out = seam_out(w, topic);
    char key[16], value[120];

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, "key-%d", i % keys);
        snprintf(value, sizeof value, "%0100d", i);
        seam_put(w, out, 0, key, value);
        if (i % 500 == 0) {
            VT->writer_poll(w);
            pass(1);
        }
    }
    seam_must(VT->writer_flush(w));
    return w;
}

static void test_compaction_keeps_the_last_of_each_key_and_memory_small(void **state)
{
    leat__reader_t *r;
    leat__batch_t pinned, batch;
    int slot, seen[100];
    const char *first;

    (void)state;
    seam_topic("table", 1, "compact");
    seam_close_writer(write_keys("table", 2000, 100));
    r = seam_reader(true);
    slot = seam_add(r, "table", 0, 0);
    assert_true(VT->reader_take(r, slot, 10, &pinned));
    first = pinned.records[0].value.data;
    seam_close_writer(write_keys("table", 200000, 100));
    pass(2000);
    assert_true(leat__log_memory(the_log, "table", 0) < 5000000); /* of 40 MB written */
    assert_ptr_equal(pinned.records[0].value.data, first);
    assert_memory_equal(first, "0000", 4); /* a batch that is held is not touched */
    VT->reader_release(r, &pinned);
    leat__log_compact(the_log, "table", 0);
    memset(seen, 0, sizeof seen);
    VT->reader_seek(r, slot, 0);
    while (VT->reader_take(r, slot, 1000, &batch)) {
        for (size_t i = 0; i < batch.count; i++) {
            char number[8] = "";
            int key = 0;

            snprintf(number, sizeof number, "%.*s", (int)(batch.records[i].key.size - 4),
                batch.records[i].key.data + 4);
            sscanf(number, "%d", &key);
            seen[key]++;
            assert_true(batch.records[i].offset >= 201900); /* at its own offset */
            assert_int_equal(batch.records[i].offset % 100, key);
        }
        VT->reader_release(r, &batch);
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(seam_offset("table", 0, LEAT__HIGH_WATERMARK, 0), 202000);
    assert_int_equal(
        seam_offset("table", 0, LEAT__EARLIEST, 0), 0); /* compaction does not move the start */
    VT->reader_close(r);
}

static void test_tombstones_stay_for_delete_retention_then_go(void **state)
{
    leat__setting_t settings[] = {{"cleanup.policy", "compact"}, {"delete.retention.ms", "5000"}};
    leat__topic_t t = {.name = (char *)(uintptr_t) "table",
        .partitions = 1,
        .replication = -1,
        .settings = settings,
        .setting_count = 2};
    leat__writer_t *w;

    (void)state;
    seam_must(VT->ensure_topics(seam_b, &t, 1));
    w = seam_writer(NULL);
    seam_put(w, seam_out(w, "table"), 0, "a", "1");
    seam_put(w, seam_out(w, "table"), 0, "b", "2");
    seam_put(w, seam_out(w, "table"), 0, "a", NULL);
    seam_must(VT->writer_flush(w));
    leat__log_compact(the_log, "table", 0);
    seam_reads("table", true, "2 -");
    pass(4000);
    leat__log_compact(the_log, "table", 0);
    seam_reads("table", true, "2 -");
    pass(2000);
    leat__log_compact(the_log, "table", 0);
    seam_reads("table", true, "2");
    assert_int_equal(seam_offset("table", 0, LEAT__HIGH_WATERMARK, 0), 3);
    seam_close_writer(w);
}

static void test_compaction_spares_open_transactions_and_drops_aborted_records(void **state)
{
    leat__writer_t *w, *open;

    (void)state;
    seam_topic("table", 1, "compact");
    w = seam_writer("w");
    open = seam_writer("open");
    seam_begin(w);
    seam_put(w, seam_out(w, "table"), 0, "a", "old");
    seam_must(VT->writer_commit(w));
    seam_begin(w);
    seam_put(w, seam_out(w, "table"), 0, "a", "aborted");
    seam_must(VT->writer_abort(w));
    leat__log_compact(the_log, "table", 0);
    seam_reads("table", true, "old"); /* the aborted one does not count as the last */
    seam_reads("table", false, "old");
    seam_begin(open);
    seam_put(open, seam_out(open, "table"), 0, "a", "open");
    seam_must(VT->writer_flush(open));
    seam_begin(w);
    seam_put(w, seam_out(w, "table"), 0, "a", "new");
    seam_must(VT->writer_commit(w));
    leat__log_compact(the_log, "table", 0);
    seam_must(VT->writer_abort(open));
    seam_reads("table", true, "old new"); /* nothing at or behind the open one was touched */
    leat__log_compact(the_log, "table", 0);
    seam_reads("table", true, "new");
    seam_close_writer(w);
    seam_close_writer(open);
}

static void test_retention_by_time_and_bytes_and_never_without(void **state)
{
    leat__setting_t by_time = {"retention.ms", "10000"}, by_bytes = {"retention.bytes", "100000"},
                    never = {"retention.ms", "-1"};
    leat__topic_t t[] = {{.name = (char *)(uintptr_t) "time",
                             .partitions = 1,
                             .replication = -1,
                             .settings = &by_time,
                             .setting_count = 1},
        {.name = (char *)(uintptr_t) "bytes",
            .partitions = 1,
            .replication = -1,
            .settings = &by_bytes,
            .setting_count = 1},
        {.name = (char *)(uintptr_t) "never",
            .partitions = 1,
            .replication = -1,
            .settings = &never,
            .setting_count = 1}};

    (void)state;
    seam_must(VT->ensure_topics(seam_b, t, 3));
    for (int i = 0; i < 3; i++)
        seam_close_writer(write_keys(t[i].name, 20000, 10));
    pass(2000);
    assert_int_equal(seam_offset("time", 0, LEAT__EARLIEST, 0), 0);
    assert_true(seam_offset("bytes", 0, LEAT__EARLIEST, 0) > 0);
    assert_true(leat__log_memory(the_log, "bytes", 0) < 4000000);
    pass(20000);
    assert_int_equal(seam_offset("time", 0, LEAT__EARLIEST, 0), 20000);
    assert_int_equal(leat__log_memory(the_log, "time", 0), 0);
    pass(LEAT_DAYS(100));
    assert_int_equal(seam_offset("never", 0, LEAT__EARLIEST, 0), 0);
    assert_int_equal(
        seam_offset("bytes", 0, LEAT__EARLIEST, 0), 20000); /* a week, if nothing is said */
    seam_close_writer(write_keys("time", 10, 10));
    assert_int_equal(seam_offset("time", 0, LEAT__HIGH_WATERMARK, 0), 20010);
}

#define T(test) cmocka_unit_test_setup_teardown(test, open_log, close_log)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_decided_transaction_with_late_marker_is_finding_1),
        T(test_late_marker_of_offsets_makes_committed_wait),
        T(test_fence_waits_for_the_markers),
        T(test_late_marker_does_not_bring_an_older_offset_back),
        T(test_lost_commit_answer_after_the_effect),
        T(test_lost_commit_before_the_effect),
        T(test_commit_asked_again_is_the_same_commit),
        T(test_lost_produce_is_a_failure_and_maybe_written),
        T(test_held_answer_has_its_effect),
        T(test_made_up_membership_passes_in_a_transaction),
        T(test_transient_none_and_expired_offsets),
        T(test_session_ends_by_the_clock_unless_kept),
        T(test_unanswered_revoke_ends_with_the_round),
        T(test_timeout_aborts_between_once_and_twice_its_length),
        T(test_calls_wait_while_the_broker_is_away),
        T(test_cut_off_client_loses_its_place_others_go_on),
        T(test_writer_holds_a_bounded_amount_while_away),
        T(test_recreated_topic_is_empty_and_old_positions_are_out_of_range),
        T(test_compaction_keeps_the_last_of_each_key_and_memory_small),
        T(test_tombstones_stay_for_delete_retention_then_go),
        T(test_compaction_spares_open_transactions_and_drops_aborted_records),
        T(test_retention_by_time_and_bytes_and_never_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
