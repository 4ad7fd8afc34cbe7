/*
 * runtime/kafka/reader.c: partitions read one by one, each from a queue of its own.
 *
 * A reader is one consumer with manual assignment. Each slot detaches its partition's queue from
 * the consumer's (before the partition is assigned, so that nothing goes astray) and takes batches
 * from it without waiting; an unread queue holds its fetcher back by itself, so pausing, which
 * throws prefetched data away, is never needed. Positions are counted here: a record's offset + 1,
 * or the offset of an end-of-partition event, which is behind the transaction markers; the
 * library's own position is wrong in some versions. A record below the position was taken before
 * and is dropped.
 *
 * A batch owns the library's messages until it is released; holders are reused, so taking allocates
 * nothing.
 *
 *   fetcher --> queue of slot 0 --\
 *   fetcher --> queue of slot 1 ----> eventfd --> wait()          take(slot) --> batch --> release
 *
 * The queues write to the eventfd when they turn non-empty. A take that was cut off by `max` leaves
 * a hint instead, so that the next wait() returns at once; each hint does so once, so a slot that
 * nobody reads cannot make wait() spin.
 */
#include "runtime/kafka/reader.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    TAKE_MAX = 10000,
    TAIL_WAIT_MS = 10,
    BACKOFF_MS = 5,
    FULL_SHARES = 4,
    QUEUE_KBYTES_MIN = 256,
    SHARE_KBYTES_MIN = 64
};

/* ---- opening ---- */

/*
 * librdkafka's limits hold for each queue, and here each partition has one. Up to FULL_SHARES
 * partitions have all of it; more of them share what those may have, so that a reader's memory does
 * not grow with them. A response, cut to the limit by the library, may stay as large as it was.
 */
static bool share_out(rd_kafka_conf_t *conf, size_t partitions, leat_error_t *err)
{
    int64_t whole = leat__kconf_int(conf, "queued.max.messages.kbytes", 4096);
    int64_t fetch = leat__kconf_int(conf, "fetch.max.bytes", whole * 1024);
    int64_t message = leat__kconf_int(conf, "message.max.bytes", 1000000);
    int64_t share;

    if (partitions <= FULL_SHARES || whole <= SHARE_KBYTES_MIN)
        return true;
    share = whole * FULL_SHARES / (int64_t)partitions;
    if (fetch > whole * 1024)
        fetch = whole * 1024 > message ? whole * 1024 : message;
    if (share < SHARE_KBYTES_MIN)
        share = SHARE_KBYTES_MIN;
    return leat__kconf_must_int(conf, "fetch.max.bytes", fetch, err) &&
           leat__kconf_must_int(conf, "queued.max.messages.kbytes", share, err);
}

static bool set_reader(rd_kafka_conf_t *conf, leat__kbroker_t *b, const leat__reader_opts_t *o,
    bool *waker, leat_error_t *err)
{
    char text[256], backoff[16];
    bool ok = (!o->settings || leat__kconf_pass(conf, b, o->settings, err)) &&
              leat__kconf_must(conf, "group.id", o->group ? o->group : o->client_id, err) &&
              leat__kconf_must(conf, "enable.auto.commit", "false", err) &&
              leat__kconf_must(conf, "enable.auto.offset.store", "false", err) &&
              leat__kconf_must(conf, "enable.partition.eof", "true", err) &&
              leat__kconf_must(conf, "auto.offset.reset", "error", err) &&
              leat__kconf_must(conf, "isolation.level",
                  o->read_committed ? "read_committed" : "read_uncommitted", err) &&
              share_out(conf, o->partitions, err);

    if (ok && o->tail)
        ok = leat__kconf_must_int(conf, "fetch.wait.max.ms", TAIL_WAIT_MS, err);
    if (ok && o->queue_bytes) {
        size_t kbytes = o->queue_bytes / 1024;

        ok = leat__kconf_must_int(conf, "queued.max.messages.kbytes",
            (int64_t)(kbytes > QUEUE_KBYTES_MIN ? kbytes : QUEUE_KBYTES_MIN), err);
    }
    /* Known from 2.2.0 on: then the fetcher looks again by itself. */
    snprintf(backoff, sizeof backoff, "%d", BACKOFF_MS);
    *waker = rd_kafka_conf_set(conf, "fetch.queue.backoff.ms", backoff, text, sizeof text) !=
             RD_KAFKA_CONF_OK;
    return ok;
}

leat__reader_t *leat__kreader_open(
    leat__broker_t *base, const leat__reader_opts_t *o, leat_error_t *err)
{
    leat__kbroker_t *b = (leat__kbroker_t *)base;
    rd_kafka_conf_t *conf = leat__kconf_new(b, LEAT__KCONSUMER, o->client_id, err);
    leat__reader_t *r;
    bool waker;

    if (!conf)
        return NULL;
    if (!set_reader(conf, b, o, &waker, err)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    r = leat__must_alloc(sizeof *r);
    r->pool = b->pool;
    r->queue_records = leat__kconf_int(conf, "queued.min.messages", 10000);
    r->queue_bytes = leat__kconf_int(conf, "queued.max.messages.kbytes", 4096) * 1024;
    r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (r->fd < 0) {
        leat__error(err, LEAT_EIO, LEAT_FATAL, NULL,
            "no eventfd for a reader: %s; raise the limit of open files (ulimit -n)",
            strerror(errno));
        rd_kafka_conf_destroy(conf);
        leat__free(r);
        return NULL;
    }
    r->client = leat__kclient_new(b, LEAT__KCONSUMER, conf, err);
    if (!r->client) {
        close(r->fd);
        leat__free(r);
        return NULL;
    }
    if (waker)
        r->waker = leat__kwaker_new(r->client);
    leat__error_clear(err);
    return r;
}

static void slot_clear(leat__slot_t *s)
{
    if (s->queue) {
        rd_kafka_queue_io_event_enable(s->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(s->queue);
    }
    leat__free(s->topic);
    *s = (leat__slot_t){0};
}

typedef struct close_job_t {
    leat__kjob_t job;
    leat__kwaker_t *waker;
    leat__kclient_t *client;
} close_job_t;

static void run_close(leat__kjob_t *job)
{
    close_job_t *j = (close_job_t *)job;

    leat__kwaker_free(j->waker);
    leat__kclient_free(j->client, false);
}

static void close_release(leat__kjob_t *job)
{
    leat__free(job);
}

/* The client ends on a helper thread: who closes a reader beside running tasks does not wait. */
void leat__kreader_close(leat__reader_t *r)
{
    close_job_t *j = leat__must_alloc(sizeof *j);
    leat__holder_t *h;

    LEAT_ASSERT(r->held == 0);
    for (size_t i = 0; i < r->slot_count; i++)
        slot_clear(&r->slots[i]);
    *j = (close_job_t){.job = {.run = run_close, .release = close_release, .always = true},
        .waker = r->waker,
        .client = r->client};
    leat__kworker_post(r->pool, &j->job);
    while ((h = r->holders)) {
        r->holders = h->next;
        leat__free(h->messages);
        leat__free(h->raws);
        leat__free(h);
    }
    close(r->fd);
    leat__free(r->slots);
    leat__free(r);
}

/* ---- slots ---- */

static rd_kafka_error_t *assign(leat__reader_t *r, const leat__slot_t *s, bool add)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_error_t *e;

    rd_kafka_topic_partition_list_add(list, s->topic, s->partition)->offset = s->next;
    e = add ? rd_kafka_incremental_assign(r->client->rk, list)
            : rd_kafka_incremental_unassign(r->client->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return e;
}

static int free_slot(leat__reader_t *r)
{
    for (size_t i = 0; i < r->slot_count; i++)
        if (!r->slots[i].topic)
            return (int)i;
    LEAT__GROW(r->slots, r->slot_count, r->slot_room);
    r->slots[r->slot_count] = (leat__slot_t){0};
    return (int)r->slot_count++;
}

int leat__kreader_add(
    leat__reader_t *r, const char *topic, int32_t partition, int64_t offset, leat_error_t *err)
{
    static const uint64_t one = 1;
    int at = free_slot(r);
    leat__slot_t *s = &r->slots[at];
    rd_kafka_error_t *e;
    char place[LEAT__KTEXT];

    *s = (leat__slot_t){.topic = leat__must_strdup(topic), .partition = partition, .next = offset};
    s->queue = rd_kafka_queue_get_partition(r->client->rk, topic, partition);
    if (s->queue) {
        rd_kafka_queue_forward(s->queue, NULL);
        rd_kafka_queue_io_event_enable(s->queue, r->fd, &one, sizeof one);
        e = assign(r, s, true);
    } else {
        e = rd_kafka_error_new(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, "no such partition");
    }
    if (!e) {
        leat__kwaker_add(r->waker, topic, partition);
        leat__error_clear(err);
        return at;
    }
    leat__kplace(place, sizeof place, topic, partition);
    leat__kerror_txn(err, r->client, e, place, "read the partition");
    slot_clear(s);
    return -1;
}

static leat__slot_t *slot_at(leat__reader_t *r, int slot)
{
    LEAT_ASSERT(slot >= 0 && (size_t)slot < r->slot_count && r->slots[slot].topic);
    return &r->slots[slot];
}

static void must_assign(leat__reader_t *r, const leat__slot_t *s, bool add)
{
    rd_kafka_error_t *e = assign(r, s, add);

    if (!e)
        return;
    leat__log(LEAT_LOG_ERROR, "kafka", NULL, "%s: cannot %s reading %s-%d: %s", r->client->name,
        add ? "start" : "stop", s->topic, (int)s->partition, rd_kafka_error_string(e));
    rd_kafka_error_destroy(e);
}

void leat__kreader_remove(leat__reader_t *r, int slot)
{
    leat__slot_t *s = slot_at(r, slot);

    must_assign(r, s, false);
    leat__kwaker_remove(r->waker, s->topic, s->partition);
    slot_clear(s);
}

/*
 * Taking the partition away makes everything prefetched outdated before the call returns; the
 * library drops it.
 */
void leat__kreader_seek(leat__reader_t *r, int slot, int64_t offset)
{
    leat__slot_t *s = slot_at(r, slot);

    must_assign(r, s, false);
    s->next = offset;
    s->hint = s->full = false;
    must_assign(r, s, true);
    leat__kwaker_restart(r->waker);
}

int64_t leat__kreader_high_watermark(leat__reader_t *r, int slot)
{
    leat__slot_t *s = slot_at(r, slot);
    int64_t low = -1, high = -1;

    if (rd_kafka_get_watermark_offsets(r->client->rk, s->topic, s->partition, &low, &high) ||
        high < 0)
        return -1;
    return high;
}

/* ---- taking ---- */

static leat__holder_t *hold(leat__reader_t *r, size_t max)
{
    leat__holder_t *h = r->holders;

    if (h)
        r->holders = h->next;
    else
        h = leat__must_alloc(sizeof *h);
    if (h->room < max) {
        h->room = max;
        h->messages = leat__must_realloc(h->messages, max * sizeof *h->messages);
        h->raws = leat__must_realloc(h->raws, max * sizeof *h->raws);
    }
    h->count = 0;
    r->held++;
    return h;
}

static void let_go(leat__reader_t *r, leat__holder_t *h)
{
    h->next = r->holders;
    r->holders = h;
    r->held--;
}

static void take_event(
    leat__reader_t *r, leat__slot_t *s, const rd_kafka_message_t *m, leat__batch_t *batch)
{
    unsigned flags;
    int code;

    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (m->offset >= s->next)
            s->next = m->offset;
        batch->at_end = m->offset >= s->next;
        s->full = false;
        return;
    }
    code = leat__kcode(m->err, &flags);
    leat__kclient_note(r->client, m->err, rd_kafka_message_errstr(m));
    leat__log(flags & LEAT_RETRIABLE ? LEAT_LOG_DEBUG : LEAT_LOG_WARN, "kafka", NULL,
        "reading %s-%d at %lld: %s", s->topic, (int)s->partition, (long long)s->next,
        rd_kafka_message_errstr(m));
    if (!(flags & LEAT_RETRIABLE))
        batch->code = code;
}

static void take_record(
    leat__slot_t *s, leat__holder_t *h, rd_kafka_message_t *m, leat__batch_t *batch)
{
    leat__raw_t *raw = &h->raws[h->count];

    raw->key = (leat_slice_t){m->key, m->key_len};
    raw->value = (leat_slice_t){m->payload, m->len};
    raw->offset = m->offset;
    raw->time_ms = rd_kafka_message_timestamp(m, NULL);
    raw->native = m;
    h->messages[h->count++] = m; /* never ahead of where it was read from */
    batch->bytes += m->key_len + m->len;
    batch->at_end = false;
    s->next = m->offset + 1;
}

/*
 * Keeps an eye on the queue: one that stood above the fetcher's limit and now runs low needs the
 * waker.
 */
static void watch_queue(leat__reader_t *r, leat__slot_t *s, size_t taken, size_t bytes)
{
    size_t left = rd_kafka_queue_length(s->queue);
    size_t mean = taken ? bytes / taken + LEAT__KOVERHEAD_BYTES : 1;
    int64_t limit = r->queue_bytes / (int64_t)mean;

    if (limit > r->queue_records)
        limit = r->queue_records;
    if (taken && (int64_t)(left + taken) >= limit)
        s->full = true;
    if (s->full && (int64_t)left < limit)
        leat__kwaker_kick(r->waker);
}

bool leat__kreader_take(leat__reader_t *r, int slot, size_t max, leat__batch_t *batch)
{
    leat__slot_t *s = slot_at(r, slot);
    int64_t before = s->next;
    leat__holder_t *h;
    ssize_t count;

    if (max > TAKE_MAX)
        max = TAKE_MAX;
    h = hold(r, max);
    count = rd_kafka_consume_batch_queue(s->queue, 0, h->messages, max);
    *batch = (leat__batch_t){.records = h->raws, .native = h};
    s->hint = count > 0 && (size_t)count == max;
    for (ssize_t i = 0; i < count; i++) {
        rd_kafka_message_t *m = h->messages[i];

        if (!m->err && m->offset >= s->next) {
            take_record(s, h, m, batch);
            continue;
        }
        if (m->err)
            take_event(r, s, m, batch);
        rd_kafka_message_destroy(m);
    }
    batch->count = h->count;
    batch->next = s->next;
    if (r->waker && (h->count || s->full))
        watch_queue(r, s, h->count, batch->bytes);
    if (h->count || batch->at_end || batch->code || s->next != before) {
        r->client->worked = 1;
        return true;
    }
    let_go(r, h);
    return false;
}

void leat__kreader_release(leat__reader_t *r, leat__batch_t *batch)
{
    leat__holder_t *h = batch->native;

    for (size_t i = 0; i < h->count; i++)
        rd_kafka_message_destroy(h->messages[i]);
    let_go(r, h);
    *batch = (leat__batch_t){0};
}

const leat_headers_t *leat__kreader_headers(
    leat__reader_t *r, const leat__raw_t *raw, leat__arena_t *scratch)
{
    rd_kafka_headers_t *found;
    leat_header_t *headers;
    size_t count;

    (void)r;
    if (rd_kafka_message_headers(raw->native, &found) || !(count = rd_kafka_header_cnt(found)))
        return NULL;
    headers = leat__arena_alloc(scratch, count * sizeof *headers);
    for (size_t i = 0; i < count; i++) {
        const void *value = NULL;
        size_t size = 0;

        rd_kafka_header_get_all(found, i, &headers[i].name, &value, &size);
        headers[i].value = (leat_slice_t){value, size};
    }
    return leat__headers_new(scratch, headers, count);
}

/* ---- waiting ---- */

static bool take_hint(leat__reader_t *r)
{
    bool hint = false;

    for (size_t i = 0; i < r->slot_count; i++) {
        hint |= r->slots[i].hint;
        r->slots[i].hint = false;
    }
    return hint;
}

bool leat__kreader_wait(leat__reader_t *r, int64_t timeout_ms)
{
    struct pollfd fd = {.fd = r->fd, .events = POLLIN};
    uint64_t count;
    bool hint = take_hint(r);
    int ready;

    rd_kafka_poll(r->client->rk, 0);
    ready = poll(&fd, 1,
        hint || timeout_ms < 0   ? 0
        : timeout_ms > INT32_MAX ? INT32_MAX
                                 : (int)timeout_ms);
    if (ready > 0 && read(r->fd, &count, sizeof count) < 0)
        ready = 0;
    return hint || ready > 0;
}

void leat__kreader_wake(leat__reader_t *r)
{
    uint64_t one = 1;

    if (write(r->fd, &one, sizeof one) < 0) {
        /* Full: it is awake anyway. */
    }
}
