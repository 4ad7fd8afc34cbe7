/*
 * runtime/embedded/writer.c: a producer.
 *
 *   produce --> filling: a pack per partition, the thread's own, no lock
 *           --> (64 KiB, writer_poll, flush, commit) hand over, under the log's lock
 *           --> appended at once; or waiting, in order, while the log is away or the markers of
 *               the last transaction are missing
 *
 * A record counts as delivered when it is appended. What is refused for good (no such topic, no key
 * in a compacted one) is told by writer_failure; inside a transaction it also forces the abort. A
 * fenced writer drops what it holds.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

enum { HAND_OVER_BYTES = 64 << 10, WAITING_BYTES_MAX = 32 << 20, FULL_WAIT_MS = 10 };

typedef struct outpart_t {
    leat__out_t *out;
    leat__part_t *part;
    leat__pack_t filling;
    bool dirty;             /* in the writer's list */
    int64_t delivered, gap; /* under the log's lock */
} outpart_t;

struct leat__out_t {
    leat__writer_t *writer;
    char *name;
    outpart_t *parts;
    int32_t count;
    int32_t sticky; /* the partition of keyless records until the next hand-over */
    bool compact;
    size_t message_bytes_max;
};

typedef struct waiting_t {
    struct waiting_t *next;
    outpart_t *to;
    leat__pack_t pack;
} waiting_t;

typedef enum ended_t { ENDED_NOT, ENDED_COMMIT, ENDED_ABORT } ended_t;

struct leat__writer_t {
    int refs;
    leat__client_t *client;
    char *transactional_id;
    int64_t timeout_ms;
    leat__map_t outs;
    outpart_t **dirty;
    size_t dirty_count, dirty_room;
    /* Under the log's lock. */
    leat__txn_t *txn;
    int32_t epoch;
    bool ready, in_txn, fenced, must_abort, closed;
    ended_t ended;
    leat_error_t abort_reason;
    waiting_t *waiting, **waiting_end;
    _Atomic size_t waiting_bytes; /* the owner looks at it without the lock */
    leat__failure_t *failures;
    size_t failure_count, failure_room, failure_at;
};

static leat__log_t *log_of(const leat__writer_t *w)
{
    return w->client->log;
}

/* ---- open, close ---- */

leat__writer_t *leat__writer_open(
    leat__broker_t *b, const leat__writer_opts_t *o, leat_error_t *err)
{
    leat__writer_t *w = leat__must_alloc(sizeof *w);

    leat__error_clear(err);
    w->refs = 1;
    w->client = leat__client_of(b);
    w->transactional_id = leat__strdup(o->transactional_id);
    w->timeout_ms = o->transaction_timeout_ms > 0 ? o->transaction_timeout_ms : 60000;
    w->waiting_end = &w->waiting;
    return w;
}

static void pack_release(leat__pack_t *p)
{
    leat__buf_release(&p->bytes);
    p->count = 0;
}

static void out_free(void *value)
{
    leat__out_t *t = value;

    for (int32_t i = 0; i < t->count; i++) {
        pack_release(&t->parts[i].filling);
        leat__part_unref(t->parts[i].part);
    }
    leat__free(t->parts);
    leat__free(t->name);
    leat__free(t);
}

static void drop_waiting(leat__writer_t *w)
{
    while (w->waiting) {
        waiting_t *first = w->waiting;

        w->waiting = first->next;
        pack_release(&first->pack);
        leat__free(first);
    }
    w->waiting_end = &w->waiting;
    w->waiting_bytes = 0;
}

void leat__writer_unref(leat__writer_t *w)
{
    if (--w->refs > 0)
        return;
    drop_waiting(w);
    leat__map_release(&w->outs, out_free);
    leat__free(w->dirty);
    leat__free(w->failures);
    leat__free(w->transactional_id);
    leat__free(w);
}

static bool run_close(leat__log_t *log, leat__request_t *r)
{
    (void)log;
    (void)r;
    return true;
}

/* An open transaction stays open, as Kafka leaves it: until its timeout, or whoever initialises the
 * id next. */
leat__op_t *leat__writer_close(leat__writer_t *w)
{
    leat__client_t *client = w->client;
    leat__request_t *r = leat__request_new(&client->base, LEAT__CALL_CLOSE, run_close);

    r->unbound = true;
    leat__log_enter(client->log);
    w->closed = true;
    leat__requests_cancel(client->log, NULL, w, "the writer was closed");
    leat__writer_unref(w);
    leat__log_leave(client->log);
    return leat__request_start(r);
}

/* ---- handing over ---- */

static void fail(leat__writer_t *w, const outpart_t *to, int code, const char *why)
{
    leat__failure_t *f;

    LEAT__GROW(w->failures, w->failure_count, w->failure_room);
    f = &w->failures[w->failure_count++];
    f->topic = to->out->name;
    f->partition = (int32_t)(to - to->out->parts);
    leat__error(&f->err, code, w->transactional_id ? LEAT_ABORT : 0, NULL, "%s-%d: %s",
        to->out->name, (int)f->partition, why);
    if (w->transactional_id && !w->must_abort) {
        w->must_abort = true;
        w->abort_reason = f->err;
    }
}

/* True: the epoch is over. */
static bool is_fenced(leat__writer_t *w)
{
    if (w->txn && w->ready && w->txn->epoch != w->epoch)
        w->fenced = true;
    return w->fenced;
}

static bool blocked(leat__writer_t *w)
{
    return leat__client_down(w->client) || (w->txn && leat__txn_busy(w->txn));
}

/* The topic may have been deleted and made anew under the same name. */
static leat__part_t *live_part(leat__writer_t *w, outpart_t *to)
{
    leat__part_t *p;

    if (!to->part->deleted)
        return to->part;
    p = leat__part_find(log_of(w), to->out->name, (int32_t)(to - to->out->parts));
    if (!p)
        return NULL;
    leat__part_unref(to->part);
    to->part = leat__part_ref(p);
    to->delivered = -1;
    return p;
}

static void append(leat__writer_t *w, outpart_t *to, const leat__pack_t *pack)
{
    leat__log_t *log = log_of(w);
    leat__part_t *p = live_part(w, to);
    unsigned *lose = &log->faults.lose[LEAT__CALL_PRODUCE];
    bool lost = *lose > 0;
    int64_t base;

    if (!p) {
        fail(w, to, LEAT_ETOPIC, "the topic does not exist any more");
        return;
    }
    if (lost) {
        (*lose)--;
        fail(w, to, LEAT_ETIMEOUT, "not acknowledged in time; whether it was written is not known");
        if (!log->faults.lose_effect[LEAT__CALL_PRODUCE])
            return;
    }
    if (w->txn)
        leat__txn_add(log, w->txn, p);
    base = leat__part_append(p, pack, w->txn ? w->txn->pid : LEAT__NO_PRODUCER);
    if (lost)
        return;
    if (!w->txn && to->delivered >= 0 && base != to->delivered && to->gap < 0)
        to->gap = to->delivered;
    to->delivered = base + pack->count;
}

static void keep_waiting(leat__writer_t *w, outpart_t *to)
{
    waiting_t *last = leat__must_alloc(sizeof *last);

    last->to = to;
    last->pack = to->filling;
    memset(&to->filling, 0, sizeof to->filling);
    w->waiting_bytes += last->pack.bytes.size;
    *w->waiting_end = last;
    w->waiting_end = &last->next;
}

/* True: nothing waits any more (what a fenced writer held is dropped). */
static bool send_waiting(leat__writer_t *w)
{
    if (!w->waiting)
        return true;
    if (blocked(w))
        return false;
    for (waiting_t *at = w->waiting; at && !is_fenced(w); at = at->next)
        append(w, at->to, &at->pack);
    drop_waiting(w);
    return true;
}

static void hand_over_one(leat__writer_t *w, outpart_t *to)
{
    if (to->filling.count == 0)
        return;
    if (!send_waiting(w) || blocked(w)) {
        keep_waiting(w, to);
        return;
    }
    if (!is_fenced(w))
        append(w, to, &to->filling);
    to->filling.bytes.size = 0;
    to->filling.count = 0;
}

static void hand_over(leat__writer_t *w)
{
    for (size_t i = 0; i < w->dirty_count; i++) {
        outpart_t *to = w->dirty[i];

        to->dirty = false;
        hand_over_one(w, to);
        to->out->sticky = (to->out->sticky + 1) % to->out->count;
    }
    w->dirty_count = 0;
}

void leat__writer_poll(leat__writer_t *w)
{
    if (w->dirty_count == 0)
        return;
    leat__log_enter(log_of(w));
    hand_over(w);
    leat__log_leave(log_of(w));
}

/* ---- producing ---- */

leat__out_t *leat__writer_topic(leat__writer_t *w, const char *topic, leat_error_t *err)
{
    leat__out_t *t = leat__map_get(&w->outs, topic);
    leat__etopic_t *found;

    leat__error_clear(err);
    if (t)
        return t;
    leat__log_enter(log_of(w));
    found = leat__topic_find(log_of(w), topic);
    if (!found && log_of(w)->auto_partitions > 0) {
        leat__topic_t want = {
            .name = (char *)(uintptr_t)topic, .partitions = log_of(w)->auto_partitions};

        if (leat__topic_create(log_of(w), &want, 0, err) != 0)
            goto out;
        found = leat__topic_find(log_of(w), topic);
    }
    if (!found) {
        leat__error(err, LEAT_ETOPIC, 0, topic, "topic %s does not exist: create it first", topic);
        goto out;
    }
    t = leat__must_alloc(sizeof *t);
    t->writer = w;
    t->name = leat__must_strdup(topic);
    t->compact = found->compact;
    t->message_bytes_max =
        found->message_bytes_max < 0 ? SIZE_MAX : (size_t)found->message_bytes_max;
    t->count = found->part_count;
    t->parts = leat__must_alloc((size_t)t->count * sizeof *t->parts);
    for (int32_t i = 0; i < t->count; i++)
        t->parts[i] = (outpart_t){
            .out = t, .part = leat__part_ref(found->parts[i]), .delivered = -1, .gap = -1};
    leat__map_put(&w->outs, topic, t);
out:
    leat__log_leave(log_of(w));
    return t;
}

int32_t leat__out_partitions(leat__out_t *t)
{
    return t->count;
}

/* Waits a little for room; under a manual clock not at all. */
static bool has_room(leat__writer_t *w)
{
    leat__log_t *log = log_of(w);
    struct timespec until;
    bool room;

    leat__log_enter(log);
    room = send_waiting(w) || w->waiting_bytes < WAITING_BYTES_MAX;
    if (!room && !(log->clock && log->clock->manual)) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += FULL_WAIT_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&log->changed, &log->lock, &until);
        room = send_waiting(w) || w->waiting_bytes < WAITING_BYTES_MAX;
    }
    leat__log_leave(log);
    return room;
}

static int check_record(leat__writer_t *w, leat__out_t *t, int32_t partition, leat_error_t *err)
{
    if (partition >= t->count)
        return leat__error(err, LEAT_ETOPIC, 0, t->name,
            "topic %s has %d partitions, there is no %d", t->name, (int)t->count, (int)partition);
    if (w->transactional_id && !w->in_txn)
        return leat__error(err, LEAT_ESTATE, 0, t->name,
            "a transactional writer writes inside a transaction only: begin one first");
    if (w->waiting_bytes >= WAITING_BYTES_MAX && !has_room(w))
        return leat__error(err, LEAT_EFULL, LEAT_RETRIABLE, t->name,
            "%zu bytes wait for the log: poll and try again", (size_t)w->waiting_bytes);
    return 0;
}

/* As a broker would, later: the call itself is well, writer_failure tells. */
static int refuse(leat__writer_t *w, outpart_t *to, int code, const char *why)
{
    leat__log_enter(log_of(w));
    fail(w, to, code, why);
    leat__log_leave(log_of(w));
    return 0;
}

static outpart_t *choose(leat__out_t *t, int32_t partition, leat_slice_t key)
{
    if (partition < 0)
        partition = key.data ? leat__partition_of(key, t->count) : t->sticky;
    return &t->parts[partition];
}

int leat__produce(leat__writer_t *w, leat__out_t *t, int32_t partition, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err)
{
    int rc = check_record(w, t, partition, err);
    outpart_t *to;

    if (rc)
        return rc;
    leat__error_clear(err);
    to = choose(t, partition, key);
    if (t->compact && !key.data)
        return refuse(w, to, LEAT_EBROKER,
            "the topic is compacted, so every record needs a key, and"
            " this one has none (INVALID_RECORD)");
    if (key.size + value.size > t->message_bytes_max)
        return refuse(
            w, to, LEAT_EARGUMENT, "a record is larger than the topic's max.message.bytes");
    if (time_ms == -1)
        time_ms = leat__log_wall(log_of(w));
    leat__pack_put(&to->filling, to->filling.count, key, value, time_ms, headers);
    if (!to->dirty) {
        to->dirty = true;
        LEAT__GROW(w->dirty, w->dirty_count, w->dirty_room);
        w->dirty[w->dirty_count++] = to;
    }
    if (to->filling.bytes.size >= HAND_OVER_BYTES) {
        leat__log_enter(log_of(w));
        hand_over(w);
        leat__log_leave(log_of(w));
    }
    return 0;
}

bool leat__writer_failure(leat__writer_t *w, leat__failure_t *f)
{
    bool some;

    leat__log_enter(log_of(w));
    some = w->failure_at < w->failure_count;
    if (some)
        *f = w->failures[w->failure_at++];
    if (w->failure_at == w->failure_count)
        w->failure_at = w->failure_count = 0;
    leat__log_leave(log_of(w));
    return some;
}

int64_t leat__out_delivered(leat__out_t *t, int32_t partition)
{
    int64_t delivered;

    leat__log_enter(log_of(t->writer));
    delivered = t->parts[partition].delivered;
    leat__log_leave(log_of(t->writer));
    return delivered;
}

int64_t leat__out_gap(leat__out_t *t, int32_t partition)
{
    int64_t gap;

    leat__log_enter(log_of(t->writer));
    gap = t->parts[partition].gap;
    t->parts[partition].gap = -1;
    leat__log_leave(log_of(t->writer));
    return gap;
}

/* ---- what may wait ---- */

/* Hands over, then starts the request. */
static leat__op_t *start(leat__writer_t *w, leat__request_t *r)
{
    leat__log_enter(log_of(w));
    hand_over(w);
    w->refs++;
    r->writer = w;
    leat__log_leave(log_of(w));
    return leat__request_start(r);
}

static leat__request_t *request(
    leat__writer_t *w, leat__fault_call_t call, bool (*run)(leat__log_t *log, leat__request_t *r))
{
    return leat__request_new(&w->client->base, call, run);
}

/* Each returns true with err filled: not now, and the request is done with that. */
static bool fenced_out(leat__writer_t *w, leat_error_t *err)
{
    if (!is_fenced(w))
        return false;
    leat__error(err, LEAT_EFENCED, 0, w->transactional_id,
        "another writer initialised transactional id %s, or its transaction timed out: make a new "
        "writer",
        w->transactional_id);
    return true;
}

static bool not_in_txn(leat__writer_t *w, leat_error_t *err)
{
    if (w->in_txn)
        return false;
    leat__error(
        err, LEAT_ESTATE, 0, w->transactional_id, "no transaction is open: begin one first");
    return true;
}

static bool must_abort(leat__writer_t *w, leat_error_t *err)
{
    if (!w->must_abort)
        return false;
    if (err)
        *err = w->abort_reason;
    return true;
}

/* Done when nothing waits; what was refused meanwhile is its error, and is still told by
 * writer_failure. */
static bool run_flush(leat__log_t *log, leat__request_t *r)
{
    leat__writer_t *w = r->writer;

    (void)log;
    if (fenced_out(w, &r->op->err))
        return true;
    if (!send_waiting(w))
        return false;
    if (!fenced_out(w, &r->op->err) && w->failure_at < w->failure_count) {
        r->op->err = w->failures[w->failure_at].err;
        r->op->err.others = (unsigned)(w->failure_count - w->failure_at - 1);
    }
    return true;
}

leat__op_t *leat__writer_flush(leat__writer_t *w)
{
    return start(w, request(w, LEAT__CALL_FLUSH, run_flush));
}

static bool run_init(leat__log_t *log, leat__request_t *r)
{
    leat__writer_t *w = r->writer;

    if (!w->transactional_id)
        return true;
    w->txn = leat__txn_get(log, w->transactional_id);
    if (!leat__txn_init(log, w->txn, w->timeout_ms))
        return false;
    w->epoch = w->txn->epoch;
    w->ready = true;
    w->fenced = w->in_txn = w->must_abort = false;
    w->ended = ENDED_NOT;
    return true;
}

leat__op_t *leat__writer_init(leat__writer_t *w)
{
    return start(w, request(w, LEAT__CALL_INIT, run_init));
}

int leat__writer_begin(leat__writer_t *w, leat_error_t *err)
{
    leat_error_t why = {0};

    leat__log_enter(log_of(w));
    if (!w->ready)
        leat__error(&why, LEAT_ESTATE, 0, w->transactional_id,
            "initialise the writer before a transaction");
    else if (w->fenced) /* known already: others learn it with their first call to the log */
        fenced_out(w, &why);
    else if (w->in_txn)
        leat__error(&why, LEAT_ESTATE, 0, w->transactional_id, "a transaction is open already");
    if (why.code == 0) {
        w->in_txn = true;
        w->must_abort = false;
        w->ended = ENDED_NOT;
    }
    leat__log_leave(log_of(w));
    if (err)
        *err = why;
    return why.code;
}

static size_t valid_offsets(const leat__request_t *r)
{
    size_t valid = 0;

    for (size_t i = 0; i < r->count; i++)
        valid += r->positions[i].offset >= 0;
    return valid;
}

static bool run_send_offsets(leat__log_t *log, leat__request_t *r)
{
    leat__writer_t *w = r->writer;
    leat_error_t *err = &r->op->err;
    leat__group_t *g;

    if (fenced_out(w, err) || not_in_txn(w, err) || must_abort(w, err))
        return true;
    if (valid_offsets(r) == 0) /* PROTOCOLS.md 3: without one, nobody looks at the membership */
        return true;
    if (leat__txn_busy(w->txn))
        return false;
    g = leat__group_get(log, r->group);
    if (leat__group_check(g, r->under, true, err)) {
        w->must_abort = true;
        w->abort_reason = *err;
        return true;
    }
    leat__txn_enter(log, w->txn);
    w->txn->offsets = true;
    for (size_t i = 0; i < r->count; i++)
        if (r->positions[i].offset >= 0)
            leat__offset_put(g, &r->positions[i], w->txn->pid, log->next_seq++);
    return true;
}

leat__op_t *leat__writer_send_offsets(
    leat__writer_t *w, const leat__position_t *p, size_t count, leat__membership_t *under)
{
    leat__request_t *r = request(w, LEAT__CALL_SEND_OFFSETS, run_send_offsets);

    LEAT_ASSERT(under != NULL);
    r->under = leat__membership_ref(under);
    r->group = leat__must_strdup(leat__membership_group(under));
    r->positions = leat__positions_copy(p, count);
    r->count = count;
    return start(w, r);
}

static bool run_commit(leat__log_t *log, leat__request_t *r)
{
    leat__writer_t *w = r->writer;

    if (w->ended == ENDED_COMMIT && !is_fenced(w))
        return true; /* asked again after an answer that was lost */
    if (fenced_out(w, &r->op->err) || not_in_txn(w, &r->op->err))
        return true;
    if (!send_waiting(w))
        return false;
    if (fenced_out(w, &r->op->err) || must_abort(w, &r->op->err))
        return true;
    if (leat__txn_busy(w->txn)) /* an empty one, and the markers of the last are missing */
        return false;
    leat__txn_end(log, w->txn, true);
    w->in_txn = false;
    w->ended = ENDED_COMMIT;
    return true;
}

leat__op_t *leat__writer_commit(leat__writer_t *w)
{
    return start(w, request(w, LEAT__CALL_COMMIT, run_commit));
}

static bool run_abort(leat__log_t *log, leat__request_t *r)
{
    leat__writer_t *w = r->writer;

    if (w->ended == ENDED_ABORT && !is_fenced(w))
        return true;
    if (fenced_out(w, &r->op->err))
        return true;
    if (w->ended == ENDED_COMMIT) {
        leat__error(&r->op->err, LEAT_EFENCED, 0, w->transactional_id,
            "the transaction was committed already and cannot be aborted: make a new writer");
        return true;
    }
    if (not_in_txn(w, &r->op->err))
        return true;
    if (!send_waiting(w) || leat__txn_busy(w->txn))
        return false;
    leat__txn_end(log, w->txn, false);
    w->in_txn = w->must_abort = false;
    w->ended = ENDED_ABORT;
    w->failure_at = w->failure_count = 0; /* they went with it */
    return true;
}

leat__op_t *leat__writer_abort(leat__writer_t *w)
{
    return start(w, request(w, LEAT__CALL_ABORT, run_abort));
}
