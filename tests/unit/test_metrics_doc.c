/*
 * Goal: docs/METRICS.md says what the table of metrics says. Method: make the page from the table and
 * compare; `test_metrics_doc --write` writes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/log.h"
#include "runtime/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char intro[] =
    "# Metrics\n"
    "\n"
    "Made from runtime/metrics.c by `test_metrics_doc --write`; a test fails when it is stale.\n"
    "\n"
    "`leat_app_metric(app, NAME)` gives the sum over the threads of a process;\n"
    "`leat_app_report(app, LEAT_REPORT_METRICS, ...)` gives all of them as Prometheus text, one line\n"
    "a thread with the labels `application_id` and `thread`: the name there is `leat_` and the name\n"
    "here with `_` for `-`. `leat_state` is the app's state, with its name as a label. Numbers are up\n"
    "to a second old. The last column names the group and metric of Kafka Streams that it stands for.\n"
    "\n"
    "| name | type | unit | meaning | Kafka Streams |\n"
    "|---|---|---|---|---|\n";

static void make_page(leat__buf_t *b)
{
    leat__buf_put_text(b, intro);
    for (size_t i = 0; i < leat__metric_count; i++) {
        const leat__metric_row_t *row = &leat__metrics[i];

        leat__buf_format(b, "| `%s` | %s | %s | %s | %s |\n", row->name,
            row->counter ? "counter" : "gauge", row->unit, row->meaning, row->kafka);
    }
}

/* Beside this file's folder, in a source tree. */
static const char *page_path(void)
{
    static const char own[] = "tests/unit/test_metrics_doc.c";
    static char path[4096];
    const char *file = __FILE__;
    size_t root = strlen(file) - strlen(own);

    LEAT_ASSERT(strcmp(file + root, own) == 0);
    snprintf(path, sizeof path, "%.*sdocs/METRICS.md", (int)root, file);
    return path;
}

static void test_page_is_what_the_table_says(void **state)
{
    leat__buf_t wanted = {0}, found = {0};
    FILE *file = fopen(page_path(), "rb");
    char piece[4096];
    size_t got;

    (void)state;
    if (!file)
        fail_msg("%s cannot be read", page_path());
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        leat__buf_put(&found, piece, got);
    fclose(file);
    make_page(&wanted);
    if (strcmp(leat__buf_text(&wanted), leat__buf_text(&found)) != 0)
        fail_msg("%s is stale: run test_metrics_doc --write", page_path());
    leat__buf_release(&wanted);
    leat__buf_release(&found);
}

static int write_page(void)
{
    leat__buf_t page = {0};
    FILE *file = fopen(page_path(), "wb");
    bool written;

    if (!file) {
        perror(page_path());
        return EXIT_FAILURE;
    }
    make_page(&page);
    written = fwrite(page.data, 1, page.size, file) == page.size;
    written = fclose(file) == 0 && written;
    leat__buf_release(&page);
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page_is_what_the_table_says)};

    if (argc == 2 && strcmp(argv[1], "--write") == 0)
        return write_page();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
