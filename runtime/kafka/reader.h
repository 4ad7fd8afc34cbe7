/* runtime/kafka/reader.h: the inside of a reader, and its waker. */
#ifndef LEAT__RUNTIME_KAFKA_READER_H
#define LEAT__RUNTIME_KAFKA_READER_H

#include "runtime/kafka/kafka.h"

enum {
    LEAT__KOVERHEAD_BYTES = 64
}; /* what librdkafka counts for a queued record besides key and value, about */

typedef struct leat__kwaker_t leat__kwaker_t;

typedef struct leat__slot_t {
    char *topic; /* NULL: free */
    int32_t partition;
    int64_t next;
    rd_kafka_queue_t *queue;
    bool hint; /* the last take left something; wait() has not said so yet */
    bool full; /* the queue stood above the fetcher's limit since the last end of partition */
} leat__slot_t;

typedef struct leat__holder_t { /* what a batch owns */
    struct leat__holder_t *next;
    rd_kafka_message_t **messages;
    leat__raw_t *raws;
    size_t count, room;
} leat__holder_t;

struct leat__reader_t {
    leat__kclient_t *client;
    leat__kworker_t *pool; /* [keep: broker] where it ends */
    leat__kwaker_t *waker; /* NULL: the library needs none */
    leat__slot_t *slots;
    size_t slot_count, slot_room;
    leat__holder_t *holders; /* free ones */
    size_t held;
    int fd;
    int64_t queue_records, queue_bytes; /* the fetcher's limits per partition */
};

/* NULL is fine everywhere but in new. */
leat__kwaker_t *leat__kwaker_new(leat__kclient_t *c);
void leat__kwaker_free(leat__kwaker_t *w);
void leat__kwaker_add(leat__kwaker_t *w, const char *topic, int32_t partition);
void leat__kwaker_remove(leat__kwaker_t *w, const char *topic, int32_t partition);
void leat__kwaker_restart(leat__kwaker_t *w); /* a partition was assigned anew */
void leat__kwaker_kick(leat__kwaker_t *w);    /* cheap: does something at most every 5 ms */

#endif
