/*
 * runtime/topology.h: from builder calls to a plan: nodes, stores, sub-topologies, internal topics.
 *
 *   leat_builder_t ──finish──▶ leat_topology_t ──compile(config)──▶ leat__plan_t
 *   leat__plan_t ──resolve(partition counts)──▶ tasks
 *
 * The builder keeps Processor API calls as a list, and one private slot for the DSL's graph.
 * Compiling writes both into a plan, the DSL first: only then is the configuration known that
 * naming rules and the optimizer need, so a topology can be compiled any number of times (describe,
 * check, run). The plan borrows functions, serdes and user data from the topology.
 *
 * Counterpart in Kafka Streams: InternalTopologyBuilder. Same rules, same texts of describe(), same
 * order of nodes.
 */
#ifndef LEAT__RUNTIME_TOPOLOGY_H
#define LEAT__RUNTIME_TOPOLOGY_H

#include <leat/builder.h>
#include <leat/backend.h>
#include "statestore/windows.h"
#include "base/map.h"
#include "base/buf.h"
#include "setting.h"

typedef struct leat__plan_t leat__plan_t;
typedef struct leat__node_t leat__node_t; /* constant; what a task runs is made from it (task.h) */
typedef struct leat__store_spec_t leat__store_spec_t;

typedef enum leat__node_kind_t { LEAT__SOURCE, LEAT__PROCESSOR, LEAT__SINK } leat__node_kind_t;

struct leat__node_t {
    leat__node_kind_t kind;
    char *name;
    size_t index; /* in plan->nodes: order of addition */
    leat__node_t **parents;
    size_t parent_count;
    leat__node_t **children;
    size_t child_count; /* in the order they were attached */
    leat__store_spec_t **stores;
    size_t store_count;
    int group; /* sub-topology; -1 before finish */

    /* source, sink */
    char **topics;
    size_t topic_count; /* as written in describe(): internal ones without the application id */
    char *pattern;      /* without "^"; topics: those found by leat__plan_expand */
    bool global;        /* of a global store: in every process, in no task */
    bool internal;      /* a repartition topic: "<app>-" before the name; negative time fails */
    const leat_serde_t *key, *value;
    leat_timestamp_fn timestamp; /* source; never NULL */
    leat_reset_t reset;
    int64_t reset_back_ms;
    leat_map_fn choose_topic; /* sink: emits its topic; topics empty */
    const char *chooser;      /* sink: what describe() calls choose_topic */
    leat_map_fn partition;    /* sink; NULL: by key */

    /* processor */
    leat_map_fn process;
    leat_task_fn open, close;
    size_t local_size;
    const void *operator_; /* DSL: the operator's own constant data; NULL for users' processors */

    void *user; /* [keep: topology] leat_user() */
};

/* A changelog record of an older version, and what its key has now: to become a row of log_version. */
typedef struct leat__logged_t {
    int version; /* 0: no header "v" */
    leat_slice_t value;
    leat_slice_t now; /* .data NULL: no row */
    const char *topic;
    int32_t partition;
    int64_t offset, time_ms;
    const leat_headers_t *headers;
} leat__logged_t;

struct leat__store_spec_t {
    char *name;
    leat_store_kind_t kind;
    const leat_serde_t *key, *value;
    leat_store_opts_t opts; /* texts owned by the plan */
    const leat_custom_t *custom;
    bool logged,
        cached; /* cached: wants the cache (statestore.cache.max.bytes may still turn it off) */
    char *source_topic; /* a source topic serves as changelog; else NULL */
    char *changelog;    /* full topic name, "" when not logged */
    leat__setting_t *settings;
    size_t setting_count; /* of the changelog topic at creation */
    /* to be set by who made it with leat__plan_store: */
    bool by_time;     /* windows, sessions: rows in order of time, for emit on close (windows.h) */
    bool delete_only; /* changelog of windows: cleanup.policy=delete (of stream-stream joins) */
    bool global;        /* one in each process, filled from a topic; others read it only */
    bool keeps_headers; /* changelog records carry the headers of the record that was put */
    bool buffer; /* holds what waits: changelog records have no time; JSON says "buffer" */
    bool log_batched; /* one changelog record per key and flush, never one per put */
    char log_version; /* > 0: values in the changelog carry it as header "v" (suppress: 3) */
    /* with log_version; false: damaged, or of no such version */
    bool (*log_upgrade)(const leat__logged_t *logged, leat__arena_t *scratch, leat_slice_t *row);
    int group;
    leat__node_t *owner; /* the first node that is connected to it; NULL: none, nobody opens it */
    const leat_store_opts_t *given; /* as passed to leat__plan_store, for comparing only */
    size_t order; /* order of flushing: topological order of the nodes that own it */
};

typedef struct leat__internal_topic_t {
    char *name;            /* full, with the application id */
    bool repartition;      /* else a changelog */
    bool source_changelog; /* a user's source topic used as changelog: never created */
    int32_t fixed;         /* partitions that the topology demands; 0: derived */
    int32_t partitions;    /* known after resolve */
    leat__setting_t *settings;
    size_t setting_count;
} leat__internal_topic_t;

typedef struct leat__group_t { /* a sub-topology */
    int id;
    bool global; /* a global store's source and processor: no tasks */
    leat__node_t **nodes;
    size_t node_count; /* topological: parents before children */
    leat__store_spec_t **stores;
    size_t store_count; /* in flush order */
    char **topics;
    size_t topic_count;        /* full names of all source topics; index = input of its tasks */
    leat__node_t **sources;    /* of each topic */
    int32_t task_count;        /* after resolve: partitions of its widest topic */
    int32_t *partition_counts; /* of each topic, after resolve */
    size_t counts_room;
} leat__group_t;

struct leat__plan_t {
    char *application_id;
    leat_error_t error; /* first, sticky; .others */
    leat__node_t **nodes;
    size_t node_count;
    leat__store_spec_t **stores;
    size_t store_count;
    leat__internal_topic_t *internal_topics;
    size_t internal_topic_count;
    leat__group_t *groups;
    size_t group_count;
    struct leat__plan_private_t *private_;
};

/* ---- filling a plan: the DSL's compile hook, the replay of Processor API calls. Sticky: NULL after
 * an error. ---- */

leat__node_t *leat__plan_source(leat__plan_t *p, const char *name, const char *topic,
    const leat_serde_t *key, const leat_serde_t *value, const leat_source_opts_t *opts);
leat__node_t *leat__plan_processor(leat__plan_t *p, const char *name, const char *const *parents,
    size_t parent_count, leat_map_fn process, const leat_node_opts_t *opts);
leat__node_t *leat__plan_sink(leat__plan_t *p, const char *name, const char *const *parents,
    size_t parent_count, const char *topic, leat_map_fn choose_topic, const leat_serde_t *key,
    const leat_serde_t *value, const leat_sink_opts_t *opts);
/**
 * opts->processors ("a,b") are connected. The same name twice with the very same opts pointer, kind
 * and serdes is one store (DSL reuse), else an error. Connections are made when the plan is
 * finished: what .stores names may be added later.
 */
leat__store_spec_t *leat__plan_store(leat__plan_t *p, const char *name, leat_store_kind_t kind,
    const leat_serde_t *key, const leat_serde_t *value, const leat_store_opts_t *opts,
    const leat_custom_t *custom, bool cached_by_default);
void leat__plan_connect(leat__plan_t *p, const char *processor, const char *store);
/**
 * name without the application id; partitions 0: as many as upstream, negative: an error of resolve
 * ("at least 1"). Its source and sink nodes name it as their topic; .internal is set on them when
 * the plan is finished. Twice: once.
 */
void leat__plan_repartition_topic(leat__plan_t *p, const char *name, int32_t partitions);
/**
 * What a global store consists of: source and processor were added just before, the store is added
 * here. No changelog, no cache; every processor may read it without being connected to it.
 */
leat__store_spec_t *leat__plan_global(leat__plan_t *p, leat__node_t *source,
    leat__node_t *processor, const char *store, leat_store_kind_t kind, const leat_serde_t *key,
    const leat_serde_t *value, const leat_store_opts_t *opts);
void leat__plan_copartition(leat__plan_t *p, const char *const *source_nodes, size_t count);
void leat__plan_source_changelog(leat__plan_t *p, const char *store, const char *topic);
/** Zeroed, dies with the plan; NULL: LEAT_ENOMEM is recorded. */
void *leat__plan_alloc(leat__plan_t *p, size_t size);
void leat__plan_fail(leat__plan_t *p, int code, const char *where, const char *format, ...)
    LEAT_PRINTF(4, 5);
/**
 * A name that was generated where the program may ask for its own
 * (ensure.explicit.internal.resource.naming): refused when the plan is finished, all of one kind in
 * one error. what: "repartition topic", "changelog topic", "state store".
 */
void leat__plan_generated(leat__plan_t *p, const char *what, const char *name);
/** Kafka's rules for names: 1-249 of [A-Za-z0-9._-], not "." or "..". */
bool leat__name_legal(const char *name);
bool leat__name_check(const char *name,
    leat_error_t *err); /* false: LEAT_ETOPOLOGY and why, in the words of the rule */

/* ---- the builder's private side ---- */

typedef struct leat__dsl_hooks_t {
    void (*compile)(void *dsl, leat__plan_t *plan, const leat_config_t *config);
    void (*free)(void *dsl);
} leat__dsl_hooks_t;
/**
 * The DSL's graph of this builder; makes it on first use through make(). NULL: nil builder or no
 * memory.
 */
void *leat__builder_dsl(
    leat_builder_t *b, void *(*make)(leat_builder_t *b), const leat__dsl_hooks_t *hooks);
void leat__builder_error(leat_builder_t *b, int code, const char *where, const char *format, ...)
    LEAT_PRINTF(4, 5);
bool leat__builder_is_nil(const leat_builder_t *b); /* static object of an allocation failure */
bool leat__builder_failed(const leat_builder_t *b);
const leat_config_t *leat__builder_config(
    const leat_builder_t *b); /* NULL when made by leat_builder_new */
/** Heap memory that lives as long as the topology; NULL: error recorded. */
void *leat__builder_alloc(leat_builder_t *b, size_t size);
char *leat__builder_strdup(leat_builder_t *b, const char *text);
/**
 * Takes over .user: freed exactly once when the topology dies (also when the builder is given up).
 * NULL free: nothing.
 */
void leat__builder_adopt_user(leat_builder_t *b, void *user, void (*user_free)(void *user));

/* ---- the product ---- */

/**
 * @return 0 or the first error; *plan [own: leat__plan_free] also after an error (for its texts)
 */
LEAT_API int leat__topology_compile(
    leat_topology_t *t, const leat_config_t *config, leat__plan_t **plan, leat_error_t *err);
LEAT_API void leat__plan_free(leat__plan_t *p);
/**
 * Partition counts of repartition topics and changelogs, tasks per sub-topology, co-partitioning.
 * partitions(user, topic): of an existing source topic; 0: does not exist (LEAT_ETOPIC names it).
 * Patterns must have been expanded before (leat__plan_expand).
 */
LEAT_API int leat__plan_resolve(leat__plan_t *p,
    int32_t (*partitions)(void *user, const char *topic), void *user, leat_error_t *err);
/**
 * The topics that match pattern sources, from a list of existing ones; internal topics never match.
 * Before resolve, again after changes: resolve and expand write to the plan, so no task may run on
 * it meanwhile. A topic that two patterns match is an error, which resolve reports.
 */
void leat__plan_expand(leat__plan_t *p, const char *const *topics, size_t count);
/**
 * The source node that reads a topic (full name), by name or by pattern; also one that expand has
 * not seen. NULL: none.
 */
LEAT_API leat__node_t *leat__plan_source_of(const leat__plan_t *p, const char *topic);
leat__node_t *leat__plan_find_node(const leat__plan_t *p, const char *name);
leat__store_spec_t *leat__plan_find_store(const leat__plan_t *p, const char *name);

#endif
