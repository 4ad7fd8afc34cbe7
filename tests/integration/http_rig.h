/*
 * tests/integration/http_rig.h: an app with a store of each kind and an HTTP server, on the embedded
 * log, filled with a few rows.
 */
#ifndef LEAT__TESTS_HTTP_RIG_H
#define LEAT__TESTS_HTTP_RIG_H

#include "runtime/app.h"
#include "thread_rig.h"

enum { HTTP_PARTITIONS = 3, HTTP_KEYS = 100 };
#define HTTP_TOKEN "open-sesame"

/** The topics; no server yet: leat.http.listen and the rest are the test's (rig_world_set). */
void http_world_open(rig_world_t *w);
/** counts: k000 to k099 and "a/b c"; k007 six times, in six minutes. prices: three versions of apple. */
void http_fill(rig_world_t *w);
leat_app_t *http_new_app(rig_world_t *w);
leat_app_t *http_start(rig_world_t *w); /* and RUNNING */
/** Every write so far, as a position. [own: leat__free] */
char *http_position(rig_world_t *w);

#endif
