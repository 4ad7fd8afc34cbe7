/*
 * tools/leat/times.c: times and durations as people write them, and as Kafka's tools take them.
 *
 * A time without a zone is in UTC, as in Kafka's tools; times are printed in UTC.
 */
#include "cli.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *unit;
    int64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

/* digits[.digits] at *at, times unit_ms, added to *sum. False: no number, or too large. */
static bool add_number(const char **at, const char *end, int64_t unit_ms, int64_t *sum)
{
    char *stop;
    double number;

    if (!isdigit((unsigned char)**at))
        return false;
    number = strtod(*at, &stop);
    if (stop != end)
        return false;
    number = number * (double)unit_ms + (double)*sum;
    if (number > 9e15)
        return false;
    *sum = (int64_t)(number + 0.5);
    return true;
}

/* P1DT2H3M4.5S, as java.time.Duration reads it. */
static bool iso_duration(const char *at, int64_t *ms)
{
    bool time = false;
    int parts = 0;

    *ms = 0;
    for (at++; *at; parts++) {
        size_t digits;
        int64_t unit;

        if (*at == 'T' && !time) {
            time = true;
            at++;
        }
        digits = strspn(at, "0123456789.");
        unit = at[digits] == 'D' && !time  ? 86400000
               : at[digits] == 'H' && time ? 3600000
               : at[digits] == 'M' && time ? 60000
               : at[digits] == 'S' && time ? 1000
                                           : 0;
        if (!unit || !add_number(&at, at + digits, unit, ms))
            return false;
        at += digits + 1;
    }
    return parts > 0;
}

bool cli_parse_duration(const char *text, int64_t *ms)
{
    size_t digits = strspn(text, "0123456789.");
    const char *unit = text + digits;

    if (*text == 'P')
        return iso_duration(text, ms);
    *ms = 0;
    if (!*unit)
        return add_number(&text, unit, 1, ms);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(unit, units[i].unit) == 0)
            return add_number(&text, unit, units[i].ms, ms);
    return false;
}

/* Exactly count digits at *at. */
static bool digits_at(const char **at, int count, int *number)
{
    *number = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return false;
        *number = *number * 10 + **at - '0';
    }
    return true;
}

static bool take(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* Z, +hh, +hh:mm, +hhmm or nothing. */
static bool zone(const char *at, int64_t *shift_ms)
{
    int sign = *at == '-' ? -1 : 1, hours, minutes = 0;

    *shift_ms = 0;
    if (!*at || strcmp(at, "Z") == 0)
        return true;
    if (*at != '+' && *at != '-')
        return false;
    at++;
    if (!digits_at(&at, 2, &hours))
        return false;
    if (*at) {
        take(&at, ':');
        if (!digits_at(&at, 2, &minutes))
            return false;
    }
    *shift_ms = sign * (hours * 60 + minutes) * 60000;
    return !*at && hours < 24 && minutes < 60;
}

static bool clock_part(const char **at, struct tm *tm, int64_t *ms)
{
    *ms = 0;
    if (!digits_at(at, 2, &tm->tm_hour) || !take(at, ':') || !digits_at(at, 2, &tm->tm_min))
        return false;
    if (take(at, ':') && !digits_at(at, 2, &tm->tm_sec))
        return false;
    if (take(at, '.')) {
        int64_t place = 100;

        if (!isdigit((unsigned char)**at))
            return false;
        for (; isdigit((unsigned char)**at); (*at)++, place /= 10)
            *ms += place * (**at - '0');
    }
    return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 61;
}

static bool iso_time(const char *at, int64_t *time_ms)
{
    struct tm tm = {0}, back;
    int64_t ms = 0, shift_ms = 0;
    time_t seconds;
    int month, day;

    if (!digits_at(&at, 4, &tm.tm_year) || !take(&at, '-') || !digits_at(&at, 2, &tm.tm_mon) ||
        !take(&at, '-') || !digits_at(&at, 2, &tm.tm_mday))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    month = tm.tm_mon;
    day = tm.tm_mday;
    if (*at && ((!take(&at, 'T') && !take(&at, ' ')) || !clock_part(&at, &tm, &ms) ||
                   !zone(at, &shift_ms)))
        return false;
    seconds = timegm(&tm);
    gmtime_r(&seconds, &back);
    if (back.tm_mday != day || back.tm_mon != month) /* 30 February, month 13 */
        return false;
    *time_ms = (int64_t)seconds * 1000 + ms - shift_ms;
    return true;
}

bool cli_parse_time(const char *text, int64_t now_ms, int64_t *time_ms)
{
    leat_slice_t all = leat_slice(text);
    int64_t before_ms;

    if (strcmp(text, "now") == 0) {
        *time_ms = now_ms;
        return true;
    }
    if (*text == '-' && cli_parse_duration(text + 1, &before_ms)) {
        *time_ms = now_ms - before_ms;
        return true;
    }
    if (leat_slice_int64(&all, time_ms))
        return *time_ms >= 0;
    return iso_time(text, time_ms);
}

void cli_print_time(int64_t time_ms, char room[32])
{
    int64_t ms = (time_ms % 1000 + 1000) % 1000;
    time_t seconds = (time_t)((time_ms - ms) / 1000);
    struct tm utc;
    char date[32];

    if (time_ms < 0 || !gmtime_r(&seconds, &utc) || utc.tm_year > 9999 - 1900) {
        snprintf(room, 32, "%lld", (long long)time_ms);
        return;
    }
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(room, 32, "%.20s.%03dZ", date, (int)ms);
}
