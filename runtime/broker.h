/*
 * runtime/broker.h: THE seam: what the engine needs from a log with groups and transactions, and nothing more.
 *
 * Two implementations: runtime/kafka (librdkafka) and runtime/embedded (in process). tests/integration/seam runs the same
 * contract tests on both. Whatever waits is start + poll: it returns a leat__op_t, done on a helper thread (Kafka) or at once
 * or when the simulator says (embedded). Calls that do not return an op never wait, but produce(), which may wait for room.
 *
 *   broker   one per app: the connection's settings, admin calls, a factory of the rest
 *   member   membership of the group (control thread)
 *   reader   partitions with offsets, read one by one (stream threads, restore, control topic)
 *   writer   a producer, transactional or just idempotent (stream threads, control topic)
 *
 * Errors carry one of four classes in err->flags: LEAT_RETRIABLE (call again), LEAT_ABORT (the transaction must abort),
 * code LEAT_EFENCED (this writer or member is over: make a new one; another instance need not exist, librdkafka.md row 7),
 * LEAT_FATAL (give up: authentication, configuration). Code LEAT_ETIMEOUT of a commit means: outcome unknown.
 * Each object belongs to one thread at a time; ops may be waited for by any.
 */
#ifndef LEAT__RUNTIME_BROKER_H
#define LEAT__RUNTIME_BROKER_H

#include <leat/config.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/headers.h"
#include "setting.h"

typedef struct leat__broker_t leat__broker_t;
typedef struct leat__member_t leat__member_t;
typedef struct leat__reader_t leat__reader_t;
typedef struct leat__writer_t leat__writer_t;
typedef struct leat__membership_t leat__membership_t; /* generation, member id, instance id; counted, immutable */

#define LEAT__OFFSET_NONE (-1) /* no committed offset */

typedef struct leat__position_t {
    char *topic;
    int32_t partition;
    int64_t offset;       /* next to read */
    char *metadata;       /* of a committed offset; may be NULL */
    int code;             /* per partition: 0 or LEAT_E... */
} leat__position_t;

/* leat__setting_t: setting.h */

typedef struct leat__topic_t { /* to create, or as described */
    char *name;
    int32_t partitions;       /* described: 0 does not exist */
    int32_t replication;      /* -1: the broker's default */
    leat__setting_t *settings; /* described: cleanup.policy, retention.ms, delete.retention.ms, ... when asked for */
    size_t setting_count;
    bool created;             /* ensure: made by this very call */
    int code;
    char *error;              /* text, or NULL */
} leat__topic_t;

typedef struct leat__group_member_t { char *member_id, *instance_id, *client_id, *host; } leat__group_member_t;

/* ---- operations ---- */

typedef struct leat__op_t leat__op_t;
struct leat__op_t {
    _Atomic int done;
    _Atomic int refs;          /* the caller's and the worker's */
    leat_error_t err;          /* code 0: well; valid when done */
    leat__position_t *positions; size_t position_count;  /* committed, offsets */
    leat__topic_t *topics; size_t topic_count;           /* describe, ensure */
    leat__group_member_t *members; size_t member_count; bool stable; /* describe_group */
    void *private_lock;        /* broker.c's, for wait */
};
bool leat__op_done(const leat__op_t *op);
bool leat__op_wait(leat__op_t *op, int64_t timeout_ms); /* true: done */
void leat__op_free(leat__op_t *op);                     /* also a pending one: its result is dropped; NULL is fine */
leat__op_t *leat__op_new(void);                          /* implementations: two refs */
void leat__op_complete(leat__op_t *op);                  /* implementations: err is filled; gives up the worker's ref */
leat__position_t *leat__positions_copy(const leat__position_t *p, size_t count); /* [own] leat__positions_free */
void leat__positions_free(leat__position_t *p, size_t count);

/* ---- membership ---- */

leat__membership_t *leat__membership_new(int32_t generation, const char *member_id, const char *instance_id, void *native,
    void (*native_free)(void *));
leat__membership_t *leat__membership_ref(leat__membership_t *m);
void leat__membership_unref(leat__membership_t *m);
int32_t leat__membership_generation(const leat__membership_t *m);
const char *leat__membership_member_id(const leat__membership_t *m);
const char *leat__membership_instance_id(const leat__membership_t *m); /* NULL: dynamic */
void *leat__membership_native(const leat__membership_t *m);

typedef struct leat__member_opts_t {
    const char *group, *instance_id;   /* instance_id NULL: dynamic */
    const char *client_id;
    const char *const *topics;         /* the control topic first, then every committed topic; "^..." is a pattern */
    size_t topic_count;
    int64_t session_timeout_ms, heartbeat_interval_ms, max_poll_interval_ms;
} leat__member_opts_t;

typedef enum leat__member_what_t {
    LEAT__MEMBER_NOTHING, LEAT__MEMBER_ASSIGNED, LEAT__MEMBER_REVOKED, LEAT__MEMBER_LOST, LEAT__MEMBER_FAILED
} leat__member_what_t;

typedef struct leat__member_event_t {
    leat__member_what_t what;
    leat__membership_t *membership;    /* ASSIGNED: [own: caller] captured in the event */
    bool leads;                        /* ASSIGNED: partition 0 of the first topic is among them */
    leat_error_t err;                  /* FAILED: fatal (auth, fenced instance, unknown topic); retriable ones are only logged */
} leat__member_event_t;

/* ---- reading ---- */

typedef struct leat__raw_t { /* a record in a batch; bytes borrowed from the batch */
    leat_slice_t key;       /* .data NULL: null */
    leat_slice_t value;
    int64_t offset, time_ms;
    void *native;           /* for headers() */
} leat__raw_t;

typedef struct leat__batch_t {
    const leat__raw_t *records;
    size_t count;           /* may be 0 with a new position: only markers or an end */
    size_t bytes;
    int64_t next;           /* position behind this batch (markers included where known) */
    bool at_end;            /* the end as visible to this reader was reached at `next` */
    int code;               /* LEAT_ETOPIC offset out of range: the caller decides; LEAT_EAUTH ...; 0 */
    void *native;
} leat__batch_t;

typedef enum leat__where_t { LEAT__EARLIEST, LEAT__STABLE_END, LEAT__HIGH_WATERMARK, LEAT__AT_TIME } leat__where_t;

typedef struct leat__reader_opts_t {
    const char *client_id;
    const char *group;         /* whose name it bears, for access control; NULL: the client's own */
    const char *settings;      /* prefix of the program's settings for such readers: "restore.consumer."; NULL: none */
    size_t partitions;         /* that it will read, about: they share what is fetched ahead; 0: few */
    bool read_committed;
    bool tail;                 /* low latency on a quiet topic (control, restore end): short fetch waits */
    size_t queue_bytes;        /* prefetched at most of a partition, about; 0: default */
} leat__reader_opts_t;

/* ---- writing ---- */

typedef struct leat__writer_opts_t {
    const char *client_id;
    const char *transactional_id; /* NULL: idempotent only */
    int64_t transaction_timeout_ms;
} leat__writer_opts_t;

typedef struct leat__out_t leat__out_t; /* a topic as a writer sees it: [keep: writer] */

typedef struct leat__failure_t { /* a record that the broker refused for good */
    const char *topic;      /* [borrow: writer] */
    int32_t partition;
    leat_error_t err;
} leat__failure_t;

typedef struct leat__broker_vt_t {
    const char *name; /* "kafka", "embedded" */
    void (*close)(leat__broker_t *b);
    leat__clock_t *(*clock)(leat__broker_t *b); /* NULL: the real one */

    /* admin */
    leat__op_t *(*describe_topics)(leat__broker_t *b, const char *const *names, size_t count, bool settings);
    leat__op_t *(*list_topics)(leat__broker_t *b);                     /* names and partition counts, for patterns */
    leat__op_t *(*ensure_topics)(leat__broker_t *b, const leat__topic_t *topics, size_t count); /* exists: fine; done when usable */
    leat__op_t *(*delete_topics)(leat__broker_t *b, const char *const *names, size_t count);
    leat__op_t *(*delete_records)(leat__broker_t *b, const leat__position_t *below, size_t count);
    leat__op_t *(*describe_group)(leat__broker_t *b, const char *group);
    leat__op_t *(*offsets)(leat__broker_t *b, const leat__position_t *of, size_t count, leat__where_t where); /* AT_TIME: offset holds the ms; none: end */
    leat__op_t *(*committed)(leat__broker_t *b, const char *group, const leat__position_t *of, size_t count); /* waits for pending ones; NONE where none */
    leat__op_t *(*fence)(leat__broker_t *b, const char *const *transactional_ids, size_t count); /* init_transactions on each */

    /* member */
    leat__member_t *(*member_open)(leat__broker_t *b, const leat__member_opts_t *o, leat_error_t *err);
    leat__member_what_t (*member_poll)(leat__member_t *m, leat__member_event_t *e); /* never waits; call every 50 ms */
    void (*member_answer_revoke)(leat__member_t *m);                  /* after REVOKED or LOST; rejoining starts */
    leat__op_t *(*member_commit)(leat__member_t *m, leat__membership_t *under, const leat__position_t *p, size_t count); /* at least once */
    leat__op_t *(*member_close)(leat__member_t *m, bool leave);       /* frees m when done */
    double (*member_heard_ms)(leat__member_t *m);                     /* ms since the group answered (CLOCK_BOOTTIME) */

    /* reader */
    leat__reader_t *(*reader_open)(leat__broker_t *b, const leat__reader_opts_t *o, leat_error_t *err);
    void (*reader_close)(leat__reader_t *r);                          /* all batches released before; never waits */
    /* A slot per partition; reading starts at offset. Slots are small numbers, reused after remove. -1: err. */
    int (*reader_add)(leat__reader_t *r, const char *topic, int32_t partition, int64_t offset, leat_error_t *err);
    void (*reader_remove)(leat__reader_t *r, int slot);
    void (*reader_seek)(leat__reader_t *r, int slot, int64_t offset);  /* drops what was prefetched */
    /* Up to max records of one partition, no waiting. False: nothing there. An unread slot holds the broker back by itself. */
    bool (*reader_take)(leat__reader_t *r, int slot, size_t max, leat__batch_t *batch);
    void (*reader_release)(leat__reader_t *r, leat__batch_t *batch);
    const leat_headers_t *(*reader_headers)(leat__reader_t *r, const leat__raw_t *raw, leat__arena_t *scratch); /* NULL: none */
    bool (*reader_wait)(leat__reader_t *r, int64_t timeout_ms);        /* true: some slot has something, or wake() */
    void (*reader_wake)(leat__reader_t *r);                            /* from any thread */
    int64_t (*reader_high_watermark)(leat__reader_t *r, int slot);     /* last known; -1 */

    /* writer */
    leat__writer_t *(*writer_open)(leat__broker_t *b, const leat__writer_opts_t *o, leat_error_t *err);
    leat__op_t *(*writer_close)(leat__writer_t *w);                    /* unsent is dropped; frees w when done */
    leat__op_t *(*writer_init)(leat__writer_t *w);                     /* transactional: init_transactions */
    int (*writer_begin)(leat__writer_t *w, leat_error_t *err);
    leat__out_t *(*writer_topic)(leat__writer_t *w, const char *topic, leat_error_t *err); /* cached; metadata fetched: NULL with LEAT_ETOPIC if it does not exist */
    int32_t (*out_partitions)(leat__out_t *t);
    /* Copies. 0; LEAT_EFULL: bounded wait passed, poll and try again; others are failures of this record or of the writer. */
    int (*produce)(leat__writer_t *w, leat__out_t *t, int32_t partition, leat_slice_t key, leat_slice_t value, int64_t time_ms,
        const leat_headers_t *headers, leat_error_t *err); /* partition -1: the writer's choice; time_ms -1: none */
    void (*writer_poll)(leat__writer_t *w);                             /* serves delivery results; call once per batch */
    bool (*writer_failure)(leat__writer_t *w, leat__failure_t *f);      /* next record refused for good */
    int64_t (*out_delivered)(leat__out_t *t, int32_t partition);        /* offset after the last acknowledged record; -1 */
    int64_t (*out_gap)(leat__out_t *t, int32_t partition);              /* offset where a foreign record was first seen among ours since the last call; -1 */
    leat__op_t *(*writer_flush)(leat__writer_t *w);
    leat__op_t *(*writer_send_offsets)(leat__writer_t *w, const leat__position_t *p, size_t count, leat__membership_t *under);
    leat__op_t *(*writer_commit)(leat__writer_t *w);                    /* flushes first */
    leat__op_t *(*writer_abort)(leat__writer_t *w);                     /* flushes first (librdkafka.md row 1) */
} leat__broker_vt_t;

struct leat__broker_t { const leat__broker_vt_t *vt; };

/** By bootstrap.servers: "embedded:", "embedded:DIR", or Kafka. config [keep]. Registered by leat_new_app in runtime/app.c. */
leat__broker_t *leat__broker_open(const leat_config_t *config, leat_error_t *err);
leat__broker_t *leat__kafka_open(const leat_config_t *config, leat_error_t *err);

#endif
