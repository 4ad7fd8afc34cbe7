/*
 * tests/integration/seam_groups.c: the seam's contract: membership, generations, offsets at least
 * once.
 *
 * Each test names the rule that it checks.
 */
#include <string.h>

#include "seam_kit.h"

#define VT (seam_b->vt)

typedef struct pair_t { /* two processes of one group */
    const char *group, *control, *topic;
    leat__broker_t *b[2];
    leat__member_t *m[2];
    leat__membership_t *under[2];
    bool leads[2], revoked[2];
} pair_t;

static pair_t pair_open(const char *instance_a, const char *instance_b)
{
    pair_t p = {
        .group = seam_name("group"), .control = seam_name("control"), .topic = seam_name("input")};

    seam_topic(p.control, 1, NULL);
    seam_topic(p.topic, 1, NULL);
    p.b[0] = seam_b;
    p.b[1] = seam->open();
    p.m[0] = seam_join(p.b[0], p.group, instance_a, p.control);
    p.under[0] = seam_assigned(p.b[0], p.m[0], &p.leads[0]);
    assert_true(p.leads[0]); /* alone, it leads */
    p.m[1] = seam_join(p.b[1], p.group, instance_b, p.control);
    return p;
}

static void note(pair_t *p, size_t who, leat__member_event_t *e)
{
    if (e->what == LEAT__MEMBER_ASSIGNED) {
        leat__membership_unref(p->under[who]);
        p->under[who] = e->membership;
        p->leads[who] = e->leads;
    } else {
        assert_int_equal(e->what, LEAT__MEMBER_REVOKED);
        p->revoked[who] = true;
    }
}

/* Until both have a membership of the same generation above `above`; revokes are answered. */
static void settle(pair_t *p, int32_t above)
{
    leat__member_event_t e;

    while (!p->under[0] || !p->under[1] ||
           leat__membership_generation(p->under[0]) != leat__membership_generation(p->under[1]) ||
           leat__membership_generation(p->under[0]) <= above) {
        size_t who = seam_next(p->b, p->m, 2, &e);

        note(p, who, &e);
        if (p->revoked[who])
            p->b[who]->vt->member_answer_revoke(p->m[who]);
        p->revoked[who] = false;
    }
}

static void pair_close(pair_t *p)
{
    for (int i = 0; i < 2; i++) {
        leat__membership_unref(p->under[i]);
        if (p->m[i])
            seam_must(p->b[i]->vt->member_close(p->m[i], true));
    }
    p->b[1]->vt->close(p->b[1]);
}

static leat__op_t *commit(pair_t *p, int who, leat__membership_t *under, int64_t offset)
{
    leat__position_t at = seam_at(p->topic, 0, offset);

    return p->b[who]->vt->member_commit(p->m[who], under, &at, 1);
}

/* ---- the revoke barrier ---- */

static void test_nobody_is_assigned_before_everybody_answered(void **state)
{
    leat__member_event_t e;
    pair_t p;
    int32_t first;

    (void)state;
    if (!seam_wanted())
        return;
    p = pair_open(NULL, NULL);
    first = leat__membership_generation(p.under[0]);
    assert_int_equal(seam_next(p.b, p.m, 2, &e), 0);
    note(&p, 0, &e);
    assert_true(p.revoked[0]);
    for (int64_t until_ms = seam_now_ms() + 1000; seam_now_ms() < until_ms; seam_sleep(20)) {
        assert_int_equal(p.b[0]->vt->member_poll(p.m[0], &e), LEAT__MEMBER_NOTHING); /* told once */
        assert_int_equal(p.b[1]->vt->member_poll(p.m[1], &e), LEAT__MEMBER_NOTHING);
    }
    seam_must(commit(&p, 0, p.under[0], 11)); /* the old generation still commits */
    assert_int_equal(seam_committed(p.group, p.topic, 0), 11);
    p.b[0]->vt->member_answer_revoke(p.m[0]);
    p.revoked[0] = false;
    settle(&p, first);
    assert_int_equal(p.leads[0] + p.leads[1], 1); /* exactly one leads */
    assert_string_not_equal(
        leat__membership_member_id(p.under[0]), leat__membership_member_id(p.under[1]));
    pair_close(&p);
}

static void test_transaction_commits_in_the_barrier(void **state)
{
    leat__member_event_t e;
    leat__position_t at;
    leat__writer_t *w;
    pair_t p;
    int32_t first;

    (void)state;
    if (!seam_wanted())
        return;
    p = pair_open(NULL, NULL);
    first = leat__membership_generation(p.under[0]);
    at = seam_at(p.topic, 0, 21);
    w = seam_writer(seam_name("id"));
    seam_begin(w);
    assert_int_equal(seam_next(p.b, p.m, 2, &e), 0);
    note(&p, 0, &e);
    seam_must(VT->writer_send_offsets(w, &at, 1, p.under[0]));
    seam_must(VT->writer_commit(w));
    assert_int_equal(seam_committed(p.group, p.topic, 0), 21);
    p.b[0]->vt->member_answer_revoke(p.m[0]);
    p.revoked[0] = false;
    settle(&p, first);
    seam_close_writer(w);
    pair_close(&p);
}

static void test_member_keeps_its_id_over_generations(void **state)
{
    leat__membership_t *old;
    pair_t p;

    (void)state;
    if (!seam_wanted())
        return;
    p = pair_open(NULL, NULL);
    old = leat__membership_ref(p.under[0]);
    settle(&p, leat__membership_generation(old));
    assert_string_equal(leat__membership_member_id(p.under[0]), leat__membership_member_id(old));
    assert_true(leat__membership_generation(p.under[0]) > leat__membership_generation(old));
    leat__membership_unref(old);
    pair_close(&p);
}

static void test_leaving_gives_the_others_a_new_generation(void **state)
{
    leat__member_event_t e;
    pair_t p;
    int32_t both;

    (void)state;
    if (!seam_wanted())
        return;
    p = pair_open(NULL, NULL);
    settle(&p, leat__membership_generation(p.under[0]));
    both = leat__membership_generation(p.under[0]);
    seam_must(p.b[1]->vt->member_close(p.m[1], true));
    p.m[1] = NULL;
    e = seam_event(p.b[0], p.m[0], LEAT__MEMBER_REVOKED);
    p.b[0]->vt->member_answer_revoke(p.m[0]);
    e = seam_event(p.b[0], p.m[0], LEAT__MEMBER_ASSIGNED);
    note(&p, 0, &e);
    assert_true(leat__membership_generation(p.under[0]) > both);
    assert_true(p.leads[0]);
    pair_close(&p);
}

/* ---- static members ---- */

static void test_static_restart_keeps_the_generation(void **state)
{
    leat__membership_t *before[2];
    leat__member_event_t e;
    pair_t p;
    int32_t both;
    bool led;

    (void)state;
    if (!seam_wanted())
        return;
    p = pair_open("process-a", "process-b");
    settle(&p, leat__membership_generation(p.under[0]));
    both = leat__membership_generation(p.under[0]);
    led = p.leads[1];
    before[0] = leat__membership_ref(p.under[0]);
    before[1] = leat__membership_ref(p.under[1]);
    seam_must(p.b[1]->vt->member_close(p.m[1], false)); /* as a process that is killed */
    p.m[1] = seam_join(p.b[1], p.group, "process-b", p.control);
    e = seam_event(p.b[1], p.m[1], LEAT__MEMBER_ASSIGNED);
    note(&p, 1, &e);
    assert_int_equal(leat__membership_generation(p.under[1]), both);
    assert_int_equal(p.leads[1], led);
    assert_string_not_equal(
        leat__membership_member_id(p.under[1]), leat__membership_member_id(before[1]));
    for (int i = 0; i < 20; i++, seam_sleep(20)) /* the other one hears nothing of it */
        for (int who = 0; who < 2; who++)
            assert_int_equal(p.b[who]->vt->member_poll(p.m[who], &e), LEAT__MEMBER_NOTHING);
    seam_must(commit(&p, 0, p.under[0], 3));
    seam_must(commit(&p, 1, p.under[1], 4));
    leat__membership_unref(before[0]);
    leat__membership_unref(before[1]);
    pair_close(&p);
}

static void test_second_process_of_an_instance_fences_the_first(void **state)
{
    const char *group = seam_name("group"), *control = seam_name("control");
    int64_t until_ms = seam_now_ms() + seam->patience_ms;
    leat__member_event_t e = {0};
    leat__membership_t *first, *second;
    leat__member_t *m, *copy;
    leat__broker_t *b;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(control, 1, NULL);
    m = seam_join(seam_b, group, "process-1", control);
    first = seam_assigned(seam_b, m, NULL);
    b = seam->open();
    copy = seam_join(b, group, "process-1", control);
    second = seam_assigned(b, copy, NULL);
    while (e.what != LEAT__MEMBER_FAILED && seam_now_ms() < until_ms) {
        if (VT->member_poll(m, &e) == LEAT__MEMBER_LOST || e.what == LEAT__MEMBER_REVOKED)
            VT->member_answer_revoke(m);
        seam_sleep(10);
    }
    assert_int_equal(e.what, LEAT__MEMBER_FAILED);
    assert_int_equal(e.err.code, LEAT_EFENCED);
    assert_true(e.err.flags & LEAT_FATAL);
    assert_non_null(strstr(e.err.text, "process-1"));
    leat__membership_unref(first);
    leat__membership_unref(second);
    seam_must(VT->member_close(m, false));
    seam_must(b->vt->member_close(copy, true));
    b->vt->close(b);
}

/* ---- losing ---- */

static void test_silent_member_is_put_out_and_told_so(void **state)
{
    leat__member_event_t e;
    leat__membership_t *old;
    pair_t p;
    int64_t until_ms;
    int32_t both;

    (void)state;
    if (!seam_wanted())
        return;
    p = pair_open(NULL, NULL);
    settle(&p, leat__membership_generation(p.under[0]));
    both = leat__membership_generation(p.under[0]);
    until_ms = seam_now_ms() + seam->session_ms + seam->patience_ms;
    /* The second stops: as a stopped process does. On Kafka its client goes on by itself: then
     * there is nothing to see here. */
    if (strcmp(VT->name, "kafka") == 0) {
        pair_close(&p);
        skip();
    }
    while (p.b[0]->vt->member_poll(p.m[0], &e) == LEAT__MEMBER_NOTHING && seam_now_ms() < until_ms)
        seam_sleep(20);
    assert_int_equal(e.what, LEAT__MEMBER_REVOKED);
    p.b[0]->vt->member_answer_revoke(p.m[0]);
    e = seam_event(p.b[0], p.m[0], LEAT__MEMBER_ASSIGNED);
    note(&p, 0, &e);
    assert_true(leat__membership_generation(p.under[0]) > both);
    assert_true(p.leads[0]);
    old = leat__membership_ref(p.under[1]);
    assert_int_equal(p.b[1]->vt->member_poll(p.m[1], &e), LEAT__MEMBER_LOST);
    seam_refused(commit(&p, 1, old, 5)); /* over */
    p.b[1]->vt->member_answer_revoke(p.m[1]);
    settle(&p, leat__membership_generation(p.under[0]));
    assert_string_not_equal(
        leat__membership_member_id(p.under[1]), leat__membership_member_id(old));
    seam_refused(commit(&p, 1, old, 5)); /* and stays over: finding 2 */
    leat__membership_unref(old);
    pair_close(&p);
}

/* ---- committing at least once ---- */

static void test_commit_under_an_older_membership_is_dropped(void **state)
{
    leat__membership_t *old;
    leat_error_t err;
    pair_t p;

    (void)state;
    if (!seam_wanted())
        return;
    p = pair_open(NULL, NULL);
    seam_must(commit(&p, 0, p.under[0], 1));
    old = leat__membership_ref(p.under[0]);
    settle(&p, leat__membership_generation(old));
    err = seam_refused(commit(&p, 0, old, 2));
    assert_false(err.flags & LEAT_RETRIABLE);
    assert_int_equal(seam_committed(p.group, p.topic, 0), 1);
    seam_must(commit(&p, 0, p.under[0], 3));
    assert_int_equal(seam_committed(p.group, p.topic, 0), 3);
    leat__membership_unref(old);
    pair_close(&p);
}

static void test_commit_keeps_metadata_and_many_partitions(void **state)
{
    const char *group = seam_name("group"), *control = seam_name("control"),
               *topic = seam_name("input");
    leat__position_t at[8];
    leat__membership_t *under;
    leat__member_t *m;
    leat__op_t *op;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(control, 1, NULL);
    seam_topic(topic, 8, NULL);
    m = seam_join(seam_b, group, NULL, control);
    under = seam_assigned(seam_b, m, NULL);
    for (int32_t i = 0; i < 8; i++) {
        at[i] = seam_at(topic, i, 100 + i);
        at[i].metadata = i % 2 ? (char *)(uintptr_t) "AAE=" : NULL;
    }
    seam_must(VT->member_commit(m, under, at, 8));
    op = seam_done(VT->committed(seam_b, group, at, 8));
    for (int32_t i = 0; i < 8; i++) {
        assert_int_equal(op->positions[i].offset, 100 + i);
        if (i % 2)
            assert_string_equal(op->positions[i].metadata, "AAE=");
        else
            assert_true(!op->positions[i].metadata || !op->positions[i].metadata[0]);
    }
    leat__op_free(op);
    leat__membership_unref(under);
    seam_must(VT->member_close(m, true));
}

/* ---- describing, missing topics, hearing ---- */

static void test_describe_group_shows_members_and_stability(void **state)
{
    leat__op_t *op;
    pair_t p;
    int found = 0;

    (void)state;
    if (!seam_wanted())
        return;
    op = seam_done(VT->describe_group(seam_b, seam_name("no-group")));
    assert_int_equal(op->err.code, 0);
    assert_int_equal(op->member_count, 0);
    assert_false(op->stable);
    leat__op_free(op);
    p = pair_open("process-a", "process-b");
    settle(&p, leat__membership_generation(p.under[0]));
    op = seam_done(VT->describe_group(seam_b, p.group));
    assert_int_equal(op->err.code, 0);
    assert_true(op->stable);
    assert_int_equal(op->member_count, 2);
    for (size_t i = 0; i < 2; i++)
        for (int who = 0; who < 2; who++)
            found +=
                strcmp(op->members[i].member_id, leat__membership_member_id(p.under[who])) == 0 &&
                strcmp(op->members[i].instance_id, who ? "process-b" : "process-a") == 0;
    assert_int_equal(found, 2);
    leat__op_free(op);
    pair_close(&p);
}

static void test_joining_with_a_missing_topic_fails_by_name(void **state)
{
    const char *missing = seam_name("missing");
    leat__member_event_t e;
    leat__member_t *m;

    (void)state;
    if (!seam_wanted())
        return;
    m = seam_join(seam_b, seam_name("group"), NULL, missing);
    e = seam_event(seam_b, m, LEAT__MEMBER_FAILED);
    assert_int_equal(e.err.code, LEAT_ETOPIC);
    assert_non_null(strstr(e.err.text, missing));
    seam_must(VT->member_close(m, true));
}

static void test_heard_is_fresh_while_the_group_answers(void **state)
{
    const char *control = seam_name("control");
    leat__membership_t *under;
    leat__member_t *m;
    leat__member_event_t e;

    (void)state;
    if (!seam_wanted())
        return;
    seam_topic(control, 1, NULL);
    m = seam_join(seam_b, seam_name("group"), NULL, control);
    under = seam_assigned(seam_b, m, NULL);
    for (int i = 0; i < 40; i++, seam_sleep(50))
        assert_int_equal(VT->member_poll(m, &e), LEAT__MEMBER_NOTHING);
    assert_true(VT->member_heard_ms(m) < 1500);
    leat__membership_unref(under);
    seam_must(VT->member_close(m, true));
}

const struct CMUnitTest seam_group_tests[] = {
    cmocka_unit_test(test_nobody_is_assigned_before_everybody_answered),
    cmocka_unit_test(test_transaction_commits_in_the_barrier),
    cmocka_unit_test(test_member_keeps_its_id_over_generations),
    cmocka_unit_test(test_leaving_gives_the_others_a_new_generation),
    cmocka_unit_test(test_static_restart_keeps_the_generation),
    cmocka_unit_test(test_second_process_of_an_instance_fences_the_first),
    cmocka_unit_test(test_silent_member_is_put_out_and_told_so),
    cmocka_unit_test(test_commit_under_an_older_membership_is_dropped),
    cmocka_unit_test(test_commit_keeps_metadata_and_many_partitions),
    cmocka_unit_test(test_describe_group_shows_members_and_stability),
    cmocka_unit_test(test_joining_with_a_missing_topic_fails_by_name),
    cmocka_unit_test(test_heard_is_fresh_while_the_group_answers),
};
const size_t seam_group_test_count = sizeof seam_group_tests / sizeof seam_group_tests[0];
