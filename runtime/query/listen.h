/* runtime/query/listen.h: the socket that leat.http.listen names. */
#ifndef LEAT__RUNTIME_QUERY_LISTEN_H
#define LEAT__RUNTIME_QUERY_LISTEN_H

#include <leat/base.h>

typedef struct leat__listening_t {
    int fd;
    int port;
    bool loopback; /* only programs of this machine reach it */
} leat__listening_t;

/** where: "8080" (loopback), "0.0.0.0:8080", "[::]:8080", "name:0". 0, LEAT_ECONFIG or LEAT_EIO. */
int leat__listen(const char *where, leat__listening_t *l, leat_error_t *err);

#endif
