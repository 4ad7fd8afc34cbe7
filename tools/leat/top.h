/* tools/leat/top.h: a look at an application: top.c asks its workers, top_draw.c makes text. */
#ifndef LEAT_TOOLS_TOP_H
#define LEAT_TOOLS_TOP_H

#include "base/buf.h"
#include "cli.h"

/**
 * A look, as --json prints it: {"application", "time", "error"?, "workers": [...], "tasks": [...]}.
 * Rates ("processed_per_second") are missing from the first one.
 */
char *cli_top_text(json_t *look); /* [own] lines; adds to the look what only they show */
/** What a task has processed and when, per process and task; before [nullable] may be NULL. */
void cli_top_rates(json_t *tasks, const json_t *before, double seconds);
/** [own] {"PROCESS/TASK": processed}: what the next look is compared with. */
json_t *cli_top_counts(const json_t *tasks);

#endif
