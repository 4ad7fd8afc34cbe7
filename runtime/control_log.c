/*
 * runtime/control_log.c: reading and writing the control topic. Read uncommitted, from the earliest record, by offset: the topic is
 * small (whole states per key, compacted). Writes are plain idempotent records, acknowledged by all replicas.
 */
#include "control_log.h"

#include "base/log.h"
#include "base/mem.h"
#include "state_dir.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char status_prefix[] = "status/";
static const char incarnation_prefix[] = "incarnation/";

char *leat__control_topic(const char *application_id)
{
    return leat__must_format("%s-leat-control-changelog", application_id);
}

static int open_writer(leat__control_log_t *l, leat_error_t *err)
{
    leat__writer_opts_t o = {.client_id = "leat-control"};

    l->writer = l->vt->writer_open(l->broker, &o, err);
    if (l->writer == NULL)
        return err->code;
    l->out = l->vt->writer_topic(l->writer, l->topic, err);
    return l->out == NULL ? err->code : 0;
}

int leat__control_log_open(leat__control_log_t *l, leat__broker_t *broker,
    const char *application_id, int64_t earliest, leat_error_t *err)
{
    leat__reader_opts_t o = {.client_id = "leat-control"}; /* one partition: a long fetch is no delay */
    leat_error_t local;

    if (err == NULL)
        err = &local;
    memset(l, 0, sizeof *l);
    pthread_mutex_init(&l->lock, NULL);
    l->broker = broker;
    l->vt = broker->vt;
    l->topic = leat__control_topic(application_id);
    l->next = earliest;
    l->placement_offset = -1;
    l->slot = -1;
    l->reader = l->vt->reader_open(broker, &o, err);
    if (l->reader != NULL)
        l->slot = l->vt->reader_add(l->reader, l->topic, 0, earliest, err);
    if (l->slot < 0 || open_writer(l, err) != 0) {
        int code = err->code;
        leat__control_log_close(l);
        return code;
    }
    return 0;
}

static void status_free(void *status)
{
    leat__status_release(status);
    leat__free(status);
}

/* Bounded: whoever closes has seen leat__control_log_written, or gives up. */
static void close_writer(leat__control_log_t *l)
{
    leat__op_free(l->flush);
    l->flush = NULL;
    if (l->writer != NULL) {
        leat__op_t *op = l->vt->writer_close(l->writer);
        leat__op_wait(op, 5000);
        leat__op_free(op);
    }
    l->writer = NULL;
    l->out = NULL;
}

void leat__control_log_close(leat__control_log_t *l)
{
    close_writer(l);
    if (l->reader != NULL)
        l->vt->reader_close(l->reader);
    leat__claim_release(&l->claim);
    leat__placement_release(&l->placement);
    leat__map_release(&l->statuses, status_free);
    leat__map_release(&l->incarnations, leat__free);
    leat__free(l->topic);
    pthread_mutex_destroy(&l->lock);
    memset(l, 0, sizeof *l);
}

/* ---- reading ---- */

static void see_placement(leat__control_log_t *l, leat_slice_t value, int64_t offset)
{
    leat__placement_t p;

    if (!leat__placement_decode(value, &p)) {
        leat__log(LEAT_LOG_WARN, "control", NULL, "%s@%" PRId64 ": unreadable placement ignored",
            l->topic, offset);
        return;
    }
    if (l->claim.member_id != NULL &&
        (l->claim.generation != p.generation || strcmp(l->claim.member_id, p.leader) != 0)) {
        leat__log(LEAT_LOG_INFO, "control", NULL,
            "%s@%" PRId64 ": placement of generation %d ignored: its leader's claim was over",
            l->topic, offset, p.generation);
        leat__placement_release(&p);
        return;
    }
    leat__placement_release(&l->placement);
    l->placement = p;
    l->placement_offset = offset;
}

/* Of the time for which it wants to be waited for what is left now: it may have been written long ago. */
static int64_t kept_until(const leat__control_log_t *l, const leat__status_t *s, int64_t time_ms)
{
    const leat__clock_t *clock = l->vt->clock(l->broker);
    int64_t left = s->restart_ms;

    if (time_ms >= 0 && time_ms + s->restart_ms - leat__clock_wall_ms(clock) < left)
        left = time_ms + s->restart_ms - leat__clock_wall_ms(clock);
    return leat__clock_steady_ms(clock) + left;
}

static void see_status(leat__control_log_t *l, const char *process_id, const leat__raw_t *raw)
{
    leat__status_t *s;

    l->changes++;
    if (raw->value.data == NULL) {
        l->forgotten++;
        s = leat__map_remove(&l->statuses, process_id);
        if (s != NULL)
            status_free(s);
        return;
    }
    s = leat__must_alloc(sizeof *s);
    if (!leat__status_decode(raw->value, process_id, s)) {
        leat__log(
            LEAT_LOG_WARN, "control", NULL, "unreadable status of process %s ignored", process_id);
        leat__free(s);
        return;
    }
    s->seen = l->changes;
    if (s->state == LEAT__PROCESS_RESTARTING)
        s->kept_until_ms = kept_until(l, s, raw->time_ms);
    leat__status_t *before = leat__map_get(&l->statuses, process_id);
    leat__map_put(&l->statuses, process_id, s);
    if (before != NULL)
        status_free(before);
}

static void see_incarnation(leat__control_log_t *l, const char *topic, leat_slice_t value)
{
    uint64_t *number = leat__must_alloc(sizeof *number);
    char text[32];

    leat_slice_copy(&value, text, sizeof text);
    *number = value.data == NULL ? 0 : strtoull(text, NULL, 16);
    pthread_mutex_lock(&l->lock);
    uint64_t *before = leat__map_get(&l->incarnations, topic);
    leat__map_put(&l->incarnations, topic, number);
    leat__free(before);
    pthread_mutex_unlock(&l->lock);
}

static void see(leat__control_log_t *l, const leat__raw_t *raw)
{
    char key[320];

    if (raw->key.data == NULL)
        return;
    leat_slice_copy(&raw->key, key, sizeof key);
    if (strcmp(key, "claim") == 0) {
        leat__claim_t c;
        if (raw->value.data == NULL || !leat__claim_decode(raw->value, &c))
            return;
        leat__claim_release(&l->claim);
        l->claim = c;
    } else if (strcmp(key, "placement") == 0) {
        if (raw->value.data != NULL)
            see_placement(l, raw->value, raw->offset);
    } else if (strncmp(key, status_prefix, sizeof status_prefix - 1) == 0) {
        see_status(l, key + sizeof status_prefix - 1, raw);
    } else if (strncmp(key, incarnation_prefix, sizeof incarnation_prefix - 1) == 0) {
        see_incarnation(l, key + sizeof incarnation_prefix - 1, raw->value);
    }
}

bool leat__control_log_poll(leat__control_log_t *l)
{
    leat__batch_t batch;
    leat__failure_t failure;
    bool any = false;

    l->vt->writer_poll(l->writer);
    while (l->vt->writer_failure(l->writer, &failure))
        leat__error_keep(&l->failure, &failure.err);
    while (l->vt->reader_take(l->reader, l->slot, 1000, &batch)) {
        for (size_t i = 0; i < batch.count; i++)
            see(l, &batch.records[i]);
        any = any || batch.count > 0;
        if (batch.next > l->next)
            l->next = batch.next;
        l->vt->reader_release(l->reader, &batch);
    }
    return any;
}

/* ---- writing ---- */

static void write_record(
    leat__control_log_t *l, const char *prefix, const char *name, const leat__buf_t *value)
{
    char *key = leat__must_format("%s%s", prefix, name);
    leat_slice_t bytes = {NULL, 0}; /* value NULL: delete */
    leat_error_t err;
    int rc;

    if (value != NULL)
        bytes = (leat_slice_t){value->data, value->size};
    leat__error_clear(&err);
    rc = l->vt->produce(l->writer, l->out, 0, leat_slice(key), bytes,
        leat__clock_wall_ms(l->vt->clock(l->broker)), NULL, &err);
    if (rc != 0) {
        err.code = (leat_code_t)rc;
        leat__error_keep(&l->failure, &err);
    }
    leat__op_free(l->flush);
    l->flush = l->vt->writer_flush(l->writer);
    leat__free(key);
}

void leat__control_log_claim(leat__control_log_t *l, const leat__claim_t *c)
{
    leat__buf_t value = {0};

    leat__claim_encode(c, &value);
    write_record(l, "claim", "", &value);
    leat__buf_release(&value);
}

void leat__control_log_place(leat__control_log_t *l, const leat__placement_t *p)
{
    leat__buf_t value = {0};

    leat__placement_encode(p, &value);
    write_record(l, "placement", "", &value);
    leat__buf_release(&value);
}

void leat__control_log_status(leat__control_log_t *l, const leat__status_t *s)
{
    leat__buf_t value = {0};

    leat__status_encode(s, &value);
    write_record(l, status_prefix, s->process_id, &value);
    leat__buf_release(&value);
}

void leat__control_log_forget(leat__control_log_t *l, const char *process_id)
{
    write_record(l, status_prefix, process_id, NULL);
}

void leat__control_log_incarnate(leat__control_log_t *l, const char *topic)
{
    leat__buf_t value = {0};
    char id[40];

    leat__random_id(id);
    leat__buf_format(&value, "%016" PRIx64, leat__hash(id, strlen(id)) | 1);
    write_record(l, incarnation_prefix, topic, &value);
    leat__buf_release(&value);
}

bool leat__control_log_written(leat__control_log_t *l)
{
    return l->flush == NULL || leat__op_done(l->flush);
}

const leat__status_t *leat__control_log_process(
    const leat__control_log_t *l, const char *process_id)
{
    return leat__map_get(&l->statuses, process_id);
}

uint64_t leat__control_log_incarnation(leat__control_log_t *l, const char *topic)
{
    pthread_mutex_lock(&l->lock);
    const uint64_t *number = leat__map_get(&l->incarnations, topic);
    uint64_t value = number == NULL ? 0 : *number;
    pthread_mutex_unlock(&l->lock);
    return value;
}
