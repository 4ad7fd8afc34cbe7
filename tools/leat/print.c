/*
 * tools/leat/print.c: tables, JSON, colour and progress.
 *
 * Colour and bars only where a person looks (a terminal, unless NO_COLOR is set). Bytes of records
 * never reach a terminal as they are: control bytes would be commands to it.
 */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

enum { BAR_EVERY_MS = 100, LINE_EVERY_MS = 5000, BAR_CELLS = 24 };

const char *cli_color(bool on, int color)
{
    static const struct {
        int color;
        const char *code;
    } codes[] = {{0, "\033[0m"}, {CLI_BOLD, "\033[1m"}, {CLI_DIM, "\033[2m"}, {CLI_RED, "\033[31m"},
        {CLI_YELLOW, "\033[33m"}, {CLI_CYAN, "\033[36m"}};

    for (size_t i = 0; on && i < sizeof codes / sizeof *codes; i++)
        if (codes[i].color == color)
            return codes[i].code;
    return "";
}

bool cli_flush(cli_t *c)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (errno != EPIPE && !c->status)
        cli_fail(c, CLI_FAILED, "cannot write to standard output: %s", strerror(errno));
    return false;
}

/* ---- text ---- */

static size_t utf8_size(const unsigned char *p, size_t left)
{
    size_t size = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (size < 2)
        return size;
    if (size > left || p[0] > 0xf4 || (p[0] == 0xe0 && p[1] < 0xa0) ||
        (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

bool cli_is_utf8(leat_slice_t text)
{
    const unsigned char *p = (const unsigned char *)text.data;

    for (size_t at = 0; at < text.size;) {
        size_t size = utf8_size(p + at, text.size - at);

        if (!size)
            return false;
        at += size;
    }
    return true;
}

/* C0, DEL and, as two bytes of UTF-8, C1: what a terminal obeys. */
static bool is_control(const unsigned char *p, size_t size)
{
    return p[0] < 0x20 || p[0] == 0x7f || (size == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

static void put_escaped(FILE *to, const unsigned char *p, size_t size)
{
    static const char letters[] = "\nn\tt\rr";

    for (size_t i = 0; size == 1 && i + 1 < sizeof letters; i += 2)
        if ((unsigned char)letters[i] == *p) {
            fprintf(to, "\\%c", letters[i + 1]);
            return;
        }
    for (size_t i = 0; i < size; i++)
        fprintf(to, "\\x%02x", p[i]);
}

void cli_put_safe(FILE *to, leat_slice_t text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    size_t done = 0, at = 0;

    while (at < text.size) {
        size_t size = utf8_size(p + at, text.size - at);

        if (size && !is_control(p + at, size)) {
            at += size;
            continue;
        }
        fwrite(p + done, 1, at - done, to);
        put_escaped(to, p + at, size ? size : 1);
        at += size ? size : 1;
        done = at;
    }
    if (at > done)
        fwrite(p + done, 1, at - done, to);
}

/* ---- JSON and tables ---- */

void cli_print_json(cli_t *c, json_t *value)
{
    (void)c;
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    putchar('\n');
    json_decref(value);
}

static void put_cell(leat__buf_t *text, const json_t *value)
{
    size_t count = json_array_size(value);

    if (json_is_integer(value)) {
        leat__buf_format(text, "%lld", (long long)json_integer_value(value));
    } else if (json_is_string(value) && json_string_length(value)) {
        leat__buf_put(text, json_string_value(value), json_string_length(value));
    } else if (json_is_boolean(value)) {
        leat__buf_put_text(text, json_is_true(value) ? "yes" : "no");
    } else if (count) {
        for (size_t i = 0; i < count; i++) {
            if (i)
                leat__buf_put(text, ",", 1);
            put_cell(text, json_array_get(value, i));
        }
    } else {
        leat__buf_put(text, "-", 1);
    }
}

static char *cell(const json_t *row, const cli_column_t *column)
{
    leat__buf_t text = {0};

    put_cell(&text, json_object_get(row, column->member));
    return leat__buf_finish(&text);
}

static void put_row(
    leat__buf_t *out, char *const *cells, const size_t *widths, const cli_column_t *columns)
{
    for (size_t i = 0; columns[i].title; i++) {
        bool last = !columns[i + 1].title;

        if (columns[i].right)
            leat__buf_format(out, "%*s", (int)widths[i], cells[i]);
        else
            leat__buf_format(out, "%-*s", last ? 0 : (int)widths[i], cells[i]);
        leat__buf_put_text(out, last ? "\n" : "  ");
    }
}

void cli_put_table(leat__buf_t *out, const json_t *rows, const cli_column_t *columns)
{
    enum { COLUMNS_MAX = 16 };
    size_t widths[COLUMNS_MAX] = {0}, count = 0, row_count = json_array_size(rows);
    char *titles[COLUMNS_MAX], **cells;

    for (; columns[count].title; count++) {
        titles[count] = (char *)(uintptr_t)columns[count].title;
        widths[count] = strlen(titles[count]);
    }
    cells = leat__must_alloc((row_count * count + 1) * sizeof *cells);
    for (size_t i = 0; i < row_count * count; i++) {
        cells[i] = cell(json_array_get(rows, i / count), &columns[i % count]);
        if (strlen(cells[i]) > widths[i % count])
            widths[i % count] = strlen(cells[i]);
    }
    put_row(out, titles, widths, columns);
    for (size_t i = 0; i < row_count; i++)
        put_row(out, cells + i * count, widths, columns);
    for (size_t i = 0; i < row_count * count; i++)
        leat__free(cells[i]);
    leat__free(cells);
}

void cli_print_table(const cli_t *c, const json_t *rows, const cli_column_t *columns)
{
    leat__buf_t table = {0};
    size_t head;

    cli_put_table(&table, rows, columns);
    head = strcspn(leat__buf_text(&table), "\n");
    printf("%s%.*s%s%s", cli_color(c->color, CLI_BOLD), (int)head, table.data,
        cli_color(c->color, 0), table.data + head);
    leat__buf_release(&table);
}

void cli_put_bar(leat__buf_t *out, double part, int cells)
{
    int filled;

    part = part < 0 ? 0 : part > 1 ? 1 : part;
    filled = (int)(cells * part);
    leat__buf_put_text(out, "[");
    for (int i = 0; i < cells; i++)
        leat__buf_put_text(out, i < filled ? "#" : ".");
    leat__buf_format(out, "] %3d %%", (int)(100 * part));
}

/* ---- progress ---- */

void cli_progress_begin(
    const cli_t *c, cli_progress_t *p, const char *what, int64_t total, bool own_screen)
{
    *p = (cli_progress_t){.what = what, .total = total};
    p->began_ms = p->shown_ms = leat__clock_steady_ms(NULL);
    p->bar = !c->quiet && isatty(STDERR_FILENO) && (own_screen || !isatty(STDOUT_FILENO));
}

static void draw_bar(const cli_progress_t *p, int64_t done, double per_s)
{
    leat__buf_t bar = {0};

    if (p->total > 0) {
        cli_put_bar(&bar, (double)done / (double)p->total, BAR_CELLS);
        leat__buf_format(&bar, "  %lld of %lld", (long long)done, (long long)p->total);
    } else {
        leat__buf_format(&bar, "%lld", (long long)done);
    }
    fprintf(stderr, "\r%s %s, %.0f/s\033[K", leat__buf_text(&bar), p->what, per_s);
    fflush(stderr);
    leat__buf_release(&bar);
}

static void show(const cli_progress_t *p, int64_t done, int64_t now_ms)
{
    int64_t took_ms = now_ms > p->began_ms ? now_ms - p->began_ms : 1;
    double per_s = (double)done * 1000.0 / (double)took_ms;

    if (p->bar)
        draw_bar(p, done, per_s);
    else if (p->total > 0)
        fprintf(stderr, "%lld of %lld %s, %.0f/s\n", (long long)done, (long long)p->total, p->what,
            per_s);
    else
        fprintf(stderr, "%lld %s, %.0f/s\n", (long long)done, p->what, per_s);
}

void cli_progress(const cli_t *c, cli_progress_t *p, int64_t done)
{
    int64_t now = leat__clock_steady_ms(NULL);

    if (c->quiet || now - p->shown_ms < (p->bar ? BAR_EVERY_MS : LINE_EVERY_MS))
        return;
    show(p, done, now);
    p->shown_ms = now;
}

void cli_progress_end(const cli_t *c, cli_progress_t *p, int64_t done)
{
    (void)c;
    if (!p->bar || p->shown_ms == p->began_ms)
        return;
    show(p, done, leat__clock_steady_ms(NULL));
    fputc('\n', stderr);
}
