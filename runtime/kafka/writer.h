/* runtime/kafka/writer.h: the inside of a writer: its topics and what came back for them. */
#ifndef LEAT__RUNTIME_KAFKA_WRITER_H
#define LEAT__RUNTIME_KAFKA_WRITER_H

#include "base/map.h"
#include "runtime/kafka/kafka.h"

typedef struct leat__landing_t { /* of one partition */
    int64_t delivered;           /* offset after the last acknowledged record; -1 */
    int64_t gap;                 /* where a foreign record was first seen; -1 */
} leat__landing_t;

struct leat__out_t {
    leat__writer_t *writer;
    char *topic;
    rd_kafka_topic_t *handle;
    int32_t partitions;
    leat__landing_t *landings;
};

typedef struct leat__refusal_t {
    leat__out_t *out;
    int32_t partition;
    rd_kafka_resp_err_t code;
} leat__refusal_t;

struct leat__writer_t {
    leat__kbroker_t *broker;
    leat__kclient_t *client;
    leat__kworker_t *worker; /* ops, in order */
    char *client_id, *transactional_id;
    int64_t timeout_ms;  /* of a transaction */
    int64_t patience_ms; /* how long a retriable call is repeated */
    leat__map_t outs;
    _Atomic int busy; /* ops under way: they serve the delivery results */
    bool spoiled;     /* the broker refused a record of this transaction */
    bool dropping;    /* what is purged on purpose is no refusal */
    leat__refusal_t *refusals;
    size_t refusal_at, refusal_count, refusal_room;
    uint64_t refusals_lost;
};

leat__kclient_t *leat__kwriter_client(leat__writer_t *w, leat_error_t *err);
rd_kafka_topic_t *leat__kout_handle(leat__writer_t *w, leat__out_t *out, leat_error_t *err);
/** Partitions, or a negative leat code with err filled. Waits for metadata. */
int leat__kout_count(
    leat__writer_t *w, rd_kafka_topic_t *handle, const char *topic, leat_error_t *err);
/** Why a record was not written, and whether that is its own fault. */
void leat__krefusal(leat_error_t *err, leat__writer_t *w, const leat__refusal_t *r);
void leat__kwriter_landed(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque);

#endif
