/*
 * runtime/query/request.h: an HTTP request taken apart, and the reply to it.
 *
 * The target is taken apart here, not by the server: parts of a path are decoded one by one, so that
 * a key may contain any byte, "/" (%2F) and zero included.
 */
#ifndef LEAT__RUNTIME_QUERY_REQUEST_H
#define LEAT__RUNTIME_QUERY_REQUEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "runtime/app.h"

typedef struct leat__share_t { /* of the feeds (feed.h) */
    _Atomic bool stopping;
    _Atomic int feeds;
} leat__share_t;

typedef struct leat__site_t { /* what all requests share; constant */
    leat_app_t *app;
    const char *token;   /* "": none is asked for */
    size_t rows_max;     /* of one page */
    bool loopback;       /* only programs of this machine reach it */
    leat__share_t *share;
} leat__site_t;

enum { LEAT__PARTS_MAX = 8, LEAT__PARAMETERS_MAX = 24 };

typedef struct leat__parameter_t {
    const char *name;
    leat_slice_t value;
    bool used;
} leat__parameter_t;

/** Lives until its arena is released. */
typedef struct leat__request_t {
    const leat__site_t *site;
    const char *method;        /* "GET" */
    leat_slice_t authorization; /* the header; .data NULL: none */
    leat_slice_t host;          /* likewise */
    leat_slice_t body;
    leat__arena_t *scratch;

    leat_slice_t parts[LEAT__PARTS_MAX]; /* of the path, decoded: "/v1/stores" has two */
    size_t part_count;
    leat__parameter_t parameters[LEAT__PARAMETERS_MAX];
    size_t parameter_count;
} leat__request_t;

typedef struct leat__reply_t {
    int status;         /* 200 when nothing was said */
    const char *type;   /* NULL: application/json */
    leat__buf_t body;   /* [own] */
    leat_slice_t fixed; /* in place of body: bytes that live as long as the program */
    struct leat__feed_t *feed; /* [own] in place of both: events without an end */
    const char *allow;  /* 405: the methods that there are */
    int retry_after_s;  /* 0: not said */
} leat__reply_t;

/** Path and parameters of a target ("/v1/stores?limit=3"). False: refused, and said in the reply. */
bool leat__request_parse(leat__request_t *r, const char *target, leat__reply_t *reply);

/* ---- parameters. Each may be given once; what is unfit is said in the reply, and false returned ---- */

/** NULL: not given. */
const leat_slice_t *leat__request_find(leat__request_t *r, const char *name);
/** NULL: not given, or given empty. Without zero bytes. */
bool leat__request_text(
    leat__request_t *r, const char *name, const char **text, leat__reply_t *reply);
/** Left as it is when not given. */
bool leat__request_int(leat__request_t *r, const char *name, int64_t min, int64_t max,
    int64_t *number, leat__reply_t *reply);
bool leat__request_bool(leat__request_t *r, const char *name, bool *yes, leat__reply_t *reply);
/** choices: "asc,desc"; *choice: which of them. */
bool leat__request_choice(leat__request_t *r, const char *name, const char *choices, int *choice,
    leat__reply_t *reply);
/** After a route has asked for all that it knows: false for what is left over. */
bool leat__request_all_known(leat__request_t *r, leat__reply_t *reply);

/* ---- replies ---- */

/** {"error":{"code":...,"text":...,"what":...}}; what was in the body goes. what NULL: left out. */
void leat__reply_error(leat__reply_t *reply, int status, const char *code, const char *what,
    const char *format, ...) LEAT_PRINTF(5, 6);
/** Of an error of leat's: its code is the name in leat_error_name(). */
void leat__reply_failure(leat__reply_t *reply, const leat_error_t *err);
void leat__reply_put_field(leat__reply_t *reply, const char *name, leat_slice_t text); /* "name":"text" */

#endif
