/* tools/leat/help.h: what help, the manual page, the reference and completion share. */
#ifndef LEAT_TOOLS_HELP_H
#define LEAT_TOOLS_HELP_H

#include "cli.h"

typedef struct cli_exit_t {
    int status;
    const char *meaning;
} cli_exit_t;
extern const cli_exit_t cli_exits[]; /* ended by a NULL meaning */
extern const char cli_about[];       /* what leat is, in paragraphs */
extern const char cli_environment[]; /* its variables */

/** "--topic NAME,..." */
void cli_option_form(const cli_option_t *o, char *room, size_t size);

#endif
