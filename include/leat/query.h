/*
 * leat/query.h: reading the state of a running app, from any thread, with the verbs of store.h.
 *
 * A query is short-lived: open one per request, on one thread, and close it. Point reads see the
 * moment when they are made; an iterator sees, of each partition, the moment when it was opened,
 * and stays valid until the query is closed. The thread that owns a partition answers between two
 * slices of its records, a page at a time; it is never stopped. Failures are sticky: after the
 * first one nothing is found any more, and leat_query_close() says what it was.
 */
#ifndef LEAT_QUERY_H
#define LEAT_QUERY_H

#include <leat/app.h>
#include <leat/store.h>

LEAT_BEGIN

typedef struct leat_query_t leat_query_t;

typedef enum leat_isolation_t {
    LEAT_ISOLATION_COMMITTED = 0, /* as of the last commit: never rolled back */
    LEAT_ISOLATION_LATEST = 1     /* what the processors see now */
} leat_isolation_t;

typedef struct leat_query_opts_t {
    leat_isolation_t isolation;
    /* [copy] "0,3"; NULL: all that are here. Key-value rows are merged in the order of keys, those
     * of other stores come partition after partition */
    const char *partitions;
    bool stale;             /* standbys and restoring tasks may answer: see leat_query_lag() */
    bool routed;            /* the processes that have the other partitions are asked too, where
                             * leat.http.advertised says; a key in the partition that Kafka's
                             * partitioner gives it. Pages of theirs are of the moment of each */
    const char *at_least;   /* [copy, nullable] a position that must be in: read your writes */
    int64_t timeout_ms;     /* for at_least, and for a thread that does not answer; 0: 30 s */
    void *reserved[4];
} leat_query_opts_t;

/**
 * Open a query.
 *
 * @param app     [keep: query] running, else every read fails with LEAT_ESTATE
 * @param opts    [copy, nullable] zero fields are defaults
 * @return [own] never NULL; leat_query_close(), before the app is freed
 * @thread any; the query then belongs to it     @role constructor     @since 0.1
 * @source KafkaStreams#query, KIP-796
 */
LEAT_API leat_query_t *leat_query_open(leat_app_t *app, const leat_query_opts_t *opts);

/**
 * Close a query and free what it handed out.
 *
 * @param q       [adopt]
 * @return 0, or the first failure of anything done with it, with err filled
 * @errors LEAT_EUNKNOWN (no such store), LEAT_ETYPE (another kind of store), LEAT_EMOVED (the
 *         partition is not here), LEAT_ERESTORING, LEAT_EBOUND (at_least not reached in time),
 *         LEAT_ETIMEOUT (the partition's thread gave no answer), LEAT_ESTATE (the app is not
 *         running), LEAT_EARGUMENT (partitions, at_least), LEAT_EUNSUPPORTED (routed, in a build
 *         without HTTP), LEAT_EAUTH (another process refused our token), LEAT_ENULL LEAT_ESERDE
 *         LEAT_ESTORE
 * @thread the query's     @role destructor     @since 0.1     @source QueryResult, FailureReason
 */
LEAT_API int leat_query_close(leat_query_t *q, leat_error_t *err);

/**
 * A store to read. Store names are those of leat_topology_describe(); of a global table too.
 *
 * @param store   [borrow]
 * @return [keep: query] never NULL: after an error a nil store, in which nothing is found
 * @thread the query's     @role method of leat_query_t     @since 0.1
 * @source QueryableStoreTypes
 */
LEAT_API const leat_kv_t *leat_query_kv(leat_query_t *q, const char *store);
LEAT_API const leat_versions_t *leat_query_versions(leat_query_t *q, const char *store);
LEAT_API const leat_windows_t *leat_query_windows(leat_query_t *q, const char *store);
LEAT_API const leat_sessions_t *leat_query_sessions(leat_query_t *q, const char *store);

/**
 * What was read so far, as input positions: "orders-0@43,orders-1@18" is everything below offset 43
 * of partition 0 and below 18 of partition 1. Give it, or the offset after a record of yours, as
 * .at_least to a later query.
 *
 * @return [borrow: until the query is closed] "" when nothing was read
 * @thread the query's     @role method of leat_query_t     @since 0.1     @source Position, KIP-796
 */
LEAT_API const char *leat_query_position(const leat_query_t *q);

/**
 * Changelog records that the state read was behind its changelog: the worst of the partitions read.
 * 0 where the owners answered.
 *
 * @thread the query's     @role method of leat_query_t     @since 0.1     @source KIP-535
 */
LEAT_API int64_t leat_query_lag(const leat_query_t *q);

/** Who has a key. Texts: [borrow: until the query is closed] */
typedef struct leat_owner_t {
    int32_t partition;    /* that Kafka's partitioner gives the key; 0 of a global table */
    bool here;            /* this process owns it */
    const char *host;     /* the owner's leat.http.advertised; "": it has none, or nobody owns it */
    const char *standbys; /* "host:port,host:port", who lacks least first; "": none is known */
    void *reserved[4];
} leat_owner_t;

/**
 * Which process of the application has a key, as far as this one knows: while tasks move it may be
 * a moment behind.
 *
 * @param store   [borrow] any kind of store
 * @param key     [borrow] the C type of the store's key serde
 * @param owner   filled in any case: partition -1 after a failure
 * @return 0, or the first failure of the query
 * @errors LEAT_EUNKNOWN LEAT_ENULL LEAT_ESERDE LEAT_ESTATE
 * @thread the query's     @role method of leat_query_t     @since 0.1
 * @source KafkaStreams#queryMetadataForKey, KIP-535
 */
LEAT_API int leat_query_owner(
    leat_query_t *q, const char *store, const void *key, leat_owner_t *owner);

LEAT_END
#endif
