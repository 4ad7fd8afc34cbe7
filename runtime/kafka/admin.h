/*
 * runtime/kafka/admin.h: what the admin jobs share: the job with copies of its arguments, waiting
 * for a result, metadata.
 */
#ifndef LEAT__RUNTIME_KAFKA_ADMIN_H
#define LEAT__RUNTIME_KAFKA_ADMIN_H

#include "runtime/kafka/kafka.h"

typedef struct leat__kask_t {
    leat__kjob_t job;
    leat__kbroker_t *broker;
    char *text; /* a group */
    char **names;
    size_t name_count;
    leat__topic_t *topics;
    size_t topic_count;
    leat__position_t *positions;
    size_t position_count;
    leat__where_t where;
    bool settings;
} leat__kask_t;

leat__kask_t *leat__kask_new(leat__broker_t *b, void (*run)(leat__kjob_t *job));
void leat__kask_names(leat__kask_t *ask, const char *const *names, size_t count);
leat__op_t *leat__kask_post(leat__kask_t *ask); /* adopts */

typedef struct leat__kpatience_t { /* when to give up */
    int64_t began_ms, until_ms;
    int downs;
} leat__kpatience_t;
leat__kpatience_t leat__kpatience(const leat__kask_t *ask, leat__kclient_t *c);
/** False: go on waiting. True: op's err says why not. Serves the client's callbacks. */
bool leat__kgive_up(
    const leat__kask_t *ask, leat__kclient_t *c, const leat__kpatience_t *p, const char *what);

/** The result of an admin call, or NULL with the op's err filled. [own] */
rd_kafka_event_t *leat__kask_result(
    const leat__kask_t *ask, leat__kclient_t *c, rd_kafka_queue_t *q, const char *what);
/**
 * Metadata of all topics, or of one when topic is not NULL. NULL with the op's err filled. [own:
 * rd_kafka_metadata_destroy]
 */
const struct rd_kafka_metadata *leat__kask_metadata(
    const leat__kask_t *ask, leat__kclient_t *c, const char *topic);
rd_kafka_AdminOptions_t *leat__kask_options(leat__kclient_t *c, rd_kafka_admin_op_t op);

#endif
