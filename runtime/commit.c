/*
 * runtime/commit.c: one commit at a time: tasks flushed, offsets sent, outcome waited for, without
 * ever blocking.
 *
 *    exactly once    IDLE ─flush tasks─▶ OFFSETS ──▶ END ──▶ IDLE
 *                                           │         │
 *                       abortable ◀─────────┴─────────┤
 *                           │                         │ fenced, unknown outcome, fatal to the writer
 *    tasks rewound,         ▼                         ▼
 *    in memory      IDLE ◀─ ABORT ◀─ ABORT_FLUSH    CLOSE_WRITERS ──▶ OPEN_WRITERS ──▶ INIT ──▶ IDLE
 *                                                     tasks dropped: they ask anew what was
 *                                                     committed, and replay
 *
 *    at least once   IDLE ─flush tasks─▶ FLUSH ──▶ GAPS ──▶ ASKED ──▶ OFFSETS ──▶ IDLE
 *                                          │                  │          │
 *                     refused record ◀─────┘                  └──────────┴─▶ not now: IDLE, again later
 *                     CLOSE_WRITERS, as above
 *
 * What makes it exact: nothing is "committed" here before the broker has said so; a transaction
 * carries the offsets of every task that did anything in it (PROTOCOLS.md 3), with the membership
 * this thread adopted (2); after an outcome that is not known the ids are initialised again, which
 * decides it, before anybody looks (1, 12); the second writer starts only when the first one's
 * commit has returned success (21).
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "thread_inside.h"

enum { GAP_ROUNDS = 10 }; /* a stranger who goes on writing is met again by the next commit */

bool leat__commit_idle(const leat__thread_t *t)
{
    return t->commit.state == LEAT__COMMIT_IDLE;
}

/*
 * Nothing is in flight that could still be committed by itself; or its writers are gone and made
 * anew.
 */
bool leat__commit_quiet(const leat__thread_t *t)
{
    return leat__commit_idle(t) || t->commit.state >= LEAT__COMMIT_CLOSE_WRITERS;
}

static bool worked(const leat__owned_t *o)
{
    return o->phase == LEAT__PHASE_RUNNING && leat__task_touched(o->task);
}

static bool counts(const leat__owned_t *o)
{
    return o->phase == LEAT__PHASE_PLACING || worked(o);
}

bool leat__commit_has_work(const leat__thread_t *t)
{
    if (t->transaction)
        return true;
    for (size_t i = 0; i < t->task_count; i++)
        if (worked(t->tasks[i]))
            return true;
    return false;
}

/*
 * PROTOCOLS.md 8 (i): who was not heard for a session may have been replaced; what he holds stays
 * in memory.
 */
bool leat__commit_heard(const leat__thread_t *t)
{
    if (atomic_load(&t->given_up))
        return false; /* the same of a single thread: PROTOCOLS.md 15 */
    return t->exactly_once || !t->w->heard_ms ||
           t->w->heard_ms(t->w->heard_user) <= (double)t->session_timeout_ms;
}

/* ---- writers ---- */

static void writers_close(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;

    leat__op_drop(&c->op);
    leat__op_drop(&c->op2);
    c->op = t->writers[0] ? t->vt->writer_close(t->writers[0]) : NULL;
    c->op2 = t->writers[1] ? t->vt->writer_close(t->writers[1]) : NULL;
    t->writers[0] = t->writers[1] = NULL;
    leat__output_forget(t);
    c->state = LEAT__COMMIT_CLOSE_WRITERS;
}

static leat__writer_t *writer_open(leat__thread_t *t, char which, leat_error_t *err)
{
    char id[512], client[512];
    leat__writer_opts_t opts = {
        .client_id = client, .transaction_timeout_ms = t->transaction_timeout_ms};

    leat__transactional_id(id, sizeof id, t->w->application_id, t->w->process_id, t->index, which);
    snprintf(client, sizeof client, "%s-%d-%c", t->w->application_id, t->index, which);
    if (t->exactly_once)
        opts.transactional_id = id;
    return t->vt->writer_open(t->b, &opts, err);
}

static void writers_init(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;

    c->retry_at_ms = -1;
    c->op = t->vt->writer_init(t->writers[0]);
    c->op2 = t->writer_count > 1 ? t->vt->writer_init(t->writers[1]) : NULL;
    c->state = LEAT__COMMIT_INIT;
}

static void writers_open(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;
    leat_error_t err;

    for (int i = 0; i < t->writer_count; i++) {
        if (t->writers[i] || (t->writers[i] = writer_open(t, i ? 'b' : 'a', &err)))
            continue;
        if (!(err.flags & LEAT_RETRIABLE)) {
            leat__thread_fail(t, &err);
            c->state = LEAT__COMMIT_IDLE;
        }
        c->retry_at_ms = t->now_ms + leat__backoff_next_ms(&t->backoff);
        return;
    }
    t->active = 0;
    t->busy = true;
    c->began_ms = t->now_ms;
    if (t->exactly_once)
        writers_init(t);
    else
        c->state = LEAT__COMMIT_IDLE;
}

void leat__commit_open(leat__thread_t *t)
{
    t->commit.state = LEAT__COMMIT_OPEN_WRITERS;
}

/*
 * Everything this thread had in hand is void: new writers; the tasks start over from what is
 * committed.
 */
static void replace_writers(leat__thread_t *t)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (!t->tasks[i]->standby)
            leat__owned_drop(t->tasks[i], true);
    leat__gaps_end(t);
    t->work_since_ms = -1;
    writers_close(t);
}

static bool both_done(leat__commit_t *c)
{
    return (!c->op || leat__op_done(c->op)) && (!c->op2 || leat__op_done(c->op2));
}

static void step_close(leat__thread_t *t)
{
    if (!both_done(&t->commit))
        return;
    leat__op_drop(&t->commit.op);
    leat__op_drop(&t->commit.op2);
    t->busy = true;
    t->commit.retry_at_ms = -1;
    t->commit.state = t->stop || t->failing ? LEAT__COMMIT_IDLE : LEAT__COMMIT_OPEN_WRITERS;
}

static void init_refused(leat__thread_t *t, const leat_error_t *err)
{
    leat__commit_t *c = &t->commit;
    leat_error_t fatal;

    c->retry_at_ms = t->now_ms + leat__backoff_next_ms(&t->backoff);
    if (leat__patient(t, c->began_ms))
        return;
    leat__error(&fatal, err->code, LEAT_FATAL, err->where,
        "the writers of thread %d were not initialised for %lld ms (task.timeout.ms): %.200s",
        t->index, (long long)(t->now_ms - c->began_ms), err->text);
    c->state = LEAT__COMMIT_IDLE;
    leat__thread_fail(t, &fatal);
}

static void step_init(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;
    leat_error_t err = {0};

    if (c->retry_at_ms >= 0) {
        if (t->now_ms >= c->retry_at_ms)
            writers_init(t);
        return;
    }
    if (!both_done(c))
        return;
    if (c->op->err.code)
        err = c->op->err;
    else if (c->op2 && c->op2->err.code)
        err = c->op2->err;
    leat__op_drop(&c->op);
    leat__op_drop(&c->op2);
    t->busy = true;
    if (!err.code) {
        c->state = LEAT__COMMIT_IDLE;
    } else if (err.flags & LEAT_FATAL) {
        c->state = LEAT__COMMIT_IDLE;
        leat__thread_fail(t, &err);
    } else if (err.flags & LEAT_RETRIABLE) {
        init_refused(t, &err);
    } else {
        leat__commit_trouble(t, NULL, &err);
    }
}

/* ---- going wrong ---- */

/* task.timeout.ms = 0 is about what passes by waiting: a fence or an abort starts over at once. */
static bool patience_is_over(leat__thread_t *t, const leat_error_t *err)
{
    bool waits = (err->flags & LEAT_RETRIABLE) || err->code == LEAT_ETIMEOUT;
    leat_error_t fatal;

    if (t->trouble_since_ms < 0)
        t->trouble_since_ms = t->now_ms;
    if (leat__patient(t, t->trouble_since_ms) || (t->task_timeout_ms == 0 && !waits))
        return false;
    leat__error(&fatal, err->code, LEAT_FATAL, err->where,
        "no commit of thread %d succeeded for %lld ms (task.timeout.ms); the last error: %.200s",
        t->index, (long long)(t->now_ms - t->trouble_since_ms), err->text);
    leat__thread_fail(t, &fatal);
    return true;
}

/*
 * PROTOCOLS.md 14: a fence once is a timeout or a restart; again and again on young transactions is
 * somebody with our name. DIFFERS: at the third, not the second, since a leader that took us for gone
 * may fence once more while we are coming back.
 */
static bool fenced_by_a_twin(leat__thread_t *t)
{
    leat_error_t fatal;
    char id[256];

    if (!t->transaction || t->now_ms - t->transaction_since_ms < t->transaction_timeout_ms / 2)
        t->fenced_in_row++; /* no timeout of ours */
    if (t->fenced_in_row < 3)
        return false;
    leat__transactional_id(id, sizeof id, t->w->application_id, t->w->process_id, t->index, 'a');
    leat__error(&fatal, LEAT_EFENCED, LEAT_FATAL, id,
        "fenced three times in a row: another live process uses the process id %s, so the state "
        "directory %s was copied or is shared; stop one of them, or give it a state.dir of its own",
        t->w->process_id, t->w->state_dir ? t->w->state_dir : "");
    leat__thread_fail(t, &fatal);
    return true;
}

/* Not the transaction's fault and nothing that passes: the program's, the configuration's. */
static bool fails_for_good(const leat_error_t *err)
{
    if (err->flags & LEAT_FATAL)
        return true;
    return err->code != LEAT_EFENCED && err->code != LEAT_ETIMEOUT &&
           !(err->flags & (LEAT_ABORT | LEAT_RETRIABLE));
}

static bool any_broken(const leat__thread_t *t)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->phase == LEAT__PHASE_RUNNING && leat__owned_broken(t->tasks[i]))
            return true;
    return false;
}

/* Local state that cannot be read passes too: it is opened anew, or rebuilt. */
void leat__commit_trouble(leat__thread_t *t, const leat__owned_t *o, const leat_error_t *cause)
{
    leat_error_t err = t->output_error.code ? t->output_error : *cause;

    if (o)
        err = leat__thread_error(o, &err);
    leat__log(LEAT_LOG_WARN, "commit", t->name, "%s: %s (%s)", err.where, err.text,
        leat_error_name(err.code));
    if (!t->failing && !(err.code == LEAT_EFENCED && fenced_by_a_twin(t)) &&
        !patience_is_over(t, &err) && fails_for_good(&err) && !any_broken(t))
        leat__thread_fail(t, &err);
    t->rest_until_ms = t->now_ms + leat__backoff_next_ms(&t->backoff);
    if (t->exactly_once && t->writers[t->active] && err.code != LEAT_EFENCED &&
        err.code != LEAT_ETIMEOUT)
        leat__commit_abort(t);
    else
        replace_writers(t); /* at least once: PROTOCOLS.md 8 (iii), replay to the changelog's end */
}

static void rolled_back(leat__thread_t *t)
{
    t->transaction = false;
    leat__error_clear(&t->output_error);
    t->work_since_ms = -1;
    t->commit_wanted = false;
    t->aborts++;
    t->busy = true;
    t->commit.state = LEAT__COMMIT_IDLE;
    for (size_t i = 0; i < t->task_count; i++)
        leat__owned_rewind(t->tasks[i]);
}

/*
 * Flush first: an abort on top of unsent records is fatal to the producer (librdkafka.md I, row
 * 1).
 */
void leat__commit_abort(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;

    leat__op_drop(&c->op);
    c->retry_at_ms = -1;
    if (!t->transaction) {
        rolled_back(t);
        return;
    }
    c->op = t->vt->writer_flush(t->writers[t->active]);
    c->state = LEAT__COMMIT_ABORT_FLUSH;
}

static void step_abort(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;
    leat_error_t err;

    if (c->retry_at_ms >= 0 && t->now_ms >= c->retry_at_ms) {
        c->retry_at_ms = -1;
        c->op = t->vt->writer_abort(t->writers[t->active]);
    }
    if (!c->op || !leat__op_done(c->op))
        return;
    err = c->op->err;
    leat__op_drop(&c->op);
    /* what could not be flushed is aborted all the same */
    if (c->state == LEAT__COMMIT_ABORT_FLUSH) {
        c->state = LEAT__COMMIT_ABORT;
        c->op = t->vt->writer_abort(t->writers[t->active]);
        t->busy = true;
        return;
    }
    if (!err.code) {
        rolled_back(t);
    } else if ((err.flags & LEAT_RETRIABLE) && err.code != LEAT_ETIMEOUT &&
               t->now_ms - t->transaction_since_ms < t->transaction_timeout_ms) {
        c->retry_at_ms = t->now_ms + leat__backoff_next_ms(&t->backoff);
    } else { /* fatal to the writer: new ones abort it by their init */
        leat__log(LEAT_LOG_WARN, "commit", t->name, "abort failed (%s), new writers", err.text);
        replace_writers(t);
    }
}

/* ---- a commit ---- */

static void positions_clear(leat__commit_t *c)
{
    for (size_t i = 0; i < c->count; i++)
        leat__free(c->positions[i].metadata);
    c->count = 0;
}

static void add_positions(leat__commit_t *c, leat__owned_t *o)
{
    bool runs = o->phase == LEAT__PHASE_RUNNING;

    o->in_commit = true;
    for (size_t i = 0; i < o->input_count; i++) {
        leat__lane_t *in = &o->inputs[i];
        int64_t offset = runs ? leat__task_position(o->task, (int)i) : in->committed;
        int64_t time_ms = runs ? leat__task_partition_time(o->task, (int)i) : in->committed_time_ms;

        if (!in->present)
            continue;
        LEAT_ASSERT(offset >= 0); /* PROTOCOLS.md 3: an offset that is no number fences nothing */
        LEAT__GROW(c->positions, c->count, c->room);
        c->positions[c->count] = leat__place(in->topic, o->ref.partition, offset);
        c->positions[c->count++].metadata = leat__commit_metadata(
            time_ms, runs ? leat__task_progress(o->task) : &o->progress);
    }
}

static bool flush_tasks(leat__thread_t *t)
{
    leat_error_t err = {0};

    for (size_t i = 0; i < t->task_count; i++) {
        leat__owned_t *o = t->tasks[i];

        if (o->phase == LEAT__PHASE_RUNNING && leat__task_touched(o->task) &&
            leat__task_flush(o->task, &err)) {
            leat__commit_trouble(t, o, &err);
            return false;
        }
    }
    if (leat__output_failed(t, &err)) {
        leat__commit_trouble(t, NULL, &err);
        return false;
    }
    return true;
}

/*
 * PROTOCOLS.md 20: what has no changelog is written down as prepared, with the offsets that will
 * say whether it counts.
 */
static bool prepare(leat__thread_t *t)
{
    leat__buf_t token = {0};
    leat_error_t err;
    bool ok = true;

    for (size_t i = 0; ok && t->exactly_once && i < t->task_count; i++) {
        leat__owned_t *o = t->tasks[i];

        if (!o->in_commit || o->phase != LEAT__PHASE_RUNNING || !o->state)
            continue;
        token.size = 0;
        leat__token_write(o, &token, true);
        if (leat__task_state_prepare(o->state, (leat_slice_t){token.data, token.size}, &err)) {
            err.flags |= LEAT_ABORT; /* nothing was decided; the disk may have room later */
            leat__commit_trouble(t, o, &err);
            ok = false;
        }
    }
    leat__buf_release(&token);
    return ok;
}

static void start_operation(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;
    leat__writer_t *writer = t->writers[t->active];

    c->retry_at_ms = -1;
    if (c->state == LEAT__COMMIT_FLUSH)
        c->op = t->vt->writer_flush(writer);
    else if (c->state == LEAT__COMMIT_OFFSETS)
        c->op = t->vt->writer_send_offsets(writer, c->positions, c->count, t->membership);
    else
        c->op = t->vt->writer_commit(writer);
}

static void succeeded(leat__thread_t *t);

void leat__commit_start(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;
    leat_error_t err;

    LEAT_ASSERT(c->state == LEAT__COMMIT_IDLE);
    if (!leat__commit_heard(t)) {
        c->retry_at_ms = t->now_ms + LEAT__AGAIN_MS;
        return;
    }
    t->commit_wanted = false;
    t->busy = true;
    if (!flush_tasks(t))
        return;
    positions_clear(c);
    for (size_t i = 0; i < t->task_count; i++) {
        t->tasks[i]->in_commit = false;
        if (counts(t->tasks[i]))
            add_positions(c, t->tasks[i]);
    }
    if (!c->count) {
        succeeded(t);
        return;
    }
    c->began_ms = t->now_ms;
    c->epoch = t->epoch;
    c->gap_rounds = 0;
    c->gap_logged = false;
    if (t->exactly_once && leat__output_begin(t, &err)) {
        leat__commit_trouble(t, NULL, &err);
        return;
    }
    if (!prepare(t))
        return;
    c->state = t->exactly_once ? LEAT__COMMIT_OFFSETS : LEAT__COMMIT_FLUSH;
    start_operation(t);
    leat__commit_step(t);
}

/* Offset after the last record of each store, as the broker acknowledged it. */
static void task_committed(leat__thread_t *t, leat__owned_t *o)
{
    int64_t some[16],
        *next = o->store_count <= 16 ? some : leat__must_alloc(o->store_count * sizeof *next);

    for (size_t i = 0; i < o->store_count; i++) {
        leat__changelog_t *c = &o->stores[i];

        next[i] = -1;
        if (c->spec->source_topic) /* PROTOCOLS.md 23: the input's offset is the changelog's */
            next[i] = leat__task_position(o->task, leat__task_input_of(o->task, c->topic));
        else if (c->wrote)
            next[i] = t->vt->out_delivered(c->target->out[t->active], o->ref.partition);
        c->wrote = false;
    }
    leat__task_committed(o->task, next);
    if (next != some)
        leat__free(next);
}

static void note_inputs(leat__owned_t *o)
{
    leat__buf_t token = {0};
    leat_error_t err;

    if (!o->store_count)
        return;
    leat__token_write(o, &token, false);
    if (leat__task_state_note(o->state, "inputs", (leat_slice_t){token.data, token.size}, &err))
        leat__log(LEAT_LOG_WARN, "commit", o->id, "%s", err.text);
    leat__buf_release(&token);
}

static void succeeded(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;

    for (size_t i = 0; i < t->task_count; i++) {
        leat__owned_t *o = t->tasks[i];

        if (!o->in_commit)
            continue;
        o->in_commit = false;
        for (size_t k = 0; k < o->input_count && o->phase == LEAT__PHASE_RUNNING; k++) {
            if (!o->inputs[k].present)
                continue;
            o->inputs[k].committed = leat__task_position(o->task, (int)k);
            o->inputs[k].committed_time_ms = leat__task_partition_time(o->task, (int)k);
        }
        if (o->phase == LEAT__PHASE_RUNNING)
            task_committed(t, o);
        else
            leat__restore_begin(o);
        note_inputs(o);
    }
    positions_clear(c);
    if (t->transaction && t->writer_count > 1)
        t->active = !t->active; /* PROTOCOLS.md 21: only now */
    t->transaction = false;
    t->trouble_since_ms = -1;
    leat__backoff_reset(&t->backoff);
    /* PROTOCOLS.md 22: a second pass */
    t->work_since_ms = leat__commit_has_work(t) ? t->now_ms : -1;
    t->fenced_in_row = 0;
    t->commits++;
    t->busy = true;
    c->state = LEAT__COMMIT_IDLE;
    leat__keep_purge(t);
}

/*
 * At least once: nothing is lost by trying again later; only positions of another time must not be
 * sent (epoch).
 */
static void postponed(leat__thread_t *t, const char *why)
{
    leat__log(LEAT_LOG_DEBUG, "commit", t->name, "not committed (%s); again later", why);
    if (t->trouble_since_ms < 0)
        t->trouble_since_ms = t->now_ms;
    positions_clear(&t->commit);
    t->commit.state = LEAT__COMMIT_IDLE;
    t->commit.retry_at_ms = t->now_ms + leat__backoff_next_ms(&t->backoff);
    for (size_t i = 0; i < t->task_count; i++)
        t->tasks[i]->in_commit = false;
}

static void ask_control(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;
    leat__message_t *m = leat__message_new(LEAT__SAY_COMMIT);

    m->epoch = c->epoch;
    m->positions = leat__positions_copy(c->positions, c->count);
    m->position_count = c->count;
    c->state = LEAT__COMMIT_ASKED;
    leat__thread_say(t, m);
}

static void step_gaps(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;

    if (leat__gaps_step(t) != 1)
        return;
    if (!c->gap_logged || c->gap_rounds++ >= GAP_ROUNDS) {
        ask_control(t);
        return;
    }
    c->gap_logged = false;
    c->state = LEAT__COMMIT_FLUSH;
    start_operation(t);
}

void leat__commit_answer(leat__thread_t *t, leat__op_t *op)
{
    leat__commit_t *c = &t->commit;

    if (c->state != LEAT__COMMIT_ASKED) { /* of a commit that was given up meanwhile */
        leat__op_free(op);
        return;
    }
    if (!op) {
        postponed(t, "its membership is over");
        return;
    }
    c->op = op;
    c->state = LEAT__COMMIT_OFFSETS;
}

static void operation_ended(leat__thread_t *t, const leat_error_t *err)
{
    leat__commit_t *c = &t->commit;
    leat_error_t refused;

    if (!t->exactly_once && c->state == LEAT__COMMIT_OFFSETS) {
        if (err->code == 0) {
            succeeded(t);
            return;
        }
        if ((err->flags & LEAT_FATAL) || err->code == LEAT_EAUTH)
            leat__thread_fail(t, err);
        else
            patience_is_over(t, err);
        postponed(t, err->text); /* also of a thread that fails: it ends when nothing is under way */
        return;
    }
    if ((err->flags & LEAT_RETRIABLE) && !(err->flags & LEAT_ABORT) && err->code != LEAT_ETIMEOUT &&
        t->now_ms - c->began_ms < t->transaction_timeout_ms / 2) {
        c->retry_at_ms = t->now_ms + leat__backoff_next_ms(&t->backoff);
        return;
    }
    if (err->code) {
        refused = *err;
        if (c->state == LEAT__COMMIT_END && !(refused.flags & (LEAT_ABORT | LEAT_FATAL)))
            /* not known */
            refused.code = refused.code == LEAT_EFENCED ? LEAT_EFENCED : LEAT_ETIMEOUT;
        else if (!(refused.flags & LEAT_FATAL))
            refused.flags |= LEAT_ABORT;
        leat__commit_trouble(t, NULL, &refused);
    } else if (leat__output_failed(t, &refused)) {
        leat__commit_trouble(t, NULL, &refused);
    } else if (c->state == LEAT__COMMIT_FLUSH) {
        c->state = LEAT__COMMIT_GAPS;
    } else if (c->state == LEAT__COMMIT_OFFSETS && t->lost) {
        leat__commit_abort(t);
    } else if (c->state == LEAT__COMMIT_OFFSETS) {
        c->state = LEAT__COMMIT_END;
        start_operation(t);
    } else {
        succeeded(t);
    }
}

static void step_operation(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;
    leat_error_t err;

    if (c->retry_at_ms >= 0 && t->now_ms >= c->retry_at_ms)
        start_operation(t);
    if (!c->op || !leat__op_done(c->op))
        return;
    err = c->op->err;
    leat__op_drop(&c->op);
    t->busy = true;
    operation_ended(t, &err);
}

/*
 * Calls of a writer end in their time by themselves; where one does not (librdkafka 2.0.2 now and then
 * loses one when the broker goes), its outcome is unknown, and the writer is of no more use.
 */
static void watch_operation(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;
    leat_error_t err;

    if (!t->exactly_once || !c->op || leat__op_done(c->op) ||
        c->state == LEAT__COMMIT_CLOSE_WRITERS) {
        c->watched = NULL;
        return;
    }
    if (c->watched != c->op || c->watched_state != c->state) {
        c->watched = c->op;
        c->watched_state = c->state;
        c->watched_since_ms = t->now_ms;
    } else if (t->now_ms - c->watched_since_ms > t->call_max_ms) {
        leat__error(&err, LEAT_ETIMEOUT, 0, t->name,
            "a call of the producer did not come back within %lld ms: new writers",
            (long long)t->call_max_ms);
        leat__commit_trouble(t, NULL, &err);
    }
}

void leat__commit_step(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;
    leat__commit_state_t before;

    do {
        watch_operation(t);
        before = c->state;
        switch (c->state) {
        case LEAT__COMMIT_IDLE:
            break;
        case LEAT__COMMIT_ASKED:
            if (t->lost || t->failing)
                postponed(t, "the membership is lost");
            break;
        case LEAT__COMMIT_FLUSH:
        case LEAT__COMMIT_OFFSETS:
        case LEAT__COMMIT_END:
            step_operation(t);
            break;
        case LEAT__COMMIT_GAPS:
            step_gaps(t);
            break;
        case LEAT__COMMIT_ABORT_FLUSH:
        case LEAT__COMMIT_ABORT:
            step_abort(t);
            break;
        case LEAT__COMMIT_CLOSE_WRITERS:
            step_close(t);
            break;
        case LEAT__COMMIT_OPEN_WRITERS:
            if (c->retry_at_ms < 0 || t->now_ms >= c->retry_at_ms)
                writers_open(t);
            break;
        case LEAT__COMMIT_INIT:
            step_init(t);
            break;
        }
    } while (c->state != before);
}

/*
 * Over the cache's share: forwarded and logged between two records, as Kafka Streams does; not
 * committed.
 */
void leat__commit_flush_early(leat__thread_t *t, leat__owned_t *o)
{
    leat_error_t err;

    if (leat__commit_heard(t) && leat__task_flush(o->task, &err))
        leat__commit_trouble(t, o, &err);
}

bool leat__commit_close(leat__thread_t *t)
{
    if (t->writers[0] || t->writers[1])
        writers_close(t);
    else if (t->commit.state == LEAT__COMMIT_OPEN_WRITERS)
        t->commit.state = LEAT__COMMIT_IDLE;
    return t->commit.state == LEAT__COMMIT_IDLE;
}

void leat__commit_give_up(leat__thread_t *t)
{
    leat__log(LEAT_LOG_WARN, "commit", t->name,
        "stops without knowing how its last commit ends: Kafka has not answered for %lld ms",
        (long long)(t->now_ms - t->stop_since_ms));
    replace_writers(t);
}

bool leat__commit_renew(leat__thread_t *t)
{
    if (!t->exactly_once || t->stop)
        return true;
    if (!t->renewed && leat__commit_idle(t))
        writers_close(t);
    t->renewed = true;
    return leat__commit_idle(t);
}

void leat__commit_release(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;

    leat__gaps_end(t);
    leat__op_drop(&c->op);
    leat__op_drop(&c->op2);
    for (int i = 0; i < 2; i++) {
        if (t->writers[i])
            leat__op_free(t->vt->writer_close(t->writers[i]));
        t->writers[i] = NULL;
    }
    positions_clear(c);
    leat__free(c->positions);
}
