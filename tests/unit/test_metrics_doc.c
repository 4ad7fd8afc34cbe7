/*
 * Goal: docs/METRICS.md says what the table of metrics says. Method: make the page from the table and
 * compare; `test_metrics_doc --write` writes it.
 */
#include "doc_page.h"
#include "runtime/metrics.h"

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

int main(int argc, char **argv)
{
    doc_page_t page = {"docs/METRICS.md", "test_metrics_doc", make_page};

    return doc_page_main(argc, argv, &page);
}
