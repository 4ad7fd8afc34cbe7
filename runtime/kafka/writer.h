/* runtime/kafka/writer.h: the inside of a writer: its topics and what came back for them. */
#ifndef LEAT__RUNTIME_KAFKA_WRITER_H
#define LEAT__RUNTIME_KAFKA_WRITER_H

#include "base/map.h"
#include "runtime/kafka/kafka.h"

typedef struct leat__landing_t { /* of one partition */
    int64_t delivered; /* offset after the last acknowledged record; -1 */
    int64_t gap;       /* where a foreign record was first seen; -1 */
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
    leat__kworker_t *worker;      /* ops, in order */
    char *transactional_id;
    int64_t patience_ms;          /* how long a retriable call is repeated */
    leat__map_t outs;
    _Atomic int busy;             /* ops under way: they serve the delivery results */
    bool dropping;                /* what is purged on purpose is no refusal */
    leat__refusal_t *refusals;
    size_t refusal_at, refusal_count, refusal_room;
    uint64_t refusals_lost;
};

void leat__kwriter_landed(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque);

#endif
