/*
 * tools/leat/produce_line.c: a line of input as a record.
 *
 *   [NAME:VALUE,NAME:VALUE <tab>] [KEY <separator>] VALUE       as Kafka's console producer
 *   {"key": ..., "value": ..., "headers": [[NAME, VALUE], ...], "timestamp": MS}
 *
 * In JSON a member NAME_base64 goes before NAME; what is missing or null is no key, no value.
 */
#include "produce.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

/* ---- options ---- */

/* "\t" and "\\" of the command line. [own] */
static char *unescaped(const char *text)
{
    char *copy = leat__must_strdup(text), *to = copy;

    for (const char *at = text; *at; at++) {
        if (*at == '\\' && (at[1] == 't' || at[1] == '\\')) {
            at++;
            *to++ = *at == 't' ? '\t' : '\\';
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
    return copy;
}

static void take_header(cli_t *c, cli_lines_t *l, const char *pair)
{
    const char *equals = strchr(pair, '=');

    if (!equals || equals == pair) {
        cli_usage(c, "--header takes NAME=VALUE, not '%s'", pair);
        return;
    }
    l->headers = leat__must_realloc(l->headers, (l->header_count + 1) * sizeof *l->headers);
    l->headers[l->header_count++] =
        (leat_header_t){leat__must_strndup(pair, (size_t)(equals - pair)), leat_slice(equals + 1)};
}

void cli_lines_init(cli_t *c, cli_lines_t *l)
{
    const char *separator = cli_text(c, "key-separator", NULL), *pair;

    *l = (cli_lines_t){.json = cli_has(c, "from-json")};
    leat__arena_init(&l->scratch);
    l->key_format = cli_format_new(c, "key-format", "string");
    l->value_format = cli_format_new(c, "value-format", "string");
    if (separator) {
        l->key_separator = unescaped(separator);
        l->key_separator_size = strlen(l->key_separator);
        if (!l->key_separator_size)
            cli_usage(c, "--key-separator takes at least one character");
    }
    if (cli_has(c, "parse-headers"))
        l->headers_separator = leat__must_strdup("\t");
    l->null_marker = cli_text(c, "null-marker", NULL);
    l->key = cli_text(c, "key", NULL);
    l->partition = (int32_t)cli_int(c, "partition", 0, INT32_MAX, -1);
    l->time_ms = cli_time(c, "timestamp", -1);
    for (size_t i = 0; (pair = cli_text_at(c, "header", i)) != NULL; i++)
        take_header(c, l, pair);
}

void cli_lines_release(cli_lines_t *l)
{
    cli_format_free(l->key_format);
    cli_format_free(l->value_format);
    leat__free(l->key_separator);
    leat__free(l->headers_separator);
    for (size_t i = 0; i < l->header_count; i++)
        leat__free((void *)(uintptr_t)l->headers[i].name);
    leat__free(l->headers);
    leat__arena_release(&l->scratch);
}

/* ---- plain lines ---- */

static bool encode(cli_lines_t *l, const cli_format_t *f, leat_slice_t text, leat_slice_t *bytes,
    leat_error_t *err)
{
    if (l->null_marker && leat_slice_is(&text, l->null_marker)) {
        *bytes = (leat_slice_t){NULL, 0};
        return true;
    }
    return cli_format_bytes(f, text, &l->scratch, bytes, err);
}

/* The part before the separator; *rest moves behind it. False: it is not there. */
static bool cut(leat_slice_t *rest, const char *separator, size_t size, leat_slice_t *part)
{
    const char *at = memmem(rest->data, rest->size, separator, size);

    if (!at)
        return false;
    *part = (leat_slice_t){rest->data, (size_t)(at - rest->data)};
    *rest = (leat_slice_t){at + size, rest->size - part->size - size};
    return true;
}

/* What every record has, with room for more. */
static void start_headers(cli_lines_t *l, cli_record_t *r, size_t more)
{
    r->headers = leat__arena_alloc(&l->scratch, (l->header_count + more + 1) * sizeof *r->headers);
    for (size_t i = 0; i < l->header_count; i++)
        r->headers[i] = l->headers[i];
    r->header_count = l->header_count;
}

static bool take_headers(cli_lines_t *l, leat_slice_t text, cli_record_t *r, leat_error_t *err)
{
    leat_slice_t pair, name;
    size_t most = 1;

    for (size_t i = 0; i < text.size; i++)
        most += text.data[i] == ',';
    start_headers(l, r, most);
    while (text.size) {
        if (!cut(&text, ",", 1, &pair)) {
            pair = text;
            text.size = 0;
        }
        if (!cut(&pair, ":", 1, &name) || !name.size) {
            leat__error(err, LEAT_EARGUMENT, 0, NULL,
                "headers are NAME:VALUE,NAME:VALUE; '%.*s' has no name and colon", LEAT_P(&pair));
            return false;
        }
        if (l->null_marker && leat_slice_is(&pair, l->null_marker))
            pair = (leat_slice_t){NULL, 0};
        r->headers[r->header_count++] =
            (leat_header_t){leat__arena_copy(&l->scratch, name.data, name.size), pair};
    }
    return true;
}

static bool take_plain(cli_lines_t *l, leat_slice_t line, cli_record_t *r, leat_error_t *err)
{
    leat_slice_t part, key = leat_slice(l->key);

    if (l->headers_separator) {
        if (!cut(&line, l->headers_separator, strlen(l->headers_separator), &part)) {
            leat__error(err, LEAT_EARGUMENT, 0, NULL,
                "there is no TAB behind the headers (an empty list of headers has one, too)");
            return false;
        }
        if (!take_headers(l, part, r, err))
            return false;
    }
    if (l->key_separator && !cut(&line, l->key_separator, l->key_separator_size, &key)) {
        leat__error(
            err, LEAT_EARGUMENT, 0, NULL, "the key separator '%s' is not in it", l->key_separator);
        return false;
    }
    return (!key.data || encode(l, l->key_format, key, &r->key, err)) &&
           encode(l, l->value_format, line, &r->value, err);
}

/* ---- JSON lines ---- */

static leat_slice_t text_of(const json_t *value)
{
    return (leat_slice_t){json_string_value(value), json_string_length(value)};
}

static bool take_base64(
    cli_lines_t *l, const char *name, const json_t *value, leat_slice_t *bytes, leat_error_t *err)
{
    if (json_is_string(value) && cli_from_base64(text_of(value), &l->scratch, bytes))
        return true;
    leat__error(err, LEAT_ESERDE, 0, NULL, "%s_base64 is not base64", name);
    return false;
}

static bool take_member(cli_lines_t *l, const cli_format_t *f, const json_t *line, const char *name,
    leat_slice_t *bytes, leat_error_t *err)
{
    char member[32];
    const json_t *value;

    strcpy(member, name);
    strcat(member, "_base64");
    value = json_object_get(line, member);
    if (value)
        return take_base64(l, name, value, bytes, err);
    value = json_object_get(line, name);
    if (!value || json_is_null(value))
        return true;
    return cli_format_from_json(f, value, &l->scratch, bytes, err);
}

/* [NAME, VALUE], VALUE a text, null, or {"base64": TEXT} */
static bool take_json_header(
    cli_lines_t *l, const json_t *pair, leat_header_t *header, leat_error_t *err)
{
    const json_t *name = json_array_get(pair, 0), *value = json_array_get(pair, 1),
                 *base64 = json_object_get(value, "base64");

    *header = (leat_header_t){json_string_value(name), {NULL, 0}};
    if (!json_is_string(name) || json_array_size(pair) != 2 ||
        (!json_is_string(value) && !json_is_null(value) && !base64)) {
        leat__error(err, LEAT_ESERDE, 0, NULL, "headers are [[\"NAME\", \"VALUE\"], ...]");
        return false;
    }
    if (base64)
        return take_base64(l, "a header's value", base64, &header->value, err);
    if (json_is_string(value))
        header->value = text_of(value);
    return true;
}

static bool take_json_headers(
    cli_lines_t *l, const json_t *headers, cli_record_t *r, leat_error_t *err)
{
    start_headers(l, r, json_array_size(headers));
    for (size_t i = 0; i < json_array_size(headers); i++)
        if (!take_json_header(l, json_array_get(headers, i), &r->headers[r->header_count++], err))
            return false;
    return true;
}

static void drop_json(void *value)
{
    json_decref(value);
}

/* Copying a topic keeps the times of its records; partitions are chosen anew. */
static bool take_json(cli_lines_t *l, leat_slice_t text, cli_record_t *r, leat_error_t *err)
{
    json_error_t why;
    json_t *line = json_loadb(text.data, text.size, JSON_ALLOW_NUL, &why);
    const json_t *time;

    if (!line || !json_is_object(line)) {
        leat__error(err, LEAT_ESERDE, 0, NULL, "not a JSON object: %s",
            line ? "lines are {\"key\": ..., \"value\": ...}" : why.text);
        json_decref(line);
        return false;
    }
    leat__arena_on_reset(&l->scratch, drop_json, line);
    time = json_object_get(line, "timestamp");
    if (json_is_integer(time) && json_integer_value(time) >= 0 && l->time_ms < 0)
        r->time_ms = json_integer_value(time);
    return take_member(l, l->key_format, line, "key", &r->key, err) &&
           take_member(l, l->value_format, line, "value", &r->value, err) &&
           take_json_headers(l, json_object_get(line, "headers"), r, err);
}

/* ---- a record ---- */

static void start(cli_lines_t *l, cli_record_t *r)
{
    leat__arena_reset(&l->scratch);
    *r = (cli_record_t){.headers = l->headers,
        .header_count = l->header_count,
        .partition = l->partition,
        .time_ms = l->time_ms};
}

bool cli_lines_take(cli_lines_t *l, leat_slice_t line, cli_record_t *r, leat_error_t *err)
{
    start(l, r);
    return l->json ? take_json(l, line, r, err) : take_plain(l, line, r, err);
}

bool cli_lines_single(
    cli_lines_t *l, const char *value, bool tombstone, cli_record_t *r, leat_error_t *err)
{
    start(l, r);
    if (l->key && !encode(l, l->key_format, leat_slice(l->key), &r->key, err))
        return false;
    return tombstone || encode(l, l->value_format, leat_slice(value), &r->value, err);
}
