/*
 * base/log.h: log lines through the one callback. Never on the record path without a level check
 * first.
 */
#ifndef LEAT__BASE_LOG_H
#define LEAT__BASE_LOG_H

#include <leat/base.h>

bool leat__log_on(leat_level_t level);
/** area: "thread", "restore", "kafka", ... fields: "task=0_1 partition=in-1", or NULL. */
void leat__log(leat_level_t level, const char *area, const char *fields, const char *format, ...)
    LEAT_PRINTF(4, 5);

void leat__log_to_stderr(
    void *user, leat_level_t level, const char *area, const char *text, const char *fields);
/** Lines that would go to standard error go to fn, until NULL is given. False: the program has taken
 *  the log over. Not while an app runs. */
bool leat__log_divert(leat_log_fn fn, void *user);

/* Errors: fill err (if not NULL), keep nothing else. where may be NULL. Returns code. */
LEAT_API int leat__error(leat_error_t *err, int code, unsigned flags, const char *where,
    const char *format, ...) LEAT_PRINTF(5, 6);
LEAT_API void leat__error_clear(leat_error_t *err);
/** First error wins, later ones are counted in .others and logged. Calls leat__error_hook(), a
 *  place for a breakpoint. */
LEAT_API void leat__error_keep(leat_error_t *kept, const leat_error_t *fresh);
void leat__error_hook(const leat_error_t *err);

/* Bugs, in every build. */
#define LEAT_ASSERT(cond) ((cond) ? (void)0 : leat__assert_failed(#cond, __FILE__, __LINE__))
#ifdef NDEBUG
#define LEAT_DASSERT(cond) ((void)0)
#else
#define LEAT_DASSERT(cond) LEAT_ASSERT(cond)
#endif
LEAT_API _Noreturn void leat__assert_failed(const char *cond, const char *file, int line);

#endif
