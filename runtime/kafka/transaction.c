/*
 * runtime/kafka/transaction.c: a writer's ops: init, flush, offsets, commit, abort, close. Begin
 * does not wait.
 *
 * Each op runs on the writer's helper thread. What librdkafka calls retriable is called again, as
 * the library wants it, until the time is up: it resumes where it stood. A commit that ends that
 * way has no known outcome (LEAT_ETIMEOUT). An abort flushes first: an abort with unsent records
 * soon after a commit is a fatal error in one of two runs (librdkafka.md, Part I, row 1).
 */
#include "runtime/kafka/writer.h"

#include <stdio.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"

enum { FLUSH_SLICE_MS = 50, FLUSH_STUCK_MS = 250, AGAIN_MS = 20, AGAIN_MAX_MS = 1000, DOWN_MS = 3000 };

typedef struct writer_job_t writer_job_t;
typedef rd_kafka_error_t *(*txn_fn)(writer_job_t *j);

struct writer_job_t {
    leat__kjob_t job;
    leat__writer_t *writer;
    leat__membership_t *under;
    leat__position_t *positions;
    size_t count;
    txn_fn call;
    const char *what;
    bool unknown; /* out of time: the outcome is unknown */
    bool hasty;   /* gives up soon when no broker can be reached at all */
};

static void job_release(leat__kjob_t *job)
{
    writer_job_t *j = (writer_job_t *)job;

    leat__membership_unref(j->under);
    leat__positions_free(j->positions, j->count);
    if (j->writer)
        atomic_fetch_sub_explicit(&j->writer->busy, 1, memory_order_release);
    leat__free(j);
}

static writer_job_t *job_new(leat__writer_t *w, void (*run)(leat__kjob_t *))
{
    writer_job_t *j = leat__must_alloc(sizeof *j);

    j->job = (leat__kjob_t){.op = leat__op_new(), .run = run, .release = job_release};
    j->writer = w;
    atomic_fetch_add_explicit(&w->busy, 1, memory_order_acq_rel);
    return j;
}

static leat__op_t *post(writer_job_t *j)
{
    leat__op_t *op = j->job.op;

    leat__kworker_post(j->writer->worker, &j->job);
    return op;
}

static void pause_ms(int64_t ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

/* ---- transactional calls ---- */

static bool out_of_time(const writer_job_t *j, int64_t began_ms, int downs)
{
    const leat__writer_t *w = j->writer;
    int64_t spent_ms = leat__clock_steady_ms(NULL) - began_ms;

    if (leat__kjob_closing(&j->job) || spent_ms >= w->patience_ms)
        return true;
    return j->hasty && w->client->down != downs && spent_ms >= DOWN_MS;
}

/* Repeats the call while it may succeed. The op's err is the result. */
static void call_until(writer_job_t *j)
{
    leat__writer_t *w = j->writer;
    leat_error_t *err = &j->job.op->err;
    int64_t began_ms = leat__clock_steady_ms(NULL);
    int downs = w->client->down;
    leat__backoff_t backoff = {.first_ms = AGAIN_MS,
        .max_ms = AGAIN_MAX_MS,
        .random = (uint64_t)leat__clock_steady_us(NULL)};

    for (;;) {
        rd_kafka_error_t *e = j->call(j);

        if (!e) {
            leat__error_clear(err);
            w->client->worked = 1;
            return;
        }
        rd_kafka_poll(w->client->rk, 0);
        leat__kerror_txn(err, w->client, e, w->transactional_id, j->what);
        if (!(err->flags & LEAT_RETRIABLE))
            return;
        if (out_of_time(j, began_ms, downs))
            break;
        pause_ms(leat__backoff_next_ms(&backoff));
    }
    if (j->unknown)
        err->code = LEAT_ETIMEOUT;
}

static void run_call(leat__kjob_t *job)
{
    call_until((writer_job_t *)job);
}

static writer_job_t *txn_job(
    leat__writer_t *w, void (*run)(leat__kjob_t *), txn_fn call, const char *what)
{
    writer_job_t *j = job_new(w, run);

    j->call = call;
    j->what = what;
    return j;
}

static rd_kafka_error_t *call_init(writer_job_t *j)
{
    return rd_kafka_init_transactions(j->writer->client->rk, LEAT__KSLICE_MS);
}

leat__op_t *leat__kwriter_init(leat__writer_t *w)
{
    writer_job_t *j = txn_job(w, run_call, call_init, "initialise transactions");

    j->hasty = true;
    return post(j);
}

int leat__kwriter_begin(leat__writer_t *w, leat_error_t *err)
{
    return leat__kerror_txn(err, w->client, rd_kafka_begin_transaction(w->client->rk),
        w->transactional_id, "begin a transaction");
}

static rd_kafka_error_t *call_offsets(writer_job_t *j)
{
    rd_kafka_topic_partition_list_t *list = leat__klist(j->positions, j->count, true);
    rd_kafka_error_t *e = rd_kafka_send_offsets_to_transaction(
        j->writer->client->rk, list, leat__membership_native(j->under), LEAT__KSLICE_MS);

    rd_kafka_topic_partition_list_destroy(list);
    return e;
}

leat__op_t *leat__kwriter_send_offsets(
    leat__writer_t *w, const leat__position_t *p, size_t count, leat__membership_t *under)
{
    writer_job_t *j = txn_job(w, run_call, call_offsets, "add the offsets to the transaction");

    j->under = leat__membership_ref(under);
    j->positions = leat__positions_copy(p, count);
    j->count = count;
    return post(j);
}

static rd_kafka_error_t *call_commit(writer_job_t *j)
{
    return rd_kafka_commit_transaction(j->writer->client->rk, LEAT__KSLICE_MS);
}

leat__op_t *leat__kwriter_commit(leat__writer_t *w)
{
    writer_job_t *j = txn_job(w, run_call, call_commit, "commit the transaction");

    j->unknown = true;
    return post(j);
}

/* ---- flush and abort ---- */

/*
 * True: nothing is left unsent. Ends early when nothing moves for stuck_ms (0: never) or at
 * until_ms.
 */
static bool flush(const writer_job_t *j, int64_t until_ms, int64_t stuck_ms)
{
    rd_kafka_t *rk = j->writer->client->rk;
    int left = rd_kafka_outq_len(rk), before = left;
    int64_t moved_ms = leat__clock_steady_ms(NULL), now;

    while (rd_kafka_flush(rk, FLUSH_SLICE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        now = leat__clock_steady_ms(NULL);
        left = rd_kafka_outq_len(rk);
        if (left != before)
            moved_ms = now;
        before = left;
        if (leat__kjob_closing(&j->job) || now >= until_ms ||
            (stuck_ms && now - moved_ms >= stuck_ms))
            return false;
    }
    return true;
}

static void free_handles(leat__writer_t *w)
{
    const char *topic;
    void *value;

    for (size_t i = 0; leat__map_next(&w->outs, &i, &topic, &value);)
        rd_kafka_topic_destroy(((leat__out_t *)value)->handle);
}

/*
 * After the broker refused a record, 2.0.2 goes on with sequence numbers that the broker does not
 * expect, and the next transaction fails as well ("skipped sequence numbers"). A new producer in
 * the old one's place has no such past; what the caller holds stays good.
 */
static void renew(writer_job_t *j)
{
    leat__writer_t *w = j->writer;
    leat_error_t *err = &j->job.op->err;
    leat__kclient_t *old = w->client;
    leat__kclient_t *fresh = leat__kwriter_client(w, err);
    const char *topic;
    void *value;

    if (!fresh)
        return;
    free_handles(w);
    leat__kclient_free(old, false);
    w->client = fresh;
    w->spoiled = false;
    for (size_t i = 0; leat__map_next(&w->outs, &i, &topic, &value);) {
        leat__out_t *out = value;

        out->handle = leat__kout_handle(w, out, err);
        LEAT_ASSERT(out->handle); /* it was made once from the same name */
        leat__kout_count(w, out->handle, topic, NULL);
    }
    j->call = call_init;
    j->what = "initialise transactions again";
    call_until(j);
}

static rd_kafka_error_t *call_abort(writer_job_t *j)
{
    return rd_kafka_abort_transaction(j->writer->client->rk, LEAT__KSLICE_MS);
}

static void run_abort(leat__kjob_t *job)
{
    writer_job_t *j = (writer_job_t *)job;
    leat__writer_t *w = j->writer;

    w->dropping = true;
    flush(j, leat__clock_steady_ms(NULL) + w->patience_ms, FLUSH_STUCK_MS);
    call_until(j);
    w->dropping = false;
    w->refusal_at = w->refusal_count = 0; /* of records that are gone */
    if (w->spoiled && !job->op->err.code && !leat__kjob_closing(job))
        renew(j);
}

leat__op_t *leat__kwriter_abort(leat__writer_t *w)
{
    return post(txn_job(w, run_abort, call_abort, "abort the transaction"));
}

static void run_flush(leat__kjob_t *job)
{
    writer_job_t *j = (writer_job_t *)job;
    leat__writer_t *w = j->writer;
    leat_error_t *err = &job->op->err;

    if (!flush(j, leat__clock_steady_ms(NULL) + w->patience_ms, 0)) {
        leat__kerror(err, w->client, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, w->transactional_id,
            "flush the records");
        return;
    }
    if (w->refusal_at == w->refusal_count)
        return;
    leat__krefusal(err, w, &w->refusals[w->refusal_at]);
    err->flags &= ~(unsigned)LEAT_RETRIABLE;
    if (w->transactional_id && err->code != LEAT_EFENCED)
        err->flags |= LEAT_ABORT;
    err->others = (unsigned)(w->refusal_count - w->refusal_at - 1 + w->refusals_lost);
}

leat__op_t *leat__kwriter_flush(leat__writer_t *w)
{
    return post(job_new(w, run_flush));
}

/* ---- closing ---- */

static void end_writer(leat__writer_t *w)
{
    const char *topic;
    void *value;

    leat__kworker_free(w->worker);
    w->dropping = true;
    rd_kafka_purge(w->client->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(w->client->rk, 0);
    free_handles(w);
    leat__kclient_free(w->client, false);
    for (size_t i = 0; leat__map_next(&w->outs, &i, &topic, &value);) {
        leat__free(((leat__out_t *)value)->topic);
        leat__free(((leat__out_t *)value)->landings);
        leat__free(value);
    }
    leat__map_release(&w->outs, NULL);
    leat__free(w->refusals);
    leat__free(w->client_id);
    leat__free(w->transactional_id);
    leat__free(w);
}

static void *end_late(void *arg)
{
    end_writer(arg);
    return NULL;
}

/*
 * 2.0.2 sometimes does not come back from rd_kafka_send_offsets_to_transaction, whatever its timeout,
 * after the broker has gone: seen for minutes, until the end of the process. Nobody may wait for that
 * call; the writer is left to a thread of its own, and a fresh one fences it by the same id.
 */
static void run_close(leat__kjob_t *job)
{
    writer_job_t *j = (writer_job_t *)job;
    leat__writer_t *w = j->writer;
    pthread_t thread;

    j->writer = NULL;
    if (leat__kworker_close(w->worker, LEAT__KHUNG_MS)) {
        end_writer(w);
        return;
    }
    leat__log(LEAT_LOG_WARN, "kafka", NULL,
        "a call of %s does not come back from librdkafka: the producer is left to end by itself",
        w->transactional_id ? w->transactional_id : w->client_id);
    if (pthread_create(&thread, NULL, end_late, w) == 0)
        pthread_detach(thread);
}

leat__op_t *leat__kwriter_close(leat__writer_t *w)
{
    writer_job_t *j = job_new(w, run_close);
    leat__op_t *op = j->job.op;

    j->job.always = true;
    leat__kworker_post(w->broker->pool, &j->job);
    return op;
}
