/*
 * runtime/app.h: the inside of leat_app_t, for app.c (life), app_topics.c (what must exist before threads start),
 * app_end.c (run to the end) and the command line.
 */
#ifndef LEAT__RUNTIME_APP_H
#define LEAT__RUNTIME_APP_H

#include "control.h"
#include "state_dir.h"

#include <leat/main.h>
#include <leat/query.h>

struct leat_app_t {
    leat_topology_t *topology;
    leat_config_t *config;
    leat_app_opts_t opts;
    bool nil; /* the static one of a failed allocation */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    leat_state_t state;
    bool over;            /* the control thread has ended */
    bool taking_down, down; /* everything that start made is being, has been given back */
    pthread_t ender;        /* that does it; joined by free */
    bool has_ender;
    bool until_signal;    /* a signal ends a start that still waits */
    leat_error_t failure; /* why it ended by itself */

    leat__broker_t *broker; /* given by the command line, or opened at start */
    leat__plan_t *plan;
    leat__state_dir_t dir;
    leat__worker_t worker;
    leat__control_t *control;
    struct leat__http_t *http;           /* NULL: off */
    struct leat__peers_t *peers;         /* made when another process is first asked */
    struct leat__globals_run_t *globals; /* NULL: the topology has no global stores */
    pthread_mutex_t globals_lock;        /* between those who ask about them and their end */
    int threads; /* wanted: as configured, added, removed */
    char **created;
    size_t created_count; /* internal topics made at this start */
    int64_t log_start;    /* earliest offset of the control topic */
};

/** Before start: use this broker (adopted) in place of what bootstrap.servers names. */
void leat__app_use(leat_app_t *app, leat__broker_t *broker);
/** app_topics.c: source topics are looked up, the plan is resolved, internal topics are made. */
int leat__app_topics(leat_app_t *app, leat_error_t *err);
/**
 * Wait for an op while retrying what is retriable until `deadline_ms` (steady), or until a signal if
 * the app runs until one. 0 or the error. start() begins one.
 */
int leat__app_op(leat_app_t *app, int64_t deadline_ms,
    leat__op_t *(*start)(leat_app_t *app, void *user), void *user, leat__op_t **done,
    leat_error_t *err);

/** It ends by itself, because of this. Any thread. */
void leat__app_fail(leat_app_t *app, const leat_error_t *err);

/* globals_run.c */
/** A request about a global store, of any thread; answered at once. False: there are none (any more). */
bool leat__globals_serve(leat_app_t *app, leat__question_t *r);
/** Fills the global stores, then keeps them up to date; before any stream thread. 0 too if there are none. */
int leat__globals_start(leat_app_t *app, leat_error_t *err);
void leat__globals_stop(leat_app_t *app); /* after all stream threads */

/* query.c */
/** Reads of a store as bytes [keep: query]; NULL: failed, and said to the query. */
leat__remote_t *leat__query_remote(leat_query_t *q, const char *store);
int32_t leat__query_partition(const leat_query_t *q); /* of the row read last */

/* report.c */
const char *leat__state_name(leat_state_t state); /* "RUNNING" */

/* app_end.c */
typedef struct leat__ends_t {
    leat__position_t *of; /* offset: the end to be reached */
    size_t count;
} leat__ends_t;
/** Stable ends, as of now, of every source topic that is not internal. */
int leat__ends_now(leat_app_t *app, leat__ends_t *ends, leat_error_t *err);
void leat__ends_release(leat__ends_t *ends);
/** 1: all of it is committed, and nothing waits in internal topics; 0: not yet; negative: err. */
int leat__ends_reached(leat_app_t *app, const leat__ends_t *ends, leat_error_t *err);
/** Commit often, since somebody waits for the end; not if the program set the interval. */
void leat__commit_often(leat_config_t *config);

/* signals.c: SIGINT and SIGTERM, counted, while somebody waits for them */
void leat__signals_begin(void);
void leat__signals_end(void);
bool leat__signals_seen(void);
int leat__signals_fd(void); /* readable after a signal */
void leat__signals_wait(int ms); /* for a signal, or for leat__signals_wake */
void leat__signals_wake(void);   /* from any thread */

#endif
