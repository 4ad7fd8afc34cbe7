/*
 * base/config_value.c: a property's text: its ${env:NAME} and ${file:PATH} replaced, then checked
 * against the property's row.
 *
 * What came out of the environment or a file is a secret until proven otherwise: errors show the
 * text as the program wrote it, never what it stands for.
 */
#include "config_inside.h"
#include "log.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define ADDRESS_CHARACTERS                                                                         \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]%"

enum { SECRET_BYTES_MAX = 64 * 1024, ADDRESS_MAX = 255 /* bytes of a host */ };

/* ---- ${env:NAME} and ${file:PATH} ---- */

typedef struct text_t {
    char *data;
    size_t size;
    const char *where;
    leat_error_t *err;
} text_t;

static bool text_add(text_t *text, const char *bytes, size_t size)
{
    char *data = leat__realloc(text->data, text->size + size + 1);

    if (!data) {
        leat__error(text->err, LEAT_ENOMEM, 0, text->where, "no memory for the value");
        return false;
    }
    if (size)
        memcpy(data + text->size, bytes, size);
    text->data = data;
    text->size += size;
    data[text->size] = '\0';
    return true;
}

static bool add_environment(text_t *text, const char *name)
{
    const char *value = getenv(name);

    if (!value) {
        leat__error(text->err, LEAT_ECONFIG, 0, text->where,
            "${env:%s}: the environment has no variable %s: set it, or write the value itself",
            name, name);
        return false;
    }
    return text_add(text, value, strlen(value));
}

/* The bytes of a whole file that is not large; -1 with errno, EFBIG if it is. */
static ssize_t read_all(const char *path, char *room, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), saved;
    size_t filled = 0;
    ssize_t got = -1;

    if (fd < 0)
        return -1;
    while (filled < size && (got = read(fd, room + filled, size - filled)) > 0)
        filled += (size_t)got;
    saved = filled == size ? EFBIG : errno;
    close(fd);
    errno = saved;
    return got < 0 || filled == size ? -1 : (ssize_t)filled;
}

static bool add_file(text_t *text, const char *path)
{
    char *room = leat__alloc(SECRET_BYTES_MAX + 1);
    ssize_t size;
    bool added = false;

    if (!room) {
        leat__error(text->err, LEAT_ENOMEM, 0, text->where, "no memory to read a file");
        return false;
    }
    size = read_all(path, room, SECRET_BYTES_MAX + 1);
    if (size < 0) {
        leat__error(text->err, LEAT_ECONFIG, 0, text->where, "${file:%s}: %s", path,
            errno == EFBIG ? "more than 65536 bytes" : strerror(errno));
    } else if (memchr(room, '\0', (size_t)size)) {
        leat__error(text->err, LEAT_ECONFIG, 0, text->where,
            "${file:%s}: has a zero byte: not a text file", path);
    } else {
        if (size > 0 && room[size - 1] == '\n')
            size--;
        if (size > 0 && room[size - 1] == '\r')
            size--;
        added = text_add(text, room, (size_t)size);
    }
    explicit_bzero(room, SECRET_BYTES_MAX + 1);
    leat__free(room);
    return added;
}

/* The reference that starts at raw, or NULL: what stands behind its colon, and where it ends. */
static const char *reference_at(const char *raw, bool *is_file)
{
    *is_file = strncmp(raw, "${file:", 7) == 0;
    if (*is_file)
        return raw + 7;
    return strncmp(raw, "${env:", 6) == 0 ? raw + 6 : NULL;
}

static bool add_reference(text_t *text, const char *name, size_t size, bool is_file)
{
    char *copy = leat__strndup(name, size);
    bool added;

    if (!copy) {
        leat__error(text->err, LEAT_ENOMEM, 0, text->where, "no memory for the value");
        return false;
    }
    added = is_file ? add_file(text, copy) : add_environment(text, copy);
    leat__free(copy);
    return added;
}

static bool add_all(text_t *text, const char *raw)
{
    while (*raw) {
        bool is_file;
        const char *name = reference_at(raw, &is_file), *end;

        if (!name) {
            size_t plain = 1 + strcspn(raw + 1, "$");

            if (!text_add(text, raw, plain))
                return false;
            raw += plain;
            continue;
        }
        end = strchr(name, '}');
        if (!end || end == name) {
            leat__error(text->err, LEAT_ECONFIG, 0, text->where,
                "a value has ${env: or ${file: without a name and } behind it");
            return false;
        }
        if (!add_reference(text, name, (size_t)(end - name), is_file))
            return false;
        raw = end + 1;
    }
    return true;
}

char *leat__config_resolve(const char *raw, const char *where, leat_error_t *err)
{
    text_t text = {.where = where, .err = err};

    if (text_add(&text, "", 0) && add_all(&text, raw))
        return text.data;
    leat__free(text.data);
    return NULL;
}

/* ---- checks ---- */

static void trim(char *value)
{
    static const char blanks[] = " \t\r\n\f";
    size_t from = strspn(value, blanks), size = strlen(value + from);

    while (size > 0 && strchr(blanks, value[from + size - 1]))
        size--;
    memmove(value, value + from, size);
    value[size] = '\0';
}

/* Is value one of the words of "a, b, c" from the skip-th on? */
static bool is_choice(const char *choices, int skip, const char *value, size_t size)
{
    for (const char *at = choices; *at;) {
        size_t word = strcspn(at, ",");

        if (skip-- <= 0 && word == size && memcmp(at, value, size) == 0)
            return true;
        at += word;
        at += strspn(at, ", ");
    }
    return false;
}

/* none, all, or some of the others. */
static bool are_choices(const char *choices, const char *value)
{
    if (is_choice(choices, 0, value, strlen(value)))
        return true;
    for (const char *at = value;;) {
        size_t blanks = strspn(at, " "), word;

        at += blanks;
        word = strcspn(at, ", ");
        if (!is_choice(choices, 2, at, word))
            return false;
        at += word;
        at += strspn(at, " ");
        if (!*at)
            return true;
        if (*at++ != ',')
            return false;
    }
}

static bool is_name(const char *value, int64_t min, int64_t max)
{
    size_t size = strlen(value);

    return size >= (size_t)min && size <= (size_t)max && strcmp(value, ".") != 0 &&
           strcmp(value, "..") != 0 &&
           strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               size;
}

static bool is_port(const char *text)
{
    leat_slice_t port = leat_slice(text);
    int64_t number;

    return leat_slice_int64(&port, &number) && number >= 0 && number < 65536;
}

/* [https://]HOST:PORT, or nothing */
static bool is_address(const char *value)
{
    static const char scheme[] = "https://";
    const char *host = strncmp(value, scheme, strlen(scheme)) == 0 ? value + strlen(scheme) : value;
    const char *colon = strrchr(host, ':');

    return !*value || (colon && colon > host && colon - host <= ADDRESS_MAX && is_port(colon + 1) &&
                          strspn(host, ADDRESS_CHARACTERS) == strlen(host));
}

/* PORT, HOST:PORT or nothing */
static bool is_listen(const char *value)
{
    const char *colon = strrchr(value, ':');

    return !*value || (colon != value && is_port(colon ? colon + 1 : value));
}

static bool is_int(const leat__property_t *p, const char *value)
{
    leat_slice_t text = leat_slice(value);
    int64_t number;

    return leat_slice_int64(&text, &number) && number >= p->min && number <= p->max;
}

static bool fits(const leat__property_t *p, const char *value)
{
    switch (p->kind) {
    case LEAT__P_INT:
        return is_int(p, value);
    case LEAT__P_BOOL:
        return strcasecmp(value, "true") == 0 || strcasecmp(value, "false") == 0;
    case LEAT__P_NAME:
        return is_name(value, p->min, p->max);
    case LEAT__P_ADDRESS:
        return is_address(value);
    case LEAT__P_LISTEN:
        return is_listen(value);
    case LEAT__P_CHOICE:
        return is_choice(p->choices, 0, value, strlen(value));
    case LEAT__P_CHOICES:
        return are_choices(p->choices, value);
    default:
        return true;
    }
}

static void say_allowed(const leat__property_t *p, char *text, size_t size)
{
    switch (p->kind) {
    case LEAT__P_INT:
        if (p->max == INT64_MAX)
            snprintf(text, size, "a whole number from %lld on", (long long)p->min);
        else
            snprintf(text, size, "a whole number from %lld to %lld", (long long)p->min,
                (long long)p->max);
        break;
    case LEAT__P_BOOL:
        snprintf(text, size, "true or false");
        break;
    case LEAT__P_NAME:
        snprintf(text, size, "%lld to %lld letters, digits, '.', '_' and '-' (not \".\" or \"..\")",
            (long long)p->min, (long long)p->max);
        break;
    case LEAT__P_ADDRESS:
        snprintf(text, size, "HOST:PORT, https://HOST:PORT, or nothing");
        break;
    case LEAT__P_LISTEN:
        snprintf(text, size, "PORT, HOST:PORT, or nothing");
        break;
    case LEAT__P_CHOICES:
        snprintf(text, size, "%s; several of the last three with commas between", p->choices);
        break;
    default:
        snprintf(text, size, "%s", p->choices);
        break;
    }
}

/* What is often written and means a value under another name. */
static const char *hint(const leat__property_t *p, const char *value)
{
    if (strcmp(p->name, "processing.guarantee") == 0 &&
        (strcmp(value, "exactly_once") == 0 || strcmp(value, "exactly_once_beta") == 0))
        return ": write exactly_once_v2";
    if (p->kind == LEAT__P_CHOICE && is_choice(p->choices, 0, "fail", 4) && strchr(value, '.'))
        return ": Java classes cannot be loaded";
    return "";
}

int leat__property_check(
    const leat__property_t *p, char *value, const char *raw, const char *where, leat_error_t *err)
{
    char allowed[160];

    if (p->kind == LEAT__P_REFUSED)
        return leat__error(
            err, LEAT_ECONFIG, 0, where, "%s is not supported: %s", p->name, p->sentence);
    if (p->kind != LEAT__P_TEXT && p->kind != LEAT__P_IGNORED)
        trim(value);
    if (fits(p, value))
        return 0;
    say_allowed(p, allowed, sizeof allowed);
    return leat__error(err, LEAT_ECONFIG, 0, where, "%s is '%.80s'%s; allowed: %s", p->name,
        p->secret ? "..." : raw, hint(p, value), allowed);
}
