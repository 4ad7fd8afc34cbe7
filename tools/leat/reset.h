/*
 * tools/leat/reset.h: a reset is planned first and then carried out: reset_plan.c, reset.c.
 */
#ifndef LEAT_TOOLS_RESET_H
#define LEAT_TOOLS_RESET_H

#include "cli.h"

typedef struct cli_plan_t {
    const char *application;
    rd_kafka_topic_partition_list_t *before; /* what is committed; offset < 0: nothing */
    rd_kafka_topic_partition_list_t *after;  /* where each shall go; the same order */
    const char **why;                        /* "earliest", "end", ... of each */
    char **internal;                         /* topics to delete */
    size_t internal_count;
    json_t *not_found; /* topics that were named, but do not exist */
} cli_plan_t;

/** False: told. */
bool cli_plan_make(cli_t *c, cli_plan_t *plan);
void cli_plan_release(cli_plan_t *plan);
/** Whether a topic's name is one that Kafka Streams or leat makes for the application. */
bool cli_is_internal(const char *topic, const char *application);
/** offset, moved to the nearest end if it lies outside. */
int64_t cli_clamp(int64_t offset, int64_t start, int64_t end);

#endif
