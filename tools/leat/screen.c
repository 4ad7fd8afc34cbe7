/* tools/leat/screen.c: see screen.h. By ANSI sequences, which every terminal of today knows. */
#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum { CTRL_C = 3, ROWS = 24, COLUMNS = 80 };

static volatile sig_atomic_t resized;

static void on_size(int number)
{
    (void)number;
    resized = 1;
}

static bool is_able(void)
{
    const char *term = getenv("TERM");

    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term &&
           strcmp(term, "dumb") != 0;
}

/* Ctrl-C comes as a key, so that a second one cannot leave the terminal as it is. */
bool cli_screen_begin(cli_screen_t *s)
{
    struct termios raw;
    struct sigaction act;

    s->on = is_able() && tcgetattr(STDIN_FILENO, &s->before) == 0;
    if (!s->on)
        return false;
    raw = s->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    memset(&act, 0, sizeof act);
    act.sa_handler = on_size;
    sigemptyset(&act.sa_mask);
    sigaction(SIGWINCH, &act, NULL);
    fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor */
    fflush(stdout);
    return true;
}

void cli_screen_end(cli_screen_t *s)
{
    if (!s->on)
        return;
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &s->before);
    s->on = false;
}

int cli_screen_key(int64_t wait_ms)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t until_ms = leat__clock_steady_ms(NULL) + wait_ms, left = wait_ms;
    unsigned char key;

    for (; left >= 0; left = until_ms - leat__clock_steady_ms(NULL)) {
        int ready = poll(&in, 1, (int)left);

        if (cli_stop_wanted())
            return CLI_KEY_END;
        if (resized) {
            resized = 0;
            return CLI_KEY_SIZE;
        }
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return ready ? CLI_KEY_END : CLI_KEY_NONE;
        return read(STDIN_FILENO, &key, 1) == 1 && key != CTRL_C ? key : CLI_KEY_END;
    }
    return CLI_KEY_NONE;
}

/* Bytes of at most so many characters (UTF-8: bytes that go on with one are none). */
static size_t cut(const char *line, size_t size, size_t columns)
{
    size_t at = 0;

    for (; at < size; at++)
        if (((unsigned char)line[at] & 0xc0) != 0x80 && columns-- == 0)
            break;
    return at;
}

void cli_screen_draw(const cli_t *c, const char *text)
{
    struct winsize size = {0};
    leat__buf_t out = {0};
    int rows;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_row || !size.ws_col)
        size = (struct winsize){.ws_row = ROWS, .ws_col = COLUMNS};
    rows = size.ws_row;
    leat__buf_put_text(&out, "\033[H");
    for (int row = 0; row < rows; row++) {
        size_t whole = strcspn(text, "\n");

        leat__buf_put_text(&out, row ? "\n\033[K" : "\033[K");
        leat__buf_put_text(&out, row ? "" : cli_color(c->color, CLI_BOLD));
        leat__buf_put(&out, text, cut(text, whole, size.ws_col));
        leat__buf_put_text(&out, row ? "" : cli_color(c->color, 0));
        text += whole + (text[whole] == '\n');
    }
    fwrite(out.data, 1, out.size, stdout);
    fflush(stdout);
    leat__buf_release(&out);
}
