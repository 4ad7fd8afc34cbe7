/*
 * tools/leat/query_print.c: one row of a store as columns, or as a JSON line.
 *
 * As consume does: on a terminal columns are padded and have titles, elsewhere a TAB parts them. A
 * text is shown as it is, everything else as JSON.
 */
#include "query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { PARTITION_WIDTH = 9, TIME_WIDTH = 24, KEY_WIDTH = 20 };

/* ---- cells ---- */

static void put_gap(const cli_rows_t *r, size_t used, size_t width)
{
    if (r->person)
        printf("%*s", used < width ? (int)(width - used) + 2 : 2, "");
    else
        putchar('\t');
}

static void put_title(const cli_rows_t *r, const char *title, size_t width)
{
    fputs(title, stdout);
    if (width)
        put_gap(r, strlen(title), width);
}

/* Returns how many bytes it took. */
static size_t put_json(const cli_rows_t *r, const json_t *value)
{
    char *text;
    size_t size;

    if (!value || json_is_null(value)) {
        printf("%snull%s", cli_color(r->cli->color, CLI_DIM), cli_color(r->cli->color, 0));
        return 4;
    }
    if (json_is_string(value)) {
        size = json_string_length(value);
        cli_put_safe(stdout, (leat_slice_t){json_string_value(value), size});
        return size;
    }
    text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    size = strlen(text);
    cli_put_safe(stdout, leat_slice(text));
    free(text);
    return size;
}

static void put_time(const cli_rows_t *r, const json_t *time)
{
    char text[32] = "-";

    if (json_is_integer(time))
        cli_print_time(json_integer_value(time), text);
    fputs(text, stdout);
    put_gap(r, strlen(text), TIME_WIDTH);
}

/* ---- rows ---- */

void cli_rows_begin(cli_rows_t *r, cli_t *c, const char *kind)
{
    bool versioned = strcmp(kind, "versioned") == 0;

    *r = (cli_rows_t){.cli = c, .person = isatty(STDOUT_FILENO)};
    if (versioned || strcmp(kind, "window") == 0 || strcmp(kind, "session") == 0) {
        r->start = versioned ? "FROM" : "START";
        r->end = versioned ? "TO" : "END";
    }
    if (!r->person || c->json)
        return;
    fputs(cli_color(c->color, CLI_BOLD), stdout);
    put_title(r, "PARTITION", PARTITION_WIDTH);
    if (!r->start)
        put_title(r, "TIME", TIME_WIDTH);
    put_title(r, "KEY", KEY_WIDTH);
    if (r->start) {
        put_title(r, r->start, TIME_WIDTH);
        put_title(r, r->end, TIME_WIDTH);
    }
    put_title(r, "VALUE", 0);
    printf("%s\n", cli_color(c->color, 0));
}

static void put_columns(const cli_rows_t *r, const json_t *row)
{
    const json_t *window = json_object_get(row, "window");

    put_gap(r, put_json(r, json_object_get(row, "partition")), PARTITION_WIDTH);
    if (!r->start)
        put_time(r, json_object_get(row, "timestamp"));
    put_gap(r, put_json(r, json_object_get(row, "key")), KEY_WIDTH);
    if (r->start) {
        put_time(r, window ? json_object_get(window, "start") : json_object_get(row, "from"));
        put_time(r, window ? json_object_get(window, "end") : json_object_get(row, "to"));
    }
    put_json(r, json_object_get(row, "value"));
    putchar('\n');
}

void cli_rows_put(cli_rows_t *r, const json_t *row)
{
    r->count++;
    if (r->cli->json)
        cli_print_json(r->cli, json_deep_copy(row));
    else
        put_columns(r, row);
}

void cli_rows_envelope(cli_rows_t *r, const json_t *answer)
{
    const char *position = json_string_value(json_object_get(answer, "position"));
    int64_t lag = json_integer_value(json_object_get(answer, "lag"));

    leat__free(r->position);
    r->position = leat__must_strdup(position);
    r->lag = lag > r->lag ? lag : r->lag;
}

void cli_rows_end(cli_rows_t *r)
{
    if (cli_flush(r->cli) && !r->cli->status) {
        cli_note(r->cli, "%lld row%s%s%s", (long long)r->count, r->count == 1 ? "" : "s",
            r->position && *r->position ? ", as of " : "", r->position ? r->position : "");
        if (r->lag > 0)
            cli_note(r->cli, "a copy answered that is %lld records behind its changelog",
                (long long)r->lag);
    }
    leat__free(r->position);
}
