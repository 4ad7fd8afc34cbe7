/*
 * runtime/query/routes.h: the table of routes. What stands in it and in docs/openapi.json is compared
 * by tests/unit/test_http_routes.c.
 */
#ifndef LEAT__RUNTIME_QUERY_ROUTES_H
#define LEAT__RUNTIME_QUERY_ROUTES_H

#include "request.h"

typedef void (*leat__route_fn)(leat__request_t *r, leat__reply_t *reply);

typedef struct leat__route_t {
    const char *method; /* GET answers HEAD too */
    const char *path;   /* "/v1/stores/{store}": a part in braces is any text that is not empty */
    bool open;          /* also without the token */
    leat__route_fn answer;
} leat__route_t;

extern const leat__route_t leat__routes[];
extern const size_t leat__route_count;

/** The reply to a request that has been parsed. */
void leat__route(leat__request_t *r, leat__reply_t *reply);

/* reports.c */
void leat__answer_page_html(leat__request_t *r, leat__reply_t *reply);
void leat__answer_openapi(leat__request_t *r, leat__reply_t *reply);
void leat__answer_live(leat__request_t *r, leat__reply_t *reply);
void leat__answer_ready(leat__request_t *r, leat__reply_t *reply);
void leat__answer_metrics(leat__request_t *r, leat__reply_t *reply);
void leat__answer_topology(leat__request_t *r, leat__reply_t *reply);
void leat__answer_tasks(leat__request_t *r, leat__reply_t *reply);
void leat__answer_nodes(leat__request_t *r, leat__reply_t *reply);
void leat__answer_workers(leat__request_t *r, leat__reply_t *reply);

/* peer.c */
void leat__answer_ask(leat__request_t *r, leat__reply_t *reply);

/* stores.c */
void leat__answer_stores(leat__request_t *r, leat__reply_t *reply);
void leat__answer_changes(leat__request_t *r, leat__reply_t *reply);
void leat__answer_owner(leat__request_t *r, leat__reply_t *reply);

/* points.c */
void leat__answer_key(leat__request_t *r, leat__reply_t *reply);
void leat__answer_get(leat__request_t *r, leat__reply_t *reply);
void leat__answer_count(leat__request_t *r, leat__reply_t *reply);
void leat__answer_versions(leat__request_t *r, leat__reply_t *reply);

/* ranges.c */
void leat__answer_keys(leat__request_t *r, leat__reply_t *reply);
void leat__answer_windows_of(leat__request_t *r, leat__reply_t *reply);
void leat__answer_windows(leat__request_t *r, leat__reply_t *reply);
void leat__answer_sessions_of(leat__request_t *r, leat__reply_t *reply);
void leat__answer_sessions(leat__request_t *r, leat__reply_t *reply);
void leat__answer_history(leat__request_t *r, leat__reply_t *reply);

#endif
