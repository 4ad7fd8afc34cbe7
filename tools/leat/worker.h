/*
 * tools/leat/worker.h: a running worker, asked over HTTP (docs/HTTP.md): describe, query and top.
 */
#ifndef LEAT_TOOLS_WORKER_H
#define LEAT_TOOLS_WORKER_H

#include "base/buf.h"
#include "cli.h"

typedef struct cli_worker_t cli_worker_t;

/** worker [borrow]: "host:8080", "https://..."; NULL: that of --worker. [own] NULL: told. */
cli_worker_t *cli_worker_open(cli_t *c, const char *worker, int64_t timeout_ms);
void cli_worker_close(cli_worker_t *w);
const char *cli_worker_name(const cli_worker_t *w); /* "localhost:8080" */

typedef struct cli_answer_t {
    json_t *json; /* [own] NULL: it failed */
    int status;   /* what the program ends with if this failure is the end: CLI_NO_ANSWER ... */
    char text[512];
} cli_answer_t;

/** One question. body, an object or NULL, makes it a POST. Says nothing; answer->text does. */
bool cli_worker_try(
    cli_worker_t *w, const char *path, const json_t *body, cli_answer_t *answer);
/** [own] the answer; NULL: told. */
json_t *cli_worker_ask(cli_worker_t *w, const char *path, const json_t *body);
/** [own] an answer that is text as it is; NULL: told. */
char *cli_worker_text(cli_worker_t *w, const char *path);

/** One event of a stream of them; data [borrow]. False: enough. */
typedef bool (*cli_event_fn)(void *user, const char *event, const char *data);
/** Until fn has enough, Ctrl-C, or the worker ends it, which is told. */
void cli_worker_follow(cli_worker_t *w, const char *path, cli_event_fn fn, void *user);

/** A part of a path, with all but letters, digits and -._~ escaped. */
void cli_put_part(leat__buf_t *path, const char *text);
/** "?name=value", or "&name=value" behind another. NULL: nothing. */
void cli_put_parameter(leat__buf_t *path, const char *name, const char *value);

#endif
