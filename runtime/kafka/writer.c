/*
 * runtime/kafka/writer.c: a producer: topics, records, delivery results. Its transactions are in
 * transaction.c.
 *
 * A record is copied into the library's queue with one call; when the queue is full, delivery
 * results are served until there is room or FULL_MS have passed. Results come back per record
 * through one callback, which keeps for each partition the offset after the last record and the
 * first offset that was not ours: a foreign record between two of ours (or the marker of a
 * transaction, so only a writer without transactions asks).
 *
 * Results are served by whoever has the writer: the owner in produce() and poll(), the helper
 * thread while an op is under way; never both (busy).
 */
#include "runtime/kafka/writer.h"

#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    FULL_MS = 100,
    FULL_SLICE_MS = 5,
    TOPIC_MS = 10000,
    TOPIC_SLICE_MS = 500,
    REFUSALS_MAX = 1000
};

/* ---- opening ---- */

/* librdkafka refuses a transaction timeout below its own other limits: they give way. */
static bool limit_to(
    rd_kafka_conf_t *conf, const char *key, int64_t most, int64_t otherwise, leat_error_t *err)
{
    return leat__kconf_int(conf, key, otherwise) <= most ||
           leat__kconf_must_int(conf, key, most, err);
}

static bool set_writer(rd_kafka_conf_t *conf, const leat__writer_t *w, leat_error_t *err)
{
    int64_t timeout = w->timeout_ms > 0 ? w->timeout_ms : 60000;

    if (!leat__kconf_must(conf, "enable.idempotence", "true", err))
        return false;
    if (!w->transactional_id)
        return true;
    return leat__kconf_must(conf, "transactional.id", w->transactional_id, err) &&
           leat__kconf_must_int(conf, "transaction.timeout.ms", timeout, err) &&
           limit_to(conf, "socket.timeout.ms", timeout > 1000 ? timeout : 1000, 60000, err) &&
           limit_to(conf, "message.timeout.ms", timeout, 300000, err);
}

leat__kclient_t *leat__kwriter_client(leat__writer_t *w, leat_error_t *err)
{
    rd_kafka_conf_t *conf = leat__kconf_new(w->broker, LEAT__KPRODUCER, w->client_id, err);

    if (!conf)
        return NULL;
    if (!set_writer(conf, w, err)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, leat__kwriter_landed);
    return leat__kclient_new(w->broker, LEAT__KPRODUCER, conf, err);
}

leat__writer_t *leat__kwriter_open(
    leat__broker_t *base, const leat__writer_opts_t *o, leat_error_t *err)
{
    leat__writer_t *w = leat__must_alloc(sizeof *w);

    w->broker = (leat__kbroker_t *)base;
    w->client_id = leat__must_strdup(o->client_id);
    w->transactional_id = o->transactional_id ? leat__must_strdup(o->transactional_id) : NULL;
    w->timeout_ms = o->transaction_timeout_ms;
    w->patience_ms = leat__kbroker_api_ms(w->broker);
    if (w->patience_ms < 2 * w->timeout_ms)
        w->patience_ms = 2 * w->timeout_ms;
    w->client = leat__kwriter_client(w, err);
    if (!w->client) {
        leat__free(w->client_id);
        leat__free(w->transactional_id);
        leat__free(w);
        return NULL;
    }
    w->worker = leat__kworker_new(1);
    leat__error_clear(err);
    return w;
}

/* ---- topics ---- */

rd_kafka_topic_t *leat__kout_handle(leat__writer_t *w, leat__out_t *out, leat_error_t *err)
{
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(w->client->rk);
    rd_kafka_topic_t *handle;
    char text[256];

    rd_kafka_topic_conf_set(conf, "partitioner", "murmur2_random", text, sizeof text);
    rd_kafka_topic_conf_set_opaque(conf, out);
    handle = rd_kafka_topic_new(w->client->rk, out->topic, conf);
    if (!handle)
        leat__kerror(err, w->client, rd_kafka_last_error(), NULL, out->topic, "write to the topic");
    return handle;
}

/* Partitions of the topic, or a negative leat code with err filled. */
int leat__kout_count(
    leat__writer_t *w, rd_kafka_topic_t *handle, const char *topic, leat_error_t *err)
{
    int64_t until = leat__clock_steady_ms(NULL) + TOPIC_MS;
    const struct rd_kafka_metadata *seen;
    rd_kafka_resp_err_t code;
    char what[LEAT__KTEXT];
    unsigned flags;
    int count = 0;

    do {
        code = rd_kafka_metadata(w->client->rk, 0, handle, &seen, TOPIC_SLICE_MS);
        if (!code) {
            code = seen->topic_cnt ? seen->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
            count = seen->topic_cnt ? seen->topics[0].partition_cnt : 0;
            rd_kafka_metadata_destroy(seen);
        }
        rd_kafka_poll(w->client->rk, 0);
        leat__kcode(code, &flags);
    } while (((flags & LEAT_RETRIABLE) || (!code && !count)) && !w->client->refused &&
             leat__clock_steady_ms(NULL) < until);
    snprintf(what, sizeof what, "find topic %s to write to", topic);
    if (code)
        return leat__kerror(err, w->client, code, NULL, topic, what);
    if (!count)
        return leat__error(err, LEAT_ETOPIC, 0, topic, "could not %s: it has no partitions", what);
    w->client->worked = 1;
    return count;
}

leat__out_t *leat__kwriter_topic(leat__writer_t *w, const char *topic, leat_error_t *err)
{
    leat__out_t *out = leat__map_get(&w->outs, topic);
    int count;

    leat__error_clear(err);
    if (out)
        return out;
    out = leat__must_alloc(sizeof *out);
    out->writer = w;
    out->topic = leat__must_strdup(topic);
    out->handle = leat__kout_handle(w, out, err);
    count = out->handle ? leat__kout_count(w, out->handle, topic, err) : -1;
    if (count <= 0 || !leat__map_put(&w->outs, topic, out)) {
        if (out->handle)
            rd_kafka_topic_destroy(out->handle);
        leat__free(out->topic);
        leat__free(out);
        return NULL;
    }
    out->partitions = count;
    out->landings = leat__must_alloc((size_t)count * sizeof *out->landings);
    for (int i = 0; i < count; i++)
        out->landings[i] = (leat__landing_t){-1, -1};
    return out;
}

int32_t leat__kout_partitions(leat__out_t *t)
{
    return t->partitions;
}

int64_t leat__kout_delivered(leat__out_t *t, int32_t partition)
{
    return partition >= 0 && partition < t->partitions ? t->landings[partition].delivered : -1;
}

int64_t leat__kout_gap(leat__out_t *t, int32_t partition)
{
    int64_t gap;

    if (partition < 0 || partition >= t->partitions)
        return -1;
    gap = t->landings[partition].gap;
    t->landings[partition].gap = -1;
    return gap;
}

/* ---- delivery results ---- */

static void refused(
    leat__writer_t *w, leat__out_t *out, int32_t partition, rd_kafka_resp_err_t code)
{
    if (w->dropping &&
        (code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT))
        return;
    w->spoiled |= code > 0 && w->transactional_id; /* by the broker, not by this client */
    if (w->refusal_count == REFUSALS_MAX) {
        w->refusals_lost++;
        return;
    }
    LEAT__GROW(w->refusals, w->refusal_count, w->refusal_room);
    w->refusals[w->refusal_count++] = (leat__refusal_t){out, partition, code};
}

void leat__kwriter_landed(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    leat__out_t *out = rd_kafka_topic_opaque(m->rkt);
    leat__landing_t *landing;

    (void)rk, (void)opaque;
    if (m->err) {
        refused(out->writer, out, m->partition, m->err);
        return;
    }
    if (m->partition >= out->partitions || m->offset < 0)
        return; /* a partition added since, or a duplicate of unknown offset */
    landing = &out->landings[m->partition];
    if (landing->delivered >= 0 && m->offset > landing->delivered && landing->gap < 0)
        landing->gap = landing->delivered;
    if (m->offset >= landing->delivered)
        landing->delivered = m->offset + 1;
}

void leat__kwriter_poll(leat__writer_t *w)
{
    if (!atomic_load_explicit(&w->busy, memory_order_acquire))
        rd_kafka_poll(w->client->rk, 0);
}

/*
 * A record that this client gave up (purged, timed out) is the transaction's trouble, never the
 * record's; with a fatal error of the producer behind it, as of one that was fenced, the producer
 * is over.
 */
void leat__krefusal(leat_error_t *err, leat__writer_t *w, const leat__refusal_t *r)
{
    char place[LEAT__KTEXT], fatal[LEAT__KTEXT];

    leat__kplace(place, sizeof place, r->out->topic, r->partition);
    if (r->code < 0 && rd_kafka_fatal_error(w->client->rk, fatal, sizeof fatal)) {
        leat__error(err, LEAT_EFENCED, 0, place, "this producer is over: %s", fatal);
        return;
    }
    leat__kerror(err, w->client, r->code, NULL, place, "write a record");
    if (r->code < 0 && err->code != LEAT_EAUTH)
        err->flags = (err->flags & ~(unsigned)LEAT_RETRIABLE) | LEAT_ABORT;
}

bool leat__kwriter_failure(leat__writer_t *w, leat__failure_t *f)
{
    leat__refusal_t *r;

    if (atomic_load_explicit(&w->busy, memory_order_acquire) || w->refusal_at == w->refusal_count) {
        if (!w->busy)
            w->refusal_at = w->refusal_count = 0;
        return false;
    }
    r = &w->refusals[w->refusal_at++];
    f->topic = r->out->topic;
    f->partition = r->partition;
    leat__krefusal(&f->err, w, r);
    if (w->refusal_at == w->refusal_count) {
        f->err.others = (unsigned)w->refusals_lost;
        w->refusals_lost = 0;
    }
    return true;
}

/* ---- records ---- */

#ifdef __clang__
#pragma clang diagnostic ignored                                                                   \
    "-Wgnu-statement-expression" /* RD_KAFKA_V_... check their types with these */
#endif

static rd_kafka_resp_err_t put_plain(leat__writer_t *w, const leat__out_t *t, int32_t partition,
    leat_slice_t key, leat_slice_t value, int64_t time_ms)
{
    return rd_kafka_producev(w->client->rk, RD_KAFKA_V_RKT(t->handle),
        RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key.data, key.size),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.size), RD_KAFKA_V_TIMESTAMP(time_ms),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
}

static rd_kafka_resp_err_t put_headers(leat__writer_t *w, const leat__out_t *t, int32_t partition,
    leat_slice_t key, leat_slice_t value, int64_t time_ms, const leat_headers_t *headers)
{
    rd_kafka_headers_t *native = rd_kafka_headers_new(headers->count);
    rd_kafka_resp_err_t code;

    for (size_t i = 0; i < headers->count; i++)
        rd_kafka_header_add(native, headers->at[i].name, -1, headers->at[i].value.data,
            (ssize_t)headers->at[i].value.size);
    code = rd_kafka_producev(w->client->rk, RD_KAFKA_V_RKT(t->handle),
        RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key.data, key.size),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.size), RD_KAFKA_V_TIMESTAMP(time_ms),
        RD_KAFKA_V_HEADERS(native), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (code)
        rd_kafka_headers_destroy(native);
    return code;
}

static int produce_failed(leat__writer_t *w, const leat__out_t *t, int32_t partition,
    rd_kafka_resp_err_t code, leat_error_t *err)
{
    char place[LEAT__KTEXT], fatal[LEAT__KTEXT];

    leat__kplace(place, sizeof place, t->topic, partition);
    if (rd_kafka_fatal_error(w->client->rk, fatal, sizeof fatal))
        return leat__error(err, LEAT_EFENCED, 0, place, "this producer is over: %s", fatal);
    leat__kerror(err, w->client, code, NULL, place, "write a record");
    /* The library refuses records while the transaction only waits to be aborted. */
    if (code == RD_KAFKA_RESP_ERR__STATE && w->transactional_id)
        return leat__error(err, LEAT_EBROKER, LEAT_ABORT, place,
            "the transaction takes no more records: it has failed and must be aborted, or was not "
            "begun");
    return leat__kcode(code, &(unsigned){0});
}

int leat__kproduce(leat__writer_t *w, leat__out_t *t, int32_t partition, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err)
{
    int64_t until = 0;
    rd_kafka_resp_err_t code;

    if (time_ms < 0)
        time_ms = 0; /* librdkafka's word for "now" */
    for (;;) {
        code = headers && headers->count
                   ? put_headers(w, t, partition, key, value, time_ms, headers)
                   : put_plain(w, t, partition, key, value, time_ms);
        if (!code) {
            if (err)
                err->code = LEAT_OK; /* the texts are not read then: no time is spent on them */
            return 0;
        }
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return produce_failed(w, t, partition, code, err);
        if (!until)
            until = leat__clock_steady_ms(NULL) + FULL_MS;
        else if (leat__clock_steady_ms(NULL) >= until)
            return leat__error(err, LEAT_EFULL, LEAT_RETRIABLE, t->topic,
                "the producer's queue is full: the broker takes records more slowly than they "
                "come");
        rd_kafka_poll(w->client->rk, FULL_SLICE_MS);
    }
}
