/*
 * tests/integration/http_kit.h: an HTTP client of raw sockets, so that tests can send what no client
 * would.
 */
#ifndef LEAT__TESTS_HTTP_KIT_H
#define LEAT__TESTS_HTTP_KIT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct http_reply_t {
    int status;     /* 0: the connection ended without a whole reply */
    char *headers;  /* [own] of the reply, its status line first */
    char *body;     /* [own] terminated */
    size_t size;
} http_reply_t;
void http_free(http_reply_t *r);

int http_connect(int port); /* fails the test if nobody listens */
/** Bytes as they are. False: the other side has closed. */
bool http_write(int fd, const char *bytes, size_t size);
/** One reply: by its Content-Length, else up to the end. Waits up to 60 s. */
http_reply_t http_read(int fd);
/** True: the other side closed it, within 60 s. */
bool http_ended(int fd);

/** A request on a connection of its own; token NULL: none; body NULL: GET. */
http_reply_t http_ask(int port, const char *target, const char *token, const char *body);

#endif
