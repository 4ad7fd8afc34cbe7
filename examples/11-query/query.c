/*
 * query: keep the topic "prices" as a table, and answer questions from standard input.
 *
 *   query [BOOTSTRAP_SERVERS]      a name: its price; a prefix and "*": all that begin with it
 *
 * The table is read while it follows the topic; each question is a query of its own.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int answer(leat_app_t *app, const char *question, leat_error_t *err)
{
    leat_query_t *q = leat_query_open(app, NULL);
    const leat_kv_t *prices = leat_query_kv(q, "prices");
    leat_slice_t name = {question, strcspn(question, "*\n")};

    if (question[name.size] == '*') {
        leat_iter_t *matches = leat_kv_prefix(prices, &name, LEAT_ASCENDING);
        const leat_row_t *row;

        while ((row = leat_iter_next(matches)) != NULL) {
            const leat_slice_t *found = row->key;
            const double *price = row->value;

            printf("%.*s\t%.2f\n", LEAT_P(found), *price);
        }
    } else {
        const double *price = leat_kv_get(prices, &name);

        if (price != NULL)
            printf("%.2f\n", *price);
        else
            printf("none\n");
    }
    return leat_query_close(q, err);
}

int main(int argc, char **argv)
{
    char line[256];
    leat_error_t err;
    leat_config_t *config = leat_config_new();

    leat_config_set(config, "bootstrap.servers", argc > 1 ? argv[1] : "localhost:9092");
    leat_app_t *app =
        leat_app_view("prices", leat_serde_string(), leat_serde_double(), config, NULL);

    int rc = leat_app_start(app, &err);
    if (rc == LEAT_OK)
        rc = leat_app_wait(app, LEAT_STATE_RUNNING, LEAT_MINUTES(1), &err);
    while (rc == LEAT_OK && fgets(line, sizeof line, stdin) != NULL)
        rc = answer(app, line, &err);
    if (rc != LEAT_OK)
        fprintf(stderr, "query: %s: %s\n", err.where, err.text);
    leat_app_free(app);
    return rc == LEAT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
