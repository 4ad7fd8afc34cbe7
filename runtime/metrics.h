/*
 * runtime/metrics.h: what a running app counts: one table, from which leat_app_metric(), the Prometheus
 * text of leat_app_report() and docs/METRICS.md come.
 */
#ifndef LEAT__RUNTIME_METRICS_H
#define LEAT__RUNTIME_METRICS_H

#include "worker.h"

typedef struct leat__metric_row_t {
    const char *name;       /* of leat_app_metric(); in Prometheus "leat_" and '-' as '_' */
    bool counter;           /* else a gauge */
    const char *unit, *kafka, *meaning; /* kafka: the group and metric of Kafka Streams */
    double (*value)(const leat__thread_view_t *v);
} leat__metric_row_t;

extern const leat__metric_row_t leat__metrics[];
extern const size_t leat__metric_count;

#endif
