/*
 * runtime/papi.h: what a builder and its topology hold; the calls of the Processor API that a
 * topology replays.
 */
#ifndef LEAT__RUNTIME_PAPI_H
#define LEAT__RUNTIME_PAPI_H

#include "plan.h"

typedef struct leat__kept_t { /* memory that lives as long as the topology */
    struct leat__kept_t *next;
    _Alignas(16) char data[];
} leat__kept_t;

typedef struct leat__adopted_t {
    struct leat__adopted_t *next;
    void *object;
    void (*free_fn)(void *object);
} leat__adopted_t;

typedef enum leat__papi_t {
    LEAT__PAPI_SOURCE,
    LEAT__PAPI_PROCESSOR,
    LEAT__PAPI_SINK,
    LEAT__PAPI_STORE,
    LEAT__PAPI_CONNECT,
    LEAT__PAPI_GLOBAL,   /* a store, its source and its processor */
    LEAT__PAPI_READ_ONLY /* the same in each task */
} leat__papi_t;

typedef struct leat__papi_call_t {
    struct leat__papi_call_t *next;
    leat__papi_t what;
    char *name;  /* of the node or store; CONNECT, GLOBAL, READ_ONLY: the processor */
    char *topic; /* SOURCE, SINK; NULL: function */
    char *list;  /* parents; CONNECT: stores; GLOBAL, READ_ONLY: the source's name */
    const leat_serde_t *key, *value;
    leat_map_fn function; /* process, or the chooser of the topic */
    leat_store_kind_t kind;
    const leat_serde_t *store_key, *store_value; /* GLOBAL, READ_ONLY */
    const leat_custom_t *custom;
    leat_source_opts_t source; /* texts of all options belong to the topology */
    leat_node_opts_t node;
    leat_sink_opts_t sink;
    leat_store_opts_t store;
} leat__papi_call_t;

struct leat_topology_t {
    leat_error_t error; /* first, sticky */
    void *dsl;
    const leat__dsl_hooks_t *dsl_hooks;
    leat__papi_call_t *calls, **last_call;
    leat__adopted_t *adopted; /* freed in reverse order of adoption */
    leat__kept_t *kept;
    char *text; /* of leat_topology_describe */
};

struct leat_builder_t {
    leat_topology_t *topology;
    const leat_config_t *config; /* of leat_topology_build; else NULL */
};

/**
 * leat_builder_global_store() with names for both nodes, and leat_builder_read_only_store().
 * Adopts.
 */
void leat__papi_fill(leat_builder_t *b, bool global, const char *topic, const char *name,
    leat_map_fn fill, leat_store_kind_t kind, const leat_serde_t *key, const leat_serde_t *value,
    const leat_fill_opts_t *opts);
void leat__papi_replay(const leat_topology_t *t, leat__plan_t *p);

#endif
