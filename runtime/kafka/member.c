/*
 * runtime/kafka/member.c: membership of the group: a consumer that subscribes and reads nothing.
 *
 *   joining --ASSIGN(g)--> in --REVOKE--> answering --answer_revoke--> joining
 *                           \--REVOKE, assignment lost--> answering (as LOST)
 *
 * Rebalances come as events from the consumer's queue, which is polled without waiting. The
 * protocol is eager: the member does not rejoin before rd_kafka_assign(NULL), which is the answer
 * the engine gives when it has committed; until then the old generation is good (librdkafka.md, B,
 * design 3). To an ASSIGN it answers with an empty list at once: the group shares out topics only
 * so that their offsets do not expire.
 *
 * Group metadata is captured in the ASSIGN event and never again (rule 2): the library hands out
 * metadata without a member id or generation when it has none, and the broker takes that as "no
 * group": an unfenced commit. Such an ASSIGN is answered but not reported.
 *
 * Polling also asks for the member id when a heartbeat is due: that wakes the library's main thread,
 * without which it keeps no heartbeat interval below half a second (Part I, row 4).
 */
#include "runtime/kafka/kafka.h"

#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

enum { API_HEARTBEAT = 12, API_JOIN_GROUP = 11, API_SYNC_GROUP = 14, HEARD_SETTLES_MS = 10, NUDGE_MS = 45 };

struct leat__member_t {
    leat__kbroker_t *broker;
    leat__kclient_t *client;
    rd_kafka_queue_t *queue;
    leat__kworker_t *worker;     /* commits and, behind them, answers */
    leat__membership_t *current; /* as last reported; NULL: none */
    char *first_topic, *instance_id, *group;
    bool answering; /* a revoke was reported and not answered */
    bool failed;
    bool leaves;
    int64_t heard_ms; /* believed: no LOST followed it */
    int64_t heartbeat_ms, nudged_ms;
};

/* ---- opening ---- */

/* Any answer of the group's coordinator; runs on the library's broker thread. */
static rd_kafka_resp_err_t on_response(rd_kafka_t *rk, int fd, const char *name, int32_t id,
    int16_t api, int16_t version, int32_t correlation, size_t size, int64_t rtt,
    rd_kafka_resp_err_t code, void *opaque)
{
    leat__kclient_t *c = opaque;

    (void)rk, (void)fd, (void)name, (void)id, (void)version, (void)correlation, (void)size,
        (void)rtt;
    if (!code && (api == API_HEARTBEAT || api == API_JOIN_GROUP || api == API_SYNC_GROUP))
        c->heard_ms = leat__clock_steady_ms(NULL);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(
    rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque, char *text, size_t size)
{
    (void)conf, (void)opaque, (void)text, (void)size;
    return rd_kafka_interceptor_add_on_response_received(
        rk, "leat", on_response, rd_kafka_opaque(rk));
}

static bool set_member(rd_kafka_conf_t *conf, const leat__member_opts_t *o, leat_error_t *err)
{
    return leat__kconf_must(conf, "group.id", o->group, err) &&
           (!o->instance_id || leat__kconf_must(conf, "group.instance.id", o->instance_id, err)) &&
           (!o->session_timeout_ms ||
               leat__kconf_must_int(conf, "session.timeout.ms", o->session_timeout_ms, err)) &&
           (!o->heartbeat_interval_ms || leat__kconf_must_int(conf, "heartbeat.interval.ms",
                                             o->heartbeat_interval_ms, err)) &&
           (!o->max_poll_interval_ms ||
               leat__kconf_must_int(conf, "max.poll.interval.ms", o->max_poll_interval_ms, err)) &&
           leat__kconf_must(conf, "partition.assignment.strategy", "range", err) &&
           leat__kconf_must(conf, "enable.auto.commit", "false", err) &&
           leat__kconf_must(conf, "enable.auto.offset.store", "false", err) &&
           leat__kconf_must(conf, "isolation.level", "read_committed", err) &&
           leat__kconf_must(conf, "auto.offset.reset", "earliest", err);
}

static rd_kafka_resp_err_t subscribe(leat__member_t *m, const leat__member_opts_t *o)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)o->topic_count);
    rd_kafka_resp_err_t code;

    for (size_t i = 0; i < o->topic_count; i++)
        rd_kafka_topic_partition_list_add(list, o->topics[i], RD_KAFKA_PARTITION_UA);
    code = rd_kafka_subscribe(m->client->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

static void member_free(leat__member_t *m)
{
    leat__membership_unref(m->current);
    leat__free(m->first_topic);
    leat__free(m->instance_id);
    leat__free(m->group);
    leat__free(m);
}

leat__member_t *leat__kmember_open(
    leat__broker_t *base, const leat__member_opts_t *o, leat_error_t *err)
{
    leat__kbroker_t *b = (leat__kbroker_t *)base;
    rd_kafka_conf_t *conf = leat__kconf_new(b, LEAT__KCONSUMER, o->client_id, err);
    leat__member_t *m;
    rd_kafka_resp_err_t code;

    if (!conf)
        return NULL;
    if (!o->topic_count || !set_member(conf, o, err)) {
        if (!o->topic_count)
            leat__error(
                err, LEAT_EARGUMENT, 0, o->group, "a member of group %s needs a topic", o->group);
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    m = leat__must_alloc(sizeof *m);
    m->broker = b;
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR);
    rd_kafka_conf_interceptor_add_on_new(conf, "leat", on_new, NULL);
    m->client = leat__kclient_new(b, LEAT__KCONSUMER, conf, err);
    if (!m->client) {
        leat__free(m);
        return NULL;
    }
    rd_kafka_poll_set_consumer(m->client->rk);
    m->queue = rd_kafka_queue_get_consumer(m->client->rk);
    m->worker = leat__kworker_new(1);
    m->first_topic = leat__must_strdup(o->topics[0]);
    m->instance_id = o->instance_id ? leat__must_strdup(o->instance_id) : NULL;
    m->group = leat__must_strdup(o->group);
    m->heard_ms = leat__clock_steady_ms(NULL);
    m->client->heard_ms = m->heard_ms;
    m->heartbeat_ms = o->heartbeat_interval_ms;
    code = subscribe(m, o);
    if (!code) {
        leat__error_clear(err);
        return m;
    }
    leat__kerror(err, m->client, code, NULL, o->group, "join the group");
    rd_kafka_queue_destroy(m->queue);
    leat__kclient_free(m->client, false);
    leat__kworker_free(m->worker);
    member_free(m);
    return NULL;
}

/* ---- events ---- */

static void metadata_free(void *native)
{
    rd_kafka_consumer_group_metadata_destroy(native);
}

/*
 * 2.0.2 has no getter for the generation, but writes the metadata as "CGMDv2:" generation(int32,
 * host order) group \0 member \0 ...; newer versions write the same.
 */
static bool read_metadata(const rd_kafka_consumer_group_metadata_t *metadata, int32_t *generation,
    char *member_id, size_t member_size)
{
    static const char magic[] = "CGMDv2:";
    const size_t head = sizeof magic - 1 + sizeof *generation;
    void *bytes = NULL;
    size_t size = 0;
    const char *group, *member;
    rd_kafka_error_t *e = rd_kafka_consumer_group_metadata_write(metadata, &bytes, &size);
    bool ok = false;

    if (e) {
        rd_kafka_error_destroy(e);
        return false;
    }
    if (size > head && memcmp(bytes, magic, sizeof magic - 1) == 0) {
        memcpy(generation, (char *)bytes + sizeof magic - 1, sizeof *generation);
        group = (char *)bytes + head;
        member = memchr(group, 0, size - head);
        if (member && memchr(member + 1, 0, size - (size_t)(member + 1 - (char *)bytes))) {
            snprintf(member_id, member_size, "%s", member + 1);
            ok = *generation >= 0 && member_id[0];
        }
    }
    rd_kafka_mem_free(NULL, bytes);
    return ok;
}

static leat__membership_t *capture(leat__member_t *m)
{
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(m->client->rk);
    int32_t generation;
    char member_id[512];

    if (!metadata)
        return NULL;
    if (read_metadata(metadata, &generation, member_id, sizeof member_id))
        return leat__membership_new(generation, member_id, m->instance_id, metadata, metadata_free);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    return NULL;
}

static void answer_assign(leat__member_t *m)
{
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);

    rd_kafka_assign(m->client->rk, none);
    rd_kafka_topic_partition_list_destroy(none);
}

static void on_assign(leat__member_t *m, rd_kafka_event_t *event, leat__member_event_t *e)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    leat__membership_t *fresh = capture(m);

    answer_assign(m);
    if (!fresh) {
        leat__log(LEAT_LOG_INFO, "kafka", NULL,
            "group %s: membership was over before it was heard of; joining again", m->group);
        return;
    }
    leat__membership_unref(m->current);
    m->current = fresh;
    m->heard_ms = leat__clock_steady_ms(NULL);
    m->client->heard_ms = m->heard_ms;
    m->client->worked = 1;
    e->what = LEAT__MEMBER_ASSIGNED;
    e->membership = leat__membership_ref(fresh);
    e->leads = list && rd_kafka_topic_partition_list_find(list, m->first_topic, 0);
}

static void on_revoke(leat__member_t *m, leat__member_event_t *e)
{
    if (!m->current) { /* of an ASSIGN that was not reported */
        rd_kafka_assign(m->client->rk, NULL);
        return;
    }
    m->answering = true;
    e->what = rd_kafka_assignment_lost(m->client->rk) ? LEAT__MEMBER_LOST : LEAT__MEMBER_REVOKED;
}

static bool is_final(rd_kafka_resp_err_t code)
{
    unsigned flags;
    int leat = leat__kcode(code, &flags);

    return leat == LEAT_EAUTH || leat == LEAT_ETOPIC || leat == LEAT_EFENCED ||
           leat == LEAT_ECONFIG;
}

static void on_trouble(
    leat__member_t *m, rd_kafka_resp_err_t code, const char *text, leat__member_event_t *e)
{
    char fatal[LEAT__KTEXT];

    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        code = rd_kafka_fatal_error(m->client->rk, fatal, sizeof fatal);
        text = fatal;
    }
    leat__kclient_note(m->client, code, text);
    if (code == RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL)
        leat__log(LEAT_LOG_WARN, "kafka", NULL,
            "group %s has members that are no leat processes (a Java application?): waiting for "
            "them to leave",
            m->group);
    if (!is_final(code) || m->failed) {
        leat__log(LEAT_LOG_DEBUG, "kafka", NULL, "group %s: %s: %s", m->group,
            rd_kafka_err2name(code), text);
        return;
    }
    m->failed = true;
    e->what = LEAT__MEMBER_FAILED;
    leat__kerror(&e->err, m->client, code, text, m->group, "be a member of the group");
    if (code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
        leat__error(&e->err, LEAT_EFENCED, LEAT_FATAL, m->group,
            "the group has another member with this one's identity (group.instance.id %s)",
            m->instance_id ? m->instance_id : "");
    e->err.flags |= LEAT_FATAL;
}

static void on_event(leat__member_t *m, rd_kafka_event_t *event, leat__member_event_t *e)
{
    const rd_kafka_message_t *message;

    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_REBALANCE:
        if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
            on_assign(m, event, e);
        else
            on_revoke(m, e);
        break;
    case RD_KAFKA_EVENT_ERROR:
        on_trouble(m, rd_kafka_event_error(event), rd_kafka_event_error_string(event), e);
        break;
    case RD_KAFKA_EVENT_FETCH:
        while ((message = rd_kafka_event_message_next(event)))
            if (message->err && e->what == LEAT__MEMBER_NOTHING)
                on_trouble(m, message->err, rd_kafka_message_errstr(message), e);
        break;
    default:
        break;
    }
}

/*
 * An answer counts when no LOST came with it: the heartbeat that throws a member out is an answer
 * too.
 */
static void believe(leat__member_t *m)
{
    int64_t heard = m->client->heard_ms;

    if (!m->answering && heard > m->heard_ms &&
        leat__clock_steady_ms(NULL) - heard >= HEARD_SETTLES_MS)
        m->heard_ms = heard;
}

/*
 * Any question to librdkafka's main thread makes it look at the group again, which by itself it does
 * once a second (librdkafka.md, Part I, row 4). It costs two switches of threads, so it is asked only
 * when a heartbeat is due: the group's last answer is as old as the interval.
 */
static void nudge(leat__member_t *m)
{
    int64_t now_ms = leat__clock_steady_ms(NULL);
    char *id;

    if (now_ms < m->client->heard_ms + m->heartbeat_ms || now_ms < m->nudged_ms + NUDGE_MS)
        return;
    m->nudged_ms = now_ms;
    id = rd_kafka_memberid(m->client->rk);
    if (id)
        rd_kafka_mem_free(m->client->rk, id);
}

leat__member_what_t leat__kmember_poll(leat__member_t *m, leat__member_event_t *e)
{
    rd_kafka_event_t *event;

    nudge(m);
    *e = (leat__member_event_t){.what = LEAT__MEMBER_NOTHING};
    while (e->what == LEAT__MEMBER_NOTHING && (event = rd_kafka_queue_poll(m->queue, 0))) {
        on_event(m, event, e);
        rd_kafka_event_destroy(event);
    }
    if (e->what == LEAT__MEMBER_NOTHING)
        believe(m);
    return e->what;
}

double leat__kmember_heard_ms(leat__member_t *m)
{
    return (double)(leat__clock_steady_ms(NULL) - m->heard_ms);
}

/* ---- commits and answers, in this order ---- */

typedef struct member_job_t {
    leat__kjob_t job;
    leat__member_t *member;
    leat__membership_t *under;
    leat__position_t *positions;
    size_t count;
} member_job_t;

static void job_release(leat__kjob_t *job)
{
    member_job_t *j = (member_job_t *)job;

    leat__membership_unref(j->under);
    leat__positions_free(j->positions, j->count);
    leat__free(j);
}

static member_job_t *job_new(leat__member_t *m, void (*run)(leat__kjob_t *), leat__op_t *op)
{
    member_job_t *j = leat__must_alloc(sizeof *j);

    j->job = (leat__kjob_t){.op = op, .run = run, .release = job_release};
    j->member = m;
    return j;
}

static void run_answer(leat__kjob_t *job)
{
    rd_kafka_assign(((member_job_t *)job)->member->client->rk, NULL);
}

/* Behind the commits that are under way: they belong to the generation that this gives up. */
void leat__kmember_answer_revoke(leat__member_t *m)
{
    member_job_t *j;

    if (!m->answering)
        return;
    m->answering = false;
    leat__membership_unref(m->current);
    m->current = NULL;
    j = job_new(m, run_answer, NULL);
    j->job.always = true;
    leat__kworker_post(m->worker, &j->job);
}

static void run_commit(leat__kjob_t *job)
{
    member_job_t *j = (member_job_t *)job;
    leat__kclient_t *c = j->member->client;
    int64_t until = leat__clock_steady_ms(NULL) + leat__kbroker_api_ms(j->member->broker);
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;
    unsigned flags;

    do {
        list = leat__klist(j->positions, j->count, true);
        code = rd_kafka_commit(c->rk, list, 0);
        for (int i = 0; !code && i < list->cnt; i++)
            code = list->elems[i].err;
        rd_kafka_topic_partition_list_destroy(list);
        leat__kcode(code, &flags);
        leat__kerror(&job->op->err, c, code, NULL, j->member->group, "commit offsets");
    } while ((flags & LEAT_RETRIABLE) && !leat__kjob_unwanted(job) &&
             leat__clock_steady_ms(NULL) < until);
}

leat__op_t *leat__kmember_commit(
    leat__member_t *m, leat__membership_t *under, const leat__position_t *p, size_t count)
{
    leat__op_t *op = leat__op_new();
    member_job_t *j;

    /* Only under the membership that the records were processed in (PROTOCOLS.md 2). */
    if (!m->current ||
        leat__membership_generation(m->current) != leat__membership_generation(under) ||
        strcmp(leat__membership_member_id(m->current), leat__membership_member_id(under)) != 0) {
        leat__error(&op->err, LEAT_EBROKER, LEAT_ABORT, m->group,
            "offsets not committed: generation %d of group %s is over for this process",
            (int)leat__membership_generation(under), m->group);
        leat__op_complete(op);
        return op;
    }
    if (count == 0) {
        leat__op_complete(op);
        return op;
    }
    j = job_new(m, run_commit, op);
    j->under = leat__membership_ref(under);
    j->positions = leat__positions_copy(p, count);
    j->count = count;
    leat__kworker_post(m->worker, &j->job);
    return op;
}

/* ---- closing ---- */

static void run_close(leat__kjob_t *job)
{
    leat__member_t *m = ((member_job_t *)job)->member;
    int64_t until = leat__clock_steady_ms(NULL) + LEAT__KCLOSE_MS;
    rd_kafka_error_t *e;
    rd_kafka_event_t *event;

    leat__kworker_free(m->worker);
    m->leaves &= !m->failed; /* the group does not know a member that it refused */
    e = m->leaves ? rd_kafka_consumer_close_queue(m->client->rk, m->queue) : NULL;
    if (e)
        rd_kafka_error_destroy(e);
    while (m->leaves && !rd_kafka_consumer_closed(m->client->rk) &&
           leat__clock_steady_ms(NULL) < until) {
        event = rd_kafka_queue_poll(m->queue, 50);
        if (event && rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            rd_kafka_assign(m->client->rk, NULL);
        if (event)
            rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(m->queue);
    leat__kclient_free(m->client, false);
    member_free(m);
}

/*
 * A static member never leaves: its session ends by itself, or its next life goes on with it.
 * Without `leave` a dynamic one stays as well until then, as after a crash.
 */
leat__op_t *leat__kmember_close(leat__member_t *m, bool leave)
{
    leat__op_t *op = leat__op_new();
    member_job_t *j = job_new(m, run_close, op);

    m->leaves = leave;
    j->job.always = true;
    leat__kworker_post(m->broker->pool, &j->job);
    return op;
}
