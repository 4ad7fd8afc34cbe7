/* tools/leat/query.h: rows of stores to standard output: query.c asks, query_print.c shows. */
#ifndef LEAT_TOOLS_QUERY_H
#define LEAT_TOOLS_QUERY_H

#include "worker.h"

typedef struct cli_rows_t {
    cli_t *cli;
    bool person;                /* a terminal: columns padded, with titles */
    const char *start, *end;    /* titles of its two times; NULL: none */
    int64_t count;
    int64_t lag;
    char *position; /* [own] of the last answer */
} cli_rows_t;

void cli_rows_begin(cli_rows_t *r, cli_t *c, const char *kind);
void cli_rows_put(cli_rows_t *r, const json_t *row);
/** Keeps what an answer says beside its rows: position and lag. */
void cli_rows_envelope(cli_rows_t *r, const json_t *answer);
void cli_rows_end(cli_rows_t *r); /* tells it */

#endif
