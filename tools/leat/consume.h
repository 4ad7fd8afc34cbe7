/*
 * tools/leat/consume.h: a record from a topic to standard output: consume.c reads, consume_print.c
 * shows.
 */
#ifndef LEAT_TOOLS_CONSUME_H
#define LEAT_TOOLS_CONSUME_H

#include "cli.h"

enum { CLI_COLUMNS_MAX = 8 };

typedef struct cli_printer_t {
    cli_t *cli;
    cli_format_t *key_format, *value_format;
    int columns[CLI_COLUMNS_MAX];
    size_t column_count;
    bool raw, person; /* bytes as they are; columns padded for a terminal */
    const char *null_marker;
    uint64_t unreadable; /* records whose key or value is not of its format */
    leat_error_t why;    /* the first of them */
    leat__arena_t scratch;
} cli_printer_t;

void cli_printer_init(cli_t *c, cli_printer_t *p);
void cli_printer_release(cli_printer_t *p);
void cli_print_head(const cli_printer_t *p);
void cli_print_record(cli_printer_t *p, const rd_kafka_message_t *m);

#endif
