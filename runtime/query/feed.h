/*
 * runtime/query/feed.h: the changes of a store as server-sent events.
 *
 * A feed reads the topic that the store is restored from, committed records only, from its end on: so it
 * shows what was committed, of all partitions of the application, and no stream thread knows of it. What
 * a slow client has not taken yet waits in Kafka.
 */
#ifndef LEAT__RUNTIME_QUERY_FEED_H
#define LEAT__RUNTIME_QUERY_FEED_H

#include "request.h"

typedef struct leat__feed_t leat__feed_t;

/** NULL: refused, and said in the reply. */
leat__feed_t *leat__feed_open(const leat__site_t *site, const leat__store_spec_t *spec,
    const leat__group_t *group, leat__reply_t *reply);
/** The next bytes: events, or a comment when nothing happens for a while. 0: it is over. Waits. */
size_t leat__feed_read(leat__feed_t *f, char *room, size_t size);
void leat__feed_close(leat__feed_t *f);

#endif
