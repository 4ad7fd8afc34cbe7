/*
 * tools/leat/screen.h: the whole terminal for a while, as `top` takes it: a screen of its own, keys
 * without Enter and without echo. What was there before comes back, with every setting.
 */
#ifndef LEAT_TOOLS_SCREEN_H
#define LEAT_TOOLS_SCREEN_H

#include <stddef.h>
#include <termios.h>

#include "cli.h"

typedef struct cli_screen_t {
    struct termios before;
    bool on;
} cli_screen_t;

/** False: standard input and output are no terminal for this, and nothing has changed. */
bool cli_screen_begin(cli_screen_t *s);
void cli_screen_end(cli_screen_t *s);

enum { CLI_KEY_NONE = 0, CLI_KEY_END = -1, CLI_KEY_SIZE = -2 };
/** The next key; NONE: it is time; END: Ctrl-C, SIGTERM, no terminal any more; SIZE: it changed. */
int cli_screen_key(int64_t wait_ms);
/** Lines of text, cut to the terminal's width and height; the first is in colour. */
void cli_screen_draw(const cli_t *c, const char *text);

#endif
