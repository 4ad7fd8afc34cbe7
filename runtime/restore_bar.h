/*
 * runtime/restore_bar.h: how far the restores of an app are, as a bar below the log, where standard
 * error is a terminal. leat_main() shows it; elsewhere the log says it in lines.
 */
#ifndef LEAT__RUNTIME_RESTORE_BAR_H
#define LEAT__RUNTIME_RESTORE_BAR_H

#include "app.h"

typedef struct leat__restore_bar_t leat__restore_bar_t;

/**
 * Before the app starts. Lines of the log go above the bar.
 * @return [own] NULL: standard error is no terminal, or the program keeps the log, or less is
 *         logged than LEAT_LOG_INFO
 */
leat__restore_bar_t *leat__restore_bar_start(leat_app_t *app);
void leat__restore_bar_stop(leat__restore_bar_t *bar); /* before the app is freed; NULL: nothing */

typedef struct leat__restores_t { /* what the app's metrics say */
    size_t tasks, restoring;
    uint64_t left; /* records */
    double rate;   /* per second */
} leat__restores_t;
/**
 * The line, at most so many bytes of it. *total, records to be restored altogether as far as is
 * known, and *left are 0 at first and kept for the next call.
 * @return [own] NULL: nothing restores
 */
char *leat__restore_line(
    const leat__restores_t *now, uint64_t *total, uint64_t *left, size_t columns);

#endif
