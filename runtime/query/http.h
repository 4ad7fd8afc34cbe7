/*
 * runtime/query/http.h: an app's HTTP server: stores, metrics, topology, health, the page.
 *
 *   server.c     sockets, threads, TLS, limits (libmicrohttpd, seen by no other file)
 *   listen.c     the socket that is listened on
 *   request.c    a request taken apart, a reply put together
 *   routes.c     the table of routes, who may, who answers
 *   reports.c    health, metrics, topology, tasks, workers, the page
 *   stores.c     which stores there are
 *   read.c       reads of stores: points.c, ranges.c with place.c; rows as JSON: row_json.c
 *   peer.c       questions of other workers; peers.c: questions to them
 *
 * Everything but server.c is plain functions from a request to a reply, which tests and fuzzers call
 * without a socket. It runs on threads of the server's own, one per connection, and reads the app as
 * any other thread of the program does: through leat/query.h and leat_app_report().
 */
#ifndef LEAT__RUNTIME_QUERY_HTTP_H
#define LEAT__RUNTIME_QUERY_HTTP_H

#include <leat/app.h>

typedef struct leat__http_t leat__http_t;

/**
 * Take the address that leat.http.listen says; "": *http is NULL.
 * @return 0; LEAT_ECONFIG: a setting is unfit; LEAT_EIO: the address is taken, a file cannot be read
 */
int leat__http_listen(leat_app_t *app, leat__http_t **http, leat_error_t *err);
/** Answer from now on; before the control thread is made, so that health and metrics are there while an
 *  app starts. NULL: nothing. */
int leat__http_serve(leat__http_t *http, leat_error_t *err);
/** Cuts what goes on. After the control thread has ended, so that no question waits. NULL: nothing. */
void leat__http_stop(leat__http_t *http);
int leat__http_port(const leat__http_t *http); /* the one listened on */

#endif
