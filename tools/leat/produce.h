/*
 * tools/leat/produce.h: from a line of input to a record: produce.c sends, produce_line.c reads.
 */
#ifndef LEAT_TOOLS_PRODUCE_H
#define LEAT_TOOLS_PRODUCE_H

#include "cli.h"

typedef struct cli_lines_t {
    cli_format_t *key_format, *value_format;
    char *key_separator, *headers_separator; /* NULL: no key, no headers in a line */
    size_t key_separator_size;
    const char *null_marker; /* this text stands for no value; NULL: nothing does */
    const char *key;         /* of every record; NULL: the line has it, or there is none */
    bool json;               /* lines as consume --json writes them */
    int32_t partition;       /* -1: by the key */
    int64_t time_ms;         /* -1: now */
    leat_header_t *headers;  /* of every record */
    size_t header_count;
    leat__arena_t scratch; /* of one record */
} cli_lines_t;

typedef struct cli_record_t {
    leat_slice_t key, value; /* data NULL: none */
    leat_header_t *headers;  /* [borrow: the line and scratch] */
    size_t header_count;
    int32_t partition;
    int64_t time_ms;
} cli_record_t;

void cli_lines_init(cli_t *c, cli_lines_t *l);
void cli_lines_release(cli_lines_t *l);
/** The record lives until the next line is taken. False: err says why. */
bool cli_lines_take(cli_lines_t *l, leat_slice_t line, cli_record_t *r, leat_error_t *err);
/** The record of --value or --tombstone. */
bool cli_lines_single(
    cli_lines_t *l, const char *value, bool tombstone, cli_record_t *r, leat_error_t *err);

#endif
