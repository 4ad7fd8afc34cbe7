/*
 * base/error.c: the texts of the error table, errors kept first-wins, assertions, the version.
 *
 * leat_error_t holds its text, so that an error can be told without memory.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTED_(x) #x
#define QUOTED(x) QUOTED_(x)

const char *leat_version(void)
{
    return QUOTED(LEAT_VERSION_MAJOR) "." QUOTED(LEAT_VERSION_MINOR) "." QUOTED(LEAT_VERSION_PATCH);
}

const char *leat_error_name(int code)
{
    switch (code) {
    case LEAT_OK:
        return "ok";
#define NAME(code_, number, id, text)                                                              \
    case LEAT_##code_:                                                                             \
        return id;
        LEAT_ERRORS(NAME)
#undef NAME
    default:
        return "unknown_error";
    }
}

const char *leat_error_text(int code)
{
    switch (code) {
    case LEAT_OK:
        return "no error";
#define TEXT(code_, number, id, text)                                                              \
    case LEAT_##code_:                                                                             \
        return text;
        LEAT_ERRORS(TEXT)
#undef TEXT
    default:
        return "an error code that this version does not know";
    }
}

int leat__error(
    leat_error_t *err, int code, unsigned flags, const char *where, const char *format, ...)
{
    leat_error_t fresh = {
        .code = (leat_code_t)code, .flags = flags}; /* arguments may be err's own */
    va_list args;

    if (!err)
        return code;
    if (where)
        snprintf(fresh.where, sizeof fresh.where, "%s", where);
    va_start(args, format);
    vsnprintf(fresh.text, sizeof fresh.text, format, args);
    va_end(args);
    *err = fresh;
    return code;
}

void leat__error_clear(leat_error_t *err)
{
    if (err)
        memset(err, 0, sizeof *err);
}

void leat__error_hook(const leat_error_t *err)
{
    /* Nothing: a place for a breakpoint. The barrier keeps the call from being optimised away. */
    __asm__ volatile("" : : "r"(err) : "memory");
}

void leat__error_keep(leat_error_t *kept, const leat_error_t *fresh)
{
    if (fresh->code == LEAT_OK)
        return;
    leat__error_hook(fresh);
    if (kept->code == LEAT_OK) {
        *kept = *fresh;
        return;
    }
    kept->others += 1 + fresh->others;
    leat__log(LEAT_LOG_ERROR, "error", NULL, "%s%s%s", fresh->where, fresh->where[0] ? ": " : "",
        fresh->text);
}

void leat__assert_failed(const char *cond, const char *file, int line)
{
    leat__log(LEAT_LOG_ERROR, "assert", NULL,
        "%s:%d: does not hold: %s (a bug in leat, or in how it"
        " is called: please report it with this line)",
        file, line, cond);
    abort();
}
