/*
 * routed-query: count the visits of each page, in as many workers as you start, and answer for all of
 * them from standard input.
 *
 *   routed-query BOOTSTRAP_SERVERS PORT STATE_DIR [PROPERTIES_FILE]
 *       PAGE      its count, and where it is kept
 *       PAGE?     the same; a copy may answer, if its owner does not
 *
 * Each worker keeps the counts of some partitions. A routed query asks the worker that has the page,
 * over HTTP, where it says that it is reached.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void count_visits(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *visits = leat_builder_stream(b, "visits", str, str, NULL);

    leat_grouped_count(leat_stream_group_by_key(visits, NULL, NULL), "visit-counts", NULL);
}

static void answer(leat_app_t *app, const char *question)
{
    leat_slice_t page = {question, strcspn(question, "?\n")};
    leat_query_opts_t opts = {.routed = true, .stale = question[page.size] == '?'};
    leat_query_t *q = leat_query_open(app, &opts);
    const int64_t *count = leat_kv_get(leat_query_kv(q, "visit-counts"), &page);
    leat_owner_t owner;
    leat_error_t err;

    leat_query_owner(q, "visit-counts", &page, &owner);
    printf("%.*s\t%lld\t%s\t%s", LEAT_P(&page), count != NULL ? (long long)*count : 0, owner.host,
        owner.standbys);
    if (leat_query_close(q, &err) != LEAT_OK)
        printf("\t%s", err.text);
    printf("\n");
    fflush(stdout);
}

static leat_config_t *configure(char **argv)
{
    leat_config_t *config = leat_config_new();
    char here[64];

    snprintf(here, sizeof here, "127.0.0.1:%s", argv[2]);
    leat_config_set(config, "application.id", "visit-counts");
    leat_config_set(config, "bootstrap.servers", argv[1]);
    leat_config_set(config, "state.dir", argv[3]);
    leat_config_set(config, "processing.guarantee", "exactly_once_v2");
    leat_config_set(config, "num.standby.replicas", "1");
    leat_config_set(config, "leat.http.listen", argv[2]);
    leat_config_set(config, "leat.http.advertised", here);
    return config;
}

int main(int argc, char **argv)
{
    char line[256];
    leat_error_t err;

    if (argc < 4) {
        fprintf(stderr, "usage: routed-query BOOTSTRAP_SERVERS PORT STATE_DIR [PROPERTIES_FILE]\n");
        return EXIT_FAILURE;
    }
    leat_config_t *config = configure(argv);
    if (argc > 4)
        leat_config_load(config, argv[4]);
    leat_app_t *app = leat_app_new(leat_topology_build(count_visits, config), config, NULL);
    int rc = leat_app_start(app, &err);
    if (rc == LEAT_OK)
        rc = leat_app_wait(app, LEAT_STATE_RUNNING, LEAT_MINUTES(1), &err);
    while (rc == LEAT_OK && fgets(line, sizeof line, stdin) != NULL)
        answer(app, line);
    if (rc != LEAT_OK)
        fprintf(stderr, "routed-query: %s: %s\n", err.where, err.text);
    leat_app_free(app);
    return rc == LEAT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
