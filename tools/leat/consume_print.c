/*
 * tools/leat/consume_print.c: one record as columns, or as a JSON line.
 *
 * On a terminal columns are padded and have titles; elsewhere a TAB parts them and there are no
 * titles, so that cut and awk find them. A key or value that is not of its format is shown in
 * hexadecimal and counted: one broken record must not hide those behind it.
 */
#include "consume.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

enum { TOPIC, TIME, PARTITION, OFFSET, KEY, VALUE, HEADERS };

static const struct {
    const char *name;
    int width;
} columns[] = {{"topic", 16}, {"time", 24}, {"partition", 9}, {"offset", 10}, {"key", 20},
    {"value", 0}, {"headers", 0}};

/* ---- options ---- */

static void add_column(cli_t *c, cli_printer_t *p, const char *name)
{
    for (int i = 0; i < (int)(sizeof columns / sizeof *columns); i++)
        if (strcmp(columns[i].name, name) == 0 && p->column_count < CLI_COLUMNS_MAX) {
            p->columns[p->column_count++] = i;
            return;
        }
    cli_usage(
        c, "--columns takes topic, time, partition, offset, key, value, headers; not '%s'", name);
}

void cli_printer_init(cli_t *c, cli_printer_t *p)
{
    const char *name;

    *p = (cli_printer_t){.cli = c, .raw = cli_has(c, "raw")};
    leat__arena_init(&p->scratch);
    p->person = isatty(STDOUT_FILENO) && !p->raw;
    p->null_marker = cli_text(c, "null-marker", "null");
    p->key_format = cli_format_new(c, "key-format", "auto");
    p->value_format = cli_format_new(c, "value-format", "auto");
    for (size_t i = 0; (name = cli_text_at(c, "columns", i)) != NULL; i++)
        add_column(c, p, name);
    if (p->column_count)
        return;
    if (cli_count(c, "topic") > 1)
        add_column(c, p, "topic");
    for (int i = TIME; i <= VALUE; i++)
        p->columns[p->column_count++] = i;
}

void cli_printer_release(cli_printer_t *p)
{
    cli_format_free(p->key_format);
    cli_format_free(p->value_format);
    leat__arena_release(&p->scratch);
}

/* ---- columns ---- */

static void put_gap(const cli_printer_t *p, size_t column, size_t used)
{
    size_t width = (size_t)columns[p->columns[column]].width;

    if (column + 1 == p->column_count)
        return;
    if (!p->person) {
        putchar('\t');
        return;
    }
    for (; used < width; used++)
        putchar(' ');
    fputs("  ", stdout);
}

void cli_print_head(const cli_printer_t *p)
{
    if (!p->person || p->cli->json)
        return;
    fputs(cli_color(p->cli->color, CLI_BOLD), stdout);
    for (size_t i = 0; i < p->column_count; i++) {
        const char *name = columns[p->columns[i]].name;

        for (const char *at = name; *at; at++)
            putchar(*at - 'a' + 'A');
        put_gap(p, i, strlen(name));
    }
    printf("%s\n", cli_color(p->cli->color, 0));
}

static void count_unreadable(cli_printer_t *p, const leat_error_t *err)
{
    if (p->unreadable++ == 0)
        p->why = *err;
}

/* Returns how many bytes it took: enough to pad what is plain text. */
static size_t put_bytes(cli_printer_t *p, const cli_format_t *f, const void *data, size_t size)
{
    leat_slice_t text;
    leat_error_t err;
    bool ok = true, on = p->cli->color;

    if (!data) {
        printf("%s%s%s", cli_color(on, CLI_DIM), p->null_marker, cli_color(on, 0));
        return strlen(p->null_marker);
    }
    ok = cli_format_text(f, (leat_slice_t){data, size}, &p->scratch, &text, &err);
    if (!ok) {
        count_unreadable(p, &err);
        fputs(cli_color(on, CLI_RED), stdout);
    }
    if (p->raw)
        fwrite(text.data, 1, text.size, stdout);
    else
        cli_put_safe(stdout, text);
    if (!ok)
        fputs(cli_color(on, 0), stdout);
    return text.size;
}

/* The i-th header; false: there are no more. */
static bool header_at(const rd_kafka_message_t *m, size_t i, const char **name, leat_slice_t *value)
{
    rd_kafka_headers_t *headers;
    const void *data;

    if (rd_kafka_message_headers(m, &headers) ||
        rd_kafka_header_get_all(headers, i, name, &data, &value->size))
        return false;
    value->data = data;
    return true;
}

static void put_headers(const rd_kafka_message_t *m)
{
    const char *name;
    leat_slice_t value;

    for (size_t i = 0; header_at(m, i, &name, &value); i++) {
        if (i)
            putchar(',');
        cli_put_safe(stdout, leat_slice(name));
        putchar('=');
        if (value.data)
            cli_put_safe(stdout, value);
        else
            fputs("null", stdout);
    }
}

static int64_t time_of(const rd_kafka_message_t *m, const char **type)
{
    rd_kafka_timestamp_type_t kind;
    int64_t time_ms = rd_kafka_message_timestamp(m, &kind);

    *type = kind == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? "log_append"
            : kind == RD_KAFKA_TIMESTAMP_CREATE_TIME   ? "create"
                                                       : NULL;
    return *type ? time_ms : -1;
}

static size_t put_column(cli_printer_t *p, int column, const rd_kafka_message_t *m)
{
    char text[64];
    const char *type;
    int64_t time_ms;

    switch (column) {
    case TOPIC:
        return (size_t)printf("%s", rd_kafka_topic_name(m->rkt));
    case TIME:
        time_ms = time_of(m, &type);
        if (type)
            cli_print_time(time_ms, text);
        return (size_t)printf("%s", type ? text : "-");
    case PARTITION:
        return (size_t)printf("%d", (int)m->partition);
    case OFFSET:
        return (size_t)printf("%lld", (long long)m->offset);
    case KEY:
        return put_bytes(p, p->key_format, m->key, m->key_len);
    case VALUE:
        return put_bytes(p, p->value_format, m->payload, m->len);
    default:
        put_headers(m);
        return 0;
    }
}

/* ---- JSON ---- */

static json_t *json_headers(cli_printer_t *p, const rd_kafka_message_t *m)
{
    json_t *all = json_array(), *text;
    const char *name;
    leat_slice_t value;

    for (size_t i = 0; header_at(m, i, &name, &value); i++) {
        text = value.data ? json_stringn(value.data, value.size) : json_null();
        if (!text) {
            leat_slice_t base64 = cli_base64(value, &p->scratch);

            text = json_pack("{s:s%}", "base64", base64.data, base64.size);
        }
        json_array_append_new(all, json_pack("[s, o]", name, text));
    }
    return all;
}

static void put_member(
    cli_printer_t *p, const cli_format_t *f, json_t *line, const char *name, leat_slice_t bytes)
{
    char member[32];

    if (cli_format_put_json(f, line, name, bytes, &p->scratch))
        return;
    snprintf(member, sizeof member, "%s_error", name);
    if (p->unreadable++ == 0)
        snprintf(p->why.text, sizeof p->why.text, "%s",
            json_string_value(json_object_get(line, member)));
}

static void print_json(cli_printer_t *p, const rd_kafka_message_t *m)
{
    const char *type;
    int64_t time_ms = time_of(m, &type);
    json_t *line = json_pack("{s:s, s:i, s:I}", "topic", rd_kafka_topic_name(m->rkt), "partition",
               (int)m->partition, "offset", (json_int_t)m->offset),
           *headers = json_headers(p, m);

    if (type) {
        json_object_set_new(line, "timestamp", json_integer(time_ms));
        json_object_set_new(line, "timestamp_type", json_string(type));
    }
    put_member(p, p->key_format, line, "key", (leat_slice_t){m->key, m->key_len});
    put_member(p, p->value_format, line, "value", (leat_slice_t){m->payload, m->len});
    if (json_array_size(headers))
        json_object_set(line, "headers", headers);
    json_decref(headers);
    cli_print_json(p->cli, line);
}

void cli_print_record(cli_printer_t *p, const rd_kafka_message_t *m)
{
    if (p->cli->json) {
        print_json(p, m);
    } else {
        for (size_t i = 0; i < p->column_count; i++)
            put_gap(p, i, put_column(p, p->columns[i], m));
        putchar('\n');
    }
    leat__arena_reset(&p->scratch);
}
