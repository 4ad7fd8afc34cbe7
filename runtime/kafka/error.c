/*
 * runtime/kafka/error.c: librdkafka's and the broker's errors in leat's classes, with texts that
 * say what to do.
 *
 * FENCED stands for every producer that is over, since librdkafka reports a transaction that timed
 * out on the broker just as it reports a second producer (librdkafka.md, Part I, row 7): the answer
 * is the same, a new producer. A stale generation is not that: only the transaction is over.
 */
#include "runtime/kafka/kafka.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

typedef struct class_t {
    rd_kafka_resp_err_t code;
    int leat;
    unsigned flags;
} class_t;

#define E(name) RD_KAFKA_RESP_ERR_##name
static const class_t classes[] = {
    {E(_AUTHENTICATION), LEAT_EAUTH, LEAT_FATAL},
    {E(SASL_AUTHENTICATION_FAILED), LEAT_EAUTH, LEAT_FATAL},
    {E(UNSUPPORTED_SASL_MECHANISM), LEAT_EAUTH, LEAT_FATAL},
    {E(ILLEGAL_SASL_STATE), LEAT_EAUTH, LEAT_FATAL},
    {E(SECURITY_DISABLED), LEAT_EAUTH, LEAT_FATAL},
    {E(TOPIC_AUTHORIZATION_FAILED), LEAT_EAUTH, LEAT_FATAL},
    {E(GROUP_AUTHORIZATION_FAILED), LEAT_EAUTH, LEAT_FATAL},
    {E(CLUSTER_AUTHORIZATION_FAILED), LEAT_EAUTH, LEAT_FATAL},
    {E(TRANSACTIONAL_ID_AUTHORIZATION_FAILED), LEAT_EAUTH, LEAT_FATAL},
    {E(DELEGATION_TOKEN_AUTHORIZATION_FAILED), LEAT_EAUTH, LEAT_FATAL},
    {E(_FENCED), LEAT_EFENCED, 0},
    {E(_FATAL), LEAT_EFENCED, 0},
    {E(PRODUCER_FENCED), LEAT_EFENCED, 0},
    {E(INVALID_PRODUCER_EPOCH), LEAT_EFENCED, 0},
    {E(FENCED_INSTANCE_ID), LEAT_EFENCED, 0},
    {E(ILLEGAL_GENERATION), LEAT_EBROKER, LEAT_ABORT},
    {E(UNKNOWN_MEMBER_ID), LEAT_EBROKER, LEAT_ABORT},
    {E(REBALANCE_IN_PROGRESS), LEAT_EBROKER, LEAT_ABORT},
    {E(_MAX_POLL_EXCEEDED), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(UNKNOWN_TOPIC_OR_PART), LEAT_ETOPIC, 0},
    {E(_UNKNOWN_TOPIC), LEAT_ETOPIC, 0},
    {E(_UNKNOWN_PARTITION), LEAT_ETOPIC, 0},
    {E(TOPIC_EXCEPTION), LEAT_ETOPIC, 0},
    {E(INVALID_PARTITIONS), LEAT_ETOPIC, 0},
    {E(INVALID_REPLICATION_FACTOR), LEAT_ETOPIC, 0},
    {E(INVALID_CONFIG), LEAT_ETOPIC, 0},
    {E(POLICY_VIOLATION), LEAT_ETOPIC, 0},
    {E(OFFSET_OUT_OF_RANGE), LEAT_ETOPIC, 0},
    {E(_AUTO_OFFSET_RESET), LEAT_ETOPIC, 0},
    {E(MSG_SIZE_TOO_LARGE), LEAT_EARGUMENT, 0},
    {E(INVALID_MSG_SIZE), LEAT_EARGUMENT, 0},
    {E(INVALID_RECORD), LEAT_EARGUMENT, 0},
    {E(INVALID_TIMESTAMP), LEAT_EARGUMENT, 0},
    {E(INVALID_SESSION_TIMEOUT), LEAT_ECONFIG, LEAT_FATAL},
    {E(INVALID_TRANSACTION_TIMEOUT), LEAT_ECONFIG, LEAT_FATAL},
    {E(_INVALID_ARG), LEAT_EARGUMENT, 0},
    {E(_QUEUE_FULL), LEAT_EFULL, LEAT_RETRIABLE},
    {E(_STATE), LEAT_ESTATE, 0},
    {E(_TIMED_OUT), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(_MSG_TIMED_OUT), LEAT_EBROKER, 0},
    {E(_TIMED_OUT_QUEUE), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(_TRANSPORT), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(_SSL), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(_RESOLVE), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(_ALL_BROKERS_DOWN), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(_WAIT_COORD), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(_WAIT_CACHE), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(_IN_PROGRESS), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(_RETRY), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(_PARTIAL), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(LEADER_NOT_AVAILABLE), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(NOT_LEADER_FOR_PARTITION), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(REQUEST_TIMED_OUT), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(BROKER_NOT_AVAILABLE), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(REPLICA_NOT_AVAILABLE), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(NETWORK_EXCEPTION), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(COORDINATOR_LOAD_IN_PROGRESS), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(COORDINATOR_NOT_AVAILABLE), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(NOT_COORDINATOR), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(NOT_CONTROLLER), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(NOT_ENOUGH_REPLICAS), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(CONCURRENT_TRANSACTIONS), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(UNSTABLE_OFFSET_COMMIT), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(THROTTLING_QUOTA_EXCEEDED), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(KAFKA_STORAGE_ERROR), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(LISTENER_NOT_FOUND), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(FENCED_LEADER_EPOCH), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(UNKNOWN_LEADER_EPOCH), LEAT_EBROKER, LEAT_RETRIABLE},
    {E(OFFSET_NOT_AVAILABLE), LEAT_EBROKER, LEAT_RETRIABLE},
};
#undef E

int leat__kcode(rd_kafka_resp_err_t code, unsigned *flags)
{
    *flags = 0;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (classes[i].code == code) {
            *flags = classes[i].flags;
            return classes[i].leat;
        }
    }
    return LEAT_EBROKER;
}

static bool is_silence(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
           code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__RESOLVE ||
           code == RD_KAFKA_RESP_ERR__WAIT_COORD || code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
}

/* A call that got no answer: the last word about the connections says more than "timed out". */
static int silence(leat_error_t *err, leat__kclient_t *c, int leat, unsigned flags,
    const char *where, const char *what, const char *text)
{
    pthread_mutex_lock(&c->lock);
    if (!c->last[0])
        leat__error(err, leat, flags, where,
            "could not %s: %s; Kafka at bootstrap.servers=%s did not answer in time", what, text,
            c->servers);
    else if (!c->worked)
        leat__error(err, leat, flags, where,
            "could not %s: no broker of bootstrap.servers=%s answers: %s; is Kafka running there?",
            what, c->servers, c->last);
    else
        leat__error(err, leat, flags, where, "could not %s: %s; last from Kafka at %s: %s", what,
            text, c->servers, c->last);
    pthread_mutex_unlock(&c->lock);
    return leat;
}

int leat__kerror(leat_error_t *err, leat__kclient_t *c, rd_kafka_resp_err_t code, const char *text,
    const char *where, const char *what)
{
    unsigned flags;
    int leat = leat__kcode(code, &flags);

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        leat__error_clear(err);
        return 0;
    }
    if (leat__kclient_refused(c, where, err))
        return LEAT_EAUTH;
    if (!text || !text[0])
        text = rd_kafka_err2str(code);
    if (is_silence(code))
        return silence(err, c, leat, flags, where, what, text);
    return leat__error(err, leat, flags, where, "could not %s: %s%s", what, text,
        leat == LEAT_EAUTH ? "; the principal of this client lacks that right" : "");
}

int leat__kerror_txn(
    leat_error_t *err, leat__kclient_t *c, rd_kafka_error_t *e, const char *where, const char *what)
{
    leat_error_t fresh;
    int leat;

    if (!e) {
        leat__error_clear(err);
        return 0;
    }
    leat = leat__kerror(&fresh, c, rd_kafka_error_code(e), rd_kafka_error_string(e), where, what);
    if (leat != LEAT_EAUTH) {
        if (rd_kafka_error_is_fatal(e)) {
            leat = LEAT_EFENCED;
            fresh.flags = 0;
        } else if (rd_kafka_error_txn_requires_abort(e)) {
            fresh.flags = (fresh.flags & ~(unsigned)LEAT_RETRIABLE) | LEAT_ABORT;
        } else if (rd_kafka_error_is_retriable(e)) {
            fresh.flags |= LEAT_RETRIABLE;
        }
    }
    fresh.code = (leat_code_t)leat;
    if (err)
        *err = fresh;
    rd_kafka_error_destroy(e);
    return leat;
}
