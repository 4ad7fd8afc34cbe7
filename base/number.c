/*
 * base/number.c: doubles to text and back, with a point as the decimal sign.
 *
 * printf and strtod follow the program's locale; a thread-local switch to the C locale around
 * them is cheaper and surer than repairing their output.
 */
#include "number.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void c_locale_open(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* glibc: the static one, no memory */
}

static locale_t c_locale_enter(void)
{
    pthread_once(&c_locale_once, c_locale_open);
    return c_locale ? uselocale(c_locale) : (locale_t)0;
}

static void c_locale_leave(locale_t before)
{
    if (before)
        uselocale(before);
}

size_t leat__double_text(double number, char text[LEAT__DOUBLE_TEXT])
{
    locale_t before;
    int size = 0;

    if (isnan(number)) /* without a sign: printf may say "-nan" */
        return (size_t)snprintf(text, LEAT__DOUBLE_TEXT, "nan");
    before = c_locale_enter();
    for (int digits = 15; digits <= 17; digits++) {
        size = snprintf(text, LEAT__DOUBLE_TEXT, "%.*g", digits, number);
        if (isinf(number) || strtod(text, NULL) == number)
            break;
    }
    c_locale_leave(before);
    return (size_t)size;
}

size_t leat__float_text(float number, char text[LEAT__DOUBLE_TEXT])
{
    locale_t before;
    int size = 0;

    if (isnan(number))
        return (size_t)snprintf(text, LEAT__DOUBLE_TEXT, "nan");
    before = c_locale_enter();
    for (int digits = 6; digits <= 9; digits++) {
        size = snprintf(text, LEAT__DOUBLE_TEXT, "%.*g", digits, (double)number);
        if (isinf(number) || strtof(text, NULL) == number)
            break;
    }
    c_locale_leave(before);
    return (size_t)size;
}

/* What a number in text may consist of: no blanks before it, no hexadecimal form. */
static bool plausible(const leat_slice_t *s)
{
    for (size_t i = 0; i < s->size; i++)
        if (s->data[i] == '\0' || !strchr("0123456789+-.eEinfatyINFATY", s->data[i]))
            return false;
    return s->size > 0;
}

bool leat_slice_double(const leat_slice_t *s, double *number)
{
    char text[512];
    char *end;
    locale_t before;
    double found;

    if (!s || s->size >= sizeof text || !plausible(s))
        return false;
    memcpy(text, s->data, s->size);
    text[s->size] = '\0';
    before = c_locale_enter();
    found = strtod(text, &end);
    c_locale_leave(before);
    if (end != text + s->size)
        return false;
    *number = found;
    return true;
}

bool leat_slice_int64(const leat_slice_t *s, int64_t *number)
{
    bool negative;
    uint64_t limit, found = 0;
    size_t at = 0;

    if (!s || s->size == 0)
        return false;
    negative = s->data[0] == '-';
    if (negative || s->data[0] == '+')
        at = 1;
    if (at == s->size)
        return false;
    limit = (uint64_t)INT64_MAX + negative;
    for (; at < s->size; at++) {
        unsigned digit = (unsigned)(unsigned char)s->data[at] - '0';

        if (digit > 9 || found > (limit - digit) / 10)
            return false;
        found = found * 10 + digit;
    }
    *number = negative ? (int64_t)(0 - found) : (int64_t)found;
    return true;
}
