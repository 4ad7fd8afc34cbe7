/*
 * base/config_file.c: properties files, in Java's format, so that a Kafka Streams file can be read.
 *
 * A file is read whole; a logical line is decoded into a second block of the same size, which is
 * enough because no escape is shorter than what it stands for. Natural lines end with \n, \r or
 * both; a backslash at a line's end joins the next one to it, without its leading blanks; # and
 * ! start comments; =, : or blanks part the key from the value. Text is UTF-8 (DIFFERS: Java's
 * oldest reader takes Latin-1), \uXXXX works as well.
 */
#include "config_inside.h"
#include "log.h"
#include "mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    FILE_BYTES_MAX = 4 * 1024 * 1024,
    END = -1,          /* of the logical line */
    BAD = -2,          /* an escape that means nothing */
    ESCAPED = 1 << 24, /* flag: the byte stood behind a backslash, so it separates nothing */
    UNICODE = 1 << 25  /* flag: a code point from \uXXXX, not a byte */
};

typedef struct reader_t {
    const char *at, *end;
    char *out;       /* where the next decoded byte goes */
    int line;        /* natural lines, from 1 */
    const char *bad; /* why, after BAD */
} reader_t;

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool at_line_end(const reader_t *r)
{
    return r->at == r->end || *r->at == '\n' || *r->at == '\r';
}

static void skip_line_end(reader_t *r)
{
    if (r->at == r->end)
        return;
    if (*r->at++ == '\r' && r->at < r->end && *r->at == '\n')
        r->at++;
    r->line++;
}

static void skip_blanks(reader_t *r)
{
    while (r->at < r->end && is_blank((unsigned char)*r->at))
        r->at++;
}

/* Four hexadecimal digits, or BAD. */
static int hex4(reader_t *r)
{
    int code = 0;

    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef", *found;
        char c = r->at < r->end ? *r->at : '\0';

        if (c >= 'A' && c <= 'F')
            c = (char)(c - 'A' + 'a');
        found = c ? strchr(digits, c) : NULL;
        if (!found) {
            r->bad = "\\u needs four hexadecimal digits behind it";
            return BAD;
        }
        code = code * 16 + (int)(found - digits);
        r->at++;
    }
    return code;
}

static int unicode(reader_t *r)
{
    int code = hex4(r), low;

    if (code < 0)
        return BAD;
    if (code >= 0xd800 && code <= 0xdbff && r->end - r->at >= 2 && r->at[0] == '\\' &&
        r->at[1] == 'u') {
        r->at += 2;
        low = hex4(r);
        if (low < 0)
            return BAD;
        if (low >= 0xdc00 && low <= 0xdfff)
            return (0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)) | UNICODE;
    }
    if (code == 0 || (code >= 0xd800 && code <= 0xdfff)) {
        r->bad = "a \\u escape that is no character";
        return BAD;
    }
    return code | UNICODE;
}

/* The next byte or code point of the logical line. */
static int next(reader_t *r)
{
    int c;

    for (;;) {
        if (at_line_end(r))
            return END;
        c = (unsigned char)*r->at++;
        if (c != '\\')
            return c;
        if (!at_line_end(r))
            break;
        skip_line_end(r);
        skip_blanks(r);
    }
    c = (unsigned char)*r->at++;
    switch (c) {
    case 'u':
        return unicode(r);
    case 'n':
        return '\n' | ESCAPED;
    case 't':
        return '\t' | ESCAPED;
    case 'r':
        return '\r' | ESCAPED;
    case 'f':
        return '\f' | ESCAPED;
    default:
        return c | ESCAPED;
    }
}

/* Bytes go out as they are, code points as UTF-8. */
static void put(reader_t *r, int c)
{
    unsigned code = (unsigned)(c & ~(ESCAPED | UNICODE));

    if (!(c & UNICODE) || code < 0x80) {
        *r->out++ = (char)code;
        return;
    }
    if (code < 0x800) {
        *r->out++ = (char)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *r->out++ = (char)(0xe0 | code >> 12);
        } else {
            *r->out++ = (char)(0xf0 | code >> 18);
            *r->out++ = (char)(0x80 | (code >> 12 & 0x3f));
        }
        *r->out++ = (char)(0x80 | (code >> 6 & 0x3f));
    }
    *r->out++ = (char)(0x80 | (code & 0x3f));
}

/* One logical line into key and value, both terminated. False: a bad escape. */
static bool take_pair(reader_t *r, char *room, char **key, char **value)
{
    int c;

    *key = r->out = room;
    while ((c = next(r)) >= 0 && c != '=' && c != ':' && !is_blank(c))
        put(r, c);
    *r->out++ = '\0';
    *value = r->out;
    while (is_blank(c))
        c = next(r);
    if (c == '=' || c == ':')
        do
            c = next(r);
        while (is_blank(c));
    for (; c >= 0; c = next(r))
        put(r, c);
    *r->out = '\0';
    return c != BAD;
}

static void fail_at(leat_config_t *c, const char *path, int line, const char *text)
{
    char where[sizeof((leat_error_t *)0)->where];
    leat_error_t err;

    if (line)
        snprintf(where, sizeof where, "%s:%d", path, line);
    else
        snprintf(where, sizeof where, "%s", path);
    leat__error(&err, LEAT_ECONFIG, 0, where, "%s", text);
    leat__config_fail(c, &err);
}

static void set_all(leat_config_t *c, const char *path, reader_t *r, char *room)
{
    char where[sizeof c->error.where];
    char *key, *value;

    while (r->at < r->end) {
        int line = r->line;

        skip_blanks(r);
        if (at_line_end(r)) {
            skip_line_end(r);
            continue;
        }
        if (*r->at == '#' || *r->at == '!') {
            while (!at_line_end(r))
                r->at++;
            continue;
        }
        if (!take_pair(r, room, &key, &value)) {
            fail_at(c, path, r->line, r->bad);
            while (!at_line_end(r))
                r->at++;
        } else if (!*key) {
            fail_at(c, path, line, "a value without a name");
        } else {
            snprintf(where, sizeof where, "%s:%d", path, line);
            leat__config_set_at(c, where, key, value);
        }
    }
}

/* The file's bytes, [own]; NULL after an error. */
static char *read_file(leat_config_t *c, const char *path, FILE *file, size_t *size)
{
    char *bytes = leat__alloc(FILE_BYTES_MAX + 1);
    leat_error_t err;

    if (!bytes) {
        leat__error(&err, LEAT_ENOMEM, 0, path, "no memory to read the properties");
        leat__config_fail(c, &err);
        return NULL;
    }
    *size = fread(bytes, 1, FILE_BYTES_MAX + 1, file);
    if (ferror(file))
        fail_at(c, path, 0, strerror(errno));
    else if (*size > FILE_BYTES_MAX)
        fail_at(c, path, 0, "more than 4 MiB: this is no file of properties");
    else if (memchr(bytes, '\0', *size))
        fail_at(c, path, 0, "has a zero byte: this is no text file");
    else
        return bytes;
    leat__free(bytes);
    return NULL;
}

static void load(leat_config_t *c, const char *path, FILE *file)
{
    size_t size;
    char *bytes = read_file(c, path, file, &size), *room;
    reader_t r = {.at = bytes, .line = 1};
    leat_error_t err;

    if (!bytes)
        return;
    r.end = bytes + size;
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) /* a byte order mark */
        r.at += 3;
    room = leat__alloc(size + 2);
    if (room) {
        set_all(c, path, &r, room);
    } else {
        leat__error(&err, LEAT_ENOMEM, 0, path, "no memory to read the properties");
        leat__config_fail(c, &err);
    }
    leat__free(room);
    leat__free(bytes);
}

void leat_config_load(leat_config_t *c, const char *path)
{
    char text[256];
    leat_error_t err;
    FILE *file;

    if (!c)
        return;
    if (!path) {
        leat__error(&err, LEAT_ENULL, 0, "config", "leat_config_load without a path");
        leat__config_fail(c, &err);
        return;
    }
    file = fopen(path, "rb");
    if (!file) {
        snprintf(text, sizeof text, "cannot be read: %s", strerror(errno));
        fail_at(c, path, 0, text);
        return;
    }
    load(c, path, file);
    fclose(file);
}
