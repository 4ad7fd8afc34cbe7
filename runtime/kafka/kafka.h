/*
 * runtime/kafka/kafka.h: the inside of the seam on librdkafka: clients, helper threads, errors.
 *
 * Every librdkafka handle is wrapped in a leat__kclient_t, which remembers what the library said
 * last about its connections: a call that timed out can then say "connection refused" rather than
 * "timed out". What waits runs as a job on a helper thread (leat__kworker_t): one pool per broker
 * for admin calls and closing, one thread per writer and per member for their own ops, in order. A
 * job waits in slices of at most a second and looks between them whether anybody still wants the
 * answer.
 */
#ifndef LEAT__RUNTIME_KAFKA_KAFKA_H
#define LEAT__RUNTIME_KAFKA_KAFKA_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "runtime/broker.h"

enum {
    LEAT__KSLICE_MS = 1000,  /* the longest single wait inside librdkafka */
    LEAT__KHUNG_MS = 3000,   /* a call that should have ended after a slice, and has not */
    LEAT__KCLOSE_MS = 10000, /* closing a handle: then it is left to itself (librdkafka.md R4) */
    LEAT__KPOOL_THREADS = 8,
    LEAT__KTEXT = 300
};

/* ---- clients ---- */

typedef struct leat__kbroker_t leat__kbroker_t;

typedef struct leat__kclient_t {
    rd_kafka_t *rk;
    char *servers;          /* bootstrap.servers; own: a client may outlive its broker object */
    char name[96];          /* client.id, for errors and log lines */
    pthread_mutex_t lock;   /* of the texts */
    char last[LEAT__KTEXT]; /* the last word about a connection */
    char refused_text[LEAT__KTEXT];
    _Atomic int refused;      /* LEAT_EAUTH once security refused us */
    _Atomic int down;         /* times that no broker at all was reachable */
    _Atomic int worked;       /* something was answered */
    _Atomic int64_t heard_ms; /* the group's last answer (CLOCK_BOOTTIME); members only */
} leat__kclient_t;

typedef enum leat__kuse_t { LEAT__KADMIN, LEAT__KCONSUMER, LEAT__KPRODUCER } leat__kuse_t;

/**
 * Settings for a client: ours, then the program's ("consumer." ...). NULL: err. The opaque is the
 * client to come.
 */
rd_kafka_conf_t *leat__kconf_new(
    leat__kbroker_t *b, leat__kuse_t use, const char *client_id, leat_error_t *err);
/** Also the settings behind a further prefix: "restore.consumer.". False: err. */
bool leat__kconf_pass(
    rd_kafka_conf_t *conf, const leat__kbroker_t *b, const char *prefix, leat_error_t *err);
/** Sets what must be so, whatever the program said. False: err. */
bool leat__kconf_must(rd_kafka_conf_t *conf, const char *key, const char *value, leat_error_t *err);
bool leat__kconf_must_int(rd_kafka_conf_t *conf, const char *key, int64_t value, leat_error_t *err);
int64_t leat__kconf_int(const rd_kafka_conf_t *conf, const char *key, int64_t otherwise);
/** Adopts conf, also on failure. */
leat__kclient_t *leat__kclient_new(
    leat__kbroker_t *b, leat__kuse_t use, rd_kafka_conf_t *conf, leat_error_t *err);
/**
 * Destroys the handle on a thread of its own and waits for at most LEAT__KCLOSE_MS. NULL is fine.
 */
void leat__kclient_free(leat__kclient_t *c, bool consumer_close);
/** Serves callbacks; true: security refused this client (err is filled). */
bool leat__kclient_refused(leat__kclient_t *c, const char *where, leat_error_t *err);
void leat__kclient_note(leat__kclient_t *c, rd_kafka_resp_err_t code, const char *text);

/* ---- errors ---- */

/** what: "read the committed offsets of group g". Returns the leat code; 0 for no error. */
int leat__kerror(leat_error_t *err, leat__kclient_t *c, rd_kafka_resp_err_t code, const char *text,
    const char *where, const char *what);
/** From a transactional call: adds the library's own classes. Destroys e. NULL: 0. */
int leat__kerror_txn(leat_error_t *err, leat__kclient_t *c, rd_kafka_error_t *e, const char *where,
    const char *what);
int leat__kcode(rd_kafka_resp_err_t code, unsigned *flags);

/* ---- helper threads ---- */

typedef struct leat__kworker_t leat__kworker_t;
typedef struct leat__kjob_t leat__kjob_t;
struct leat__kjob_t {
    leat__kjob_t *next;
    leat__kworker_t *worker;
    leat__op_t *op; /* completed after run; NULL: run completes it or there is none */
    void (*run)(leat__kjob_t *job);
    void (*release)(leat__kjob_t *job); /* frees the job; also when it was never run */
    bool always;                        /* to be run also when the worker is closing */
};
leat__kworker_t *leat__kworker_new(size_t threads_max);
/** Adopts job. */
void leat__kworker_post(leat__kworker_t *w, leat__kjob_t *job);
/**
 * Waits for the running jobs; those that wait are answered with LEAT_ESTATE (or run, if `always`).
 */
void leat__kworker_free(leat__kworker_t *w);
/** Takes no more jobs. False: a running one has not ended after ms; free would wait for it. */
bool leat__kworker_close(leat__kworker_t *w, int64_t ms);
bool leat__kjob_unwanted(const leat__kjob_t *job); /* closing, or the caller dropped the op */
bool leat__kjob_closing(const leat__kjob_t *job);

/* ---- the broker ---- */

struct leat__kbroker_t {
    leat__broker_t base;
    const leat_config_t *config; /* [keep] */
    leat__kworker_t *pool;
    pthread_mutex_t lock;    /* of the clients below, made when first needed */
    leat__kclient_t *admin;  /* reads uncommitted; no group */
    leat__kclient_t *stable; /* reads committed; no group */
    struct leat__kgroup_t {
        struct leat__kgroup_t *next;
        char *group;
        leat__kclient_t *client;
    } * groups;
    _Atomic int made; /* clients so far, for their names */
};
leat__kclient_t *leat__kbroker_admin(leat__kbroker_t *b, leat_error_t *err);
leat__kclient_t *leat__kbroker_own( /* [own: leat__kclient_free] like admin */
    leat__kbroker_t *b, const char *kind, leat_error_t *err);
leat__kclient_t *leat__kbroker_stable(leat__kbroker_t *b, leat_error_t *err);
leat__kclient_t *leat__kbroker_group(
    leat__kbroker_t *b, const char *group, leat_error_t *err); /* for committed() */
int64_t leat__kbroker_api_ms(const leat__kbroker_t *b);        /* how long a call is repeated */

/* What the vtable is made of; broker.h says what each does. */
leat__op_t *leat__kadmin_describe_topics(
    leat__broker_t *b, const char *const *names, size_t count, bool settings);
leat__op_t *leat__kadmin_list_topics(leat__broker_t *b);
leat__op_t *leat__kadmin_ensure_topics(
    leat__broker_t *b, const leat__topic_t *topics, size_t count);
leat__op_t *leat__kadmin_delete_topics(leat__broker_t *b, const char *const *names, size_t count);
leat__op_t *leat__kadmin_delete_records(
    leat__broker_t *b, const leat__position_t *below, size_t count);
leat__op_t *leat__kadmin_describe_group(leat__broker_t *b, const char *group);
leat__op_t *leat__koffsets(
    leat__broker_t *b, const leat__position_t *of, size_t count, leat__where_t where);
leat__op_t *leat__kcommitted(
    leat__broker_t *b, const char *group, const leat__position_t *of, size_t count);
leat__op_t *leat__kfence(leat__broker_t *b, const char *const *transactional_ids, size_t count);

leat__member_t *leat__kmember_open(
    leat__broker_t *b, const leat__member_opts_t *o, leat_error_t *err);
leat__member_what_t leat__kmember_poll(leat__member_t *m, leat__member_event_t *e);
void leat__kmember_answer_revoke(leat__member_t *m);
leat__op_t *leat__kmember_commit(
    leat__member_t *m, leat__membership_t *under, const leat__position_t *p, size_t count);
leat__op_t *leat__kmember_close(leat__member_t *m, bool leave);
double leat__kmember_heard_ms(leat__member_t *m);

leat__reader_t *leat__kreader_open(
    leat__broker_t *b, const leat__reader_opts_t *o, leat_error_t *err);
void leat__kreader_close(leat__reader_t *r);
int leat__kreader_add(
    leat__reader_t *r, const char *topic, int32_t partition, int64_t offset, leat_error_t *err);
void leat__kreader_remove(leat__reader_t *r, int slot);
void leat__kreader_seek(leat__reader_t *r, int slot, int64_t offset);
bool leat__kreader_take(leat__reader_t *r, int slot, size_t max, leat__batch_t *batch);
void leat__kreader_release(leat__reader_t *r, leat__batch_t *batch);
const leat_headers_t *leat__kreader_headers(
    leat__reader_t *r, const leat__raw_t *raw, leat__arena_t *scratch);
bool leat__kreader_wait(leat__reader_t *r, int64_t timeout_ms);
void leat__kreader_wake(leat__reader_t *r);
int64_t leat__kreader_high_watermark(leat__reader_t *r, int slot);

leat__writer_t *leat__kwriter_open(
    leat__broker_t *b, const leat__writer_opts_t *o, leat_error_t *err);
leat__op_t *leat__kwriter_close(leat__writer_t *w);
leat__op_t *leat__kwriter_init(leat__writer_t *w);
int leat__kwriter_begin(leat__writer_t *w, leat_error_t *err);
leat__out_t *leat__kwriter_topic(leat__writer_t *w, const char *topic, leat_error_t *err);
int32_t leat__kout_partitions(leat__out_t *t);
int leat__kproduce(leat__writer_t *w, leat__out_t *t, int32_t partition, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err);
void leat__kwriter_poll(leat__writer_t *w);
bool leat__kwriter_failure(leat__writer_t *w, leat__failure_t *f);
int64_t leat__kout_delivered(leat__out_t *t, int32_t partition);
int64_t leat__kout_gap(leat__out_t *t, int32_t partition);
leat__op_t *leat__kwriter_flush(leat__writer_t *w);
leat__op_t *leat__kwriter_send_offsets(
    leat__writer_t *w, const leat__position_t *p, size_t count, leat__membership_t *under);
leat__op_t *leat__kwriter_commit(leat__writer_t *w);
leat__op_t *leat__kwriter_abort(leat__writer_t *w);

/* ---- positions and lists ---- */

/** [own] metadata and offsets too when with_offsets. */
rd_kafka_topic_partition_list_t *leat__klist(
    const leat__position_t *p, size_t count, bool with_offsets);
void leat__kplace(char *room, size_t size, const char *topic, int32_t partition); /* "topic-3" */

#endif
