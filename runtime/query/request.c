/* runtime/query/request.c: see request.h. */
#include "request.h"

#include "base/json_value.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- replies ---- */

void leat__reply_put_field(leat__reply_t *reply, const char *name, leat_slice_t text)
{
    leat__buf_format(&reply->body, "\"%s\":", name);
    leat__json_put_text(&reply->body, text);
}

void leat__reply_error(leat__reply_t *reply, int status, const char *code, const char *what,
    const char *format, ...)
{
    char text[600];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    reply->status = status;
    reply->type = NULL;
    reply->fixed = (leat_slice_t){NULL, 0};
    reply->body.size = 0;
    leat__buf_put_text(&reply->body, "{\"error\":{");
    leat__reply_put_field(reply, "code", leat_slice(code));
    leat__buf_put_text(&reply->body, ",");
    leat__reply_put_field(reply, "text", leat_slice(text));
    if (what) {
        leat__buf_put_text(&reply->body, ",");
        leat__reply_put_field(reply, "what", leat_slice(what));
    }
    leat__buf_put_text(&reply->body, "}}");
}

static int status_of(int code)
{
    switch (code) {
    case LEAT_EARGUMENT:
    case LEAT_ENULL:
    case LEAT_ESERDE:
        return 400;
    case LEAT_EUNKNOWN:
        return 404;
    case LEAT_ETYPE:
        return 409;
    case LEAT_EMOVED:
        return 421;
    case LEAT_ERESTORING:
    case LEAT_ESTATE:
        return 503;
    case LEAT_EBOUND:
    case LEAT_ETIMEOUT:
        return 504;
    default:
        return 500;
    }
}

void leat__reply_failure(leat__reply_t *reply, const leat_error_t *err)
{
    int status = status_of(err->code);

    leat__reply_error(
        reply, status, leat_error_name(err->code), *err->where ? err->where : NULL, "%s", err->text);
    if (status == 503)
        reply->retry_after_s = 1;
}

/* ---- the target ---- */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* plus: "+" is a blank, as in parameters. With a terminator behind it. False: % without two digits. */
static bool decode(
    leat__arena_t *scratch, const char *text, size_t size, bool plus, leat_slice_t *decoded)
{
    char *room = leat__arena_copy(scratch, text, size);
    size_t filled = 0;

    for (size_t i = 0; i < size; i++) {
        int high, low;

        if (text[i] != '%') {
            room[filled++] = plus && text[i] == '+' ? ' ' : text[i];
            continue;
        }
        if (size - i < 3 || (high = hex_of(text[i + 1])) < 0 || (low = hex_of(text[i + 2])) < 0)
            return false;
        room[filled++] = (char)(high << 4 | low);
        i += 2;
    }
    room[filled] = '\0';
    *decoded = (leat_slice_t){room, filled};
    return true;
}

static bool bad_target(leat__reply_t *reply, const char *format, int number)
{
    leat__reply_error(reply, 400, leat_error_name(LEAT_EARGUMENT), "path", format, number);
    return false;
}

static bool parse_path(leat__request_t *r, const char *path, size_t size, leat__reply_t *reply)
{
    const char *end = path + size;

    while (path < end) {
        const char *slash;

        path++; /* the slash before it */
        slash = memchr(path, '/', (size_t)(end - path));
        slash = slash ? slash : end;
        if (slash == end && path == end)
            break; /* a slash at the end says nothing */
        if (r->part_count == LEAT__PARTS_MAX)
            return bad_target(reply, "no path has more than %d parts", LEAT__PARTS_MAX);
        if (!decode(r->scratch, path, (size_t)(slash - path), false, &r->parts[r->part_count++]))
            return bad_target(
                reply, "part %d of the path has a %% without two hexadecimal digits", (int)r->part_count);
        path = slash;
    }
    return true;
}

static bool parse_parameter(leat__request_t *r, const char *text, size_t size, leat__reply_t *reply)
{
    const char *equals = memchr(text, '=', size);
    size_t name_size = equals ? (size_t)(equals - text) : size;
    leat__parameter_t *p = &r->parameters[r->parameter_count];
    leat_slice_t name;

    if (r->parameter_count == LEAT__PARAMETERS_MAX)
        return bad_target(reply, "more than %d parameters", LEAT__PARAMETERS_MAX);
    if (!decode(r->scratch, text, name_size, true, &name) ||
        !decode(r->scratch, equals ? equals + 1 : "", equals ? size - name_size - 1 : 0, true,
            &p->value))
        return bad_target(reply, "parameter %d has a %% without two hexadecimal digits",
            (int)r->parameter_count + 1);
    p->name = name.data;
    for (size_t i = 0; i < r->parameter_count; i++)
        if (strcmp(r->parameters[i].name, p->name) == 0) {
            leat__reply_error(reply, 400, leat_error_name(LEAT_EARGUMENT), p->name, "given twice");
            return false;
        }
    r->parameter_count++;
    return true;
}

bool leat__request_parse(leat__request_t *r, const char *target, leat__reply_t *reply)
{
    size_t path_size = strcspn(target, "?#");
    const char *at = target + path_size;

    if (*target != '/')
        return bad_target(reply, "a path begins with /, and has at most %d parts", LEAT__PARTS_MAX);
    if (!parse_path(r, target, path_size, reply))
        return false;
    for (at += *at == '?'; *at && *at != '#';) {
        size_t size = strcspn(at, "&#");

        if (size && !parse_parameter(r, at, size, reply))
            return false;
        at += size;
        at += *at == '&';
    }
    return true;
}

/* ---- parameters ---- */

static bool bad_parameter(leat__reply_t *reply, const char *name, const char *value, const char *form)
{
    leat__reply_error(reply, 400, leat_error_name(LEAT_EARGUMENT), name,
        "%s is '%.80s': it must be %s", name, value, form);
    return false;
}

const leat_slice_t *leat__request_find(leat__request_t *r, const char *name)
{
    for (size_t i = 0; i < r->parameter_count; i++)
        if (strcmp(r->parameters[i].name, name) == 0) {
            r->parameters[i].used = true;
            return &r->parameters[i].value;
        }
    return NULL;
}

bool leat__request_text(
    leat__request_t *r, const char *name, const char **text, leat__reply_t *reply)
{
    const leat_slice_t *value = leat__request_find(r, name);

    *text = value && value->size ? value->data : NULL;
    return !value || strlen(value->data) == value->size ||
           bad_parameter(reply, name, value->data, "text without zero bytes");
}

bool leat__request_int(leat__request_t *r, const char *name, int64_t min, int64_t max,
    int64_t *number, leat__reply_t *reply)
{
    const leat_slice_t *value = leat__request_find(r, name);
    char form[80];
    int64_t given;

    if (!value)
        return true;
    if (leat_slice_int64(value, &given) && given >= min && given <= max) {
        *number = given;
        return true;
    }
    snprintf(form, sizeof form, "a whole number from %lld to %lld", (long long)min, (long long)max);
    return bad_parameter(reply, name, value->data, form);
}

bool leat__request_choice(leat__request_t *r, const char *name, const char *choices, int *choice,
    leat__reply_t *reply)
{
    const leat_slice_t *value = leat__request_find(r, name);
    char form[80];
    int at = 0;

    if (!value)
        return true;
    for (const char *word = choices; *word; at++) {
        size_t size = strcspn(word, ",");

        if (size == value->size && memcmp(word, value->data, size) == 0) {
            *choice = at;
            return true;
        }
        word += size + (word[size] == ',');
    }
    snprintf(form, sizeof form, "one of %s", choices);
    return bad_parameter(reply, name, value->data, form);
}

bool leat__request_bool(leat__request_t *r, const char *name, bool *yes, leat__reply_t *reply)
{
    int choice = *yes;

    if (!leat__request_choice(r, name, "false,true", &choice, reply))
        return false;
    *yes = choice == 1;
    return true;
}

bool leat__request_all_known(leat__request_t *r, leat__reply_t *reply)
{
    for (size_t i = 0; i < r->parameter_count; i++)
        if (!r->parameters[i].used) {
            leat__reply_error(reply, 400, leat_error_name(LEAT_EARGUMENT), r->parameters[i].name,
                "this path knows no parameter '%.80s': docs/HTTP.md lists them", r->parameters[i].name);
            return false;
        }
    return true;
}
