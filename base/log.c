/*
 * base/log.c: log lines to the one callback, by default to standard error.
 *
 * The callback is set before the first app starts and not guarded by a lock: setting it while an
 * app runs is a data race of the program. A line is formatted on the stack; too long a text is
 * cut.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static const char *const level_names[] = {"ERROR", "WARN", "INFO", "DEBUG", "TRACE"};

/* One fprintf is one line even with several threads: stdio locks the stream. */
void leat__log_to_stderr(
    void *user, leat_level_t level, const char *area, const char *text, const char *fields)
{
    struct timespec now;
    struct tm utc;
    char date[32];

    (void)user;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(stderr, "%s.%03ldZ %-5s %s: %s%s%s\n", date, now.tv_nsec / 1000000, level_names[level],
        area, text, fields ? " " : "", fields ? fields : "");
}

static struct {
    leat_log_fn fn;
    void *user;
    leat_level_t most;
} target = {leat__log_to_stderr, NULL, LEAT_LOG_INFO};

void leat_log_to(leat_log_fn fn, void *user, leat_level_t most)
{
    target.fn = fn ? fn : leat__log_to_stderr;
    target.user = user;
    target.most = most;
}

bool leat__log_divert(leat_log_fn fn, void *user)
{
    static bool diverted;

    if (!diverted && target.fn != leat__log_to_stderr)
        return false;
    diverted = fn != NULL;
    target.fn = fn ? fn : leat__log_to_stderr;
    target.user = user;
    return true;
}

bool leat__log_on(leat_level_t level)
{
    return level <= target.most;
}

void leat__log(leat_level_t level, const char *area, const char *fields, const char *format, ...)
{
    char text[1024];
    va_list args;

    if (!leat__log_on(level))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    target.fn(target.user, level, area, text, fields && fields[0] ? fields : NULL);
}
