/*
 * runtime/starts.c: where a task starts to read, and how sure that is (PROTOCOLS.md 4).
 *
 *    committed offsets ──all there──▶ start there
 *          │ some missing: those by reset policy, committed before the first record
 *          │ none at all, but a changelog or the local notes say that there was a past:
 *          │ ask again, for task.timeout.ms
 *          ▼ then fail: starting anew would count everything twice
 *
 * Also: positions as bytes ("token"), which tell later whether something that was prepared had
 * been committed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/log.h"
#include "thread_inside.h"

#define DOUBT_AGAIN_MS 500
#define PENDING_MS 10000 /* who takes over fences first: then a transaction ends in half a second */
#define PENDING_AGAIN_MS 30000

/* ---- asking ---- */

void leat__starts_refused(leat__owned_t *o, const leat_error_t *cause, const char *what)
{
    leat__thread_t *t = o->thread;
    leat_error_t err = leat__thread_error(o, cause);
    bool first = o->unanswered_since_ms < 0;

    if (first) {
        o->unanswered_since_ms = t->now_ms;
        leat__backoff_reset(&o->backoff);
    }
    o->retry_at_ms = t->now_ms + leat__backoff_next_ms(&o->backoff);
    if (!(err.flags & LEAT_FATAL) && (o->standby || leat__patient(t, o->unanswered_since_ms))) {
        leat__log(o->standby && first ? LEAT_LOG_WARN : LEAT_LOG_DEBUG, "task", err.where,
            "%s: %s; again", what, err.text);
        return;
    }
    leat__error(&err, err.code, LEAT_FATAL, err.where,
        "%s failed for %lld ms (task.timeout.ms): %.200s", what,
        (long long)(t->now_ms - o->unanswered_since_ms), cause->text);
    leat__thread_fail(t, &err);
}

void leat__starts_ask(leat__owned_t *o)
{
    leat__thread_t *t = o->thread;
    leat__position_t *of = leat__must_alloc((o->input_count + 1) * sizeof *of);
    size_t count = 0;

    for (size_t i = 0; i < o->input_count; i++)
        if (o->inputs[i].present)
            of[count++] = leat__place(o->inputs[i].topic, o->ref.partition, LEAT__OFFSET_NONE);
    o->ops[0] = t->vt->committed(t->b, t->w->application_id, of, count);
    o->phase = LEAT__PHASE_ASKING;
    leat__free(of);
    if (o->asked_since_ms >= 0)
        return;
    o->asked_since_ms = t->now_ms;
    o->pending_said_at_ms = t->now_ms + PENDING_MS;
}

/* Offsets that are not told although the group answers: a transaction took them along and has not ended (PROTOCOLS.md 12). A
 * transaction that its coordinator has forgotten never does (KIP-664): only an operator can end it. */
void leat__starts_wait(leat__owned_t *o)
{
    leat__thread_t *t = o->thread;
    bool again = t->now_ms - o->asked_since_ms >= PENDING_AGAIN_MS;
    leat__buf_t places = {0};

    if (t->now_ms < o->pending_said_at_ms ||
        (t->w->heard_ms && t->w->heard_ms(t->w->heard_user) > PENDING_MS))
        return;
    o->pending_said_at_ms = t->now_ms + PENDING_AGAIN_MS;
    for (size_t i = 0; i < o->input_count; i++)
        if (o->inputs[i].present)
            leat__buf_format(&places, "%s%s-%d", places.size ? ", " : "", o->inputs[i].topic,
                (int)o->ref.partition);
    leat__log(again ? LEAT_LOG_INFO : LEAT_LOG_WARN, "task", o->id,
        "the group does not tell the committed offsets of %s for %lld s: the transaction of an "
        "earlier owner that took them along is open. It ends after its transaction.timeout.ms; if "
        "not, kafka-transactions.sh find-hanging names it and its abort ends it",
        leat__buf_text(&places), (long long)((t->now_ms - o->asked_since_ms) / 1000));
    leat__buf_release(&places);
}

static const leat__position_t *answer_of(const leat__op_t *op, const char *topic)
{
    for (size_t i = 0; op && i < op->position_count; i++)
        if (!strcmp(op->positions[i].topic, topic))
            return &op->positions[i];
    return NULL;
}

/* The error of an answer as a whole or of one of its partitions. */
static bool answered(leat__owned_t *o, leat__op_t *op, const char *what)
{
    leat_error_t err;
    char where[200];

    if (op->err.code) {
        leat__starts_refused(o, &op->err, what);
        return false;
    }
    for (size_t i = 0; i < op->position_count; i++) {
        const leat__position_t *p = &op->positions[i];

        if (!p->code)
            continue;
        snprintf(where, sizeof where, "%s-%d", p->topic, (int)p->partition);
        leat__error(
            &err, p->code, LEAT_RETRIABLE, where, "%s: %s", where, leat_error_text(p->code));
        leat__starts_refused(o, &err, what);
        return false;
    }
    return true;
}

bool leat__starts_take(leat__owned_t *o)
{
    if (!answered(o, o->ops[0], "asking for committed offsets"))
        return false;
    o->asked_since_ms = -1;
    leat__progress_release(&o->progress);
    for (size_t i = 0; i < o->input_count; i++) {
        leat__lane_t *in = &o->inputs[i];
        const leat__position_t *p = in->present ? answer_of(o->ops[0], in->topic) : NULL;

        in->committed = p ? p->offset : LEAT__OFFSET_NONE;
        in->committed_time_ms = p ? leat__commit_metadata_time(p->metadata) : -1;
        in->fresh = in->present && in->committed < 0;
        if (p)
            leat__commit_metadata_progress(p->metadata, &o->progress);
    }
    return true; /* unanswered_since_ms stays: the next question may be what is not answered */
}

/* ---- is there a past? ---- */

static bool never_committed(const leat__owned_t *o)
{
    for (size_t i = 0; i < o->input_count; i++)
        if (o->inputs[i].present && !o->inputs[i].fresh)
            return false;
    return true;
}

static const char *past(const leat__owned_t *o)
{
    leat_slice_t note;

    for (size_t i = 0; i < o->store_count; i++) {
        const leat__changelog_t *c = &o->stores[i];

        if (c->topic && !c->spec->source_topic && c->end > c->low)
            return c->topic;
    }
    if (o->state && o->dir &&
        ((leat__task_state_noted(o->state, "inputs", &note) && note.size) ||
            leat__task_state_prepared(o->state, &note)))
        return o->dir;
    return NULL;
}

static bool doubted(leat__owned_t *o)
{
    leat__thread_t *t = o->thread;
    const char *sign = never_committed(o) ? past(o) : NULL;
    leat_error_t err;

    if (!sign) {
        o->doubt_since_ms = -1;
        return false;
    }
    if (o->doubt_since_ms < 0) {
        o->doubt_since_ms = t->now_ms;
        leat__log(LEAT_LOG_WARN, "task", o->id,
            "group %s has no committed offset for any input of this task, but %s holds its past: "
            "asking again",
            t->w->application_id, sign);
    }
    o->retry_at_ms = t->now_ms + DOUBT_AGAIN_MS;
    if (leat__patient(t, o->doubt_since_ms))
        return true;
    leat__error(&err, LEAT_EFAILED, LEAT_FATAL, o->id,
        "the committed offsets of group %s are gone (expired or deleted), but %s holds state made "
        "from them: starting anew would count all of it twice. Set the group's offsets, or delete "
        "the application's internal topics and local state (reset), then start again",
        t->w->application_id, sign);
    leat__thread_fail(t, &err);
    return true;
}

bool leat__starts_measured(leat__owned_t *o)
{
    if (o->ops[0] && (!answered(o, o->ops[0], "asking for the changelogs' starts") ||
                         !answered(o, o->ops[1], "asking for the changelogs' ends")))
        return false;
    for (size_t i = 0; i < o->store_count; i++) {
        leat__changelog_t *c = &o->stores[i];
        const leat__position_t *low = c->topic ? answer_of(o->ops[0], c->topic) : NULL;
        const leat__position_t *end = c->topic ? answer_of(o->ops[1], c->topic) : NULL;

        c->low = low ? low->offset : 0;
        c->end = end ? end->offset : 0;
    }
    return o->standby || !doubted(o);
}

/* ---- the reset policy ---- */

typedef enum policy_t { EARLIEST, LATEST, BACK, NONE } policy_t;

static policy_t policy_of(const leat__owned_t *o, const leat__lane_t *in)
{
    const char *text = leat__config_text(o->thread->w->config, "auto.offset.reset");

    if (in->source->internal)
        return EARLIEST; /* what is there was written by this application */
    if (in->source->reset_back_ms > 0)
        return BACK;
    if (in->source->reset == LEAT_RESET_EARLIEST)
        return EARLIEST;
    if (in->source->reset == LEAT_RESET_LATEST)
        return LATEST;
    if (in->source->reset == LEAT_RESET_NONE || !strcmp(text, "none"))
        return NONE;
    return !strcmp(text, "latest") ? LATEST : EARLIEST;
}

static const char *policy_name(policy_t policy)
{
    return policy == EARLIEST ? "earliest" : policy == LATEST ? "latest" : "by time";
}

static leat__op_t *ask_offsets(
    leat__owned_t *o, policy_t policy, leat__position_t *of, size_t count)
{
    leat__thread_t *t = o->thread;
    leat__where_t where = policy == EARLIEST  ? LEAT__EARLIEST
                          : policy == BACK    ? LEAT__AT_TIME
                          : t->read_committed ? LEAT__STABLE_END
                                              : LEAT__HIGH_WATERMARK;

    return t->vt->offsets(t->b, of, count, where);
}

static leat__position_t place_of(const leat__owned_t *o, const leat__lane_t *in, policy_t policy)
{
    return leat__place(in->topic, o->ref.partition,
        policy == BACK ? o->thread->wall_ms - in->source->reset_back_ms : LEAT__OFFSET_NONE);
}

static void no_policy(leat__owned_t *o, const leat__lane_t *in, const char *why)
{
    leat_error_t err;
    char where[200];

    snprintf(where, sizeof where, "%s-%d", in->topic, (int)o->ref.partition);
    leat__error(&err, LEAT_ETOPIC, LEAT_FATAL, where,
        "%s, and the reset policy of %s is none: set auto.offset.reset (or the source's .reset) to "
        "earliest or latest, or commit an offset for group %s",
        why, in->topic, o->thread->w->application_id);
    leat__thread_fail(o->thread, &err);
}

void leat__starts_resolve(leat__owned_t *o)
{
    leat__position_t *of = leat__must_alloc((o->input_count + 1) * sizeof *of);

    o->phase = LEAT__PHASE_RESOLVING;
    for (policy_t policy = EARLIEST; policy <= BACK; policy++) {
        size_t count = 0;

        for (size_t i = 0; i < o->input_count; i++)
            if (o->inputs[i].fresh && policy_of(o, &o->inputs[i]) == policy)
                of[count++] = place_of(o, &o->inputs[i], policy);
        o->ops[policy] = count ? ask_offsets(o, policy, of, count) : NULL;
    }
    leat__free(of);
    for (size_t i = 0; i < o->input_count; i++) {
        if (!o->inputs[i].fresh || policy_of(o, &o->inputs[i]) != NONE)
            continue;
        no_policy(o, &o->inputs[i], "there is no committed offset");
        return;
    }
}

bool leat__starts_resolved(leat__owned_t *o)
{
    for (int i = 0; i < 3; i++)
        if (o->ops[i] && !answered(o, o->ops[i], "asking where to start"))
            return false;
    for (size_t i = 0; i < o->input_count; i++) {
        leat__lane_t *in = &o->inputs[i];
        policy_t policy = in->fresh ? policy_of(o, in) : NONE;
        const leat__position_t *p = in->fresh ? answer_of(o->ops[policy], in->topic) : NULL;

        if (!p)
            continue;
        in->committed = p->offset;
        leat__log(LEAT_LOG_INFO, "task", o->id,
            "%s-%d has no committed offset: starting at %lld (%s)", in->topic,
            (int)o->ref.partition, (long long)p->offset, policy_name(policy));
    }
    return true;
}

/*
 * Out of range while running: what was fetched before is processed first, then the input is placed
 * anew.
 */
void leat__starts_lost(leat__owned_t *o, leat__lane_t *in)
{
    leat__thread_t *t = o->thread;
    int index = (int)(in - o->inputs);
    policy_t policy = policy_of(o, in);
    leat__position_t at = place_of(o, in, policy);
    int64_t offset;

    if (policy == NONE) {
        no_policy(o, in, "the committed offset is out of range");
        return;
    }
    if (!in->reset && t->now_ms >= o->retry_at_ms)
        in->reset = ask_offsets(o, policy, &at, 1);
    if (!in->reset || !leat__op_done(in->reset))
        return;
    if (!answered(o, in->reset, "asking where to go on")) {
        leat__op_drop(&in->reset);
        return;
    }
    offset = in->reset->positions[0].offset;
    leat__op_drop(&in->reset);
    leat__log(LEAT_LOG_WARN, "task", o->id,
        "offset %lld of %s-%d is out of range: going on at %lld (%s)",
        (long long)leat__task_position(o->task, index), in->topic, (int)o->ref.partition,
        (long long)offset, policy_name(policy));
    o->unanswered_since_ms = -1;
    in->lost = false;
    leat__task_set_position(o->task, index, offset, leat__task_partition_time(o->task, index));
    t->vt->reader_seek(t->reader, in->slot, offset);
}

/* ---- positions as bytes ---- */

void leat__token_write(const leat__owned_t *o, leat__buf_t *out, bool current)
{
    leat__buf_put_text(out, "1\n"); /* format */
    for (size_t i = 0; i < o->input_count; i++) {
        const leat__lane_t *in = &o->inputs[i];

        if (in->present)
            leat__buf_format(out, "%s %" PRId64 "\n", in->topic,
                current ? leat__task_position(o->task, (int)i) : in->committed);
    }
}

bool leat__token_reached(const leat__owned_t *o, leat_slice_t token)
{
    char *text = leat__must_strndup(token.data, token.size), *rest = NULL;
    bool reached = token.size >= 2 && !strncmp(text, "1\n", 2);

    for (char *line = strtok_r(text, "\n", &rest); reached && line;
         line = strtok_r(NULL, "\n", &rest)) {
        char *blank = strchr(line, ' ');

        if (!blank)
            continue; /* the format's line */
        *blank = '\0';
        for (size_t i = 0; i < o->input_count; i++)
            if (!strcmp(o->inputs[i].topic, line) &&
                o->inputs[i].committed < strtoll(blank + 1, NULL, 10))
                reached = false;
    }
    leat__free(text);
    return reached;
}
