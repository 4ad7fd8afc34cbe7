/*
 * runtime/peers.h: asking other processes of the application, over HTTP.
 *
 *   a query ─▶ line (connections, its thread's alone) ─▶ calls, several at once ─▶ answers
 *
 * A line is lent to one query after the other, so that connections stay open between them. A call
 * is a question's bytes out and an answer's bytes back (ask_wire.h); nothing is kept at the other end.
 */
#ifndef LEAT__RUNTIME_PEERS_H
#define LEAT__RUNTIME_PEERS_H

#include "base/buf.h"

#include <leat/config.h>

typedef struct leat__peers_t leat__peers_t; /* of an app */
typedef struct leat__line_t leat__line_t;
typedef struct leat__call_t leat__call_t;

#ifdef LEAT_WITH_HTTP

leat__peers_t *leat__peers_new(const leat_config_t *config); /* config [keep] */
void leat__peers_free(leat__peers_t *p); /* no line is lent any more. NULL: nothing */
leat__line_t *leat__peers_lend(leat__peers_t *p);               /* any thread */
void leat__peers_take_back(leat__peers_t *p, leat__line_t *line); /* without calls. NULL: nothing */

/** host: HOST:PORT or https://HOST:PORT. body [adopt] */
leat__call_t *leat__line_ask(
    leat__line_t *l, const char *host, leat__buf_t *body, int64_t timeout_ms);
/** All calls of the line get on meanwhile. False: not over yet. */
bool leat__call_wait(leat__call_t *c, int64_t timeout_ms);
/** Of a call that is over: the bytes [borrow: until its end], or an error; LEAT_EMOVED: nobody answers
 *  there; LEAT_ETIMEOUT: not in time. */
int leat__call_answer(leat__call_t *c, leat_slice_t *body, leat_error_t *err);
void leat__call_end(leat__call_t *c); /* over or not. NULL: nothing */

#else /* nobody is asked: leat_query_open() says so */

static inline leat__peers_t *leat__peers_new(const leat_config_t *config)
{
    (void)config;
    return NULL;
}

static inline void leat__peers_free(leat__peers_t *p)
{
    (void)p;
}

static inline leat__line_t *leat__peers_lend(leat__peers_t *p)
{
    (void)p;
    return NULL;
}

static inline void leat__peers_take_back(leat__peers_t *p, leat__line_t *line)
{
    (void)p;
    (void)line;
}

static inline leat__call_t *leat__line_ask(
    leat__line_t *l, const char *host, leat__buf_t *body, int64_t timeout_ms)
{
    (void)l;
    (void)host;
    (void)timeout_ms;
    leat__buf_release(body);
    return NULL;
}

static inline bool leat__call_wait(leat__call_t *c, int64_t timeout_ms)
{
    (void)c;
    (void)timeout_ms;
    return true;
}

static inline int leat__call_answer(leat__call_t *c, leat_slice_t *body, leat_error_t *err)
{
    (void)c;
    (void)body;
    (void)err;
    return LEAT_EUNSUPPORTED;
}

static inline void leat__call_end(leat__call_t *c)
{
    (void)c;
}

#endif
#endif
