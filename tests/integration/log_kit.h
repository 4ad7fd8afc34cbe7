/* tests/integration/log_kit.h: log lines are caught, to be read as a user reads them. Where one thread logs at a time. */
#ifndef LEAT__TESTS_LOG_KIT_H
#define LEAT__TESTS_LOG_KIT_H

#include <leat/leat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char log_lines[64 * 1024];

static inline void catch_line(
    void *user, leat_level_t level, const char *area, const char *text, const char *fields)
{
    size_t used = strlen(log_lines);

    (void)user;
    (void)level;
    snprintf(log_lines + used, sizeof log_lines - used, "%s %s %s\n", area, text,
        fields ? fields : "");
}

static inline void catch_log(leat_level_t most)
{
    log_lines[0] = '\0';
    leat_log_to(catch_line, NULL, most);
}

static inline void let_log_be(void)
{
    if (getenv("LEAT_TEST_LOG"))
        fputs(log_lines, stderr);
    leat_log_to(NULL, NULL, LEAT_LOG_ERROR);
}

static inline void assert_said(const char *text)
{
    if (!strstr(log_lines, text))
        fail_msg("nothing like '%s' was said, but:\n%s", text, log_lines);
}

#endif
